//! [`Request`]: what a Worker receives, and what it sends.
//!
//! Two states are kept apart, as upstream keeps them: this handle remembers whether *it* read the
//! body ([`Error::BodyUsed`]), and the request itself whether anybody did, for a body passes to a
//! copy that was made with [`Request::clone_mut`]. Errors of the platform reach a Worker in the
//! words of workers-rs, which hides most of them behind a fixed text.
//!
//! JSON is decoded through JavaScript values and not straight from the text: an integer above 2⁵³
//! loses digits, a repeated key keeps its last value, an array is no struct, and a type that asks
//! for `u128` fails, all as in production. A shortcut past that model cannot be proven equal for
//! every `Deserialize`, so there is none.
//!
//! Absent: `inner()` and the conversions from and to `web_sys`. A body that is empty counts as
//! none. The URL comes parsed, so that routing does not parse it again.

use crate::cf::Cf;
use crate::error::Error;
use crate::js::{self, Body};
use crate::js_sys::JSON;
use crate::streams::ReadableStream;
use crate::{
    ByteStream, CacheMode, FormData, Headers, Method, RequestInit, RequestRedirect, Result,
};
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;
use std::sync::atomic::{AtomicBool, Ordering};
use url::Url;
use worker_native_js::serde_wasm_bindgen;

/// A request as it crosses the border of the Worker.
pub(crate) type RawRequest = edgeproof_sim::http::Request;

/// An HTTP request.
#[derive(Debug)]
pub struct Request {
    method: Method,
    inner: Inner,
    url: Url,
    /// Set once the Worker asked to change the path; the URL stays as it is.
    path: Option<String>,
    headers: Headers,
    cf: Option<Cf>,
    /// `None` stands for no body at all.
    body: Option<Bytes>,
    /// Whether this handle read the body.
    body_used: bool,
    /// Whether the body was read or moved to another request.
    disturbed: AtomicBool,
    immutable: bool,
    options: Options,
}

/// What [`Request::inner`] gives. Upstream it is the runtime's own request (`web_sys::Request`); here that has its method alone.
#[derive(Debug, Clone)]
pub struct Inner(http::Method);

impl Inner {
    /// The method as it was sent. [`Request::method`] takes every method that workers-rs does not know for `GET`.
    pub fn method(&self) -> String {
        self.0.as_str().to_owned()
    }
}

/// How an outgoing request is to be treated.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// What to do with a redirect.
    pub redirect: RequestRedirect,
    /// How to use the cache.
    pub cache: Option<CacheMode>,
    /// Whether any of Cloudflare's own options was set.
    pub has_cf_properties: bool,
}

impl Request {
    /// A request without headers and body.
    ///
    /// # Errors
    /// [`Error::JsError`] when `uri` is not an absolute URL, or the method cannot be sent (`CONNECT`).
    pub fn new(uri: &str, method: Method) -> Result<Self> {
        Self::build(uri, method)
            .map_err(|_| Error::JsError("invalid URL or method for Request".to_owned()))
    }

    /// A request with these options. The headers are copied.
    ///
    /// # Errors
    /// [`Error::JsError`] when `uri` is not an absolute URL, the method cannot be sent (`CONNECT`),
    /// a `GET` or `HEAD` has a body, or the redirect mode is `error`, which the platform refuses.
    pub fn new_with_init(uri: &str, init: &RequestInit) -> Result<Self> {
        Self::build_with_init(uri, init)
            .map_err(|_| Error::JsError("invalid URL or options for Request".to_owned()))
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// [`Error::BodyUsed`] when it was read before, [`Error::JsError`] when it is not JSON,
    /// [`Error::UnknownJsError`] when it has another shape than `B`.
    pub async fn json<B: DeserializeOwned>(&mut self) -> Result<B> {
        let unreadable = "failed to get JSON for body value";
        let text = self.consume(unreadable).map(text_of)?;
        let value = JSON::parse(&text).map_err(|_| Error::JsError(unreadable.to_owned()))?;
        Ok(serde_wasm_bindgen::from_value(value)?)
    }

    /// The body as text. Bytes that are not UTF-8 become U+FFFD.
    ///
    /// # Errors
    /// [`Error::BodyUsed`] when it was read before.
    pub async fn text(&mut self) -> Result<String> {
        self.consume("failed to get text for body value")
            .map(text_of)
    }

    /// The body.
    ///
    /// # Errors
    /// [`Error::BodyUsed`] when it was read before.
    pub async fn bytes(&mut self) -> Result<Vec<u8>> {
        self.consume("failed to read array buffer from request")
            .map(Vec::from)
    }

    /// The body as a form.
    ///
    /// # Errors
    /// [`Error::BodyUsed`] when it was read before, [`Error::JsError`] when the content type is not
    /// that of a form. A `multipart/form-data` body is an error that says so: it is not simulated.
    pub async fn form_data(&mut self) -> Result<FormData> {
        let unreadable = "failed to get form data from request";
        let body = self.consume(unreadable)?;
        let content_type = self.headers.get(CONTENT_TYPE.as_str())?;
        FormData::parse(content_type.as_deref(), &body)?
            .ok_or_else(|| Error::JsError(unreadable.to_owned()))
    }

    /// The body in pieces.
    ///
    /// # Errors
    /// [`Error::BodyUsed`] when it was read before, [`Error::RustError`] when there is none.
    pub fn stream(&mut self) -> Result<ByteStream> {
        if self.body_used {
            return Err(Error::BodyUsed);
        }
        if self.body.is_none() {
            self.body_used = true;
            return Err("no body for request".into());
        }
        self.consume("failed to read stream from request")
            .map(|body| ReadableStream::from_bytes(body).into())
    }

    /// The headers.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The headers, to change them.
    ///
    /// # Errors
    /// [`Error::JsError`] on a request the Worker received; [`Request::clone_mut`] makes one that
    /// can be changed.
    pub fn headers_mut(&mut self) -> Result<&mut Headers> {
        self.check_mutable("headers object")?;
        Ok(&mut self.headers)
    }

    /// What the platform knows of the client; `None` on a request the Worker made.
    pub fn cf(&self) -> Option<&Cf> {
        self.cf.as_ref()
    }

    /// The method.
    pub fn method(&self) -> Method {
        self.method.clone()
    }

    /// The runtime's own request.
    pub fn inner(&self) -> &Inner {
        &self.inner
    }

    /// The path of the URL.
    pub fn path(&self) -> String {
        self.path_str().to_owned()
    }

    /// The path as [`Request::path`] answers it, to change it. As upstream, the URL the request is
    /// sent to stays as it is.
    ///
    /// # Errors
    /// [`Error::JsError`] on a request the Worker received.
    pub fn path_mut(&mut self) -> Result<&mut String> {
        self.check_mutable("path")?;
        Ok(self.path.get_or_insert_with(|| self.url.path().to_owned()))
    }

    /// The URL.
    ///
    /// # Errors
    /// Never; the type is upstream's.
    pub fn url(&self) -> Result<Url> {
        Ok(self.url.clone())
    }

    /// The query of the URL as a `Q`.
    ///
    /// # Errors
    /// [`Error::RustError`] when the query has another shape.
    pub fn query<Q: DeserializeOwned>(&self) -> Result<Q> {
        let pairs = serde_urlencoded::Deserializer::new(self.url.query_pairs());
        Ok(Q::deserialize(pairs)?)
    }

    /// A second request with the same body, as immutable as a received one.
    ///
    /// # Errors
    /// `TypeError` when the body was read before.
    #[allow(clippy::should_implement_trait, reason = "upstream's name")]
    pub fn clone(&self) -> Result<Self> {
        if self.body.is_some() && self.is_disturbed() {
            // workerd api/streams/readable.c++, tee(), 2026-08-22; the text ends in a comma there.
            return Err(js::type_error(
                "This ReadableStream is currently locked to a reader,",
            ));
        }
        Ok(self.copy(self.headers.clone_guarded(), true))
    }

    /// A request that can be changed. It takes the body: reading it from this one fails from now on.
    ///
    /// # Errors
    /// `TypeError` when the body was read before.
    pub fn clone_mut(&self) -> Result<Self> {
        if self.body.is_some() && self.disturbed.swap(true, Ordering::Relaxed) {
            return Err(used_body());
        }
        Ok(self.copy(self.headers.clone(), false))
    }

    /// A request that reached the Worker.
    #[doc(hidden)]
    pub fn from_parts(
        method: http::Method,
        url: Url,
        headers: HeaderMap,
        body: Bytes,
        cf: Option<Cf>,
    ) -> Self {
        Self {
            method: Method::from_wire(&method),
            inner: Inner(method),
            url,
            path: None,
            headers: Headers::immutable(headers),
            cf,
            body: (!body.is_empty()).then_some(body),
            body_used: false,
            disturbed: AtomicBool::new(false),
            immutable: true,
            options: Options::default(),
        }
    }

    /// The request as it leaves the Worker; it takes the body.
    ///
    /// # Errors
    /// `TypeError` when the body was read before.
    #[doc(hidden)]
    pub fn into_parts(self) -> Result<(http::Method, Url, HeaderMap, Bytes)> {
        let body = self.take_body()?;
        Ok((self.inner.0, self.url, self.headers.into_map(), body))
    }

    /// The request as it leaves the Worker; this handle keeps everything but the body.
    ///
    /// # Errors
    /// `TypeError` when the body was read before.
    #[doc(hidden)]
    pub fn to_raw(&self) -> Result<RawRequest> {
        Ok(RawRequest {
            method: self.inner.0.clone(),
            url: self.url.clone(),
            headers: self.headers.to_map(),
            body: self.take_body()?,
            cf: self.cf.as_ref().map(Cf::shared),
        })
    }

    /// How it is to be sent.
    #[doc(hidden)]
    pub fn options(&self) -> Options {
        self.options
    }

    /// The path without a copy.
    pub(crate) fn path_str(&self) -> &str {
        self.path.as_deref().unwrap_or_else(|| self.url.path())
    }

    fn build(uri: &str, method: Method) -> Result<Self> {
        if method == Method::Connect {
            return Err(js::type_error("Invalid HTTP method string: CONNECT"));
        }
        let url = Url::parse(uri).map_err(|_| js::type_error(&format!("Invalid URL: {uri}")))?;
        Ok(Self {
            inner: Inner(method.to_wire()),
            method,
            url,
            path: None,
            headers: Headers::new(),
            cf: None,
            body: None,
            body_used: false,
            disturbed: AtomicBool::new(false),
            immutable: false,
            options: Options::default(),
        })
    }

    fn build_with_init(uri: &str, init: &RequestInit) -> Result<Self> {
        let mut request = Self::build(uri, init.method.clone())?;
        request.headers = init.headers.clone();
        let (body, content_type) = match init.body.as_ref().map_or(Body::Null, Body::from_value) {
            Body::Null => (None, None),
            Body::Bytes(bytes) => (Some(bytes), None),
            Body::Text(bytes) => (Some(bytes), Some("text/plain;charset=UTF-8")),
        };
        if body.is_some() && matches!(init.method, Method::Get | Method::Head) {
            return Err(js::type_error(
                "Request with a GET or HEAD method cannot have a body.",
            ));
        }
        if let Some(content_type) = content_type
            && !request.headers.has(CONTENT_TYPE.as_str())?
        {
            request.headers.set_static(CONTENT_TYPE, content_type)?;
        }
        if matches!(init.redirect, RequestRedirect::Error) {
            return Err(js::type_error("Invalid redirect value"));
        }
        request.body = body;
        request.options = Options {
            redirect: init.redirect,
            cache: init.cache,
            has_cf_properties: !init.cf.is_default(),
        };
        Ok(request)
    }

    fn copy(&self, headers: Headers, immutable: bool) -> Self {
        Self {
            method: self.method.clone(),
            inner: self.inner.clone(),
            url: self.url.clone(),
            path: None,
            headers,
            cf: self.cf.clone(),
            body: self.body.clone(),
            body_used: false,
            disturbed: AtomicBool::new(false),
            immutable,
            options: self.options,
        }
    }

    fn is_disturbed(&self) -> bool {
        self.disturbed.load(Ordering::Relaxed)
    }

    fn check_mutable(&self, what: &str) -> Result<()> {
        if self.immutable {
            return Err(Error::JsError(format!(
                "Cannot get a mutable reference to an immutable {what}."
            )));
        }
        Ok(())
    }

    /// Reads the body through this handle. `unreadable` is what workers-rs says when the platform throws.
    fn consume(&mut self, unreadable: &str) -> Result<Bytes> {
        if std::mem::replace(&mut self.body_used, true) {
            return Err(Error::BodyUsed);
        }
        match &mut self.body {
            None => Ok(Bytes::new()),
            Some(body) if !self.disturbed.swap(true, Ordering::Relaxed) => Ok(std::mem::take(body)),
            // The platform throws "Body has already been used. It can only be used once. Use tee() first if you need to read it
            // twice."; workers-rs does not pass that on.
            Some(_) => Err(Error::JsError(unreadable.to_owned())),
        }
    }

    /// Moves the body out of the request.
    fn take_body(&self) -> Result<Bytes> {
        let Some(body) = &self.body else {
            return Ok(Bytes::new());
        };
        if self.disturbed.swap(true, Ordering::Relaxed) {
            return Err(used_body());
        }
        Ok(body.clone())
    }
}

/// workerd api/http.c++, 2026-08-22.
fn used_body() -> Error {
    js::type_error("Cannot reconstruct a Request with a used body.")
}

/// A body as text, as the platform decodes it: U+FFFD for what is not UTF-8, no byte order mark
/// (workerd, compatibility flag `strip_bom_in_read_all_text`, on from 2026-01-13).
fn text_of(body: Bytes) -> String {
    let text = match String::from_utf8(body.into()) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    };
    match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    }
}

impl From<RawRequest> for Request {
    fn from(raw: RawRequest) -> Self {
        Self::from_parts(
            raw.method,
            raw.url,
            raw.headers,
            raw.body,
            raw.cf.map(Cf::from),
        )
    }
}

/// What a `fetch` handler may take.
pub trait FromRequest: Sized {
    /// Makes it from the request that reached the Worker.
    ///
    /// # Errors
    /// When it cannot.
    fn from_raw(
        request: RawRequest,
    ) -> std::result::Result<Self, impl Into<Box<dyn std::error::Error>>>;
}

impl FromRequest for Request {
    fn from_raw(
        request: RawRequest,
    ) -> std::result::Result<Self, impl Into<Box<dyn std::error::Error>>> {
        Ok::<_, Error>(request.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{FutureExt, TryStreamExt};
    use serde::Deserialize;

    fn received(body: &str) -> Request {
        let url = Url::parse("https://a.example/p/q?b=1&c=x%20y#f").unwrap();
        let headers = [(
            CONTENT_TYPE,
            http::HeaderValue::from_static("application/json"),
        )]
        .into_iter()
        .collect();
        Request::from_parts(
            http::Method::POST,
            url,
            headers,
            body.to_owned().into(),
            None,
        )
    }

    fn now<T>(future: impl Future<Output = T>) -> T {
        future.now_or_never().unwrap()
    }

    #[test]
    fn a_request_is_for_every_thread() {
        fn check<T: Send + Sync>() {}
        check::<Request>();
    }

    #[test]
    fn the_parts_of_the_url_can_be_asked_for() {
        #[derive(Deserialize)]
        struct Query {
            b: u8,
            c: String,
        }
        let request = received("");
        assert_eq!(request.path(), "/p/q");
        assert_eq!(
            request.url().unwrap().as_str(),
            "https://a.example/p/q?b=1&c=x%20y#f"
        );
        let query: Query = request.query().unwrap();
        assert_eq!((query.b, query.c.as_str()), (1, "x y"));
        assert_eq!(
            request.query::<Vec<(u8, u8)>>().unwrap_err().to_string(),
            "invalid digit found in string"
        );
        assert!(request.cf().is_none());
    }

    #[test]
    fn a_body_is_read_once() {
        let mut request = received("text");
        assert_eq!(now(request.text()).unwrap(), "text");
        assert!(matches!(now(request.text()), Err(Error::BodyUsed)));
        assert!(matches!(now(request.bytes()), Err(Error::BodyUsed)));
        assert!(matches!(request.stream(), Err(Error::BodyUsed)));
        assert_eq!(
            request.clone().unwrap_err().to_string(),
            "TypeError: This ReadableStream is currently locked to a reader,"
        );
        assert_eq!(
            request.to_raw().unwrap_err().to_string(),
            "TypeError: Cannot reconstruct a Request with a used body."
        );
    }

    #[test]
    fn a_clone_has_its_own_body_and_clone_mut_takes_it() {
        let mut request = received("text");
        let mut clone = request.clone().unwrap();
        assert_eq!(now(clone.text()).unwrap(), "text");
        assert!(clone.headers_mut().is_err());
        let mut changed = request.clone_mut().unwrap();
        changed.headers_mut().unwrap().set("a", "b").unwrap();
        changed.path_mut().unwrap().push_str("/r");
        assert_eq!(changed.path(), "/p/q/r");
        assert_eq!(now(changed.text()).unwrap(), "text");
        assert_eq!(
            now(request.text()).unwrap_err().to_string(),
            "failed to get text for body value"
        );
        assert!(!request.headers().has("a").unwrap());
    }

    #[test]
    fn a_received_request_cannot_be_changed() {
        let mut request = received("");
        assert_eq!(
            request.headers_mut().unwrap_err().to_string(),
            "Cannot get a mutable reference to an immutable headers object."
        );
        assert_eq!(
            request.path_mut().unwrap_err().to_string(),
            "Cannot get a mutable reference to an immutable path."
        );
        assert_eq!(
            request.headers().set("a", "b").unwrap_err().to_string(),
            "TypeError: Can't modify immutable headers."
        );
    }

    #[test]
    fn json_follows_javascript_and_not_serde_json() {
        #[derive(Deserialize, Debug, PartialEq)]
        struct Row {
            n: u64,
        }
        assert_eq!(
            now(received(r#"{"n":1.0}"#).json::<Row>()).unwrap(),
            Row { n: 1 }
        );
        assert_eq!(
            now(received(r#"{"n":1,"n":2}"#).json::<Row>()).unwrap(),
            Row { n: 2 }
        );
        assert_eq!(
            now(received("\u{feff}{\"n\":3}").json::<Row>()).unwrap(),
            Row { n: 3 }
        );
        assert_eq!(
            now(received("9007199254740993").json::<f64>()).unwrap(),
            9007199254740992.0
        );
        for wrong in [
            r#"{"n":9007199254740993}"#,
            r#"{"n":-1}"#,
            r#"{"n":"1"}"#,
            "[1]",
            "{}",
        ] {
            let error = now(received(wrong).json::<Row>()).unwrap_err();
            assert!(
                matches!(error, Error::UnknownJsError { .. }),
                "{wrong}: {error:?}"
            );
        }
        for broken in ["", "{", "{\"n\":1}x", "NaN"] {
            let error = now(received(broken).json::<Row>()).unwrap_err();
            assert_eq!(
                error.to_string(),
                "failed to get JSON for body value",
                "{broken}"
            );
        }
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_replaced() {
        let url = Url::parse("https://a.example/").unwrap();
        let body = Bytes::from_static(b"a\xffb");
        let mut request =
            Request::from_parts(http::Method::POST, url, HeaderMap::new(), body, None);
        assert_eq!(now(request.text()).unwrap(), "a\u{fffd}b");
    }

    #[test]
    fn a_stream_gives_the_whole_body_and_an_empty_one_is_none() {
        let stream = received("text").stream().unwrap();
        assert_eq!(now(stream.try_concat()).unwrap(), b"text");
        assert_eq!(
            received("").stream().unwrap_err().to_string(),
            "no body for request"
        );
    }

    #[test]
    fn options_that_the_platform_refuses_are_refused() {
        let init = |method, redirect, body: Option<&str>| {
            let mut init = RequestInit::new();
            init.with_method(method)
                .with_redirect(redirect)
                .with_body(body.map(Into::into));
            Request::new_with_init("https://a.example/", &init)
                .map(drop)
                .map_err(|error| error.to_string())
        };
        let refused = Err("invalid URL or options for Request".to_owned());
        let (follow, refusing) = (RequestRedirect::Follow, RequestRedirect::Error);
        assert_eq!(init(Method::Get, follow, Some("x")), refused);
        assert_eq!(init(Method::Head, follow, Some("x")), refused);
        assert_eq!(init(Method::Post, refusing, None), refused);
        assert_eq!(init(Method::Connect, follow, None), refused);
        assert_eq!(init(Method::Post, follow, Some("x")), Ok(()));
        assert_eq!(
            Request::new("/relative", Method::Get)
                .unwrap_err()
                .to_string(),
            "invalid URL or method for Request"
        );
    }

    #[test]
    fn a_body_given_as_text_says_so_unless_the_headers_do() {
        let sent = |body: crate::wasm_bindgen::JsValue, headers: Headers| {
            let mut init = RequestInit::new();
            init.with_method(Method::Post)
                .with_body(Some(body))
                .with_headers(headers);
            let request = Request::new_with_init("https://a.example/", &init).unwrap();
            let content_type = request.headers().get("content-type").unwrap();
            let (.., body) = request.into_parts().unwrap();
            (content_type, body)
        };
        let own: Headers = [("content-type", "application/json")].into_iter().collect();
        let bytes = crate::js_sys::Uint8Array::from([1_u8, 2].as_slice());
        assert_eq!(
            sent("{}".into(), Headers::new()),
            (Some("text/plain;charset=UTF-8".into()), "{}".into())
        );
        assert_eq!(
            sent("{}".into(), own),
            (Some("application/json".into()), "{}".into())
        );
        assert_eq!(
            sent(bytes.into(), Headers::new()),
            (None, Bytes::from_static(&[1, 2]))
        );
        assert_eq!(sent(7.into(), Headers::new()).1, "7");
    }

    #[test]
    fn an_unknown_method_is_a_get_that_is_passed_on_as_it_came() {
        let method = http::Method::from_bytes(b"PROPFIND").unwrap();
        let url = Url::parse("https://a.example/").unwrap();
        let request =
            Request::from_parts(method.clone(), url, HeaderMap::new(), Bytes::new(), None);
        assert_eq!(request.method(), Method::Get);
        assert_eq!(request.to_raw().unwrap().method, method);
    }
}

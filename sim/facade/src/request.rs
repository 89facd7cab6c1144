//! [`Request`]: what a Worker receives, and what it sends.
//!
//! Two states are kept apart, as upstream keeps them. This handle remembers whether *it* read the body
//! ([`Error::BodyUsed`]). The request remembers whether the body was read at all, because
//! [`Request::clone_mut`] passes the body on to a copy. Errors of the platform reach a Worker in the
//! words of workers-rs, which hides most of them behind a fixed text. Reading the body is in
//! `request/body.rs`, the way into and out of the Worker in `request/crossing.rs`.
//!
//! JSON is decoded through JavaScript values and not straight from the text: an integer above 2⁵³
//! loses digits, a repeated key keeps its last value, an array is no struct, and a type that asks
//! for `u128` fails, all as in production. A shortcut past that model cannot be proven equal for
//! every `Deserialize`, so there is none.
//!
//! Absent: the conversions from and to `web_sys`. [`Request::inner`] gives the method alone. An empty body
//! counts as no body. The URL comes parsed, so that routing does not parse it again.

mod body;
mod crossing;

pub use crossing::{FromRequest, RawRequest};

use crate::cf::Cf;
use crate::error::Error;
use crate::js::{self, Body};
use crate::streams::ReadableStream;
use crate::{AbortSignal, CacheMode, Headers, Method, RequestInit, RequestRedirect, Result};
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;
use url::Url;

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
    /// `None` stands for no body at all. It knows itself whether it was read, or moved to another request.
    body: Option<ReadableStream>,
    /// Whether this handle read the body.
    body_used: bool,
    /// Whether the body came as a stream, as that of a received request does, and not from a buffer of the Worker's.
    one_time_body: bool,
    immutable: bool,
    options: Options,
    /// What calls its sending off, if it was made with a signal.
    signal: Option<AbortSignal>,
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
        let body = match &self.body {
            None => None,
            // workerd api/streams/readable.c++, tee(), 2026-08-22; the text ends in a comma there.
            Some(body) => Some(body.tee().ok_or_else(|| {
                js::type_error("This ReadableStream is currently locked to a reader,")
            })?),
        };
        Ok(self.copy(self.headers.clone_guarded(), body, true))
    }

    /// A request that can be changed. It takes the body: reading it from this one fails from now on.
    ///
    /// # Errors
    /// `TypeError` when the body was read before.
    pub fn clone_mut(&self) -> Result<Self> {
        let body = match &self.body {
            None => None,
            Some(body) => Some(body.moved().ok_or_else(used_body)?),
        };
        Ok(self.copy(self.headers.clone(), body, false))
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
            one_time_body: false,
            immutable: false,
            options: Options::default(),
            signal: None,
        })
    }

    fn build_with_init(uri: &str, init: &RequestInit) -> Result<Self> {
        let mut request = Self::build(uri, init.method.clone())?;
        request.headers = init.headers.clone();
        let (body, content_type) = match init.body.as_ref().map_or(Body::Null, Body::from_value) {
            Body::Null => (None, None),
            Body::Bytes(bytes) => (Some(bytes), None),
            Body::Text(bytes) => {
                let text = const { HeaderValue::from_static("text/plain;charset=UTF-8") };
                (Some(bytes), Some(text))
            }
        };
        if body.is_some() && matches!(init.method, Method::Get | Method::Head) {
            return Err(body_not_allowed());
        }
        if let Some(content_type) = content_type
            && !request.headers.has(CONTENT_TYPE.as_str())?
        {
            request.headers.set_value(CONTENT_TYPE, content_type)?;
        }
        if matches!(init.redirect, RequestRedirect::Error) {
            return Err(js::type_error("Invalid redirect value"));
        }
        request.body = body.map(ReadableStream::from_bytes);
        request.options = Options {
            redirect: init.redirect,
            cache: init.cache,
            has_cf_properties: !init.cf.is_default(),
        };
        Ok(request)
    }

    fn copy(&self, headers: Headers, body: Option<ReadableStream>, immutable: bool) -> Self {
        Self {
            method: self.method.clone(),
            inner: self.inner.clone(),
            url: self.url.clone(),
            path: None,
            headers,
            cf: self.cf.clone(),
            body,
            body_used: false,
            one_time_body: self.one_time_body,
            immutable,
            options: self.options,
            signal: self.signal.clone(),
        }
    }

    fn check_mutable(&self, what: &str) -> Result<()> {
        if self.immutable {
            return Err(Error::JsError(format!(
                "Cannot get a mutable reference to an immutable {what}."
            )));
        }
        Ok(())
    }
}

fn body_not_allowed() -> Error {
    js::type_error("Request with a GET or HEAD method cannot have a body.")
}

/// workerd api/http.c++, 2026-08-22.
fn used_body() -> Error {
    js::type_error("Cannot reconstruct a Request with a used body.")
}

#[cfg(test)]
mod tests;

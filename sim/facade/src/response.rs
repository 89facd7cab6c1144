//! [`Response`]: what a Worker answers, and what it is answered.
//!
//! A response the Worker makes holds its bytes; one it receives holds a stream that can be read
//! once and headers that cannot be changed, as in production: to add a header, clone them or build
//! anew. What JavaScript checks when the response is handed to the platform (the status, a body
//! where none may be) is checked by [`Response::into_parts_native`], with the platform's errors;
//! upstream panics there.
//!
//! Absent: WebSockets and the conversions from and to `web_sys`.

use crate::cors::Cors;
use crate::error::Error;
use crate::js_sys::Object;
use crate::streams::ReadableStream;
use crate::wasm_bindgen::{JsCast, JsValue};
use crate::{ByteStream, Headers, Result, js};
use bytes::Bytes;
use futures_util::{TryStream, TryStreamExt};
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderValue};
use serde::Serialize;
use serde::de::DeserializeOwned;
use worker_native_js::serde_wasm_bindgen;

/// A response as it crosses the border of the Worker.
pub(crate) type RawResponse = Response;

/// The body of a response.
#[derive(Debug, Clone)]
pub enum ResponseBody {
    /// None.
    Empty,
    /// Bytes.
    Body(Vec<u8>),
    /// A stream, which can be read once.
    Stream(ReadableStream),
}

/// Whether the platform compresses a body on its way out.
#[non_exhaustive]
#[derive(Default, Debug, Clone, Copy)]
pub enum EncodeBody {
    /// As the `Content-Encoding` header says.
    #[default]
    Automatic,
    /// The body is compressed already.
    Manual,
}

/// An HTTP response.
#[derive(Debug)]
pub struct Response {
    body: ResponseBody,
    init: ResponseBuilder,
}

impl Response {
    /// A builder.
    pub fn builder() -> ResponseBuilder {
        ResponseBuilder::new()
    }

    /// JSON, with `Content-Type: application/json`.
    ///
    /// # Errors
    /// [`Error::Json`] when `value` cannot be written as JSON.
    pub fn from_json<B: Serialize>(value: &B) -> Result<Self> {
        ResponseBuilder::new().from_json(value)
    }

    /// HTML, with `Content-Type: text/html; charset=utf-8`.
    ///
    /// # Errors
    /// Never; the type is upstream's.
    pub fn from_html(html: impl AsRef<str>) -> Result<Self> {
        ResponseBuilder::new().from_html(html)
    }

    /// Bytes, with `Content-Type: application/octet-stream`.
    ///
    /// # Errors
    /// Never; the type is upstream's.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self> {
        ResponseBuilder::new().from_bytes(bytes)
    }

    /// A body without headers.
    ///
    /// # Errors
    /// Never; the type is upstream's.
    pub fn from_body(body: ResponseBody) -> Result<Self> {
        Ok(ResponseBuilder::new().body(body))
    }

    /// A stream without headers, polled when the response leaves the Worker.
    ///
    /// # Errors
    /// Never; the type is upstream's.
    pub fn from_stream<S>(stream: S) -> Result<Self>
    where
        S: TryStream + 'static,
        S::Ok: Into<Vec<u8>>,
        S::Error: Into<Error>,
    {
        ResponseBuilder::new().from_stream(stream)
    }

    /// Text, with `Content-Type: text/plain; charset=utf-8`.
    ///
    /// # Errors
    /// Never; the type is upstream's.
    pub fn ok(body: impl Into<String>) -> Result<Self> {
        ResponseBuilder::new().ok(body)
    }

    /// Nothing, with status 200.
    ///
    /// # Errors
    /// Never; the type is upstream's.
    pub fn empty() -> Result<Self> {
        Ok(ResponseBuilder::new().empty())
    }

    /// Text without a content type, with a status of 400 to 599.
    ///
    /// # Errors
    /// [`Error::Internal`] for any other status.
    pub fn error(msg: impl Into<String>, status: u16) -> Result<Self> {
        ResponseBuilder::new().error(msg, status)
    }

    /// A redirect with status 302. Its headers cannot be changed.
    ///
    /// # Errors
    /// Never; the type is upstream's.
    pub fn redirect(url: url::Url) -> Result<Self> {
        Self::redirect_with_status(url, 302)
    }

    /// A redirect. Its headers cannot be changed.
    ///
    /// # Errors
    /// [`Error::Internal`] when the status is not one of 300 to 399; `RangeError` when it is one of
    /// those but no redirect.
    pub fn redirect_with_status(url: url::Url, status_code: u16) -> Result<Self> {
        if !(300..=399).contains(&status_code) {
            return Err(Error::Internal(REDIRECT_STATUS.into()));
        }
        if ![301, 302, 303, 307, 308].contains(&status_code) {
            // workerd api/http.c++, 2026-08-22.
            return Err(js::range_error(&format!(
                "{status_code} is not a redirect status code. It must be one of: 301, 302, 303, 307, or 308."
            )));
        }
        let location =
            HeaderValue::from_str(url.as_str()).expect("a serialized URL is visible ASCII");
        let headers = Headers::immutable([(LOCATION, location)].into_iter().collect());
        Ok(ResponseBuilder::new()
            .with_headers(headers)
            .with_status(status_code)
            .empty())
    }

    /// The status.
    pub fn status_code(&self) -> u16 {
        self.init.status_code
    }

    /// The body.
    pub fn body(&self) -> &ResponseBody {
        &self.body
    }

    /// The body as text. A received one can be read once; then it is empty.
    ///
    /// # Errors
    /// [`Error::RustError`] when it is not UTF-8.
    pub async fn text(&mut self) -> Result<String> {
        String::from_utf8(self.bytes().await?).map_err(|error| Error::RustError(error.to_string()))
    }

    /// The body as JSON, read by `serde_json` as upstream does.
    ///
    /// # Errors
    /// [`Error::RustError`] when it is not UTF-8, [`Error::SerdeJsonError`] when it is not JSON of
    /// that shape.
    pub async fn json<B: DeserializeOwned>(&mut self) -> Result<B> {
        Ok(serde_json::from_str(&self.text().await?)?)
    }

    /// The body. A received one can be read once; then it is empty.
    ///
    /// # Errors
    /// The error of a stream of the Worker's own.
    pub async fn bytes(&mut self) -> Result<Vec<u8>> {
        match &self.body {
            ResponseBody::Empty => Ok(Vec::new()),
            ResponseBody::Body(bytes) => Ok(bytes.clone()),
            ResponseBody::Stream(stream) => {
                let mut pieces = ByteStream::from(stream.clone());
                let mut whole = Vec::new();
                while let Some(mut piece) = pieces.try_next().await? {
                    whole.append(&mut piece);
                }
                Ok(whole)
            }
        }
    }

    /// The body in pieces.
    ///
    /// # Errors
    /// [`Error::RustError`] when the body is not a stream.
    pub fn stream(&mut self) -> Result<ByteStream> {
        match &self.body {
            ResponseBody::Stream(stream) => Ok(stream.clone().into()),
            _ => Err("body is not streamable".into()),
        }
    }

    /// Replaces the headers.
    pub fn with_headers(mut self, headers: Headers) -> Self {
        self.init = self.init.with_headers(headers);
        self
    }

    /// Replaces the status. Outside 200 to 599 the response fails when it leaves the Worker.
    pub fn with_status(mut self, status_code: u16) -> Self {
        self.init = self.init.with_status(status_code);
        self
    }

    /// Adds CORS headers.
    ///
    /// # Errors
    /// When an item of `cors` cannot stand in a header.
    pub fn with_cors(mut self, cors: &Cors) -> Result<Self> {
        self.init = self.init.with_cors(cors)?;
        Ok(self)
    }

    /// Whether the platform compresses the body.
    pub fn encode_body(&self) -> &EncodeBody {
        &self.init.encode_body
    }

    /// Sets whether the platform compresses the body.
    pub fn with_encode_body(mut self, encode_body: EncodeBody) -> Self {
        self.init.encode_body = encode_body;
        self
    }

    /// The response's `cf` object.
    ///
    /// # Errors
    /// [`Error::SerdeWasmBindgenError`] when it has another shape than `T`.
    pub fn cf<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        let Some(cf) = &self.init.cf else {
            return Ok(None);
        };
        serde_wasm_bindgen::from_value(cf.clone().into())
            .map(Some)
            .map_err(Error::SerdeWasmBindgenError)
    }

    /// Sets the response's `cf` object, which has no effect of its own.
    ///
    /// # Errors
    /// When `cf` is not an object.
    pub fn with_cf<T: Serialize>(mut self, cf: Option<T>) -> Result<Self> {
        match cf {
            Some(cf) => self.init = self.init.with_cf(cf)?,
            None => self.init.cf = None,
        }
        Ok(self)
    }

    /// The headers.
    pub fn headers(&self) -> &Headers {
        &self.init.headers
    }

    /// The headers, to change them; those of a received response refuse every change.
    pub fn headers_mut(&mut self) -> &mut Headers {
        &mut self.init.headers
    }

    /// Takes the response apart.
    pub fn into_parts(self) -> (ResponseBuilder, ResponseBody) {
        (self.init, self.body)
    }

    /// A second response with the same body; both have it as a stream from now on.
    ///
    /// # Errors
    /// As [`Response::into_parts_native`]; and when the body is a stream made by the Worker, which
    /// is not simulated.
    pub fn cloned(&mut self) -> Result<Self> {
        check_status(self.init.status_code, &self.body)?;
        let bytes = match &self.body {
            ResponseBody::Empty => None,
            ResponseBody::Body(bytes) => Some(Bytes::copy_from_slice(bytes)),
            ResponseBody::Stream(stream) => Some(stream.peek()?),
        };
        let stream = || {
            bytes.clone().map_or(ResponseBody::Empty, |bytes| {
                ResponseBody::Stream(ReadableStream::from_bytes(bytes))
            })
        };
        self.body = stream();
        Ok(Self {
            body: stream(),
            init: self.init.clone(),
        })
    }

    /// The response as it leaves the Worker. Ready at once unless the body is a stream the Worker makes.
    ///
    /// # Errors
    /// `RangeError` when the status is not one of 200 to 599, `TypeError` when the status allows no body and there is one or when
    /// the body is a stream that was read, and the error of a stream the Worker makes.
    #[doc(hidden)]
    pub async fn into_parts_native(self) -> Result<(u16, HeaderMap, Bytes)> {
        check_status(self.init.status_code, &self.body)?;
        let body = match self.body {
            ResponseBody::Empty => Bytes::new(),
            ResponseBody::Body(bytes) => bytes.into(),
            ResponseBody::Stream(stream) => stream.collect().await?,
        };
        Ok((self.init.status_code, self.init.headers.into_map(), body))
    }

    /// A response the Worker receives: its headers cannot be changed and its body is a stream.
    #[doc(hidden)]
    pub fn from_parts_native(status: u16, headers: HeaderMap, body: Bytes) -> Self {
        let body = if is_null_body_status(status) {
            ResponseBody::Empty
        } else {
            ResponseBody::Stream(ReadableStream::from_bytes(body))
        };
        let init = ResponseBuilder {
            status_code: status,
            headers: Headers::immutable(headers),
            ..ResponseBuilder::new()
        };
        Self { body, init }
    }
}

const ERROR_STATUS: &str = "error status codes must be in the 400-599 range! see https://developer.mozilla.org/en-US/docs/Web/HTTP/Status for more";
const REDIRECT_STATUS: &str = "redirect status codes must be in the 300-399 range! Please checkout https://developer.mozilla.org/en-US/docs/Web/HTTP/Status#redirection_messages for more";

/// Statuses that have no body (Fetch standard, "null body status").
fn is_null_body_status(status: u16) -> bool {
    matches!(status, 101 | 204 | 205 | 304)
}

/// What `new Response(body, {status})` checks (workerd api/http.c++, 2026-08-22).
fn check_status(status: u16, body: &ResponseBody) -> Result<()> {
    if !(200..=599).contains(&status) {
        return Err(js::range_error(
            "Responses may only be constructed with status codes in the range 200 to 599, inclusive.",
        ));
    }
    // An empty buffer passes for none, a stream never does.
    let has_body = match body {
        ResponseBody::Empty => false,
        ResponseBody::Body(bytes) => !bytes.is_empty(),
        ResponseBody::Stream(_) => true,
    };
    if has_body && is_null_body_status(status) {
        return Err(js::type_error(
            "Response with null body status (101, 204, 205, or 304) cannot have a body.",
        ));
    }
    Ok(())
}

/// Status, headers and options of a response to be.
#[derive(Debug, Clone)]
pub struct ResponseBuilder {
    status_code: u16,
    headers: Headers,
    encode_body: EncodeBody,
    cf: Option<Object>,
}

impl ResponseBuilder {
    /// Status 200, no headers.
    #[allow(clippy::new_without_default, reason = "upstream has no Default either")]
    pub fn new() -> Self {
        Self {
            status_code: 200,
            headers: Headers::new(),
            encode_body: EncodeBody::default(),
            cf: None,
        }
    }

    /// Sets the status. Outside 200 to 599 the response fails when it leaves the Worker.
    pub fn with_status(mut self, status: u16) -> Self {
        self.status_code = status;
        self
    }

    /// Replaces the headers.
    pub fn with_headers(mut self, headers: Headers) -> Self {
        self.headers = headers;
        self
    }

    /// Sets one header.
    ///
    /// # Errors
    /// When name or value cannot stand in a header, or the headers are immutable.
    pub fn with_header(self, key: &str, value: &str) -> Result<Self> {
        self.headers.set(key, value)?;
        Ok(self)
    }

    /// Adds CORS headers.
    ///
    /// # Errors
    /// When an item of `cors` cannot stand in a header.
    pub fn with_cors(self, cors: &Cors) -> Result<Self> {
        let mut headers = self.headers.clone();
        cors.apply_headers(&mut headers)?;
        Ok(self.with_headers(headers))
    }

    /// Sets whether the platform compresses the body.
    pub fn with_encode_body(mut self, encode_body: EncodeBody) -> Self {
        self.encode_body = encode_body;
        self
    }

    /// Sets the response's `cf` object, which has no effect of its own.
    ///
    /// # Errors
    /// When `cf` is not an object.
    pub fn with_cf<T: Serialize>(mut self, cf: T) -> Result<Self> {
        let value = serde_wasm_bindgen::to_value(&cf)?;
        if !value.is_object() {
            return Err("cf must be an object".into());
        }
        self.cf = Some(value.unchecked_into());
        Ok(self)
    }

    /// A response with these bytes and no content type.
    pub fn fixed(self, body: Vec<u8>) -> Response {
        self.body(ResponseBody::Body(body))
    }

    /// A response with this stream.
    pub fn stream(self, stream: ReadableStream) -> Response {
        self.body(ResponseBody::Stream(stream))
    }

    /// A response with this body.
    pub fn body(self, body: ResponseBody) -> Response {
        Response { body, init: self }
    }

    /// A response without a body.
    pub fn empty(self) -> Response {
        self.body(ResponseBody::Empty)
    }

    /// JSON, with `Content-Type: application/json`.
    ///
    /// # Errors
    /// [`Error::Json`] when `value` cannot be written as JSON; when the headers are immutable.
    pub fn from_json<B: Serialize>(self, value: &B) -> Result<Response> {
        let Ok(json) = serde_json::to_vec(value) else {
            return Err(Error::Json((
                "Failed to encode data to json".to_owned(),
                500,
            )));
        };
        self.typed("application/json", json)
    }

    /// HTML, with `Content-Type: text/html; charset=utf-8`.
    ///
    /// # Errors
    /// When the headers are immutable.
    pub fn from_html(self, html: impl AsRef<str>) -> Result<Response> {
        self.typed(
            "text/html; charset=utf-8",
            html.as_ref().as_bytes().to_vec(),
        )
    }

    /// Bytes, with `Content-Type: application/octet-stream`.
    ///
    /// # Errors
    /// When the headers are immutable.
    pub fn from_bytes(self, bytes: Vec<u8>) -> Result<Response> {
        self.typed("application/octet-stream", bytes)
    }

    /// A stream without a content type, polled when the response leaves the Worker.
    ///
    /// # Errors
    /// Never; the type is upstream's.
    pub fn from_stream<S>(self, stream: S) -> Result<Response>
    where
        S: TryStream + 'static,
        S::Ok: Into<Vec<u8>>,
        S::Error: Into<Error>,
    {
        // Upstream hands an error to JavaScript as its text.
        let pieces = stream
            .map_ok(Into::into)
            .map_err(|error| JsValue::from(error.into().to_string()));
        Ok(self.stream(ReadableStream::from_stream(pieces)))
    }

    /// Text, with `Content-Type: text/plain; charset=utf-8`.
    ///
    /// # Errors
    /// When the headers are immutable.
    pub fn ok(self, body: impl Into<String>) -> Result<Response> {
        self.typed("text/plain; charset=utf-8", body.into().into_bytes())
    }

    /// Text without a content type, with a status of 400 to 599.
    ///
    /// # Errors
    /// [`Error::Internal`] for any other status.
    pub fn error(self, msg: impl Into<String>, status: u16) -> Result<Response> {
        if !(400..=599).contains(&status) {
            return Err(Error::Internal(ERROR_STATUS.into()));
        }
        Ok(self.with_status(status).fixed(msg.into().into_bytes()))
    }

    fn typed(mut self, content_type: &'static str, body: Vec<u8>) -> Result<Response> {
        self.headers.set_static(CONTENT_TYPE, content_type)?;
        Ok(self.fixed(body))
    }
}

/// What a `fetch` handler may answer.
pub trait IntoResponse {
    /// The response that leaves the Worker.
    ///
    /// # Errors
    /// When it cannot be made.
    fn into_raw(self) -> std::result::Result<RawResponse, impl Into<Box<dyn std::error::Error>>>;
}

impl IntoResponse for Response {
    fn into_raw(self) -> std::result::Result<RawResponse, impl Into<Box<dyn std::error::Error>>> {
        Ok::<_, Error>(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{FutureExt, stream};
    use serde_json::json;

    fn now<T>(future: impl Future<Output = T>) -> T {
        future.now_or_never().unwrap()
    }

    fn sent(response: Result<Response>) -> (u16, Option<String>, Bytes) {
        let (status, headers, body) = now(response.unwrap().into_parts_native()).unwrap();
        (
            status,
            headers
                .get(CONTENT_TYPE)
                .map(|value| value.to_str().unwrap().to_owned()),
            body,
        )
    }

    fn received(body: &'static str) -> Response {
        Response::from_parts_native(200, HeaderMap::new(), Bytes::from_static(body.as_bytes()))
    }

    fn refusal(response: Response) -> String {
        now(response.into_parts_native()).unwrap_err().to_string()
    }

    #[test]
    fn each_constructor_has_its_content_type() {
        let typed = |content_type: &str, body: &'static str| {
            (
                200,
                Some(content_type.to_owned()),
                Bytes::from_static(body.as_bytes()),
            )
        };
        assert_eq!(
            sent(Response::ok("t")),
            typed("text/plain; charset=utf-8", "t")
        );
        assert_eq!(
            sent(Response::from_html("t")),
            typed("text/html; charset=utf-8", "t")
        );
        assert_eq!(
            sent(Response::from_json(&json!({"a": 1}))),
            typed("application/json", "{\"a\":1}")
        );
        assert_eq!(
            sent(Response::from_bytes(b"t".to_vec())),
            typed("application/octet-stream", "t")
        );
        assert_eq!(
            sent(Response::error("t", 404)),
            (404, None, Bytes::from_static(b"t"))
        );
        assert_eq!(sent(Response::empty()), (200, None, Bytes::new()));
        assert_eq!(
            sent(Response::from_stream(stream::iter([
                Ok::<_, Error>(b"a".to_vec()),
                Ok(b"b".to_vec())
            ])))
            .2,
            "ab"
        );
    }

    #[test]
    fn a_response_can_be_changed_before_it_is_sent() {
        let response = Response::ok("t")
            .unwrap()
            .with_status(201)
            .with_headers([("a", "b")].into_iter().collect());
        let cors = Cors::new().with_origins(["https://a.example"]);
        let (status, headers, _) =
            now(response.with_cors(&cors).unwrap().into_parts_native()).unwrap();
        assert_eq!(status, 201);
        let mut names: Vec<_> = headers.keys().map(http::HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["a", "access-control-allow-origin"]);
    }

    #[test]
    fn an_error_needs_a_status_of_an_error() {
        for status in [200, 399, 600] {
            let error = Response::error("t", status).unwrap_err().to_string();
            assert!(
                error.contains("error status codes must be in the 400-599 range!"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_status_the_platform_refuses_is_refused_when_the_response_leaves() {
        for status in [0, 101, 199, 600] {
            assert_eq!(
                refusal(Response::empty().unwrap().with_status(status)),
                "RangeError: Responses may only be constructed with status codes in the range 200 to 599, inclusive."
            );
        }
        assert_eq!(
            refusal(Response::ok("t").unwrap().with_status(204)),
            "TypeError: Response with null body status (101, 204, 205, or 304) cannot have a body."
        );
        assert_eq!(
            sent(Response::ok("").map(|response| response.with_status(204))).0,
            204
        );
    }

    #[test]
    fn a_redirect_names_its_target_and_cannot_be_changed() {
        let url = url::Url::parse("https://a.example/x").unwrap();
        let response = Response::redirect(url.clone()).unwrap();
        assert_eq!(response.status_code(), 302);
        assert_eq!(
            response.headers().get("location").unwrap().as_deref(),
            Some("https://a.example/x")
        );
        assert!(response.headers().set("a", "b").is_err());
        assert!(Response::redirect_with_status(url.clone(), 200).is_err());
        assert_eq!(
            Response::redirect_with_status(url, 304)
                .unwrap_err()
                .to_string(),
            "RangeError: 304 is not a redirect status code. It must be one of: 301, 302, 303, 307, or 308."
        );
    }

    #[test]
    fn a_received_body_is_read_once_and_its_headers_cannot_be_changed() {
        let mut response = received("{\"a\":1}");
        assert_eq!(
            now(response.json::<serde_json::Value>()).unwrap(),
            json!({"a": 1})
        );
        assert_eq!(now(response.text()).unwrap(), "");
        assert!(response.headers_mut().set("a", "b").is_err());
        assert!(refusal(response).starts_with("TypeError: This ReadableStream is disturbed"));
    }

    #[test]
    fn a_body_of_the_workers_own_can_be_read_again_but_not_as_a_stream() {
        let mut response = Response::ok("t").unwrap();
        for _ in 0..2 {
            assert_eq!(now(response.text()).unwrap(), "t");
        }
        assert_eq!(
            response.stream().unwrap_err().to_string(),
            "body is not streamable"
        );
        assert!(now(Response::from_bytes(vec![0xff]).unwrap().text()).is_err());
    }

    #[test]
    fn a_clone_has_a_body_of_its_own() {
        let mut response = received("t");
        let mut clone = response.cloned().unwrap();
        assert_eq!(now(clone.text()).unwrap(), "t");
        assert_eq!(now(response.text()).unwrap(), "t");
        clone.headers_mut().set("a", "b").unwrap();
        assert!(response.cloned().is_err());
    }

    #[test]
    fn cf_goes_there_and_back() {
        let response = Response::empty()
            .unwrap()
            .with_cf(Some(json!({"a": 1})))
            .unwrap();
        assert_eq!(
            response.cf::<serde_json::Value>().unwrap(),
            Some(json!({"a": 1}))
        );
        assert_eq!(
            response.with_cf(None::<()>).unwrap().cf::<()>().unwrap(),
            None
        );
        assert_eq!(
            Response::builder().with_cf(1).unwrap_err().to_string(),
            "cf must be an object"
        );
    }
}

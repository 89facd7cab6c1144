//! [`Response`]: what a Worker answers, and what it is answered.
//!
//! A response the Worker makes holds its bytes; one it receives holds a stream that can be read
//! once and headers that cannot be changed, as in production: to add a header, clone them or build
//! anew. What JavaScript checks when the response is handed to the platform (the status, a body
//! where none may be) is checked by [`Response::into_parts_native`], with the platform's errors;
//! upstream panics there.
//!
//! Absent: WebSockets and the conversions from and to `web_sys`.

mod body;
mod builder;
mod init;

pub use body::ResponseBody;
pub use init::{EncodeBody, ResponseBuilder};

use crate::cors::Cors;
use crate::error::Error;
use crate::streams::ReadableStream;
use crate::{AbortSignal, ByteStream, Headers, Result, js, streams};
use ::http::HeaderValue;
use ::http::header::LOCATION;
use bytes::Bytes;
use edgeproof_sim::http::{self, Body};
use futures_util::TryStream;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A response as it crosses the border of the Worker.
pub(crate) type RawResponse = Response;

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
    /// What the sender of a stream throws; `TypeError` when it does not fit in memory.
    pub async fn bytes(&mut self) -> Result<Vec<u8>> {
        match &self.body {
            ResponseBody::Empty => Ok(Vec::new()),
            ResponseBody::Body(bytes) => Ok(bytes.clone()),
            ResponseBody::Stream(stream) => stream.clone().read().await.map(Vec::from),
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
    /// As [`Response::into_parts_native`].
    pub fn cloned(&mut self) -> Result<Self> {
        check_status(self.init.status_code, &self.body)?;
        let (own, copy) = match &self.body {
            ResponseBody::Empty => (None, None),
            ResponseBody::Body(bytes) => {
                let own = ReadableStream::from_bytes(Bytes::copy_from_slice(bytes));
                let copy = own.tee();
                (Some(own), copy)
            }
            ResponseBody::Stream(stream) => {
                let copy = stream.tee().ok_or_else(streams::disturbed)?;
                (Some(stream.clone()), Some(copy))
            }
        };
        let stream = |stream: Option<_>| stream.map_or(ResponseBody::Empty, ResponseBody::Stream);
        self.body = stream(own);
        Ok(Self {
            body: stream(copy),
            init: self.init.clone(),
        })
    }

    /// The same response; its body, if it is a stream, fails as soon as `signal` is aborted.
    pub(crate) fn until_aborted(mut self, signal: &AbortSignal) -> Self {
        if let ResponseBody::Stream(stream) = self.body {
            self.body = ResponseBody::Stream(stream.until_aborted(signal.clone()));
        }
        self
    }

    /// Whether it could leave the Worker.
    ///
    /// # Errors
    /// As [`Response::into_parts_native`].
    #[cfg(feature = "http")]
    pub(crate) fn check(&self) -> Result<()> {
        check_status(self.init.status_code, &self.body)
    }

    /// The `cf` object.
    #[cfg(feature = "http")]
    pub(crate) fn cf_raw(&self) -> Option<js_sys::Object> {
        self.init.cf.clone()
    }

    /// The response as it leaves the Worker; a body that is a stream is still to be made.
    ///
    /// # Errors
    /// `RangeError` when the status is not one of 200 to 599, `TypeError` when the status allows no body and there is one or when
    /// the body is a stream that was read.
    #[doc(hidden)]
    pub fn into_parts_native(self) -> Result<http::Response<Body>> {
        check_status(self.init.status_code, &self.body)?;
        let body = match self.body {
            ResponseBody::Empty => Body::default(),
            ResponseBody::Body(bytes) => bytes.into(),
            ResponseBody::Stream(stream) => stream.into_body()?,
        };
        let headers = self.init.headers.into_map();
        Ok(http::Response::new(self.init.status_code, headers, body))
    }

    /// A response the Worker receives: its headers cannot be changed and its body is a stream.
    #[doc(hidden)]
    pub fn from_parts_native(raw: http::Response<Body>) -> Self {
        let body = if is_null_body_status(raw.status) {
            ResponseBody::Empty
        } else {
            ResponseBody::Stream(ReadableStream::from_body(raw.body))
        };
        let init = ResponseBuilder {
            status_code: raw.status,
            headers: Headers::immutable(raw.headers),
            ..ResponseBuilder::new()
        };
        Self { body, init }
    }
}

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
mod tests;

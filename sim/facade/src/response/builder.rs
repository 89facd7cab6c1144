//! The responses that a [`ResponseBuilder`] makes.

use super::init::ResponseBuilder;
use super::{Response, ResponseBody};
use crate::Result;
use crate::error::Error;
use crate::streams::ReadableStream;
use crate::wasm_bindgen::JsValue;
use futures_util::{TryStream, TryStreamExt};
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use serde::Serialize;

const ERROR_STATUS: &str = "error status codes must be in the 400-599 range! see https://developer.mozilla.org/en-US/docs/Web/HTTP/Status for more";

impl ResponseBuilder {
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
        self.typed(const { HeaderValue::from_static("application/json") }, json)
    }

    /// HTML, with `Content-Type: text/html; charset=utf-8`.
    ///
    /// # Errors
    /// When the headers are immutable.
    pub fn from_html(self, html: impl AsRef<str>) -> Result<Response> {
        self.typed(
            const { HeaderValue::from_static("text/html; charset=utf-8") },
            html.as_ref().as_bytes().to_vec(),
        )
    }

    /// Bytes, with `Content-Type: application/octet-stream`.
    ///
    /// # Errors
    /// When the headers are immutable.
    pub fn from_bytes(self, bytes: Vec<u8>) -> Result<Response> {
        self.typed(
            const { HeaderValue::from_static("application/octet-stream") },
            bytes,
        )
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
        self.typed(
            const { HeaderValue::from_static("text/plain; charset=utf-8") },
            body.into().into_bytes(),
        )
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

    fn typed(mut self, content_type: HeaderValue, body: Vec<u8>) -> Result<Response> {
        self.headers.set_value(CONTENT_TYPE, content_type)?;
        Ok(self.fixed(body))
    }
}

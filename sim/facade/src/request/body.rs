//! Reading the body of a request, once.

use super::{Request, used_body};
use crate::error::Error;
use crate::js_sys::JSON;
use crate::streams::ReadableStream;
use crate::{ByteStream, FormData, Result};
use bytes::Bytes;
use edgeproof_sim::http::Body;
use http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;

impl Request {
    /// The body as JSON.
    ///
    /// # Errors
    /// [`Error::BodyUsed`] when it was read before, [`Error::JsError`] when it is not JSON,
    /// [`Error::UnknownJsError`] when it has another shape than `B`.
    pub async fn json<B: DeserializeOwned>(&mut self) -> Result<B> {
        let unreadable = "failed to get JSON for body value";
        let text = self.consume(unreadable).await.map(text_of)?;
        let value = JSON::parse(&text).map_err(|_| Error::JsError(unreadable.to_owned()))?;
        Ok(serde_wasm_bindgen::from_value(value)?)
    }

    /// The body as text. Bytes that are not UTF-8 become U+FFFD.
    ///
    /// # Errors
    /// [`Error::BodyUsed`] when it was read before.
    pub async fn text(&mut self) -> Result<String> {
        self.consume("failed to get text for body value")
            .await
            .map(text_of)
    }

    /// The body.
    ///
    /// # Errors
    /// [`Error::BodyUsed`] when it was read before.
    pub async fn bytes(&mut self) -> Result<Vec<u8>> {
        self.consume("failed to read array buffer from request")
            .await
            .map(Vec::from)
    }

    /// The body as a form.
    ///
    /// # Errors
    /// [`Error::BodyUsed`] when it was read before, [`Error::JsError`] when the content type is not
    /// that of a form. A `multipart/form-data` body is an error that says so: it is not simulated.
    pub async fn form_data(&mut self) -> Result<FormData> {
        let unreadable = "failed to get form data from request";
        let body = self.consume(unreadable).await?;
        let content_type = self.headers.get(CONTENT_TYPE.as_str())?;
        FormData::parse(content_type.as_deref(), &body)?
            .ok_or_else(|| Error::JsError(unreadable.to_owned()))
    }

    /// The body in pieces.
    ///
    /// # Errors
    /// [`Error::BodyUsed`] when it was read before, [`Error::RustError`] when there is none.
    pub fn stream(&mut self) -> Result<ByteStream> {
        let body = self.unread("failed to read stream from request")?;
        Ok(body.ok_or("no body for request")?.into())
    }

    /// Reads the body through this handle. `unreadable` is what workers-rs says when the platform throws.
    async fn consume(&mut self, unreadable: &str) -> Result<Bytes> {
        match self.unread(unreadable)? {
            None => Ok(Bytes::new()),
            Some(body) => {
                let read = body.read().await;
                read.map_err(|_| Error::JsError(unreadable.to_owned()))
            }
        }
    }

    /// The body, to be read through this handle.
    fn unread(&mut self, unreadable: &str) -> Result<Option<ReadableStream>> {
        if std::mem::replace(&mut self.body_used, true) {
            return Err(Error::BodyUsed);
        }
        let Some(body) = &self.body else {
            return Ok(None);
        };
        // The platform throws "Body has already been used. It can only be used once. Use tee() first if you need to read it
        // twice."; workers-rs does not pass that on.
        let unread = body.moved();
        unread
            .map(Some)
            .ok_or_else(|| Error::JsError(unreadable.to_owned()))
    }

    /// Moves the body out of the request.
    pub(super) fn take_body(&self) -> Result<Body> {
        let Some(body) = &self.body else {
            return Ok(Body::default());
        };
        body.moved().ok_or_else(used_body)?.into_body()
    }
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

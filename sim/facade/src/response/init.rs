//! [`ResponseBuilder`]: status, headers and options of a response to be. What it makes is in `response/builder.rs`.

use crate::cors::Cors;
use crate::js_sys::Object;
use crate::wasm_bindgen::JsCast;
use crate::{Headers, Result};
use serde::Serialize;

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

/// Status, headers and options of a response to be.
#[derive(Debug, Clone)]
pub struct ResponseBuilder {
    pub(super) status_code: u16,
    pub(super) headers: Headers,
    pub(super) encode_body: EncodeBody,
    pub(super) cf: Option<Object>,
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

    /// The same with this `cf` object.
    #[cfg(feature = "http")]
    pub(crate) fn with_cf_raw(mut self, cf: Object) -> Self {
        self.cf = Some(cf);
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
}

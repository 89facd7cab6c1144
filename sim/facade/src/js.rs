//! The few JavaScript objects the façade makes itself: the platform's own errors, and bodies out of values.

use crate::error::Error;
use crate::js_sys::{self, ArrayBuffer, Uint8Array};
use crate::wasm_bindgen::{JsCast, JsValue};
use bytes::Bytes;

/// A `TypeError` as the platform throws it.
pub(crate) fn type_error(message: &str) -> Error {
    JsValue::from(js_sys::TypeError::new(message)).into()
}

/// A `RangeError` as the platform throws it.
pub(crate) fn range_error(message: &str) -> Error {
    JsValue::from(js_sys::RangeError::new(message)).into()
}

/// The reason of an abort that was given none (workerd api/basics.c++, 2026-08-22).
pub(crate) fn abort_error() -> JsValue {
    let error = js_sys::Error::new("The operation was aborted");
    error.set_name("AbortError");
    error.into()
}

/// A body given as a JavaScript value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// `null` and `undefined`.
    Null,
    /// Bytes, which say nothing of their type.
    Bytes(Bytes),
    /// Anything else is turned into a string and is `text/plain;charset=UTF-8` unless the headers say otherwise.
    Text(Bytes),
}

impl Body {
    /// Reads a body as `new Request(…, {body})` does (WebIDL: buffers, else a string).
    pub(crate) fn from_value(value: &JsValue) -> Self {
        if value.is_null() || value.is_undefined() {
            Self::Null
        } else if let Some(array) = value.dyn_ref::<Uint8Array>() {
            Self::Bytes(array.to_vec().into())
        } else if let Some(buffer) = value.dyn_ref::<ArrayBuffer>() {
            Self::Bytes(Uint8Array::new(buffer).to_vec().into())
        } else if let Some(text) = value.as_string() {
            Self::Text(text.into())
        } else {
            Self::Text(String::from(js_sys::JsString::from(value.clone())).into())
        }
    }
}

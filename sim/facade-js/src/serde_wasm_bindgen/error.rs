//! Serde's errors as JavaScript errors.

use std::fmt;

use crate::js_sys;
use crate::wasm_bindgen::JsValue;

/// What went wrong, as the value that JavaScript would throw.
#[derive(Debug)]
pub struct Error(JsValue);

impl Error {
    /// A JavaScript `Error` with a message.
    pub fn new<T: fmt::Display>(message: T) -> Self {
        Self(js_sys::Error::new(&message.to_string()).into())
    }
}

impl fmt::Display for Error {
    /// `String(error)`: `Error: ` and the message.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&*self.0.to_text(), f)
    }
}

impl std::error::Error for Error {}

impl serde::ser::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message)
    }
}

impl serde::de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message)
    }
}

impl From<JsValue> for Error {
    fn from(thrown: JsValue) -> Self {
        Self(thrown)
    }
}

impl From<Error> for JsValue {
    fn from(error: Error) -> Self {
        error.0
    }
}

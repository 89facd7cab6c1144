//! [`D1Error`]: what a call of a database throws.

use crate::error::Error;
use crate::js_sys::{self, JsString};
use crate::wasm_bindgen::{JsCast, JsValue};
use std::fmt;

/// An error of a D1 database: an `Error` object whose message begins with `D1` and whose cause says what happened.
#[derive(Clone)]
pub struct D1Error {
    inner: js_sys::Error,
}

impl D1Error {
    /// The message of the cause, or `unknown error`.
    pub fn cause(&self) -> String {
        match self.inner.cause().dyn_into::<js_sys::Error>() {
            Ok(cause) => String::from(cause.message()),
            Err(_) => "unknown error".to_owned(),
        }
    }

    /// Sorts what a D1 call threw: errors whose message begins with `D1` are D1's own, the others any error.
    #[doc(hidden)]
    pub fn classify(thrown: JsValue) -> Error {
        match thrown.dyn_into::<js_sys::Error>() {
            Ok(inner) if String::from(inner.message()).starts_with("D1") => {
                Error::D1(Self { inner })
            }
            Ok(error) => error.into(),
            Err(value) => value.into(),
        }
    }
}

impl fmt::Debug for D1Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("D1Error")
            .field("cause", &self.inner.cause())
            .finish()
    }
}

impl fmt::Display for D1Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cause = JsString::from(self.inner.cause());
        write!(f, "{cause}")
    }
}

impl AsRef<js_sys::Error> for D1Error {
    fn as_ref(&self) -> &js_sys::Error {
        &self.inner
    }
}

impl AsRef<JsValue> for D1Error {
    fn as_ref(&self) -> &JsValue {
        &self.inner
    }
}

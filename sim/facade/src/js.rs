//! The JavaScript objects that the façade makes itself: errors of the platform, and bodies made from values.

use crate::error::Error;
use crate::js_sys::{self, ArrayBuffer, Uint8Array};
use crate::wasm_bindgen::{JsCast, JsValue};
use bytes::Bytes;
use edgeproof_sim::exception::Exception;

/// A `TypeError` as the platform throws it.
pub(crate) fn type_error(message: &str) -> Error {
    JsValue::from(js_sys::TypeError::new(message)).into()
}

/// A `RangeError` as the platform throws it.
pub(crate) fn range_error(message: &str) -> Error {
    JsValue::from(js_sys::RangeError::new(message)).into()
}

/// The default reason of an abort (workerd api/basics.c++, 2026-08-22).
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
    /// Bytes, which set no content type.
    Bytes(Bytes),
    /// Any other value, as a string. Its content type is `text/plain;charset=UTF-8` unless the headers set one.
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
            Self::Text(shown(value).into())
        }
    }
}

/// `String(value)`.
pub(crate) fn shown(value: &JsValue) -> String {
    // `concat` converts as `String(value)` does.
    String::from(js_sys::JsString::from("").concat(value))
}

/// What the platform threw, as the error object that the Worker catches, with the platform's own properties.
pub(crate) fn thrown(exception: Exception) -> JsValue {
    let error: js_sys::Error = match exception.name.as_str() {
        "TypeError" => JsValue::from(js_sys::TypeError::new(&exception.message)).unchecked_into(),
        "RangeError" => JsValue::from(js_sys::RangeError::new(&exception.message)).unchecked_into(),
        name => {
            let error = js_sys::Error::new(&exception.message);
            if name != "Error" {
                error.set_name(name);
            }
            error
        }
    };
    if let Some(cause) = &exception.cause {
        error.set_cause(&js_sys::Error::new(cause));
    }
    let flags = exception.flags;
    let properties = [
        ("remote", flags.remote),
        ("retryable", flags.retryable),
        ("overloaded", flags.overloaded),
        ("durableObjectReset", flags.durable_object_reset),
    ];
    for (property, _) in properties.into_iter().filter(|(_, set)| *set) {
        let set = js_sys::Reflect::set(&error, &JsValue::from_str(property), &JsValue::TRUE);
        set.expect("a property of a new object can be set");
    }
    error.into()
}

/// A handler's error, as the exception that the platform sees.
pub(crate) fn exception(error: &Error) -> Exception {
    let value = error.to_js_value();
    let mut exception = match value.dyn_ref::<js_sys::Error>() {
        Some(object) => {
            let mut exception = Exception::error(String::from(object.message()));
            exception.name = String::from(object.name());
            exception
        }
        None => Exception::error(error.to_string()),
    };
    let flag = |name: &str| {
        js_sys::Reflect::get(&value, &JsValue::from_str(name)).is_ok_and(|flag| flag.is_truthy())
    };
    exception.flags.retryable = flag("retryable");
    exception.flags.overloaded = flag("overloaded");
    exception
}

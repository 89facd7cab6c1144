//! Throwing: natively an uncaught exception is a panic, which the simulator turns into exception 1101.

use std::error::Error;
use std::fmt;

use super::JsValue;
use crate::heap::{ErrorClass, Obj};

/// Throws a string.
///
/// # Panics
/// Always.
#[track_caller]
pub fn throw_str(text: &str) -> ! {
    panic!("{text}")
}

/// Throws a value. Its debug form becomes the text of the panic, since the value cannot leave its thread.
///
/// # Panics
/// Always.
#[track_caller]
pub fn throw_val(value: JsValue) -> ! {
    panic!("{value:?}")
}

/// `unwrap` and `expect` under the names that throw in wasm.
pub trait UnwrapThrowExt<T>: Sized {
    /// The value.
    ///
    /// # Panics
    /// Where there is none.
    #[track_caller]
    fn unwrap_throw(self) -> T {
        self.expect_throw("called `unwrap_throw()`")
    }

    /// The value.
    ///
    /// # Panics
    /// With `message` where there is none.
    #[track_caller]
    fn expect_throw(self, message: &str) -> T;
}

impl<T> UnwrapThrowExt<T> for Option<T> {
    #[track_caller]
    fn expect_throw(self, message: &str) -> T {
        self.expect(message)
    }
}

impl<T, E: fmt::Debug> UnwrapThrowExt<T> for Result<T, E> {
    #[track_caller]
    fn expect_throw(self, message: &str) -> T {
        self.expect(message)
    }
}

/// Any Rust error as a JavaScript `Error`, so that `?` works in functions that throw.
#[derive(Clone, Debug)]
pub struct JsError {
    value: JsValue,
}

impl JsError {
    /// `new Error(message)`.
    pub fn new(message: &str) -> Self {
        Self {
            value: JsValue::from(Obj::error(ErrorClass::Error, message)),
        }
    }
}

impl<E: Error> From<E> for JsError {
    fn from(error: E) -> Self {
        Self::new(&error.to_string())
    }
}

impl From<JsError> for JsValue {
    fn from(error: JsError) -> Self {
        error.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_rust_becomes_an_error_of_javascript() {
        fn parse(text: &str) -> Result<u32, JsError> {
            Ok(text.parse::<u32>()?)
        }
        let value = JsValue::from(parse("x").unwrap_err());
        assert_eq!(
            format!("{value:?}"),
            "JsValue(Error: invalid digit found in string\nError: invalid digit found in string)"
        );
    }

    #[test]
    #[should_panic(expected = "no stub: JsValue(\"gone\")")]
    fn expect_throw_panics_with_its_message_and_the_error() {
        Err::<(), _>(JsValue::from("gone")).expect_throw("no stub");
    }

    #[test]
    fn unwrap_throw_gives_the_value() {
        assert_eq!(Some(1).unwrap_throw(), 1);
    }
}

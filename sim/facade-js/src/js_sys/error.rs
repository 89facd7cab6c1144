//! `Error` and its subclasses.
//!
//! `message`, `stack` and `cause` are own properties that are not enumerable, `name` comes from the
//! class. Any other property of an error (`retryable`, `overloaded`, `remote`, `code`) is
//! an ordinary one. There are no stack frames: `stack` is its first line.

use super::class::{class, plain_traits};
use super::{JsString, Object, Reflect};
use crate::heap::{ErrorClass, Kind, Obj, Text};
use crate::wasm_bindgen::JsValue;

class! {
    /// Any error.
    Error extends Object; is |value| error_class(value).is_some()
}
plain_traits!(Error);

fn error_class(value: &JsValue) -> Option<ErrorClass> {
    match value.object()?.kind {
        Kind::Error(class, _) => Some(class),
        _ => None,
    }
}

macro_rules! subclasses {
    ($($name:ident $text:literal)*) => {$(
        class! {
            #[doc = concat!("`", $text, "`.")]
            $name extends Error, Object; is |value| {
                error_class(value) == Some(ErrorClass::$name)
            }
        }
        plain_traits!($name);

        impl $name {
            #[doc = concat!("`new ", $text, "(message)`.")]
            #[must_use]
            pub fn new(message: &str) -> Self {
                JsValue::from(Obj::error(ErrorClass::$name, message)).into()
            }
        }
    )*};
}
subclasses! {
    EvalError "EvalError"
    RangeError "RangeError"
    ReferenceError "ReferenceError"
    SyntaxError "SyntaxError"
    TypeError "TypeError"
    UriError "URIError"
}

/// An error of the web platform (a `DOMException`), which carries its own name: `AbortError`,
/// `DataCloneError`, `TimeoutError`. Not part of js-sys, whose users get such errors from the platform.
#[must_use]
pub fn dom_exception(name: &str, message: &str) -> Error {
    JsValue::from(Obj::dom_exception(name, message)).into()
}

impl Error {
    /// `new Error(message)`.
    #[must_use]
    pub fn new(message: &str) -> Self {
        JsValue::from(Obj::error(ErrorClass::Error, message)).into()
    }

    fn property(&self, key: &str) -> JsValue {
        self.object().and_then(|o| o.get(key)).unwrap_or_default()
    }

    fn set_hidden(&self, key: &'static str, value: JsValue) {
        match self.object().as_ref().map(|o| &o.kind) {
            Some(Kind::Error(_, hidden)) => hidden.borrow_mut().insert(Text::Literal(key), value),
            _ => {
                let _ = Reflect::set(self, &key.into(), &value);
            }
        }
    }

    /// `error.cause`.
    #[must_use]
    pub fn cause(&self) -> JsValue {
        self.property("cause")
    }

    /// `error.cause = cause`.
    pub fn set_cause(&self, cause: &JsValue) {
        self.set_hidden("cause", cause.clone());
    }

    /// `error.message`.
    #[must_use]
    pub fn message(&self) -> JsString {
        self.property("message").into()
    }

    /// `error.message = message`; `stack` stays as it was.
    pub fn set_message(&self, message: &str) {
        self.set_hidden("message", message.into());
    }

    /// `error.name`.
    #[must_use]
    pub fn name(&self) -> JsString {
        self.property("name").into()
    }

    /// `error.name = name`.
    pub fn set_name(&self, name: &str) {
        let _ = Reflect::set(self, &"name".into(), &name.into());
    }

    /// `error.toString()`.
    #[must_use]
    pub fn to_string(&self) -> JsString {
        JsValue::from(self.to_text()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wasm_bindgen::JsCast;

    #[test]
    fn an_error_has_a_name_a_message_a_cause_and_what_one_gives_it() {
        let error = Error::new("D1_ERROR: no such table: t: SQLITE_ERROR");
        assert_eq!(error.name(), "Error");
        assert_eq!(error.message(), "D1_ERROR: no such table: t: SQLITE_ERROR");
        assert!(error.cause().is_undefined());
        error.set_cause(&Error::new("no such table: t"));
        let cause = error.cause().dyn_into::<Error>().unwrap();
        assert_eq!(cause.message(), "no such table: t");

        Reflect::set(&error, &"retryable".into(), &true.into()).unwrap();
        assert_eq!(Reflect::get(&error, &"retryable".into()).unwrap(), true);
        // The properties that make an error are not enumerable, so JSON sees the others alone.
        assert_eq!(
            crate::js_sys::JSON::stringify(&error).unwrap(),
            "{\"retryable\":true}"
        );
    }

    #[test]
    fn subclasses_are_errors_and_not_each_other() {
        let error = JsValue::from(RangeError::new("too far"));
        assert!(error.is_instance_of::<Error>());
        assert!(error.is_instance_of::<RangeError>());
        assert!(!error.is_instance_of::<TypeError>());
        assert!(!JsValue::from(Error::new("x")).is_instance_of::<RangeError>());
        assert_eq!(UriError::new("x").name(), "URIError");
    }

    #[test]
    fn an_error_of_the_platform_carries_its_own_name() {
        let error = dom_exception("AbortError", "The operation was aborted");
        assert_eq!(error.to_string(), "AbortError: The operation was aborted");
        assert!(JsValue::from(error).is_instance_of::<Error>());
    }

    #[test]
    fn errors_print_without_the_part_that_is_empty() {
        let error = Error::new("");
        assert_eq!(error.to_string(), "Error");
        error.set_message("late");
        error.set_name("");
        assert_eq!(error.to_string(), "late");
        error.set_name("Odd");
        assert_eq!(error.to_string(), "Odd: late");
    }
}

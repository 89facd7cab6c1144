//! `JsValue` and what `wasm-bindgen` offers around it.
//!
//! A [`JsValue`] is a primitive or a reference to an object; cloning it never copies an object. Equality
//! is `===`. Absent: the `#[wasm_bindgen]` attribute, closures, symbols and the arithmetic operators.

mod cast;
mod convert;
mod debug;
pub(crate) mod text;
mod throw;

use std::rc::Rc;

pub use cast::JsCast;
pub use throw::{JsError, UnwrapThrowExt, throw_str, throw_val};

pub use crate::heap::JsValue;
use crate::heap::{BigInt, Kind, Obj, Raw, Repr, Text};

/// What a Worker imports with a star.
pub mod prelude {
    pub use super::{JsCast, JsError, JsValue, UnwrapThrowExt};
}

impl JsValue {
    /// `undefined`.
    pub const UNDEFINED: Self = Self::of(Raw::Undefined);
    /// `null`.
    pub const NULL: Self = Self::of(Raw::Null);
    /// `true`.
    pub const TRUE: Self = Self::of(Raw::Bool(true));
    /// `false`.
    pub const FALSE: Self = Self::of(Raw::Bool(false));

    pub(crate) const fn of(raw: Raw) -> Self {
        Self { raw }
    }

    /// A string.
    #[expect(clippy::should_implement_trait, reason = "the name is wasm-bindgen's")]
    pub fn from_str(text: &str) -> Self {
        Self::from(Text::from(text))
    }

    /// A number.
    pub const fn from_f64(n: f64) -> Self {
        Self::of(Raw::Number(n))
    }

    /// A boolean.
    pub const fn from_bool(b: bool) -> Self {
        Self::of(Raw::Bool(b))
    }

    /// `undefined`.
    pub const fn undefined() -> Self {
        Self::UNDEFINED
    }

    /// `null`.
    pub const fn null() -> Self {
        Self::NULL
    }

    /// The number, if it is one. A `BigInt` is not.
    pub fn as_f64(&self) -> Option<f64> {
        match self.raw {
            Raw::Number(n) => Some(n),
            _ => None,
        }
    }

    /// The text, if it is a string.
    pub fn as_string(&self) -> Option<String> {
        match &self.raw {
            Raw::String(text) => Some(text.peek(|text| text.as_str().to_owned())),
            _ => None,
        }
    }

    /// The boolean, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self.raw {
            Raw::Bool(b) => Some(b),
            _ => None,
        }
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self.raw, Raw::Null)
    }

    /// Whether it is `undefined`.
    pub fn is_undefined(&self) -> bool {
        matches!(self.raw, Raw::Undefined)
    }

    /// Whether it is `null` or `undefined`.
    pub fn is_null_or_undefined(&self) -> bool {
        self.is_null() || self.is_undefined()
    }

    /// Whether it is a string.
    pub fn is_string(&self) -> bool {
        matches!(self.raw, Raw::String(_))
    }

    /// Whether it is a `BigInt`.
    pub fn is_bigint(&self) -> bool {
        matches!(self.raw, Raw::BigInt(_))
    }

    /// Whether it is an object (`typeof v === "object"` and not `null`).
    pub fn is_object(&self) -> bool {
        matches!(self.raw, Raw::Object(_))
    }

    /// `Array.isArray(v)`.
    pub fn is_array(&self) -> bool {
        self.object()
            .is_some_and(|o| matches!(o.kind, Kind::Array(_)))
    }

    /// Always false: there are no functions here.
    pub fn is_function(&self) -> bool {
        false
    }

    /// Always false: there are no symbols here.
    pub fn is_symbol(&self) -> bool {
        false
    }

    /// `typeof v`, as a string value.
    pub fn js_typeof(&self) -> Self {
        let name = match self.raw {
            Raw::Undefined => "undefined",
            Raw::Null | Raw::Object(_) => "object",
            Raw::Bool(_) => "boolean",
            Raw::Number(_) => "number",
            Raw::String(_) => "string",
            Raw::BigInt(_) => "bigint",
        };
        Self::from(Text::Literal(name))
    }

    /// `!!v`.
    pub fn is_truthy(&self) -> bool {
        !self.is_falsy()
    }

    /// `!v`.
    pub fn is_falsy(&self) -> bool {
        match self.repr() {
            Repr::Undefined | Repr::Null => true,
            Repr::Bool(b) => !b,
            Repr::Number(n) => n == 0.0 || n.is_nan(),
            Repr::String(text) => text.is_empty(),
            Repr::BigInt(n) => n.is_zero(),
            Repr::Object(_) => false,
        }
    }

    /// `a == b`.
    pub fn loose_eq(&self, other: &Self) -> bool {
        match (self.repr(), other.repr()) {
            (Repr::Undefined | Repr::Null, Repr::Undefined | Repr::Null) => true,
            (Repr::Undefined | Repr::Null, _) | (_, Repr::Undefined | Repr::Null) => false,
            (Repr::Object(_), Repr::Object(_))
            | (Repr::String(_), Repr::String(_))
            | (Repr::BigInt(_), Repr::BigInt(_)) => self == other,
            (Repr::Object(_), _) => Self::from(self.to_text()).loose_eq(other),
            (_, Repr::Object(_)) => self.loose_eq(&Self::from(other.to_text())),
            (Repr::BigInt(n), Repr::String(text)) | (Repr::String(text), Repr::BigInt(n)) => {
                BigInt::parse(&text).is_some_and(|m| m == n)
            }
            _ => self.to_number() == other.to_number(),
        }
    }

    /// The text of a string value.
    pub(crate) fn text(&self) -> Option<Text> {
        match &self.raw {
            Raw::String(text) => Some(text.get()),
            _ => None,
        }
    }

    /// The object behind the value.
    pub(crate) fn object(&self) -> Option<Rc<Obj>> {
        match &self.raw {
            Raw::Object(object) => Some(object.get()),
            _ => None,
        }
    }
}

impl Default for JsValue {
    /// `undefined`.
    fn default() -> Self {
        Self::UNDEFINED
    }
}

impl PartialEq for JsValue {
    /// `a === b`: objects by identity, NaN equals nothing.
    fn eq(&self, other: &Self) -> bool {
        match (&self.raw, &other.raw) {
            (Raw::Undefined, Raw::Undefined) | (Raw::Null, Raw::Null) => true,
            (Raw::Bool(a), Raw::Bool(b)) => a == b,
            (Raw::Number(a), Raw::Number(b)) => a == b,
            (Raw::String(a), Raw::String(b)) => a.equals(b),
            (Raw::BigInt(a), Raw::BigInt(b)) => a.equals(b),
            (Raw::Object(a), Raw::Object(b)) => a.is(b),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::js_sys::{Array, Object};

    #[test]
    fn equality_is_that_of_three_equals_signs() {
        assert_ne!(JsValue::NULL, JsValue::UNDEFINED);
        assert_ne!(JsValue::from_f64(f64::NAN), JsValue::from_f64(f64::NAN));
        assert_eq!(JsValue::from_f64(0.0), JsValue::from_f64(-0.0));
        assert_eq!(JsValue::from("a"), JsValue::from_str("a"));
        assert_ne!(JsValue::from(1), JsValue::from("1"));
        assert_ne!(JsValue::from(1), JsValue::from(1_u64));
        let object = JsValue::from(Object::new());
        assert_eq!(object, object.clone());
        assert_ne!(object, JsValue::from(Object::new()));
    }

    #[test]
    fn loose_equality_converts() {
        assert!(JsValue::NULL.loose_eq(&JsValue::UNDEFINED));
        assert!(!JsValue::NULL.loose_eq(&JsValue::from(0)));
        assert!(JsValue::from("1").loose_eq(&JsValue::from(1)));
        assert!(JsValue::from(1_u64).loose_eq(&JsValue::from("1")));
        assert!(JsValue::TRUE.loose_eq(&JsValue::from(1)));
        let array: JsValue = Array::of(&[JsValue::from(5)]).into();
        assert!(array.loose_eq(&JsValue::from(5)));
    }

    #[test]
    fn truth_is_that_of_javascript() {
        for falsy in [
            JsValue::UNDEFINED,
            JsValue::NULL,
            JsValue::FALSE,
            JsValue::from(0),
            JsValue::from(-0.0),
            JsValue::from(f64::NAN),
            JsValue::from(""),
            JsValue::from(0_u64),
        ] {
            assert!(falsy.is_falsy(), "{falsy:?}");
        }
        assert!(JsValue::from("0").is_truthy());
        assert!(JsValue::from(Array::new()).is_truthy());
    }

    #[test]
    fn typeof_names_the_type() {
        assert_eq!(JsValue::NULL.js_typeof(), "object");
        assert_eq!(JsValue::UNDEFINED.js_typeof(), "undefined");
        assert_eq!(JsValue::from(1_i64).js_typeof(), "bigint");
        assert_eq!(JsValue::from(1.5).js_typeof(), "number");
    }
}

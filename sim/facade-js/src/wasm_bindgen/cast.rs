//! Casts between the types of JavaScript, checked by what the value is.

use super::JsValue;

/// A type that is a [`JsValue`] of a certain class.
///
/// The types of [`js_sys`](crate::js_sys) implement it. A Worker's own type has to wrap a `JsValue`
/// transparently to give [`unchecked_from_js_ref`](JsCast::unchecked_from_js_ref), as with wasm-bindgen.
pub trait JsCast: AsRef<JsValue> + Into<JsValue> {
    /// Whether the value is of type `T`, primitives included.
    fn has_type<T: JsCast>(&self) -> bool {
        T::is_type_of(self.as_ref())
    }

    /// The value as a `T`, or the value back where it is none.
    fn dyn_into<T: JsCast>(self) -> Result<T, Self> {
        if self.has_type::<T>() {
            Ok(self.unchecked_into())
        } else {
            Err(self)
        }
    }

    /// A view of the value as a `T`.
    fn dyn_ref<T: JsCast>(&self) -> Option<&T> {
        self.has_type::<T>().then(|| self.unchecked_ref())
    }

    /// The value as a `T`, unchecked: the methods of a wrong type answer as on an empty value or panic.
    fn unchecked_into<T: JsCast>(self) -> T {
        T::unchecked_from_js(self.into())
    }

    /// A view of the value as a `T`, unchecked.
    fn unchecked_ref<T: JsCast>(&self) -> &T {
        T::unchecked_from_js_ref(self.as_ref())
    }

    /// `v instanceof T`.
    fn is_instance_of<T: JsCast>(&self) -> bool {
        T::instanceof(self.as_ref())
    }

    /// `value instanceof Self`.
    fn instanceof(value: &JsValue) -> bool;

    /// Whether the value is of this type; for primitives it differs from `instanceof`.
    fn is_type_of(value: &JsValue) -> bool {
        Self::instanceof(value)
    }

    /// Wraps a value without a check.
    fn unchecked_from_js(value: JsValue) -> Self;

    /// Views a value without a check.
    fn unchecked_from_js_ref(value: &JsValue) -> &Self;
}

impl JsCast for JsValue {
    fn instanceof(_: &JsValue) -> bool {
        true
    }

    fn unchecked_from_js(value: JsValue) -> Self {
        value
    }

    fn unchecked_from_js_ref(value: &JsValue) -> &Self {
        value
    }
}

impl AsRef<JsValue> for JsValue {
    fn as_ref(&self) -> &JsValue {
        self
    }
}

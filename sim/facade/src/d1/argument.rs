//! Parameters: [`D1Type`] and what else a statement takes.

use crate::wasm_bindgen::JsValue;
use std::iter::{Once, once};
use std::ops::Deref;

/// A parameter of a statement.
#[derive(Debug)]
pub enum D1Type<'a> {
    /// `null`.
    Null,
    /// A number.
    Real(f64),
    /// A number.
    Integer(i32),
    /// A string.
    Text(&'a str),
    /// A boolean, stored as 1 or 0.
    Boolean(bool),
    /// Bytes.
    Blob(&'a [u8]),
}

/// A parameter that was converted once and can be bound many times.
#[derive(Debug)]
pub struct D1PreparedArgument<'a> {
    value: &'a D1Type<'a>,
    js_value: JsValue,
}

impl<'a> D1PreparedArgument<'a> {
    /// Converts a parameter.
    pub fn new(value: &'a D1Type<'_>) -> D1PreparedArgument<'a> {
        D1PreparedArgument {
            value,
            js_value: value.into(),
        }
    }
}

impl<'a> From<&'a D1Type<'a>> for JsValue {
    fn from(value: &'a D1Type<'a>) -> Self {
        match *value {
            D1Type::Null => Self::null(),
            D1Type::Real(number) => Self::from_f64(number),
            D1Type::Integer(number) => Self::from_f64(f64::from(number)),
            D1Type::Text(text) => Self::from_str(text),
            D1Type::Boolean(truth) => Self::from_bool(truth),
            D1Type::Blob(bytes) => {
                serde_wasm_bindgen::to_value(bytes).expect("bytes can be written")
            }
        }
    }
}

impl<'a> Deref for D1PreparedArgument<'a> {
    type Target = D1Type<'a>;

    fn deref(&self) -> &Self::Target {
        self.value
    }
}

impl<'a> IntoIterator for &'a D1Type<'a> {
    type Item = &'a D1Type<'a>;
    type IntoIter = Once<&'a D1Type<'a>>;

    fn into_iter(self) -> Self::IntoIter {
        once(self)
    }
}

impl<'a> IntoIterator for &'a D1PreparedArgument<'a> {
    type Item = &'a D1PreparedArgument<'a>;
    type IntoIter = Once<&'a D1PreparedArgument<'a>>;

    fn into_iter(self) -> Self::IntoIter {
        once(self)
    }
}

/// Something that [`D1PreparedStatement::bind_refs`](super::D1PreparedStatement::bind_refs) takes.
pub trait D1Argument {
    /// The value to bind.
    fn js_value(&self) -> impl AsRef<JsValue>;
}

impl D1Argument for D1Type<'_> {
    fn js_value(&self) -> impl AsRef<JsValue> {
        JsValue::from(self)
    }
}

impl D1Argument for D1PreparedArgument<'_> {
    fn js_value(&self) -> impl AsRef<JsValue> {
        &self.js_value
    }
}

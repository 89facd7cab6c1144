//! The value that is read, and what it can be read as.

use std::rc::Rc;

use serde::de::{self, Error as _, IntoDeserializer};

use crate::heap::{Kind, MAX_DEPTH, Obj, Repr, is_safe_integer};
use crate::js_sys::RangeError;
use crate::serde_wasm_bindgen::{Error, Result};
use crate::wasm_bindgen::JsValue;

/// A value that Serde reads from.
#[derive(Clone, Debug)]
pub struct Deserializer {
    pub(super) value: JsValue,
    pub(super) depth: u32,
}

impl From<JsValue> for Deserializer {
    fn from(value: JsValue) -> Self {
        Self { value, depth: 0 }
    }
}

impl IntoDeserializer<'_, Error> for Deserializer {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl Deserializer {
    /// A value inside this one.
    pub(super) fn inner(&self, value: JsValue) -> Self {
        Self {
            value,
            depth: self.depth + 1,
        }
    }

    /// In a Worker the stack of the engine is the bound, and running into it throws this error.
    pub(super) fn check_depth(&self) -> Result<()> {
        if self.depth > MAX_DEPTH {
            return Err(JsValue::from(RangeError::new("Maximum call stack size exceeded")).into());
        }
        Ok(())
    }

    pub(super) fn is_nullish(&self) -> bool {
        self.value.is_null_or_undefined()
    }

    pub(super) fn bytes(&self) -> Option<Vec<u8>> {
        match &self.value.object()?.kind {
            Kind::Bytes(view) => Some(view.with(<[u8]>::to_vec)),
            Kind::Buffer(bytes) => Some(bytes.borrow().to_vec()),
            _ => None,
        }
    }

    /// The object, if it is an array.
    pub(super) fn array(&self) -> Option<Rc<Obj>> {
        let object = self.value.object()?;
        matches!(object.kind, Kind::Array(_)).then_some(object)
    }

    /// `Object.entries(value)`, as values.
    pub(super) fn object_entries(&self) -> Option<Vec<(JsValue, JsValue)>> {
        let entries = self.value.object()?.entries();
        Some(
            entries
                .into_iter()
                .map(|(key, value)| (key.into(), value))
                .collect(),
        )
    }

    #[cold]
    pub(super) fn invalid_type(&self, expected: &dyn de::Expected) -> Error {
        let (text, bytes);
        let found = match self.value.repr() {
            Repr::Undefined | Repr::Null => de::Unexpected::Unit,
            Repr::Bool(b) => de::Unexpected::Bool(b),
            Repr::Number(n) => de::Unexpected::Float(n),
            Repr::String(found) => {
                text = found.as_str().to_owned();
                de::Unexpected::Str(&text)
            }
            _ => match self.bytes() {
                Some(found) => {
                    bytes = found;
                    de::Unexpected::Bytes(&bytes)
                }
                None => {
                    text = format!("{:?}", self.value);
                    de::Unexpected::Other(&text)
                }
            },
        };
        Error::invalid_type(found, expected)
    }

    pub(super) fn safe_integer(&self) -> Option<i64> {
        self.value
            .as_f64()
            .filter(|n| is_safe_integer(*n))
            .map(|n| n as i64)
    }

    pub(super) fn signed<'de, V: de::Visitor<'de>>(&self, visitor: V) -> Result<V::Value> {
        match self.safe_integer() {
            Some(n) => visitor.visit_i64(n),
            None => Err(self.invalid_type(&visitor)),
        }
    }

    pub(super) fn unsigned<'de, V: de::Visitor<'de>>(&self, visitor: V) -> Result<V::Value> {
        match self.safe_integer().and_then(|n| u64::try_from(n).ok()) {
            Some(n) => visitor.visit_u64(n),
            None => Err(self.invalid_type(&visitor)),
        }
    }
}

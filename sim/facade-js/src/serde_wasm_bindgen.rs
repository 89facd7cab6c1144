//! Serde types from and to [`JsValue`], by the rules of `serde-wasm-bindgen` 0.6.5.
//!
//! A value passes here exactly if it passes in production. A `u64` beyond
//! 2^53 - 1 is an error, `None` is `undefined` and not `null`, a `HashMap` becomes a `Map`, a struct
//! becomes an object and cannot be read from a `Map`. Absent: `preserve`, which passes a `JsValue` through
//! Serde unchanged.

mod de;
mod error;
mod ser;

pub use de::Deserializer;
pub use error::Error;
pub use ser::{ArraySerializer, MapSerializer, ObjectSerializer, Serializer, VariantSerializer};

use crate::wasm_bindgen::JsValue;

type Result<T> = std::result::Result<T, Error>;

/// Reads a Rust value out of a JavaScript value.
///
/// # Errors
/// Where the shapes do not fit; the text is Serde's.
pub fn from_value<T: serde::de::DeserializeOwned>(value: JsValue) -> Result<T> {
    T::deserialize(Deserializer::from(value))
}

/// Turns a Rust value into a JavaScript value.
///
/// # Errors
/// For 64-bit integers that a double does not hold, and where the type's own `Serialize` fails.
pub fn to_value<T: serde::Serialize + ?Sized>(value: &T) -> Result<JsValue> {
    value.serialize(&Serializer::new())
}

#[cfg(test)]
mod tests;

//! Workers KV.

use crate::wasm_bindgen::JsValue;
use std::fmt;

/// What a KV call may answer instead of a value.
#[derive(Debug)]
pub enum KvError {
    /// An error thrown by the platform.
    JavaScript(JsValue),
    /// JSON that does not have the shape asked for, or a value that cannot be written as JSON.
    Serialization(serde_json::Error),
    /// The environment has no namespace of this binding.
    InvalidKvStore(String),
}

impl fmt::Display for KvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::JavaScript(value) => write!(f, "js error: {value:?}"),
            Self::Serialization(error) => write!(f, "unable to serialize/deserialize: {error}"),
            Self::InvalidKvStore(binding) => write!(f, "invalid kv store: {binding}"),
        }
    }
}

impl std::error::Error for KvError {}

impl From<KvError> for JsValue {
    fn from(error: KvError) -> Self {
        match error {
            KvError::JavaScript(value) => value,
            KvError::Serialization(error) => format!("KvError::Serialization: {error}").into(),
            KvError::InvalidKvStore(binding) => format!("KvError::InvalidKvStore: {binding}").into(),
        }
    }
}

impl From<JsValue> for KvError {
    fn from(value: JsValue) -> Self {
        Self::JavaScript(value)
    }
}

impl From<serde_json::Error> for KvError {
    fn from(error: serde_json::Error) -> Self {
        Self::Serialization(error)
    }
}

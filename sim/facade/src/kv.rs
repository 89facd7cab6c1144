//! Workers KV: handles, option builders, and values as JavaScript sees them.

mod builder;

pub use builder::*;

use crate::js::thrown;
use crate::js_sys::{self, ArrayBuffer, Uint8Array};
use crate::wasm_bindgen::{JsCast, JsValue};
use bytes::Bytes;
use edgeproof_sim::Bindings;
use edgeproof_sim::host::Binding;
use send_wrapper::SendWrapper;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// A KV namespace.
#[derive(Debug, Clone)]
pub struct KvStore {
    namespace: u32,
}

impl KvStore {
    pub(crate) fn new(namespace: u32) -> Self {
        Self { namespace }
    }

    /// The namespace bound as `binding`.
    ///
    /// # Errors
    /// No such binding.
    pub fn create(binding: &str) -> Result<Self, KvError> {
        match Bindings::current().binding(binding) {
            Some(Binding::Kv(namespace)) => Ok(Self::new(*namespace)),
            _ => Err(KvError::InvalidKvStore(binding.to_owned())),
        }
    }

    /// Reads a key. The builder chooses the type of the value.
    pub fn get(&self, name: &str) -> GetOptionsBuilder {
        GetOptionsBuilder {
            namespace: self.namespace,
            key: SendWrapper::new(name.into()),
            cache_ttl: None,
        }
    }

    /// Reads up to 100 keys in one call.
    pub fn get_bulk(&self, keys: &[impl AsRef<str>]) -> GetBulkOptionsBuilder {
        let keys = keys.iter().map(|key| key.as_ref().into()).collect();
        GetBulkOptionsBuilder {
            namespace: self.namespace,
            keys: SendWrapper::new(keys),
            cache_ttl: None,
        }
    }

    /// Writes a key; the builder's `execute` does it.
    ///
    /// # Errors
    /// The value cannot be written as JSON.
    pub fn put<T: ToRawKvValue>(&self, name: &str, value: T) -> Result<PutOptionsBuilder, KvError> {
        let value = value.raw_kv_value()?;
        let bytes = if let Some(text) = value.as_string() {
            Bytes::from(text)
        } else if value.is_undefined() {
            // `JSON.stringify` of nothing (a `None`, a JSON null) is nothing, which the platform writes as this text.
            Bytes::from_static(b"undefined")
        } else if let Some(array) = value.dyn_ref::<Uint8Array>() {
            array.to_vec().into()
        } else if let Some(buffer) = value.dyn_ref::<ArrayBuffer>() {
            Uint8Array::new(buffer).to_vec().into()
        } else {
            // Workerd, api/kv.c++.
            let text = "KV put() accepts only strings, ArrayBuffers, ArrayBufferViews, and ReadableStreams as values.";
            return Err(KvError::JavaScript(js_sys::TypeError::new(text).into()));
        };
        Ok(self.put_builder(name, bytes))
    }

    /// Writes a key as bytes; the builder's `execute` does it.
    ///
    /// # Errors
    /// Never; upstream's signature.
    pub fn put_bytes(&self, name: &str, value: &[u8]) -> Result<PutOptionsBuilder, KvError> {
        Ok(self.put_builder(name, Bytes::copy_from_slice(value)))
    }

    fn put_builder(&self, name: &str, value: Bytes) -> PutOptionsBuilder {
        let namespace = self.namespace;
        PutOptionsBuilder {
            namespace,
            key: SendWrapper::new(name.into()),
            value,
            expiration: None,
            expiration_ttl: None,
            metadata: None,
        }
    }

    /// Lists keys; the builder's `execute` does it.
    pub fn list(&self) -> ListOptionsBuilder {
        ListOptionsBuilder {
            namespace: self.namespace,
            limit: None,
            cursor: None,
            prefix: None,
        }
    }

    /// Deletes a key.
    ///
    /// # Errors
    /// The platform refuses the key, or a second write within a second, or the store fails.
    pub async fn delete(&self, name: &str) -> Result<(), KvError> {
        Bindings::current()
            .kv_delete(self.namespace, name.into())
            .await
            .map_err(|failure| thrown(failure).into())
    }
}

/// One page of keys.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListResponse {
    /// The keys, in order of their bytes.
    pub keys: Vec<Key>,
    /// Whether this is the last page.
    pub list_complete: bool,
    /// Where the next page begins.
    pub cursor: Option<String>,
}

/// A key of a list.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Key {
    /// The key.
    pub name: String,
    /// When it expires, in seconds since the Unix epoch.
    pub expiration: Option<u64>,
    /// What was stored with it.
    pub metadata: Option<Value>,
}

/// The error of a KV call.
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
            KvError::InvalidKvStore(binding) => {
                format!("KvError::InvalidKvStore: {binding}").into()
            }
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

/// A value that KV can store.
pub trait ToRawKvValue {
    /// The value as `put` takes it: a string or bytes.
    ///
    /// # Errors
    /// The value cannot be written as JSON.
    fn raw_kv_value(&self) -> Result<JsValue, KvError>;
}

impl ToRawKvValue for str {
    fn raw_kv_value(&self) -> Result<JsValue, KvError> {
        Ok(JsValue::from_str(self))
    }
}

impl<T: Serialize> ToRawKvValue for T {
    fn raw_kv_value(&self) -> Result<JsValue, KvError> {
        let value = serde_wasm_bindgen::to_value(self).map_err(JsValue::from)?;
        if value.as_string().is_some() {
            Ok(value)
        } else if let Some(number) = value.as_f64() {
            Ok(number.to_string().into())
        } else if let Some(truth) = value.as_bool() {
            Ok(truth.to_string().into())
        } else {
            js_sys::JSON::stringify(&value)
                .map(JsValue::from)
                .map_err(KvError::from)
        }
    }
}

//! [`Transaction`]: the storage while a transaction is open.

use super::list::ListOptions;
use super::values;
use crate::Result;
use crate::js::thrown;
use crate::js_sys::Map;
use crate::wasm_bindgen::JsValue;
use edgeproof_sim::exception::Exception;
use edgeproof_sim::platform::durable::ObjectRef;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A transaction that is open.
#[derive(Debug)]
pub struct Transaction {
    object: ObjectRef,
    rolled_back: Arc<AtomicBool>,
}

impl Transaction {
    /// A transaction of `object`, and the flag that says whether it was rolled back.
    pub(super) fn begin(object: ObjectRef) -> (Self, Arc<AtomicBool>) {
        let rolled_back = Arc::new(AtomicBool::new(false));
        let transaction = Self {
            object,
            rolled_back: Arc::clone(&rolled_back),
        };
        (transaction, rolled_back)
    }

    /// A transaction that was rolled back does nothing more (workerd actor-state.c++).
    fn open(&self, call: &str) -> Result<()> {
        if self.rolled_back.load(Ordering::Relaxed) {
            let text = format!("Cannot {call}() on rolled back transaction");
            return Err(thrown(Exception::error(text)).into());
        }
        Ok(())
    }

    /// The value of a key.
    ///
    /// # Errors
    /// There is no such key, or its value has another shape.
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<T> {
        self.open("get")?;
        let value = values::get(self.object, key)?;
        if value.is_undefined() {
            return Err(JsValue::from_str("No such value in storage.").into());
        }
        Ok(serde_wasm_bindgen::from_value(value)?)
    }

    /// As [`Storage::get_multiple`](super::Storage::get_multiple).
    ///
    /// # Errors
    /// The instance was reset.
    pub async fn get_multiple(&self, keys: Vec<impl Deref<Target = str>>) -> Result<Map> {
        self.open("get")?;
        values::get_multiple(self.object, keys)
    }

    /// As [`Storage::put`](super::Storage::put).
    ///
    /// # Errors
    /// As [`Storage::put`](super::Storage::put).
    pub async fn put<T: Serialize>(&self, key: &str, value: T) -> Result<()> {
        self.open("put")?;
        values::put(self.object, key, &serde_wasm_bindgen::to_value(&value)?)
    }

    /// As [`Storage::put_multiple`](super::Storage::put_multiple).
    ///
    /// # Errors
    /// As [`Storage::put_multiple`](super::Storage::put_multiple).
    pub async fn put_multiple<T: Serialize>(&self, values: T) -> Result<()> {
        self.open("put")?;
        values::put_fields(self.object, &values)
    }

    /// As [`Storage::delete`](super::Storage::delete).
    ///
    /// # Errors
    /// The instance was reset.
    pub async fn delete(&self, key: &str) -> Result<bool> {
        self.open("delete")?;
        values::delete(self.object, key)
    }

    /// As [`Storage::delete_multiple`](super::Storage::delete_multiple).
    ///
    /// # Errors
    /// The instance was reset.
    pub async fn delete_multiple(&self, keys: Vec<impl Deref<Target = str>>) -> Result<usize> {
        self.open("delete")?;
        values::delete_multiple(self.object, &keys)
    }

    /// As [`Storage::delete_all`](super::Storage::delete_all), which is not allowed here.
    ///
    /// # Errors
    /// Always.
    pub async fn delete_all(&self) -> Result<()> {
        values::delete_all(self.object)
    }

    /// As [`Storage::list`](super::Storage::list).
    ///
    /// # Errors
    /// The instance was reset.
    pub async fn list(&self) -> Result<Map> {
        self.open("list")?;
        values::list(self.object, &ListOptions::new())
    }

    /// As [`Storage::list_with_options`](super::Storage::list_with_options).
    ///
    /// # Errors
    /// The limit is 0, or the instance was reset.
    pub async fn list_with_options(&self, opts: ListOptions<'_>) -> Result<Map> {
        self.open("list")?;
        values::list(self.object, &opts)
    }

    /// Undoes what the transaction wrote, once it ends.
    ///
    /// # Errors
    /// Never; upstream's signature.
    pub fn rollback(&self) -> Result<()> {
        self.rolled_back.store(true, Ordering::Relaxed);
        Ok(())
    }
}

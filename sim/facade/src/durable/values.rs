//! Keys and values: the calls that [`Storage`](super::Storage) and [`Transaction`](super::Transaction) share.

use super::list::ListOptions;
use crate::js::thrown;
use crate::js_sys::{self, Map, Object};
use crate::wasm_bindgen::{JsCast, JsValue};
use crate::{Error, Result};
use edgeproof_sim::Bindings;
use edgeproof_sim::platform::durable::ObjectRef;
use serde::Serialize;
use std::ops::Deref;
use worker_native_js::clone;

/// Text of a `put` of nothing (observed on workerd).
const UNDEFINED_VALUE: &str = "put() called with undefined value.";

/// A value as `put` wrote it; anything else is damage, and said so.
fn decoded(bytes: &[u8]) -> Result<JsValue> {
    clone::from_bytes(bytes)
        .map_err(|damage| Error::from(format!("stored value is damaged: {damage}")))
}

pub(super) fn get(object: ObjectRef, key: &str) -> Result<JsValue> {
    match Bindings::current()
        .storage_get(object, key)
        .map_err(thrown)?
    {
        Some(bytes) => decoded(&bytes),
        None => Ok(JsValue::undefined()),
    }
}

pub(super) fn get_multiple(object: ObjectRef, keys: Vec<impl Deref<Target = str>>) -> Result<Map> {
    let map = Map::new();
    let mut keys: Vec<&str> = keys.iter().map(|key| &**key).collect();
    // The result is in order of the keys (workerd actor-cache).
    keys.sort_unstable();
    for key in keys {
        let value = get(object, key)?;
        if !value.is_undefined() {
            map.set(&JsValue::from_str(key), &value);
        }
    }
    Ok(map)
}

fn encoded(value: &JsValue) -> Result<bytes::Bytes> {
    if value.is_undefined() {
        return Err(crate::js::type_error(UNDEFINED_VALUE));
    }
    Ok(clone::to_bytes(value)?.into())
}

pub(super) fn put(object: ObjectRef, key: &str, value: &JsValue) -> Result<()> {
    Bindings::current()
        .storage_put(object, key, encoded(value)?)
        .map_err(|failure| thrown(failure).into())
}

pub(super) fn put_multiple(object: ObjectRef, values: &Object) -> Result<()> {
    // All or nothing: every value is checked before the first is written.
    if values.is_instance_of::<js_sys::Array>() {
        // The platform takes a list for the key of a single value that was not given (observed on workerd).
        return Err(crate::js::type_error(UNDEFINED_VALUE));
    }
    let mut pairs = Vec::new();
    for pair in Object::entries(values).iter() {
        let pair: js_sys::Array = pair.dyn_into().map_err(Error::from)?;
        // Only a single value has to be there; of many, those that are undefined are passed over (observed on workerd).
        if pair.get(1).is_undefined() {
            continue;
        }
        let key = pair.get(0).as_string().unwrap_or_default();
        let bytes = encoded(&pair.get(1))?;
        Bindings::current()
            .storage_check(&key, &bytes)
            .map_err(thrown)?;
        pairs.push((key, bytes));
    }
    for (key, bytes) in pairs {
        Bindings::current()
            .storage_put(object, &key, bytes)
            .map_err(thrown)?;
    }
    Ok(())
}

pub(super) fn put_fields<T: Serialize>(object: ObjectRef, values: &T) -> Result<()> {
    let values = serde_wasm_bindgen::to_value(values)?;
    match values.dyn_into::<Object>() {
        Ok(values) => put_multiple(object, &values),
        Err(_) => Err(Error::from("Must pass in a struct type")),
    }
}

pub(super) fn delete(object: ObjectRef, key: &str) -> Result<bool> {
    Bindings::current()
        .storage_delete(object, key)
        .map_err(|failure| thrown(failure).into())
}

pub(super) fn delete_multiple(
    object: ObjectRef,
    keys: &[impl Deref<Target = str>],
) -> Result<usize> {
    let mut deleted = 0;
    for key in keys {
        deleted += usize::from(delete(object, key)?);
    }
    Ok(deleted)
}

pub(super) fn delete_all(object: ObjectRef) -> Result<()> {
    Bindings::current()
        .storage_delete_all(object)
        .map_err(|failure| thrown(failure).into())
}

pub(super) fn list(object: ObjectRef, options: &ListOptions<'_>) -> Result<Map> {
    if options.wants_none() {
        return Err(crate::js::type_error("List limit must be positive."));
    }
    let options = options.to_raw();
    let pairs = Bindings::current()
        .storage_list(object, &options)
        .map_err(thrown)?;
    let map = Map::new();
    for (key, value) in pairs {
        map.set(&JsValue::from_str(&key), &decoded(&value)?);
    }
    Ok(map)
}

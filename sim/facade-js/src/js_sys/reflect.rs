//! `Reflect`: properties by name. It is a module in js-sys too, so that paths are the same.

use std::rc::Rc;

use super::{Array, JsString, Object, TypeError};
use crate::heap::{Kind, Obj, Text};
use crate::wasm_bindgen::JsValue;

/// `Reflect.get(target, key)`; `undefined` where there is no such property.
///
/// # Errors
/// A `TypeError` where the target is no object.
pub fn get(target: &JsValue, key: &JsValue) -> Result<JsValue, JsValue> {
    let object = object(target, "get")?;
    let value = match key.text() {
        Some(key) => object.get(&key),
        None => object.get(&key.to_text()),
    };
    Ok(value.unwrap_or_default())
}

/// `Reflect.get(target, key)`: `None` where the value is `undefined`.
///
/// # Errors
/// As [`get`].
pub fn get_str(target: &Object, key: &JsString) -> Result<Option<JsValue>, JsValue> {
    Ok(Some(get(target, key)?).filter(|value| !value.is_undefined()))
}

/// `Reflect.get(target, key)` with an index.
///
/// # Errors
/// As [`get`].
pub fn get_u32(target: &JsValue, key: u32) -> Result<JsValue, JsValue> {
    if let Kind::Array(items) = &object(target, "get")?.kind {
        return Ok(items
            .borrow()
            .get(key as usize)
            .cloned()
            .unwrap_or_default());
    }
    get(target, &key.into())
}

/// `Reflect.set(target, key, value)`: false where the property is read-only.
///
/// # Errors
/// A `TypeError` where the target is no object.
pub fn set(target: &JsValue, key: &JsValue, value: &JsValue) -> Result<bool, JsValue> {
    Ok(object(target, "set")?.set(key.to_text(), value.clone()))
}

/// `Reflect.has(target, key)`.
///
/// # Errors
/// A `TypeError` where the target is no object.
pub fn has(target: &JsValue, key: &JsValue) -> Result<bool, JsValue> {
    Ok(object(target, "has")?.get(&key.to_text()).is_some())
}

/// `Reflect.deleteProperty(target, key)`: false if the property cannot be deleted.
///
/// # Errors
/// A `TypeError` where the target is no object.
pub fn delete_property(target: &Object, key: &JsValue) -> Result<bool, JsValue> {
    Ok(object(target, "deleteProperty")?.delete(&key.to_text()))
}

/// `Reflect.ownKeys(target)`: names of all own properties, also those not enumerable.
///
/// # Errors
/// A `TypeError` where the target is no object.
pub fn own_keys(target: &JsValue) -> Result<Array, JsValue> {
    let object = object(target, "ownKeys")?;
    let mut keys: Vec<JsValue> = match &object.kind {
        Kind::Error(_, hidden) => hidden
            .borrow()
            .iter()
            .map(|(key, _)| key.clone().into())
            .collect(),
        _ => Vec::new(),
    };
    keys.extend(
        object
            .entries()
            .into_iter()
            .map(|(key, _)| JsValue::from(key)),
    );
    if matches!(object.kind, Kind::Array(_)) {
        // After the indices, before the names; there are hardly ever any names.
        let indices = Array::from(target).length() as usize;
        keys.insert(indices, JsValue::from(Text::Literal("length")));
    }
    Ok(keys.into_iter().collect())
}

fn object(target: &JsValue, function: &str) -> Result<Rc<Obj>, JsValue> {
    target
        .object()
        .ok_or_else(|| TypeError::new(&format!("Reflect.{function} called on non-object")).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::js_sys::{Map, Uint8Array};

    #[test]
    fn properties_of_primitives_are_a_type_error() {
        let error = get(&"text".into(), &"length".into()).unwrap_err();
        assert_eq!(
            &*error.to_text(),
            "TypeError: Reflect.get called on non-object"
        );
        assert!(set(&JsValue::NULL, &"a".into(), &1.into()).is_err());
        assert!(has(&1.into(), &"a".into()).is_err());
    }

    #[test]
    fn absent_and_undefined_are_two_things() {
        let object = Object::new();
        set(&object, &"a".into(), &JsValue::UNDEFINED).unwrap();
        assert!(has(&object, &"a".into()).unwrap());
        assert!(!has(&object, &"b".into()).unwrap());
        assert!(get(&object, &"b".into()).unwrap().is_undefined());
        assert!(delete_property(&object, &"a".into()).unwrap());
        assert!(!has(&object, &"a".into()).unwrap());
        assert_eq!(get_str(&object, &"a".into()).unwrap(), None);
    }

    #[test]
    fn slots_read_like_properties_and_cannot_be_written() {
        let array = Array::of2(&1.into(), &2.into());
        assert_eq!(get(&array, &"length".into()).unwrap(), 2);
        assert_eq!(get(&array, &1.into()).unwrap(), 2);
        assert!(set(&array, &"length".into(), &0.into()).unwrap());
        assert_eq!(array.length(), 0);

        let map = Map::new();
        map.set(&1.into(), &2.into());
        assert_eq!(get(&map, &"size".into()).unwrap(), 1);
        assert!(!set(&map, &"size".into(), &5.into()).unwrap());

        let bytes = Uint8Array::new_from_slice(&[5]);
        assert!(!set(&bytes, &"length".into(), &5.into()).unwrap());
        assert!(set(&bytes, &0.into(), &300.into()).unwrap());
        assert_eq!(bytes.to_vec(), [44]);
    }

    #[test]
    fn own_keys_lists_also_what_is_not_enumerable() {
        let array = Array::of1(&1.into());
        assert_eq!(own_keys(&array).unwrap().join(","), "0,length");
        let error = crate::js_sys::Error::new("x");
        set(&error, &"code".into(), &"E".into()).unwrap();
        assert_eq!(own_keys(&error).unwrap().join(","), "stack,message,code");
    }
}

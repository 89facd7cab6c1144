//! `Map`, and iteration over whatever is iterable.

use std::cell::RefCell;

use super::Object;
use super::class::{class, plain_traits};
use super::error::TypeError;
use crate::heap::{Kind, MapKey, Obj, Ordered};
use crate::wasm_bindgen::JsValue;

type Entries = Ordered<MapKey, JsValue>;

class! {
    /// Keys of any type with their values, in the order they came. NaN is a key like any other.
    Map extends Object; is |value| {
        value.object().is_some_and(|o| matches!(o.kind, Kind::Map(_)))
    }
}
plain_traits!(Map);

impl Default for Map {
    fn default() -> Self {
        Self::new()
    }
}

impl Map {
    /// `new Map()`.
    #[must_use]
    pub fn new() -> Self {
        JsValue::from(Obj::new(Kind::Map(RefCell::new(Entries::new())))).into()
    }

    /// Gives `read` the entries; there are none if an unchecked cast made another value look like a map.
    fn slots<R>(&self, read: impl FnOnce(&RefCell<Entries>) -> R) -> Option<R> {
        match &self.object()?.kind {
            Kind::Map(entries) => Some(read(entries)),
            _ => None,
        }
    }

    /// `map.get(key)`; `undefined` where there is none.
    #[must_use]
    pub fn get(&self, key: &JsValue) -> JsValue {
        self.slots(|slots| find(&slots.borrow(), key).cloned())
            .flatten()
            .unwrap_or_default()
    }

    /// `map.has(key)`.
    #[must_use]
    pub fn has(&self, key: &JsValue) -> bool {
        self.slots(|slots| find(&slots.borrow(), key).is_some())
            .unwrap_or(false)
    }

    /// `map.set(key, value)`; a known key keeps its place.
    pub fn set(&self, key: &JsValue, value: &JsValue) -> Self {
        self.slots(|slots| {
            slots
                .borrow_mut()
                .insert(MapKey::new(key.clone()), value.clone());
        });
        self.clone()
    }

    /// `map.delete(key)`: whether it was there.
    pub fn delete(&self, key: &JsValue) -> bool {
        let removed = self.slots(|slots| {
            slots
                .borrow_mut()
                .remove_by(|k| k.is(key), || MapKey::new(key.clone()))
        });
        removed.flatten().is_some()
    }

    /// `map.clear()`.
    pub fn clear(&self) {
        self.slots(|slots| slots.borrow_mut().clear());
    }

    /// `map.size`.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.slots(|slots| slots.borrow().len() as u32).unwrap_or(0)
    }

    /// Calls `callback(value, key)` for every entry.
    pub fn for_each(&self, callback: &mut dyn FnMut(JsValue, JsValue)) {
        for (key, value) in self.pairs() {
            callback(value, key);
        }
    }

    /// `map.entries()`: arrays of key and value.
    #[must_use]
    pub fn entries(&self) -> Iterator {
        Iterator::over(self.pairs().into_iter().map(|(k, v)| pair(k, v)).collect())
    }

    /// `map.keys()`.
    #[must_use]
    pub fn keys(&self) -> Iterator {
        Iterator::over(self.pairs().into_iter().map(|(key, _)| key).collect())
    }

    /// `map.values()`.
    #[must_use]
    pub fn values(&self) -> Iterator {
        Iterator::over(self.pairs().into_iter().map(|(_, value)| value).collect())
    }

    /// Keys and values as they are now.
    pub(crate) fn pairs(&self) -> Vec<(JsValue, JsValue)> {
        self.slots(|slots| pairs_of(&slots.borrow()))
            .unwrap_or_default()
    }
}

pub(crate) fn pairs_of(entries: &Entries) -> Vec<(JsValue, JsValue)> {
    entries
        .iter()
        .map(|(key, value)| (key.0.clone(), value.clone()))
        .collect()
}

fn find<'a>(entries: &'a Entries, key: &JsValue) -> Option<&'a JsValue> {
    entries.get_by(|k| k.is(key), || MapKey::new(key.clone()))
}

fn pair(key: JsValue, value: JsValue) -> JsValue {
    Obj::array(vec![key, value]).into()
}

/// An iterator of JavaScript over the items that were there when it was made. It never throws.
#[derive(Clone, Debug)]
pub struct Iterator {
    items: Vec<JsValue>,
}

impl Iterator {
    fn over(items: Vec<JsValue>) -> Self {
        Self { items }
    }
}

impl IntoIterator for Iterator {
    type Item = Result<JsValue, JsValue>;
    type IntoIter = IntoIter;

    fn into_iter(self) -> IntoIter {
        IntoIter {
            items: self.items.into_iter(),
        }
    }
}

impl IntoIterator for &Iterator {
    type Item = Result<JsValue, JsValue>;
    type IntoIter = IntoIter;

    fn into_iter(self) -> IntoIter {
        self.clone().into_iter()
    }
}

/// Iterates from Rust over what is iterable in JavaScript; an item is an error where `next` throws.
#[derive(Clone, Debug)]
pub struct IntoIter {
    items: std::vec::IntoIter<JsValue>,
}

impl std::iter::Iterator for IntoIter {
    type Item = Result<JsValue, JsValue>;

    fn next(&mut self) -> Option<Self::Item> {
        self.items.next().map(Ok)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.items.size_hint()
    }
}

/// Iterates over an `Array`, a `Map` (pairs) or a `Uint8Array`; `None` for other objects.
///
/// # Errors
/// A `TypeError` for primitives, strings among them: `Reflect.get` refuses them, as in js-sys.
pub fn try_iter(value: &JsValue) -> Result<Option<IntoIter>, JsValue> {
    let Some(object) = value.object() else {
        return Err(TypeError::new("Reflect.get called on non-object").into());
    };
    let items = match &object.kind {
        Kind::Array(items) => items.borrow().clone(),
        Kind::Map(entries) => pairs_of(&entries.borrow())
            .into_iter()
            .map(|(k, v)| pair(k, v))
            .collect(),
        Kind::Bytes(view) => view.with(|bytes| bytes.iter().map(|b| (*b).into()).collect()),
        _ => return Ok(None),
    };
    Ok(Some(Iterator::over(items).into_iter()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::js_sys::Array;
    use crate::wasm_bindgen::JsCast;

    #[test]
    fn a_map_keeps_its_order_and_compares_keys_by_same_value_zero() {
        let map = Map::new();
        let object = JsValue::from(Object::new());
        map.set(&f64::NAN.into(), &1.into());
        map.set(&(-0.0).into(), &2.into());
        map.set(&object, &3.into());
        map.set(&"0".into(), &4.into());
        map.set(&0.into(), &5.into());
        assert_eq!(map.size(), 4);
        assert_eq!(map.get(&f64::NAN.into()), 1);
        assert_eq!(map.get(&(-0.0).into()), 5);
        assert_eq!(map.get(&object), 3);
        assert!(map.get(&Object::new()).is_undefined());
        let values: Vec<JsValue> = map.values().into_iter().map(Result::unwrap).collect();
        assert_eq!(values, [1, 5, 3, 4].map(JsValue::from));
        assert!(map.delete(&0.into()));
        assert!(!map.delete(&0.into()));
        map.clear();
        assert_eq!(map.size(), 0);
    }

    #[test]
    fn the_negative_zero_is_stored_as_zero() {
        let map = Map::new();
        map.set(&(-0.0).into(), &1.into());
        let zero = map.keys().into_iter().next().unwrap().unwrap();
        assert!(Object::is(&zero, &0.into()));
    }

    #[test]
    fn a_large_map_finds_every_kind_of_key() {
        let map = Map::new();
        let keys: Vec<JsValue> = (0..200)
            .map(|i| match i % 4 {
                0 => JsValue::from(i),
                1 => JsValue::from(i.to_string()),
                2 => JsValue::from(Object::new()),
                _ => JsValue::from(i64::from(i)),
            })
            .chain([
                f64::NAN.into(),
                JsValue::NULL,
                JsValue::UNDEFINED,
                JsValue::TRUE,
            ])
            .collect();
        for (i, key) in keys.iter().enumerate() {
            map.set(key, &i.into());
        }
        for (i, key) in keys.iter().enumerate() {
            assert_eq!(map.get(key), JsValue::from(i), "{key:?}");
        }
        // Zero was a key from the start; its other sign finds it.
        assert_eq!(map.get(&(-0.0).into()), 0);
    }

    #[test]
    fn entries_are_arrays_of_two() {
        let map = Map::new();
        map.set(&"k".into(), &"v".into());
        for entry in map.entries() {
            let entry = entry.unwrap().dyn_into::<Array>().unwrap();
            assert_eq!((entry.get(0), entry.get(1)), ("k".into(), "v".into()));
        }
        assert_eq!(try_iter(&map).unwrap().unwrap().count(), 1);
        assert!(try_iter(&Object::new()).unwrap().is_none());
        assert!(try_iter(&"text".into()).is_err());
    }
}

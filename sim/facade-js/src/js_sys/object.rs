//! `Object`: named properties in order.

use super::class::{class, plain_traits};
use super::{Array, JsString, Reflect, TypeError};
use crate::heap::{Obj, Props, Raw};
use crate::wasm_bindgen::{JsCast, JsValue};

class! {
    /// Any object.
    Object extends JsValue; is |value| value.is_object()
}
plain_traits!(Object);

impl Default for Object {
    fn default() -> Self {
        Self::new()
    }
}

impl Object {
    /// `{}`.
    #[must_use]
    pub fn new() -> Self {
        JsValue::from(Obj::plain(Props::new())).into()
    }

    /// Views a value as an object, if it is one.
    #[must_use]
    pub fn try_from(value: &JsValue) -> Option<&Self> {
        value.dyn_ref()
    }

    /// `Object.keys(object)`: names of the own enumerable properties, array indices first.
    #[must_use]
    pub fn keys(object: &Self) -> Array {
        entries_of(object)
            .into_iter()
            .map(|(key, _)| JsValue::from(key))
            .collect()
    }

    /// `Object.values(object)`.
    #[must_use]
    pub fn values(object: &Self) -> Array {
        entries_of(object)
            .into_iter()
            .map(|(_, value)| value)
            .collect()
    }

    /// `Object.entries(object)`: pairs of name and value.
    #[must_use]
    pub fn entries(object: &Self) -> Array {
        entries_of(object)
            .into_iter()
            .map(|(key, value)| JsValue::from(Obj::array(vec![key.into(), value])))
            .collect()
    }

    /// `Object.fromEntries(iterable)`.
    ///
    /// # Errors
    /// A `TypeError` if the value is not iterable or one of its items is not an object.
    pub fn from_entries(entries: &JsValue) -> Result<Self, JsValue> {
        let iter = super::try_iter(entries)
            .ok()
            .flatten()
            .ok_or_else(|| TypeError::new(&format!("{} is not iterable", &*entries.to_text())))?;
        let object = Self::new();
        for pair in iter {
            let pair = pair?;
            if !pair.is_object() {
                let text = format!("Iterator value {} is not an entry object", &*pair.to_text());
                return Err(TypeError::new(&text).into());
            }
            let key = Reflect::get_u32(&pair, 0)?;
            Reflect::set(&object, &key, &Reflect::get_u32(&pair, 1)?)?;
        }
        Ok(object)
    }

    /// `Object.assign(target, source)`; answers the target.
    pub fn assign(target: &Self, source: &Self) -> Self {
        for (key, value) in entries_of(source) {
            if let Some(object) = target.object() {
                object.set(key, value);
            }
        }
        target.clone()
    }

    /// `Object.is(a, b)`: like `===`, but NaN is itself and the two zeros differ.
    #[must_use]
    pub fn is(a: &JsValue, b: &JsValue) -> bool {
        match (&a.raw, &b.raw) {
            (Raw::Number(a), Raw::Number(b)) => {
                (a.is_nan() && b.is_nan())
                    || (a == b && a.is_sign_negative() == b.is_sign_negative())
            }
            _ => a == b,
        }
    }

    /// `Object.hasOwn(object, property)`.
    #[must_use]
    pub fn has_own(object: &Self, property: &JsValue) -> bool {
        object.has_own_property(property)
    }

    /// `object.hasOwnProperty(property)`.
    #[must_use]
    pub fn has_own_property(&self, property: &JsValue) -> bool {
        self.object()
            .is_some_and(|o| o.has_own(&property.to_text()))
    }

    /// `String(object)`.
    #[must_use]
    pub fn to_string(&self) -> JsString {
        JsValue::from(self.to_text()).into()
    }

    /// The object itself.
    #[must_use]
    pub fn value_of(&self) -> Self {
        self.clone()
    }
}

/// The entries, or none if an unchecked cast made another value look like an object.
fn entries_of(object: &Object) -> Vec<(crate::heap::Text, JsValue)> {
    object.object().map(|o| o.entries()).unwrap_or_default()
}

// Shapes used by tests of other modules.
#[cfg(test)]
pub(crate) fn object(pairs: &[(&str, JsValue)]) -> JsValue {
    let object = Object::new();
    for (key, value) in pairs {
        Reflect::set(&object, &(*key).into(), value).unwrap();
    }
    object.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::js_sys::Map;

    fn keys(value: &JsValue) -> Vec<String> {
        Object::keys(value.unchecked_ref())
            .iter()
            .filter_map(|k| k.as_string())
            .collect()
    }

    #[test]
    fn indices_come_first_ascending_then_names_in_order_of_creation() {
        let value = object(&[
            ("b", 1.into()),
            ("10", 2.into()),
            ("a", 3.into()),
            ("2", 4.into()),
            ("01", 5.into()),
        ]);
        assert_eq!(keys(&value), ["2", "10", "b", "a", "01"]);
        Reflect::set(&value, &"b".into(), &9.into()).unwrap();
        assert_eq!(keys(&value), ["2", "10", "b", "a", "01"]);
        Reflect::delete_property(value.unchecked_ref(), &"b".into()).unwrap();
        Reflect::set(&value, &"b".into(), &9.into()).unwrap();
        assert_eq!(keys(&value), ["2", "10", "a", "01", "b"]);
    }

    #[test]
    fn objects_are_shared_and_not_copied() {
        let object = Object::new();
        let other: JsValue = object.clone().into();
        Reflect::set(&other, &"x".into(), &1.into()).unwrap();
        assert_eq!(Reflect::get(&object, &"x".into()).unwrap(), 1);
    }

    #[test]
    fn entries_go_to_an_object_and_back() {
        let value = object(&[("a", 1.into()), ("b", "x".into())]);
        let entries = Object::entries(value.unchecked_ref());
        let copy = Object::from_entries(&entries).unwrap();
        assert_eq!(keys(&copy), ["a", "b"]);
        assert_eq!(Reflect::get(&copy, &"b".into()).unwrap(), "x");
        assert!(Object::from_entries(&5.into()).is_err());
        assert!(Object::from_entries(&Array::of(&[1.into()])).is_err());

        let map = Map::new();
        map.set(&"k".into(), &2.into());
        assert_eq!(keys(&Object::from_entries(&map).unwrap()), ["k"]);
    }

    #[test]
    fn assign_overwrites_and_keeps_the_place() {
        let target = object(&[("a", 1.into()), ("b", 2.into())]);
        let source = object(&[("c", 3.into()), ("a", 4.into())]);
        Object::assign(target.unchecked_ref(), source.unchecked_ref());
        assert_eq!(
            format!("{target:?}"),
            "JsValue(Object({\"a\":4,\"b\":2,\"c\":3}))"
        );
    }
}

//! The parts of a value, one after the other: items of lists, entries of maps, fields of structs, variants.

use std::cell::RefCell;
use std::rc::Rc;

use serde::de::value::StrDeserializer;
use serde::de::{self, IntoDeserializer};

use super::source::Deserializer;
use crate::heap::Obj;
use crate::serde_wasm_bindgen::{Error, Result};
use crate::wasm_bindgen::JsValue;

pub(super) struct Items<'a> {
    pub(super) around: &'a Deserializer,
    pub(super) items: &'a RefCell<Vec<JsValue>>,
    pub(super) next: std::ops::Range<usize>,
}

impl<'de> de::SeqAccess<'de> for Items<'_> {
    type Error = Error;

    fn next_element_seed<T: de::DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>> {
        let Some(index) = self.next.next() else {
            return Ok(None);
        };
        // Not borrowed meanwhile: a visitor of the user's own may reach the array another way.
        let item = self.items.borrow().get(index).cloned().unwrap_or_default();
        seed.deserialize(self.around.inner(item)).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.next.len())
    }
}

pub(super) struct Pairs<'a> {
    pub(super) around: &'a Deserializer,
    pub(super) pairs: std::vec::IntoIter<(JsValue, JsValue)>,
    pub(super) value: Option<JsValue>,
}

impl<'de> de::MapAccess<'de> for Pairs<'_> {
    type Error = Error;

    fn next_key_seed<K: de::DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        match self.pairs.next() {
            Some((key, value)) => {
                self.value = Some(value);
                seed.deserialize(self.around.inner(key)).map(Some)
            }
            None => Ok(None),
        }
    }

    fn next_value_seed<V: de::DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        let value = self
            .value
            .take()
            .expect("Serde asks for a key before its value");
        seed.deserialize(self.around.inner(value))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.pairs.len())
    }
}

/// The fields of a struct, looked up in an object one after the other; its other properties are ignored.
pub(super) struct Fields<'a> {
    pub(super) around: &'a Deserializer,
    pub(super) object: &'a Rc<Obj>,
    pub(super) fields: std::slice::Iter<'static, &'static str>,
    pub(super) value: Option<JsValue>,
}

impl<'de> de::MapAccess<'de> for Fields<'_> {
    type Error = Error;

    fn next_key_seed<K: de::DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        for field in self.fields.by_ref() {
            // A field that is there and `undefined` is there.
            if let Some(value) = self.object.get(field) {
                self.value = Some(value);
                let name: StrDeserializer<'_, Error> = field.into_deserializer();
                return seed.deserialize(name).map(Some);
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: de::DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        let value = self
            .value
            .take()
            .expect("Serde asks for a key before its value");
        seed.deserialize(self.around.inner(value))
    }
}

pub(super) struct Variant {
    pub(super) tag: Deserializer,
    pub(super) payload: Deserializer,
}

impl<'de> de::EnumAccess<'de> for Variant {
    type Error = Error;
    type Variant = Deserializer;

    fn variant_seed<V: de::DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Deserializer)> {
        Ok((seed.deserialize(self.tag)?, self.payload))
    }
}

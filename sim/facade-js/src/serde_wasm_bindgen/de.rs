//! From JavaScript to Rust.

use std::cell::RefCell;
use std::rc::Rc;

use serde::de::value::StrDeserializer;
use serde::de::{self, Error as _, IntoDeserializer};

use super::{Error, Result};
use crate::heap::{Kind, MAX_DEPTH, Obj, Repr, is_safe_integer};
use crate::js_sys::{JsString, RangeError, try_iter};
use crate::wasm_bindgen::{JsCast, JsValue};

/// A value that Serde reads from.
#[derive(Clone, Debug)]
pub struct Deserializer {
    value: JsValue,
    depth: u32,
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
    fn inner(&self, value: JsValue) -> Self {
        Self {
            value,
            depth: self.depth + 1,
        }
    }

    /// In a Worker the stack of the engine is the bound, and running into it throws this error.
    fn check_depth(&self) -> Result<()> {
        if self.depth > MAX_DEPTH {
            return Err(JsValue::from(RangeError::new("Maximum call stack size exceeded")).into());
        }
        Ok(())
    }

    fn is_nullish(&self) -> bool {
        self.value.is_null_or_undefined()
    }

    fn bytes(&self) -> Option<Vec<u8>> {
        match &self.value.object()?.kind {
            Kind::Bytes(view) => Some(view.with(<[u8]>::to_vec)),
            Kind::Buffer(bytes) => Some(bytes.borrow().to_vec()),
            _ => None,
        }
    }

    /// The items of the array, if it is one.
    fn items(&self) -> Option<&RefCell<Vec<JsValue>>> {
        match &self.value.object()?.kind {
            Kind::Array(items) => Some(items),
            _ => None,
        }
    }

    /// `Object.entries(value)`, as values.
    fn object_entries(&self) -> Option<Vec<(JsValue, JsValue)>> {
        let entries = self.value.object()?.entries();
        Some(
            entries
                .into_iter()
                .map(|(key, value)| (key.into(), value))
                .collect(),
        )
    }

    #[cold]
    fn invalid_type(&self, expected: &dyn de::Expected) -> Error {
        let (text, bytes);
        let found = match &self.value.repr {
            Repr::Undefined | Repr::Null => de::Unexpected::Unit,
            Repr::Bool(b) => de::Unexpected::Bool(*b),
            Repr::Number(n) => de::Unexpected::Float(*n),
            Repr::String(text) => de::Unexpected::Str(text),
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

    fn safe_integer(&self) -> Option<i64> {
        self.value
            .as_f64()
            .filter(|n| is_safe_integer(*n))
            .map(|n| n as i64)
    }

    fn signed<'de, V: de::Visitor<'de>>(&self, visitor: V) -> Result<V::Value> {
        match self.safe_integer() {
            Some(n) => visitor.visit_i64(n),
            None => Err(self.invalid_type(&visitor)),
        }
    }

    fn unsigned<'de, V: de::Visitor<'de>>(&self, visitor: V) -> Result<V::Value> {
        match self.safe_integer().and_then(|n| u64::try_from(n).ok()) {
            Some(n) => visitor.visit_u64(n),
            None => Err(self.invalid_type(&visitor)),
        }
    }

    fn visit_items<'de, V: de::Visitor<'de>>(
        &self,
        visitor: V,
        items: &RefCell<Vec<JsValue>>,
    ) -> Result<V::Value> {
        let next = 0..items.borrow().len();
        visitor.visit_seq(Items {
            around: self,
            items,
            next,
        })
    }
}

macro_rules! small_integers {
    ($($method:ident $sign:ident)*) => {$(
        fn $method<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            self.$sign(visitor)
        }
    )*};
}

macro_rules! large_integers {
    ($($method:ident $type:ident $visit:ident, else $otherwise:ident)*) => {$(
        fn $method<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            if !self.value.is_bigint() {
                return self.$otherwise(visitor);
            }
            match $type::try_from(self.value) {
                Ok(n) => visitor.$visit(n),
                Err(_) => Err(Error::custom(concat!(
                    "Couldn't deserialize ", stringify!($type), " from a BigInt outside ",
                    stringify!($type), "::MIN..", stringify!($type), "::MAX bounds"
                ))),
            }
        }
    )*};
}

impl Deserializer {
    /// Integers of 128 bits are read from a `BigInt` alone.
    fn no_number<'de, V: de::Visitor<'de>>(&self, visitor: V) -> Result<V::Value> {
        Err(self.invalid_type(&visitor))
    }
}

impl<'de> de::Deserializer<'de> for Deserializer {
    type Error = Error;

    fn deserialize_any<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match &self.value.repr {
            Repr::Undefined | Repr::Null => visitor.visit_unit(),
            Repr::Bool(b) => visitor.visit_bool(*b),
            Repr::Number(n) => match self.safe_integer() {
                Some(n) => visitor.visit_i64(n),
                None => visitor.visit_f64(*n),
            },
            Repr::String(text) => visitor.visit_str(text),
            Repr::BigInt(n) => match n.as_i128().map(i64::try_from) {
                Some(Ok(n)) => visitor.visit_i64(n),
                _ => match n.as_u128().map(u64::try_from) {
                    Some(Ok(n)) => visitor.visit_u64(n),
                    _ => Err(Error::custom(
                        "Couldn't deserialize i64 or u64 from a BigInt outside i64::MIN..u64::MAX bounds",
                    )),
                },
            },
            Repr::Object(object) => match &object.kind {
                Kind::Array(_) => self.deserialize_seq(visitor),
                Kind::Bytes(_) | Kind::Buffer(_) => {
                    visitor.visit_byte_buf(self.bytes().unwrap_or_default())
                }
                Kind::Plain | Kind::Map(_) | Kind::Date(_) | Kind::Error(..) => {
                    self.deserialize_map(visitor)
                }
            },
        }
    }

    fn deserialize_unit<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if self.is_nullish() {
            visitor.visit_unit()
        } else {
            Err(self.invalid_type(&visitor))
        }
    }

    fn deserialize_unit_struct<V: de::Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_bool<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.value.as_bool() {
            Some(b) => visitor.visit_bool(b),
            None => Err(self.invalid_type(&visitor)),
        }
    }

    fn deserialize_f32<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.value.as_f64() {
            Some(n) => visitor.visit_f64(n),
            None => Err(self.invalid_type(&visitor)),
        }
    }

    small_integers! {
        deserialize_i8 signed
        deserialize_i16 signed
        deserialize_i32 signed
        deserialize_u8 unsigned
        deserialize_u16 unsigned
        deserialize_u32 unsigned
    }

    large_integers! {
        deserialize_i64 i64 visit_i64, else signed
        deserialize_u64 u64 visit_u64, else unsigned
        deserialize_i128 i128 visit_i128, else no_number
        deserialize_u128 u128 visit_u128, else no_number
    }

    fn deserialize_char<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.value.dyn_ref::<JsString>().and_then(JsString::as_char) {
            Some(c) => visitor.visit_char(c),
            None => Err(self.invalid_type(&visitor)),
        }
    }

    fn deserialize_str<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.value.text() {
            Some(text) => visitor.visit_str(text),
            None => Err(self.invalid_type(&visitor)),
        }
    }

    fn deserialize_string<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_byte_buf(visitor)
    }

    fn deserialize_byte_buf<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if let Some(bytes) = self.bytes() {
            visitor.visit_byte_buf(bytes)
        } else if let Some(items) = self.items() {
            self.visit_items(visitor, items)
        } else {
            Err(self.invalid_type(&visitor))
        }
    }

    fn deserialize_option<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if self.is_nullish() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_newtype_struct<V: de::Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.check_depth()?;
        if let Some(items) = self.items() {
            return self.visit_items(visitor, items);
        }
        match try_iter(&self.value)? {
            Some(items) => {
                let items = items.collect::<std::result::Result<_, _>>()?;
                self.visit_items(visitor, &RefCell::new(items))
            }
            None => Err(self.invalid_type(&visitor)),
        }
    }

    fn deserialize_tuple<V: de::Visitor<'de>>(
        self,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: de::Visitor<'de>>(
        self,
        _name: &'static str,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.check_depth()?;
        let pairs = match self.value.object().map(|object| &object.kind) {
            // A map without the detour over an array for each pair.
            Some(Kind::Map(entries)) => entries
                .borrow()
                .iter()
                .map(|(key, value)| (key.0.clone(), value.clone()))
                .collect(),
            _ => match try_iter(&self.value)? {
                Some(items) => items
                    .map(|item| item.map(pair))
                    .collect::<std::result::Result<_, _>>()?,
                None => self.object_entries().unwrap_or_default(),
            },
        };
        visitor.visit_map(Pairs {
            around: &self,
            pairs: pairs.into_iter(),
            value: None,
        })
    }

    fn deserialize_struct<V: de::Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.check_depth()?;
        let Some(object) = self.value.object() else {
            return Err(self.invalid_type(&visitor));
        };
        visitor.visit_map(Fields {
            around: &self,
            object,
            fields: fields.iter(),
            value: None,
        })
    }

    fn deserialize_enum<V: de::Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.check_depth()?;
        if self.value.is_string() {
            let payload = self.inner(JsValue::UNDEFINED);
            return visitor.visit_enum(Variant { tag: self, payload });
        }
        let Some(entries) = self.object_entries() else {
            return Err(self.invalid_type(&visitor));
        };
        match <[_; 1]>::try_from(entries) {
            Ok([(tag, payload)]) => visitor.visit_enum(Variant {
                tag: self.inner(tag),
                payload: self.inner(payload),
            }),
            Err(entries) => Err(Error::invalid_length(entries.len(), &"1")),
        }
    }

    fn deserialize_ignored_any<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_unit()
    }

    fn is_human_readable(&self) -> bool {
        true
    }
}

/// The two first items of what is meant to be a pair.
fn pair(value: JsValue) -> (JsValue, JsValue) {
    let item = |index| {
        value
            .object()
            .and_then(|object| object.get(index))
            .unwrap_or_default()
    };
    (item("0"), item("1"))
}

struct Items<'a> {
    around: &'a Deserializer,
    items: &'a RefCell<Vec<JsValue>>,
    next: std::ops::Range<usize>,
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

struct Pairs<'a> {
    around: &'a Deserializer,
    pairs: std::vec::IntoIter<(JsValue, JsValue)>,
    value: Option<JsValue>,
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

/// The fields of a struct, looked up in an object one after the other; what else it has is not seen.
struct Fields<'a> {
    around: &'a Deserializer,
    object: &'a Rc<Obj>,
    fields: std::slice::Iter<'static, &'static str>,
    value: Option<JsValue>,
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

struct Variant {
    tag: Deserializer,
    payload: Deserializer,
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

impl<'de> de::VariantAccess<'de> for Deserializer {
    type Error = Error;

    fn unit_variant(self) -> Result<()> {
        de::Deserialize::deserialize(self)
    }

    fn newtype_variant_seed<T: de::DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: de::Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value> {
        de::Deserializer::deserialize_tuple(self, length, visitor)
    }

    fn struct_variant<V: de::Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        de::Deserializer::deserialize_struct(self, "", fields, visitor)
    }
}

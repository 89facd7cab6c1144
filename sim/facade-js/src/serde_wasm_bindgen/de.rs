//! From JavaScript to Rust.
//!
//! `source` holds the value and says what it can be read as; `access` walks its parts. This file answers Serde's calls with both.

mod access;
mod source;

use serde::de::{self, Error as _};

use super::{Error, Result};
use crate::heap::{Kind, Obj, Repr};
use crate::js_sys::{JsString, try_iter};
use crate::wasm_bindgen::{JsCast, JsValue};
use access::{Fields, Items, Pairs, Variant};

pub use source::Deserializer;

impl Deserializer {
    fn visit_items<'de, V: de::Visitor<'de>>(&self, visitor: V, array: &Obj) -> Result<V::Value> {
        let Kind::Array(items) = &array.kind else {
            unreachable!("callers give an array")
        };
        let next = 0..items.borrow().len();
        visitor.visit_seq(Items {
            around: self,
            items,
            next,
        })
    }

    /// Integers of 128 bits are read from a `BigInt` alone.
    fn no_number<'de, V: de::Visitor<'de>>(&self, visitor: V) -> Result<V::Value> {
        Err(self.invalid_type(&visitor))
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

impl<'de> de::Deserializer<'de> for Deserializer {
    type Error = Error;

    fn deserialize_any<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.value.repr() {
            Repr::Undefined | Repr::Null => visitor.visit_unit(),
            Repr::Bool(b) => visitor.visit_bool(b),
            Repr::Number(n) => match self.safe_integer() {
                Some(n) => visitor.visit_i64(n),
                None => visitor.visit_f64(n),
            },
            Repr::String(text) => visitor.visit_str(&text),
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
            Some(text) => visitor.visit_str(&text),
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
        } else if let Some(array) = self.array() {
            self.visit_items(visitor, &array)
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
        if let Some(array) = self.array() {
            return self.visit_items(visitor, &array);
        }
        match try_iter(&self.value)? {
            Some(items) => {
                let items = items.collect::<std::result::Result<_, _>>()?;
                self.visit_items(visitor, &Obj::array(items))
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
        let object = self.value.object();
        let pairs = match object.as_ref().map(|object| &object.kind) {
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
            object: &object,
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

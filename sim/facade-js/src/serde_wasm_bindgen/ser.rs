//! From Rust to JavaScript.

use std::cell::RefCell;

use serde::ser::{self, Error as _, Serialize};

use super::{Error, Result};
use crate::heap::{Kind, MAX_SAFE_INTEGER, MapKey, Obj, Ordered, Props, Text};
use crate::wasm_bindgen::JsValue;

/// Turns Rust values into JavaScript values, with a choice where there are two ways.
#[derive(Debug, Default)]
pub struct Serializer {
    missing_as_null: bool,
    maps_as_objects: bool,
    large_numbers_as_bigints: bool,
    bytes_as_arrays: bool,
}

impl Serializer {
    /// `undefined` for what is missing, `Map` for maps, `Uint8Array` for bytes, numbers for integers.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            missing_as_null: false,
            maps_as_objects: false,
            large_numbers_as_bigints: false,
            bytes_as_arrays: false,
        }
    }

    /// What JSON can hold: `null`, objects and arrays.
    #[must_use]
    pub const fn json_compatible() -> Self {
        Self {
            missing_as_null: true,
            maps_as_objects: true,
            large_numbers_as_bigints: false,
            bytes_as_arrays: true,
        }
    }

    /// Whether `()`, unit structs and `None` become `null` instead of `undefined`.
    #[must_use]
    pub const fn serialize_missing_as_null(mut self, value: bool) -> Self {
        self.missing_as_null = value;
        self
    }

    /// Whether maps become plain objects instead of `Map`; their keys have to be strings then.
    #[must_use]
    pub const fn serialize_maps_as_objects(mut self, value: bool) -> Self {
        self.maps_as_objects = value;
        self
    }

    /// Whether 64-bit integers become `BigInt` instead of numbers.
    #[must_use]
    pub const fn serialize_large_number_types_as_bigints(mut self, value: bool) -> Self {
        self.large_numbers_as_bigints = value;
        self
    }

    /// Whether bytes become an array of numbers instead of a `Uint8Array`.
    #[must_use]
    pub const fn serialize_bytes_as_arrays(mut self, value: bool) -> Self {
        self.bytes_as_arrays = value;
        self
    }

    fn array(&self, length: Option<usize>) -> ArraySerializer<'_> {
        ArraySerializer {
            serializer: self,
            items: Vec::with_capacity(cautious(length)),
        }
    }

    fn object(&self, length: usize) -> ObjectSerializer<'_> {
        ObjectSerializer {
            serializer: self,
            props: Props::with_capacity(cautious(Some(length))),
        }
    }
}

/// `Serialize` announces a length before it writes; it may be wrong, so only a bounded part of it is reserved.
fn cautious(length: Option<usize>) -> usize {
    length.unwrap_or(0).min(1024)
}

fn unsafe_integer(n: impl std::fmt::Display) -> Error {
    Error::custom(format_args!(
        "{n} can't be represented as a JavaScript number"
    ))
}

macro_rules! converted {
    ($($method:ident($type:ty))*) => {$(
        fn $method(self, value: $type) -> Result<JsValue> {
            Ok(JsValue::from(value))
        }
    )*};
}

impl<'s> ser::Serializer for &'s Serializer {
    type Ok = JsValue;
    type Error = Error;

    type SerializeSeq = ArraySerializer<'s>;
    type SerializeTuple = ArraySerializer<'s>;
    type SerializeTupleStruct = ArraySerializer<'s>;
    type SerializeTupleVariant = VariantSerializer<ArraySerializer<'s>>;
    type SerializeMap = MapSerializer<'s>;
    type SerializeStruct = ObjectSerializer<'s>;
    type SerializeStructVariant = VariantSerializer<ObjectSerializer<'s>>;

    converted! {
        serialize_bool(bool)
        serialize_i8(i8)
        serialize_i16(i16)
        serialize_i32(i32)
        serialize_i128(i128)
        serialize_u8(u8)
        serialize_u16(u16)
        serialize_u32(u32)
        serialize_u128(u128)
        serialize_f32(f32)
        serialize_f64(f64)
        serialize_str(&str)
    }

    fn serialize_i64(self, n: i64) -> Result<JsValue> {
        if self.large_numbers_as_bigints {
            return Ok(n.into());
        }
        if n.unsigned_abs() > MAX_SAFE_INTEGER as u64 {
            return Err(unsafe_integer(n));
        }
        Ok(JsValue::from_f64(n as f64))
    }

    fn serialize_u64(self, n: u64) -> Result<JsValue> {
        if self.large_numbers_as_bigints {
            return Ok(n.into());
        }
        if n > MAX_SAFE_INTEGER as u64 {
            return Err(unsafe_integer(n));
        }
        Ok(JsValue::from_f64(n as f64))
    }

    fn serialize_char(self, c: char) -> Result<JsValue> {
        Ok(JsValue::from_str(c.encode_utf8(&mut [0; 4])))
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<JsValue> {
        Ok(if self.bytes_as_arrays {
            Obj::array(bytes.iter().map(|byte| (*byte).into()).collect()).into()
        } else {
            Obj::bytes(bytes.into()).into()
        })
    }

    fn serialize_none(self) -> Result<JsValue> {
        self.serialize_unit()
    }

    fn serialize_some<T: ?Sized + Serialize>(self, value: &T) -> Result<JsValue> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<JsValue> {
        Ok(if self.missing_as_null {
            JsValue::NULL
        } else {
            JsValue::UNDEFINED
        })
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<JsValue> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<JsValue> {
        Ok(Text::Literal(variant).into())
    }

    fn serialize_newtype_struct<T: ?Sized + Serialize>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<JsValue> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<JsValue> {
        Ok(tagged(variant, value.serialize(self)?))
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<ArraySerializer<'s>> {
        Ok(self.array(length))
    }

    fn serialize_tuple(self, length: usize) -> Result<ArraySerializer<'s>> {
        Ok(self.array(Some(length)))
    }

    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        length: usize,
    ) -> Result<ArraySerializer<'s>> {
        Ok(self.array(Some(length)))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<VariantSerializer<ArraySerializer<'s>>> {
        Ok(VariantSerializer {
            variant,
            inner: self.array(Some(length)),
        })
    }

    fn serialize_map(self, length: Option<usize>) -> Result<MapSerializer<'s>> {
        let capacity = cautious(length);
        Ok(MapSerializer {
            serializer: self,
            target: if self.maps_as_objects {
                Target::Object(Props::with_capacity(capacity))
            } else {
                Target::Map(Ordered::with_capacity(capacity))
            },
            key: None,
        })
    }

    fn serialize_struct(self, _name: &'static str, length: usize) -> Result<ObjectSerializer<'s>> {
        Ok(self.object(length))
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<VariantSerializer<ObjectSerializer<'s>>> {
        Ok(VariantSerializer {
            variant,
            inner: self.object(length),
        })
    }
}

/// `{variant: payload}`, as serde_json writes an enum.
fn tagged(variant: &'static str, payload: JsValue) -> JsValue {
    let mut props = Props::with_capacity(1);
    props.push_new(Text::Literal(variant), payload);
    Obj::plain(props).into()
}

/// Sequences and tuples into an `Array`.
#[expect(
    missing_debug_implementations,
    reason = "half of a value has nothing to show"
)]
pub struct ArraySerializer<'s> {
    serializer: &'s Serializer,
    items: Vec<JsValue>,
}

impl ArraySerializer<'_> {
    fn push<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<()> {
        self.items.push(value.serialize(self.serializer)?);
        Ok(())
    }

    fn finish(self) -> JsValue {
        Obj::array(self.items).into()
    }
}

impl ser::SerializeSeq for ArraySerializer<'_> {
    type Ok = JsValue;
    type Error = Error;

    fn serialize_element<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<()> {
        self.push(value)
    }

    fn end(self) -> Result<JsValue> {
        Ok(self.finish())
    }
}

impl ser::SerializeTuple for ArraySerializer<'_> {
    type Ok = JsValue;
    type Error = Error;

    fn serialize_element<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<()> {
        self.push(value)
    }

    fn end(self) -> Result<JsValue> {
        Ok(self.finish())
    }
}

impl ser::SerializeTupleStruct for ArraySerializer<'_> {
    type Ok = JsValue;
    type Error = Error;

    fn serialize_field<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<()> {
        self.push(value)
    }

    fn end(self) -> Result<JsValue> {
        Ok(self.finish())
    }
}

/// Structs into a plain object, `undefined` fields included.
#[expect(
    missing_debug_implementations,
    reason = "half of a value has nothing to show"
)]
pub struct ObjectSerializer<'s> {
    serializer: &'s Serializer,
    props: Props,
}

impl ObjectSerializer<'_> {
    fn put<T: ?Sized + Serialize>(&mut self, key: &'static str, value: &T) -> Result<()> {
        // Flattened fields may repeat a name; the last one stays.
        self.props
            .insert(Text::Literal(key), value.serialize(self.serializer)?);
        Ok(())
    }

    fn finish(self) -> JsValue {
        Obj::plain(self.props).into()
    }
}

impl ser::SerializeStruct for ObjectSerializer<'_> {
    type Ok = JsValue;
    type Error = Error;

    fn serialize_field<T: ?Sized + Serialize>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<()> {
        self.put(key, value)
    }

    fn end(self) -> Result<JsValue> {
        Ok(self.finish())
    }
}

/// Tuple and struct variants into an object with one name.
#[expect(
    missing_debug_implementations,
    reason = "half of a value has nothing to show"
)]
pub struct VariantSerializer<S> {
    variant: &'static str,
    inner: S,
}

impl ser::SerializeTupleVariant for VariantSerializer<ArraySerializer<'_>> {
    type Ok = JsValue;
    type Error = Error;

    fn serialize_field<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<()> {
        self.inner.push(value)
    }

    fn end(self) -> Result<JsValue> {
        Ok(tagged(self.variant, self.inner.finish()))
    }
}

impl ser::SerializeStructVariant for VariantSerializer<ObjectSerializer<'_>> {
    type Ok = JsValue;
    type Error = Error;

    fn serialize_field<T: ?Sized + Serialize>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<()> {
        self.inner.put(key, value)
    }

    fn end(self) -> Result<JsValue> {
        Ok(tagged(self.variant, self.inner.finish()))
    }
}

enum Target {
    Map(Ordered<MapKey, JsValue>),
    Object(Props),
}

/// Maps into a `Map` or a plain object.
#[expect(
    missing_debug_implementations,
    reason = "half of a value has nothing to show"
)]
pub struct MapSerializer<'s> {
    serializer: &'s Serializer,
    target: Target,
    key: Option<JsValue>,
}

impl ser::SerializeMap for MapSerializer<'_> {
    type Ok = JsValue;
    type Error = Error;

    fn serialize_key<T: ?Sized + Serialize>(&mut self, key: &T) -> Result<()> {
        self.key = Some(key.serialize(self.serializer)?);
        Ok(())
    }

    fn serialize_value<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<()> {
        let key = self
            .key
            .take()
            .expect("Serde serializes a key before its value");
        let value = value.serialize(self.serializer)?;
        match &mut self.target {
            Target::Map(entries) => entries.insert(MapKey::new(key), value),
            Target::Object(props) => {
                let key = key.text().ok_or_else(|| {
                    Error::custom("Map key is not a string and cannot be an object key")
                })?;
                props.insert(key.clone(), value);
            }
        }
        Ok(())
    }

    fn end(self) -> Result<JsValue> {
        Ok(match self.target {
            Target::Map(entries) => Obj::new(Kind::Map(RefCell::new(entries))).into(),
            Target::Object(props) => Obj::plain(props).into(),
        })
    }
}

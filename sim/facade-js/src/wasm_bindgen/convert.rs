//! Rust values from and to `JsValue`: integers of up to 32 bits and floats are numbers, wider integers
//! are `BigInt`, `usize` is the 32-bit pointer of wasm32.

use std::rc::Rc;

use super::{JsCast, JsValue};
use crate::heap::{BigInt, Handle, Obj, Raw, Text};

impl From<Text> for JsValue {
    fn from(text: Text) -> Self {
        Self::of(Raw::String(Handle::new(text)))
    }
}

impl From<BigInt> for JsValue {
    fn from(n: BigInt) -> Self {
        Self::of(Raw::BigInt(Handle::new(n)))
    }
}

impl From<Obj> for JsValue {
    /// Gives a new object its place.
    fn from(object: Obj) -> Self {
        Self::of(Raw::Object(Handle::new(Rc::new(object))))
    }
}

impl From<&str> for JsValue {
    fn from(text: &str) -> Self {
        Self::from_str(text)
    }
}

impl From<String> for JsValue {
    fn from(text: String) -> Self {
        Self::from(Text::from(text))
    }
}

impl From<&String> for JsValue {
    fn from(text: &String) -> Self {
        Self::from_str(text)
    }
}

impl From<bool> for JsValue {
    fn from(b: bool) -> Self {
        Self::from_bool(b)
    }
}

impl<T> From<Option<T>> for JsValue
where
    Self: From<T>,
{
    /// `None` is `undefined`.
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::UNDEFINED, Self::from)
    }
}

impl<T: JsCast> From<&T> for JsValue {
    fn from(value: &T) -> Self {
        value.as_ref().clone()
    }
}

impl From<Vec<u8>> for JsValue {
    /// A `Uint8Array`.
    fn from(bytes: Vec<u8>) -> Self {
        Self::from(Obj::bytes(bytes.into()))
    }
}

impl From<Vec<String>> for JsValue {
    /// An `Array`.
    fn from(items: Vec<String>) -> Self {
        Self::from(Obj::array(items.into_iter().map(Self::from).collect()))
    }
}

impl<T: JsCast> From<Vec<T>> for JsValue {
    /// An `Array`.
    fn from(items: Vec<T>) -> Self {
        Self::from(Obj::array(items.into_iter().map(Into::into).collect()))
    }
}

macro_rules! numbers {
    ($($n:ty)*) => {$(
        impl From<$n> for JsValue {
            fn from(n: $n) -> Self {
                Self::from_f64(f64::from(n))
            }
        }

        impl PartialEq<$n> for JsValue {
            fn eq(&self, other: &$n) -> bool {
                self.as_f64() == Some(f64::from(*other))
            }
        }
    )*};
}
numbers!(i8 u8 i16 u16 i32 u32 f32 f64);

macro_rules! pointer_sized {
    ($($n:ty as $wasm32:ty),*) => {$(
        impl From<$n> for JsValue {
            /// Truncates to 32 bits, the width it has in a Worker.
            fn from(n: $n) -> Self {
                Self::from(n as $wasm32)
            }
        }

        impl PartialEq<$n> for JsValue {
            fn eq(&self, other: &$n) -> bool {
                *self == (*other as $wasm32)
            }
        }
    )*};
}
pointer_sized!(usize as u32, isize as i32);

macro_rules! bigints {
    ($($n:ty as $wide:ty, $narrow:ident);*) => {$(
        impl From<$n> for JsValue {
            /// A `BigInt`.
            fn from(n: $n) -> Self {
                Self::from(BigInt::from(<$wide>::from(n)))
            }
        }

        impl PartialEq<$n> for JsValue {
            fn eq(&self, other: &$n) -> bool {
                matches!(&self.raw, Raw::BigInt(n) if n.get() == BigInt::from(<$wide>::from(*other)))
            }
        }

        impl TryFrom<JsValue> for $n {
            type Error = JsValue;

            /// Gives the value back if it is not a `BigInt` or does not fit.
            fn try_from(value: JsValue) -> Result<Self, JsValue> {
                match &value.raw {
                    Raw::BigInt(n) => n.get().$narrow().and_then(|n| n.try_into().ok()),
                    _ => None,
                }
                .ok_or(value)
            }
        }
    )*};
}
bigints!(i64 as i128, as_i128; u64 as u128, as_u128; i128 as i128, as_i128; u128 as u128, as_u128);

impl TryFrom<JsValue> for f64 {
    type Error = JsValue;

    /// `+v`, which throws for a `BigInt` alone.
    fn try_from(value: JsValue) -> Result<Self, JsValue> {
        Self::try_from(&value)
    }
}

impl TryFrom<&JsValue> for f64 {
    type Error = JsValue;

    fn try_from(value: &JsValue) -> Result<Self, JsValue> {
        if value.is_bigint() {
            let text = "Cannot convert a BigInt value to a number";
            return Err(crate::js_sys::TypeError::new(text).into());
        }
        Ok(value.to_number())
    }
}

impl TryFrom<JsValue> for String {
    type Error = JsValue;

    fn try_from(value: JsValue) -> Result<Self, JsValue> {
        value.as_string().ok_or(value)
    }
}

impl PartialEq<bool> for JsValue {
    fn eq(&self, other: &bool) -> bool {
        self.as_bool() == Some(*other)
    }
}

impl PartialEq<str> for JsValue {
    fn eq(&self, other: &str) -> bool {
        matches!(&self.raw, Raw::String(text) if text.peek(|text| &**text == other))
    }
}

impl PartialEq<&str> for JsValue {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

impl PartialEq<String> for JsValue {
    fn eq(&self, other: &String) -> bool {
        *self == **other
    }
}

impl PartialEq<&String> for JsValue {
    fn eq(&self, other: &&String) -> bool {
        *self == ***other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_64_bits_are_bigints_and_smaller_ones_numbers() {
        assert_eq!(JsValue::from(7_u32).as_f64(), Some(7.0));
        assert_eq!(JsValue::from(0.5_f32).as_f64(), Some(0.5));
        assert!(JsValue::from(7_i64).is_bigint());
        assert_eq!(JsValue::from(7_u64).as_f64(), None);
        assert_eq!(u64::try_from(JsValue::from(u64::MAX)), Ok(u64::MAX));
        assert_eq!(
            i64::try_from(JsValue::from(u64::MAX)),
            Err(JsValue::from(u64::MAX))
        );
        assert_eq!(i64::try_from(JsValue::from(7)), Err(JsValue::from(7)));
        assert_eq!(i128::try_from(JsValue::from(i128::MIN)), Ok(i128::MIN));
        assert_eq!(JsValue::from(1_i64), 1_u64);
    }

    #[test]
    fn a_usize_has_the_32_bits_it_has_in_a_worker() {
        assert_eq!(JsValue::from(5_usize).as_f64(), Some(5.0));
        assert_eq!(JsValue::from((1_usize << 32) + 3).as_f64(), Some(3.0));
        assert_eq!(JsValue::from(-1_isize).as_f64(), Some(-1.0));
    }

    #[test]
    fn none_is_undefined_and_not_null() {
        assert!(JsValue::from(None::<&str>).is_undefined());
        assert_eq!(JsValue::from(Some("x")), "x");
    }
}

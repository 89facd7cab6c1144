//! Bytes to values.

use std::cell::{Cell, RefCell};
use std::fmt;

use super::tag;
use super::write::CLASSES;
use crate::heap::{BigInt, Kind, MAX_DEPTH, MapKey, Obj, Ordered, Props, Text};
use crate::js_sys::dom_exception;
use crate::wasm_bindgen::JsValue;

/// Why bytes are no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// The bytes end inside a value.
    Truncated,
    /// The first byte names another format.
    UnknownVersion(u8),
    /// No value begins with this byte.
    UnknownTag(u8),
    /// A string is no UTF-8.
    NotUtf8,
    /// A varint is too wide for what it stands for.
    TooWide,
    /// The value is nested deeper than anything this crate writes.
    TooDeep,
    /// Bytes follow the value.
    TrailingBytes,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("the bytes end inside a value"),
            Self::UnknownVersion(version) => write!(f, "format version {version} is unknown"),
            Self::UnknownTag(tag) => write!(f, "no value begins with byte {tag}"),
            Self::NotUtf8 => f.write_str("a string is not UTF-8"),
            Self::TooWide => f.write_str("a number is wider than its place"),
            Self::TooDeep => f.write_str("the value is nested too deep"),
            Self::TrailingBytes => f.write_str("bytes follow the value"),
        }
    }
}

impl std::error::Error for DecodeError {}

impl From<DecodeError> for JsValue {
    fn from(error: DecodeError) -> Self {
        dom_exception("DataCloneError", &error.to_string()).into()
    }
}

pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn byte(&mut self) -> Result<u8, DecodeError> {
        let (byte, rest) = self.rest.split_first().ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(*byte)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn varint(&mut self) -> Result<u64, DecodeError> {
        let mut n = 0_u64;
        for (i, byte) in self.rest.iter().enumerate() {
            // The tenth byte has one bit of the 64 left.
            if i > 9 || (i == 9 && *byte > 1) {
                return Err(DecodeError::TooWide);
            }
            n |= u64::from(byte & 0x7f) << (7 * i);
            if *byte < 0x80 {
                self.rest = &self.rest[i + 1..];
                return Ok(n);
            }
        }
        Err(DecodeError::Truncated)
    }

    fn wide_varint(&mut self) -> Result<u128, DecodeError> {
        let mut n = 0_u128;
        for shift in (0..).step_by(7) {
            let byte = self.byte()?;
            let part = u128::from(byte & 0x7f);
            if shift >= 128 || part << shift >> shift != part {
                return Err(DecodeError::TooWide);
            }
            n |= part << shift;
            if byte < 0x80 {
                return Ok(n);
            }
        }
        unreachable!("the shift passes 128 long before the range ends")
    }

    /// A count of items of at least `least_bytes` each. A count too large for the bytes that are left is refused.
    fn count(&mut self, least_bytes: usize) -> Result<usize, DecodeError> {
        let count = usize::try_from(self.varint()?).map_err(|_| DecodeError::Truncated)?;
        if count > self.rest.len() / least_bytes {
            return Err(DecodeError::Truncated);
        }
        Ok(count)
    }

    fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.count(1)?;
        self.take(length)
    }

    fn text(&mut self) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| DecodeError::NotUtf8)
    }

    fn double(&mut self) -> Result<f64, DecodeError> {
        let bytes = self.take(8)?.try_into().expect("eight bytes were taken");
        Ok(f64::from_le_bytes(bytes))
    }

    #[inline]
    pub(super) fn value(&mut self, depth: u32) -> Result<JsValue, DecodeError> {
        let tag = self.byte()?;
        Ok(match tag {
            tag::UNDEFINED => JsValue::UNDEFINED,
            tag::NULL => JsValue::NULL,
            tag::FALSE => JsValue::FALSE,
            tag::TRUE => JsValue::TRUE,
            tag::DOUBLE => JsValue::from_f64(self.double()?),
            tag::INTEGER => {
                let zigzag = u32::try_from(self.varint()?).map_err(|_| DecodeError::TooWide)?;
                JsValue::from((zigzag >> 1) as i32 ^ -((zigzag & 1) as i32))
            }
            tag::STRING => JsValue::from_str(self.text()?),
            tag::BIGINT | tag::NEGATIVE_BIGINT => {
                let n = BigInt::new(tag == tag::NEGATIVE_BIGINT, self.wide_varint()?);
                JsValue::from(n)
            }
            _ if depth > MAX_DEPTH => return Err(DecodeError::TooDeep),
            _ => JsValue::from(self.object(tag, depth)?),
        })
    }

    // Apart from `value`, which stays small enough to be part of the loops here.
    #[inline(never)]
    fn object(&mut self, tag: u8, depth: u32) -> Result<Obj, DecodeError> {
        Ok(match tag {
            tag::OBJECT => {
                let count = self.count(2)?;
                let mut props = Props::with_capacity(count);
                for _ in 0..count {
                    let name = Text::name(self.text()?);
                    props.insert(name, self.value(depth + 1)?);
                }
                Obj::plain(props)
            }
            tag::ARRAY => {
                let count = self.count(1)?;
                let mut items = Vec::with_capacity(count);
                for _ in 0..count {
                    items.push(self.value(depth + 1)?);
                }
                Obj::array(items)
            }
            tag::DOUBLES => {
                let count = self.count(8)?;
                let (numbers, _) = self.take(8 * count)?.as_chunks();
                let items = numbers
                    .iter()
                    .map(|bytes| JsValue::from_f64(f64::from_le_bytes(*bytes)));
                Obj::array(items.collect())
            }
            tag::MAP => {
                let count = self.count(2)?;
                let mut entries = Ordered::with_capacity(count);
                for _ in 0..count {
                    let key = MapKey::new(self.value(depth + 1)?);
                    entries.insert(key, self.value(depth + 1)?);
                }
                Obj::new(Kind::Map(RefCell::new(entries)))
            }
            tag::BYTES => Obj::bytes(self.bytes()?.into()),
            tag::BUFFER => Obj::buffer(self.bytes()?.into()),
            tag::DATE => Obj::new(Kind::Date(Cell::new(self.double()?))),
            tag::ERROR => {
                let class = self.byte()?;
                let class = CLASSES
                    .get(usize::from(class))
                    .ok_or(DecodeError::UnknownTag(class))?;
                let mut hidden = Props::with_capacity(3);
                for key in ["message", "stack", "cause"] {
                    let value = self.value(depth + 1)?;
                    if !value.is_undefined() {
                        hidden.push_new(Text::Literal(key), value);
                    }
                }
                Obj::new(Kind::Error(*class, RefCell::new(hidden)))
            }
            _ => return Err(DecodeError::UnknownTag(tag)),
        })
    }
}

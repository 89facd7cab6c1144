//! Structured clone: a value as bytes, and back.
//!
//! This is how values are stored (a Durable Object's key-value storage) and how they cross from one
//! isolate to another. V8 has a format of its own for it; this one is smaller and is read by this crate
//! alone. One version byte, then the value:
//!
//! | tag | value | content |
//! |---|---|---|
//! | 0 1 2 3 | `undefined` `null` `false` `true` | |
//! | 4 | number | 8 bytes, IEEE 754, little endian |
//! | 5 | number that is an `i32` (and not -0) | zigzag varint |
//! | 6 | string | length, UTF-8 |
//! | 7 8 | `BigInt`, not negative / negative | varint of the magnitude |
//! | 9 | plain object | count, then names (length, UTF-8) and values |
//! | 10 | `Array` | count, values |
//! | 11 | `Map` | count, keys and values |
//! | 12 | `Uint8Array` | length, bytes |
//! | 13 | `ArrayBuffer` | length, bytes |
//! | 14 | `Date` | 8 bytes, as a number |
//! | 15 | `Error` | class, `message`, `stack`, `cause` as values (`undefined` if absent) |
//! | 16 | `Array` of numbers alone, none an `i32` (a list of times) | count, 8 bytes each, as a number |
//!
//! Lengths and counts are varints (LEB128). What the algorithm of the HTML standard drops is dropped:
//! properties that somebody gave to an error, a date, a map or bytes. Differences: an object met twice
//! becomes two, a cycle is an error, a `Uint8Array` takes its own bytes along and not the whole buffer,
//! and names given to an array (`array.total = 1`) are an error instead of being kept.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

use crate::heap::{BigInt, ErrorClass, Kind, MAX_DEPTH, MapKey, Obj, Ordered, Props, Repr, Text};
use crate::js_sys::dom_exception;
use crate::wasm_bindgen::JsValue;

/// The first byte of the format described above.
const VERSION: u8 = 1;

mod tag {
    pub(super) const UNDEFINED: u8 = 0;
    pub(super) const NULL: u8 = 1;
    pub(super) const FALSE: u8 = 2;
    pub(super) const TRUE: u8 = 3;
    pub(super) const DOUBLE: u8 = 4;
    pub(super) const INTEGER: u8 = 5;
    pub(super) const STRING: u8 = 6;
    pub(super) const BIGINT: u8 = 7;
    pub(super) const NEGATIVE_BIGINT: u8 = 8;
    pub(super) const OBJECT: u8 = 9;
    pub(super) const ARRAY: u8 = 10;
    pub(super) const MAP: u8 = 11;
    pub(super) const BYTES: u8 = 12;
    pub(super) const BUFFER: u8 = 13;
    pub(super) const DATE: u8 = 14;
    pub(super) const ERROR: u8 = 15;
    pub(super) const DOUBLES: u8 = 16;
}

/// Clones a value into bytes.
///
/// # Errors
/// A `DataCloneError` for a cycle, for a value nested more than 500 levels deep, and for names given to
/// an array.
pub fn to_bytes(value: &JsValue) -> Result<Vec<u8>, JsValue> {
    let mut bytes = Vec::with_capacity(64);
    append_to(value, &mut bytes)?;
    Ok(bytes)
}

/// Clones a value onto the end of a buffer, for those who reuse one.
///
/// # Errors
/// As [`to_bytes`]; the buffer then ends with a part of the value.
pub fn append_to(value: &JsValue, bytes: &mut Vec<u8>) -> Result<(), JsValue> {
    bytes.push(VERSION);
    write_value(bytes, value, None)
}

/// The objects around the one being written.
struct Around<'a> {
    object: &'a Rc<Obj>,
    depth: u32,
    outer: Option<&'a Around<'a>>,
}

fn refuse(why: &str) -> JsValue {
    dom_exception("DataCloneError", why).into()
}

fn write_value(
    out: &mut Vec<u8>,
    value: &JsValue,
    outer: Option<&Around<'_>>,
) -> Result<(), JsValue> {
    match &value.repr {
        Repr::Undefined => out.push(tag::UNDEFINED),
        Repr::Null => out.push(tag::NULL),
        Repr::Bool(false) => out.push(tag::FALSE),
        Repr::Bool(true) => out.push(tag::TRUE),
        Repr::Number(n) => write_number(out, *n),
        Repr::String(text) => {
            out.push(tag::STRING);
            write_bytes(out, text.as_bytes());
        }
        Repr::BigInt(n) => {
            out.push(if n.is_negative() {
                tag::NEGATIVE_BIGINT
            } else {
                tag::BIGINT
            });
            write_varint(out, n.magnitude());
        }
        Repr::Object(object) => write_object(out, object, outer)?,
    }
    Ok(())
}

fn as_i32(n: f64) -> Option<i32> {
    let small = n as i32;
    // By bits, since -0 is none.
    (f64::from(small).to_bits() == n.to_bits()).then_some(small)
}

fn write_number(out: &mut Vec<u8>, n: f64) {
    // Larger integers (times, above all) would save a byte or two and cost their decoding.
    if let Some(small) = as_i32(n) {
        out.push(tag::INTEGER);
        write_varint_64(out, u64::from(((small << 1) ^ (small >> 31)) as u32));
    } else {
        out.push(tag::DOUBLE);
        out.extend_from_slice(&n.to_le_bytes());
    }
}

fn write_object(
    out: &mut Vec<u8>,
    object: &Rc<Obj>,
    outer: Option<&Around<'_>>,
) -> Result<(), JsValue> {
    let depth = outer.map_or(0, |outer| outer.depth + 1);
    let around = Around {
        object,
        depth,
        outer,
    };
    if depth > MAX_DEPTH {
        let mut ancestors = std::iter::successors(outer, |around| around.outer);
        return Err(refuse(
            if ancestors.any(|ancestor| Rc::ptr_eq(ancestor.object, object)) {
                "an object that contains itself is not simulated"
            } else {
                "a value nested this deep is not simulated"
            },
        ));
    }
    match &object.kind {
        Kind::Plain => {
            out.push(tag::OBJECT);
            let props = object.props.borrow();
            write_length(out, props.len());
            for (name, value) in props.iter() {
                write_bytes(out, name.as_bytes());
                write_value(out, value, Some(&around))?;
            }
        }
        // Of the others the algorithm of the standard takes the internal slots alone.
        Kind::Date(time) => {
            out.push(tag::DATE);
            out.extend_from_slice(&time.get().to_le_bytes());
        }
        Kind::Error(class, _) => write_error(out, object, *class, &around)?,
        Kind::Array(items) => {
            if object.props.borrow().len() > 0 {
                return Err(refuse("names given to an array are not simulated"));
            }
            let items = items.borrow();
            let is_double = |item: &JsValue| item.as_f64().is_some_and(|n| as_i32(n).is_none());
            if !items.is_empty() && items.iter().all(is_double) {
                out.push(tag::DOUBLES);
                write_length(out, items.len());
                out.reserve(8 * items.len());
                for n in items.iter().filter_map(JsValue::as_f64) {
                    out.extend_from_slice(&n.to_le_bytes());
                }
                return Ok(());
            }
            out.push(tag::ARRAY);
            write_length(out, items.len());
            for item in items.iter() {
                write_value(out, item, Some(&around))?;
            }
        }
        Kind::Map(entries) => {
            out.push(tag::MAP);
            let entries = entries.borrow();
            write_length(out, entries.len());
            for (key, value) in entries.iter() {
                write_value(out, &key.0, Some(&around))?;
                write_value(out, value, Some(&around))?;
            }
        }
        Kind::Bytes(view) => {
            out.push(tag::BYTES);
            view.with(|bytes| write_bytes(out, bytes));
        }
        Kind::Buffer(bytes) => {
            out.push(tag::BUFFER);
            write_bytes(out, &bytes.borrow());
        }
    }
    Ok(())
}

/// The classes an error can come back as. A name of its own is lost unless it is one of these, as in the
/// standard.
const CLASSES: [ErrorClass; 7] = [
    ErrorClass::Error,
    ErrorClass::EvalError,
    ErrorClass::RangeError,
    ErrorClass::ReferenceError,
    ErrorClass::SyntaxError,
    ErrorClass::TypeError,
    ErrorClass::UriError,
];

fn write_error(
    out: &mut Vec<u8>,
    object: &Rc<Obj>,
    class: ErrorClass,
    around: &Around<'_>,
) -> Result<(), JsValue> {
    out.push(tag::ERROR);
    // What the standard asks is the value of `name`, so a renamed error changes its class.
    let name = object.get("name").unwrap_or_default();
    let by_name = CLASSES.iter().position(|class| name == class.name());
    let by_class = CLASSES
        .iter()
        .position(|c| *c == class && name.is_undefined());
    out.push(by_name.or(by_class).unwrap_or(0) as u8);
    for key in ["message", "stack", "cause"] {
        let own = object.has_own(key).then(|| object.get(key)).flatten();
        write_value(out, &own.unwrap_or_default(), Some(around))?;
    }
    Ok(())
}

fn write_length(out: &mut Vec<u8>, length: usize) {
    write_varint_64(out, length as u64);
}

fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    write_length(out, bytes.len());
    out.extend_from_slice(bytes);
}

fn write_varint_64(out: &mut Vec<u8>, mut n: u64) {
    if n < 0x80 {
        out.push(n as u8);
        return;
    }
    // Gathered first: one check of the vector's capacity instead of one for each byte.
    let mut bytes = [0; 10];
    let mut count = 0;
    while n >= 0x80 {
        bytes[count] = n as u8 | 0x80;
        n >>= 7;
        count += 1;
    }
    bytes[count] = n as u8;
    out.extend_from_slice(&bytes[..=count]);
}

fn write_varint(out: &mut Vec<u8>, mut n: u128) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

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

/// Reads a value back. Any bytes are safe to read.
///
/// # Errors
/// [`DecodeError`] for bytes that [`to_bytes`] does not write.
pub fn from_bytes(bytes: &[u8]) -> Result<JsValue, DecodeError> {
    let mut reader = Reader { rest: bytes };
    match reader.byte()? {
        VERSION => {}
        version => return Err(DecodeError::UnknownVersion(version)),
    }
    let value = reader.value(0)?;
    if reader.rest.is_empty() {
        Ok(value)
    } else {
        Err(DecodeError::TrailingBytes)
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Result<u8, DecodeError> {
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

    /// A count of items of at least `least_bytes` each: more than there are bytes for cannot be.
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
    fn value(&mut self, depth: u32) -> Result<JsValue, DecodeError> {
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
                JsValue::of(Repr::BigInt(Rc::new(n)))
            }
            _ if depth > MAX_DEPTH => return Err(DecodeError::TooDeep),
            _ => JsValue::from(self.object(tag, depth)?),
        })
    }

    // Apart from `value`, which stays small enough to be part of the loops here.
    #[inline(never)]
    fn object(&mut self, tag: u8, depth: u32) -> Result<Rc<Obj>, DecodeError> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::js_sys::{
        Array, ArrayBuffer, Date, Error, Map, Object, RangeError, Reflect, Uint8Array,
    };
    use crate::wasm_bindgen::JsCast;
    use proptest::prelude::*;

    fn cloned(value: &JsValue) -> JsValue {
        from_bytes(&to_bytes(value).unwrap()).unwrap()
    }

    /// A form in which everything a clone keeps is visible.
    fn shown(value: &JsValue) -> String {
        match &value.repr {
            Repr::Number(n) => format!("{n:?}"),
            Repr::BigInt(n) => format!("{n}n"),
            Repr::String(text) => format!("{:?}", &**text),
            Repr::Object(object) => match &object.kind {
                Kind::Array(items) => {
                    let items: Vec<String> = items.borrow().iter().map(shown).collect();
                    format!("[{}]", items.join(","))
                }
                Kind::Map(entries) => {
                    let entries: Vec<String> = entries
                        .borrow()
                        .iter()
                        .map(|(k, v)| format!("{}=>{}", shown(&k.0), shown(v)))
                        .collect();
                    format!("Map{{{}}}", entries.join(","))
                }
                Kind::Plain => {
                    let entries: Vec<String> = object
                        .entries()
                        .iter()
                        .map(|(k, v)| format!("{:?}:{}", &**k, shown(v)))
                        .collect();
                    format!("{{{}}}", entries.join(","))
                }
                Kind::Bytes(view) => view.with(|bytes| format!("u8{bytes:?}")),
                Kind::Buffer(bytes) => format!("buffer{:?}", bytes.borrow()),
                Kind::Date(time) => format!("Date({:?})", time.get()),
                Kind::Error(..) => {
                    let error: Error = value.clone().into();
                    format!("{value:?} because {}", shown(&error.cause()))
                }
            },
            _ => format!("{value:?}"),
        }
    }

    fn value() -> impl Strategy<Value = JsValue> {
        let leaf = prop_oneof![
            Just(JsValue::UNDEFINED),
            Just(JsValue::NULL),
            any::<bool>().prop_map(JsValue::from),
            any::<f64>().prop_map(JsValue::from),
            any::<i32>().prop_map(JsValue::from),
            Just(JsValue::from(f64::NAN)),
            Just(JsValue::from(-0.0)),
            any::<i128>().prop_map(JsValue::from),
            any::<u128>().prop_map(JsValue::from),
            any::<String>().prop_map(JsValue::from),
            any::<Vec<u8>>().prop_map(JsValue::from),
            any::<Vec<u8>>().prop_map(|b| Uint8Array::from(b).buffer().into()),
            any::<i32>().prop_map(|time| Date::new(&time.into()).into()),
            any::<String>().prop_map(|text| RangeError::new(&text).into()),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            let pairs = prop::collection::vec((inner.clone(), inner.clone()), 0..8);
            let named = prop::collection::vec((any::<String>(), inner.clone()), 0..8);
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(JsValue::from),
                prop::collection::vec(any::<f64>().prop_map(JsValue::from), 0..8)
                    .prop_map(JsValue::from),
                pairs.prop_map(|pairs| {
                    let map = Map::new();
                    for (key, value) in &pairs {
                        map.set(key, value);
                    }
                    map.into()
                }),
                named.prop_map(|pairs| {
                    let object = Object::new();
                    for (key, value) in &pairs {
                        Reflect::set(&object, &key.into(), value).unwrap();
                    }
                    object.into()
                }),
                (any::<String>(), inner).prop_map(|(text, cause)| {
                    let error = Error::new(&text);
                    error.set_cause(&cause);
                    error.into()
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_value_comes_back_as_it_was(value in value()) {
            prop_assert_eq!(shown(&cloned(&value)), shown(&value));
        }

        #[test]
        fn no_bytes_make_the_reader_panic(mut bytes in any::<Vec<u8>>()) {
            let _ = from_bytes(&bytes);
            bytes.insert(0, VERSION);
            if let Ok(value) = from_bytes(&bytes) {
                let _ = to_bytes(&value);
            }
        }

        #[test]
        fn a_changed_or_cut_clone_is_read_or_refused(value in value(), at in any::<prop::sample::Index>(), byte: u8) {
            let mut bytes = to_bytes(&value).unwrap();
            let place = at.index(bytes.len());
            prop_assert_eq!(from_bytes(&bytes[..place]).err(), Some(DecodeError::Truncated));
            bytes[place] = byte;
            let _ = from_bytes(&bytes);
        }
    }

    #[test]
    fn a_clone_shares_nothing_with_its_original() {
        let object = Object::new();
        let list = Array::of1(&1.into());
        Reflect::set(&object, &"list".into(), &list).unwrap();
        let copy = cloned(&object);
        list.push(&2.into());
        let copied = Reflect::get(&copy, &"list".into()).unwrap();
        assert_eq!(copied.unchecked_ref::<Array>().length(), 1);
        assert_ne!(copy, JsValue::from(object));
    }

    #[test]
    fn small_values_are_small() {
        assert_eq!(to_bytes(&7.into()).unwrap(), [VERSION, tag::INTEGER, 14]);
        assert_eq!(to_bytes(&JsValue::TRUE).unwrap().len(), 2);
        assert_eq!(to_bytes(&"ab".into()).unwrap().len(), 5);
        assert_eq!(
            to_bytes(&Uint8Array::new_with_length(100)).unwrap().len(),
            103
        );
        // Milliseconds since the epoch, the usual content of a limiter.
        assert_eq!(to_bytes(&1_700_000_000_123.0.into()).unwrap().len(), 10);
        let times = JsValue::from(vec![JsValue::from(1_700_000_000_123.0); 50]);
        assert_eq!(to_bytes(&times).unwrap().len(), 3 + 8 * 50);
    }

    #[test]
    fn a_cycle_and_what_is_too_deep_are_errors() {
        let array = Array::new();
        array.push(&array);
        array.push(&array);
        let error = to_bytes(&array).unwrap_err();
        assert!(
            error
                .to_text()
                .starts_with("DataCloneError: an object that contains itself")
        );
        array.set_length(0);

        let mut deep = JsValue::NULL;
        for _ in 0..=MAX_DEPTH {
            deep = Array::of1(&deep).into();
        }
        assert_eq!(shown(&cloned(&deep)), shown(&deep));
        deep = Array::of1(&deep).into();
        assert!(
            to_bytes(&deep)
                .unwrap_err()
                .to_text()
                .contains("nested this deep")
        );
    }

    #[test]
    fn hostile_counts_and_depths_cost_nothing() {
        for tag in [
            tag::ARRAY,
            tag::OBJECT,
            tag::MAP,
            tag::BYTES,
            tag::DOUBLES,
            tag::STRING,
        ] {
            let mut huge = vec![VERSION, tag];
            write_varint_64(&mut huge, 1 << 60);
            assert_eq!(from_bytes(&huge).unwrap_err(), DecodeError::Truncated);
        }
        let mut deep = vec![VERSION];
        deep.extend([tag::ARRAY, 1].repeat(100_000));
        deep.push(tag::NULL);
        assert_eq!(from_bytes(&deep).unwrap_err(), DecodeError::TooDeep);
        let mut wide = vec![VERSION, tag::BIGINT];
        wide.extend([0xff; 30]);
        assert_eq!(from_bytes(&wide).unwrap_err(), DecodeError::TooWide);
        assert_eq!(
            from_bytes(&[9]).unwrap_err(),
            DecodeError::UnknownVersion(9)
        );
        assert_eq!(
            from_bytes(&[VERSION, 99]).unwrap_err(),
            DecodeError::UnknownTag(99)
        );
        assert_eq!(
            from_bytes(&[VERSION, 1, 1]).unwrap_err(),
            DecodeError::TrailingBytes
        );
        assert_eq!(from_bytes(&[]).unwrap_err(), DecodeError::Truncated);
    }

    #[test]
    fn an_error_keeps_its_class_and_loses_its_own_properties() {
        let error = RangeError::new("far");
        Reflect::set(&error, &"retryable".into(), &true.into()).unwrap();
        let copy = cloned(&error);
        assert!(copy.is_instance_of::<RangeError>());
        assert!(
            Reflect::get(&copy, &"retryable".into())
                .unwrap()
                .is_undefined()
        );
        error.set_name("OutOfReach");
        assert_eq!(cloned(&error).unchecked_ref::<Error>().name(), "Error");
    }

    #[test]
    fn a_view_takes_its_own_bytes_along() {
        let view = Uint8Array::new_from_slice(&[1, 2, 3, 4]).subarray(1, 3);
        let copy: Uint8Array = cloned(&view).into();
        assert_eq!(copy.to_vec(), [2, 3]);
        assert_eq!(copy.buffer().byte_length(), 2);
        let buffer: ArrayBuffer = cloned(&view.buffer()).into();
        assert_eq!(buffer.byte_length(), 4);
    }

    #[test]
    fn names_given_to_an_array_are_refused_and_those_given_to_a_map_dropped() {
        let array = Array::new();
        Reflect::set(&array, &"total".into(), &1.into()).unwrap();
        assert!(to_bytes(&array).is_err());
        let map = Map::new();
        Reflect::set(&map, &"total".into(), &1.into()).unwrap();
        assert!(
            Reflect::get(&cloned(&map), &"total".into())
                .unwrap()
                .is_undefined()
        );
    }
}

//! Structured clone: a value as bytes, and back.
//!
//! A Durable Object's storage keeps values in this form, and values cross from one isolate to another in
//! it. V8's own format is larger; only this crate reads this one. One version byte, then the value:
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
//! Lengths and counts are varints (LEB128). As in the HTML standard, properties that code added to an error,
//! a date, a map or bytes are lost. Four differences from the standard: an object that occurs twice
//! becomes two objects, a cycle is an error, a `Uint8Array` copies its own bytes and not the whole
//! buffer, and names given to an array (`array.total = 1`) are an error instead of being kept.

mod read;
mod tag;
mod write;

use crate::wasm_bindgen::JsValue;

pub use read::DecodeError;

/// The first byte of the format described above.
const VERSION: u8 = 1;

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

/// Clones a value onto the end of a buffer, so that a caller can reuse one.
///
/// # Errors
/// As [`to_bytes`]; the buffer then ends with a part of the value.
pub fn append_to(value: &JsValue, bytes: &mut Vec<u8>) -> Result<(), JsValue> {
    bytes.push(VERSION);
    write::write_value(bytes, value, None)
}

/// Reads a value back. Any bytes are safe to read.
///
/// # Errors
/// [`DecodeError`] for bytes that [`to_bytes`] does not write.
pub fn from_bytes(bytes: &[u8]) -> Result<JsValue, DecodeError> {
    let mut reader = read::Reader::new(bytes);
    match reader.byte()? {
        VERSION => {}
        version => return Err(DecodeError::UnknownVersion(version)),
    }
    let value = reader.value(0)?;
    if reader.is_done() {
        Ok(value)
    } else {
        Err(DecodeError::TrailingBytes)
    }
}

#[cfg(test)]
mod tests {
    use super::write::write_varint_64;
    use super::*;
    use crate::heap::{Kind, MAX_DEPTH, Repr};
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
        match value.repr() {
            Repr::Number(n) => format!("{n:?}"),
            Repr::BigInt(n) => format!("{n}n"),
            Repr::String(text) => format!("{:?}", &*text),
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

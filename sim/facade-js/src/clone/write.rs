//! Values to bytes.

use std::rc::Rc;

use super::tag;
use crate::heap::{ErrorClass, Kind, MAX_DEPTH, Obj, Repr};
use crate::js_sys::dom_exception;
use crate::wasm_bindgen::JsValue;

/// The objects around the one being written.
pub(super) struct Around<'a> {
    object: &'a Rc<Obj>,
    depth: u32,
    outer: Option<&'a Around<'a>>,
}

fn refuse(why: &str) -> JsValue {
    dom_exception("DataCloneError", why).into()
}

pub(super) fn write_value(
    out: &mut Vec<u8>,
    value: &JsValue,
    outer: Option<&Around<'_>>,
) -> Result<(), JsValue> {
    match value.repr() {
        Repr::Undefined => out.push(tag::UNDEFINED),
        Repr::Null => out.push(tag::NULL),
        Repr::Bool(false) => out.push(tag::FALSE),
        Repr::Bool(true) => out.push(tag::TRUE),
        Repr::Number(n) => write_number(out, n),
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
        Repr::Object(object) => write_object(out, &object, outer)?,
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

/// The classes that an error can be read back as. Any other name is lost, as in the standard.
pub(super) const CLASSES: [ErrorClass; 7] = [
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

pub(super) fn write_varint_64(out: &mut Vec<u8>, mut n: u64) {
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

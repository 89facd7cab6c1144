//! `JSON.stringify`.

use std::fmt::Write as _;
use std::rc::Rc;

use crate::calendar::to_iso_text;
use crate::heap::{Kind, MAX_DEPTH, Obj, Repr, push_number};
use crate::js_sys::{RangeError, TypeError};
use crate::wasm_bindgen::JsValue;

/// `JSON.stringify(value)`, or `None` where it is `undefined`.
pub(crate) fn stringify_text(value: &JsValue) -> Result<Option<String>, JsValue> {
    if value.is_undefined() {
        return Ok(None);
    }
    let mut out = String::new();
    write_value(&mut out, value, &mut Vec::new())?;
    Ok(Some(out))
}

fn write_value(
    out: &mut String,
    value: &JsValue,
    ancestors: &mut Vec<*const Obj>,
) -> Result<(), JsValue> {
    let object = match value.repr() {
        Repr::Undefined | Repr::Null => {
            out.push_str("null");
            return Ok(());
        }
        Repr::Bool(b) => {
            out.push_str(if b { "true" } else { "false" });
            return Ok(());
        }
        Repr::Number(n) if n.is_finite() => {
            push_number(out, n);
            return Ok(());
        }
        Repr::Number(_) => {
            out.push_str("null");
            return Ok(());
        }
        Repr::String(text) => {
            write_string(out, &text);
            return Ok(());
        }
        Repr::BigInt(_) => {
            return Err(TypeError::new("Do not know how to serialize a BigInt").into());
        }
        Repr::Object(object) => object,
    };
    if let Kind::Date(time) = &object.kind {
        match to_iso_text(time.get()) {
            Some(text) => write_string(out, &text),
            None => out.push_str("null"),
        }
        return Ok(());
    }
    if ancestors.contains(&Rc::as_ptr(&object)) {
        // V8's message goes on to draw the circle.
        return Err(TypeError::new("Converting circular structure to JSON").into());
    }
    if ancestors.len() >= MAX_DEPTH as usize {
        return Err(RangeError::new("Maximum call stack size exceeded").into());
    }
    ancestors.push(Rc::as_ptr(&object));
    if let Kind::Array(items) = &object.kind {
        out.push('[');
        for (i, item) in items.borrow().iter().enumerate() {
            if i > 0 {
                out.push(',');
            }
            write_value(out, item, ancestors)?;
        }
        out.push(']');
    } else {
        out.push('{');
        let mut is_first = true;
        for (key, value) in object.entries() {
            if value.is_undefined() {
                continue;
            }
            if !is_first {
                out.push(',');
            }
            is_first = false;
            write_string(out, &key);
            out.push(':');
            write_value(out, &value, ancestors)?;
        }
        out.push('}');
    }
    ancestors.pop();
    Ok(())
}

fn write_string(out: &mut String, text: &str) {
    out.push('"');
    let mut plain_from = 0;
    for (i, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[plain_from..i]);
        plain_from = i + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x08 => out.push_str("\\b"),
            0x0c => out.push_str("\\f"),
            _ => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{byte:04x}");
            }
        }
    }
    out.push_str(&text[plain_from..]);
    out.push('"');
}

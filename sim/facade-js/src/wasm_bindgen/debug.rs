//! Values as wasm-bindgen prints them for debugging: what Workers log, and what some error messages of workers-rs contain.

use std::fmt::{self, Write as _};

use super::text::{Ancestors, enter};
use crate::heap::{JsValue, Kind, Repr};
use crate::js_sys::JSON;

impl fmt::Debug for JsValue {
    /// `JsValue(1)`, `JsValue("text")`, `JsValue(Object({"a":1}))`, `JsValue(Error: text\nstack)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JsValue(")?;
        write_value(f, self, &mut Vec::new())?;
        f.write_str(")")
    }
}

fn write_value(
    f: &mut fmt::Formatter<'_>,
    value: &JsValue,
    ancestors: &mut Ancestors,
) -> fmt::Result {
    let object = match value.repr() {
        // The text is not escaped: wasm-bindgen puts it between quotes as it is.
        Repr::String(text) => return write!(f, "\"{}\"", &*text),
        Repr::BigInt(_) => return f.write_str("BigInt"),
        Repr::Object(object) => object,
        _ => return f.write_str(&value.to_text()),
    };
    match &object.kind {
        Kind::Array(items) => {
            if !enter(ancestors, &object) {
                return f.write_str("[...]");
            }
            f.write_char('[')?;
            for (i, item) in items.borrow().iter().enumerate() {
                if i > 0 {
                    f.write_str(", ")?;
                }
                write_value(f, item, ancestors)?;
            }
            ancestors.pop();
            f.write_char(']')
        }
        Kind::Plain => match JSON::stringify_text(value) {
            Ok(Some(text)) => write!(f, "Object({text})"),
            _ => f.write_str("Object"),
        },
        Kind::Error(..) => {
            let part = |key| object.get(key).unwrap_or_default().to_text();
            let (name, message, stack) = (part("name"), part("message"), part("stack"));
            write!(f, "{}: {}\n{}", &*name, &*message, &*stack)
        }
        Kind::Map(_) => f.write_str("Map"),
        Kind::Bytes(_) => f.write_str("Uint8Array"),
        Kind::Buffer(_) => f.write_str("ArrayBuffer"),
        Kind::Date(_) => f.write_str("Date"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::js_sys::{Array, Date, Error, Map, Object, RangeError, Reflect, Uint8Array};

    #[test]
    fn values_print_as_wasm_bindgen_prints_them() {
        let object = Object::new();
        Reflect::set(&object, &"a".into(), &1.into()).unwrap();
        for (value, text) in [
            (JsValue::UNDEFINED, "JsValue(undefined)"),
            (JsValue::NULL, "JsValue(null)"),
            (JsValue::TRUE, "JsValue(true)"),
            (JsValue::from(1), "JsValue(1)"),
            (JsValue::from(0.1), "JsValue(0.1)"),
            (JsValue::from("say \"hi\"\n"), "JsValue(\"say \"hi\"\n\")"),
            (JsValue::from(1_u64), "JsValue(BigInt)"),
            (
                Array::of(&[1.into(), "b".into()]).into(),
                "JsValue([1, \"b\"])",
            ),
            (object.into(), "JsValue(Object({\"a\":1}))"),
            (Map::new().into(), "JsValue(Map)"),
            (
                Uint8Array::new_from_slice(&[1]).into(),
                "JsValue(Uint8Array)",
            ),
            (Date::new(&0.into()).into(), "JsValue(Date)"),
            (
                Error::new("KV GET failed: 429 Too Many Requests").into(),
                "JsValue(Error: KV GET failed: 429 Too Many Requests\nError: KV GET failed: 429 Too Many Requests)",
            ),
            (
                RangeError::new("too far").into(),
                "JsValue(RangeError: too far\nRangeError: too far)",
            ),
        ] {
            assert_eq!(format!("{value:?}"), text);
        }
    }

    #[test]
    fn a_cycle_prints_and_ends() {
        let object = Object::new();
        Reflect::set(&object, &"self".into(), &object).unwrap();
        assert_eq!(
            format!("{:?}", JsValue::from(object.clone())),
            "JsValue(Object)"
        );
        Reflect::delete_property(&object, &"self".into()).unwrap();

        let array = Array::new();
        array.push(&array);
        assert_eq!(&*JsValue::from(array.clone()).to_text(), "");
        assert!(format!("{:?}", JsValue::from(array.clone())).contains("[[...]]"));
        array.set_length(0);
    }
}

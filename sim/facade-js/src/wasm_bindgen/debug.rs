//! Values as text: `String(v)` of objects, and the form in which wasm-bindgen prints a value for
//! debugging (which Workers log, and which some error messages of workers-rs contain).

use std::fmt::{self, Write as _};
use std::rc::Rc;

use super::JsValue;
use crate::heap::{Kind, MAX_DEPTH, Obj, Repr, Text};
use crate::js_sys::{JSON, date, error};

impl fmt::Debug for JsValue {
    /// `JsValue(1)`, `JsValue("text")`, `JsValue(Object({"a":1}))`, `JsValue(Error: text\nstack)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JsValue(")?;
        write_value(f, self, &mut Vec::new())?;
        f.write_str(")")
    }
}

/// The arrays being printed, outermost first: one that comes again is a cycle.
type Ancestors = Vec<*const Obj>;

fn enter(ancestors: &mut Ancestors, array: &Rc<Obj>) -> bool {
    let place = Rc::as_ptr(array);
    if ancestors.len() >= MAX_DEPTH as usize || ancestors.contains(&place) {
        return false;
    }
    ancestors.push(place);
    true
}

fn write_value(
    f: &mut fmt::Formatter<'_>,
    value: &JsValue,
    ancestors: &mut Ancestors,
) -> fmt::Result {
    let object = match &value.repr {
        // The text is not escaped: wasm-bindgen puts it between quotes as it is.
        Repr::String(text) => return write!(f, "\"{}\"", &**text),
        Repr::BigInt(_) => return f.write_str("BigInt"),
        Repr::Object(object) => object,
        _ => return f.write_str(&value.to_text()),
    };
    match &object.kind {
        Kind::Array(items) => {
            if !enter(ancestors, object) {
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

/// `String(object)`.
pub(super) fn object_to_text(object: &Rc<Obj>) -> Text {
    match &object.kind {
        Kind::Array(_) => Text::from(join(object, ",")),
        _ => leaf_to_text(object),
    }
}

/// `array.join(separator)`: `null` and `undefined` are empty, and so is an array inside itself.
pub(crate) fn join(array: &Rc<Obj>, separator: &str) -> String {
    let mut out = String::new();
    push_joined(&mut out, array, separator, &mut Vec::new());
    out
}

fn push_joined(out: &mut String, array: &Rc<Obj>, separator: &str, ancestors: &mut Ancestors) {
    let Kind::Array(items) = &array.kind else {
        return;
    };
    if !enter(ancestors, array) {
        return;
    }
    for (i, item) in items.borrow().iter().enumerate() {
        if i > 0 {
            out.push_str(separator);
        }
        match &item.repr {
            Repr::Undefined | Repr::Null => {}
            // Arrays inside are joined by their own `toString`, with commas.
            Repr::Object(inner) if item.is_array() => push_joined(out, inner, ",", ancestors),
            Repr::Object(inner) => out.push_str(&leaf_to_text(inner)),
            _ => out.push_str(&item.to_text()),
        }
    }
    ancestors.pop();
}

fn leaf_to_text(object: &Rc<Obj>) -> Text {
    match &object.kind {
        Kind::Plain | Kind::Array(_) => Text::Literal("[object Object]"),
        Kind::Map(_) => Text::Literal("[object Map]"),
        Kind::Buffer(_) => Text::Literal("[object ArrayBuffer]"),
        Kind::Date(time) => Text::from(date::to_text(time.get())),
        Kind::Error(..) => Text::from(error::to_text(object)),
        Kind::Bytes(view) => view.with(|bytes| {
            let numbers: Vec<String> = bytes.iter().map(u8::to_string).collect();
            Text::from(numbers.join(","))
        }),
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

    #[test]
    fn objects_convert_to_the_strings_of_javascript() {
        let nested = Array::of(&[
            1.into(),
            JsValue::NULL,
            JsValue::UNDEFINED,
            Array::of(&["a".into(), 2.into()]).into(),
            Object::new().into(),
        ]);
        assert_eq!(&*JsValue::from(nested).to_text(), "1,,,a,2,[object Object]");
        assert_eq!(&*JsValue::from(Map::new()).to_text(), "[object Map]");
        assert_eq!(
            &*JsValue::from(Uint8Array::new_from_slice(&[1, 255])).to_text(),
            "1,255"
        );
        assert_eq!(&*JsValue::from(Error::new("")).to_text(), "Error");
    }
}

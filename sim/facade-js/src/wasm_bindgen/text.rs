//! Values converted as JavaScript converts them: `Number(v)`, `String(v)`, `array.join(…)`.

use std::rc::Rc;

use crate::calendar;
use crate::heap::{JsValue, Kind, MAX_DEPTH, Obj, Repr, Text, number_to_string, string_to_number};

impl JsValue {
    /// `Number(v)`.
    pub(crate) fn to_number(&self) -> f64 {
        match self.repr() {
            Repr::Undefined => f64::NAN,
            Repr::Null => 0.0,
            Repr::Bool(b) => f64::from(u8::from(b)),
            Repr::Number(n) => n,
            Repr::String(text) => string_to_number(&text),
            Repr::BigInt(n) => {
                let magnitude = n.magnitude() as f64;
                if n.is_negative() {
                    -magnitude
                } else {
                    magnitude
                }
            }
            Repr::Object(object) => match &object.kind {
                Kind::Date(time) => time.get(),
                _ => string_to_number(&self.to_text()),
            },
        }
    }

    /// `String(v)`.
    pub(crate) fn to_text(&self) -> Text {
        match self.repr() {
            Repr::Undefined => Text::Literal("undefined"),
            Repr::Null => Text::Literal("null"),
            Repr::Bool(true) => Text::Literal("true"),
            Repr::Bool(false) => Text::Literal("false"),
            Repr::Number(n) => Text::from(number_to_string(n)),
            Repr::String(text) => text,
            Repr::BigInt(n) => Text::from(n.to_string()),
            Repr::Object(object) => object_to_text(&object),
        }
    }
}

/// The arrays being printed, outermost first. An array that occurs twice is a cycle.
pub(super) type Ancestors = Vec<*const Obj>;

pub(super) fn enter(ancestors: &mut Ancestors, array: &Rc<Obj>) -> bool {
    let place = Rc::as_ptr(array);
    if ancestors.len() >= MAX_DEPTH as usize || ancestors.contains(&place) {
        return false;
    }
    ancestors.push(place);
    true
}

/// `String(object)`.
fn object_to_text(object: &Rc<Obj>) -> Text {
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
        match item.repr() {
            Repr::Undefined | Repr::Null => {}
            // Arrays inside are joined by their own `toString`, with commas.
            Repr::Object(inner) if item.is_array() => push_joined(out, &inner, ",", ancestors),
            Repr::Object(inner) => out.push_str(&leaf_to_text(&inner)),
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
        Kind::Date(time) => Text::from(calendar::to_text(time.get())),
        Kind::Error(..) => Text::from(error_to_text(object)),
        Kind::Bytes(view) => view.with(|bytes| {
            let numbers: Vec<String> = bytes.iter().map(u8::to_string).collect();
            Text::from(numbers.join(","))
        }),
    }
}

/// `Error.prototype.toString`.
fn error_to_text(error: &Rc<Obj>) -> String {
    let part = |key| error.get(key).unwrap_or_default().to_text();
    let (name, message) = (part("name"), part("message"));
    match (name.is_empty(), message.is_empty()) {
        (true, _) => message.to_string(),
        (_, true) => name.to_string(),
        _ => format!("{}: {}", &*name, &*message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::js_sys::{Array, Error, Map, Object, Uint8Array};

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

//! `JSON`, with V8's rules and V8's messages.
//!
//! Parsing keeps no stack of its own calls, so that a text nested 30,000 levels deep is read as V8 reads
//! it. Positions in messages count UTF-16 units; the line and column that newer versions of V8 add are
//! added too. An escaped lone surrogate becomes U+FFFD, which is what Rust sees of it in a Worker.

use std::fmt::Write as _;
use std::rc::Rc;

use super::date::to_iso_text;
use super::{JsString, RangeError, SyntaxError, TypeError};
use crate::heap::{Kind, MAX_DEPTH, Obj, Props, Repr, Text, push_number};
use crate::wasm_bindgen::JsValue;

/// `JSON.parse(text)`.
///
/// # Errors
/// A `SyntaxError` with V8's message.
pub fn parse(text: &str) -> Result<JsValue, JsValue> {
    let mut parser = Parser { text, at: 0 };
    parser
        .document()
        .map_err(|fault| SyntaxError::new(&fault.message(text)).into())
}

/// `JSON.stringify(value)`; for `undefined` the answer is `undefined`, as in JavaScript.
///
/// # Errors
/// A `TypeError` for a `BigInt` and for a cycle, a `RangeError` for a value nested too deep.
pub fn stringify(value: &JsValue) -> Result<JsString, JsValue> {
    Ok(stringify_text(value)?
        .map_or(JsValue::UNDEFINED, JsValue::from)
        .into())
}

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
    let object = match &value.repr {
        Repr::Undefined | Repr::Null => {
            out.push_str("null");
            return Ok(());
        }
        Repr::Bool(b) => {
            out.push_str(if *b { "true" } else { "false" });
            return Ok(());
        }
        Repr::Number(n) if n.is_finite() => {
            push_number(out, *n);
            return Ok(());
        }
        Repr::Number(_) => {
            out.push_str("null");
            return Ok(());
        }
        Repr::String(text) => {
            write_string(out, text);
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
    if ancestors.contains(&Rc::as_ptr(object)) {
        // V8's message goes on to draw the circle.
        return Err(TypeError::new("Converting circular structure to JSON").into());
    }
    if ancestors.len() >= MAX_DEPTH as usize {
        return Err(RangeError::new("Maximum call stack size exceeded").into());
    }
    ancestors.push(Rc::as_ptr(object));
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

/// Where and why a text is no JSON.
struct Fault {
    /// In bytes.
    at: usize,
    /// V8's message up to the words "JSON at position", or one of the two below.
    why: &'static str,
}

/// The faults whose message does not name a position.
const UNEXPECTED_END: &str = "Unexpected end of JSON input";
const UNEXPECTED_TOKEN: &str = "";

impl Fault {
    fn message(&self, text: &str) -> String {
        // The units before the fault, and those from it on.
        let position = text[..self.at].encode_utf16().count();
        if self.at >= text.len() && matches!(self.why, UNEXPECTED_TOKEN | UNEXPECTED_END) {
            return UNEXPECTED_END.to_owned();
        }
        if self.why != UNEXPECTED_TOKEN {
            let before = &text[..self.at];
            let line = 1 + before.matches('\n').count() + before.matches('\r').count()
                - before.matches("\r\n").count();
            let line_start = before.rfind(['\n', '\r']).map_or(0, |i| i + 1);
            let column = 1 + before[line_start..].encode_utf16().count();
            let why = self.why;
            return format!("{why} JSON at position {position} (line {line} column {column})");
        }
        if matches!(text, "NaN" | "Infinity" | "undefined" | "[object Object]") {
            return format!("\"{text}\" is not valid JSON");
        }
        // How much of the text V8 shows on either side of the token.
        const CONTEXT_UNITS: usize = 10;
        let units: Vec<u16> = text.encode_utf16().collect();
        let shown = |range: std::ops::Range<usize>| String::from_utf16_lossy(&units[range]);
        let token = shown(position..position + 1);
        let length = units.len();
        let (before, excerpt, after) = if length <= 2 * CONTEXT_UNITS {
            ("", shown(0..length), "")
        } else if position < CONTEXT_UNITS {
            ("", shown(0..position + CONTEXT_UNITS), "...")
        } else if position < length - CONTEXT_UNITS {
            (
                "...",
                shown(position - CONTEXT_UNITS..position + CONTEXT_UNITS),
                "...",
            )
        } else {
            ("...", shown(position - CONTEXT_UNITS..length), "")
        };
        format!("Unexpected token '{token}', {before}\"{excerpt}\"{after} is not valid JSON")
    }
}

/// A list or an object that is not closed yet.
enum Open {
    Array(Vec<JsValue>),
    /// With the name whose value comes next.
    Object(Props, Text),
}

struct Parser<'a> {
    text: &'a str,
    /// In bytes.
    at: usize,
}

impl<'a> Parser<'a> {
    fn document(&mut self) -> Result<JsValue, Fault> {
        let mut open: Vec<Open> = Vec::new();
        loop {
            // Here a value begins.
            let mut value = match self.next_token() {
                Some(b'{') => {
                    self.at += 1;
                    if self.next_token() == Some(b'}') {
                        self.at += 1;
                        Obj::plain(Props::new()).into()
                    } else {
                        let key = self.name("Expected property name or '}' in")?;
                        open.push(Open::Object(Props::new(), key));
                        continue;
                    }
                }
                Some(b'[') => {
                    self.at += 1;
                    if self.next_token() == Some(b']') {
                        self.at += 1;
                        Obj::array(Vec::new()).into()
                    } else {
                        open.push(Open::Array(Vec::new()));
                        continue;
                    }
                }
                Some(b'"') => JsValue::from(self.string(|text| Text::from(text))?),
                Some(b'-' | b'0'..=b'9') => self.number()?,
                Some(b't') => self.literal("true", JsValue::TRUE)?,
                Some(b'f') => self.literal("false", JsValue::FALSE)?,
                Some(b'n') => self.literal("null", JsValue::NULL)?,
                _ => return Err(self.fault(UNEXPECTED_TOKEN)),
            };
            // Here one has ended, and perhaps what it is in.
            loop {
                match open.pop() {
                    None => {
                        return match self.next_token() {
                            None => Ok(value),
                            Some(_) => Err(self.fault("Unexpected non-whitespace character after")),
                        };
                    }
                    Some(Open::Array(mut items)) => {
                        items.push(value);
                        match self.next_token() {
                            Some(b',') => {
                                self.at += 1;
                                open.push(Open::Array(items));
                                break;
                            }
                            Some(b']') => {
                                self.at += 1;
                                value = Obj::array(items).into();
                            }
                            _ => {
                                return Err(
                                    self.fault("Expected ',' or ']' after array element in")
                                );
                            }
                        }
                    }
                    Some(Open::Object(mut props, key)) => {
                        props.insert(key, value);
                        match self.next_token() {
                            Some(b',') => {
                                self.at += 1;
                                let key = self.name("Expected double-quoted property name in")?;
                                open.push(Open::Object(props, key));
                                break;
                            }
                            Some(b'}') => {
                                self.at += 1;
                                value = Obj::plain(props).into();
                            }
                            _ => {
                                return Err(
                                    self.fault("Expected ',' or '}' after property value in")
                                );
                            }
                        }
                    }
                }
            }
        }
    }

    fn fault(&self, why: &'static str) -> Fault {
        // Never inside a character, so that the text can be cut here.
        let mut at = self.at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        Fault { at, why }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Skips white space; the byte that follows.
    fn next_token(&mut self) -> Option<u8> {
        loop {
            match self.peek()? {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                byte => return Some(byte),
            }
        }
    }

    /// A property name and its colon.
    fn name(&mut self, wanted: &'static str) -> Result<Text, Fault> {
        if self.next_token() != Some(b'"') {
            return Err(self.fault(wanted));
        }
        let name = self.string(Text::name)?;
        if self.next_token() != Some(b':') {
            return Err(self.fault("Expected ':' after property name in"));
        }
        self.at += 1;
        Ok(name)
    }

    fn literal(&mut self, word: &'static str, value: JsValue) -> Result<JsValue, Fault> {
        for byte in word.bytes() {
            if self.peek() != Some(byte) {
                return Err(self.fault(UNEXPECTED_TOKEN));
            }
            self.at += 1;
        }
        Ok(value)
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - start
    }

    fn number(&mut self) -> Result<JsValue, Fault> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
            if matches!(self.peek(), Some(b'0'..=b'9')) {
                return Err(self.fault("Unexpected number in"));
            }
        } else if self.digits() == 0 {
            return Err(self.fault("No number after minus sign in"));
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return Err(self.fault("Unterminated fractional number in"));
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if self.digits() == 0 {
                return Err(self.fault("Exponent part is missing a number in"));
            }
        }
        let digits = &self.text[start..self.at];
        Ok(JsValue::from_f64(
            digits.parse().expect("JSON's numbers are a part of Rust's"),
        ))
    }

    /// A string, from its opening quote on.
    fn string(&mut self, make: fn(&str) -> Text) -> Result<Text, Fault> {
        self.at += 1;
        let start = self.at;
        loop {
            match self.peek() {
                Some(b'"') => {
                    let text = &self.text[start..self.at];
                    self.at += 1;
                    return Ok(make(text));
                }
                Some(b'\\') => return self.string_with_escapes(start),
                Some(byte) => self.plain(byte)?,
                None => return Err(self.fault("Unterminated string in")),
            }
        }
    }

    fn plain(&mut self, byte: u8) -> Result<(), Fault> {
        if byte < 0x20 {
            return Err(self.fault("Bad control character in string literal in"));
        }
        self.at += 1;
        Ok(())
    }

    fn string_with_escapes(&mut self, start: usize) -> Result<Text, Fault> {
        let mut out = String::from(&self.text[start..self.at]);
        loop {
            let plain_from = self.at;
            while let Some(byte) = self.peek().filter(|byte| !matches!(byte, b'"' | b'\\')) {
                self.plain(byte)?;
            }
            out.push_str(&self.text[plain_from..self.at]);
            match self.peek() {
                None => return Err(self.fault("Unterminated string in")),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Text::from(out));
                }
                Some(_) => self.escape(&mut out)?,
            }
        }
    }

    fn escape(&mut self, out: &mut String) -> Result<(), Fault> {
        self.at += 1;
        let Some(byte) = self.peek() else {
            return Err(self.fault(UNEXPECTED_END));
        };
        out.push(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.at += 1;
                let unit = self.unit()?;
                out.push(self.character(unit)?);
                return Ok(());
            }
            _ => return Err(self.fault("Bad escaped character in")),
        });
        self.at += 1;
        Ok(())
    }

    /// Four hexadecimal digits.
    fn unit(&mut self) -> Result<u16, Fault> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            let Some(digit) = digit else {
                return Err(self.fault("Bad Unicode escape in"));
            };
            unit = unit << 4 | digit as u16;
            self.at += 1;
        }
        Ok(unit)
    }

    /// The character of a unit, together with the low surrogate that may follow.
    fn character(&mut self, unit: u16) -> Result<char, Fault> {
        if !(0xd800..0xdc00).contains(&unit) || !self.text[self.at..].starts_with("\\u") {
            return Ok(char::from_u32(unit.into()).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let after_first = self.at;
        self.at += 2;
        let low = self.unit()?;
        match char::decode_utf16([unit, low]).next() {
            Some(Ok(c)) => Ok(c),
            _ => {
                // The second escape stands for itself.
                self.at = after_first;
                Ok(char::REPLACEMENT_CHARACTER)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::js_sys::{Array, Date, Map, Object, Reflect, Uint8Array};
    use proptest::prelude::*;

    fn again(text: &str) -> String {
        stringify(&parse(text).unwrap()).unwrap().into()
    }

    #[test]
    fn faults_are_named_as_v8_names_them() {
        // Messages of Node 20, which has no line and column yet.
        for (text, message) in [
            ("abc", r#"Unexpected token 'a', "abc" is not valid JSON"#),
            ("", "Unexpected end of JSON input"),
            ("  ", "Unexpected end of JSON input"),
            ("{", "Expected property name or '}' in JSON at position 1"),
            ("{a", "Expected property name or '}' in JSON at position 1"),
            (
                "[1",
                "Expected ',' or ']' after array element in JSON at position 2",
            ),
            (
                "[1 2",
                "Expected ',' or ']' after array element in JSON at position 3",
            ),
            (
                "{\"a\"",
                "Expected ':' after property name in JSON at position 4",
            ),
            (
                "{\"a\":1",
                "Expected ',' or '}' after property value in JSON at position 6",
            ),
            (
                "{\"a\":1]",
                "Expected ',' or '}' after property value in JSON at position 6",
            ),
            (
                "{\"a\":1,}",
                "Expected double-quoted property name in JSON at position 7",
            ),
            ("[1,]", r#"Unexpected token ']', "[1,]" is not valid JSON"#),
            ("\"abc", "Unterminated string in JSON at position 4"),
            (
                "\"a\nb\"",
                "Bad control character in string literal in JSON at position 2",
            ),
            ("\"\\x\"", "Bad escaped character in JSON at position 2"),
            ("\"\\u12g4\"", "Bad Unicode escape in JSON at position 5"),
            ("\"\\u12", "Bad Unicode escape in JSON at position 5"),
            ("\"\\", "Unexpected end of JSON input"),
            ("-", "No number after minus sign in JSON at position 1"),
            (
                "1e",
                "Exponent part is missing a number in JSON at position 2",
            ),
            (
                "1.a",
                "Unterminated fractional number in JSON at position 2",
            ),
            (
                "1 2",
                "Unexpected non-whitespace character after JSON at position 2",
            ),
            ("01", "Unexpected number in JSON at position 1"),
            ("-01", "Unexpected number in JSON at position 2"),
            ("tru", "Unexpected end of JSON input"),
            (
                "truex",
                "Unexpected non-whitespace character after JSON at position 4",
            ),
            ("undefined", "\"undefined\" is not valid JSON"),
            ("é", r#"Unexpected token 'é', "é" is not valid JSON"#),
            (
                "[😀]",
                "Unexpected token '\u{fffd}', \"[😀]\" is not valid JSON",
            ),
            (
                "hello this is a longer text that is not json at all",
                r#"Unexpected token 'h', "hello this"... is not valid JSON"#,
            ),
            (
                "[1,2,3,4,5,6,7,8,9,10,11,12,13,x,14,15,16,17,18,19,20,21,22,23,24,25]",
                r#"Unexpected token 'x', ...",11,12,13,x,14,15,16"... is not valid JSON"#,
            ),
            (
                "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,x]",
                r#"Unexpected token 'x', ...",18,19,20,x]" is not valid JSON"#,
            ),
        ] {
            let error = parse(text).unwrap_err();
            let shown = error.to_text();
            let shown = shown.strip_prefix("SyntaxError: ").unwrap();
            let shown = shown.split(" (line ").next().unwrap();
            assert_eq!(shown, message, "{text}");
        }
    }

    #[test]
    fn a_fault_names_its_line_and_column() {
        let error = parse("{\n  \"é\": 1\n  \"b\": 2}").unwrap_err();
        assert_eq!(
            &*error.to_text(),
            "SyntaxError: Expected ',' or '}' after property value in JSON at position 13 (line 3 column 3)"
        );
    }

    #[test]
    fn texts_come_back_as_javascript_writes_them() {
        for (text, written) in [
            (" [ 1 , 2.50 , 1e3 , -0 ] ", "[1,2.5,1000,0]"),
            ("{\"b\":1,\"a\":{},\"b\":2}", "{\"b\":2,\"a\":{}}"),
            ("{\"b\":1,\"1\":2}", "{\"1\":2,\"b\":1}"),
            (
                "\"\\u00e9\\ud83d\\ude00\\n\\u0001/\\/\"",
                "\"é😀\\n\\u0001//\"",
            ),
            ("\"\\ud83dx\\ud83d\\u0041\"", "\"\u{fffd}x\u{fffd}A\""),
            ("1e400", "null"),
            ("9007199254740993", "9007199254740992"),
        ] {
            assert_eq!(again(text), written);
        }
    }

    #[test]
    fn what_json_cannot_hold_is_left_out_null_or_an_error() {
        let object = Object::new();
        Reflect::set(&object, &"gone".into(), &JsValue::UNDEFINED).unwrap();
        Reflect::set(&object, &"list".into(), &Array::of1(&JsValue::UNDEFINED)).unwrap();
        Reflect::set(&object, &"nan".into(), &f64::NAN.into()).unwrap();
        Reflect::set(&object, &"map".into(), &Map::new()).unwrap();
        Reflect::set(
            &object,
            &"bytes".into(),
            &Uint8Array::new_from_slice(&[7, 8]),
        )
        .unwrap();
        Reflect::set(&object, &"date".into(), &Date::new(&0.into())).unwrap();
        assert_eq!(
            stringify(&object).unwrap(),
            "{\"list\":[null],\"nan\":null,\"map\":{},\"bytes\":{\"0\":7,\"1\":8},\"date\":\"1970-01-01T00:00:00.000Z\"}"
        );
        assert!(JsValue::from(stringify(&JsValue::UNDEFINED).unwrap()).is_undefined());

        let error = stringify(&Array::of1(&1_u64.into())).unwrap_err();
        assert_eq!(
            &*error.to_text(),
            "TypeError: Do not know how to serialize a BigInt"
        );
        Reflect::set(&object, &"self".into(), &object).unwrap();
        let error = stringify(&object).unwrap_err();
        assert!(
            error
                .to_text()
                .starts_with("TypeError: Converting circular structure to JSON")
        );
        Reflect::delete_property(&object, &"self".into()).unwrap();
    }

    #[test]
    fn a_text_nested_30000_levels_deep_is_read() {
        let text = "[".repeat(30_000) + &"]".repeat(30_000);
        let value = parse(&text).unwrap();
        let error = stringify(&value).unwrap_err();
        assert_eq!(
            &*error.to_text(),
            "RangeError: Maximum call stack size exceeded"
        );
        assert!(parse(&"[".repeat(30_000)).is_err());
    }

    #[test]
    fn an_object_with_thousands_of_names_is_read_in_order() {
        let text: Vec<String> = (0..8_000).rev().map(|i| format!("\"k{i}\":{i}")).collect();
        let value = parse(&format!("{{{}}}", text.join(","))).unwrap();
        assert_eq!(Reflect::get(&value, &"k17".into()).unwrap(), 17);
        assert!(
            stringify_text(&value)
                .unwrap()
                .unwrap()
                .starts_with("{\"k7999\":7999,")
        );
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            // Sixteenths are exact in every reader of numbers.
            any::<i32>().prop_map(|n| (f64::from(n) / 16.0).into()),
            any::<i32>().prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 48, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
                prop::collection::vec((any::<String>(), inner), 0..8)
                    .prop_map(|pairs| serde_json::Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_json_is_read_and_written_with_its_meaning(value in json()) {
            let written = again(&value.to_string());
            let read: serde_json::Value = serde_json::from_str(&written).unwrap();
            // Through the same text form: JavaScript does not tell 1 from 1.0.
            prop_assert_eq!(again(&read.to_string()), written);
            fn floats(value: &serde_json::Value) -> serde_json::Value {
                match value {
                    serde_json::Value::Number(n) => n.as_f64().unwrap().into(),
                    serde_json::Value::Array(items) => items.iter().map(floats).collect(),
                    serde_json::Value::Object(map) => {
                        map.iter().map(|(k, v)| (k.clone(), floats(v))).collect()
                    }
                    other => other.clone(),
                }
            }
            let zero = |v: serde_json::Value| v.to_string().replace("-0.0", "0.0");
            prop_assert_eq!(zero(floats(&read)), zero(floats(&value)));
        }

        #[test]
        fn a_number_survives_its_text(n: f64) {
            let n = if n.is_finite() { n } else { 0.5 };
            prop_assert_eq!(parse(&stringify_text(&n.into()).unwrap().unwrap()).unwrap(), n);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "[\\[\\]{}\":,\\\\u0-9a-f.eE+ \\-tn😀\n]{0,40}") {
            if let Err(error) = parse(&text) {
                prop_assert!(error.to_text().starts_with("SyntaxError: "));
            }
            let agrees = parse(&text).is_ok() == serde_json::from_str::<serde_json::Value>(&text).is_ok();
            // serde_json refuses numbers beyond a double and lone surrogates, JavaScript does not.
            prop_assert!(agrees || text.contains('e') || text.contains('E') || text.contains("\\u"));
        }
    }
}

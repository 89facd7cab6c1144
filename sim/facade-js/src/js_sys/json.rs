//! `JSON`, with V8's rules and V8's messages.
//!
//! Parsing keeps no stack of its own calls, so that a text nested 30,000 levels deep is read as V8 reads
//! it. Positions in messages count UTF-16 units; the line and column that newer versions of V8 add are
//! added too. An escaped lone surrogate becomes U+FFFD, which is what Rust sees of it in a Worker.

// Named by path, because this module's own name and its file's differ.
#[path = "json/fault.rs"]
mod fault;
#[path = "json/parse.rs"]
mod parser;
#[path = "json/stringify.rs"]
mod stringifier;

use super::{JsString, SyntaxError};
use crate::wasm_bindgen::JsValue;

pub(crate) use stringifier::stringify_text;

/// `JSON.parse(text)`.
///
/// # Errors
/// A `SyntaxError` with V8's message.
pub fn parse(text: &str) -> Result<JsValue, JsValue> {
    parser::Parser::new(text)
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

//! Values between JSON and JavaScript. What JSON has no form for is written as an object of one field:
//! `{"bytes": [1, 2]}`, `{"undefined": true}`, `{"bigint": "9007199254740993"}`.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use worker::d1::serde_wasm_bindgen;
use worker::js_sys::{self, Map, Uint8Array};
use worker::wasm_bindgen::JsValue;
use worker::{Result, SqlStorageValue};

/// The bytes of `{"bytes": […]}`.
pub fn bytes(value: &Value) -> Option<Vec<u8>> {
    let object = value.as_object().filter(|object| object.len() == 1)?;
    let bytes = object.get("bytes")?.as_array()?;
    bytes
        .iter()
        .map(|byte| u8::try_from(byte.as_u64()?).ok())
        .collect()
}

/// Bytes as JSON: two digits each.
pub fn hex(bytes: &[u8]) -> Value {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    json!({"bytes": digits})
}

/// A JavaScript value, as `JSON.parse` would make it but for the special forms.
///
/// # Errors
/// None: what is JSON can be parsed.
pub fn to_js(value: &Value) -> Result<JsValue> {
    if let Some(bytes) = bytes(value) {
        return Ok(Uint8Array::from(&*bytes).into());
    }
    if value == &json!({"undefined": true}) {
        return Ok(JsValue::UNDEFINED);
    }
    if let Some(digits) = value.get("bigint").and_then(Value::as_str) {
        let number: i64 = digits.parse().map_err(|_| "a bigint is a number")?;
        return Ok(JsValue::from(number));
    }
    Ok(js_sys::JSON::parse(&value.to_string())?)
}

/// What a Worker reads with serde, which is how most Workers read.
///
/// # Errors
/// A value that JSON has no form for.
pub fn from_js<T: DeserializeOwned>(value: JsValue) -> Result<T> {
    Ok(serde_wasm_bindgen::from_value(value)?)
}

/// A map as a list of pairs, in its order.
///
/// # Errors
/// As [`from_js`].
pub fn pairs(map: &Map) -> Result<Value> {
    let mut pairs = Vec::new();
    map.for_each(&mut |value, key| pairs.push((key, value)));
    let pair = |(key, value)| Ok(json!([from_js::<Value>(key)?, any(value)?]));
    pairs.into_iter().map(pair).collect()
}

/// A value that may also be bytes or undefined.
///
/// # Errors
/// As [`from_js`].
pub fn any(value: JsValue) -> Result<Value> {
    if value.is_undefined() {
        return Ok(json!({"undefined": true}));
    }
    match SqlStorageValue::try_from(value.clone()) {
        Ok(SqlStorageValue::Blob(bytes)) => Ok(hex(&bytes)),
        _ => from_js(value),
    }
}

/// A parameter of an object's SQL.
///
/// # Errors
/// A list or an object, which SQL has no type for.
pub fn to_sql(value: &Value) -> Result<SqlStorageValue> {
    Ok(match value {
        Value::Null => SqlStorageValue::Null,
        Value::Bool(truth) => SqlStorageValue::Boolean(*truth),
        Value::String(text) => SqlStorageValue::String(text.clone()),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => SqlStorageValue::Integer(integer),
            (None, Some(float)) => SqlStorageValue::Float(float),
            (None, None) => return Err("a number beyond all numbers".into()),
        },
        other => match bytes(other) {
            Some(bytes) => SqlStorageValue::Blob(bytes),
            None => return Err("use raw_bindings for what SQL has no type for".into()),
        },
    })
}

/// A value of a row, read by column.
pub fn from_sql(value: SqlStorageValue) -> Value {
    match value {
        SqlStorageValue::Null => Value::Null,
        SqlStorageValue::Boolean(truth) => truth.into(),
        SqlStorageValue::Integer(number) => number.into(),
        SqlStorageValue::Float(number) => number.into(),
        SqlStorageValue::String(text) => text.into(),
        SqlStorageValue::Blob(bytes) => hex(&bytes),
    }
}

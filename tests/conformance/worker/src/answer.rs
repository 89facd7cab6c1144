//! Answers: `{"ok": …}`, or `{"error": …}` with everything that a Worker can see of an error.
//!
//! | `error` | thrown was |
//! |---|---|
//! | `{"name", "message", "cause"?, "flags"?}` | an `Error` object; `flags` are those of `remote`, `retryable`, `overloaded`, `durableObjectReset` that are set |
//! | `{"thrown": text}` | a string |
//! | `{"rust": text}` | nothing: workers-rs itself refused |

use serde_json::{Map, Value, json};
use std::error::Error as _;
use worker::js_sys::{self, Reflect};
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::{Error, KvError};

/// The properties by which the platform says what kind of failure it was.
const FLAGS: [&str; 4] = ["remote", "retryable", "overloaded", "durableObjectReset"];

/// An answer as JSON.
pub fn of(result: Result<Value, Error>) -> Value {
    match result {
        Ok(value) => json!({"ok": value}),
        Err(failure) => json!({"error": error(&failure)}),
    }
}

/// Everything that a Worker can see of an error.
pub fn error(error: &Error) -> Value {
    match error {
        Error::UnknownJsError { original, .. } => thrown(original),
        Error::KvError(KvError::JavaScript(value)) => thrown(value),
        Error::D1(error) => thrown(error.as_ref()),
        Error::JsError(text) => json!({"thrown": text}),
        Error::Internal(value) => thrown(value),
        other => {
            // The text of most variants only says of what kind they are; the source says the rest.
            let text = match other.source() {
                Some(source) => format!("{other}: {source}"),
                None => other.to_string(),
            };
            json!({"rust": text})
        }
    }
}

fn thrown(value: &JsValue) -> Value {
    let Some(error) = value.dyn_ref::<js_sys::Error>() else {
        return json!({"thrown": value.as_string().unwrap_or_else(|| format!("{value:?}"))});
    };
    let mut object = Map::new();
    object.insert("name".to_owned(), String::from(error.name()).into());
    object.insert("message".to_owned(), String::from(error.message()).into());
    let cause = error.cause();
    if let Some(cause) = cause.dyn_ref::<js_sys::Error>() {
        object.insert("cause".to_owned(), String::from(cause.message()).into());
    } else if let Some(cause) = cause.as_string() {
        object.insert("cause".to_owned(), cause.into());
    }
    let set = |flag: &&str| {
        Reflect::get(error, &JsValue::from_str(flag)).is_ok_and(|flag| flag.is_truthy())
    };
    let flags: Vec<&str> = FLAGS.into_iter().filter(set).collect();
    if !flags.is_empty() {
        object.insert("flags".to_owned(), json!(flags));
    }
    object.into()
}

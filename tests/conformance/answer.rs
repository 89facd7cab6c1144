//! Answers, without what cannot be the same twice.

use crate::case::fnv;
use serde_json::{Map, Value};

/// Texts longer than this are told by their length and a hash, so that goldens stay readable.
const LONG_BYTES: usize = 300;

/// An answer without what cannot be the same twice; everything else is compared as it is.
pub(crate) fn normalised(answer: Value) -> Value {
    match answer {
        Value::Array(items) => items.into_iter().map(normalised).collect(),
        Value::Object(fields) => {
            let fields = fields.into_iter().filter_map(|(key, value)| match &*key {
                // How long a statement took: wall-clock time on the one side, an assumption on the other.
                "duration" => None,
                // Bytes of the file. Miniflare's databases hold tables of its own, and pages are laid out by the version of SQLite.
                "size_after" => None,
                // Seconds pass between a write and the list that tells when it expires; scripts use whole minutes.
                "expires_in" => Some((key, value.as_u64().map(|s| s.next_multiple_of(60)).into())),
                // The real clock goes on between setting an alarm and asking for it.
                "in_ms" => Some((
                    key,
                    value.as_u64().map(|ms| (ms + 500) / 1000 * 1000).into(),
                )),
                // A cursor is opaque. What follows it is compared by reading the next page.
                "cursor" if value.is_string() => Some((key, "…".into())),
                _ => Some((key, normalised(value))),
            });
            fields.collect::<Map<_, _>>().into()
        }
        Value::String(text) => {
            let text = without_reference(without_times(text));
            if text.len() > LONG_BYTES {
                format!("<{} bytes, {:016x}>", text.len(), fnv(text.as_bytes())).into()
            } else {
                text.into()
            }
        }
        plain => plain,
    }
}

/// What workerd fails with when it did not expect to carries a random number to look for in its log.
fn without_reference(text: String) -> String {
    const BEFORE: &str = "internal error; reference = ";
    match text.strip_prefix(BEFORE) {
        Some(number) if number.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            format!("{BEFORE}…")
        }
        _ => text,
    }
}

/// The refusal of an expiration tells it as a point in time, and that is another one in every run.
fn without_times(text: String) -> String {
    const BEFORE: &str = "Invalid expiration of ";
    let Some(start) = text.find(BEFORE).map(|start| start + BEFORE.len()) else {
        return text;
    };
    let digits = text[start..].bytes().take_while(u8::is_ascii_digit).count();
    // Small numbers are the script's own, not times.
    if digits < 10 {
        return text;
    }
    format!("{}<now>{}", &text[..start], &text[start + digits..])
}

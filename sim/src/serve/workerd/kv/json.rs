//! The two answers that are JSON: many values, and a page of a list.

use super::call::{Failure, is_json};
use crate::host::KvRead;
use crate::limits;
use crate::platform::kv::Page;
use std::fmt::Write;

/// A read key's member in the answer to a bulk get. The JSON inside, a value or metadata, stands as it was written.
pub(super) fn value_in_json(
    read: &KvRead,
    json: bool,
    with_metadata: bool,
) -> Result<String, Failure> {
    let text = String::from_utf8_lossy(&read.value);
    let value = match json {
        false => quoted(&text),
        true if is_json(&text) => text.into_owned(),
        true => {
            return Err(Failure::new(400, limits::kv::BULK_GET_NO_JSON));
        }
    };
    Ok(match (with_metadata, &read.metadata) {
        (false, _) => value,
        (true, metadata) => format!(
            "{{\"value\":{value},\"metadata\":{}}}",
            metadata.as_deref().unwrap_or("null")
        ),
    })
}

pub(super) fn page_in_json(page: &Page) -> String {
    let mut text = String::from("{\"keys\":[");
    for (place, key) in page.keys.iter().enumerate() {
        let comma = if place == 0 { "" } else { "," };
        let _ = write!(text, "{comma}{{\"name\":{}", quoted(&key.name));
        if let Some(seconds) = key.expiration_seconds {
            let _ = write!(text, ",\"expiration\":{seconds}");
        }
        if let Some(metadata) = &key.metadata {
            // The runtime parses it once more.
            let _ = write!(text, ",\"metadata\":{}", quoted(metadata));
        }
        text.push('}');
    }
    let _ = write!(text, "],\"list_complete\":{}", page.cursor.is_none());
    if let Some(cursor) = &page.cursor {
        let _ = write!(text, ",\"cursor\":{}", quoted(cursor));
    }
    text.push('}');
    text
}

pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

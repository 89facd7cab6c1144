//! Calls of a KV namespace.

#![expect(
    clippy::disallowed_types,
    reason = "the API of workers-rs has these maps"
)]

use crate::{Answer, value};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use worker::kv::{KvError, ListResponse};
use worker::{Date, KvStore};

/// One call.
#[derive(Debug, Deserialize)]
#[serde(tag = "kv", rename_all = "snake_case", deny_unknown_fields)]
pub enum Call {
    /// `put`: a string as it is, `{"bytes": […]}` as bytes, anything else as workers-rs writes it.
    Put {
        /// The key.
        key: String,
        /// The value.
        value: Value,
        /// Metadata.
        metadata: Option<Value>,
        /// Seconds since the Unix epoch.
        expiration: Option<u64>,
        /// `expiration`, in seconds from now.
        expires_in: Option<i64>,
        /// Seconds to live.
        expiration_ttl: Option<u64>,
    },
    /// `get`, or `getWithMetadata`.
    Get {
        /// The key.
        key: String,
        /// What to read it as.
        #[serde(default, rename = "as")]
        kind: Kind,
        /// For how long the PoP may keep it.
        cache_ttl: Option<u64>,
        /// With its metadata.
        #[serde(default)]
        metadata: bool,
    },
    /// `get` of many keys.
    Bulk {
        /// The keys.
        keys: Vec<String>,
        /// What to read them as.
        #[serde(default, rename = "as")]
        kind: Kind,
        /// For how long the PoP may keep them.
        cache_ttl: Option<u64>,
        /// With their metadata.
        #[serde(default)]
        metadata: bool,
    },
    /// `list`: one page.
    List {
        /// Only keys that begin with this.
        prefix: Option<String>,
        /// At most so many.
        limit: Option<u64>,
        /// Where to begin.
        cursor: Option<String>,
    },
    /// `list`, page after page; gives the names on each.
    Pages {
        /// Only keys that begin with this.
        prefix: Option<String>,
        /// At most so many per page.
        limit: u64,
    },
    /// `delete`.
    Delete {
        /// The key.
        key: String,
    },
}

/// What a value is read as.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Text.
    #[default]
    Text,
    /// JSON.
    Json,
    /// Bytes; not for many keys.
    Bytes,
}

/// Does what a call says.
///
/// # Errors
/// The platform's.
pub async fn run(kv: &KvStore, call: Call) -> Answer {
    match call {
        Call::Put {
            key,
            value,
            metadata,
            expiration,
            expires_in,
            expiration_ttl,
        } => {
            let mut put = match (&value, value::bytes(&value)) {
                (_, Some(bytes)) => kv.put_bytes(&key, &bytes)?,
                (Value::String(text), None) => kv.put(&key, text.as_str())?,
                (other, None) => kv.put(&key, other)?,
            };
            if let Some(metadata) = metadata {
                put = put.metadata(metadata)?;
            }
            let from_now = |seconds: i64| {
                let now = Date::now().as_millis() / 1000;
                now.saturating_add_signed(seconds)
            };
            if let Some(at) = expiration.or(expires_in.map(from_now)) {
                put = put.expiration(at);
            }
            if let Some(ttl) = expiration_ttl {
                put = put.expiration_ttl(ttl);
            }
            put.execute().await?;
            Ok(Value::Null)
        }
        Call::Get {
            key,
            kind,
            cache_ttl,
            metadata,
        } => {
            let mut get = kv.get(&key);
            if let Some(seconds) = cache_ttl {
                get = get.cache_ttl(seconds);
            }
            Ok(match (kind, metadata) {
                (Kind::Text, false) => json!(get.text().await?),
                (Kind::Json, false) => json!(get.json::<Value>().await?),
                (Kind::Bytes, false) => json!(get.bytes().await?.as_deref().map(value::hex)),
                (Kind::Text, true) => pair(get.text_with_metadata::<Value>().await?),
                (Kind::Json, true) => pair(get.json_with_metadata::<Value, Value>().await?),
                (Kind::Bytes, true) => {
                    let (value, metadata) = get.bytes_with_metadata::<Value>().await?;
                    pair((value.as_deref().map(value::hex), metadata))
                }
            })
        }
        Call::Bulk {
            keys,
            kind,
            cache_ttl,
            metadata,
        } => {
            let mut get = kv.get_bulk(&keys);
            if let Some(seconds) = cache_ttl {
                get = get.cache_ttl(seconds);
            }
            Ok(match (kind, metadata) {
                (Kind::Text, false) => sorted(get.text().await?, |value| json!(value)),
                (Kind::Json, false) => sorted(get.json::<Value>().await?, |value| json!(value)),
                (Kind::Text, true) => sorted(get.text_with_metadata::<Value>().await?, pair),
                (Kind::Json, true) => sorted(get.json_with_metadata::<Value, Value>().await?, pair),
                (Kind::Bytes, _) => return Err("workers-rs has no bulk read of bytes".into()),
            })
        }
        Call::List {
            prefix,
            limit,
            cursor,
        } => {
            let page = list(kv, prefix, limit, cursor).await?;
            Ok(json!({
                "keys": page.keys.iter().map(listed).collect::<Vec<_>>(),
                "complete": page.list_complete,
                "cursor": page.cursor,
            }))
        }
        Call::Pages { prefix, limit } => {
            let mut pages = Vec::new();
            let mut cursor = None;
            loop {
                let page = list(kv, prefix.clone(), Some(limit), cursor).await?;
                let names: Vec<_> = page.keys.iter().map(|key| key.name.clone()).collect();
                pages.push(names);
                match page.cursor {
                    Some(next) if !page.list_complete => cursor = Some(next),
                    _ => return Ok(json!(pages)),
                }
            }
        }
        Call::Delete { key } => {
            kv.delete(&key).await?;
            Ok(Value::Null)
        }
    }
}

async fn list(
    kv: &KvStore,
    prefix: Option<String>,
    limit: Option<u64>,
    cursor: Option<String>,
) -> Result<ListResponse, KvError> {
    let mut list = kv.list();
    if let Some(prefix) = prefix {
        list = list.prefix(prefix);
    }
    if let Some(limit) = limit {
        list = list.limit(limit);
    }
    if let Some(cursor) = cursor {
        list = list.cursor(cursor);
    }
    list.execute().await
}

/// A key of a list. Its expiration is told in seconds from now, so that two runs can be compared.
fn listed(key: &worker::kv::Key) -> Value {
    let now = Date::now().as_millis() / 1000;
    let mut object = json!({"name": key.name});
    if let Some(at) = key.expiration {
        object["expires_in"] = json!(at.saturating_sub(now));
    }
    if let Some(metadata) = &key.metadata {
        object["metadata"] = metadata.clone();
    }
    object
}

fn pair<T: serde::Serialize>((value, metadata): (Option<T>, Option<Value>)) -> Value {
    json!({"value": value, "metadata": metadata})
}

/// The answer to a bulk read has no order in workers-rs.
fn sorted<T>(answers: HashMap<String, T>, json: impl Fn(T) -> Value) -> Value {
    let answers = answers.into_iter().map(|(key, value)| (key, json(value)));
    json!(answers.collect::<BTreeMap<_, _>>())
}

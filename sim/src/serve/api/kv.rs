//! Calls of Workers KV, carried out at the central store.

use super::answer::Answer;
use super::call::{InNamespace, KvCall, Order, Paging, Pair};
use crate::account::{Account, AccountItem};
use crate::exception::Exception;
use crate::host::KvPutOptions;
use crate::limits::api::ApiError;
use crate::platform::kv::{self, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};
use std::rc::Rc;

/// Header that tells when a value expires, in seconds since the Unix epoch. Reference of the API, `kv/namespaces/values` 2026-10.
const EXPIRATION: HeaderName = HeaderName::from_static("expiration");

pub(super) fn run(account: &Account, call: KvCall) -> Result<Answer, ApiError> {
    match call {
        KvCall::Namespaces { paging, order } => Ok(namespaces(account, paging, order)),
        KvCall::Create { title } => {
            Ok(Answer::result(shown(&account.create_kv_namespace(&title)?)))
        }
        KvCall::In { namespace, what } => match what {
            InNamespace::Get => Ok(Answer::result(shown(&account.kv_namespace(&namespace)?))),
            InNamespace::Rename { title } => Ok(Answer::result(shown(
                &account.rename_kv_namespace(&namespace, &title)?,
            ))),
            InNamespace::Delete => {
                account.delete_kv_namespace(&namespace)?;
                Ok(Answer::result(Value::Null))
            }
            what => in_namespace(account, &account.kv_namespace(&namespace)?, what),
        },
    }
}

fn namespaces(account: &Account, paging: Paging, order: Order) -> Answer {
    let mut items = account.kv_namespaces();
    if order.by_title {
        items.sort_by(|one, other| one.name.cmp(&other.name));
    }
    if order.descending {
        items.reverse();
    }
    page(&items, paging, shown)
}

/// A page of a list that is counted in pages.
pub(super) fn page(
    items: &[AccountItem],
    paging: Paging,
    show: impl Fn(&AccountItem) -> Value,
) -> Answer {
    let per_page = usize::try_from(paging.per_page).unwrap_or(usize::MAX);
    let skipped = usize::try_from(paging.page - 1)
        .unwrap_or(usize::MAX)
        .saturating_mul(per_page);
    let shown: Vec<Value> = items
        .iter()
        .skip(skipped)
        .take(per_page)
        .map(show)
        .collect();
    let info = json!({
        "page": paging.page,
        "per_page": paging.per_page,
        "count": shown.len(),
        "total_count": items.len(),
        "total_pages": items.len().div_ceil(per_page),
    });
    Answer::page(shown, info)
}

fn shown(item: &AccountItem) -> Value {
    json!({ "id": &*item.id, "title": &*item.name, "supports_url_encoding": true })
}

fn in_namespace(
    account: &Account,
    namespace: &AccountItem,
    what: InNamespace,
) -> Result<Answer, ApiError> {
    match what {
        InNamespace::Keys {
            prefix,
            cursor,
            limit,
        } => {
            let page = account
                .central_list(namespace, &prefix, cursor.as_deref(), limit)
                .map_err(refused)?;
            let keys = page.keys.iter().map(|key| {
                let mut shown = json!({ "name": &*key.name });
                if let Some(seconds) = key.expiration_seconds {
                    shown["expiration"] = seconds.into();
                }
                if let Some(metadata) = &key.metadata {
                    shown["metadata"] = metadata_value(metadata);
                }
                shown
            });
            let keys: Vec<Value> = keys.collect();
            // No more pages: an empty cursor (WRANGLER 4.164.0 asks until it is).
            let cursor = page
                .cursor
                .map_or(String::new(), |last| STANDARD.encode(last));
            let info = json!({ "count": keys.len(), "cursor": cursor });
            Ok(Answer::page(keys, info))
        }
        InNamespace::Value { key } => {
            let version = existing(account, namespace, &key, "get")?;
            let kind = HeaderValue::from_static("application/octet-stream");
            let mut headers = vec![(CONTENT_TYPE, kind)];
            if let Some(seconds) = version.expiration_seconds {
                headers.push((EXPIRATION, HeaderValue::from(seconds)));
            }
            Ok(Answer::Raw {
                headers,
                body: value(&version),
            })
        }
        InNamespace::Metadata { key } => {
            let version = existing(account, namespace, &key, "metadata")?;
            let metadata = version.metadata.as_deref();
            Ok(Answer::result(metadata.map_or(Value::Null, metadata_value)))
        }
        InNamespace::Put(pair) => {
            put(account, namespace, pair).map_err(refused)?;
            Ok(Answer::result(Value::Null))
        }
        InNamespace::DeleteValue { key } => {
            account.central_delete(namespace, &key).map_err(refused)?;
            Ok(Answer::result(Value::Null))
        }
        InNamespace::BulkPut(pairs) => {
            for pair in &pairs {
                check(account, pair).map_err(refused)?;
            }
            let key = |pair: &Pair| pair.key.clone();
            bulk(pairs, key, |pair| put(account, namespace, pair))
        }
        InNamespace::BulkDelete(keys) => {
            for key in &keys {
                kv::check_key("DELETE", key).map_err(refused)?;
            }
            let delete = |key: String| account.central_delete(namespace, &key);
            bulk(keys, String::clone, delete)
        }
        InNamespace::BulkGet {
            keys,
            json,
            with_metadata,
        } => bulk_get(account, namespace, &keys, json, with_metadata),
        InNamespace::Get | InNamespace::Rename { .. } | InNamespace::Delete => {
            unreachable!("what concerns the namespace itself was done before")
        }
    }
}

fn existing(
    account: &Account,
    namespace: &AccountItem,
    key: &str,
    operation: &str,
) -> Result<Rc<Version>, ApiError> {
    let version = account.central_get(namespace, key).map_err(refused)?;
    version.ok_or_else(|| ApiError::no_key(operation))
}

fn put(account: &Account, namespace: &AccountItem, pair: Pair) -> Result<(), Exception> {
    account.central_put(
        namespace,
        &pair.key,
        pair.value,
        KvPutOptions {
            metadata: pair.metadata.map(Into::into),
            expiration_seconds: pair.expiration,
            expiration_ttl_seconds: pair.expiration_ttl,
        },
    )
}

/// Whether the store can accept a pair at all.
fn check(account: &Account, pair: &Pair) -> Result<(), Exception> {
    kv::check_key("PUT", &pair.key)?;
    let metadata = pair.metadata.as_ref().map_or(0, String::len);
    let (expiration, ttl) = (pair.expiration, pair.expiration_ttl);
    kv::check_put(account.now(), pair.value.len(), metadata, expiration, ttl).map(drop)
}

/// Does the same for many keys, all of which have been checked. Writes that the store refuses for the moment are listed
/// among those to be tried again.
fn bulk<T>(
    items: Vec<T>,
    key: impl Fn(&T) -> String,
    act: impl Fn(T) -> Result<(), Exception>,
) -> Result<Answer, ApiError> {
    let mut done = 0;
    let mut again = Vec::new();
    for item in items {
        let key = key(&item);
        match act(item).map_err(refused) {
            Ok(()) => done += 1,
            Err(error) if error.status == 429 || error.status >= 500 => again.push(key),
            Err(error) => return Err(error),
        }
    }
    Ok(Answer::result(json!({
        "successful_key_count": done,
        "unsuccessful_keys": again,
    })))
}

fn bulk_get(
    account: &Account,
    namespace: &AccountItem,
    keys: &[String],
    json: bool,
    with_metadata: bool,
) -> Result<Answer, ApiError> {
    let mut values = Map::new();
    for key in keys {
        let Some(version) = account.central_get(namespace, key).map_err(refused)? else {
            values.insert(key.clone(), Value::Null);
            continue;
        };
        let text = String::from_utf8(value(&version).to_vec())
            .map_err(|_| ApiError::other(400, format!("the value of {key:?} is no text")))?;
        let value = if json {
            // Text: SDK 2026-08-22 (miniflare's namespace).
            let problem = "At least one of the requested keys corresponds to a non-json value";
            serde_json::from_str(&text).map_err(|_| ApiError::other(400, problem))?
        } else {
            Value::String(text)
        };
        let shown = if with_metadata {
            let metadata = version.metadata.as_deref();
            json!({ "value": value, "metadata": metadata.map_or(Value::Null, metadata_value) })
        } else {
            value
        };
        values.insert(key.clone(), shown);
    }
    Ok(Answer::result(json!({ "values": values })))
}

fn value(version: &Version) -> Bytes {
    version.value.clone().unwrap_or_default()
}

/// Metadata was JSON when it was written.
fn metadata_value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// The API's form of an exception of the runtime: `KV PUT failed: 400 <text>` gives status and text; a `TypeError` is a
/// bad key.
fn refused(exception: Exception) -> ApiError {
    let rest = exception.message.strip_prefix("KV ");
    let parts = rest.and_then(|rest| {
        let (_, rest) = rest.split_once(" failed: ")?;
        let (status, text) = rest.split_once(' ')?;
        Some((status.parse().ok()?, text))
    });
    match parts {
        Some((status, text)) => ApiError::other(status, text),
        None => ApiError::other(400, exception.message),
    }
}

//! What a request asks of Workers KV.

use super::incoming::{Incoming, Paging};
use crate::limits::{self, api, api::ApiError};
use crate::serve::api::multipart;
use crate::serve::percent::decoded;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use serde::Deserialize;

/// How namespaces are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// By title, and not by id.
    pub by_title: bool,
    /// Backwards.
    pub descending: bool,
}

/// A pair of a bulk write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The key.
    pub key: String,
    /// The value.
    pub value: Bytes,
    /// Metadata as JSON text.
    pub metadata: Option<String>,
    /// When it expires, in seconds since the Unix epoch.
    pub expiration: Option<u64>,
    /// In how many seconds it expires; takes precedence over `expiration`.
    pub expiration_ttl: Option<u64>,
}

/// A call of Workers KV.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KvCall {
    /// List namespaces.
    Namespaces {
        /// Which of them.
        paging: Paging,
        /// In what order.
        order: Order,
    },
    /// Create a namespace.
    Create {
        /// Its title.
        title: String,
    },
    /// An operation on one namespace.
    In {
        /// Its id.
        namespace: String,
        /// The operation.
        what: InNamespace,
    },
}

/// An operation on one namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InNamespace {
    /// Read its id and title.
    Get,
    /// Give it a new title.
    Rename {
        /// The title.
        title: String,
    },
    /// Delete it.
    Delete,
    /// List keys.
    Keys {
        /// What they begin with.
        prefix: String,
        /// The key after which the list continues.
        cursor: Option<String>,
        /// How many at most.
        limit: u64,
    },
    /// Read a value.
    Value {
        /// Its key.
        key: String,
    },
    /// Read the metadata of a value.
    Metadata {
        /// Its key.
        key: String,
    },
    /// Write one pair.
    Put(Pair),
    /// Delete a key.
    DeleteValue {
        /// The key.
        key: String,
    },
    /// Write many pairs.
    BulkPut(Vec<Pair>),
    /// Delete many keys.
    BulkDelete(Vec<String>),
    /// Read many values.
    BulkGet {
        /// Their keys.
        keys: Vec<String>,
        /// As JSON, and not as text.
        json: bool,
        /// With their metadata.
        with_metadata: bool,
    },
}

#[derive(Deserialize)]
struct Title {
    title: String,
}

#[derive(Deserialize)]
struct SavedPair {
    key: String,
    value: String,
    #[serde(default)]
    base64: bool,
    metadata: Option<serde_json::Value>,
    expiration: Option<serde_json::Number>,
    expiration_ttl: Option<serde_json::Number>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BulkGet {
    keys: Vec<String>,
    r#type: Option<String>,
    #[serde(default)]
    with_metadata: bool,
}

impl Incoming<'_> {
    pub(super) fn namespaces(&self) -> Result<KvCall, ApiError> {
        let by_title = match self.parameter("order") {
            None | Some("id" | "") => false,
            Some("title") => true,
            Some(other) => {
                let text = format!("order={other}: id or title was expected");
                return Err(ApiError::other(400, text));
            }
        };
        let descending = match self.parameter("direction") {
            None | Some("asc" | "") => false,
            Some("desc") => true,
            Some(other) => {
                let text = format!("direction={other}: asc or desc was expected");
                return Err(ApiError::other(400, text));
            }
        };
        Ok(KvCall::Namespaces {
            // The reference of the API says 20 by default, and wrangler asks for 1000.
            paging: self.paging(20, 1_000)?,
            order: Order {
                by_title,
                descending,
            },
        })
    }

    pub(super) fn title(&self) -> Result<String, ApiError> {
        let Title { title } = self.json(api::OTHER)?;
        if title.is_empty() || title.len() > api::TITLE_BYTES {
            let most = api::TITLE_BYTES;
            let text = format!("a namespace's title has from 1 to {most} bytes");
            return Err(ApiError::other(400, text));
        }
        Ok(title)
    }

    pub(super) fn in_namespace(
        &self,
        namespace: &str,
        rest: &[&str],
        path: &str,
    ) -> Result<KvCall, ApiError> {
        let namespace = decoded(namespace)
            .filter(|id| !id.is_empty())
            .ok_or_else(|| ApiError::no_route(path))?;
        let what = match (self.method.as_str(), rest) {
            ("GET", []) => InNamespace::Get,
            ("PUT", []) => InNamespace::Rename {
                title: self.title()?,
            },
            ("DELETE", []) => InNamespace::Delete,
            ("GET", ["keys"]) => self.keys()?,
            ("GET", ["values", key]) => InNamespace::Value {
                key: decoded_key(key)?,
            },
            ("PUT", ["values", key]) => InNamespace::Put(self.pair(decoded_key(key)?)?),
            ("DELETE", ["values", key]) => InNamespace::DeleteValue {
                key: decoded_key(key)?,
            },
            ("GET", ["metadata", key]) => InNamespace::Metadata {
                key: decoded_key(key)?,
            },
            ("PUT", ["bulk"]) => InNamespace::BulkPut(self.pairs()?),
            ("DELETE", ["bulk"]) | ("POST", ["bulk", "delete"]) => {
                let keys: Vec<String> = self.json(api::OTHER)?;
                check_bulk(keys.len())?;
                InNamespace::BulkDelete(keys)
            }
            ("POST", ["bulk", "get"]) => self.bulk_get()?,
            (
                _,
                [] | ["keys" | "bulk"] | ["values" | "metadata", _] | ["bulk", "delete" | "get"],
            ) => {
                return Err(ApiError::no_method());
            }
            _ => return Err(ApiError::no_route(path)),
        };
        Ok(KvCall::In { namespace, what })
    }

    fn keys(&self) -> Result<InNamespace, ApiError> {
        let limit = self.number("limit")?.unwrap_or(*api::KEYS_LIMIT.end());
        if !api::KEYS_LIMIT.contains(&limit) {
            return Err(ApiError::keys_limit(limit));
        }
        let cursor = self.parameter("cursor").filter(|cursor| !cursor.is_empty());
        let read = |cursor: &str| {
            let bytes = STANDARD.decode(cursor).ok()?;
            String::from_utf8(bytes).ok()
        };
        let wrong = || ApiError::other(400, "the cursor is none that a list of keys gave");
        Ok(InNamespace::Keys {
            prefix: self.parameter("prefix").unwrap_or_default().to_owned(),
            cursor: cursor
                .map(|cursor| read(cursor).ok_or_else(wrong))
                .transpose()?,
            limit,
        })
    }

    /// The body of a `PUT` of one value: the bare value, or a form of it and its metadata.
    fn pair(&self, key: String) -> Result<Pair, ApiError> {
        let content_type = self.headers.get(CONTENT_TYPE);
        let content_type = content_type
            .and_then(|kind| kind.to_str().ok())
            .unwrap_or("");
        let is_form = content_type
            .get(..19)
            .is_some_and(|kind| kind.eq_ignore_ascii_case("multipart/form-data"));
        let (value, metadata) = if is_form {
            let wrong = |problem: &str| ApiError::other(400, format!("put: '{problem}'"));
            let boundary = multipart::boundary(content_type)
                .ok_or_else(|| wrong("the form's Content-Type names no boundary"))?;
            let parts = multipart::parts(&self.body, &boundary).map_err(wrong)?;
            let part = |wanted| parts.iter().find(|(name, _)| name == wanted);
            let (_, value) = part("value").ok_or_else(|| wrong("the form has no part `value`"))?;
            let metadata = part("metadata")
                .map(|(_, metadata)| text(metadata, "the metadata"))
                .transpose()?;
            (value.clone(), metadata)
        } else {
            (self.body.clone(), None)
        };
        let metadata = metadata
            .map(|metadata| {
                serde_json::from_str(&metadata)
                    .map_err(|problem| ApiError::other(400, format!("the metadata: {problem}")))
            })
            .transpose()?;
        Ok(Pair {
            key,
            value,
            metadata: metadata.and_then(metadata_text),
            expiration: self.time("expiration")?,
            expiration_ttl: self.time("expiration_ttl")?,
        })
    }

    fn time(&self, name: &str) -> Result<Option<u64>, ApiError> {
        self.parameter(name)
            .map(|value| value.parse().map_err(|_| wrong_time(name, value)))
            .transpose()
    }

    fn pairs(&self) -> Result<Vec<Pair>, ApiError> {
        let saved: Vec<SavedPair> = self.json(api::OTHER)?;
        check_bulk(saved.len())?;
        let pair = |saved: SavedPair| {
            let value = if saved.base64 {
                STANDARD
                    .decode(&saved.value)
                    .map_err(|problem| ApiError::not_base64(&saved.key, &problem.to_string()))?
            } else {
                saved.value.into_bytes()
            };
            let time = |name: &str, number: Option<serde_json::Number>| {
                number
                    .map(|number| whole(&number).ok_or_else(|| wrong_time(name, &number)))
                    .transpose()
            };
            Ok(Pair {
                key: saved.key,
                value: value.into(),
                metadata: saved.metadata.and_then(metadata_text),
                expiration: time("expiration", saved.expiration)?,
                expiration_ttl: time("expiration_ttl", saved.expiration_ttl)?,
            })
        };
        saved.into_iter().map(pair).collect()
    }

    fn bulk_get(&self) -> Result<InNamespace, ApiError> {
        let asked: BulkGet = self.json(api::OTHER)?;
        let json = match asked.r#type.as_deref() {
            None | Some("text") => false,
            Some("json") => true,
            Some(other) => {
                return Err(ApiError::other(400, limits::kv::bulk_get_type(other)));
            }
        };
        let text = match asked.keys.len() {
            0 => limits::kv::BULK_GET_NO_KEYS.to_owned(),
            count if count > limits::kv::BULK_GET_KEYS => limits::kv::bulk_get_too_many(),
            _ => {
                return Ok(InNamespace::BulkGet {
                    keys: asked.keys,
                    json,
                    with_metadata: asked.with_metadata,
                });
            }
        };
        Err(ApiError::other(400, text))
    }
}

/// Bytes of a body, as text.
fn text(body: &Bytes, what: &str) -> Result<String, ApiError> {
    String::from_utf8(body.to_vec())
        .map_err(|_| ApiError::other(400, format!("{what} is not UTF-8")))
}

fn decoded_key(segment: &str) -> Result<String, ApiError> {
    decoded(segment).ok_or_else(|| ApiError::other(400, limits::kv::SERVICE_KEY_UNDECODABLE))
}

fn check_bulk(count: usize) -> Result<(), ApiError> {
    let most = api::BULK_KEYS;
    if count <= most {
        return Ok(());
    }
    let text = format!("{count} keys in one request, and {most} are the most");
    Err(ApiError::other(400, text))
}

/// A text that is not a number counts as 0 (SDK 2026-08-22, miniflare's validator).
fn wrong_time(name: &str, value: impl std::fmt::Display) -> ApiError {
    let text = if name == "expiration" {
        limits::kv::expiration_passed(value)
    } else {
        limits::kv::expiration_ttl_not_positive(value)
    };
    ApiError::other(400, text)
}

/// A number that is whole, in whatever notation.
fn whole(number: &serde_json::Number) -> Option<u64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole and below 2^53"
    )]
    let float = |float: f64| {
        let exact = (0.0..9_007_199_254_740_992.0).contains(&float) && float.fract() == 0.0;
        exact.then_some(float as u64)
    };
    number.as_u64().or_else(|| number.as_f64().and_then(float))
}

/// Metadata as a Worker gets it; JSON's `null` stands for none.
fn metadata_text(metadata: serde_json::Value) -> Option<String> {
    (!metadata.is_null()).then(|| metadata.to_string())
}

//! The option builders of KV calls.

#![expect(
    clippy::disallowed_types,
    reason = "the API of workers-rs has these maps"
)]

use super::{Key, KvError, ListResponse};
use crate::js::thrown;
use crate::js_sys::JSON;
use crate::wasm_bindgen::JsValue;
use edgeproof_sim::Bindings;
use edgeproof_sim::host::{KvListOptions, KvPutOptions};
use edgeproof_sim::host::{KvRead, KvReads};
use send_wrapper::SendWrapper;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::HashMap;
use std::rc::Rc;

fn text_of(read: &KvRead) -> String {
    String::from_utf8_lossy(&read.value).into_owned()
}

fn json_of<T: DeserializeOwned>(read: &KvRead) -> Result<Option<T>, KvError> {
    nullable(JSON::parse(&String::from_utf8_lossy(&read.value))?)
}

fn metadata_of<M: DeserializeOwned>(read: &KvRead) -> Result<Option<M>, KvError> {
    read.metadata
        .as_deref()
        .map_or(Ok(None), |metadata| nullable(JSON::parse(metadata)?))
}

/// A JSON `null` is a value that is not there, as upstream reads it.
fn nullable<T: DeserializeOwned>(value: JsValue) -> Result<Option<T>, KvError> {
    if value.is_null() || value.is_undefined() {
        return Ok(None);
    }
    Ok(Some(
        serde_wasm_bindgen::from_value(value).map_err(JsValue::from)?,
    ))
}

/// A value and its metadata, or neither.
type Pair<T, M> = (Option<T>, Option<M>);

fn with_metadata<T, M: DeserializeOwned>(
    read: Option<KvRead>,
    value: impl FnOnce(&KvRead) -> Result<Option<T>, KvError>,
) -> Result<Pair<T, M>, KvError> {
    match read {
        Some(read) => Ok((value(&read)?, metadata_of(&read)?)),
        None => Ok((None, None)),
    }
}

/// A write that waits for `execute`.
#[derive(Debug, Clone)]
#[must_use = "PutOptionsBuilder does nothing until you 'execute' it"]
pub struct PutOptionsBuilder {
    pub(super) namespace: u32,
    pub(super) key: SendWrapper<Rc<str>>,
    pub(super) value: bytes::Bytes,
    pub(super) expiration: Option<u64>,
    pub(super) expiration_ttl: Option<u64>,
    pub(super) metadata: Option<Value>,
}

impl PutOptionsBuilder {
    /// When the value goes, in seconds since the Unix epoch.
    pub fn expiration(mut self, expiration: u64) -> Self {
        self.expiration = Some(expiration);
        self
    }

    /// After how many seconds the value goes; at least 60.
    pub fn expiration_ttl(mut self, expiration_ttl: u64) -> Self {
        self.expiration_ttl = Some(expiration_ttl);
        self
    }

    /// What to store with the value; at most 1024 bytes of JSON.
    ///
    /// # Errors
    /// A value that cannot be written as JSON.
    pub fn metadata<T: Serialize>(mut self, metadata: T) -> Result<Self, KvError> {
        self.metadata = Some(serde_json::to_value(metadata)?);
        Ok(self)
    }

    /// Writes it.
    ///
    /// # Errors
    /// The platform's: a bad key, size or time, a second write within a second, a failing store.
    pub async fn execute(self) -> Result<(), KvError> {
        let metadata = self
            .metadata
            .filter(|metadata| !metadata.is_null())
            .map(|metadata| metadata.to_string().into());
        let bindings = Bindings::current();
        let options = KvPutOptions {
            metadata,
            expiration_seconds: self.expiration,
            expiration_ttl_seconds: self.expiration_ttl,
        };
        let written = bindings
            .kv_put(self.namespace, self.key.take(), self.value, options)
            .await;
        written.map_err(|failure| thrown(failure).into())
    }
}

/// A list that waits for `execute`.
#[derive(Debug, Clone)]
#[must_use = "ListOptionsBuilder does nothing until you 'execute' it"]
pub struct ListOptionsBuilder {
    pub(super) namespace: u32,
    pub(super) limit: Option<u64>,
    pub(super) cursor: Option<String>,
    pub(super) prefix: Option<String>,
}

impl ListOptionsBuilder {
    /// At most this many keys, and never more than 1000.
    pub fn limit(mut self, limit: u64) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Where the page before this one ended.
    pub fn cursor(mut self, cursor: String) -> Self {
        self.cursor = Some(cursor);
        self
    }

    /// Only keys that begin with this.
    pub fn prefix(mut self, prefix: String) -> Self {
        self.prefix = Some(prefix);
        self
    }

    /// Reads the page.
    ///
    /// # Errors
    /// The platform's: a limit out of range, a failing store.
    pub async fn execute(self) -> Result<ListResponse, KvError> {
        let bindings = Bindings::current();
        let options = KvListOptions {
            prefix: self.prefix,
            cursor: self.cursor,
            limit: self.limit,
        };
        let page = bindings
            .kv_list(self.namespace, options)
            .await
            .map_err(thrown)?;
        let keys = page.keys.into_iter().map(|key| {
            Ok(Key {
                name: key.name.to_string(),
                expiration: key.expiration_seconds,
                metadata: key
                    .metadata
                    .as_deref()
                    .map(serde_json::from_str)
                    .transpose()?,
            })
        });
        let keys = keys.collect::<Result<_, KvError>>()?;
        Ok(ListResponse {
            keys,
            list_complete: page.cursor.is_none(),
            cursor: page.cursor,
        })
    }
}

/// A read that waits to be told as what.
#[derive(Debug, Clone)]
#[must_use = "GetOptionsBuilder does nothing until you 'get' it"]
pub struct GetOptionsBuilder {
    pub(super) namespace: u32,
    pub(super) key: SendWrapper<Rc<str>>,
    pub(super) cache_ttl: Option<u64>,
}

impl GetOptionsBuilder {
    /// For how many seconds this PoP may go on answering without asking the central store; at least 30.
    pub fn cache_ttl(mut self, cache_ttl: u64) -> Self {
        self.cache_ttl = Some(cache_ttl);
        self
    }

    async fn read(self) -> Result<Option<KvRead>, KvError> {
        let read = Bindings::current()
            .kv_get(self.namespace, self.key.take(), self.cache_ttl)
            .await;
        read.map_err(|failure| thrown(failure).into())
    }

    /// The value as text.
    ///
    /// # Errors
    /// The platform's: a bad key or cacheTtl, a failing store.
    pub async fn text(self) -> Result<Option<String>, KvError> {
        Ok(self.read().await?.as_ref().map(text_of))
    }

    /// The value as JSON.
    ///
    /// # Errors
    /// As [`text`](Self::text); a value that is not JSON of this shape.
    pub async fn json<T>(self) -> Result<Option<T>, KvError>
    where
        T: DeserializeOwned,
    {
        self.read().await?.as_ref().map_or(Ok(None), json_of)
    }

    /// The value as bytes.
    ///
    /// # Errors
    /// As [`text`](Self::text).
    pub async fn bytes(self) -> Result<Option<Vec<u8>>, KvError> {
        Ok(self.read().await?.map(|read| read.value.to_vec()))
    }

    /// The value as text, and its metadata.
    ///
    /// # Errors
    /// As [`text`](Self::text); metadata of another shape.
    pub async fn text_with_metadata<M>(self) -> Result<(Option<String>, Option<M>), KvError>
    where
        M: DeserializeOwned,
    {
        with_metadata(self.read().await?, |read| Ok(Some(text_of(read))))
    }

    /// The value as JSON, and its metadata.
    ///
    /// # Errors
    /// As [`json`](Self::json); metadata of another shape.
    pub async fn json_with_metadata<T, M>(self) -> Result<(Option<T>, Option<M>), KvError>
    where
        T: DeserializeOwned,
        M: DeserializeOwned,
    {
        with_metadata(self.read().await?, json_of)
    }

    /// The value as bytes, and its metadata.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes); metadata of another shape.
    pub async fn bytes_with_metadata<M>(self) -> Result<(Option<Vec<u8>>, Option<M>), KvError>
    where
        M: DeserializeOwned,
    {
        with_metadata(self.read().await?, |read| Ok(Some(read.value.to_vec())))
    }
}

/// A read of many keys that waits to be told as what.
#[derive(Debug)]
#[must_use = "GetBulkOptionsBuilder does nothing until you 'get' it"]
pub struct GetBulkOptionsBuilder {
    pub(super) namespace: u32,
    pub(super) keys: SendWrapper<Vec<Rc<str>>>,
    pub(super) cache_ttl: Option<u64>,
}

impl GetBulkOptionsBuilder {
    /// As [`GetOptionsBuilder::cache_ttl`].
    pub fn cache_ttl(mut self, cache_ttl: u64) -> Self {
        self.cache_ttl = Some(cache_ttl);
        self
    }

    async fn read(self) -> Result<KvReads, KvError> {
        let read = Bindings::current()
            .kv_get_bulk(self.namespace, self.keys.take(), self.cache_ttl)
            .await;
        read.map_err(|failure| thrown(failure).into())
    }

    /// The values as text.
    ///
    /// # Errors
    /// The platform's: a number of keys outside 1…100, a bad key, a failing store.
    pub async fn text(self) -> Result<HashMap<String, Option<String>>, KvError> {
        let pairs = self.read().await?;
        Ok(pairs
            .into_iter()
            .map(|(key, read)| (key.to_string(), read.as_ref().map(text_of)))
            .collect())
    }

    /// Reads values of which the service answers none if one is not JSON (miniflare's namespace.worker).
    async fn read_json(self) -> Result<KvReads, KvError> {
        let pairs = self.read().await?;
        let broken = |(_, read): &(_, Option<KvRead>)| {
            read.as_ref()
                .is_some_and(|read| JSON::parse(&text_of(read)).is_err())
        };
        if pairs.iter().any(broken) {
            let reason = "At least one of the requested keys corresponds to a non-json value";
            let refusal = edgeproof_sim::platform::kv::failed("GET_BULK", 400, reason);
            return Err(thrown(refusal).into());
        }
        Ok(pairs)
    }

    /// The values as JSON.
    ///
    /// # Errors
    /// As [`text`](Self::text); a value that is not JSON of this shape.
    pub async fn json<T>(self) -> Result<HashMap<String, Option<T>>, KvError>
    where
        T: DeserializeOwned,
    {
        let pairs = self.read_json().await?.into_iter();
        pairs
            .map(|(key, read)| Ok((key.to_string(), read.as_ref().map_or(Ok(None), json_of)?)))
            .collect()
    }

    /// The values as text, and their metadata.
    ///
    /// # Errors
    /// As [`text`](Self::text); metadata of another shape; a key that is not there, as in workers-rs 0.8.7.
    pub async fn text_with_metadata<M>(
        self,
    ) -> Result<HashMap<String, (Option<String>, Option<M>)>, KvError>
    where
        M: DeserializeOwned,
    {
        let pairs = all_there(self.read().await?)?.into_iter();
        pairs
            .map(|(key, read)| {
                Ok((
                    key.to_string(),
                    with_metadata(read, |read| Ok(Some(text_of(read))))?,
                ))
            })
            .collect()
    }

    /// The values as JSON, and their metadata.
    ///
    /// # Errors
    /// As [`json`](Self::json); metadata of another shape; a key that is not there, as in workers-rs 0.8.7.
    pub async fn json_with_metadata<T, M>(
        self,
    ) -> Result<HashMap<String, (Option<T>, Option<M>)>, KvError>
    where
        T: DeserializeOwned,
        M: DeserializeOwned,
    {
        let pairs = all_there(self.read_json().await?)?.into_iter();
        pairs
            .map(|(key, read)| Ok((key.to_string(), with_metadata(read, json_of)?)))
            .collect()
    }
}

/// workers-rs 0.8.7 looks for the value inside the entry of every key, and the entry of a key that is not there is null; so one
/// such key fails the whole call (observed).
fn all_there(pairs: KvReads) -> Result<KvReads, KvError> {
    if pairs.iter().any(|(_, read)| read.is_none()) {
        let error = crate::js_sys::TypeError::new("Reflect.get called on non-object");
        return Err(KvError::JavaScript(error.into()));
    }
    Ok(pairs)
}

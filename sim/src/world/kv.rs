//! KV as a Worker awaits it: check, count, travel to the central store if the PoP's cache cannot answer.

use super::{Invocation, Operation, World};
use crate::bill::usage::Meter;
use crate::exception::Exception;
use crate::fault::KvOperation;
use crate::history::{Op, Outcome};
use crate::kernel::time::{Instant, nanos};
use crate::limits;
use crate::platform::kv::{self, Page, Put, Version};
use crate::topology::Pop;
use bytes::Bytes;
use std::rc::Rc;
use std::time::Duration;

/// What a KV read returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvRead {
    /// The value.
    pub value: Bytes,
    /// Metadata as JSON text.
    pub metadata: Option<Rc<str>>,
}

/// What a KV read returned, and whether the PoP's own cache knew it (`cacheStatus` in JavaScript: `HIT` or `MISS`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvAnswer {
    /// The value, if there is one as far as this PoP knows.
    pub read: Option<KvRead>,
    /// The PoP's cache answered.
    pub from_cache: bool,
}

/// What a read of many keys returned: each key with its value, in the order asked for.
pub type KvReads = Vec<(Rc<str>, Option<KvRead>)>;

impl World {
    /// Reads a key. `None`: no such key, as far as this PoP knows.
    ///
    /// # Errors
    /// A bad key or `cacheTtl`, too many calls, a failing store: with the platform's texts.
    pub fn kv_get(
        &self,
        namespace: u32,
        key: Rc<str>,
        cache_ttl_seconds: Option<u64>,
    ) -> Operation<Result<Option<KvRead>, Exception>> {
        let world = self.handle();
        Operation::new(async move {
            let answer = world.kv_ask(namespace, key, cache_ttl_seconds).await?;
            Ok(answer.read)
        })
    }

    /// Reads a key, and tells where the answer came from.
    ///
    /// # Errors
    /// As [`kv_get`](Self::kv_get).
    pub fn kv_answer(
        &self,
        namespace: u32,
        key: Rc<str>,
        cache_ttl_seconds: Option<u64>,
    ) -> Operation<Result<KvAnswer, Exception>> {
        let world = self.handle();
        Operation::new(async move { world.kv_ask(namespace, key, cache_ttl_seconds).await })
    }

    async fn kv_ask(
        &self,
        namespace: u32,
        key: Rc<str>,
        cache_ttl_seconds: Option<u64>,
    ) -> Result<KvAnswer, Exception> {
        let invocation = Self::invocation()?;
        kv::check_key("GET", &key)?;
        invocation.count_kv_operation(self)?;
        let result = self
            .kv_read(&invocation, namespace, key, cache_ttl_seconds)
            .await;
        self.deliver().await;
        result
    }

    /// Reads up to 100 keys in one call; billed per key (KVPRICE).
    ///
    /// # Errors
    /// As [`kv_get`](Self::kv_get); a number of keys outside 1…100.
    pub fn kv_get_bulk(
        &self,
        namespace: u32,
        keys: Vec<Rc<str>>,
        cache_ttl_seconds: Option<u64>,
    ) -> Operation<Result<KvReads, Exception>> {
        let world = self.handle();
        Operation::new(async move {
            let invocation = Self::invocation()?;
            invocation.count_kv_operation(&world)?;
            if keys.len() > limits::kv::BULK_GET_KEYS {
                return Err(kv::failed(
                    "GET_BULK",
                    400,
                    "You can request a maximum of 100 keys",
                ));
            }
            if keys.is_empty() {
                return Err(kv::failed(
                    "GET_BULK",
                    400,
                    "You must request a minimum of 1 key",
                ));
            }
            for key in &keys {
                kv::check_bulk_key(key)?;
            }
            kv::check_cache_ttl("GET_BULK", cache_ttl_seconds)?;
            let reads = keys.iter().map(|key| {
                world.kv_read(&invocation, namespace, Rc::clone(key), cache_ttl_seconds)
            });
            let values = futures_util::future::join_all(reads).await;
            world.deliver().await;
            keys.into_iter()
                .zip(values)
                .map(|(key, answer)| Ok((key, answer?.read)))
                .collect()
        })
    }

    async fn kv_read(
        &self,
        invocation: &Invocation,
        namespace: u32,
        key: Rc<str>,
        cache_ttl_seconds: Option<u64>,
    ) -> Result<KvAnswer, Exception> {
        let cache_ttl = kv::check_cache_ttl("GET", cache_ttl_seconds)?;
        let start = self.now();
        self.count(Meter::KvReads, 1);
        let pop = invocation.pop;
        let cached = self.with_kv(namespace, |kv| {
            kv.cached(start, pop, &key, cache_ttl).cloned()
        });
        let result = match cached {
            Some(cached) => {
                self.sleep_until(
                    start + self.0.options.kv_cached_read,
                    "kv.cached",
                    cached.version.number,
                )
                .await;
                Ok((cached.version, cached.fetched_at, true))
            }
            None => self.kv_fetch(pop, namespace, &key, cache_ttl).await,
        };
        let scope = Self::scope();
        self.record(start, &scope, || {
            let cache_ttl_seconds = cache_ttl.as_secs();
            let namespace = self.kv_name(namespace);
            let op = Op::KvGet {
                namespace,
                key: key.to_string(),
                cache_ttl_seconds,
            };
            let outcome = match &result {
                Ok((version, fetched_at, cached)) => Outcome::KvRead {
                    version: version.live(self.now()).map(|_| version.number),
                    fetched_at: fetched_at.0,
                    cached: *cached,
                },
                Err(exception) => Outcome::Error {
                    message: exception.message.clone(),
                },
            };
            (op, outcome)
        });
        let (version, _, from_cache) = result?;
        let read = version.live(self.now()).map(|value| KvRead {
            value: value.clone(),
            metadata: version.metadata.clone(),
        });
        Ok(KvAnswer { read, from_cache })
    }

    async fn kv_fetch(
        &self,
        pop: Pop,
        namespace: u32,
        key: &Rc<str>,
        cache_ttl: Duration,
    ) -> Result<(Rc<Version>, Instant, bool), Exception> {
        let site = self.kv_site(pop);
        let way_there = self.kv_travel("GET", pop, site)?;
        self.sleep_until(self.now().after(way_there), "kv.read", 0)
            .await;
        let fetched_at = self.now();
        if let Some(status) = self.kv_error(fetched_at, KvOperation::Get) {
            return Err(kv_status("GET", status));
        }
        let delay = self.0.faults.borrow().kv_delay(fetched_at, pop);
        let version = self.with_kv(namespace, |kv| kv.central(fetched_at, key, delay));
        let way_back = self.kv_travel("GET", site, pop)? + nanos(self.0.options.kv_central);
        self.sleep_until(fetched_at.after(way_back), "kv.answer", version.number)
            .await;
        let now = self.now();
        self.with_kv(namespace, |kv| {
            kv.fill(now, pop, key, &version, fetched_at, cache_ttl)
        });
        Ok((version, fetched_at, false))
    }

    /// Writes a key.
    ///
    /// # Errors
    /// A bad key, size or time; 429 for a second write within a second; too many calls; a failing store.
    pub fn kv_put(
        &self,
        namespace: u32,
        key: Rc<str>,
        value: Bytes,
        metadata: Option<Rc<str>>,
        expiration: Option<u64>,
        expiration_ttl: Option<u64>,
    ) -> Operation<Result<(), Exception>> {
        let world = self.handle();
        Operation::new(async move {
            let invocation = Self::invocation()?;
            kv::check_key("PUT", &key)?;
            invocation.count_kv_operation(&world)?;
            let metadata_bytes = metadata.as_ref().map_or(0, |metadata| metadata.len());
            let expiration_seconds = kv::check_put(
                world.now(),
                value.len(),
                metadata_bytes,
                expiration,
                expiration_ttl,
            )?;
            let put = Put {
                key,
                value: Some(value),
                metadata,
                expiration_seconds,
            };
            world.kv_write(&invocation, namespace, put).await
        })
    }

    /// Deletes a key; deleting one that is not there is no error.
    ///
    /// # Errors
    /// As [`kv_put`](Self::kv_put).
    pub fn kv_delete(&self, namespace: u32, key: Rc<str>) -> Operation<Result<(), Exception>> {
        let world = self.handle();
        Operation::new(async move {
            let invocation = Self::invocation()?;
            kv::check_key("DELETE", &key)?;
            invocation.count_kv_operation(&world)?;
            let put = Put {
                key,
                value: None,
                metadata: None,
                expiration_seconds: None,
            };
            world.kv_write(&invocation, namespace, put).await
        })
    }

    async fn kv_write(
        &self,
        invocation: &Invocation,
        namespace: u32,
        put: Put,
    ) -> Result<(), Exception> {
        let start = self.now();
        let (verb, meter) = if put.value.is_some() {
            ("PUT", Meter::KvWrites)
        } else {
            ("DELETE", Meter::KvDeletes)
        };
        // A KV write leaves an object only when what the object wrote before is durable (workerd io-gate.h).
        self.output_gate(invocation).await?;
        let committed = self
            .kv_commit(invocation.pop, namespace, verb, meter, &put)
            .await;
        let scope = Self::scope();
        self.record(start, &scope, || {
            let (namespace, key) = (self.kv_name(namespace), put.key.to_string());
            let op = match &put.value {
                Some(value) => {
                    let expiration_seconds = put.expiration_seconds;
                    Op::KvPut {
                        namespace,
                        key,
                        bytes: value.len() as u64,
                        expiration_seconds,
                    }
                }
                None => Op::KvDelete { namespace, key },
            };
            let outcome = match &committed {
                Ok(version) => Outcome::KvWritten {
                    version: version.number,
                    committed_at: version.committed_at.0,
                },
                Err(exception) => Outcome::Error {
                    message: exception.message.clone(),
                },
            };
            (op, outcome)
        });
        self.deliver().await;
        committed.map(drop)
    }

    async fn kv_commit(
        &self,
        pop: Pop,
        namespace: u32,
        verb: &str,
        meter: Meter,
        put: &Put,
    ) -> Result<Rc<Version>, Exception> {
        let site = self.kv_site(pop);
        let way_there = self.kv_travel(verb, pop, site)?;
        self.sleep_until(self.now().after(way_there), "kv.write", 0)
            .await;
        let committed_at = self.now();
        if let Some(status) = self.kv_error(committed_at, KvOperation::Put) {
            return Err(kv_status(verb, status));
        }
        let committed = self.with_kv(namespace, |kv| kv.commit(committed_at, put));
        if committed.is_ok() {
            self.count(meter, 1);
        }
        let way_back = self.kv_travel(verb, site, pop)? + nanos(self.0.options.kv_central);
        let number = committed.as_ref().map_or(0, |version| version.number);
        self.sleep_until(committed_at.after(way_back), "kv.written", number)
            .await;
        let version = committed?;
        let now = self.now();
        // Seen at once where it was made, for as long as a read with the default cacheTtl may be served from there.
        self.with_kv(namespace, |kv| {
            kv.fill(
                now,
                pop,
                &put.key,
                &version,
                committed_at,
                limits::kv::CACHE_TTL_DEFAULT,
            )
        });
        Ok(version)
    }

    /// Lists keys at the central store.
    ///
    /// # Errors
    /// A limit outside 1…1000, too many calls, a failing store.
    pub fn kv_list(
        &self,
        namespace: u32,
        prefix: Option<String>,
        cursor: Option<String>,
        limit: Option<u64>,
    ) -> Operation<Result<Page, Exception>> {
        let world = self.handle();
        Operation::new(async move {
            let invocation = Self::invocation()?;
            invocation.count_kv_operation(&world)?;
            let prefix = prefix.unwrap_or_default();
            let limit = kv::check_list(&prefix, limit)?;
            let start = world.now();
            world.count(Meter::KvLists, 1);
            let listed = world
                .kv_page(invocation.pop, namespace, &prefix, cursor.as_deref(), limit)
                .await;
            world.record(start, &Self::scope(), || {
                let outcome = match &listed {
                    Ok(_) => Outcome::Done,
                    Err(exception) => Outcome::Error {
                        message: exception.message.clone(),
                    },
                };
                (
                    Op::KvList {
                        namespace: world.kv_name(namespace),
                    },
                    outcome,
                )
            });
            world.deliver().await;
            listed
        })
    }

    async fn kv_page(
        &self,
        pop: Pop,
        namespace: u32,
        prefix: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page, Exception> {
        let site = self.kv_site(pop);
        let way_there = self.kv_travel("GET", pop, site)?;
        self.sleep_until(self.now().after(way_there), "kv.list", 0)
            .await;
        let now = self.now();
        if let Some(status) = self.kv_error(now, KvOperation::Get) {
            return Err(kv_status("GET", status));
        }
        let page = self.with_kv(namespace, |kv| kv.list(now, prefix, cursor, limit));
        let way_back = self.kv_travel("GET", site, pop)? + nanos(self.0.options.kv_central);
        self.sleep_until(now.after(way_back), "kv.listed", page.keys.len() as u64)
            .await;
        Ok(page)
    }

    /// The status of a fault that meets this call, if one does.
    pub(super) fn kv_error(&self, now: Instant, operation: KvOperation) -> Option<u16> {
        let faults = self.0.faults.borrow();
        let mut dice = self.0.fault.borrow_mut();
        faults
            .kv_errors(now, operation)
            .find(|(_, ratio)| *ratio >= 1.0 || dice.chance(*ratio))
            .map(|(status, _)| status)
    }

    fn with_kv<T>(&self, namespace: u32, act: impl FnOnce(&mut kv::Namespace) -> T) -> T {
        act(&mut self.0.namespaces.borrow_mut()[namespace as usize])
    }

    fn kv_name(&self, namespace: u32) -> String {
        self.0.namespaces.borrow()[namespace as usize]
            .binding
            .to_string()
    }

    /// The central store that a PoP asks.
    fn kv_site(&self, pop: Pop) -> Pop {
        self.0.kv_sites[pop.index()]
    }

    fn kv_travel(&self, verb: &str, from: Pop, to: Pop) -> Result<u64, Exception> {
        // In the outage of 2025-06-12, calls that needed a store out of reach were answered 503 (or 500).
        self.travel(from, to).map_err(|_| kv_status(verb, 503))
    }
}

pub(super) fn kv_status(verb: &str, status: u16) -> Exception {
    let reason = http::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or_default();
    kv::failed(verb, status, reason)
}

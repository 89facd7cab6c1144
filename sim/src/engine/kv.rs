//! KV as a Worker awaits it: check, count, travel to the central store if the PoP's cache cannot answer.

use super::digest;
use super::record::{Begun, failed};
use super::scope::{self, Invocation};
use super::{Engine, Operation};
use crate::bill::usage::Meter;
use crate::exception::Exception;
use crate::fault::KvOperation;
use crate::history::{Op, Outcome};
use crate::kernel::fingerprint::Fingerprint;
use crate::kernel::time::{Instant, nanos};
use crate::limits;
use crate::name;
use crate::platform::kv::{self, Page, Put, Version};
use crate::topology::Pop;
use bytes::Bytes;
use std::rc::Rc;
use std::time::Duration;

/// In the outage of 2025-06-12, calls that needed a store out of reach were answered 503 (or 500).
const UNREACHABLE: u16 = 503;

/// How long a written value is kept, and what is kept with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KvPutOptions {
    /// Metadata as JSON text.
    pub metadata: Option<Rc<str>>,
    /// When the value expires, in seconds since the Unix epoch.
    pub expiration_seconds: Option<u64>,
    /// How long until it expires, in seconds; takes precedence over `expiration_seconds`.
    pub expiration_ttl_seconds: Option<u64>,
}

/// Which keys a list wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KvListOptions {
    /// Keys begin with this.
    pub prefix: Option<String>,
    /// Where an earlier page ended.
    pub cursor: Option<String>,
    /// The maximum number of keys; 1000 by default.
    pub limit: Option<u64>,
}

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

impl KvPutOptions {
    /// Checks a value and its options, and returns the write.
    ///
    /// # Errors
    /// A size or a time that KV refuses.
    pub(crate) fn put(self, now: Instant, key: Rc<str>, value: Bytes) -> Result<Put, Exception> {
        let metadata_bytes = self.metadata.as_ref().map_or(0, |metadata| metadata.len());
        let expiration_seconds = kv::check_put(
            now,
            value.len(),
            metadata_bytes,
            self.expiration_seconds,
            self.expiration_ttl_seconds,
        )?;
        Ok(Put {
            key,
            value: Some(value),
            metadata: self.metadata,
            expiration_seconds,
        })
    }
}

impl Engine {
    /// Reads a key. `None`: no such key, as far as this PoP knows.
    ///
    /// # Errors
    /// A bad key or `cacheTtl`, too many calls, a failing store: with the platform's texts.
    pub(crate) fn kv_get(
        &self,
        namespace: u32,
        key: Rc<str>,
        cache_ttl_seconds: Option<u64>,
    ) -> Operation<Result<Option<KvRead>, Exception>> {
        let engine = self.clone();
        Operation::new(async move {
            let answer = engine.kv_ask(namespace, key, cache_ttl_seconds).await?;
            Ok(answer.read)
        })
    }

    /// Reads a key, and tells where the answer came from.
    ///
    /// # Errors
    /// As [`kv_get`](Self::kv_get).
    pub(crate) fn kv_answer(
        &self,
        namespace: u32,
        key: Rc<str>,
        cache_ttl_seconds: Option<u64>,
    ) -> Operation<Result<KvAnswer, Exception>> {
        let engine = self.clone();
        Operation::new(async move { engine.kv_ask(namespace, key, cache_ttl_seconds).await })
    }

    async fn kv_ask(
        &self,
        namespace: u32,
        key: Rc<str>,
        cache_ttl_seconds: Option<u64>,
    ) -> Result<KvAnswer, Exception> {
        let invocation = scope::invocation()?;
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
    pub(crate) fn kv_get_bulk(
        &self,
        namespace: u32,
        keys: Vec<Rc<str>>,
        cache_ttl_seconds: Option<u64>,
    ) -> Operation<Result<KvReads, Exception>> {
        let engine = self.clone();
        Operation::new(async move {
            let invocation = scope::invocation()?;
            invocation.count_kv_operation(&engine)?;
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
                engine.kv_read(&invocation, namespace, Rc::clone(key), cache_ttl_seconds)
            });
            let values = futures_util::future::join_all(reads).await;
            engine.deliver().await;
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
        let begun = self.begin(|| Op::KvGet {
            namespace: self.kv_name(namespace),
            key: key.to_string(),
            cache_ttl_seconds: cache_ttl.as_secs(),
        });
        self.count(Meter::KvReads, 1);
        let pop = invocation.pop;
        let cached = self.with_kv(namespace, |kv| {
            kv.cached(start, pop, &key, cache_ttl).cloned()
        });
        let result = match cached {
            Some(cached) => {
                self.sleep_until(
                    start + self.options().kv_cached_read,
                    name!("kv.cached"),
                    cached.version.number,
                )
                .await;
                Ok((cached.version, cached.fetched_at, true))
            }
            None => self.kv_fetch(pop, namespace, &key, cache_ttl).await,
        };
        self.mix(name!("kv.get"), |fingerprint| {
            fingerprint.mix(u64::from(namespace));
            fingerprint.mix_bytes(key.as_bytes());
            match &result {
                Ok((version, _, cached)) => {
                    fingerprint.mix(version.number << 1 | u64::from(*cached));
                    fingerprint.mix(version.digest.value());
                }
                Err(exception) => fingerprint.mix_bytes(exception.message.as_bytes()),
            }
        });
        self.finish(begun, || match &result {
            Ok((version, fetched_at, cached)) => {
                let live = version.live(self.now()).is_some();
                Outcome::KvRead {
                    version: live.then_some(version.number),
                    fetched_at: fetched_at.0,
                    cached: *cached,
                    digest: live.then_some(version.digest),
                }
            }
            Err(exception) => failed(exception),
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
        self.sleep_until(self.now().after(way_there), name!("kv.read"), 0)
            .await;
        let fetched_at = self.now();
        if let Some(status) = self.kv_error(fetched_at, KvOperation::Get) {
            return Err(kv_status("GET", status));
        }
        let delay = self.0.faults.borrow().kv_delay(fetched_at, pop);
        let version = self.with_kv(namespace, |kv| kv.central(fetched_at, key, delay));
        let way_back = self.kv_travel("GET", site, pop)? + nanos(self.options().kv_central);
        self.sleep_until(
            fetched_at.after(way_back),
            name!("kv.answer"),
            version.number,
        )
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
    pub(crate) fn kv_put(
        &self,
        namespace: u32,
        key: Rc<str>,
        value: Bytes,
        options: KvPutOptions,
    ) -> Operation<Result<(), Exception>> {
        let engine = self.clone();
        Operation::new(async move {
            let invocation = scope::invocation()?;
            kv::check_key("PUT", &key)?;
            invocation.count_kv_operation(&engine)?;
            let put = options.put(engine.now(), key, value)?;
            engine.kv_write(&invocation, namespace, put).await
        })
    }

    /// Deletes a key; deleting one that is not there is no error.
    ///
    /// # Errors
    /// As [`kv_put`](Self::kv_put).
    pub(crate) fn kv_delete(
        &self,
        namespace: u32,
        key: Rc<str>,
    ) -> Operation<Result<(), Exception>> {
        let engine = self.clone();
        Operation::new(async move {
            let invocation = scope::invocation()?;
            kv::check_key("DELETE", &key)?;
            invocation.count_kv_operation(&engine)?;
            let put = Put {
                key,
                value: None,
                metadata: None,
                expiration_seconds: None,
            };
            engine.kv_write(&invocation, namespace, put).await
        })
    }

    async fn kv_write(
        &self,
        invocation: &Invocation,
        namespace: u32,
        put: Put,
    ) -> Result<(), Exception> {
        let (verb, meter) = if put.value.is_some() {
            ("PUT", Meter::KvWrites)
        } else {
            ("DELETE", Meter::KvDeletes)
        };
        let begun = self.begin(|| self.kv_write_op(namespace, &put));
        // A KV write leaves an object only when what the object wrote before is durable (workerd io-gate.h).
        self.output_gate(invocation).await?;
        let committed = self
            .kv_commit(invocation.pop, namespace, verb, meter, &put)
            .await;
        self.kv_written(begun, namespace, &put, &committed);
        self.deliver().await;
        committed.map(drop)
    }

    /// A write in the form that records use.
    pub(crate) fn kv_write_op(&self, namespace: u32, put: &Put) -> Op {
        let (namespace, key) = (self.kv_name(namespace), put.key.to_string());
        match &put.value {
            Some(value) => Op::KvPut {
                namespace,
                key,
                bytes: value.len() as u64,
                digest: Fingerprint::of(value),
                expiration_seconds: put.expiration_seconds,
            },
            None => Op::KvDelete { namespace, key },
        }
    }

    /// Ends a write: adds it to the fingerprint and finishes its record.
    pub(crate) fn kv_written(
        &self,
        begun: Begun,
        namespace: u32,
        put: &Put,
        committed: &Result<Rc<Version>, Exception>,
    ) {
        self.mix(name!("kv.put"), |fingerprint| {
            fingerprint.mix(u64::from(namespace) << 1 | u64::from(put.value.is_some()));
            fingerprint.mix_bytes(put.key.as_bytes());
            digest::optional(fingerprint, put.metadata.as_deref());
            fingerprint.mix(put.expiration_seconds.unwrap_or(0));
            match committed {
                Ok(version) => {
                    fingerprint.mix(version.number);
                    fingerprint.mix(version.digest.value());
                }
                Err(exception) => {
                    fingerprint.mix_bytes(put.value.as_deref().unwrap_or_default());
                    fingerprint.mix_bytes(exception.message.as_bytes());
                }
            }
        });
        self.finish(begun, || match committed {
            Ok(version) => Outcome::KvWritten {
                version: version.number,
                committed_at: version.committed_at.0,
            },
            Err(exception) => failed(exception),
        });
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
        let passage = self
            .send(pop, site)
            .map_err(|_| kv_status(verb, UNREACHABLE))?;
        if let Some(nanos) = passage.copy_nanos {
            self.kv_copy(namespace, meter, put.clone(), nanos);
        }
        self.sleep_until(self.now().after(passage.nanos), name!("kv.write"), 0)
            .await;
        let committed_at = self.now();
        if let Some(status) = self.kv_error(committed_at, KvOperation::Put) {
            return Err(kv_status(verb, status));
        }
        let committed = self.with_kv(namespace, |kv| kv.commit(committed_at, put));
        if committed.is_ok() {
            self.count(meter, 1);
        }
        let way_back = self.kv_travel(verb, site, pop)? + nanos(self.options().kv_central);
        let number = committed.as_ref().map_or(0, |version| version.number);
        self.sleep_until(committed_at.after(way_back), name!("kv.written"), number)
            .await;
        let version = committed?;
        let now = self.now();
        // The PoP of the write sees it at once, for as long as its cache may serve a read with the default cacheTtl.
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

    /// The second copy of a duplicated write arrives; its result is discarded.
    fn kv_copy(&self, namespace: u32, meter: Meter, put: Put, nanos: u64) {
        let engine = self.clone();
        self.spawn_in(
            None,
            Box::pin(async move {
                let at = engine.now().after(nanos);
                engine.sleep_until(at, name!("kv.copy"), 0).await;
                let committed = engine.with_kv(namespace, |kv| kv.commit(at, &put));
                if committed.is_ok() {
                    engine.count(meter, 1);
                }
                engine.kv_written(None, namespace, &put, &committed);
            }),
        );
    }

    /// Lists keys at the central store.
    ///
    /// # Errors
    /// A limit outside 1…1000, too many calls, a failing store.
    pub(crate) fn kv_list(
        &self,
        namespace: u32,
        options: KvListOptions,
    ) -> Operation<Result<Page, Exception>> {
        let engine = self.clone();
        Operation::new(async move {
            let invocation = scope::invocation()?;
            invocation.count_kv_operation(&engine)?;
            let prefix = options.prefix.unwrap_or_default();
            let limit = kv::check_list(&prefix, options.limit)?;
            let begun = engine.begin(|| Op::KvList {
                namespace: engine.kv_name(namespace),
                prefix: prefix.clone(),
            });
            engine.count(Meter::KvLists, 1);
            let cursor = options.cursor.as_deref();
            let listed = engine
                .kv_page(invocation.pop, namespace, &prefix, cursor, limit)
                .await;
            engine.kv_listed(begun, namespace, &prefix, &listed);
            engine.deliver().await;
            listed
        })
    }

    /// Ends a list: adds it to the fingerprint and finishes its record.
    pub(crate) fn kv_listed(
        &self,
        begun: Begun,
        namespace: u32,
        prefix: &str,
        listed: &Result<Page, Exception>,
    ) {
        self.mix(name!("kv.keys"), |fingerprint| {
            fingerprint.mix(u64::from(namespace));
            fingerprint.mix_bytes(prefix.as_bytes());
            match listed {
                Ok(page) => {
                    for key in &page.keys {
                        fingerprint.mix_bytes(key.name.as_bytes());
                        digest::optional(fingerprint, key.metadata.as_deref());
                        fingerprint.mix(key.expiration_seconds.unwrap_or(0));
                    }
                    digest::optional(fingerprint, page.cursor.as_deref());
                }
                Err(exception) => fingerprint.mix_bytes(exception.message.as_bytes()),
            }
        });
        self.finish(begun, || match listed {
            Ok(page) => Outcome::KvListed {
                keys: page.keys.iter().map(|key| key.name.to_string()).collect(),
                complete: page.cursor.is_none(),
            },
            Err(exception) => failed(exception),
        });
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
        self.sleep_until(self.now().after(way_there), name!("kv.list"), 0)
            .await;
        let now = self.now();
        if let Some(status) = self.kv_error(now, KvOperation::Get) {
            return Err(kv_status("GET", status));
        }
        let page = self.with_kv(namespace, |kv| kv.list(now, prefix, cursor, limit));
        let way_back = self.kv_travel("GET", site, pop)? + nanos(self.options().kv_central);
        self.sleep_until(
            now.after(way_back),
            name!("kv.listed"),
            page.keys.len() as u64,
        )
        .await;
        Ok(page)
    }

    /// The status of a fault that meets this call, if one does.
    pub(crate) fn kv_error(&self, now: Instant, operation: KvOperation) -> Option<u16> {
        let faults = self.0.faults.borrow();
        let mut dice = self.0.chance.fault.borrow_mut();
        faults
            .kv_errors(now, operation)
            .find(|(_, ratio)| *ratio >= 1.0 || dice.chance(*ratio))
            .map(|(status, _)| status)
    }

    pub(crate) fn with_kv<T>(
        &self,
        namespace: u32,
        act: impl FnOnce(&mut kv::Namespace) -> T,
    ) -> T {
        act(&mut self.0.namespaces.borrow_mut()[namespace as usize])
    }

    pub(crate) fn kv_name(&self, namespace: u32) -> String {
        self.0.namespaces.borrow()[namespace as usize]
            .binding
            .to_string()
    }

    /// The central store that a PoP asks.
    fn kv_site(&self, pop: Pop) -> Pop {
        self.0.network.kv_sites[pop.index()]
    }

    fn kv_travel(&self, verb: &str, from: Pop, to: Pop) -> Result<u64, Exception> {
        self.travel(from, to)
            .map_err(|_| kv_status(verb, UNREACHABLE))
    }
}

pub(crate) fn kv_status(verb: &str, status: u16) -> Exception {
    let reason = http::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or_default();
    kv::failed(verb, status, reason)
}

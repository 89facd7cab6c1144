//! Reads of KV: from the PoP's own cache, or from the central store.

use super::{KvAnswer, KvRead, KvReads, kv_status};
use crate::bill::usage::Meter;
use crate::engine::record::failed;
use crate::engine::scope::{self, Invocation};
use crate::engine::{Engine, Operation};
use crate::exception::Exception;
use crate::fault::KvOperation;
use crate::history::{Op, Outcome};
use crate::kernel::time::{Instant, nanos};
use crate::limits;
use crate::name;
use crate::platform::kv::{self, Version};
use crate::topology::Pop;
use std::rc::Rc;
use std::time::Duration;

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
            let answer = engine.kv_ask(namespace, &key, cache_ttl_seconds).await?;
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
        Operation::new(async move { engine.kv_ask(namespace, &key, cache_ttl_seconds).await })
    }

    async fn kv_ask(
        &self,
        namespace: u32,
        key: &Rc<str>,
        cache_ttl_seconds: Option<u64>,
    ) -> Result<KvAnswer, Exception> {
        let invocation = scope::invocation()?;
        kv::check_key("GET", key)?;
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
            let reads = keys
                .iter()
                .map(|key| engine.kv_read(&invocation, namespace, key, cache_ttl_seconds));
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
        key: &Rc<str>,
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
            kv.cached(start, pop, key, cache_ttl).cloned()
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
            None => self.kv_fetch(pop, namespace, key, cache_ttl).await,
        };
        self.mix(name!("kv.get"), |fingerprint| {
            fingerprint.mix(u64::from(namespace));
            fingerprint.mix_bytes(key.as_bytes());
            match &result {
                Ok((version, _, cached)) => {
                    let number = version.number << 1 | u64::from(*cached);
                    fingerprint.mix_pair(number, version.digest.value());
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
}

//! Reads of KV: from the PoP's own cache, or from the central store.

use super::{Answered, Exchange, KvAnswer, KvRead, KvReads};
use crate::bill::usage::Meter;
use crate::engine::record::{Begun, failed};
use crate::engine::scope::{self, Invocation};
use crate::engine::{Engine, Operation};
use crate::exception::Exception;
use crate::fault::KvOperation;
use crate::history::{Op, Outcome};
use crate::kernel::time::Instant;
use crate::limits;
use crate::name;
use crate::platform::kv::{self, Cached, Version};
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

    /// Reads up to 100 keys in one call: one request, billed per key (KVPRICE).
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
            let cache_ttl = kv::check_cache_ttl("GET_BULK", cache_ttl_seconds)?;
            let answers = engine
                .kv_read_bulk(&invocation, namespace, &keys, cache_ttl)
                .await;
            engine.deliver().await;
            let reads = answers?.into_iter().map(|answer| answer.read);
            Ok(keys.into_iter().zip(reads).collect())
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
        let begun = self.kv_read_begins(namespace, key, cache_ttl);
        let pop = invocation.pop;
        let cached = self.with_kv(namespace, |kv| {
            kv.cached(start, pop, key, cache_ttl).cloned()
        });
        let found = match cached {
            Some(cached) => {
                self.sleep_until(
                    start + self.options().kv_cached_read,
                    name!("kv.cached"),
                    cached.version.number,
                )
                .await;
                Ok(Found::cached(cached))
            }
            None => {
                let fetched = self.kv_fetch(pop, namespace, key, cache_ttl);
                // Boxed, because a read that the cache answers would reserve space for it.
                Box::pin(fetched).await
            }
        };
        self.kv_read_ended(begun, namespace, key, &found);
        found.map(|found| self.kv_found(&found))
    }

    /// Reads a key at the central store, into the PoP's cache.
    async fn kv_fetch(
        &self,
        pop: Pop,
        namespace: u32,
        key: &Rc<str>,
        cache_ttl: Duration,
    ) -> Result<Found, Exception> {
        let read = |at| {
            let version = self.kv_central_read(at, pop, namespace, key);
            let detail = version.number;
            Answered {
                value: version,
                detail,
            }
        };
        // A read that is carried out twice changes nothing.
        let asked = self.kv_exchange(&asking("GET", pop), drop, read).await;
        asked.map(|(fetched_at, version)| {
            self.kv_fill(pop, namespace, key, cache_ttl, fetched_at, version)
        })
    }

    /// Reads many keys: what the PoP's cache does not know is one request to the central store.
    async fn kv_read_bulk(
        &self,
        invocation: &Invocation,
        namespace: u32,
        keys: &[Rc<str>],
        cache_ttl: Duration,
    ) -> Result<Vec<KvAnswer>, Exception> {
        let (start, pop) = (self.now(), invocation.pop);
        let (mut hits, mut misses) = (Vec::new(), Vec::new());
        for (place, key) in keys.iter().enumerate() {
            let begun = self.kv_read_begins(namespace, key, cache_ttl);
            let cached = self.with_kv(namespace, |kv| {
                kv.cached(start, pop, key, cache_ttl).cloned()
            });
            match cached {
                Some(cached) => hits.push((place, begun, cached)),
                None => misses.push((place, begun)),
            }
        }
        let from_cache = async {
            if hits.is_empty() {
                return Vec::new();
            }
            let read_at = start + self.options().kv_cached_read;
            self.sleep_until(read_at, name!("kv.cached"), hits.len() as u64)
                .await;
            let answers = hits.into_iter().map(|(place, begun, cached)| {
                let found = Ok(Found::cached(cached));
                self.kv_read_ended(begun, namespace, &keys[place], &found);
                found.map(|found| (place, self.kv_found(&found)))
            });
            answers.collect()
        };
        let from_store = async {
            if misses.is_empty() {
                return Vec::new();
            }
            let read = |at| {
                let versions = misses
                    .iter()
                    .map(|(place, _)| self.kv_central_read(at, pop, namespace, &keys[*place]));
                Answered {
                    value: versions.collect::<Vec<_>>(),
                    detail: misses.len() as u64,
                }
            };
            let asked = self.kv_exchange(&asking("GET_BULK", pop), drop, read).await;
            let answers = misses.iter().enumerate().map(|(nth, &(place, begun))| {
                let key = &keys[place];
                let found = asked.as_ref().map_err(Clone::clone);
                let found = found.map(|(fetched_at, versions)| {
                    let version = Rc::clone(&versions[nth]);
                    self.kv_fill(pop, namespace, key, cache_ttl, *fetched_at, version)
                });
                self.kv_read_ended(begun, namespace, key, &found);
                found.map(|found| (place, self.kv_found(&found)))
            });
            answers.collect()
        };
        let (cached, fetched): (Vec<_>, Vec<_>) =
            futures_util::future::join(from_cache, from_store).await;
        let answers: Result<Vec<_>, _> = cached.into_iter().chain(fetched).collect();
        let mut answers = answers?;
        answers.sort_unstable_by_key(|(place, _)| *place);
        Ok(answers.into_iter().map(|(_, answer)| answer).collect())
    }

    /// Begins the record of a read of one key, which is billed.
    fn kv_read_begins(&self, namespace: u32, key: &str, cache_ttl: Duration) -> Begun {
        self.count(Meter::KvReads, 1);
        self.begin(|| Op::KvGet {
            namespace: self.kv_name(namespace),
            key: key.to_owned(),
            cache_ttl_seconds: cache_ttl.as_secs(),
        })
    }

    /// What the central store answers a PoP now.
    fn kv_central_read(&self, now: Instant, pop: Pop, namespace: u32, key: &str) -> Rc<Version> {
        let delay = self.0.faults.borrow().kv_delay(now, pop);
        self.with_kv(namespace, |kv| kv.central(now, key, delay))
    }

    /// The store's answer goes into the PoP's cache.
    fn kv_fill(
        &self,
        pop: Pop,
        namespace: u32,
        key: &Rc<str>,
        cache_ttl: Duration,
        fetched_at: Instant,
        version: Rc<Version>,
    ) -> Found {
        let now = self.now();
        self.with_kv(namespace, |kv| {
            kv.fill(now, pop, key, &version, fetched_at, cache_ttl)
        });
        Found {
            version,
            fetched_at,
            cached: false,
        }
    }

    /// Ends a read of one key: adds it to the fingerprint and finishes its record.
    fn kv_read_ended(
        &self,
        begun: Begun,
        namespace: u32,
        key: &str,
        found: &Result<Found, Exception>,
    ) {
        self.mix(name!("kv.get"), |fingerprint| {
            fingerprint.mix(u64::from(namespace));
            fingerprint.mix_bytes(key.as_bytes());
            match found {
                Ok(found) => {
                    let number = found.version.number << 1 | u64::from(found.cached);
                    fingerprint.mix_pair(number, found.version.digest.value());
                }
                Err(exception) => fingerprint.mix_bytes(exception.message.as_bytes()),
            }
        });
        self.finish(begun, || match found {
            Ok(found) => {
                let live = found.version.live(self.now()).is_some();
                Outcome::KvRead {
                    version: live.then_some(found.version.number),
                    fetched_at: found.fetched_at.0,
                    cached: found.cached,
                    digest: live.then_some(found.version.digest),
                }
            }
            Err(exception) => failed(exception),
        });
    }

    /// What the Worker gets of a version now.
    fn kv_found(&self, found: &Found) -> KvAnswer {
        let version = &found.version;
        KvAnswer {
            read: version.live(self.now()).map(|value| KvRead {
                value: value.clone(),
                metadata: version.metadata.clone(),
            }),
            from_cache: found.cached,
        }
    }
}

/// What a read found, and where.
struct Found {
    version: Rc<Version>,
    fetched_at: Instant,
    cached: bool,
}

impl Found {
    fn cached(cached: Cached) -> Self {
        Self {
            version: cached.version,
            fetched_at: cached.fetched_at,
            cached: true,
        }
    }
}

/// A request of a PoP to read.
fn asking(verb: &'static str, pop: Pop) -> Exchange {
    Exchange {
        verb,
        pop,
        operation: KvOperation::Get,
        there: name!("kv.read"),
        back: name!("kv.answer"),
    }
}

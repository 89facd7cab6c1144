//! Workers KV: one central store, one cache per PoP.
//!
//! A write goes to the central store and, when it is acknowledged, into the cache of the PoP that made it. Every other
//! PoP continues to serve what its own cache holds (a cached miss too) until that entry is older than the reader's
//! `cacheTtl`; then it asks the central store again (KVHOW, KVGET, KVPUT). This rule alone makes KV eventually
//! consistent: it explains stale reads, reads that go back in time between PoPs, and writes that seem lost.
//!
//! Between the central store and a PoP there may be a *propagation delay* (a fault): the store then answers that PoP as
//! it was some time ago.
//!
//! Not modelled: regional tiers (they are revalidated on writes and so only change latency), background refresh of hot
//! keys, the two storage back ends, and KV Instant.

mod check;

pub use check::{check_bulk_key, check_cache_ttl, check_key, check_list, check_put, failed};

use crate::exception::Exception;
use crate::kernel::fingerprint::Fingerprint;
use crate::kernel::time::Instant;
use crate::limits;
use crate::topology::Pop;
use bytes::Bytes;
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::rc::Rc;
use std::time::Duration;

/// The state of a key after one write.
#[derive(Debug, PartialEq, Eq)]
pub struct Version {
    /// Place in the order in which the central store took the namespace's writes; 0: never written.
    pub number: u64,
    /// When the central store took it.
    pub committed_at: Instant,
    /// The value; `None` after a delete.
    pub value: Option<Bytes>,
    /// A digest of the value.
    pub digest: Fingerprint,
    /// Metadata as JSON text.
    pub metadata: Option<Rc<str>>,
    /// Seconds since the Unix epoch after which the value is gone.
    pub expiration_seconds: Option<u64>,
}

impl Version {
    fn never_written() -> Self {
        Self {
            number: 0,
            committed_at: Instant(0),
            value: None,
            digest: Fingerprint::default(),
            metadata: None,
            expiration_seconds: None,
        }
    }

    /// The value at `now`: expiry beats every cache (KVLIM).
    pub fn live(&self, now: Instant) -> Option<&Bytes> {
        let expired = self
            .expiration_seconds
            .is_some_and(|seconds| seconds <= now.unix_seconds());
        self.value.as_ref().filter(|_| !expired)
    }
}

/// What a PoP knows of a key.
#[derive(Debug, Clone)]
pub struct Cached {
    /// The version it holds.
    pub version: Rc<Version>,
    /// When the central store was asked for it.
    pub fetched_at: Instant,
    /// How long it may be kept.
    keep_until: Instant,
}

/// A write that was found valid and has not reached the central store yet.
#[derive(Debug, Clone)]
pub struct Put {
    /// The key.
    pub key: Rc<str>,
    /// `None` for a delete.
    pub value: Option<Bytes>,
    /// Metadata as JSON text.
    pub metadata: Option<Rc<str>>,
    /// Seconds since the Unix epoch.
    pub expiration_seconds: Option<u64>,
}

/// One page of `list`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The keys, in order of their bytes.
    pub keys: Vec<ListedKey>,
    /// Where the next page begins; `None` on the last one.
    pub cursor: Option<String>,
}

/// A key in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedKey {
    /// The key.
    pub name: Rc<str>,
    /// Seconds since the Unix epoch.
    pub expiration_seconds: Option<u64>,
    /// Metadata as JSON text.
    pub metadata: Option<Rc<str>>,
}

#[derive(Debug)]
struct Entry {
    /// The newest version last. Older ones are kept only while a propagation delay may ask for them.
    versions: VecDeque<Rc<Version>>,
}

/// One KV namespace.
#[derive(Debug)]
pub struct Namespace {
    /// Name of the binding it was configured with, for records.
    pub binding: Rc<str>,
    central: BTreeMap<Rc<str>, Entry>,
    last_write: FxHashMap<Rc<str>, Instant>,
    caches: Vec<FxHashMap<Rc<str>, Cached>>,
    /// What to forget, and when: expired values in the central store.
    expiring: BTreeMap<(u64, Rc<str>), ()>,
    /// Cache entries in order of their end, to forget those that may no longer be served.
    cache_order: BTreeSet<(Instant, Pop, Rc<str>)>,
    /// Write times in order, to forget those older than a second.
    write_order: VecDeque<(Instant, Rc<str>)>,
    next_version: u64,
    stored_bytes: u64,
    /// How far back a delayed PoP may see; zero unless a propagation fault is planned.
    history_kept: Duration,
    /// Deleted from the account: reads find nothing, writes are refused.
    deleted: bool,
}

impl Namespace {
    /// An empty namespace, seen from `pops` PoPs.
    pub fn new(binding: Rc<str>, pops: usize) -> Self {
        Self {
            binding,
            central: BTreeMap::new(),
            last_write: FxHashMap::default(),
            caches: (0..pops).map(|_| FxHashMap::default()).collect(),
            expiring: BTreeMap::new(),
            cache_order: BTreeSet::new(),
            write_order: VecDeque::new(),
            next_version: 1,
            stored_bytes: 0,
            history_kept: Duration::ZERO,
            deleted: false,
        }
    }

    /// A namespace that was deleted from the account, as a binding sees it.
    pub fn deleted(binding: Rc<str>, pops: usize) -> Self {
        Self {
            deleted: true,
            ..Self::new(binding, pops)
        }
    }

    /// A number that grows with every write taken.
    pub fn revision(&self) -> u64 {
        self.next_version
    }

    /// Keeps overwritten versions for `duration`, so that a delayed PoP can be answered.
    pub fn keep_history(&mut self, duration: Duration) {
        self.history_kept = self.history_kept.max(duration);
    }

    /// Bytes stored now: keys, values and metadata.
    pub fn stored_bytes(&self) -> u64 {
        self.stored_bytes
    }

    /// What the cache of `pop` may answer at `now` to a reader who accepts `cache_ttl`; `None` if it may not answer.
    ///
    /// The reader's own `cacheTtl` decides, so that a shorter one brings newer data (KVGET).
    pub fn cached(
        &self,
        now: Instant,
        pop: Pop,
        key: &str,
        cache_ttl: Duration,
    ) -> Option<&Cached> {
        let cached = self.caches[pop.index()].get(key)?;
        (now < cached.fetched_at + cache_ttl && now < cached.keep_until).then_some(cached)
    }

    /// What the central store answers a PoP at `now`, if that PoP sees the store's state of `delay` ago.
    pub fn central(&self, now: Instant, key: &str, delay: Duration) -> Rc<Version> {
        let seen_at = Instant(now.0.saturating_sub(crate::kernel::time::nanos(delay)));
        let versions = self.central.get(key).map(|entry| &entry.versions);
        let newest =
            versions.and_then(|versions| versions.iter().rev().find(|v| v.committed_at <= seen_at));
        newest
            .cloned()
            .unwrap_or_else(|| Rc::new(Version::never_written()))
    }

    /// Puts what the central store answered at `fetched_at` into the cache of `pop`.
    ///
    /// An answer that was overtaken by a newer one (the PoP's own write, say) changes nothing.
    pub fn fill(
        &mut self,
        now: Instant,
        pop: Pop,
        key: &Rc<str>,
        version: &Rc<Version>,
        fetched_at: Instant,
        cache_ttl: Duration,
    ) {
        let cache = &mut self.caches[pop.index()];
        let keep_until = fetched_at + cache_ttl;
        // Number 0 has no place in the order: it also stands for a key whose tombstone is forgotten.
        let overtaken = cache.get(key).is_some_and(|cached| {
            cached.fetched_at > fetched_at
                || (version.number != 0 && cached.version.number > version.number)
        });
        if !overtaken {
            cache.insert(
                Rc::clone(key),
                Cached {
                    version: Rc::clone(version),
                    fetched_at,
                    keep_until,
                },
            );
            self.cache_order.insert((keep_until, pop, Rc::clone(key)));
        }
        self.forget(now);
    }

    /// Takes a write at the central store.
    ///
    /// # Errors
    /// A second write to one key within a second: 429 (KVLIM: 1 write per second and key). How production measures the
    /// second is not published; here it is the time since the last write that was taken.
    /// Any write to a namespace that was deleted: 404 (what the store answers is not published; a 404 to a write is an error
    /// in workerd's kv.c++).
    pub fn commit(&mut self, now: Instant, put: &Put) -> Result<Rc<Version>, Exception> {
        if self.deleted {
            let verb = if put.value.is_some() { "PUT" } else { "DELETE" };
            return Err(failed(verb, 404, "Not Found"));
        }
        if let Some(&last) = self.last_write.get(&put.key)
            && now.since(last) < limits::kv::WRITE_INTERVAL
        {
            let verb = if put.value.is_some() { "PUT" } else { "DELETE" };
            return Err(failed(verb, 429, limits::kv::WRITE_TOO_SOON));
        }
        self.last_write.insert(Rc::clone(&put.key), now);
        self.write_order.push_back((now, Rc::clone(&put.key)));
        let version = self.store(now, put);
        self.forget(now);
        Ok(version)
    }

    /// Takes a value that an earlier run stored: it is as old as time, so that every PoP sees it however late its view is, and
    /// a write may follow at once. False if the key has a value already.
    pub fn restore(&mut self, put: &Put) -> bool {
        if self.central.contains_key(&put.key) {
            return false;
        }
        self.store(Instant(0), put);
        true
    }

    fn store(&mut self, now: Instant, put: &Put) -> Rc<Version> {
        let version = Rc::new(Version {
            number: self.next_version,
            committed_at: now,
            value: put.value.clone(),
            digest: put
                .value
                .as_deref()
                .map(Fingerprint::of)
                .unwrap_or_default(),
            metadata: put.metadata.clone(),
            expiration_seconds: put.expiration_seconds,
        });
        self.next_version += 1;
        let entry = self
            .central
            .entry(Rc::clone(&put.key))
            .or_insert_with(|| Entry {
                versions: VecDeque::new(),
            });
        if let Some(old) = entry.versions.back() {
            self.stored_bytes -= stored(&put.key, old);
            if let Some(seconds) = old.expiration_seconds {
                self.expiring.remove(&(seconds, Rc::clone(&put.key)));
            }
        }
        self.stored_bytes += stored(&put.key, &version);
        if let Some(seconds) = version.expiration_seconds {
            self.expiring.insert((seconds, Rc::clone(&put.key)), ());
        }
        entry.versions.push_back(Rc::clone(&version));
        // A delayed PoP may still ask for a version as long as its successor is younger than the longest delay.
        while entry.versions.len() > 1 && entry.versions[1].committed_at + self.history_kept <= now
        {
            entry.versions.pop_front();
        }
        if entry.versions.len() == 1 && version.value.is_none() {
            // No PoP can ask for the versions before a lone tombstone, so it is dropped.
            self.central.remove(&put.key);
        }
        version
    }

    /// One page of keys at the central store.
    pub fn list(&self, now: Instant, prefix: &str, cursor: Option<&str>, limit: usize) -> Page {
        let start = match cursor {
            Some(last) => Bound::Excluded(last),
            None => Bound::Included(prefix),
        };
        let mut keys = Vec::new();
        for (key, entry) in self.central.range::<str, _>((start, Bound::Unbounded)) {
            if !key.starts_with(prefix) {
                if &**key > prefix {
                    break;
                }
                continue;
            }
            let Some(version) = entry
                .versions
                .back()
                .filter(|version| version.live(now).is_some())
            else {
                continue;
            };
            if keys.len() == limit {
                let cursor = keys.last().map(|key: &ListedKey| key.name.to_string());
                return Page { keys, cursor };
            }
            keys.push(ListedKey {
                name: Rc::clone(key),
                expiration_seconds: version.expiration_seconds,
                metadata: version.metadata.clone(),
            });
        }
        Page { keys, cursor: None }
    }

    /// What the central store holds at `now`, in order of the keys' bytes.
    pub fn live_entries(&self, now: Instant) -> impl Iterator<Item = (&Rc<str>, &Rc<Version>)> {
        let newest = self
            .central
            .iter()
            .filter_map(|(key, entry)| Some((key, entry.versions.back()?)));
        newest.filter(move |(_, version)| version.live(now).is_some())
    }

    /// Forgets the entries that no PoP can ask for any more, so that memory follows what is alive and not how long a
    /// run is.
    fn forget(&mut self, now: Instant) {
        while let Some((keep_until, pop, key)) = self.cache_order.first() {
            if *keep_until > now {
                break;
            }
            let cache = &mut self.caches[pop.index()];
            if cache
                .get(key)
                .is_some_and(|cached| cached.keep_until <= now)
            {
                cache.remove(key);
            }
            self.cache_order.pop_first();
        }
        while let Some((at, key)) = self.write_order.front() {
            if now.since(*at) < limits::kv::WRITE_INTERVAL {
                break;
            }
            if self.last_write.get(key) == Some(at) {
                self.last_write.remove(key);
            }
            self.write_order.pop_front();
        }
        while let Some(((seconds, _), ())) = self.expiring.first_key_value() {
            if *seconds > now.unix_seconds() {
                break;
            }
            let ((_, key), ()) = self.expiring.pop_first().expect("it has a first entry");
            if let Some(entry) = self.central.remove(&key) {
                let last = entry.versions.back().expect("an entry has a version");
                self.stored_bytes -= stored(&key, last);
            }
        }
    }
}

fn stored(key: &str, version: &Version) -> u64 {
    let metadata = version
        .metadata
        .as_ref()
        .map_or(0, |metadata| metadata.len());
    version
        .value
        .as_ref()
        .map_or(0, |value| (key.len() + value.len() + metadata) as u64)
}

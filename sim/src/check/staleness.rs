//! Checks that KV reads are as fresh as KV promises, and measures how stale they were.
//!
//! The writes that the central store took make a timeline for every key. A read is judged against it:
//!
//! - `kv/outdated-fetch`: what it returned was current when it was fetched from the central store, or became so later.
//! - `kv/too-old`: when it ended, that fetch was not longer ago than the longest `cacheTtl` asked for with that key.
//! - `kv/went-back`: a PoP does not return an older version than one that it returned, or wrote, before. KVHOW promises
//!   this only "usually", so it is an option; the simulator keeps it while no fault is in force.
//!
//! All three allow for [`Options::tolerance`]; a propagation delay injected as a fault has to be part of it.
//!
//! A miss does not name a version: it may be any deletion, the time before the first write, or a value that expired. It
//! is judged by the state that is most favourable to the platform; a written value counts as expired from the
//! expiration it was written with. A version without a record of its write is accepted: the write's acknowledgement may
//! have been lost.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::Violation;
use crate::history::{KvVersion, Nanos, Op, Outcome, Record};

/// The tolerances of the check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// How much later than the `cacheTtl` says a read may end, and how long a write may take to reach a PoP. The default
    /// of 1 s covers the way of an answer around the Earth.
    pub tolerance: Duration,
    /// Whether to check that no PoP goes back.
    pub monotonic: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tolerance: Duration::from_secs(1),
            monotonic: true,
        }
    }
}

/// How stale the reads of a run were.
///
/// A read is stale if a newer version had been taken by the central store before the read began; its staleness is the
/// time from then to its beginning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Staleness {
    /// Finished reads, misses included.
    pub reads: u64,
    /// Reads that found nothing.
    pub misses: u64,
    /// Reads that the PoP's own cache answered.
    pub cached_reads: u64,
    /// Reads of something outdated.
    pub stale_reads: u64,
    /// Median staleness of the stale reads, in seconds.
    pub median_stale_seconds: f64,
    /// Their 99th percentile (nearest rank), in seconds.
    pub p99_stale_seconds: f64,
    /// The longest, in seconds.
    pub max_stale_seconds: f64,
}

/// A write that the central store took.
struct Write<'a> {
    number: KvVersion,
    committed_at: Nanos,
    /// From when on a read may miss it: at once after a deletion, else when it may have expired.
    absent_from: Nanos,
    record: &'a Record,
}

/// A finished read.
struct Read<'a> {
    version: Option<KvVersion>,
    fetched_at: Nanos,
    cached: bool,
    record: &'a Record,
}

/// What happened to one key.
#[derive(Default)]
struct Key<'a> {
    /// By version.
    writes: Vec<Write<'a>>,
    /// In order of their end.
    reads: Vec<Read<'a>>,
    longest_ttl_seconds: u64,
}

type Name<'a> = (&'a str, &'a str);

/// Sorts the records by key; O(n log n).
fn keys(records: &[Record]) -> BTreeMap<Name<'_>, Key<'_>> {
    let mut keys: BTreeMap<Name<'_>, Key<'_>> = BTreeMap::new();
    for record in records {
        match (&record.op, &record.outcome) {
            (
                Op::KvGet {
                    namespace,
                    key,
                    cache_ttl_seconds,
                },
                &Outcome::KvRead {
                    version,
                    fetched_at,
                    cached,
                    ..
                },
            ) => {
                let entry = keys.entry((namespace, key)).or_default();
                entry.longest_ttl_seconds = entry.longest_ttl_seconds.max(*cache_ttl_seconds);
                entry.reads.push(Read {
                    version,
                    fetched_at,
                    cached,
                    record,
                });
            }
            (
                op @ (Op::KvPut { namespace, key, .. } | Op::KvDelete { namespace, key }),
                &Outcome::KvWritten {
                    version: number,
                    committed_at,
                },
            ) => {
                let absent_from = match op {
                    Op::KvPut {
                        expiration_seconds: Some(seconds),
                        ..
                    } => nanos(*seconds),
                    Op::KvPut { .. } => Nanos::MAX,
                    _ => 0,
                };
                let write = Write {
                    number,
                    committed_at,
                    absent_from,
                    record,
                };
                keys.entry((namespace, key)).or_default().writes.push(write);
            }
            _ => {}
        }
    }
    for key in keys.values_mut() {
        key.writes.sort_by_key(|write| write.number);
    }
    keys
}

fn nanos(seconds: u64) -> Nanos {
    seconds.saturating_mul(1_000_000_000)
}

fn seconds(nanos: Nanos) -> f64 {
    nanos as f64 / 1e9
}

impl Key<'_> {
    /// How many writes the central store had taken by `at`.
    fn taken_by(&self, at: Nanos) -> usize {
        self.writes
            .partition_point(|write| write.committed_at <= at)
    }

    /// The version that was current at `at`; 0 before the first.
    fn current_at(&self, at: Nanos) -> KvVersion {
        self.taken_by(at)
            .checked_sub(1)
            .map_or(0, |index| self.writes[index].number)
    }

    /// The version that a read returned; for a miss the newest state that a miss can be.
    fn version_of(&self, read: &Read<'_>) -> KvVersion {
        read.version.unwrap_or_else(|| {
            let known = &self.writes[..self.taken_by(read.record.end)];
            known
                .iter()
                .rev()
                .find(|write| write.absent_from <= read.record.end)
                .map_or(0, |write| write.number)
        })
    }

    /// The first write after `version`.
    fn successor(&self, version: KvVersion) -> Option<&Write<'_>> {
        self.writes
            .get(self.writes.partition_point(|write| write.number <= version))
    }

    fn evidence(&self, versions: &[KvVersion], mut events: Vec<Record>) -> Vec<Record> {
        let written = self
            .writes
            .iter()
            .filter(|write| versions.contains(&write.number));
        events.extend(written.map(|write| write.record.clone()));
        events.sort_by_key(|record| record.end);
        events
    }
}

/// Judges all KV reads of a run.
pub fn check(records: &[Record], options: &Options) -> Vec<Violation> {
    let mut violations = Vec::new();
    for ((namespace, name), key) in &keys(records) {
        let place = |read: &Read<'_>| format!("{namespace}/{name} read in {}", read.record.pop);
        for read in &key.reads {
            let version = key.version_of(read);
            let seen_at = read
                .fetched_at
                .saturating_sub(options.tolerance.as_nanos() as u64);
            let current = key.current_at(seen_at);
            if version < current {
                violations.push(Violation {
                    rule: "kv/outdated-fetch",
                    message: format!(
                        "{} returned version {version}, which {current} had replaced before it was fetched",
                        place(read)
                    ),
                    events: key.evidence(&[version, current], vec![read.record.clone()]),
                });
            }
            let age = read.record.end.saturating_sub(read.fetched_at);
            let bound =
                nanos(key.longest_ttl_seconds).saturating_add(options.tolerance.as_nanos() as u64);
            if age > bound {
                violations.push(Violation {
                    rule: "kv/too-old",
                    message: format!(
                        "{} returned what was fetched {:.3} s before; the bound is {:.3} s",
                        place(read),
                        seconds(age),
                        seconds(bound)
                    ),
                    events: key.evidence(&[version], vec![read.record.clone()]),
                });
            }
        }
        if options.monotonic {
            went_back(namespace, name, key, &mut violations);
        }
    }
    violations
}

/// No PoP returns an older version than one that it returned or wrote before the read began.
fn went_back(namespace: &str, name: &str, key: &Key<'_>, violations: &mut Vec<Violation>) {
    // What each PoP has seen, in order of the time from which on it must know it.
    let mut seen: Vec<(Nanos, KvVersion, &Record)> = Vec::new();
    for read in &key.reads {
        // A miss proves nothing: it may be older than the state that it is judged by.
        if let Some(version) = read.version {
            seen.push((read.record.end, version, read.record));
        }
    }
    seen.extend(
        key.writes
            .iter()
            .map(|write| (write.record.end, write.number, write.record)),
    );
    seen.sort_by_key(|&(at, version, _)| (at, version));

    let mut reads: Vec<&Read<'_>> = key.reads.iter().collect();
    reads.sort_by_key(|read| read.record.start);
    let mut seen = seen.into_iter().peekable();
    let mut newest: BTreeMap<&str, (KvVersion, &Record)> = BTreeMap::new();
    for read in reads {
        while let Some((_, version, record)) = seen.next_if(|&(at, ..)| at < read.record.start) {
            let newest = newest.entry(&record.pop).or_insert((version, record));
            if version > newest.0 {
                *newest = (version, record);
            }
        }
        let version = key.version_of(read);
        if let Some(&(before, record)) = newest.get(read.record.pop.as_str())
            && version < before
        {
            violations.push(Violation {
                rule: "kv/went-back",
                message: format!(
                    "{namespace}/{name} read in {} returned version {version} after {before} was known there",
                    read.record.pop
                ),
                events: vec![record.clone(), read.record.clone()],
            });
        }
    }
}

/// Measures how stale the reads of a run were.
pub fn measure(records: &[Record]) -> Staleness {
    let mut staleness = Staleness::default();
    let mut stale: Vec<Nanos> = Vec::new();
    for key in keys(records).values() {
        for read in &key.reads {
            staleness.reads += 1;
            staleness.misses += u64::from(read.version.is_none());
            staleness.cached_reads += u64::from(read.cached);
            let start = read.record.start;
            if let Some(successor) = key.successor(key.version_of(read))
                && successor.committed_at < start
            {
                stale.push(start - successor.committed_at);
            }
        }
    }
    stale.sort_unstable();
    staleness.stale_reads = stale.len() as u64;
    let rank = |percent: usize| {
        stale
            .get((stale.len() * percent).div_ceil(100).saturating_sub(1))
            .copied()
    };
    staleness.median_stale_seconds = seconds(rank(50).unwrap_or(0));
    staleness.p99_stale_seconds = seconds(rank(99).unwrap_or(0));
    staleness.max_stale_seconds = seconds(stale.last().copied().unwrap_or(0));
    staleness
}

#[cfg(test)]
mod tests;

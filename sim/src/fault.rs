//! Faults: a printable, serialisable list of failures and their times.
//!
//! A world takes the list when it is built and injects from it; it injects no other failure. So a run can be shown,
//! compared, replayed and cut down by editing a list. `at_ms` counts from the start of the run. Most faults last
//! `for_ms` and then heal by themselves, so every list ends in a healthy world. A fault that names something the world
//! does not have is refused when the world is built: [`Space`] lists the names that exist.
//!
//! ```
//! use edgeproof_sim::fault::{Fault, FaultKind};
//!
//! let faults: Vec<Fault> = serde_json::from_str(
//!     r#"[{"at_ms": 1000, "kind": {"partition": {"a": "MEX", "b": "FRA", "for_ms": 5000}}}]"#,
//! )?;
//! assert_eq!(faults[0].to_string(), "at 1.000 s: partition between MEX and FRA for 5.000 s");
//! # Ok::<(), serde_json::Error>(())
//! ```

mod in_force;
mod space;

pub(crate) use in_force::{Effect, Fate, InForce};
pub use space::{Space, UnknownName};

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// One fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Milliseconds after the start of the run.
    pub at_ms: u64,
    /// What goes wrong.
    pub kind: FaultKind,
}

/// An operation of KV that can be made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KvOperation {
    /// Uncached reads (and lists): a PoP's cache continues to answer, as it did in the outage of 2025-06-12.
    Get,
    /// Writes and deletes.
    Put,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are named in each variant's text")]
#[non_exhaustive]
pub enum FaultKind {
    /// Messages between PoPs `a` and `b` take `extra_ms` longer, each way.
    LinkLatency {
        a: String,
        b: String,
        extra_ms: u64,
        for_ms: u64,
    },
    /// No message passes between PoPs `a` and `b`: calls fail with `Network connection lost.`
    Partition { a: String, b: String, for_ms: u64 },
    /// Of the messages from PoP `from` to PoP `to`, the next `skip` pass and the `count` after them are lost: the sender sees
    /// `Network connection lost.` A call whose request is lost has no effect; one whose answer is lost has had it.
    MessageDropped {
        from: String,
        to: String,
        #[serde(default)]
        skip: u64,
        #[serde(default = "one")]
        count: u64,
        for_ms: u64,
    },
    /// Of the messages from PoP `from` to PoP `to`, the next `skip` pass and the `count` after them arrive twice: the
    /// request is carried out twice, and the sender sees the answer to the first copy. Copies of answers change
    /// nothing.
    MessageDuplicated {
        from: String,
        to: String,
        #[serde(default)]
        skip: u64,
        #[serde(default = "one")]
        count: u64,
        for_ms: u64,
    },
    /// The central KV store answers `pop` as it was `delay_ms` ago.
    KvPropagationDelay {
        pop: String,
        delay_ms: u64,
        for_ms: u64,
    },
    /// The central KV store answers `operation` with `status` (429, 500 or 503); with a `ratio` below 1 only that share of the
    /// calls, drawn from the stream `fault`.
    KvErrors {
        operation: KvOperation,
        status: u16,
        #[serde(default = "every_one")]
        ratio: f64,
        for_ms: u64,
    },
    /// Objects of `class` cannot be reached: calls fail with `Network connection lost.` (retryable).
    ObjectUnreachable { class: String, for_ms: u64 },
    /// Every live object of `class` is reset, as by new code: memory is lost, calls in flight fail, storage stays.
    ObjectReset { class: String },
    /// Objects of `class` refuse calls as overloaded.
    ObjectOverloaded { class: String, for_ms: u64 },
    /// Commits of objects of `class` fail: what a turn wrote is undone, its messages are never sent, the object is reset.
    ObjectStorageFailing { class: String, for_ms: u64 },
    /// The storage of objects of `class` is full: writes fail with `database or disk is full: SQLITE_FULL`, alarms that are set
    /// included; reads and deletes work (DOLIM 2026-06-01). Nothing is reset.
    ObjectStorageFull { class: String, for_ms: u64 },
    /// The database bound as `binding` works `factor` times as long.
    D1Slow {
        binding: String,
        factor: f64,
        for_ms: u64,
    },
    /// Calls of the database bound as `binding` fail with `Network connection lost.`
    D1Failing { binding: String, for_ms: u64 },
    /// Every isolate of the Worker in `pop` is evicted: module memory is lost. Objects keep theirs.
    IsolateEvicted { pop: String },
    /// The origin `host` takes requests and does not answer.
    OriginHanging { host: String, for_ms: u64 },
}

fn every_one() -> f64 {
    1.0
}

fn one() -> u64 {
    1
}

impl FaultKind {
    /// How long it lasts; `None` for one that is over at once.
    pub fn duration(&self) -> Option<Duration> {
        match self {
            Self::LinkLatency { for_ms, .. }
            | Self::Partition { for_ms, .. }
            | Self::MessageDropped { for_ms, .. }
            | Self::MessageDuplicated { for_ms, .. }
            | Self::KvPropagationDelay { for_ms, .. }
            | Self::KvErrors { for_ms, .. }
            | Self::ObjectUnreachable { for_ms, .. }
            | Self::ObjectOverloaded { for_ms, .. }
            | Self::ObjectStorageFailing { for_ms, .. }
            | Self::ObjectStorageFull { for_ms, .. }
            | Self::D1Slow { for_ms, .. }
            | Self::D1Failing { for_ms, .. }
            | Self::OriginHanging { for_ms, .. } => Some(Duration::from_millis(*for_ms)),
            Self::ObjectReset { .. } | Self::IsolateEvicted { .. } => None,
        }
    }

    /// Whether its figures make sense.
    pub fn is_valid(&self) -> bool {
        match self {
            Self::KvErrors { status, ratio, .. } => {
                (400..600).contains(status) && (0.0..=1.0).contains(ratio)
            }
            Self::D1Slow { factor, .. } => factor.is_finite() && *factor >= 0.0,
            _ => true,
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LinkLatency { a, b, extra_ms, .. } => {
                write!(f, "{extra_ms} ms more between {a} and {b}")
            }
            Self::Partition { a, b, .. } => write!(f, "partition between {a} and {b}"),
            Self::MessageDropped {
                from,
                to,
                skip,
                count,
                ..
            } => write!(f, "{count} messages from {from} to {to} lost after {skip}"),
            Self::MessageDuplicated {
                from,
                to,
                skip,
                count,
                ..
            } => write!(
                f,
                "{count} messages from {from} to {to} doubled after {skip}"
            ),
            Self::KvPropagationDelay { pop, delay_ms, .. } => {
                write!(f, "KV seen from {pop} is {delay_ms} ms late")
            }
            Self::KvErrors {
                operation,
                status,
                ratio,
                ..
            } if *ratio < 1.0 => write!(
                f,
                "KV answers {status} to {} % of every {operation:?}",
                ratio * 100.0
            ),
            Self::KvErrors {
                operation, status, ..
            } => write!(f, "KV answers {status} to every {operation:?}"),
            Self::ObjectUnreachable { class, .. } => write!(f, "objects of {class} unreachable"),
            Self::ObjectReset { class } => write!(f, "objects of {class} reset"),
            Self::ObjectOverloaded { class, .. } => write!(f, "objects of {class} overloaded"),
            Self::ObjectStorageFailing { class, .. } => write!(f, "storage of {class} failing"),
            Self::ObjectStorageFull { class, .. } => write!(f, "storage of {class} full"),
            Self::D1Slow {
                binding, factor, ..
            } => write!(f, "D1 {binding} {factor} times as slow"),
            Self::D1Failing { binding, .. } => write!(f, "D1 {binding} failing"),
            Self::IsolateEvicted { pop } => write!(f, "isolates in {pop} evicted"),
            Self::OriginHanging { host, .. } => write!(f, "origin {host} hanging"),
        }?;
        match self.duration() {
            Some(duration) => write!(f, " for {:.3} s", duration.as_secs_f64()),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "at {:.3} s: {}",
            Duration::from_millis(self.at_ms).as_secs_f64(),
            self.kind
        )
    }
}

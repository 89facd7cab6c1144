//! Checks of a run: pure readers of its records.
//!
//! A check reads the [`Record`]s of a run (see [`history`](crate::history)) and returns the [`Violation`]s it found,
//! each with the records that prove it. It never sees the world, so it can judge a run of any other platform that
//! writes such records, and a broken platform cannot mislead it.
//!
//! - [`staleness`]: KV reads are never older than they may be, and how old they were.
//! - [`quota`]: no identity was admitted more often than its quota in any window.
//! - [`bill_check`]: the bill counted every operation.
//!
//! A check that finds nothing has not proved that nothing is wrong: it has read one history. Where a record does not
//! say enough to be sure, a check reports nothing rather than a false alarm; its own documentation says where.

pub mod bill_check;
pub mod quota;
pub mod staleness;

use std::fmt;

use serde::Serialize;

use crate::history::Record;

/// A rule that a run broke, with the evidence.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Violation {
    /// Name of the rule, such as `kv/too-old`.
    pub rule: &'static str,
    /// What happened, in a sentence.
    pub message: String,
    /// The records that show it, in order of their `end`.
    pub events: Vec<Record>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.message)
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! Hand-written histories.

    use crate::history::{Actor, Nanos, Op, Outcome, Record};

    pub(crate) const SECOND: Nanos = 1_000_000_000;
    pub(crate) const MS: Nanos = 1_000_000;

    /// A record of `op` from `start` to `end`.
    pub(crate) fn record(pop: &str, start: Nanos, end: Nanos, op: Op, outcome: Outcome) -> Record {
        Record {
            number: 0,
            cause: None,
            copy: false,
            start,
            end,
            pop: pop.to_owned(),
            isolate: Some(1),
            actor: Actor::Invocation(1),
            op,
            outcome,
        }
    }
}

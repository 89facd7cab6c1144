//! Denials of the object, as an isolate repeats them.

use super::charge::Charge;
use crate::core::limiter::Decision;
use crate::core::policy::PolicyName;
use std::collections::BTreeMap;

/// How many denials an isolate remembers.
pub(super) const DENIALS_MAX: usize = 10_000;

/// A denial as one isolate may repeat it without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Denial {
    answered_ms: u64,
    reset_ms: u64,
    /// Up to here the object would certainly deny as well, and would not say that somebody should be told.
    holds_until_ms: u64,
}

impl Denial {
    /// The object decided at some instant between question and answer. So its wait is over, at the earliest, counted from the
    /// question.
    pub(super) fn new(asked_ms: u64, answered_ms: u64, charge: Charge) -> Self {
        let reset_ms = charge.decision.reset_ms;
        Self {
            answered_ms,
            reset_ms,
            // The clock may have gone back meanwhile.
            holds_until_ms: asked_ms.min(answered_ms) + reset_ms.min(charge.quiet_ms),
        }
    }

    /// The denial at `now_ms`, while it holds. A clock that went back says nothing about how long that is: then the object is asked.
    pub(super) fn at(&self, now_ms: u64) -> Option<Decision> {
        let since_ms = now_ms.checked_sub(self.answered_ms)?;
        // Counted from the answer, so never too early.
        (now_ms < self.holds_until_ms).then(|| Decision::denied(self.reset_ms - since_ms))
    }
}

/// What objects have denied lately.
#[derive(Debug, Default)]
pub(crate) struct Denials(pub(super) [BTreeMap<String, Denial>; 3]);

impl Denials {
    pub(super) fn get(&self, policy: PolicyName, name: &str, now_ms: u64) -> Option<Decision> {
        self.0[policy.index()].get(name)?.at(now_ms)
    }

    pub(super) fn put(&mut self, policy: PolicyName, name: String, denial: Denial) {
        let denials = &mut self.0[policy.index()];
        if denials.len() >= DENIALS_MAX {
            denials.retain(|_, old| old.holds_until_ms > denial.answered_ms);
            if denials.len() >= DENIALS_MAX {
                denials.pop_first();
            }
        }
        denials.insert(name, denial);
    }
}

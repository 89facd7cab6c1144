//! What remains of a quota: whether the answers of each identity counted it down one by one.

use std::time::Duration;

use super::check::{Check, Count};
use crate::contract::Quota;

/// The remainders in the admitted answers of one identity.
#[derive(Debug, Clone, Default)]
pub(super) struct Remainders {
    pub(super) count: u64,
    sum: u64,
    pub(super) highest: u64,
    last: Option<u64>,
    /// The first step that was not by one, in the order of arrival.
    broken: Option<(u64, u64)>,
}

impl Remainders {
    /// Adds the remainder of one admitted answer.
    pub(super) fn see(&mut self, remaining: u64) {
        match self.last {
            Some(last) if remaining + 1 != last && self.broken.is_none() => {
                self.broken = Some((last, remaining));
            }
            _ => {}
        }
        self.count += 1;
        self.sum += remaining;
        self.highest = self.highest.max(remaining);
        self.last = Some(remaining);
    }
}

/// Whether the remainders of every identity fell from q-1 by one each.
///
/// In the order of arrival this can be seen with one client only. With several, answers overtake each other, but an
/// exact limiter still hands out each remainder once: their sum is that of q-1, q-2, … whatever the order.
pub(super) fn remaining(
    seen: &[Remainders],
    quota: Option<Quota>,
    one_client: bool,
    duration: Duration,
    complete: bool,
) -> Check {
    let name = "remaining";
    let skipped = |detail: &str| Check::skipped(name, detail.to_owned());
    let Some(quota) = quota else {
        return skipped("no quota is known");
    };
    if seen.iter().all(|seen| seen.count == 0) {
        return skipped("no admitted answer carried a remainder");
    }
    if !complete {
        return skipped("some requests had no answer");
    }
    if duration >= Duration::from_secs(quota.window_seconds) {
        return skipped("the run was longer than the window, so that quota came back meanwhile");
    }
    let mut count = Count::default();
    for (identity, seen) in seen.iter().enumerate().filter(|(_, seen)| seen.count > 0) {
        // 128 bits: a server may claim any remainder.
        let (k, q) = (u128::from(seen.count), u128::from(quota.requests));
        let right_sum = u128::from(seen.sum) + k * (k + 1) / 2 == k * q;
        count.judge(
            match seen.broken {
                Some((last, next)) if one_client => Err(format!(
                    "identity {}: r went from {last} to {next}",
                    identity + 1
                )),
                _ if !right_sum => Err(format!(
                    "identity {}: the remainders of {k} admitted requests are not q-1, q-2, …",
                    identity + 1
                )),
                _ => Ok(()),
            }
            .map_err(|what| move || what),
        );
    }
    let claim = if one_client {
        "r fell by one with every admitted request"
    } else {
        "each remainder was handed out once"
    };
    count.finish(name, claim, "")
}

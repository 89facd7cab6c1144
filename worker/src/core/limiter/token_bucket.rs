//! `token-bucket`: a bucket of one quota that fills evenly by one quota per window, kept as GCRA keeps it: one number, the
//! theoretical arrival time, the instant at which the bucket is full again.
//!
//! Bound: 2q - 1 in an interval of one window (2q - ceil(q / w) with w in milliseconds): a full bucket at once, and what flows in
//! during the w - 1 ms that are left. In any interval of t milliseconds it is q + floor(q * t / w), so that in the long run no more
//! than the quota's rate gets through.

use super::decision::Decision;
use crate::core::policy::Quota;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct TokenBucket {
    /// When the bucket is full again, in milliseconds times [`limit`](Self::limit), so that one token is a whole number.
    pub(super) arrival: u64,
    /// The quota that `arrival` is scaled by; 0 before the first admission.
    pub(super) limit: u64,
}

impl TokenBucket {
    pub(super) fn settle(&mut self, quota: Quota, now_ms: u64) -> bool {
        // Further ahead than one window, which is a whole bucket, it can only be when the clock went back.
        let empty = now_ms
            .saturating_add(quota.window_ms)
            .saturating_mul(self.limit);
        let ahead = self.arrival > empty;
        if ahead {
            self.arrival = empty;
        }
        ahead
    }

    /// The bucket is full at the latest one window after `now_ms`.
    pub(super) fn charge(&mut self, quota: Quota, now_ms: u64) -> Decision {
        let limit = u64::from(quota.limit);
        let arrival = if self.limit == limit {
            self.arrival
        } else {
            // Rounded up: a change of the quota must not let anybody in early.
            let arrival_ms = match self.limit {
                0 => 0,
                before => self.arrival.div_ceil(before),
            };
            arrival_ms.saturating_mul(limit)
        };
        // In units of 1/limit ms a token is worth one window, and a full bucket `limit` windows.
        let now = now_ms.saturating_mul(limit);
        let token = quota.window_ms;
        let capacity = limit * quota.window_ms;
        let missing = arrival.saturating_sub(now).min(capacity);
        let level = capacity - missing;
        if level >= token {
            *self = Self {
                arrival: now + missing + token,
                limit,
            };
            return Decision::admitted(
                ((level - token) / token) as u32,
                (missing + token).div_ceil(limit),
            );
        }
        Decision::denied((token - level).div_ceil(limit))
    }

    pub(super) fn expires_at_ms(&self) -> u64 {
        self.arrival.checked_div(self.limit).map_or(0, |ms| ms + 1)
    }
}

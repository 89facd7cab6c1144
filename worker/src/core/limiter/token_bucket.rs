//! `token-bucket`: a bucket of one quota that fills evenly by one quota per window, kept as GCRA keeps it: one number, the
//! theoretical arrival time, the instant at which the bucket is full again.
//!
//! Bound: a full bucket at once and what flows in within the window, together twice the quota.

use super::Decision;
use crate::core::policy::Quota;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct TokenBucket {
    /// When the bucket is full again, in milliseconds times [`limit`](Self::limit), so that one token is a whole number.
    pub(super) arrival: u64,
    /// The quota that `arrival` is scaled by.
    pub(super) limit: u64,
}

impl TokenBucket {
    pub(super) fn charge(&mut self, quota: Quota, now_ms: u64) -> Decision {
        let limit = u64::from(quota.limit);
        if self.limit != limit {
            self.arrival = self
                .arrival
                .checked_div(self.limit)
                .unwrap_or(0)
                .saturating_mul(limit);
            self.limit = limit;
        }
        // In units of 1/limit ms a token is worth one window, and a full bucket `limit` windows.
        let now = now_ms.saturating_mul(limit);
        let token = quota.window_ms;
        let capacity = limit * quota.window_ms;
        // Further ahead than a whole bucket it can only be when the clock went back.
        let arrival = self.arrival.clamp(now, now.saturating_add(capacity));
        let level = now + capacity - arrival;
        if level >= token {
            self.arrival = arrival + token;
            let left = level - token;
            return Decision::admitted((left / token) as u32, (self.arrival - now).div_ceil(limit));
        }
        // Kept, so that a clock that went back is corrected once and not at each request anew.
        self.arrival = arrival;
        Decision::denied((token - level).div_ceil(limit))
    }

    pub(super) fn expires_at_ms(&self) -> u64 {
        self.arrival.checked_div(self.limit).map_or(0, |ms| ms + 1)
    }
}

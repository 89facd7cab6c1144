//! `fixed-window`: a count that starts with the first request and is forgotten when its window is over. The original design.
//!
//! Bound: twice the quota in one window, when a quota comes at the end of one window and another at the start of the next.

use super::Decision;
use crate::core::policy::Quota;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct FixedWindow {
    /// When the window's first request was admitted.
    pub(super) start_ms: u64,
    /// Admitted since.
    pub(super) count: u64,
}

impl FixedWindow {
    pub(super) fn charge(&mut self, quota: Quota, now_ms: u64) -> Decision {
        let limit = u64::from(quota.limit);
        // The clock went back: the window counts as begun just now.
        self.start_ms = self.start_ms.min(now_ms);
        if self.count == 0 || self.start_ms + quota.window_ms <= now_ms {
            *self = Self {
                start_ms: now_ms,
                count: 0,
            };
        }
        let left_ms = self.start_ms + quota.window_ms - now_ms;
        if self.count < limit {
            self.count += 1;
            return Decision::admitted((limit - self.count) as u32, left_ms);
        }
        Decision::denied(left_ms)
    }

    pub(super) fn expires_at_ms(&self, quota: Quota) -> u64 {
        self.start_ms + quota.window_ms
    }
}

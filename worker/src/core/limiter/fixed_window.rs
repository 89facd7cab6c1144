//! `fixed-window`: a count that starts with the first request and is forgotten when its window is over. The original design.
//!
//! Bound: 2q - 1 in an interval of one window. A quota comes at the end of one window and another at the start of the next, but
//! the request that opened the first window lies a whole window before the second and so outside of the interval.

use super::decision::Decision;
use crate::core::policy::Quota;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct FixedWindow {
    /// When the window's first request was admitted.
    pub(super) start_ms: u64,
    /// Admitted since.
    pub(super) count: u64,
}

impl FixedWindow {
    pub(super) fn settle(&mut self, now_ms: u64) -> bool {
        let ahead = self.count > 0 && self.start_ms > now_ms;
        if ahead {
            // The window counts as begun just now.
            self.start_ms = now_ms;
        }
        ahead
    }

    /// `now_ms` is not before the window's start.
    pub(super) fn charge(&mut self, quota: Quota, now_ms: u64) -> Decision {
        let limit = u64::from(quota.limit);
        let open = self.count > 0 && now_ms - self.start_ms < quota.window_ms;
        let (start_ms, count) = if open {
            (self.start_ms, self.count)
        } else {
            (now_ms, 0)
        };
        let left_ms = start_ms + quota.window_ms - now_ms;
        if count < limit {
            *self = Self {
                start_ms,
                count: count + 1,
            };
            return Decision::admitted((limit - self.count) as u32, left_ms);
        }
        Decision::denied(left_ms)
    }

    pub(super) fn expires_at_ms(&self, quota: Quota) -> u64 {
        self.start_ms + quota.window_ms
    }
}

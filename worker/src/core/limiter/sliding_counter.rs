//! `sliding-counter`: the current window's count plus the previous one's, weighted by the part of it that an interval ending now
//! still covers. Windows are aligned to the epoch. The published design of a large edge network (RLBLOG 2017-06-07).
//!
//! Bound: less than twice the quota in any interval of one window, reached when all of the previous window came at its end;
//! with evenly spread traffic it is exact.

use super::Decision;
use crate::core::policy::Quota;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SlidingCounter {
    /// Number of the current window: milliseconds since the epoch divided by the window.
    pub(super) window: u64,
    /// Admitted in the window before it.
    pub(super) previous: u64,
    /// Admitted in it.
    pub(super) current: u64,
}

impl SlidingCounter {
    pub(super) fn charge(&mut self, quota: Quota, now_ms: u64) -> Decision {
        let limit = u64::from(quota.limit);
        let window = now_ms / quota.window_ms;
        if window < self.window {
            // The clock went back: the counts are taken over as they are.
            self.window = window;
        } else if window > self.window {
            self.previous = if window == self.window + 1 {
                self.current
            } else {
                0
            };
            self.current = 0;
            self.window = window;
        }
        // Counts above the quota come from a quota that was lowered since.
        self.previous = self.previous.min(limit);
        self.current = self.current.min(limit);
        let elapsed = now_ms % quota.window_ms;
        // One millisecond counts as elapsed from the start, so that a full window leaves room as soon as it is over.
        let weighted = self.previous * (quota.window_ms - elapsed - 1) / quota.window_ms;
        if weighted + self.current < limit {
            self.current += 1;
            return Decision::admitted(
                (limit - weighted - self.current) as u32,
                quota.window_ms - elapsed,
            );
        }
        let room = limit - self.current;
        let wait = if room == 0 {
            quota.window_ms - elapsed
        } else {
            // Admitted from the first instant at which previous * (w - elapsed - 1) < room * w.
            let may_be_left = (room * quota.window_ms - 1) / self.previous;
            (quota.window_ms - elapsed - 1).saturating_sub(may_be_left)
        };
        Decision::denied(wait)
    }

    pub(super) fn expires_at_ms(&self, quota: Quota) -> u64 {
        // The current count still weighs on the whole next window.
        (self.window + 2).saturating_mul(quota.window_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::{Quota, SlidingCounter};

    /// A multiple of the window: windows are aligned to the epoch.
    const ALIGNED: u64 = 1_765_000_000_000;
    const QUOTA: Quota = Quota {
        limit: 5,
        window_ms: 10_000,
    };

    fn full_at(now_ms: u64) -> SlidingCounter {
        let mut counter = SlidingCounter::default();
        for _ in 0..QUOTA.limit {
            assert!(counter.charge(QUOTA, now_ms).allowed);
        }
        counter
    }

    #[test]
    fn a_full_window_leaves_room_for_one_as_soon_as_it_is_over() {
        let mut counter = full_at(ALIGNED);
        assert_eq!(counter.charge(QUOTA, ALIGNED).reset_seconds, 10);
        assert!(!counter.charge(QUOTA, ALIGNED + 9_999).allowed);
        assert!(counter.charge(QUOTA, ALIGNED + 10_000).allowed);
        assert!(!counter.charge(QUOTA, ALIGNED + 10_000).allowed);
    }

    #[test]
    fn the_previous_window_fades_evenly() {
        let mut counter = full_at(ALIGNED);
        // Half of the previous 5 still counts: 2 when rounded down, so 3 fit.
        let admitted = (0..5)
            .filter(|_| counter.charge(QUOTA, ALIGNED + 15_000).allowed)
            .count();
        assert_eq!(admitted, 3);
    }
}

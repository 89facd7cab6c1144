//! `sliding-counter`: the current window's count plus the previous one's, weighted by the part of it that an interval ending now
//! still covers. Windows are aligned to the epoch. The published design of a large edge network (RLBLOG 2017-06-07).
//!
//! Bound: 2q in an interval of one window (2q - floor(q / w) with w in milliseconds). The weight assumes that the previous
//! window's requests came evenly; when all of them came in its last millisecond, none is forgotten in truth and nearly all are in
//! the estimate by the end of the next. With evenly spread traffic the estimate is exact.

use super::decision::Decision;
use crate::core::policy::Quota;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SlidingCounter {
    /// When the current window began: a multiple of the window's length, unless the clock went back meanwhile.
    pub(super) start_ms: u64,
    /// Admitted in the window before it.
    pub(super) previous: u64,
    /// Admitted in it.
    pub(super) current: u64,
}

impl SlidingCounter {
    pub(super) fn settle(&mut self, now_ms: u64) -> bool {
        let ahead = self.start_ms > now_ms;
        if ahead {
            // The current window counts as begun just now and lasts its whole length again. To go back to the number of an
            // earlier window instead would end it early: the counts would move on with the next turn of the clock.
            self.start_ms = now_ms;
        }
        ahead
    }

    /// `now_ms` is not before the current window's start.
    pub(super) fn charge(&mut self, quota: Quota, now_ms: u64) -> Decision {
        let limit = u64::from(quota.limit);
        let window = quota.window_ms;
        let Self {
            start_ms,
            previous,
            current,
        } = self.at(window, now_ms);
        // Counts above the quota come from a quota that was lowered since.
        let (previous, current) = (previous.min(limit), current.min(limit));
        let elapsed = now_ms - start_ms;
        // One millisecond counts as elapsed from the start, so that a full window leaves room as soon as it is over.
        let weighted = previous * (window - elapsed - 1) / window;
        if weighted + current < limit {
            *self = Self {
                start_ms,
                previous,
                current: current + 1,
            };
            return Decision::admitted((limit - weighted - self.current) as u32, window - elapsed);
        }
        let room = limit - current;
        let wait = if room == 0 {
            window - elapsed
        } else {
            // Admitted from the first instant at which previous * (w - elapsed - 1) < room * w.
            let may_be_left = (room * window - 1) / previous;
            (window - elapsed - 1).saturating_sub(may_be_left)
        };
        Decision::denied(wait)
    }

    /// The counts as they stand at `now_ms`.
    fn at(&self, window_ms: u64, now_ms: u64) -> Self {
        match (now_ms - self.start_ms) / window_ms {
            0 => self.clone(),
            1 => Self {
                start_ms: self.start_ms + window_ms,
                previous: self.current,
                current: 0,
            },
            _ => Self {
                start_ms: now_ms - now_ms % window_ms,
                previous: 0,
                current: 0,
            },
        }
    }

    pub(super) fn expires_at_ms(&self, quota: Quota) -> u64 {
        // The current count still weighs on the whole next window.
        self.start_ms + 2 * quota.window_ms
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

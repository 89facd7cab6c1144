//! `sliding-log`: remembers when each request of the last window was admitted; admits while fewer than the quota are remembered.
//!
//! Exact: at an admission at `t` fewer than q stamps lie in `(t - w, t]`, so no half-open interval of length w ever holds more
//! than q. Costs one stamp per admitted request, which the quota bounds.

use std::collections::VecDeque;

use super::decision::Decision;
use crate::core::decimal;
use crate::core::policy::Quota;

/// Stamps of admitted requests in milliseconds, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SlidingLog {
    admitted_ms: VecDeque<u64>,
}

impl SlidingLog {
    pub(super) fn settle(&mut self, now_ms: u64) -> bool {
        let mut ahead = false;
        for stamp in self
            .admitted_ms
            .iter_mut()
            .rev()
            .take_while(|stamp| **stamp > now_ms)
        {
            *stamp = now_ms;
            ahead = true;
        }
        ahead
    }

    /// `now_ms` is not before any stamp.
    pub(super) fn charge(&mut self, quota: Quota, now_ms: u64) -> Decision {
        let limit = quota.limit as usize;
        let over = self
            .admitted_ms
            .partition_point(|stamp| stamp + quota.window_ms <= now_ms);
        let remembered = self.admitted_ms.len();
        let used = remembered - over;
        if used < limit {
            self.admitted_ms.drain(..over);
            self.admitted_ms.push_back(now_ms);
            let oldest = self.admitted_ms.front().copied().unwrap_or(now_ms);
            return Decision::admitted(
                (limit - used - 1) as u32,
                oldest + quota.window_ms - now_ms,
            );
        }
        // Room comes when only limit - 1 are left; after a lowered quota that is not the oldest one's end.
        let leaves_room = self.admitted_ms[remembered - limit];
        Decision::denied(leaves_room + quota.window_ms - now_ms)
    }

    pub(super) fn lone_ms(&self) -> Option<u64> {
        match self.admitted_ms.len() {
            1 => self.admitted_ms.back().copied(),
            _ => None,
        }
    }

    /// What is stored as text always holds all that mattered then, so a stamp not after the last one of it is among it.
    pub(super) fn recall(&mut self, lone_ms: u64) {
        if self.admitted_ms.back().is_none_or(|last| *last < lone_ms) {
            self.admitted_ms.push_back(lone_ms);
        }
    }

    pub(super) fn expires_at_ms(&self, quota: Quota) -> u64 {
        self.admitted_ms
            .back()
            .map_or(0, |stamp| stamp + quota.window_ms)
    }

    /// The first stamp, then the distance from each to the next: short, and as readable as numbers get.
    pub(super) fn encode(&self, text: &mut String) {
        let mut last = 0;
        for (place, stamp) in self.admitted_ms.iter().enumerate() {
            if place > 0 {
                text.push(',');
            }
            decimal::push(text, stamp - last);
            last = *stamp;
        }
    }

    pub(super) fn decode(text: &str) -> Option<Self> {
        let mut admitted_ms = VecDeque::new();
        let mut last = 0u64;
        if !text.is_empty() {
            for distance in text.split(',') {
                last = last
                    .checked_add(decimal::parse(distance)?)
                    .filter(|stamp| *stamp < 1 << 60)?;
                admitted_ms.push_back(last);
            }
        }
        Some(Self { admitted_ms })
    }
}

#[cfg(test)]
mod tests {
    use super::{Quota, SlidingLog};

    const START: u64 = 1_765_000_000_000;

    #[test]
    fn the_burst_of_150_admits_exactly_the_quota_and_says_when_to_come_back() {
        let quota = Quota {
            limit: 50,
            window_ms: 60_000,
        };
        let mut log = SlidingLog::default();
        let decisions: Vec<_> = (0..150)
            .map(|i| log.charge(quota, START + i * 20))
            .collect();
        assert_eq!(
            decisions.iter().filter(|decision| decision.allowed).count(),
            50
        );
        assert!(decisions[..50].iter().all(|decision| decision.allowed));
        assert_eq!(decisions[49].remaining, 0);
        // The first was admitted at START; the 150th asks 2.98 s later.
        assert_eq!(decisions[149].reset_seconds, 58);
    }

    #[test]
    fn a_request_is_admitted_in_the_millisecond_in_which_the_oldest_leaves() {
        let quota = Quota {
            limit: 1,
            window_ms: 60_000,
        };
        let mut log = SlidingLog::default();
        assert!(log.charge(quota, START).allowed);
        assert_eq!(log.charge(quota, START + 59_999).reset_seconds, 1);
        assert!(log.charge(quota, START + 60_000).allowed);
    }

    #[test]
    fn a_lowered_quota_is_kept_and_its_retry_after_is_honest() {
        let mut log = SlidingLog::default();
        for i in 0..10 {
            assert!(
                log.charge(
                    Quota {
                        limit: 10,
                        window_ms: 60_000
                    },
                    START + i * 1_000
                )
                .allowed
            );
        }
        let lowered = Quota {
            limit: 2,
            window_ms: 60_000,
        };
        let denied = log.charge(lowered, START + 10_000);
        assert_eq!(denied.reset_seconds, 58);
        assert!(!log.clone().charge(lowered, START + 67_000).allowed);
        assert!(log.charge(lowered, START + 68_000).allowed);
    }
}

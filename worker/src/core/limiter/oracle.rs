//! The four definitions without any cleverness: every admission is kept, and everything is counted anew for each request.
//!
//! A clock that went back is part of the definitions: what lies in the future counts as just now. What an admission has found to
//! be over is over for good.

use super::Algorithm;
use crate::core::policy::Quota;

pub(super) enum Oracle {
    /// Fewer than q admissions in the last window.
    Log { quota: Quota, admitted: Vec<u64> },
    /// Admissions of this window, and those of the one before by the share of it that is not over: together less than q.
    Counter {
        quota: Quota,
        /// By a clock of the oracle's own, whose windows never begin anew: the given clock and `ahead` together.
        admitted: Vec<u64>,
        ahead: u64,
    },
    /// At least one token in the bucket.
    Bucket {
        quota: Quota,
        /// One token is w of these, so that q / w of a token flows in as q of them each millisecond, without a fraction.
        level: i128,
        last_ms: u64,
    },
    /// Fewer than q admissions since the one that opened the window.
    Fixed { quota: Quota, admitted: Vec<u64> },
}

impl Oracle {
    pub(super) fn new(algorithm: Algorithm, quota: Quota) -> Self {
        match algorithm {
            Algorithm::SlidingLog => Self::Log {
                quota,
                admitted: Vec::new(),
            },
            Algorithm::SlidingCounter => Self::Counter {
                quota,
                admitted: Vec::new(),
                ahead: 0,
            },
            Algorithm::TokenBucket => Self::Bucket {
                quota,
                level: i128::from(quota.limit) * i128::from(quota.window_ms),
                last_ms: 0,
            },
            Algorithm::FixedWindow => Self::Fixed {
                quota,
                admitted: Vec::new(),
            },
        }
    }

    pub(super) fn admits(&mut self, now_ms: u64) -> bool {
        match self {
            Self::Log { quota, admitted } => {
                for stamp in admitted.iter_mut() {
                    *stamp = (*stamp).min(now_ms);
                }
                let recent = |stamp: &u64| stamp + quota.window_ms > now_ms;
                let admits =
                    admitted.iter().filter(|stamp| recent(stamp)).count() < quota.limit as usize;
                if admits {
                    admitted.retain(recent);
                    admitted.push(now_ms);
                }
                admits
            }
            Self::Counter {
                quota,
                admitted,
                ahead,
            } => {
                let window_ms = quota.window_ms;
                let window_of = |stamp: u64| stamp / window_ms;
                if let Some(last) = admitted.last() {
                    let begun = window_of(*last);
                    // Back before the window in which somebody was admitted last: that window begins just now.
                    *ahead = (*ahead).max((begun * window_ms).saturating_sub(now_ms));
                    // Two windows later nothing counts, and windows begin with multiples of their length again.
                    if window_of(now_ms + *ahead) >= begun + 2 {
                        admitted.clear();
                        *ahead = 0;
                    }
                }
                let now = now_ms + *ahead;
                let in_window = |number: u64| {
                    admitted
                        .iter()
                        .filter(|stamp| window_of(**stamp) == number)
                        .count() as u64
                };
                let current = in_window(window_of(now));
                let previous = in_window(window_of(now) - 1);
                // Both sides of the comparison times w, so that nothing is rounded.
                let not_over = window_ms - now % window_ms - 1;
                let admits =
                    previous * not_over + current * window_ms < u64::from(quota.limit) * window_ms;
                if admits {
                    admitted.push(now);
                }
                admits
            }
            Self::Bucket {
                quota,
                level,
                last_ms,
            } => {
                let passed = i128::from(now_ms) - i128::from(*last_ms);
                let token = i128::from(quota.window_ms);
                let limit = i128::from(quota.limit);
                // A clock that goes back takes out what it had let in, down to an empty bucket.
                *level = (*level + passed * limit).clamp(0, limit * token);
                *last_ms = now_ms;
                let admits = *level >= token;
                if admits {
                    *level -= token;
                }
                admits
            }
            Self::Fixed { quota, admitted } => {
                for stamp in admitted.iter_mut() {
                    *stamp = (*stamp).min(now_ms);
                }
                if admitted
                    .first()
                    .is_some_and(|first| first + quota.window_ms <= now_ms)
                {
                    admitted.clear();
                }
                let admits = admitted.len() < quota.limit as usize;
                if admits {
                    admitted.push(now_ms);
                }
                admits
            }
        }
    }
}

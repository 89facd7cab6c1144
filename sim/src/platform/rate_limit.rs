//! The rate limiting binding: counters of one location, in fixed windows of the wall clock.
//!
//! Counters belong to a location and to a `namespace_id`, and bindings that share one share its counters; the limit is
//! no part of a counter's identity, and a refused call does not count (RL; miniflare, SDK 2026-08-22). Within a
//! location production is "permissive, eventually consistent" (RL): an isolate checks against what its machine has cached,
//! and the calls of others count "very quickly, but not immediately". By how much is not published, so that is an option
//! ([`Unsettled::rate_limit_lag`](crate::limits::Unsettled::rate_limit_lag)); without lag a location counts exactly, and only
//! different locations disagree.

use crate::kernel::time::Instant;
use crate::topology::Pop;
use edgeproof_isolate::IsolateId;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

/// Windows that may be asked for, in seconds. RL.
pub const PERIODS_SECONDS: [u64; 2] = [10, 60];

/// All counters of an account.
#[derive(Debug, Default)]
pub struct RateLimits {
    /// By period, so that a window's end forgets them all; then by location, namespace and key.
    windows: BTreeMap<u64, Window>,
}

#[derive(Debug, Default)]
struct Window {
    epoch: u64,
    counts: BTreeMap<(Pop, Rc<str>, Rc<str>), Counter>,
}

/// What was counted of one key in one window.
#[derive(Debug, Default)]
struct Counter {
    /// Calls that every isolate of the location sees.
    settled: u64,
    /// Later calls, which only their own isolate sees, in the order of their times.
    recent: Vec<(Instant, IsolateId)>,
}

impl Counter {
    /// How many calls an isolate sees.
    fn seen(&mut self, now: Instant, isolate: IsolateId, lag: Duration) -> u64 {
        let due = self.recent.partition_point(|(at, _)| *at + lag <= now);
        self.recent.drain(..due);
        self.settled += due as u64;
        let own = self.recent.iter().filter(|(_, by)| *by == isolate);
        self.settled + own.count() as u64
    }
}

/// A call of `limit()`.
#[derive(Debug, Clone, Copy)]
pub struct Taking<'a> {
    /// Where the caller runs.
    pub pop: Pop,
    /// The caller's isolate.
    pub isolate: IsolateId,
    /// The limiter's `namespace_id`.
    pub namespace: &'a Rc<str>,
    /// The key.
    pub key: &'a Rc<str>,
    /// Calls of a window.
    pub limit: u64,
    /// The window, one of [`PERIODS_SECONDS`].
    pub period_seconds: u64,
}

impl RateLimits {
    /// Counts a call if its isolate sees fewer than the limit in this window; returns whether it was counted.
    ///
    /// `lag` is how long other isolates do not see it.
    pub fn take(&mut self, now: Instant, call: Taking<'_>, lag: Duration) -> bool {
        let Taking {
            pop,
            isolate,
            namespace,
            key,
            limit,
            period_seconds,
        } = call;
        let epoch = now.unix_seconds() / period_seconds.max(1);
        let window = self.windows.entry(period_seconds).or_default();
        if window.epoch != epoch {
            *window = Window {
                epoch,
                counts: BTreeMap::new(),
            };
        }
        let counter = (pop, Rc::clone(namespace), Rc::clone(key));
        let counter = window.counts.entry(counter).or_default();
        let success = counter.seen(now, isolate, lag) < limit;
        if success && lag.is_zero() {
            counter.settled += 1;
        } else if success {
            counter.recent.push((now, isolate));
        }
        success
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXACT: Duration = Duration::ZERO;

    /// Asks for a key of a namespace, from an isolate in a PoP.
    fn take(
        limits: &mut RateLimits,
        (ms, lag): (u64, Duration),
        (pop, isolate): (&str, IsolateId),
        (namespace, key): (&str, &str),
        (limit, period_seconds): (u64, u64),
    ) -> bool {
        let call = Taking {
            pop: Pop::from_code(pop).expect("a PoP"),
            isolate,
            namespace: &namespace.into(),
            key: &key.into(),
            limit,
            period_seconds,
        };
        limits.take(Instant::from_unix_ms(ms), call, lag)
    }

    #[test]
    fn a_window_admits_its_limit_and_refusals_do_not_count() {
        let mut limits = RateLimits::default();
        let mut take = |ms, limit| {
            let key = ("1001", "u");
            take(&mut limits, (ms, EXACT), ("MEX", 1), key, (limit, 10))
        };
        assert_eq!(
            [take(0, 2), take(1, 2), take(9_999, 2)],
            [true, true, false]
        );
        assert!(take(9_999, 3), "a refused call was counted");
        assert!(
            take(10_000, 1),
            "the next window begins with the wall clock's ten seconds"
        );
    }

    #[test]
    fn every_location_namespace_and_key_counts_for_itself() {
        let mut limits = RateLimits::default();
        for (pop, namespace, key) in [
            ("MEX", "1", "a"),
            ("FRA", "1", "a"),
            ("MEX", "2", "a"),
            ("MEX", "1", "b"),
        ] {
            let mut take = || take(&mut limits, (0, EXACT), (pop, 1), (namespace, key), (1, 60));
            assert!(take());
            assert!(!take());
        }
    }

    #[test]
    fn isolates_of_a_location_share_its_counters() {
        let mut limits = RateLimits::default();
        let mut take = |isolate| {
            take(
                &mut limits,
                (0, EXACT),
                ("MEX", isolate),
                ("1", "a"),
                (1, 60),
            )
        };
        assert_eq!([take(1), take(2)], [true, false]);
    }

    #[test]
    fn with_lag_an_isolate_sees_the_calls_of_others_late() {
        let mut limits = RateLimits::default();
        let lag = Duration::from_millis(500);
        let mut take = |ms, isolate| {
            take(
                &mut limits,
                (ms, lag),
                ("MEX", isolate),
                ("1", "a"),
                (2, 60),
            )
        };
        assert_eq!([take(0, 1), take(1, 1), take(2, 1)], [true, true, false]);
        assert!(
            take(499, 2),
            "the first call is seen after 500 ms, not before"
        );
        // Two calls of the other isolate and one of its own are over the limit.
        assert_eq!(
            [take(501, 2), take(501, 3), take(998, 3)],
            [false, false, false]
        );
    }
}

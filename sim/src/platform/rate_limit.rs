//! The rate limiting binding: counters of one location, in fixed windows of the wall clock.
//!
//! Counters belong to a location and to a `namespace_id`, and bindings that share one share its counters; the limit is
//! no part of a counter's identity, and a refused call does not count (RL; miniflare, SDK 2026-08-22). Within a
//! location production is "permissive, eventually consistent", by an amount that is not published: here a location
//! counts exactly, and only different locations disagree.

use crate::kernel::time::Instant;
use crate::topology::Pop;
use std::collections::BTreeMap;
use std::rc::Rc;

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
    counts: BTreeMap<(Pop, Rc<str>, Rc<str>), u64>,
}

impl RateLimits {
    /// Counts a call if fewer than `limit` were counted in this window; returns whether it was counted.
    ///
    /// `period_seconds` is one of [`PERIODS_SECONDS`].
    pub fn take(
        &mut self,
        now: Instant,
        pop: Pop,
        namespace: &Rc<str>,
        key: &Rc<str>,
        limit: u64,
        period_seconds: u64,
    ) -> bool {
        let epoch = now.unix_seconds() / period_seconds.max(1);
        let window = self.windows.entry(period_seconds).or_default();
        if window.epoch != epoch {
            *window = Window {
                epoch,
                counts: BTreeMap::new(),
            };
        }
        let counter = (pop, Rc::clone(namespace), Rc::clone(key));
        let count = window.counts.entry(counter).or_insert(0);
        let success = *count < limit;
        if success {
            *count += 1;
        }
        success
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_admits_its_limit_and_refusals_do_not_count() {
        let mut limits = RateLimits::default();
        let (pop, namespace, key) = (
            Pop::from_code("MEX").expect("a PoP"),
            "1001".into(),
            "u".into(),
        );
        let mut take =
            |ms, limit| limits.take(Instant::from_unix_ms(ms), pop, &namespace, &key, limit, 10);
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
        let now = Instant::from_unix_ms(0);
        let pop = |code| Pop::from_code(code).expect("a PoP");
        for (code, namespace, key) in [
            ("MEX", "1", "a"),
            ("FRA", "1", "a"),
            ("MEX", "2", "a"),
            ("MEX", "1", "b"),
        ] {
            let (namespace, key) = (namespace.into(), key.into());
            assert!(limits.take(now, pop(code), &namespace, &key, 1, 60));
            assert!(!limits.take(now, pop(code), &namespace, &key, 1, 60));
        }
    }
}

//! Rate limiting: four algorithms behind one [`Ledger`], each a pure function of its state, the quota and the clock.
//!
//! | algorithm | admitted in any interval of one window, at most | state |
//! |---|---|---|
//! | `sliding-log` (default) | the quota, exactly | one time stamp per admitted request |
//! | `sliding-counter` | less than twice the quota | two counters |
//! | `token-bucket` (GCRA) | twice the quota: a full bucket, and what flows in meanwhile | one time stamp |
//! | `fixed-window` | twice the quota: the end of one window and the start of the next | one counter |
//!
//! All four: a denied request changes nothing; a request sent when `Retry-After` has passed is admitted (if no other came
//! between); `Retry-After` is a whole number of seconds from 1 to the window.
//!
//! Time is whatever the caller's clock says, in milliseconds, and may go back (an object moves to another machine): stamps that
//! would lie in the future are taken as now, so nobody is blocked longer than a window, and no quota comes back early.
//!
//! The state is kept as a line of text ([`Ledger::encode`]): it is one value under one key, so that an admitted request costs one
//! row written, and it can be read by eye. A line of another algorithm than the configured one is dropped: a change of algorithm
//! starts everybody afresh.

mod fixed_window;
mod sliding_counter;
mod sliding_log;
mod token_bucket;

use crate::core::decimal;
use crate::core::policy::Quota;

use fixed_window::FixedWindow;
use sliding_counter::SlidingCounter;
use sliding_log::SlidingLog;
use token_bucket::TokenBucket;

/// How requests are counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// Every admitted request is remembered for one window: exact.
    #[default]
    SlidingLog,
    /// The previous window's count, weighted by how much of it still lies in the interval, plus the current one's.
    SlidingCounter,
    /// A bucket of one quota that fills evenly, one quota per window, kept as GCRA's theoretical arrival time.
    TokenBucket,
    /// A count from the first request on, forgotten when the window is over: the original design, kept for comparison.
    FixedWindow,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::SlidingLog,
        Self::SlidingCounter,
        Self::TokenBucket,
        Self::FixedWindow,
    ];

    /// The name in `RATE_LIMIT_ALGORITHM` and in the stored state.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SlidingLog => "sliding-log",
            Self::SlidingCounter => "sliding-counter",
            Self::TokenBucket => "token-bucket",
            Self::FixedWindow => "fixed-window",
        }
    }

    /// The algorithm of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str() == name)
    }

    /// The most requests of one identifier that any half-open interval of one window can hold.
    pub fn bound(self, quota: Quota) -> u64 {
        match self {
            Self::SlidingLog => quota.limit.into(),
            Self::SlidingCounter | Self::TokenBucket | Self::FixedWindow => {
                2 * u64::from(quota.limit)
            }
        }
    }
}

/// What a limiter says to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Whether it goes through.
    pub allowed: bool,
    /// How many more would go through right now.
    pub remaining: u32,
    /// Whole seconds until quota comes back: for a denied request the `Retry-After` that is kept, from 1 to the window; for an
    /// admitted one how long until `remaining` grows, or the window ends.
    pub reset_seconds: u64,
}

impl Decision {
    fn admitted(remaining: u32, reset_ms: u64) -> Self {
        Self {
            allowed: true,
            remaining,
            reset_seconds: reset_ms.div_ceil(1_000),
        }
    }

    fn denied(wait_ms: u64) -> Self {
        // A wait of 0 cannot be: it would have been admitted. The lower end guards against a client that takes 0 for "at once".
        Self {
            allowed: false,
            remaining: 0,
            reset_seconds: wait_ms.div_ceil(1_000).max(1),
        }
    }
}

/// What one identifier has used of one policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger(State);

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    SlidingLog(SlidingLog),
    SlidingCounter(SlidingCounter),
    TokenBucket(TokenBucket),
    FixedWindow(FixedWindow),
}

impl Ledger {
    /// Nothing used.
    pub fn new(algorithm: Algorithm) -> Self {
        Self(match algorithm {
            Algorithm::SlidingLog => State::SlidingLog(SlidingLog::default()),
            Algorithm::SlidingCounter => State::SlidingCounter(SlidingCounter::default()),
            Algorithm::TokenBucket => State::TokenBucket(TokenBucket::default()),
            Algorithm::FixedWindow => State::FixedWindow(FixedWindow::default()),
        })
    }

    /// Charges one request at `now_ms` (any clock in milliseconds).
    pub fn charge(&mut self, quota: Quota, now_ms: u64) -> Decision {
        match &mut self.0 {
            State::SlidingLog(state) => state.charge(quota, now_ms),
            State::SlidingCounter(state) => state.charge(quota, now_ms),
            State::TokenBucket(state) => state.charge(quota, now_ms),
            State::FixedWindow(state) => state.charge(quota, now_ms),
        }
    }

    /// From when on the state can no longer matter and may be forgotten.
    pub fn expires_at_ms(&self, quota: Quota) -> u64 {
        match &self.0 {
            State::SlidingLog(state) => state.expires_at_ms(quota),
            State::SlidingCounter(state) => state.expires_at_ms(quota),
            State::TokenBucket(state) => state.expires_at_ms(),
            State::FixedWindow(state) => state.expires_at_ms(quota),
        }
    }

    /// Appends the state as text: the algorithm's name, a space, and numbers with separators; no line break.
    pub fn encode(&self, text: &mut String) {
        text.push_str(self.algorithm().as_str());
        text.push(' ');
        match &self.0 {
            State::SlidingLog(state) => state.encode(text),
            State::SlidingCounter(state) => {
                push_list(text, [state.window, state.previous, state.current])
            }
            State::TokenBucket(state) => push_list(text, [state.arrival, state.limit]),
            State::FixedWindow(state) => push_list(text, [state.start_ms, state.count]),
        }
    }

    /// The state that [`encode`](Self::encode) wrote, if it is one of `algorithm`. Whatever text is given, nothing panics.
    pub fn decode(algorithm: Algorithm, text: &str) -> Option<Self> {
        let numbers = text.strip_prefix(algorithm.as_str())?.strip_prefix(' ')?;
        Some(Self(match algorithm {
            Algorithm::SlidingLog => State::SlidingLog(SlidingLog::decode(numbers)?),
            Algorithm::SlidingCounter => {
                let [window, previous, current] = parse_list(numbers)?;
                State::SlidingCounter(SlidingCounter {
                    window,
                    previous,
                    current,
                })
            }
            Algorithm::TokenBucket => {
                let [arrival, limit] = parse_list(numbers)?;
                State::TokenBucket(TokenBucket { arrival, limit })
            }
            Algorithm::FixedWindow => {
                let [start_ms, count] = parse_list(numbers)?;
                State::FixedWindow(FixedWindow { start_ms, count })
            }
        }))
    }

    fn algorithm(&self) -> Algorithm {
        match self.0 {
            State::SlidingLog(_) => Algorithm::SlidingLog,
            State::SlidingCounter(_) => Algorithm::SlidingCounter,
            State::TokenBucket(_) => Algorithm::TokenBucket,
            State::FixedWindow(_) => Algorithm::FixedWindow,
        }
    }
}

fn push_list<const N: usize>(text: &mut String, numbers: [u64; N]) {
    for (place, number) in numbers.into_iter().enumerate() {
        if place > 0 {
            text.push(',');
        }
        decimal::push(text, number);
    }
}

fn parse_list<const N: usize>(text: &str) -> Option<[u64; N]> {
    let mut numbers = [0; N];
    let mut parts = text.split(',');
    for number in &mut numbers {
        // Bounded, so that no sum or product of what storage says can overflow.
        *number = decimal::parse(parts.next()?).filter(|value| *value < 1 << 60)?;
    }
    parts.next().is_none().then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::{Algorithm, Ledger};
    use crate::core::policy::Quota;
    use proptest::prelude::*;

    const START: u64 = 1_765_000_000_000;

    fn quota() -> impl Strategy<Value = Quota> {
        (1u32..12, 1u64..6).prop_map(|(limit, seconds)| Quota {
            limit,
            window_ms: seconds * 1_000,
        })
    }

    /// Steps of a clock: mostly small, sometimes none, sometimes about a window.
    fn steps() -> impl Strategy<Value = Vec<u64>> {
        prop::collection::vec(
            prop_oneof![3 => 0u64..5, 3 => 0u64..400, 1 => 900u64..1_100, 1 => 0u64..7_000],
            1..150,
        )
    }

    fn algorithm() -> impl Strategy<Value = Algorithm> {
        prop::sample::select(Algorithm::ALL.to_vec())
    }

    fn most_in_one_window(admitted: &[u64], window_ms: u64) -> usize {
        (0..admitted.len())
            .map(|first| {
                admitted[first..]
                    .iter()
                    .take_while(|at| **at < admitted[first] + window_ms)
                    .count()
            })
            .max()
            .unwrap_or(0)
    }

    proptest! {
        #[test]
        fn no_algorithm_admits_more_than_its_documented_bound(algorithm in algorithm(), quota in quota(), steps in steps()) {
            let mut ledger = Ledger::new(algorithm);
            let mut now = START;
            let mut admitted = Vec::new();
            for step in steps {
                now += step;
                if ledger.charge(quota, now).allowed {
                    admitted.push(now);
                }
            }
            prop_assert!(most_in_one_window(&admitted, quota.window_ms) as u64 <= algorithm.bound(quota));
        }

        #[test]
        fn a_fresh_identifier_can_use_the_quota_fully_and_no_more_at_once(algorithm in algorithm(), quota in quota(), at in 0u64..100_000) {
            let mut ledger = Ledger::new(algorithm);
            for left in (0..quota.limit).rev() {
                let decision = ledger.charge(quota, START + at);
                prop_assert!(decision.allowed);
                prop_assert_eq!(decision.remaining, left);
            }
            prop_assert!(!ledger.charge(quota, START + at).allowed);
        }

        #[test]
        fn retry_after_is_honest_and_within_the_window(algorithm in algorithm(), quota in quota(), steps in steps()) {
            let mut ledger = Ledger::new(algorithm);
            let mut now = START;
            for step in steps {
                now += step;
                let decision = ledger.charge(quota, now);
                if !decision.allowed {
                    prop_assert!((1..=quota.window_ms / 1_000).contains(&decision.reset_seconds));
                    let later = ledger.clone().charge(quota, now + decision.reset_seconds * 1_000);
                    prop_assert!(later.allowed, "{:?} after {} s", ledger, decision.reset_seconds);
                }
            }
        }

        #[test]
        fn a_denial_changes_nothing(algorithm in algorithm(), quota in quota(), steps in steps()) {
            let mut ledger = Ledger::new(algorithm);
            let mut untouched = ledger.clone();
            let mut now = START;
            for step in steps {
                now += step;
                let decision = ledger.charge(quota, now);
                // A twin that never sees the denied requests decides the same all along.
                if decision.allowed {
                    prop_assert_eq!(untouched.charge(quota, now), decision);
                } else {
                    prop_assert!(!untouched.clone().charge(quota, now).allowed);
                }
            }
        }

        #[test]
        fn memory_may_be_lost_at_any_time(algorithm in algorithm(), quota in quota(), steps in steps()) {
            let mut kept = Ledger::new(algorithm);
            let mut stored = String::new();
            let mut now = START;
            for step in steps {
                now += step;
                let mut restored = Ledger::decode(algorithm, &stored).unwrap_or_else(|| Ledger::new(algorithm));
                let decision = kept.charge(quota, now);
                prop_assert_eq!(restored.charge(quota, now), decision);
                // Only an admitted request is stored.
                if decision.allowed {
                    stored.clear();
                    restored.encode(&mut stored);
                }
            }
        }

        #[test]
        fn what_has_expired_may_be_forgotten(algorithm in algorithm(), quota in quota(), steps in steps(), later in 0u64..5_000) {
            let mut ledger = Ledger::new(algorithm);
            let mut now = START;
            for step in steps {
                now += step;
                ledger.charge(quota, now);
            }
            let then = ledger.expires_at_ms(quota).max(now) + later;
            prop_assert!(ledger.expires_at_ms(quota) <= now + 2 * quota.window_ms);
            let mut fresh = Ledger::new(algorithm);
            for _ in 0..=quota.limit {
                prop_assert_eq!(ledger.charge(quota, then).allowed, fresh.charge(quota, then).allowed);
            }
        }

        #[test]
        fn a_clock_that_goes_back_blocks_for_one_window_at_most(algorithm in algorithm(), quota in quota(), steps in steps(), back in 0u64..10_000_000) {
            let mut ledger = Ledger::new(algorithm);
            let mut now = START;
            for step in steps {
                now += step;
                ledger.charge(quota, now);
            }
            now -= back;
            let decision = ledger.charge(quota, now);
            if !decision.allowed {
                prop_assert!(decision.reset_seconds <= quota.window_ms / 1_000);
                prop_assert!(ledger.charge(quota, now + decision.reset_seconds * 1_000).allowed);
            }
        }

        #[test]
        fn no_stored_text_makes_a_panic(algorithm in algorithm(), quota in quota(), text in "[0-9, ]{0,60}", now in 0u64..1 << 45) {
            if let Some(mut ledger) = Ledger::decode(algorithm, &format!("{} {text}", algorithm.as_str())) {
                let _ = ledger.charge(quota, now);
                let _ = ledger.expires_at_ms(quota);
            }
        }
    }

    #[test]
    fn a_line_of_another_algorithm_is_dropped() {
        for written in Algorithm::ALL {
            let mut ledger = Ledger::new(written);
            ledger.charge(
                Quota {
                    limit: 3,
                    window_ms: 1_000,
                },
                START,
            );
            let mut text = String::new();
            ledger.encode(&mut text);
            for read in Algorithm::ALL {
                assert_eq!(
                    Ledger::decode(read, &text),
                    (read == written).then(|| ledger.clone()),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn the_bounds_of_the_inexact_algorithms_are_nearly_reached() {
        // 10 at the end of one window and as many as possible within a window from there: more than the quota, which is why
        // none of these is the default.
        let quota = Quota {
            limit: 10,
            window_ms: 1_000,
        };
        for (algorithm, at_least) in [
            (Algorithm::SlidingCounter, 19),
            (Algorithm::TokenBucket, 19),
            (Algorithm::FixedWindow, 20),
        ] {
            let mut ledger = Ledger::new(algorithm);
            // The original design counts from the first request, so its window is opened early by one.
            let mut admitted = vec![];
            if algorithm == Algorithm::FixedWindow && ledger.charge(quota, START).allowed {
                admitted.push(START);
            }
            for now in START + 999..START + 1_999 {
                while ledger.charge(quota, now).allowed {
                    admitted.push(now);
                }
            }
            let most = most_in_one_window(&admitted, quota.window_ms);
            let opened = usize::from(algorithm == Algorithm::FixedWindow);
            assert!(most + opened >= at_least, "{algorithm:?}: {most}");
        }
    }
}

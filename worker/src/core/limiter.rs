//! Rate limiting: four algorithms behind one [`Ledger`], each a pure function of its state, the quota and the clock.
//!
//! | algorithm | admitted in any interval of one window, at most | state |
//! |---|---|---|
//! | `sliding-log` (default) | q, the quota | one time stamp per admitted request |
//! | `sliding-counter` | 2q | two counters and a time stamp |
//! | `token-bucket` (GCRA) | 2q - 1: a full bucket, and what flows in meanwhile | one time stamp |
//! | `fixed-window` | 2q - 1: the end of one window and the start of the next | one counter and a time stamp |
//!
//! The bounds are reached; [`Algorithm::bound`] has them to the request, also for quotas of more than one request a millisecond.
//!
//! All four: a denied request changes nothing; `Retry-After` is the least number of whole seconds, from 1 to the window, after
//! which a request is admitted (if no other came between); `remaining` is exactly how many would still be admitted now.
//!
//! *Clocks that jump.* Time is whatever the caller's clock says, in milliseconds, and may jump (an object moves to another
//! machine). When it goes back, what would lie in the future is taken as just now ([`Ledger::settle`]). So an age is never
//! overestimated, and this holds:
//!
//! - However often and however far the clock goes back, the bound holds in every interval of *real* time. What it costs is
//!   waiting: nobody is blocked for longer than one window after the last jump back.
//! - A jump forward gives back what had been used, once: an interval of real time with n jumps forward in it holds at most n
//!   quotas more than the bound. With `sliding-counter` it is n times the bound more: the clock may land at the end of a window,
//!   where a quota fits and soon another.
//!
//! The state is kept as a line of text ([`Ledger::encode`]): it is one value under one key, so that an admitted request costs one
//! row written, and it can be read by eye. A line of another algorithm than the configured one is dropped: a change of algorithm
//! starts everybody afresh.

mod decision;
mod fixed_window;
#[cfg(test)]
mod oracle;
mod sliding_counter;
mod sliding_log;
mod token_bucket;

use crate::core::decimal;
use crate::core::policy::Quota;

pub use decision::Decision;
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

    /// The most requests of one identifier that any half-open interval of one window can hold, by a clock that does not jump.
    /// It is reached: some traffic gets as many admitted.
    pub fn bound(self, quota: Quota) -> u64 {
        let limit = u64::from(quota.limit);
        match self {
            Self::SlidingLog => limit,
            // In the last millisecond but one the previous window still weighs limit / window.
            Self::SlidingCounter => 2 * limit - limit / quota.window_ms,
            // The last millisecond of inflow belongs to the next interval.
            Self::TokenBucket => 2 * limit - limit.div_ceil(quota.window_ms),
            // So does the request that opened the first of the two windows, to the one before.
            Self::FixedWindow => 2 * limit - 1,
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
    ///
    /// The state changes only if the request is admitted, or if the clock went back ([`settle`](Self::settle)).
    pub fn charge(&mut self, quota: Quota, now_ms: u64) -> Decision {
        self.settle(quota, now_ms);
        match &mut self.0 {
            State::SlidingLog(state) => state.charge(quota, now_ms),
            State::SlidingCounter(state) => state.charge(quota, now_ms),
            State::TokenBucket(state) => state.charge(quota, now_ms),
            State::FixedWindow(state) => state.charge(quota, now_ms),
        }
    }

    /// Takes what would lie in the future as just now, and says whether there was any: then the clock went back since the state
    /// was written, or the window was shortened.
    ///
    /// [`charge`](Self::charge) does this by itself. Who stores ledgers asks first and stores what was settled even if the request
    /// is denied: read anew from the old text, it would be settled anew at each reading, and the wait would begin again each time.
    pub fn settle(&mut self, quota: Quota, now_ms: u64) -> bool {
        match &mut self.0 {
            State::SlidingLog(state) => state.settle(now_ms),
            State::SlidingCounter(state) => state.settle(now_ms),
            State::TokenBucket(state) => state.settle(quota, now_ms),
            State::FixedWindow(state) => state.settle(now_ms),
        }
    }

    /// The single admission that is all there is to remember, if that is so.
    pub fn lone_ms(&self) -> Option<u64> {
        match &self.0 {
            State::SlidingLog(state) => state.lone_ms(),
            _ => None,
        }
    }

    /// Remembers an admission that was kept elsewhere, unless it is remembered already or something later is.
    pub fn recall(&mut self, lone_ms: u64) {
        if let State::SlidingLog(state) = &mut self.0 {
            state.recall(lone_ms);
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
                push_list(text, [state.start_ms, state.previous, state.current])
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
                let [start_ms, previous, current] = parse_list(numbers)?;
                State::SlidingCounter(SlidingCounter {
                    start_ms,
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
mod tests;

//! Three kinds of traffic of one identifier, each one and a half times as much as the quota lets through in the long run.

use rand::{RngExt as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::cell::QUOTA;

/// Requests of an identifier in one window, on average: half as much again as the quota.
const PER_WINDOW: u64 = QUOTA.limit as u64 * 3 / 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Traffic {
    /// Each request independent of the others.
    Poisson,
    /// Ten requests a second for a while, five seconds on average, then silence.
    OnOff,
    /// Bursts where windows end: around the end of one, then at the end of one and again somewhat less than a window later.
    Aligned,
}

impl Traffic {
    pub(crate) const ALL: [Self; 3] = [Self::Poisson, Self::OnOff, Self::Aligned];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Poisson => "Poisson",
            Self::OnOff => "on and off",
            Self::Aligned => "aligned bursts",
        }
    }

    /// When requests are sent in this many windows, in milliseconds after the beginning of the first, in order.
    pub(crate) fn arrivals(self, windows: u64, seed: u64) -> Vec<u64> {
        let mut dice = Dice(Xoshiro256PlusPlus::seed_from_u64(seed));
        let end_ms = (windows * QUOTA.window_ms) as f64;
        let window_ms = QUOTA.window_ms as f64;
        let mut arrivals = Vec::new();
        match self {
            Self::Poisson => {
                let gap_ms = window_ms / PER_WINDOW as f64;
                let mut at_ms = dice.exponential(gap_ms);
                while at_ms < end_ms {
                    arrivals.push(at_ms as u64);
                    at_ms += dice.exponential(gap_ms);
                }
            }
            Self::OnOff => {
                let per_second = 10.0;
                let on_ms = window_ms / 12.0;
                // So long that all in all it is PER_WINDOW.
                let cycle_ms = on_ms * per_second / 1_000.0 / PER_WINDOW as f64 * window_ms;
                let mut at_ms = 0.0;
                while at_ms < end_ms {
                    let until_ms = at_ms + dice.exponential(on_ms);
                    while at_ms < until_ms.min(end_ms) {
                        arrivals.push(at_ms as u64);
                        at_ms += dice.exponential(1_000.0 / per_second);
                    }
                    at_ms += dice.exponential(cycle_ms - on_ms);
                }
            }
            Self::Aligned => {
                for first in (0..windows).step_by(4) {
                    let begin_ms = first * QUOTA.window_ms;
                    // A limiter that counts from the first request on is opened with one at the beginning.
                    for (opened, second_ms) in [(0, 60_100), (2, 118_000)] {
                        let opened_ms = begin_ms + opened * QUOTA.window_ms;
                        arrivals.push(opened_ms);
                        for (requests, from_ms) in
                            [(PER_WINDOW, 59_050), (PER_WINDOW - 1, second_ms)]
                        {
                            arrivals.extend(
                                (0..requests).map(|_| opened_ms + from_ms + dice.below(900)),
                            );
                        }
                    }
                    arrivals.sort_unstable();
                }
            }
        }
        arrivals
    }
}

struct Dice(Xoshiro256PlusPlus);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0.random_range(0..end)
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.0.random::<f64>()).ln()
    }
}

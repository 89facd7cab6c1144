//! The pace at which KV is written to, so that a day's allowance lasts for the day.

use crate::core::time::DAY_MS;

/// How often KV is written to: GCRA over all isolates together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Milliseconds in which one write comes back.
    pub every_ms: u64,
    /// Milliseconds' worth of writes that can be saved up.
    pub saved_ms: u64,
}

impl Pace {
    /// A pace of which no day, however it is cut, has more than `per_day` writes: a quarter can be saved up for a burst, the rest
    /// comes back evenly. A single one a day takes two days to come back.
    ///
    /// ```
    /// use edgeproof_worker::core::pace::Pace;
    /// assert_eq!(Pace::of(900), Pace { every_ms: 128_000, saved_ms: 225 * 128_000 });
    /// ```
    pub fn of(per_day: u64) -> Self {
        let saved = (per_day / 4).max(1);
        let every_ms = match per_day.saturating_sub(saved) {
            0 => 2 * DAY_MS,
            back => DAY_MS.div_ceil(back),
        };
        Self {
            every_ms,
            saved_ms: saved * every_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{DAY_MS, Pace};
    use proptest::prelude::*;

    /// The statement of the database, by the letter: taken, and the new instant.
    fn take(free_at_ms: Option<u64>, now_ms: u64, pace: Pace) -> Option<u64> {
        match free_at_ms {
            None => Some(now_ms + pace.every_ms),
            Some(free) => (free + pace.every_ms <= now_ms + pace.saved_ms)
                .then(|| free.max(now_ms) + pace.every_ms),
        }
    }

    proptest! {
        #[test]
        fn no_day_has_more_writes_than_it_may(per_day in 1u64..2_000, steps in prop::collection::vec(prop_oneof![4 => 0u64..1_000, 2 => 0u64..200_000, 1 => 0u64..20_000_000], 1..4_000)) {
            let pace = Pace::of(per_day);
            let (mut free, mut now, mut taken) = (None, 1_765_000_000_000, Vec::new());
            for step in steps {
                now += step;
                if let Some(next) = take(free, now, pace) {
                    free = Some(next);
                    taken.push(now);
                }
            }
            let mut first = 0;
            for last in 0..taken.len() {
                while taken[first] + DAY_MS <= taken[last] {
                    first += 1;
                }
                prop_assert!((last - first + 1) as u64 <= per_day);
            }
        }
    }

    #[test]
    fn a_quarter_of_a_days_writes_can_come_at_once() {
        let pace = Pace::of(900);
        let (mut free, mut taken) = (None, 0);
        while let Some(next) = take(free, 1_765_000_000_000, pace) {
            free = Some(next);
            taken += 1;
        }
        assert_eq!(taken, 225);
    }
}

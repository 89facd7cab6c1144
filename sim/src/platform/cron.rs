//! Cron triggers: which expression fires when.
//!
//! [`Triggers`] is the timetable of a world: the engine asks when the next trigger is due and takes it out. Triggers of one
//! minute fire in the order in which they were added.
//!
//! What the platform does, and what no page says:
//! - Expressions are in UTC (CRON 2026-09-04), a minute is the finest unit, and `scheduledTime` is that minute.
//! - Runs of one trigger may overlap. No page speaks of it; every run is an invocation of its own, and nothing in workerd holds
//!   one back.
//! - A run that fails is recorded as failed and not repeated. No page promises a second try.
//! - How long after its minute a run begins is not published:
//!   [`cron_delay`](crate::engine::options::Options::cron_delay).

mod expression;

pub use expression::{CronError, Expression};

use crate::kernel::time::Instant;
use std::time::Duration;

/// The longest lateness of a trigger in a world under the wall clock. A machine that slept for longer has missed the run,
/// as the platform would have run it meanwhile.
const LATE_MAX: Duration = Duration::from_secs(60);

/// The triggers of a world, and when each fires next.
#[derive(Debug, Default)]
pub struct Triggers(Vec<Trigger>);

#[derive(Debug)]
struct Trigger {
    expression: Expression,
    next: Option<Instant>,
}

impl Triggers {
    /// Adds a trigger and returns its number. It fires for the first time after `now`.
    pub fn add(&mut self, expression: Expression, now: Instant) -> usize {
        let next = expression.next_after(now);
        self.0.push(Trigger { expression, next });
        self.0.len() - 1
    }

    /// When a trigger is due next.
    pub fn next_at(&self) -> Option<Instant> {
        self.0.iter().filter_map(|trigger| trigger.next).min()
    }

    /// Takes out the trigger that is due next: its number, and its minute.
    pub fn take(&mut self) -> Option<(usize, Instant)> {
        let due = self.next_at()?;
        let mut triggers = self.0.iter_mut();
        let number = triggers.position(|trigger| trigger.next == Some(due))?;
        let trigger = &mut self.0[number];
        trigger.next = trigger.expression.next_after(due);
        Some((number, due))
    }

    /// Leaves out the runs that the wall clock has passed by more than a minute.
    pub fn skip_missed(&mut self, now: Instant) {
        for trigger in &mut self.0 {
            if trigger.next.is_some_and(|next| now.since(next) > LATE_MAX) {
                let since = Duration::from_nanos(now.0).saturating_sub(LATE_MAX);
                let since = Instant::default() + since;
                trigger.next = trigger.expression.next_after(since);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-01T00:00:00Z, a Thursday.
    const START: u64 = 1_767_225_600_000;

    fn minute(minutes: u64) -> Instant {
        Instant::from_unix_ms(START + minutes * 60_000)
    }

    fn triggers(expressions: &[&str], now: Instant) -> Triggers {
        let mut triggers = Triggers::default();
        for text in expressions {
            triggers.add(text.parse().expect("an expression"), now);
        }
        triggers
    }

    #[test]
    fn triggers_of_one_minute_fire_in_their_order() {
        let mut triggers = triggers(&["*/2 * * * *", "*/3 * * * *"], minute(0));
        let fired: Vec<_> = std::iter::from_fn(|| triggers.take()).take(5).collect();
        let expected = [(0, 2), (1, 3), (0, 4), (0, 6), (1, 6)];
        assert_eq!(fired, expected.map(|(number, at)| (number, minute(at))));
    }

    #[test]
    fn the_minute_in_which_a_world_begins_has_begun() {
        assert_eq!(
            triggers(&["* * * * *"], minute(0)).next_at(),
            Some(minute(1))
        );
        let late = minute(0) + Duration::from_millis(59_999);
        assert_eq!(triggers(&["* * * * *"], late).next_at(), Some(minute(1)));
    }

    #[test]
    fn what_the_wall_clock_passed_by_more_than_a_minute_is_left_out() {
        let mut passed = triggers(&["*/5 * * * *", "0 0 * * *"], minute(0));
        passed.skip_missed(minute(6));
        assert_eq!(passed.next_at(), Some(minute(5)), "late by a minute");
        passed.skip_missed(minute(7));
        assert_eq!(passed.next_at(), Some(minute(10)));
    }

    #[test]
    fn a_day_that_no_year_has_never_comes() {
        assert_eq!(triggers(&["0 0 31 11 *"], minute(0)).next_at(), None);
    }
}

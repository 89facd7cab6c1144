//! An object's alarm: when its timer is started, when its handler runs, and when it runs again after a failure.
//!
//! An alarm runs at least once. A handler that fails runs again, up to [`ALARM_RETRIES`] times with doubled delays,
//! unless it has set a new alarm itself, or the alarm is set or deleted before the retry is due (DOALARM). One handler
//! runs at a time: while one runs, or waits for its retry, no timer is started for a new alarm.
//!
//! Two states are kept apart. The [`AlarmTime`] belongs to the object's storage: setting it is part of a transaction
//! and may be undone. The [`Alarm`] is the platform's own: which timer counts and whether a handler runs. Each
//! operation of the latter returns the [`Action`] to carry out next.

use crate::kernel::time::Instant;
use crate::limits::durable::{ALARM_RETRIES, ALARM_RETRY_JITTER, alarm_retry_delay};
use std::time::Duration;

#[cfg(test)]
mod tests;

/// The alarm as the object's storage keeps it, in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AlarmTime {
    /// There is none, or its handler is running.
    #[default]
    Unset,
    /// It has not run yet.
    Pending(u64),
    /// Its handler failed and is to run again. This is the time it was set for, not that of the retry.
    Failed(u64),
}

impl AlarmTime {
    /// The time for which it is set, if it has not run yet.
    pub fn pending_ms(self) -> Option<u64> {
        match self {
            Self::Pending(ms) => Some(ms),
            Self::Unset | Self::Failed(_) => None,
        }
    }

    /// The time as `getAlarm()` gives it: also of an alarm that waits for its retry.
    pub fn visible_ms(self) -> Option<u64> {
        match self {
            Self::Pending(ms) | Self::Failed(ms) => Some(ms),
            Self::Unset => None,
        }
    }
}

/// One run of the handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// 0 for the first run, then the number of the retry.
    pub retry: u32,
    /// The time for which the alarm was set.
    alarm_ms: u64,
}

/// The next step for an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Start a timer for this time (milliseconds since the Unix epoch; it may be past), then call
    /// [`Alarm::timer_fired`].
    StartTimer(u64),
    /// Run the handler, then call [`Alarm::ended`].
    Run(Run),
    /// Wait so long, then call [`Alarm::retry_due`].
    RetryAfter(Duration, Run),
    /// Nothing: there is no alarm, or an earlier action takes care of it.
    Nothing,
}

/// What the platform knows of an object's alarm besides its time.
#[derive(Debug, Default)]
pub struct Alarm {
    /// The timer that counts, by the time it was started for. Timers that were started before it have no effect.
    timer_ms: Option<u64>,
    /// Whether a handler runs, or waits for its retry.
    running: bool,
}

impl Alarm {
    /// The alarm may have been set: by the object, by undoing what the object did, or by an earlier run of the server.
    pub fn set(&mut self, time: AlarmTime) -> Action {
        let Some(alarm_ms) = time.pending_ms() else {
            return Action::Nothing;
        };
        // A timer that fires no later than the alarm reads the alarm's time when it fires. So an alarm that is put off
        // with every request costs one timer.
        let in_time = self.timer_ms.is_some_and(|timer_ms| timer_ms <= alarm_ms);
        if self.running || in_time {
            return Action::Nothing;
        }
        self.timer_ms = Some(alarm_ms);
        Action::StartTimer(alarm_ms)
    }

    /// The timer for `timer_ms` has fired. An alarm that runs now is taken out of the storage: `getAlarm()` is null
    /// inside its handler (DOALARM).
    pub fn timer_fired(&mut self, timer_ms: u64, now: Instant, time: &mut AlarmTime) -> Action {
        if self.timer_ms == Some(timer_ms) {
            self.timer_ms = None;
            if let Some(alarm_ms) = time.pending_ms()
                && Instant::from_unix_ms(alarm_ms) <= now
            {
                self.running = true;
                *time = AlarmTime::Unset;
                return Action::Run(Run { retry: 0, alarm_ms });
            }
        }
        self.set(*time)
    }

    /// The handler has ended, and what it wrote is durable or undone. `jitter` draws from [0, 1); it is called only if
    /// the handler runs again.
    pub fn ended(
        &mut self,
        run: Run,
        succeeded: bool,
        time: &mut AlarmTime,
        jitter: impl FnOnce() -> f64,
    ) -> Action {
        let superseded = time.pending_ms().is_some();
        if succeeded || superseded || run.retry == ALARM_RETRIES {
            return self.done(*time);
        }
        // An alarm is removed for good only when its handler has succeeded (workerd actor-sqlite), so it is visible
        // again until the retry.
        *time = AlarmTime::Failed(run.alarm_ms);
        let jitter = 1.0 + ALARM_RETRY_JITTER * jitter();
        Action::RetryAfter(alarm_retry_delay(run.retry).mul_f64(jitter), run)
    }

    /// The delay of a retry is over. The retry does not run if the alarm was set or deleted in the meantime.
    pub fn retry_due(&mut self, run: Run, time: &mut AlarmTime) -> Action {
        let AlarmTime::Failed(alarm_ms) = *time else {
            return self.done(*time);
        };
        *time = AlarmTime::Unset;
        Action::Run(Run {
            retry: run.retry + 1,
            alarm_ms,
        })
    }

    fn done(&mut self, time: AlarmTime) -> Action {
        self.running = false;
        self.set(time)
    }
}

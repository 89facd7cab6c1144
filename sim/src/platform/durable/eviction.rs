//! How long an instance is active, which is billed, and when it has been idle for long enough to be evicted.
//!
//! An instance is active while it handles at least one event. Concurrent events are billed once: the span runs from the
//! beginning of the first to the end of the last. After [`HIBERNATE_AFTER_IDLE`] without an event the instance is
//! evicted.
//!
//! One timer per instance is enough. A timer fires too early if an event came after its start. It is then started again
//! for a later instant, or, while an event is being handled, stops until the instance is idle. So a busy object costs
//! no timer per event.

use crate::kernel::time::Instant;
use crate::limits::durable::HIBERNATE_AFTER_IDLE;

#[cfg(test)]
mod tests;

/// A span of time in which an instance was active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// When the first event began.
    pub from: Instant,
    /// When the last one ended.
    pub to: Instant,
}

/// What follows when the last event of an instance has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Idle {
    /// The span to bill.
    pub active: Span,
    /// Start a timer for this instant, unless one is running already.
    pub start_timer: Option<Instant>,
}

/// What follows when the timer fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// The instance has been idle for long enough: end it.
    Evict,
    /// There was an event in the meantime: start the timer again, for this instant.
    LookAgainAt(Instant),
    /// It handles an event now. The end of the last event asks for the next timer.
    Busy,
}

/// The activity of one instance.
#[derive(Debug, Default)]
pub struct Activity {
    /// Events that are being handled: requests, alarms, critical sections, `waitUntil` tasks.
    in_flight: u32,
    /// When the first of them began.
    active_since: Instant,
    /// When the last event ended.
    idle_since: Instant,
    /// Whether the timer is running.
    timer: bool,
}

impl Activity {
    /// An event begins.
    pub fn begin(&mut self, now: Instant) {
        if self.in_flight == 0 {
            self.active_since = now;
        }
        self.in_flight += 1;
    }

    /// An event ends. `Some` says that it was the last one.
    ///
    /// # Panics
    /// If no event had begun.
    pub fn end(&mut self, now: Instant) -> Option<Idle> {
        self.in_flight = self
            .in_flight
            .checked_sub(1)
            .expect("an event ends that began");
        if self.in_flight > 0 {
            return None;
        }
        self.idle_since = now;
        let runs_already = std::mem::replace(&mut self.timer, true);
        Some(Idle {
            active: Span {
                from: self.active_since,
                to: now,
            },
            start_timer: (!runs_already).then(|| now + HIBERNATE_AFTER_IDLE),
        })
    }

    /// The timer has fired.
    pub fn timer_fired(&mut self, now: Instant) -> Check {
        if self.in_flight > 0 {
            self.timer = false;
            return Check::Busy;
        }
        let due = self.idle_since + HIBERNATE_AFTER_IDLE;
        if due > now {
            Check::LookAgainAt(due)
        } else {
            Check::Evict
        }
    }

    /// The instance ends at once, even while it handles events. Returns the span to bill, if it was active.
    pub fn cut_off(&self, now: Instant) -> Option<Span> {
        (self.in_flight > 0).then_some(Span {
            from: self.active_since,
            to: now,
        })
    }
}

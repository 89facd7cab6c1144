//! One object: its home, its storage, and its instances, which come and go.
//!
//! An object is *live* while it has an instance. Instances are numbered (`generation`), so that a handle of an
//! instance that has ended is recognised. The instance itself, which is the user's code, is kept by the engine.

use super::alarm::{Action, Alarm, Run};
use super::eviction::{Activity, Span};
use super::gate::Gate;
use super::id::ObjectId;
use super::storage::Storage;
use crate::kernel::time::Instant;
use crate::topology::Pop;
use std::rc::Rc;

#[cfg(test)]
mod tests;

/// When and why an instance was thrown away.
#[derive(Debug, Clone)]
pub struct Reset {
    /// When.
    pub at: Instant,
    /// The message that callers get.
    pub reason: Rc<str>,
    /// The object's own code failed, so that callers are told of a remote error (observed on workerd).
    pub by_itself: bool,
}

impl Reset {
    /// Whether this reset of the instance that answered undoes writes on which the answer depends, so that the answer
    /// is never sent. The answer was ready at `finished`, and waited until `leaves` for those writes to become durable.
    pub fn loses_answer(&self, finished: Instant, leaves: Instant) -> bool {
        // A commit fails at the end of the turn that wrote, even if it would have taken no time.
        self.at == finished || (self.at > finished && self.at < leaves)
    }
}

/// What remains of an instance that was thrown away.
#[derive(Debug)]
pub struct CutOff {
    /// The reset.
    pub reset: Reset,
    /// The span to bill, if it was active.
    pub active: Option<Span>,
}

/// The state that an object has only while it is live.
#[derive(Debug)]
pub struct Live {
    /// The input gate: locked until the constructor has run, and during critical sections.
    pub gate: Gate,
    /// Critical sections in order: one runs, and those that are not part of it wait for it.
    pub sections: Gate,
    /// How long it is active and when it is evicted.
    pub activity: Activity,
}

impl Live {
    /// An instance whose constructor has not run yet.
    fn starting() -> Self {
        let mut gate = Gate::default();
        gate.lock();
        Self {
            gate,
            sections: Gate::default(),
            activity: Activity::default(),
        }
    }
}

/// One object.
#[derive(Debug)]
pub struct Object {
    /// Its id.
    pub id: ObjectId,
    /// The name it was addressed by, if it was.
    pub name: Option<Rc<str>>,
    /// Where it lives.
    pub home: Pop,
    /// What it stored.
    pub storage: Storage,
    alarm: Alarm,
    generation: u32,
    last_reset: Option<Reset>,
    live: Option<Box<Live>>,
}

impl Object {
    pub(super) fn new(id: ObjectId, name: Option<Rc<str>>, home: Pop, storage: Storage) -> Self {
        Self {
            id,
            name,
            home,
            storage,
            alarm: Alarm::default(),
            generation: 0,
            last_reset: None,
            live: None,
        }
    }

    /// Number of the newest instance.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Makes the object live. True if it was not live before: then the caller constructs an instance, and unlocks the
    /// gate after it.
    pub fn wake(&mut self) -> bool {
        if self.live.is_some() {
            return false;
        }
        self.generation += 1;
        self.live = Some(Box::new(Live::starting()));
        true
    }

    /// Whether it has an instance, of any number.
    pub fn has_instance(&self) -> bool {
        self.live.is_some()
    }

    /// Whether the instance of this number is the live one.
    pub fn is_live(&self, generation: u32) -> bool {
        self.live.is_some() && self.generation == generation
    }

    /// The state of the instance of this number, if it is the live one.
    pub fn live(&mut self, generation: u32) -> Option<&mut Live> {
        let is_newest = self.generation == generation;
        self.live.as_deref_mut().filter(|_| is_newest)
    }

    /// The idle instance ends; only its memory is lost.
    pub fn evict(&mut self) {
        self.live = None;
    }

    /// Throws the instance away: what this turn wrote is undone. `None` if there was no instance.
    pub fn reset(&mut self, now: Instant, reason: &Rc<str>) -> Option<CutOff> {
        self.storage.roll_back();
        let live = self.live.take()?;
        let reset = Reset {
            at: now,
            reason: Rc::clone(reason),
            by_itself: false,
        };
        self.last_reset = Some(reset.clone());
        Some(CutOff {
            reset,
            active: live.activity.cut_off(now),
        })
    }

    /// Notes that the object's own code caused the last reset.
    pub fn blame_own_code(&mut self) {
        if let Some(reset) = &mut self.last_reset {
            reset.by_itself = true;
        }
    }

    /// The last reset.
    pub fn last_reset(&self) -> Option<&Reset> {
        self.last_reset.as_ref()
    }

    /// See [`Alarm::set`].
    pub fn alarm_set(&mut self) -> Action {
        self.alarm.set(self.storage.alarm())
    }

    /// See [`Alarm::timer_fired`].
    pub fn alarm_timer_fired(&mut self, timer_ms: u64, now: Instant) -> Action {
        self.alarm
            .timer_fired(timer_ms, now, self.storage.alarm_mut())
    }

    /// See [`Alarm::ended`].
    pub fn alarm_ended(
        &mut self,
        run: Run,
        succeeded: bool,
        jitter: impl FnOnce() -> f64,
    ) -> Action {
        self.alarm
            .ended(run, succeeded, self.storage.alarm_mut(), jitter)
    }

    /// See [`Alarm::retry_due`].
    pub fn alarm_retry_due(&mut self, run: Run) -> Action {
        self.alarm.retry_due(run, self.storage.alarm_mut())
    }
}

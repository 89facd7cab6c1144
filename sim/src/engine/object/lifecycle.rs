//! The life of an instance: it starts with the first event, is evicted when it has been idle, or is reset.

use super::gates::Line;
use crate::bill::usage::Meter;
use crate::engine::Engine;
use crate::engine::record::Author;
use crate::engine::scope::Cause;
use crate::engine::scope::{Failure, InScope};
use crate::exception::Exception;
use crate::history::{Op, Outcome};
use crate::kernel::time::Instant;
use crate::name;
use crate::platform::durable::ObjectRef;
use crate::platform::durable::eviction::{Check, Span};
use crate::platform::durable::object::Object;
use crate::script::{LocalBoxFuture, ObjectInstance};
use crate::topology::Pop;
use std::rc::Rc;

impl Engine {
    /// Makes an object live; its events wait at the gate until the constructor has run.
    pub(super) fn wake_object(&self, class: u16, index: u32, cause: Cause) -> (u32, Pop) {
        let (generation, home, starting) = self.with(class, index, |object| {
            let starting = object.wake();
            (object.generation(), object.home, starting)
        });
        if starting {
            let object = ObjectRef {
                class,
                index,
                generation,
            };
            self.0.instances.borrow_mut().insert(object);
            let engine = self.clone();
            self.spawn_in(
                None,
                Box::pin(async move { engine.start_object(object, home, cause).await }),
            );
        }
        (generation, home)
    }

    async fn start_object(&self, object: ObjectRef, home: Pop, cause: Cause) {
        let begun = self.begin_as(
            || Author::platform(Some(home), cause),
            || {
                let (class, id) = self.object_name(object.class, object.index);
                Op::ObjectStart { class, id }
            },
        );
        let ready_at = self.now() + self.options().object_start;
        self.sleep_until(ready_at, name!("object.start"), u64::from(object.index))
            .await;
        if !self.is_live(object) {
            return; // It was reset while it started.
        }
        let invocation = self.new_invocation(self.object_place(object, home, cause));
        let code = Rc::clone(&self.0.deployments.class(object.class).code.borrow());
        let constructor: LocalBoxFuture<Result<Rc<dyn ObjectInstance>, Exception>> =
            Box::pin(async move { Ok(code.construct(object)) });
        let built = InScope::new(Rc::clone(&invocation), constructor).await;
        self.mix(name!("object.started"), |fingerprint| {
            fingerprint.mix(u64::from(object.class) << 32 | u64::from(object.index));
            fingerprint.mix(u64::from(built.is_ok()));
        });
        self.finish(begun, || match &built {
            Ok(_) => Outcome::Done,
            Err(failure) => Outcome::Error {
                message: failure.to_string(),
            },
        });
        match built {
            Ok(instance) => {
                // An instance that was reset meanwhile is dropped outside of every borrow.
                let mut instance = Some(instance);
                self.with_hosted(object, |hosted| hosted.instance = instance.take());
                self.unlock(object, Line::Input);
            }
            Err(failure) => {
                let panicked = matches!(failure, Failure::Panic(_));
                let reason = failure.into_exception().message;
                self.reset_object(object.class, object.index, &reason, cause);
                if panicked {
                    self.host_panicked(&invocation, &reason);
                }
            }
        }
    }

    /// An event of an object begins: it is active, and billed.
    pub(crate) fn begin_event(&self, object: ObjectRef) {
        let now = self.now();
        self.with_live(object, |live| live.activity.begin(now));
    }

    /// An event of an object has ended; after 10 s without another it is evicted (DOLIFE 2026-09-30).
    pub(crate) fn end_event(&self, object: ObjectRef) {
        let now = self.now();
        let idle = self.with_live(object, |live| live.activity.end(now));
        let Some(idle) = idle.flatten() else { return };
        self.bill_active(idle.active);
        if let Some(at) = idle.start_timer {
            let engine = self.clone();
            self.spawn_in(
                None,
                Box::pin(async move { engine.evict_when_idle(object, at).await }),
            );
        }
    }

    fn bill_active(&self, span: Span) {
        let mut usage = self.0.usage.borrow_mut();
        usage.add_span(Meter::ObjectDurationNanos, span.from.0, span.to.0);
    }

    async fn evict_when_idle(&self, object: ObjectRef, mut at: Instant) {
        loop {
            self.sleep_until(at, name!("object.idle"), u64::from(object.index))
                .await;
            let now = self.now();
            match self.with_live(object, |live| live.activity.timer_fired(now)) {
                Some(Check::Evict) => break,
                Some(Check::LookAgainAt(later)) => at = later,
                // Busy, or reset in the meantime.
                Some(Check::Busy) | None => return,
            }
        }
        self.with_object(object, Object::evict);
        let hosted = self
            .0
            .instances
            .borrow_mut()
            .take(object.class, object.index);
        self.object_stopped(object.class, object.index, "idle", None);
        // The instance's destructor may call the world: it runs outside of every borrow.
        drop(hosted);
    }

    /// Throws an object's instance away: what this turn wrote is undone, calls in flight fail with `reason`.
    pub(crate) fn reset_object(&self, class: u16, index: u32, reason: &str, cause: Cause) {
        let now = self.now();
        let reason: Rc<str> = reason.into();
        let Some(cut_off) = self.with(class, index, |object| object.reset(now, &reason)) else {
            return;
        };
        let hosted = self.0.instances.borrow_mut().take(class, index);
        let mut hosted = hosted.expect("a live object has an entry among the instances");
        // Set once: an instance is reset once.
        let _ = hosted.reset.set(cut_off.reset);
        self.object_stopped(class, index, &reason, cause);
        if let Some(span) = cut_off.active {
            self.bill_active(span);
        }
        for (_, waker) in hosted.handlers.drain(..) {
            waker.wake();
        }
        std::mem::take(&mut hosted.waiters).wake_all();
        std::mem::take(&mut hosted.sections).wake_all();
        self.arm_alarm(class, index);
        // The instance's destructor may call the world: it runs outside of every borrow.
        drop(hosted);
    }

    /// The end of an instance goes into the fingerprint and the history.
    fn object_stopped(&self, class: u16, index: u32, reason: &str, cause: Cause) {
        self.mix(name!("object.stopped"), |fingerprint| {
            fingerprint.mix(u64::from(class) << 32 | u64::from(index));
            fingerprint.mix_bytes(reason.as_bytes());
        });
        self.note(
            || Author::platform(None, cause),
            || {
                let (class, id) = self.object_name(class, index);
                let reason = reason.to_owned();
                (Op::ObjectStop { class, id, reason }, Outcome::Done)
            },
        );
    }

    /// Resets every live object of a class.
    pub(crate) fn reset_class(&self, class: u16, reason: &str, cause: Cause) {
        self.reset_class_in(class, None, reason, cause);
    }

    /// Resets every live object of a class whose home is a PoP, or of all PoPs.
    pub(super) fn reset_class_in(&self, class: u16, pop: Option<Pop>, reason: &str, cause: Cause) {
        let live: Vec<u32> = {
            let classes = self.0.classes.borrow();
            let objects = (0_u32..).zip(classes[usize::from(class)].objects());
            objects
                .filter(|(_, object)| object.has_instance())
                .filter(|(_, object)| pop.is_none_or(|pop| object.home == pop))
                .map(|(index, _)| index)
                .collect()
        };
        for index in live {
            self.reset_object(class, index, reason, cause);
        }
    }

    /// Resets an object, unless this instance has ended already.
    pub(super) fn reset_instance(&self, object: ObjectRef, reason: &str, cause: Cause) {
        if self.is_live(object) {
            self.reset_object(object.class, object.index, reason, cause);
        }
    }
}

//! Gates: what waits before it enters an object (events, I/O, critical sections), and messages that wait to leave it.

use super::instances::Hosted;
use super::waiters::Waiters;
use crate::engine::scope::{self, Failure, InScope};
use crate::engine::{Engine, Invocation, Scope};
use crate::exception::Exception;
use crate::limits;
use crate::name;
use crate::platform::durable::ObjectRef;
use crate::platform::durable::gate::{Admission, Gate, Ticket};
use crate::platform::durable::object::{Live, Object};
use crate::script::LocalBoxFuture;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// An open critical section; see [`Bindings::critical_section`](crate::host::Bindings::critical_section).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CriticalSection {
    /// `blockConcurrencyWhile`: a failure resets the object.
    BlockConcurrency,
    /// `storage.transaction`: a failure undoes what it wrote.
    Transaction,
}

impl Engine {
    /// Waits until an I/O event may be delivered to the running invocation: at once, unless it belongs to an object
    /// whose input gate is closed by another critical section.
    pub(crate) async fn deliver(&self) {
        let gated = scope::read(|invocation| invocation.object.filter(|_| !invocation.critical));
        let Some(object) = gated.flatten() else {
            return;
        };
        let open = self.with_live(object, |live| live.gate.is_open());
        if open == Some(false) {
            // A reset needs no answer here: the handler that waits is dropped.
            let _ = self.pass(object, Line::Input).await;
        }
    }

    /// Waits until the running object's writes so far are durable; only then may a message leave it.
    ///
    /// # Errors
    /// The object was reset before.
    pub(crate) async fn output_gate(&self, invocation: &Invocation) -> Result<(), Exception> {
        let Some(object) = invocation.object else {
            return Ok(());
        };
        let (durable_at, committed) = self.with_object(object, |object| {
            (object.storage.durable_at, !object.storage.has_written())
        });
        if durable_at > self.now() || !committed {
            self.sleep_until(durable_at, name!("object.durable"), u64::from(object.index))
                .await;
        }
        if !self.is_live(object) {
            return Err(Exception::error(limits::durable::STORAGE_GONE));
        }
        Ok(())
    }

    /// Waits until an object's writes so far are durable.
    ///
    /// # Errors
    /// It was reset before, and its writes are undone.
    pub(super) async fn durable(&self, class: u16, index: u32) -> Result<(), Exception> {
        let finished = self.now();
        let durable_at = self.with(class, index, |object| object.storage.durable_at);
        if durable_at < finished {
            return Ok(());
        }
        self.sleep_until(durable_at, name!("object.durable"), u64::from(index))
            .await;
        let reset = self.with(class, index, |object| object.last_reset().cloned());
        match reset.filter(|reset| reset.at >= finished) {
            Some(reset) => Err(Exception::error(&*reset.reason).reset()),
            None => Ok(()),
        }
    }

    /// Runs `section` with the object's input gate closed: no other event is delivered until it has ended. The gate is
    /// closed when this returns, even if the returned future is never polled.
    ///
    /// # Errors
    /// The section's own error. Depending on `kind` the object was reset, or the section's writes were undone.
    pub(crate) fn critical_section<T: 'static>(
        &self,
        object: ObjectRef,
        kind: CriticalSection,
        section: LocalBoxFuture<Result<T, Exception>>,
    ) -> impl Future<Output = Result<T, Exception>> + use<T> {
        let (sender, receiver) = futures_channel::oneshot::channel();
        let outer = scope::current().filter(|outer| outer.object == Some(object));
        let engine = self.clone();
        self.with_live(object, |live| live.gate.lock());
        self.begin_event(object);
        self.spawn(async move {
            let result = engine.take_turn(object, outer, kind, section).await;
            engine.unlock(object, Line::Input);
            engine.end_event(object);
            // The receiver may be gone: a constructor drops the future, and the gate is closed all the same.
            let _ = sender.send(result);
        });
        async move {
            receiver
                .await
                .unwrap_or_else(|_| Err(Exception::error(limits::durable::STORAGE_GONE)))
        }
    }

    /// Runs a section when those before it have ended. A section that is opened inside another runs at once, as a part
    /// of it.
    async fn take_turn<T: 'static>(
        &self,
        object: ObjectRef,
        outer: Scope,
        kind: CriticalSection,
        section: LocalBoxFuture<Result<T, Exception>>,
    ) -> Result<T, Exception> {
        if !self.is_live(object) {
            return Err(Exception::error(limits::durable::STORAGE_GONE));
        }
        let nested = outer.as_ref().is_some_and(|outer| outer.critical);
        if nested {
            return self.run_critical(object, outer, kind, section).await;
        }
        self.pass(object, Line::Sections).await?;
        self.with_live(object, |live| live.sections.lock());
        let result = self.run_critical(object, outer, kind, section).await;
        self.unlock(object, Line::Sections);
        result
    }

    async fn run_critical<T: 'static>(
        &self,
        object: ObjectRef,
        outer: Scope,
        kind: CriticalSection,
        section: LocalBoxFuture<Result<T, Exception>>,
    ) -> Result<T, Exception> {
        let savepoint = match kind {
            CriticalSection::Transaction => Some(self.savepoint(object)?),
            CriticalSection::BlockConcurrency => None,
        };
        let home = self.with_object(object, |object| object.home);
        let cause = outer.as_ref().and_then(|outer| outer.cause);
        let place = self.object_place(object, home, cause);
        let invocation = self.critical_invocation(place, &outer);
        let deadline = self.sleep_until(
            self.now() + limits::durable::CRITICAL_SECTION,
            name!("critical.end"),
            u64::from(object.index),
        );
        let section = InScope::new(Rc::clone(&invocation), section);
        let ended = futures_util::future::select(section, deadline).await;
        if let Some(outer) = &outer {
            outer.calls.set(&invocation.calls);
        }
        let futures_util::future::Either::Left((result, _)) = ended else {
            let text = limits::durable::CRITICAL_SECTION_TIMEOUT;
            self.reset_instance(object, text, cause);
            return Err(Exception::error(text).reset());
        };
        if let Some(savepoint) = savepoint {
            self.end_savepoint(object, savepoint, result.is_ok())?;
            if result.is_err() {
                // The undo may have restored an earlier alarm.
                self.arm_alarm(object.class, object.index);
            }
        }
        match result {
            Ok(value) => Ok(value),
            Err(Failure::Thrown(exception)) if savepoint.is_some() => Err(exception),
            Err(failure) => {
                let panicked = matches!(failure, Failure::Panic(_));
                let exception = failure.into_exception();
                self.reset_instance(object, &exception.message, cause);
                self.with_object(object, Object::blame_own_code);
                if panicked {
                    self.host_panicked(&invocation, &exception.message);
                }
                Err(exception.reset())
            }
        }
    }

    /// A future that waits in a line of an object, and is ready when it has entered.
    pub(super) fn pass(&self, object: ObjectRef, line: Line) -> Pass {
        Pass {
            engine: self.clone(),
            object,
            line,
            ticket: None,
            kept: false,
        }
    }

    /// Takes a lock away and wakes the first in line.
    pub(super) fn unlock(&self, object: ObjectRef, line: Line) {
        let next = self.with_live(object, |live| line.gate(live).unlock());
        if let Some(next) = next.flatten() {
            self.wake_waiter(object, line, next);
        }
    }

    fn wake_waiter(&self, object: ObjectRef, line: Line, ticket: Ticket) {
        let waker = self.with_hosted(object, |hosted| line.waiters(hosted).take(ticket));
        if let Some(waker) = waker.flatten() {
            waker.wake();
        }
    }
}

/// Which of an object's two lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// Events before the input gate.
    Input,
    /// Critical sections.
    Sections,
}

impl Line {
    fn gate(self, live: &mut Live) -> &mut Gate {
        match self {
            Self::Input => &mut live.gate,
            Self::Sections => &mut live.sections,
        }
    }

    fn waiters(self, hosted: &mut Hosted) -> &mut Waiters {
        match self {
            Self::Input => &mut hosted.waiters,
            Self::Sections => &mut hosted.sections,
        }
    }
}

/// See [`Engine::pass`].
pub(super) struct Pass {
    engine: Engine,
    object: ObjectRef,
    line: Line,
    ticket: Option<Ticket>,
    /// Whether its waker was ever added to those of the line.
    kept: bool,
}

impl Pass {
    /// Forgets the waker that an earlier poll left, and wakes the next in line.
    fn leave(&mut self, ticket: Ticket, next: Option<Ticket>) {
        if self.kept {
            let own = self
                .engine
                .with_hosted(self.object, |hosted| self.line.waiters(hosted).take(ticket));
            drop(own);
        }
        if let Some(next) = next {
            self.engine.wake_waiter(self.object, self.line, next);
        }
    }
}

impl Future for Pass {
    type Output = Result<(), Exception>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let (object, line) = (this.object, this.line);
        let asked = this.engine.with_live(object, |live| {
            let gate = line.gate(live);
            let ticket = *this.ticket.get_or_insert_with(|| gate.join());
            (ticket, gate.enter(ticket))
        });
        match asked {
            Some((ticket, Admission::Enter { next })) => {
                this.ticket = None;
                this.leave(ticket, next);
                Poll::Ready(Ok(()))
            }
            Some((ticket, Admission::Wait)) => {
                this.kept = true;
                this.engine.with_hosted(object, |hosted| {
                    line.waiters(hosted).keep(ticket, context.waker());
                });
                Poll::Pending
            }
            None => {
                this.ticket = None;
                Poll::Ready(Err(this.engine.reset_exception(object)))
            }
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket.take() else {
            return;
        };
        let line = self.line;
        let next = self
            .engine
            .with_live(self.object, |live| line.gate(live).give_up(ticket));
        self.leave(ticket, next.flatten());
    }
}

//! Who is running: the engine of this thread, and the invocation whose code it polls.

use super::Engine;
use super::hosts::Host;
use crate::exception::Exception;
use crate::kernel::time::Instant;
use crate::limits;
use crate::platform::durable::ObjectRef;
use crate::script::LocalBoxFuture;
use crate::topology::Pop;
use edgeproof_isolate::IsolateId;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

thread_local! {
    static ENGINE: RefCell<Option<Engine>> = const { RefCell::new(None) };
    static SCOPE: RefCell<Scope> = const { RefCell::new(None) };
}

/// Number of the record that caused something, if there is a history and a cause.
pub(crate) type Cause = Option<u64>;

/// Who is running: an invocation of a Worker or of an object, or neither (the test's own code, the platform).
pub(crate) type Scope = Option<Rc<Invocation>>;

/// One event being handled: a request, an alarm, a cron trigger.
#[derive(Debug)]
pub(crate) struct Invocation {
    /// Number in the run.
    pub(crate) id: u64,
    /// The deployment whose code it runs.
    pub(crate) deployment: u16,
    /// Where it runs.
    pub(crate) pop: Pop,
    /// The isolate whose memory it uses.
    pub(crate) isolate: IsolateId,
    /// That isolate, if it hosts objects: it stays as long as this invocation does.
    pub(crate) host: Option<Rc<Host>>,
    /// The object, if it is one that runs.
    pub(crate) object: Option<ObjectRef>,
    /// Inside a critical section of its object (`blockConcurrencyWhile`): its I/O passes the closed input gate.
    pub(crate) critical: bool,
    /// What caused it.
    pub(crate) cause: Cause,
    /// Calls so far, against the limits of one invocation.
    pub(crate) calls: Calls,
    /// When its answer was sent: `waitUntil` tasks have 30 s from then.
    pub(crate) ended_at: Cell<Option<Instant>>,
    /// `waitUntil` tasks that must learn that it ended, one waker each.
    pub(crate) wait_until: RefCell<Vec<Waker>>,
}

/// The calls of one invocation, counted against its limits.
#[derive(Debug, Default, Clone)]
pub(crate) struct Calls {
    pub(crate) fetches: Cell<u32>,
    pub(crate) internal: Cell<u32>,
    pub(crate) kv: Cell<u32>,
    pub(crate) d1_queries: Cell<u32>,
}

impl Calls {
    /// Takes over the counts of another invocation.
    pub(crate) fn set(&self, other: &Self) {
        self.fetches.set(other.fetches.get());
        self.internal.set(other.internal.get());
        self.kv.set(other.kv.get());
        self.d1_queries.set(other.d1_queries.get());
    }
}

/// Where an invocation runs, and why.
pub(crate) struct Place {
    pub(crate) deployment: u16,
    pub(crate) pop: Pop,
    pub(crate) isolate: IsolateId,
    pub(crate) host: Option<Rc<Host>>,
    pub(crate) object: Option<ObjectRef>,
    pub(crate) cause: Cause,
}

impl Invocation {
    fn new(id: u64, place: Place) -> Self {
        Self {
            id,
            deployment: place.deployment,
            pop: place.pop,
            isolate: place.isolate,
            host: place.host,
            object: place.object,
            critical: false,
            cause: place.cause,
            calls: Calls::default(),
            ended_at: Cell::new(None),
            wait_until: RefCell::new(Vec::new()),
        }
    }
}

/// The engine that runs on this thread, if one does.
pub(crate) fn try_engine() -> Option<Engine> {
    ENGINE
        .try_with(|engine| engine.borrow().clone())
        .ok()
        .flatten()
}

/// The invocation that is running.
pub(crate) fn current() -> Scope {
    SCOPE.with_borrow(Clone::clone)
}

/// What `read` reads of the invocation that is running, without a clone of it.
pub(crate) fn read<T>(read: impl FnOnce(&Invocation) -> T) -> Option<T> {
    SCOPE.with_borrow(|scope| scope.as_deref().map(read))
}

/// The invocation that is running.
///
/// # Errors
/// Outside of a Worker.
pub(crate) fn invocation() -> Result<Rc<Invocation>, Exception> {
    current().ok_or_else(|| {
        Exception::error("This binding was used outside of an invocation of the Worker.")
    })
}

/// Polls a task in a scope and in the memory of its isolate.
pub(crate) fn within(scope: &Scope, poll: &mut dyn FnMut()) {
    let before = SCOPE.replace(scope.clone());
    let isolate = scope.as_ref().map_or(0, |invocation| invocation.isolate);
    let outer = edgeproof_isolate::enter(isolate);
    poll();
    edgeproof_isolate::enter(outer);
    SCOPE.set(before);
}

/// Runs `act` with no engine on this thread, for destructors of a world that ends while another one may run.
pub(crate) fn without_engine(act: impl FnOnce()) {
    let outer = ENGINE.try_with(RefCell::take).ok().flatten();
    edgeproof_interpose::as_host(act);
    if let Some(outer) = outer {
        ENGINE.set(Some(outer));
    }
}

/// While it lives, the engine is the one of this thread.
pub(crate) struct Entered {
    engine: Engine,
    /// The isolate of the code around the run.
    isolate: IsolateId,
}

impl Engine {
    /// Makes this the engine of the thread for as long as the guard lives.
    pub(crate) fn enter(&self) -> Entered {
        self.0.clock.executor.enter();
        ENGINE.set(Some(self.clone()));
        Entered {
            engine: self.clone(),
            isolate: edgeproof_isolate::current(),
        }
    }

    pub(crate) fn new_invocation(&self, place: Place) -> Rc<Invocation> {
        let id = self.0.next_invocation.get();
        self.0.next_invocation.set(id + 1);
        Rc::new(Invocation::new(id, place))
    }

    /// An invocation inside a critical section of its object, with the counts of the one that opened the section.
    pub(crate) fn critical_invocation(&self, place: Place, outer: &Scope) -> Rc<Invocation> {
        let id = self.0.next_invocation.get();
        self.0.next_invocation.set(id + 1);
        let calls = outer.as_ref().map(|outer| outer.calls.clone());
        Rc::new(Invocation {
            critical: true,
            calls: calls.unwrap_or_default(),
            ..Invocation::new(id, place)
        })
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        ENGINE.set(None);
        // A task that panicked has left its scope and its isolate behind.
        SCOPE.set(None);
        edgeproof_isolate::enter(self.isolate);
        self.engine.0.clock.executor.leave();
    }
}

/// Why a handler gave no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It threw.
    Thrown(Exception),
    /// It panicked: on the platform, wasm stops at `unreachable` and its memory is not used again.
    Panic(String),
}

impl Failure {
    pub(crate) fn into_exception(self) -> Exception {
        match self {
            Self::Thrown(exception) => exception,
            Self::Panic(_) => Exception {
                name: "RuntimeError".into(),
                message: limits::workers::PANIC.into(),
                ..Exception::default()
            },
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Thrown(exception) => write!(f, "{exception}"),
            Self::Panic(text) => write!(f, "RuntimeError: unreachable (panic: {text})"),
        }
    }
}

/// Polls a handler in the scope of its invocation, whichever task polls it; a panic becomes a value.
pub(crate) struct InScope<T> {
    invocation: Rc<Invocation>,
    handler: Option<LocalBoxFuture<T>>,
}

impl<T> InScope<T> {
    pub(crate) fn new(invocation: Rc<Invocation>, handler: LocalBoxFuture<T>) -> Self {
        Self {
            invocation,
            handler: Some(handler),
        }
    }
}

/// What a handler returns, as a result.
pub(crate) trait Returned {
    type Value;
    fn into_result(self) -> Result<Self::Value, Exception>;
}

impl<T> Returned for Result<T, Exception> {
    type Value = T;
    fn into_result(self) -> Self {
        self
    }
}

impl Returned for () {
    type Value = ();
    fn into_result(self) -> Result<(), Exception> {
        Ok(())
    }
}

impl<T: Returned> Future for InScope<T> {
    type Output = Result<T::Value, Failure>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let handler = this
            .handler
            .as_mut()
            .expect("a handler is not polled after it has ended");
        let before = SCOPE.replace(Some(Rc::clone(&this.invocation)));
        let isolate = edgeproof_isolate::enter(this.invocation.isolate);
        let polled = catch_unwind(AssertUnwindSafe(|| handler.as_mut().poll(context)));
        let result = match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(value)) => {
                this.handler = None;
                Poll::Ready(value.into_result().map_err(Failure::Thrown))
            }
            Err(panic) => {
                // The handler's locals are dropped in its own scope. A second panic there ends the process, because the
                // state of the world would be unknown after it.
                this.handler = None;
                let text = panic.downcast_ref::<&str>().map(ToString::to_string);
                let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
                Poll::Ready(Err(Failure::Panic(
                    text.unwrap_or_else(|| "no text".into()),
                )))
            }
        };
        edgeproof_isolate::enter(isolate);
        SCOPE.set(before);
        result
    }
}

impl<T> Drop for InScope<T> {
    /// A handler that is cut off is dropped in its own scope: the operations that it began continue as its own.
    fn drop(&mut self) {
        let Some(handler) = self.handler.take() else {
            return;
        };
        let before = SCOPE.replace(Some(Rc::clone(&self.invocation)));
        let isolate = edgeproof_isolate::enter(self.invocation.isolate);
        drop(handler);
        edgeproof_isolate::enter(isolate);
        SCOPE.set(before);
    }
}

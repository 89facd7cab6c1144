//! Invocations of the Worker: isolate, handler, `waitUntil`, cron; and the limits of one invocation.

use super::{Invocation, Scope, World};
use crate::bill::usage::Meter;
use crate::exception::Exception;
use crate::history::{Op, Outcome};
use crate::http::{Request, Response};
use crate::limits::{self, BindingCalls};
use crate::script::LocalBoxFuture;
use crate::topology::Pop;
use edgeproof_isolate::IsolateId;
use std::cell::Cell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

impl World {
    /// Answers a request that has arrived at a PoP.
    pub(super) async fn invoke(&self, pop: Pop, request: Box<Request>) -> Response {
        self.count(Meter::WorkersRequests, 1);
        let invocation = self.enter_isolate(pop).await;
        let handler = InScope::new(Rc::clone(&invocation), self.0.script.fetch(*request));
        let result = handler.await;
        self.leave_isolate(&invocation);
        result.unwrap_or_else(|failure| {
            self.failed(&invocation, &failure);
            // ERR 2026-10-08: 1101, the Worker threw. The page names no HTTP status: an option.
            Response::text(
                self.0.options.unsettled.error_status.exception_1101,
                limits::workers::EXCEPTION_BODY,
            )
        })
    }

    /// Runs a cron trigger now, in the first PoP of the world.
    ///
    /// The simulator does not run triggers by itself: a test says when.
    ///
    /// # Errors
    /// What the handler threw.
    pub async fn scheduled(&self, cron: &str) -> Result<(), Exception> {
        let start = self.now();
        let invocation = self.enter_isolate(self.0.pops[0]).await;
        let handler = self.0.script.scheduled(cron.into(), start.unix_ms());
        let result = InScope::new(Rc::clone(&invocation), handler).await;
        self.leave_isolate(&invocation);
        self.record(start, &Some(Rc::clone(&invocation)), || {
            let outcome = match &result {
                Ok(()) => Outcome::Done,
                Err(failure) => Outcome::Error {
                    message: failure.to_string(),
                },
            };
            (
                Op::Scheduled {
                    cron: cron.to_owned(),
                },
                outcome,
            )
        });
        result.map_err(|failure| {
            self.failed(&invocation, &failure);
            failure.into_exception()
        })
    }

    async fn enter_isolate(&self, pop: Pop) -> Rc<Invocation> {
        let now = self.now();
        let assignment = self.0.isolates.borrow_mut().assign(now, pop);
        if !assignment.evicted.is_empty() {
            self.forget_isolates(pop, &assignment.evicted);
        }
        let invocation = self.new_invocation(pop, assignment.isolate, None);
        if assignment.cold {
            self.count(Meter::IsolateStarts, 1);
            self.record(now, &Some(Rc::clone(&invocation)), || {
                (Op::IsolateStart, Outcome::Done)
            });
            let before = edgeproof_isolate::enter(assignment.isolate);
            self.0.script.start();
            edgeproof_isolate::enter(before);
        }
        if assignment.ready_at > now {
            self.sleep_until(
                assignment.ready_at,
                "isolate.ready",
                assignment.isolate & 0xffff_ffff,
            )
            .await;
        }
        invocation
    }

    fn leave_isolate(&self, invocation: &Rc<Invocation>) {
        invocation.ended_at.set(Some(self.now()));
        for waker in invocation.wait_until.take() {
            waker.wake();
        }
        self.release_isolate(invocation);
    }

    fn release_isolate(&self, invocation: &Invocation) {
        let gone =
            self.0
                .isolates
                .borrow_mut()
                .release(self.now(), invocation.pop, invocation.isolate);
        if gone {
            self.forget_isolates(invocation.pop, &[invocation.isolate]);
        }
    }

    /// Drops the memory of isolates that are gone.
    pub(super) fn forget_isolates(&self, pop: Pop, gone: &[IsolateId]) {
        for isolate in gone {
            edgeproof_isolate::evict(*isolate);
            let ghost: Scope = self
                .keeps_history()
                .then(|| self.new_invocation(pop, *isolate, None));
            self.record(self.now(), &ghost, || (Op::IsolateStop, Outcome::Done));
        }
    }

    /// A handler threw: the error is logged, and after a panic the isolate's memory is lost.
    fn failed(&self, invocation: &Rc<Invocation>, failure: &Failure) {
        self.console_in(
            &Some(Rc::clone(invocation)),
            "error",
            &format!("Uncaught {failure}"),
        );
        if matches!(failure, Failure::Panic(_)) {
            edgeproof_isolate::evict(invocation.isolate);
        }
    }

    /// Keeps `task` running after the answer, for up to 30 s (LIM).
    pub fn wait_until(&self, task: LocalBoxFuture<()>) {
        let Some(invocation) = Self::scope() else {
            return;
        };
        let world = self.handle();
        match invocation.object {
            Some(object) => self.begin_event(object),
            None => self
                .0
                .isolates
                .borrow_mut()
                .retain(invocation.pop, invocation.isolate),
        }
        self.spawn(async move {
            let task = WaitUntil {
                world: world.handle(),
                invocation: Rc::clone(&invocation),
                task,
                deadline: None,
            };
            if let Err(failure) = InScope::new(Rc::clone(&invocation), Box::pin(task)).await {
                world.failed(&invocation, &failure);
            }
            match invocation.object {
                Some(object) => world.end_event(object),
                None => world.release_isolate(&invocation),
            }
        });
    }

    /// A console line of the Worker.
    pub fn console(&self, level: &str, text: &str) {
        self.console_in(&Self::scope(), level, text);
    }

    fn console_in(&self, scope: &Scope, level: &str, text: &str) {
        self.record(self.now(), scope, || {
            (
                Op::Console {
                    level: level.to_owned(),
                    text: text.to_owned(),
                },
                Outcome::Done,
            )
        });
        if self.0.console {
            let pop = scope
                .as_ref()
                .map_or("-", |invocation| invocation.pop.code());
            eprintln!("[{pop}] {level}: {text}");
        }
    }
}

impl Invocation {
    /// Counts an outbound fetch.
    ///
    /// # Errors
    /// More than the plan allows in one invocation.
    pub(super) fn count_fetch(&self, world: &World) -> Result<(), Exception> {
        count(
            &self.fetches,
            1,
            world.plan().limits().subrequests,
            limits::workers::TOO_MANY_SUBREQUESTS,
        )
    }

    /// Counts a call of KV or of an object.
    ///
    /// # Errors
    /// More than the plan allows in one invocation.
    pub(super) fn count_internal_call(&self, world: &World) -> Result<(), Exception> {
        let text = limits::workers::TOO_MANY_API_REQUESTS;
        match world.0.options.unsettled.binding_calls {
            BindingCalls::OfTheirOwn => count(
                &self.internal_calls,
                1,
                world.plan().limits().internal_subrequests,
                text,
            ),
            BindingCalls::SharedWithFetch => {
                count(&self.fetches, 1, world.plan().limits().subrequests, text)
            }
        }
    }

    /// Counts an operation of KV, which has a limit of its own on both plans (KVLIM).
    ///
    /// # Errors
    /// More than are allowed in one invocation.
    pub(super) fn count_kv_operation(&self, world: &World) -> Result<(), Exception> {
        let text = limits::workers::TOO_MANY_API_REQUESTS;
        count(&self.kv_operations, 1, limits::kv::OPERATIONS, text)?;
        self.count_internal_call(world)
    }

    /// Counts queries of D1.
    ///
    /// # Errors
    /// More than the plan allows in one invocation.
    pub(super) fn count_d1_queries(&self, world: &World, queries: u32) -> Result<(), Exception> {
        let text = limits::workers::TOO_MANY_API_REQUESTS;
        count(
            &self.d1_queries,
            queries,
            world.plan().limits().d1_queries,
            text,
        )
    }
}

fn count(counter: &Cell<u32>, amount: u32, limit: u32, text: &str) -> Result<(), Exception> {
    let counted = counter.get().saturating_add(amount);
    if counted > limit {
        return Err(Exception::error(text));
    }
    counter.set(counted);
    Ok(())
}

/// Why a handler gave no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// It threw.
    Thrown(Exception),
    /// It panicked: on the platform, wasm stops at `unreachable` and its memory is not used again.
    Panic(String),
}

impl Failure {
    pub(super) fn into_exception(self) -> Exception {
        match self {
            Self::Thrown(exception) => exception,
            Self::Panic(_) => Exception {
                name: "RuntimeError".into(),
                message: "unreachable".into(),
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

/// Polls a handler as the invocation it belongs to, whoever's task it is part of; a panic is a value.
pub(super) struct InScope<T> {
    invocation: Rc<Invocation>,
    handler: Option<LocalBoxFuture<T>>,
}

impl<T> InScope<T> {
    pub(super) fn new(invocation: Rc<Invocation>, handler: LocalBoxFuture<T>) -> Self {
        Self {
            invocation,
            handler: Some(handler),
        }
    }
}

/// What a handler returns, as a result.
pub(super) trait Returned {
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
        let before = super::SCOPE.replace(Some(Rc::clone(&this.invocation)));
        let isolate = edgeproof_isolate::enter(this.invocation.isolate);
        let polled = catch_unwind(AssertUnwindSafe(|| handler.as_mut().poll(context)));
        let result = match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(value)) => {
                this.handler = None;
                Poll::Ready(value.into_result().map_err(Failure::Thrown))
            }
            Err(panic) => {
                // The handler's locals are dropped in its own scope; a second panic there would end the process, as it
                // must: nothing could be said about the state of the world.
                this.handler = None;
                let text = panic.downcast_ref::<&str>().map(ToString::to_string);
                let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
                Poll::Ready(Err(Failure::Panic(
                    text.unwrap_or_else(|| "no text".into()),
                )))
            }
        };
        edgeproof_isolate::enter(isolate);
        super::SCOPE.set(before);
        result
    }
}

impl<T> Drop for InScope<T> {
    /// A handler that is cut off is dropped as who it was: what it had begun goes on in its name.
    fn drop(&mut self) {
        let Some(handler) = self.handler.take() else {
            return;
        };
        let before = super::SCOPE.replace(Some(Rc::clone(&self.invocation)));
        let isolate = edgeproof_isolate::enter(self.invocation.isolate);
        drop(handler);
        edgeproof_isolate::enter(isolate);
        super::SCOPE.set(before);
    }
}

/// A task that may outlive its invocation by 30 s and is cancelled then.
struct WaitUntil {
    world: World,
    invocation: Rc<Invocation>,
    task: LocalBoxFuture<()>,
    deadline: Option<super::Sleep>,
}

impl Future for WaitUntil {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if this.task.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        // An object's tasks are bound by the object's life and not by a request's.
        if this.invocation.object.is_some() {
            return Poll::Pending;
        }
        match (this.invocation.ended_at.get(), &mut this.deadline) {
            (None, _) => {
                this.invocation
                    .wait_until
                    .borrow_mut()
                    .push(context.waker().clone());
                Poll::Pending
            }
            (Some(ended_at), deadline) => {
                let world = &this.world;
                let at = ended_at + limits::workers::WAIT_UNTIL;
                let deadline = deadline.get_or_insert_with(|| {
                    world.sleep_until(at, "wait_until.end", this.invocation.id)
                });
                Pin::new(deadline).poll(context)
            }
        }
    }
}

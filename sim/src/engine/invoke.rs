//! Invocations of a Worker: isolate, handler, `waitUntil`, cron; and the limits of one invocation.

use super::Engine;
use super::clock::Sleep;
use super::record::Author;
use super::scope::Cause;
use super::scope::{self, Failure, InScope, Invocation, Place, Scope};
use super::transfer::Path;
use crate::bill::usage::Meter;
use crate::exception::Exception;
use crate::history::{Actor, Op, Outcome};
use crate::http::{Body, Request, Response};
use crate::kernel::time::Instant;
use crate::limits::{self, BindingCalls};
use crate::name;
use crate::script::{Event, LocalBoxFuture, Reply, Script};
use crate::topology::Pop;
use edgeproof_isolate::IsolateId;
use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

impl Engine {
    /// Answers a request that has arrived at a PoP. The pieces of a stream leave as `path` says.
    pub(crate) async fn invoke(
        &self,
        pop: Pop,
        request: Box<Request<Body>>,
        path: Path,
        cause: Cause,
    ) -> Response<Body> {
        let deployment = self.0.deployments.at(&request.url);
        self.count(Meter::WorkersRequests, 1);
        let event = Event::Fetch(request);
        let (invocation, result) = self
            .event(deployment, pop, event, cause, Reply::into_response)
            .await;
        match result {
            Ok(response) => self.send_answer(response, invocation, path),
            // ERR 2026-10-08: 1101, the Worker threw. The page names no HTTP status: an option.
            Err(_) => {
                self.leave_isolate(&invocation);
                let status = self.options().unsettled.error_status.exception_1101;
                Response::plain(status, limits::workers::EXCEPTION_BODY).into()
            }
        }
    }

    /// Sends a Worker's answer. Its invocation ends with the body.
    fn send_answer(
        &self,
        mut response: Response<Body>,
        invocation: Rc<Invocation>,
        path: Path,
    ) -> Response<Body> {
        if response.body.whole().is_some() {
            self.leave_isolate(&invocation);
            return response;
        }
        let (body, sending) = self.transfer(response.body, Some(Rc::clone(&invocation)), path);
        response.body = body;
        let engine = self.clone();
        let sent = async move {
            if let Err(failure) = InScope::new(Rc::clone(&invocation), sending).await {
                engine.threw(&invocation, &failure);
            }
            engine.leave_isolate(&invocation);
        };
        self.spawn_in(None, Box::pin(sent));
        response
    }

    /// Runs a cron trigger of a Worker now, in the first PoP of the world; `minute` is the time for which it was scheduled.
    ///
    /// A run is a request on the bill: WPRICE (2026-09), example 3, counts the hourly runs of a trigger as 720 requests a
    /// month.
    ///
    /// # Errors
    /// What the handler threw.
    pub(crate) async fn scheduled(
        &self,
        deployment: u16,
        cron: &str,
        minute: Instant,
    ) -> Result<(), Exception> {
        self.count(Meter::WorkersRequests, 1);
        let pop = self.0.network.pops[0];
        let begun = self.begin_as(
            || Author::platform(Some(pop), None),
            || Op::Scheduled {
                cron: cron.to_owned(),
            },
        );
        let event = Event::Scheduled {
            cron: cron.into(),
            scheduled_ms: minute.unix_ms(),
        };
        let (invocation, result) = self.event(deployment, pop, event, begun, Ok).await;
        self.leave_isolate(&invocation);
        self.mix(name!("scheduled"), |fingerprint| {
            fingerprint.mix_bytes(cron.as_bytes());
            fingerprint.mix(u64::from(result.is_ok()));
        });
        self.finish(begun, || match &result {
            Ok(_) => Outcome::Done,
            Err(failure) => Outcome::Error {
                message: failure.to_string(),
            },
        });
        result.map(drop).map_err(Failure::into_exception)
    }

    /// Runs a Worker's handler for an event, in an isolate of a PoP; `take` refuses a reply that does not answer the event.
    /// The caller ends the invocation.
    async fn event<T>(
        &self,
        deployment: u16,
        pop: Pop,
        event: Event,
        cause: Cause,
        take: impl FnOnce(Reply) -> Result<T, Exception>,
    ) -> (Rc<Invocation>, Result<T, Failure>) {
        let (invocation, script) = self.enter_isolate(deployment, pop, cause).await;
        let handler = InScope::new(Rc::clone(&invocation), script.handle(event));
        let result = handler.await;
        let result = result.and_then(|reply| take(reply).map_err(Failure::Thrown));
        if let Err(failure) = &result {
            self.threw(&invocation, failure);
        }
        (invocation, result)
    }

    async fn enter_isolate(
        &self,
        deployment: u16,
        pop: Pop,
        cause: Cause,
    ) -> (Rc<Invocation>, Rc<dyn Script>) {
        let now = self.now();
        // The code that is deployed now; it has isolates of its own.
        let script = Rc::clone(&self.0.deployments.get(deployment).script.borrow());
        let assignment = self.0.isolates.borrow_mut().assign(now, deployment, pop);
        if !assignment.evicted.is_empty() {
            self.forget_isolates(pop, &assignment.evicted, None);
        }
        let isolate = assignment.isolate;
        let invocation = self.new_invocation(Place {
            deployment,
            pop,
            isolate,
            host: None,
            object: None,
            cause,
        });
        if assignment.cold {
            self.count(Meter::IsolateStarts, 1);
            self.note(
                || self.author(&invocation),
                || (Op::IsolateStart, Outcome::Done),
            );
        }
        if assignment.starts {
            let before = edgeproof_isolate::enter(isolate);
            script.start();
            edgeproof_isolate::enter(before);
        }
        if assignment.ready_at > now {
            let number = isolate & 0xffff_ffff;
            self.sleep_until(assignment.ready_at, name!("isolate.ready"), number)
                .await;
        }
        (invocation, script)
    }

    fn leave_isolate(&self, invocation: &Rc<Invocation>) {
        invocation.ended_at.set(Some(self.now()));
        for waker in invocation.wait_until.take() {
            waker.wake();
        }
        self.release_isolate(invocation);
    }

    fn release_isolate(&self, invocation: &Invocation) {
        let mut isolates = self.0.isolates.borrow_mut();
        let (deployment, pop) = (invocation.deployment, invocation.pop);
        let gone = isolates.release(self.now(), deployment, pop, invocation.isolate);
        drop(isolates);
        if gone {
            self.forget_isolates(pop, &[invocation.isolate], None);
        }
    }

    /// Drops the memory of isolates that are gone.
    pub(crate) fn forget_isolates(&self, pop: Pop, gone: &[IsolateId], cause: Cause) {
        for isolate in gone {
            edgeproof_isolate::evict(*isolate);
            let author = || Author {
                actor: Actor::Platform,
                pop: Some(pop),
                isolate: Some(*isolate),
                cause,
            };
            self.note(author, || (Op::IsolateStop, Outcome::Done));
        }
    }

    /// A handler threw: the error is logged, and after a panic the isolate's memory is lost.
    fn threw(&self, invocation: &Rc<Invocation>, failure: &Failure) {
        self.console_in(
            &Some(Rc::clone(invocation)),
            "error",
            &format!("Uncaught {failure}"),
        );
        if matches!(failure, Failure::Panic(_)) {
            self.lose_memory(invocation);
        }
    }

    /// A panic has ended the wasm instance in which an invocation ran: its memory is gone. The next event makes a new
    /// instance, which runs the Worker's `start` again.
    fn lose_memory(&self, invocation: &Invocation) {
        if invocation.object.is_some() {
            self.host_panicked(invocation, limits::workers::PANIC);
            return;
        }
        let (deployment, pop) = (invocation.deployment, invocation.pop);
        let mut isolates = self.0.isolates.borrow_mut();
        isolates.lose_memory(deployment, pop, invocation.isolate);
        drop(isolates);
        edgeproof_isolate::evict(invocation.isolate);
    }

    /// Keeps `task` running after the answer, for up to 30 s (LIM).
    pub(crate) fn wait_until(&self, task: LocalBoxFuture<()>) {
        let Some(invocation) = scope::current() else {
            return;
        };
        let engine = self.clone();
        self.begin_task(&invocation);
        self.spawn(async move {
            let task = WaitUntil {
                engine: engine.clone(),
                invocation: Rc::clone(&invocation),
                task,
                waker: None,
                deadline: None,
            };
            if let Err(failure) = InScope::new(Rc::clone(&invocation), Box::pin(task)).await {
                engine.threw(&invocation, &failure);
            }
            engine.end_task(&invocation);
        });
    }

    /// Something goes on that may outlive its invocation: its object or its isolate stays.
    fn begin_task(&self, invocation: &Invocation) {
        match invocation.object {
            Some(object) => self.begin_event(object),
            None => self.0.isolates.borrow_mut().retain(
                invocation.deployment,
                invocation.pop,
                invocation.isolate,
            ),
        }
    }

    fn end_task(&self, invocation: &Invocation) {
        match invocation.object {
            Some(object) => self.end_event(object),
            None => self.release_isolate(invocation),
        }
    }

    /// Sends the body of a request that a Worker or an object makes.
    pub(crate) fn send_body(&self, body: Body, sender: &Rc<Invocation>, path: Path) -> Body {
        if body.whole().is_some() {
            return body;
        }
        let invocation = Rc::clone(sender);
        let (body, sending) = self.transfer(body, Some(Rc::clone(sender)), path);
        let engine = self.clone();
        self.begin_task(&invocation);
        let sent = async move {
            match invocation.object {
                Some(object) => engine.object_sends(object, &invocation, sending).await,
                None => {
                    let sent = InScope::new(Rc::clone(&invocation), sending).await;
                    if let Err(failure) = sent {
                        engine.threw(&invocation, &failure);
                    }
                }
            }
            engine.end_task(&invocation);
        };
        self.spawn_in(None, Box::pin(sent));
        body
    }

    /// A console line of the running invocation.
    pub(crate) fn console(&self, level: &str, text: &str) {
        self.console_in(&scope::current(), level, text);
    }

    pub(crate) fn console_in(&self, scope: &Scope, level: &str, text: &str) {
        self.mix(name!("console"), |fingerprint| {
            fingerprint.mix_bytes(level.as_bytes());
            fingerprint.mix_bytes(text.as_bytes());
        });
        let begun = self.begin_in(scope, || Op::Console {
            level: level.to_owned(),
            text: text.to_owned(),
        });
        self.finish(begun, || Outcome::Done);
        if self.0.settings.console {
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
    pub(crate) fn count_fetch(&self, engine: &Engine) -> Result<(), Exception> {
        count(
            &self.calls.fetches,
            1,
            engine.plan().limits().subrequests,
            limits::workers::TOO_MANY_SUBREQUESTS,
        )
    }

    /// Counts a call of KV or of an object.
    ///
    /// # Errors
    /// More than the plan allows in one invocation.
    pub(crate) fn count_internal_call(&self, engine: &Engine) -> Result<(), Exception> {
        let text = limits::workers::TOO_MANY_API_REQUESTS;
        match engine.options().unsettled.binding_calls {
            BindingCalls::OfTheirOwn => count(
                &self.calls.internal,
                1,
                engine.plan().limits().internal_subrequests,
                text,
            ),
            BindingCalls::SharedWithFetch => count(
                &self.calls.fetches,
                1,
                engine.plan().limits().subrequests,
                text,
            ),
        }
    }

    /// Counts an operation of KV, which has a limit of its own on both plans (KVLIM).
    ///
    /// # Errors
    /// More than are allowed in one invocation.
    pub(crate) fn count_kv_operation(&self, engine: &Engine) -> Result<(), Exception> {
        let text = limits::workers::TOO_MANY_API_REQUESTS;
        count(&self.calls.kv, 1, limits::kv::OPERATIONS, text)?;
        self.count_internal_call(engine)
    }

    /// Counts queries of D1.
    ///
    /// # Errors
    /// More than the plan allows in one invocation.
    pub(crate) fn count_d1_queries(&self, engine: &Engine, queries: u32) -> Result<(), Exception> {
        let text = limits::workers::TOO_MANY_API_REQUESTS;
        count(
            &self.calls.d1_queries,
            queries,
            engine.plan().limits().d1_queries,
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

/// A task that may outlive its invocation by 30 s and is cancelled then.
struct WaitUntil {
    engine: Engine,
    invocation: Rc<Invocation>,
    task: LocalBoxFuture<()>,
    /// Place of its waker among those of the invocation.
    waker: Option<usize>,
    deadline: Option<Sleep>,
}

impl Future for WaitUntil {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if this.task.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        // An object's tasks end with the object, not with a request.
        if this.invocation.object.is_some() {
            return Poll::Pending;
        }
        match (this.invocation.ended_at.get(), &mut this.deadline) {
            (None, _) => {
                let mut wakers = this.invocation.wait_until.borrow_mut();
                match this.waker {
                    Some(place) => wakers[place].clone_from(context.waker()),
                    None => {
                        this.waker = Some(wakers.len());
                        wakers.push(context.waker().clone());
                    }
                }
                Poll::Pending
            }
            (Some(ended_at), deadline) => {
                let engine = &this.engine;
                let at = ended_at + limits::workers::WAIT_UNTIL;
                let deadline = deadline.get_or_insert_with(|| {
                    engine.sleep_until(at, name!("wait_until.end"), this.invocation.id)
                });
                Pin::new(deadline).poll(context)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Elsewhere;
    use crate::world::World;
    use std::task::Waker;

    #[test]
    fn a_task_that_is_polled_often_leaves_one_waker() {
        let world = World::builder().script(Rc::new(Elsewhere)).build();
        let engine = world.expect("builds").bindings().0;
        let invocation = engine.new_invocation(Place {
            deployment: 0,
            pop: engine.0.network.pops[0],
            isolate: 0,
            host: None,
            object: None,
            cause: None,
        });
        let task = || {
            Box::pin(WaitUntil {
                engine: engine.clone(),
                invocation: Rc::clone(&invocation),
                task: Box::pin(std::future::pending()),
                waker: None,
                deadline: None,
            })
        };
        let (mut one, mut other) = (task(), task());
        let context = &mut Context::from_waker(Waker::noop());
        for _ in 0..5 {
            assert!(one.as_mut().poll(context).is_pending());
            assert!(other.as_mut().poll(context).is_pending());
        }
        assert_eq!(invocation.wait_until.borrow().len(), 2);
    }
}

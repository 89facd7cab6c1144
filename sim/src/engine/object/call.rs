//! A call of an object: from the stub to the object's home, through its gate into the instance, and back.

use super::gates::Line;
use crate::bill::usage::Meter;
use crate::engine::record::{Begun, failed};
use crate::engine::scope::Cause;
use crate::engine::scope::{self, Failure, InScope};
use crate::engine::transfer::Path;
use crate::engine::{Engine, Invocation, Operation, digest};
use crate::exception::Exception;
use crate::history::{Op, Outcome};
use crate::http::{Body, Request, Response};
use crate::kernel::time::Instant;
use crate::limits;
use crate::name;
use crate::platform::durable::{ObjectId, ObjectRef};
use crate::platform::outbound::NETWORK_CONNECTION_LOST;
use crate::script::{Event, LocalBoxFuture, Reply};
use crate::topology::{LocationHint, Pop};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

/// The state of one stub: calls on it arrive in order, and after a reset it stays broken.
#[derive(Debug)]
pub struct StubState {
    class: u16,
    id: ObjectId,
    name: Option<Arc<str>>,
    hint: Option<LocationHint>,
    last_arrival: AtomicU64,
    broken: OnceLock<Exception>,
}

impl Engine {
    /// The id that goes with a name.
    pub(crate) fn object_id_from_name(&self, class: u16, name: &str) -> ObjectId {
        self.0.classes.borrow()[usize::from(class)].id_from_name(name)
    }

    /// A new random id.
    pub(crate) fn object_unique_id(&self, class: u16) -> ObjectId {
        let mut ids = self.0.chance.ids.borrow_mut();
        let random = [ids.next_u64(), ids.next_u64(), ids.next_u64()];
        self.0.classes.borrow()[usize::from(class)].unique_id(random)
    }

    /// Reads an id that was printed.
    ///
    /// # Errors
    /// Not 64 hexadecimal digits, or another namespace's id.
    pub(crate) fn object_id_from_string(
        &self,
        class: u16,
        text: &str,
    ) -> Result<ObjectId, Exception> {
        let id = ObjectId::from_hex(text);
        let id = id.ok_or_else(|| Exception::type_error(limits::durable::INVALID_ID))?;
        if !self.0.classes.borrow()[usize::from(class)].owns(id) {
            return Err(Exception::type_error(limits::durable::FOREIGN_ID));
        }
        Ok(id)
    }

    /// A stub for an object. Nothing is sent until it is called.
    pub(crate) fn object_stub(
        &self,
        class: u16,
        id: ObjectId,
        name: Option<Arc<str>>,
        hint: Option<LocationHint>,
    ) -> Arc<StubState> {
        Arc::new(StubState {
            class,
            id,
            name,
            hint,
            last_arrival: AtomicU64::new(0),
            broken: OnceLock::new(),
        })
    }

    /// Calls an object's `fetch`.
    ///
    /// # Errors
    /// A broken stub, an object that cannot be reached, is overloaded, was reset, or threw; too many calls.
    pub(crate) fn object_call(
        &self,
        stub: Arc<StubState>,
        request: Request<Body>,
    ) -> Operation<Result<Response<Body>, Exception>> {
        let engine = self.clone();
        let request = Box::new(request);
        Operation::new(async move {
            let invocation = scope::invocation()?;
            invocation.count_internal_call(&engine)?;
            if let Some(broken) = stub.broken.get() {
                return Err(broken.clone());
            }
            engine.output_gate(&invocation).await?;
            let begun = engine.begin(|| Op::ObjectCall {
                class: engine.class_name(stub.class),
                id: stub.id.to_hex(),
                path: request.url.path().to_owned(),
            });
            engine.mix(name!("object.request"), |fingerprint| {
                fingerprint.mix(stub.id.short());
                digest::request(fingerprint, &request);
            });
            let result = engine
                .object_exchange(&invocation, &stub, request, begun)
                .await;
            engine.mix(name!("object"), |fingerprint| {
                fingerprint.mix(stub.id.short());
                match &result {
                    Ok(response) => digest::response(fingerprint, response),
                    Err(exception) => fingerprint.mix_bytes(exception.message.as_bytes()),
                }
            });
            engine.finish(begun, || call_outcome(&result));
            if let Err(exception) = &result
                && (exception.flags.durable_object_reset || exception.flags.retryable)
            {
                // A stub repeats its first failure, but no longer as the object's own error.
                let mut repeated = exception.clone();
                repeated.flags.remote = false;
                let _ = stub.broken.set(repeated);
            }
            engine.deliver().await;
            result
        })
    }

    async fn object_exchange(
        &self,
        caller: &Rc<Invocation>,
        stub: &StubState,
        mut request: Box<Request<Body>>,
        cause: Cause,
    ) -> Result<Response<Body>, Exception> {
        let class = stub.class;
        // Placed near the first caller, or where that caller's hint says.
        let home = stub.hint.map_or(caller.pop, |hint| {
            self.0.network.topology.place(hint, caller.pop)
        });
        let name = stub.name.as_deref().map(Rc::from);
        let (index, home) = {
            let mut classes = self.0.classes.borrow_mut();
            let class = &mut classes[usize::from(class)];
            let (index, _) = class.find_or_place(stub.id, name.as_ref(), home);
            (index, class.object(index).home)
        };
        let passage = self.send(caller.pop, home)?;
        let body = std::mem::take(&mut request.body);
        let way = Path::Between(caller.pop, home);
        request.body = self.send_body(body, caller, way);
        let arrives = self.now().after(passage.nanos).0;
        let arrives = arrives.max(stub.last_arrival.load(Ordering::Relaxed));
        stub.last_arrival.store(arrives, Ordering::Relaxed);
        if let Some(nanos) = passage.copy_nanos {
            // Neither copy overtakes an earlier call of the stub.
            let at = self.now().after(nanos).max(Instant(arrives));
            let begun = self.begin_copy(cause);
            let copy = Box::new(request.tee());
            self.object_copy(class, index, copy, at, begun);
        }
        self.sleep_until(Instant(arrives), name!("object.call"), stub.id.short())
            .await;
        self.count(Meter::ObjectRequests, 1);

        if self.object_unreachable(class) {
            // Nothing answers, so no message is sent back: the caller sees the connection break.
            let silence = self.silence_nanos(home, caller.pop);
            let seen_at = self.now().after(silence);
            self.sleep_until(seen_at, name!("object.answer"), 0).await;
            return Err(unreachable());
        }
        let result = match self.object_refusal(class) {
            Some(refusal) => Err(refusal),
            None => {
                let event = Event::Fetch(request);
                let reply = self
                    .object_event(class, index, event, Some(caller.pop), cause)
                    .await;
                reply.and_then(|reply| reply.into_response().map_err(Exception::remote))
            }
        };
        // The answer leaves when the object's writes are durable; if they never are, the answer never leaves.
        let finished = self.now();
        let durable_at = self.with(class, index, |object| object.storage.durable_at);
        let reset = {
            let instances = self.0.instances.borrow();
            let hosted = instances.newest(class, index);
            hosted.map(|hosted| Rc::clone(&hosted.reset))
        };
        let leaves = finished.max(durable_at);
        let way_back = self.travel(home, caller.pop)?;
        let detail = result
            .as_ref()
            .map_or(0, |response| u64::from(response.status));
        self.sleep_until(leaves.after(way_back), name!("object.answer"), detail)
            .await;
        if durable_at >= finished
            // Only the reset of the instance that answered counts, not those of later ones.
            && let Some(reset) = reset.as_ref().and_then(|reset| reset.get())
            && reset.loses_answer(finished, leaves)
        {
            return Err(Exception::error(&*reset.reason).reset());
        }
        result
    }

    /// Whether nothing answers for the objects of a class.
    fn object_unreachable(&self, class: u16) -> bool {
        let faults = self.0.faults.borrow();
        !faults.is_empty() && faults.object_unreachable(self.now(), class)
    }

    /// What the platform answers in place of an object.
    fn object_refusal(&self, class: u16) -> Option<Exception> {
        let faults = self.0.faults.borrow();
        if faults.is_empty() {
            return None;
        }
        faults
            .object_overloaded(self.now(), class)
            .then(|| Exception::error(limits::durable::OVERLOADED_QUEUE).overloaded())
    }

    /// A second copy of a request arrives; its answer is thrown away.
    fn object_copy(
        &self,
        class: u16,
        index: u32,
        request: Box<Request<Body>>,
        at: Instant,
        begun: Begun,
    ) {
        let engine = self.clone();
        self.spawn_in(
            None,
            Box::pin(async move {
                let detail = u64::from(index);
                engine.sleep_until(at, name!("object.copy"), detail).await;
                engine.count(Meter::ObjectRequests, 1);
                let refusal = match engine.object_unreachable(class) {
                    true => Some(unreachable()),
                    false => engine.object_refusal(class),
                };
                let result = match refusal {
                    Some(refusal) => Err(refusal),
                    None => {
                        let event = Event::Fetch(request);
                        engine.object_event(class, index, event, None, begun).await
                    }
                };
                let result = result.and_then(Reply::into_response);
                engine.finish(begun, || call_outcome(&result));
            }),
        );
    }

    /// Delivers an event to an object, which is started if it is not live, and waits for the answer. The pieces of a
    /// streamed answer go to `asker`.
    pub(super) async fn object_event(
        &self,
        class: u16,
        index: u32,
        event: Event,
        asker: Option<Pop>,
        cause: Cause,
    ) -> Result<Reply, Exception> {
        let (generation, home) = self.wake_object(class, index, cause);
        let object = ObjectRef {
            class,
            index,
            generation,
        };
        self.begin_event(object);
        let invocation = self.new_invocation(self.object_place(object, home, cause));
        let mut result = self.object_handle(object, &invocation, event).await;
        if let Ok(Reply::Response(response)) = &mut result
            && response.body.whole().is_none()
        {
            let body = std::mem::take(&mut response.body);
            let path = Path::Between(home, asker.unwrap_or(home));
            response.body = self.object_stream(object, invocation, body, path);
        } else {
            self.end_event(object);
        }
        result
    }

    async fn object_handle(
        &self,
        object: ObjectRef,
        invocation: &Rc<Invocation>,
        event: Event,
    ) -> Result<Reply, Exception> {
        self.pass(object, Line::Input).await?;
        let instance = self.with_hosted(object, |hosted| hosted.instance.clone());
        let instance = instance.flatten();
        let instance = instance.expect("an open gate has a started instance behind it");
        let handler = instance.handle(event);
        let result = self.until_reset(object, invocation, handler).await;
        invocation.ended_at.set(Some(self.now()));
        result
    }

    /// Sends the pieces of an object's answer. Its event ends with them; a reset ends both.
    fn object_stream(
        &self,
        object: ObjectRef,
        invocation: Rc<Invocation>,
        body: Body,
        path: Path,
    ) -> Body {
        let (body, sending) = self.transfer(body, Some(Rc::clone(&invocation)), path);
        let engine = self.clone();
        let sent = async move {
            engine.object_sends(object, &invocation, sending).await;
            engine.end_event(object);
        };
        self.spawn_in(None, Box::pin(sent));
        body
    }

    /// Runs the sending of an object's body. A reset ends it, and a failure is logged.
    pub(crate) async fn object_sends(
        &self,
        object: ObjectRef,
        invocation: &Rc<Invocation>,
        sending: LocalBoxFuture<Result<(), Exception>>,
    ) {
        let sent = self.until_reset(object, invocation, sending).await;
        if let Err(exception) = sent
            && self.is_live(object)
        {
            let text = format!("Uncaught {exception}");
            self.console_in(&Some(Rc::clone(invocation)), "error", &text);
        }
    }

    fn until_reset<T>(
        &self,
        object: ObjectRef,
        invocation: &Rc<Invocation>,
        handler: LocalBoxFuture<Result<T, Exception>>,
    ) -> UntilReset<T> {
        UntilReset {
            engine: self.clone(),
            object,
            invocation: Rc::clone(invocation),
            handler: InScope::new(Rc::clone(invocation), handler),
            begun: false,
            waiter: None,
        }
    }
}

/// What a call of an object that cannot be reached fails with.
fn unreachable() -> Exception {
    Exception::error(NETWORK_CONNECTION_LOST).retryable()
}

fn call_outcome(result: &Result<Response<Body>, Exception>) -> Outcome {
    match result {
        Ok(response) => Outcome::Status {
            status: response.status,
        },
        Err(exception) => failed(exception),
    }
}

/// Runs a handler until it ends or its object is reset.
struct UntilReset<T> {
    engine: Engine,
    object: ObjectRef,
    invocation: Rc<Invocation>,
    handler: InScope<Result<T, Exception>>,
    begun: bool,
    /// By which its waker is found again: one invocation may have a handler and several bodies that it sends.
    waiter: Option<u64>,
}

impl<T> Future for UntilReset<T> {
    type Output = Result<T, Exception>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.begun && !this.engine.is_live(this.object) {
            let exception = this.engine.reset_exception(this.object);
            let by_itself = this.engine.with_object(this.object, |object| {
                object.last_reset().is_some_and(|reset| reset.by_itself)
            });
            return Poll::Ready(Err(if by_itself {
                exception.remote()
            } else {
                exception
            }));
        }
        this.begun = true;
        match Pin::new(&mut this.handler).poll(context) {
            Poll::Ready(Ok(value)) => Poll::Ready(Ok(value)),
            Poll::Ready(Err(Failure::Thrown(exception))) => Poll::Ready(Err(exception.remote())),
            Poll::Ready(Err(failure @ Failure::Panic(_))) => {
                let scope = Some(Rc::clone(&this.invocation));
                let text = format!("Uncaught {failure}");
                this.engine.console_in(&scope, "error", &text);
                let exception = failure.into_exception();
                let cause = this.invocation.cause;
                this.engine
                    .reset_instance(this.object, &exception.message, cause);
                this.engine
                    .host_panicked(&this.invocation, &exception.message);
                Poll::Ready(Err(exception.remote().reset()))
            }
            Poll::Pending => {
                // With every poll, because the call may have moved to another task.
                let waker = context.waker();
                let waiter = &mut this.waiter;
                let kept = this.engine.with_hosted(this.object, |hosted| {
                    let known = hosted.handlers.iter_mut();
                    match known.into_iter().find(|(known, _)| Some(*known) == *waiter) {
                        Some((_, known)) => known.clone_from(waker),
                        None => {
                            let number = hosted.next_waiter;
                            hosted.next_waiter += 1;
                            *waiter = Some(number);
                            hosted.handlers.push((number, waker.clone()));
                        }
                    }
                });
                if kept.is_none() {
                    // The handler's own poll reset the object, which may have had no waker to wake then.
                    waker.wake_by_ref();
                }
                Poll::Pending
            }
        }
    }
}

impl<T> Drop for UntilReset<T> {
    fn drop(&mut self) {
        let Some(number) = self.waiter else { return };
        self.engine.with_hosted(self.object, |hosted| {
            hosted.handlers.retain(|(known, _)| *known != number);
        });
    }
}

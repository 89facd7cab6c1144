//! Durable Objects as a Worker awaits them: the way to an object and back, its gates, its storage, its alarm, its end.

use super::record::{Author, Begun, Cause, failed};
use super::scope::{self, Failure, InScope, Invocation, Place, Scope};
use super::{Engine, Operation, digest};
use crate::bill::usage::Meter;
use crate::exception::Exception;
use crate::history::{Op, Outcome, StorageCall};
use crate::http::{Request, Response};
use crate::kernel::fingerprint::Fingerprint;
use crate::kernel::time::{Instant, nanos};
use crate::limits;
use crate::platform::durable::storage::{ListOptions, Rows, Savepoint, Storage};
use crate::platform::durable::{InputGate, Live, ObjectId, ObjectRef};
use crate::name;
use crate::script::{Event, LocalBoxFuture, ObjectInstance, Reply};
use crate::sql;
use crate::topology::{LocationHint, Pop};
use bytes::Bytes;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

/// Text of a storage call by an instance that is gone (workerd).
const STORAGE_GONE: &str = "Durable Object storage is no longer accessible.";

/// How long a critical section may take (workerd io-context.h), and what happens then.
const CRITICAL_SECTION_LIMIT: std::time::Duration = std::time::Duration::from_secs(30);
const CRITICAL_SECTION_TIMEOUT: &str = "A call to blockConcurrencyWhile() in a Durable Object waited for too long. The call was canceled and the Durable Object was reset.";

/// What one stub remembers: calls on it arrive in order, and after a reset it stays broken.
#[derive(Debug)]
pub struct StubState {
    class: u16,
    id: ObjectId,
    name: Option<Arc<str>>,
    hint: Option<LocationHint>,
    last_arrival: AtomicU64,
    broken: OnceLock<Exception>,
}

/// An open critical section; see [`World::critical_section`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CriticalSection {
    /// `blockConcurrencyWhile`: a failure resets the object.
    BlockConcurrency,
    /// `storage.transaction`: a failure undoes what it wrote.
    Transaction,
}

impl Engine {
    // --- names ---------------------------------------------------------------------------------------------------

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
    pub(crate) fn object_id_from_string(&self, class: u16, text: &str) -> Result<ObjectId, Exception> {
        let id = ObjectId::from_hex(text);
        let id = id.ok_or_else(|| {
            Exception::type_error("Invalid Durable Object ID: must be 64 hex digits")
        })?;
        if !self.0.classes.borrow()[usize::from(class)].owns(id) {
            return Err(Exception::type_error(
                "Durable Object ID is not valid for this namespace.",
            ));
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

    /// The id of a live object, for its own `State`.
    pub(crate) fn object_identity(&self, object: ObjectRef) -> (ObjectId, Option<Rc<str>>) {
        self.with_object(object, |object| (object.id, object.name.clone()))
    }

    // --- calls ---------------------------------------------------------------------------------------------------

    /// Calls an object's `fetch`.
    ///
    /// # Errors
    /// A broken stub, an object that cannot be reached, is overloaded, was reset, or threw; too many calls.
    pub(crate) fn object_call(
        &self,
        stub: Arc<StubState>,
        request: Request,
    ) -> Operation<Result<Response, Exception>> {
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
            engine.finish(begun, || match &result {
                Ok(response) => Outcome::Status {
                    status: response.status,
                },
                Err(exception) => failed(exception),
            });
            if let Err(exception) = &result
                && (exception.flags.durable_object_reset || exception.flags.retryable)
            {
                // Set once: the first failure is the one that the stub repeats, though not as the object's own.
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
        caller: &Invocation,
        stub: &StubState,
        request: Box<Request>,
        cause: Cause,
    ) -> Result<Response, Exception> {
        let class = stub.class;
        // Placed near the first caller, or where that caller's hint says.
        let home = stub
            .hint
            .map_or(caller.pop, |hint| self.0.network.topology.place(hint, caller.pop));
        let name = stub.name.as_deref().map(Rc::from);
        let (index, home) = {
            let mut classes = self.0.classes.borrow_mut();
            let class = &mut classes[usize::from(class)];
            let (index, _) = class.find_or_place(stub.id, name.as_ref(), home);
            (index, class.object(index).home)
        };
        let passage = self.send(caller.pop, home)?;
        if let Some(nanos) = passage.copy_nanos {
            self.object_copy(class, index, request.clone(), nanos, cause);
        }
        let arrives = self.now().after(passage.nanos).0;
        let arrives = arrives.max(stub.last_arrival.load(Ordering::Relaxed));
        stub.last_arrival.store(arrives, Ordering::Relaxed);
        self.sleep_until(Instant(arrives), name!("object.call"), stub.id.short())
            .await;
        self.count(Meter::ObjectRequests, 1);

        let refusal = self.object_refusal(class);
        let result = match refusal {
            Some(refusal) => Err(refusal),
            None => {
                let event = Event::Fetch(request);
                let reply = self.object_event(class, index, event, cause).await;
                reply.map(|reply| match reply {
                    Reply::Response(response) => response,
                    Reply::Done => unreachable!("a request is answered with a response"),
                })
            }
        };
        // The answer leaves when what the object wrote is durable; if it never becomes so, the answer never leaves.
        let finished = self.now();
        let (durable_at, reset) = self.with(class, index, |object| {
            let reset = object.live.as_ref().map(|live| Rc::clone(&live.reset));
            (object.storage.durable_at, reset)
        });
        let leaves = finished.max(durable_at);
        let way_back = self.travel(home, caller.pop)?;
        let detail = result
            .as_ref()
            .map_or(0, |response| u64::from(response.status));
        self.sleep_until(leaves.after(way_back), name!("object.answer"), detail)
            .await;
        if durable_at >= finished
            // Its own instance's reset: there may have been others since, of instances that had nothing to do with this answer.
            && let Some((at, reason)) = reset.as_ref().and_then(|reset| reset.get())
            // A commit that fails does so at the end of the turn that wrote, even if it would have taken no time.
            && (*at == finished || (*at > finished && *at < leaves))
        {
            return Err(Exception::error(&**reason).reset());
        }
        result
    }

    fn object_refusal(&self, class: u16) -> Option<Exception> {
        let faults = self.0.faults.borrow();
        if faults.is_empty() {
            return None;
        }
        if faults.object_unreachable(self.now(), class) {
            return Some(
                Exception::error(crate::platform::outbound::NETWORK_CONNECTION_LOST).retryable(),
            );
        }
        faults
            .object_overloaded(self.now(), class)
            .then(|| Exception::error(limits::durable::OVERLOADED_QUEUE).overloaded())
    }

    /// A second copy of a request arrives; nobody waits for its answer.
    fn object_copy(
        &self,
        class: u16,
        index: u32,
        request: Box<Request>,
        nanos: u64,
        cause: Cause,
    ) {
        let engine = self.clone();
        self.spawn_in(
            None,
            Box::pin(async move {
                let at = engine.now().after(nanos);
                let detail = u64::from(index);
                engine.sleep_until(at, name!("object.copy"), detail).await;
                engine.count(Meter::ObjectRequests, 1);
                if engine.object_refusal(class).is_none() {
                    let event = Event::Fetch(request);
                    let _ = engine.object_event(class, index, event, cause).await;
                }
            }),
        );
    }

    /// Delivers an event to an object, starting it if it is not live, and waits for what comes of it.
    async fn object_event(
        &self,
        class: u16,
        index: u32,
        event: Event,
        cause: Cause,
    ) -> Result<Reply, Exception> {
        let (generation, home) = self.wake_object(class, index, cause);
        let object = ObjectRef {
            class,
            index,
            generation,
        };
        self.begin_event(object);
        let result = self.object_handle(object, home, event, cause).await;
        self.end_event(object);
        result
    }

    async fn object_handle(
        &self,
        object: ObjectRef,
        home: Pop,
        event: Event,
        cause: Cause,
    ) -> Result<Reply, Exception> {
        Gate {
            engine: self.clone(),
            object,
            ticket: None,
            line: |live| &mut live.gate,
        }
        .await?;
        let instance = self.with_object(object, |object| {
            object.live.as_ref().and_then(|live| live.instance.clone())
        });
        let instance = instance.expect("an open gate has a started instance behind it");
        let invocation = self.new_invocation(self.object_place(object, home, cause));
        let handler = InScope::new(Rc::clone(&invocation), instance.handle(event));
        let result = UntilReset {
            engine: self.clone(),
            object,
            number: invocation.id,
            handler,
            begun: false,
        }
        .await;
        invocation.ended_at.set(Some(self.now()));
        result
    }

    /// Makes an object live; its events wait at the gate until the constructor has run.
    fn wake_object(&self, class: u16, index: u32, cause: Cause) -> (u32, Pop) {
        let (generation, home, starting) = self.with(class, index, |object| {
            let starting = object.live.is_none();
            if starting {
                object.generation += 1;
                let mut gate = InputGate::default();
                gate.lock();
                object.live = Some(Box::new(Live {
                    instance: None,
                    gate,
                    in_flight: 0,
                    active_since: Instant(0),
                    idle_since: Instant(0),
                    on_reset: Vec::new(),
                    sections: InputGate::default(),
                    idle_timer: false,
                    reset: Rc::default(),
                }));
            }
            (object.generation, object.home, starting)
        });
        if starting {
            let engine = self.clone();
            let object = ObjectRef {
                class,
                index,
                generation,
            };
            self.spawn_in(
                None,
                Box::pin(async move { engine.start_object(object, home, cause).await }),
            );
        }
        (generation, home)
    }

    async fn start_object(&self, object: ObjectRef, home: Pop, cause: Cause) {
        let started = self.now();
        let begun = self.begin_as(
            || Author::platform(Some(home), cause),
            || {
                let (class, id) = self.object_name(object);
                Op::ObjectStart { class, id }
            },
        );
        let ready_at = started + self.options().object_start;
        self.sleep_until(ready_at, name!("object.start"), u64::from(object.index))
            .await;
        if !self.is_live(object) {
            return; // reset while it started
        }
        let invocation = self.new_invocation(self.object_place(object, home, cause));
        let code = Rc::clone(&self.0.deployments.class(object.class).code.borrow());
        let constructor: LocalBoxFuture<Result<Rc<dyn ObjectInstance>, Exception>> =
            Box::pin(async move { Ok(code.construct(object)) });
        let built = InScope::new(Rc::clone(&invocation), constructor).await;
        self.mix(name!("object.started"), |fingerprint| {
            fingerprint.mix(u64::from(built.is_ok()));
        });
        self.finish(begun, || match &built {
            Ok(_) => Outcome::Done,
            Err(failure) => Outcome::Error {
                message: failure.to_string(),
            },
        });
        match built {
            Ok(instance) => self.with_live(object, |live| {
                live.instance = Some(instance);
                live.gate.unlock();
            }),
            Err(failure) => self.reset_object(
                object.class,
                object.index,
                &failure.into_exception().message,
            ),
        }
    }

    // --- life and death ------------------------------------------------------------------------------------------

    /// An event of an object begins: it is active, and billed.
    pub(crate) fn begin_event(&self, object: ObjectRef) {
        let now = self.now();
        self.with_live(object, |live| {
            if live.in_flight == 0 {
                live.active_since = now;
            }
            live.in_flight += 1;
        });
    }

    /// An event of an object has ended; after 10 s without another it is evicted (DOLIFE 2026-09-30).
    pub(crate) fn end_event(&self, object: ObjectRef) {
        let now = self.now();
        let mut span = None;
        let mut timer = false;
        self.with_live(object, |live| {
            live.in_flight -= 1;
            if live.in_flight == 0 {
                span = Some(live.active_since);
                live.idle_since = now;
                timer = !std::mem::replace(&mut live.idle_timer, true);
            }
        });
        if let Some(active_since) = span {
            self.0
                .usage
                .borrow_mut()
                .add_span(Meter::ObjectDurationNanos, active_since.0, now.0);
        }
        if timer {
            let engine = self.clone();
            self.spawn_in(
                None,
                Box::pin(async move { engine.evict_when_idle(object).await }),
            );
        }
    }

    async fn evict_when_idle(&self, object: ObjectRef) {
        let mut idle_since = self.now();
        loop {
            let at = idle_since + limits::durable::HIBERNATE_AFTER_IDLE;
            self.sleep_until(at, name!("object.idle"), u64::from(object.index))
                .await;
            let mut live = None;
            self.with_live(object, |object| {
                live = Some((object.in_flight, object.idle_since))
            });
            match live {
                None => return, // reset in the meantime
                // Busy: the end of its last event starts the next timer.
                Some((in_flight, _)) if in_flight > 0 => {
                    self.with_live(object, |object| object.idle_timer = false);
                    return;
                }
                Some((_, since)) if since + limits::durable::HIBERNATE_AFTER_IDLE > self.now() => {
                    idle_since = since
                }
                Some(_) => break,
            }
        }
        let live = self.with_object(object, |object| object.live.take());
        self.object_stopped(object, "idle");
        // The instance's destructor may call the world: it runs outside of every borrow.
        drop(live);
    }

    /// Throws an object's instance away: what this turn wrote is undone, calls in flight fail with `reason`.
    pub(crate) fn reset_object(&self, class: u16, index: u32, reason: &str) {
        let now = self.now();
        let (live, alarm) = self.with(class, index, |object| {
            object.storage.roll_back();
            let live = object.live.take();
            if live.is_some() {
                object.generation += 1;
                object.last_reset = Some((now, reason.into()));
                object.reset_by_itself = false;
            }
            (live, object.storage.pending_alarm_ms().is_some())
        });
        let Some(mut live) = live else { return };
        let _ = live.reset.set((now, reason.into()));
        let generation = 0;
        self.object_stopped(
            ObjectRef {
                class,
                index,
                generation,
            },
            reason,
        );
        if live.in_flight > 0 {
            self.0.usage.borrow_mut().add_span(
                Meter::ObjectDurationNanos,
                live.active_since.0,
                now.0,
            );
        }
        for (_, waker) in live.on_reset.drain(..) {
            waker.wake();
        }
        let sections = std::mem::take(&mut live.sections.waiting);
        for (_, waker) in live.gate.waiting.drain(..).chain(sections) {
            if let Some(waker) = waker {
                waker.wake();
            }
        }
        if alarm {
            self.arm_alarm(class, index);
        }
    }

    /// An instance is gone: it goes into the fingerprint and the history.
    fn object_stopped(&self, object: ObjectRef, reason: &str) {
        self.mix(name!("object.stopped"), |fingerprint| {
            fingerprint.mix(u64::from(object.class) << 32 | u64::from(object.index));
            fingerprint.mix_bytes(reason.as_bytes());
        });
        self.note(
            || Author::platform(None, None),
            || {
                let (class, id) = self.object_name(object);
                let reason = reason.to_owned();
                (Op::ObjectStop { class, id, reason }, Outcome::Done)
            },
        );
    }

    /// Resets every live object of a class.
    pub(crate) fn reset_class(&self, class: u16, reason: &str) {
        let live: Vec<u32> = {
            let classes = self.0.classes.borrow();
            let objects = (0_u32..).zip(classes[usize::from(class)].objects());
            objects
                .filter(|(_, object)| object.live.is_some())
                .map(|(index, _)| index)
                .collect()
        };
        for index in live {
            self.reset_object(class, index, reason);
        }
    }

    /// Ends the turn: everything that objects wrote in it is committed, or, if it cannot be, undone with its object.
    /// True when that woke somebody.
    pub(crate) fn commit_turn(&self) -> bool {
        if self.0.dirty.borrow().is_empty() {
            return false;
        }
        self.0.object_commits.update(|commits| commits + 1);
        let dirty = std::mem::take(&mut *self.0.dirty.borrow_mut());
        let mut failed = Vec::new();
        for &(class, index) in &dirty {
            let failing = {
                let faults = self.0.faults.borrow();
                !faults.is_empty() && faults.object_storage_failing(self.now(), class)
            };
            let committed = self.with(class, index, |object| {
                if failing && object.storage.has_written() && object.storage.savepoints() == 0 {
                    return Err(limits::durable::RESET_STORAGE_TIMEOUT.to_owned());
                }
                object.storage.commit().map_err(|failure| failure.message)
            });
            if let Err(reason) = committed {
                failed.push((class, index, reason));
            }
        }
        // The list is given back empty, to be filled again without allocating.
        let mut dirty = dirty;
        dirty.clear();
        *self.0.dirty.borrow_mut() = dirty;
        for (class, index, reason) in &failed {
            self.reset_object(*class, *index, reason);
        }
        !failed.is_empty()
    }

    // --- gates ---------------------------------------------------------------------------------------------------

    /// Waits until an I/O event may be delivered to whoever runs: at once, unless it is an object whose input gate is
    /// closed by a critical section that this is not part of.
    pub(crate) async fn deliver(&self) {
        let Some(invocation) = scope::current() else {
            return;
        };
        let Some(object) = invocation.object else {
            return;
        };
        if invocation.critical {
            return;
        }
        let mut open = true;
        self.with_live(object, |live| open = live.gate.is_open());
        if !open {
            // After a reset nobody is left to be told: the handler is dropped.
            let _ = Gate {
                engine: self.clone(),
                object,
                ticket: None,
                line: |live| &mut live.gate,
            }
            .await;
        }
    }

    /// Waits until what the running object wrote so far is durable; only then may a message leave it.
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
            return Err(Exception::error(STORAGE_GONE));
        }
        Ok(())
    }

    /// Waits until what an object wrote so far is durable.
    ///
    /// # Errors
    /// It was reset before, and what it wrote is undone.
    async fn durable(&self, class: u16, index: u32) -> Result<(), Exception> {
        let finished = self.now();
        let durable_at = self.with(class, index, |object| object.storage.durable_at);
        if durable_at < finished {
            return Ok(());
        }
        self.sleep_until(durable_at, name!("object.durable"), u64::from(index))
            .await;
        let reset = self.with(class, index, |object| object.last_reset.clone());
        match reset.filter(|(at, _)| *at >= finished) {
            Some((_, reason)) => Err(Exception::error(&*reason).reset()),
            None => Ok(()),
        }
    }

    /// Runs `section` with the object's input gate closed: no other event is delivered until it has ended. The gate is
    /// closed when this returns, whether or not its future is ever awaited.
    ///
    /// # Errors
    /// What the section failed with; that resets the object or undoes the section's writes, by its kind.
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
            engine.with_live(object, |live| live.gate.unlock());
            engine.end_event(object);
            // Nobody may be waiting: a constructor drops the future, and the gate was closed all the same.
            let _ = sender.send(result);
        });
        async move {
            receiver
                .await
                .unwrap_or_else(|_| Err(Exception::error(STORAGE_GONE)))
        }
    }

    /// Runs a section when those before it have ended; one that is opened inside another is part of it.
    async fn take_turn<T: 'static>(
        &self,
        object: ObjectRef,
        outer: Scope,
        kind: CriticalSection,
        section: LocalBoxFuture<Result<T, Exception>>,
    ) -> Result<T, Exception> {
        if !self.is_live(object) {
            return Err(Exception::error(STORAGE_GONE));
        }
        let nested = outer.as_ref().is_some_and(|outer| outer.critical);
        if nested {
            return self.run_critical(object, outer, kind, section).await;
        }
        Gate {
            engine: self.clone(),
            object,
            ticket: None,
            line: |live| &mut live.sections,
        }
        .await?;
        self.with_live(object, |live| live.sections.lock());
        let result = self.run_critical(object, outer, kind, section).await;
        self.with_live(object, |live| live.sections.unlock());
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
            self.now() + CRITICAL_SECTION_LIMIT,
            name!("critical.end"),
            u64::from(object.index),
        );
        let section = InScope::new(Rc::clone(&invocation), section);
        let ended = futures_util::future::select(section, deadline).await;
        if let Some(outer) = &outer {
            outer.calls.set(&invocation.calls);
        }
        let futures_util::future::Either::Left((result, _)) = ended else {
            self.reset_instance(object, CRITICAL_SECTION_TIMEOUT);
            return Err(Exception::error(CRITICAL_SECTION_TIMEOUT).reset());
        };
        if let Some(savepoint) = savepoint {
            self.end_savepoint(object, savepoint, result.is_ok())?;
            if result.is_err() {
                // The alarm may be another one again.
                self.arm_alarm(object.class, object.index);
            }
        }
        match result {
            Ok(value) => Ok(value),
            Err(Failure::Thrown(exception)) if savepoint.is_some() => Err(exception),
            Err(failure) => {
                let exception = failure.into_exception();
                self.reset_instance(object, &exception.message);
                self.with_object(object, |object| object.reset_by_itself = true);
                Err(exception.reset())
            }
        }
    }

    /// Resets an object, unless the instance that is meant is gone already.
    fn reset_instance(&self, object: ObjectRef, reason: &str) {
        if self.is_live(object) {
            self.reset_object(object.class, object.index, reason);
        }
    }

    // --- storage -------------------------------------------------------------------------------------------------

    /// Reads a value.
    ///
    /// # Errors
    /// The instance that asks is gone.
    pub(crate) fn storage_get(
        &self,
        object: ObjectRef,
        key: &str,
    ) -> Result<Option<Bytes>, Exception> {
        let begun = self.begin_storage(object, || StorageCall::Get {
            key: key.to_owned(),
        });
        let read = self.read(object, |storage| {
            let (value, rows) = storage.get(key);
            ((value, rows), rows)
        });
        self.mix(name!("storage.get"), |fingerprint| {
            fingerprint.mix_bytes(key.as_bytes());
            if let Ok((value, _)) = &read {
                fingerprint.mix_bytes(value.as_deref().unwrap_or_default());
            }
        });
        self.finish_storage(begun, &read, |(value, rows)| Outcome::Stored {
            value: value.as_deref().map(Fingerprint::of),
            entries: Vec::new(),
            rows: None,
            rows_read: rows.read,
            rows_written: rows.written,
        });
        read.map(|(value, _)| value)
    }

    /// Lists keys and values.
    ///
    /// # Errors
    /// The instance that asks is gone.
    pub(crate) fn storage_list(
        &self,
        object: ObjectRef,
        options: &ListOptions,
    ) -> Result<Vec<(Box<str>, Bytes)>, Exception> {
        let begun = self.begin_storage(object, || StorageCall::List {
            prefix: options.prefix.clone().unwrap_or_default(),
        });
        let read = self.read(object, |storage| {
            let (entries, rows) = storage.list(options);
            ((entries, rows), rows)
        });
        self.mix(name!("storage.list"), |fingerprint| {
            for (key, value) in read.iter().flat_map(|(entries, _)| entries) {
                fingerprint.mix_bytes(key.as_bytes());
                fingerprint.mix_bytes(value);
            }
        });
        self.finish_storage(begun, &read, |(entries, rows)| {
            let entries = entries.iter();
            Outcome::Stored {
                value: None,
                entries: entries
                    .map(|(key, value)| (key.to_string(), Fingerprint::of(value)))
                    .collect(),
                rows: None,
                rows_read: rows.read,
                rows_written: rows.written,
            }
        });
        read.map(|(entries, _)| entries)
    }

    /// Writes a value.
    ///
    /// # Errors
    /// Too large, the storage is full, or the instance that asks is gone.
    pub(crate) fn storage_put(
        &self,
        object: ObjectRef,
        key: &str,
        value: Bytes,
    ) -> Result<(), Exception> {
        self.mix(name!("storage.put"), |fingerprint| {
            fingerprint.mix_bytes(key.as_bytes());
            fingerprint.mix_bytes(&value);
        });
        let begun = self.begin_storage(object, || StorageCall::Put {
            key: key.to_owned(),
            bytes: value.len() as u64,
            digest: Fingerprint::of(&value),
        });
        let written = self.room(object).and_then(|()| {
            self.write(object, |storage| {
                storage.put(key, value).map(|rows| (rows, rows))
            })
        });
        self.finish_rows(begun, &written);
        written.map(drop)
    }

    /// Whether a value may be written.
    ///
    /// # Errors
    /// Too large.
    pub(crate) fn storage_check(&self, key: &str, value: &Bytes) -> Result<(), Exception> {
        Storage::check(key, value)
    }

    /// Deletes a key; whether it was there.
    ///
    /// # Errors
    /// The instance that asks is gone.
    pub(crate) fn storage_delete(&self, object: ObjectRef, key: &str) -> Result<bool, Exception> {
        let begun = self.begin_storage(object, || StorageCall::Delete {
            key: key.to_owned(),
        });
        let written = self.write(object, |storage| {
            let (_, rows) = storage.delete(key);
            Ok((rows, rows))
        });
        self.mix(name!("storage.delete"), |fingerprint| {
            fingerprint.mix_bytes(key.as_bytes());
            fingerprint.mix(written.as_ref().map_or(2, |rows| rows.written));
        });
        self.finish_rows(begun, &written);
        written.map(|rows| rows.written > 0)
    }

    /// Deletes everything but the alarm.
    ///
    /// # Errors
    /// Inside a transaction, or the instance that asks is gone.
    pub(crate) fn storage_delete_all(&self, object: ObjectRef) -> Result<(), Exception> {
        let begun = self.begin_storage(object, || StorageCall::DeleteAll);
        let deployments = &self.0.deployments;
        let deployment = deployments.get(deployments.class(object.class).deployment);
        let written = self.write(object, |storage| {
            let rows = storage.delete_all()?;
            if deployment.delete_all_deletes_alarm {
                storage.set_alarm(None);
            }
            Ok((rows, rows))
        });
        self.mix(name!("storage.delete_all"), |fingerprint| {
            fingerprint.mix(written.as_ref().map_or(u64::MAX, |rows| rows.written));
        });
        self.finish_rows(begun, &written);
        written.map(drop)
    }

    /// Runs SQL.
    ///
    /// # Errors
    /// SQLite's, the storage is full, or the instance that asks is gone.
    pub(crate) fn storage_sql(
        &self,
        object: ObjectRef,
        statements: &str,
        parameters: &[sql::Value],
    ) -> Result<sql::Outcome, Exception> {
        let begun = self.begin_storage(object, || StorageCall::Sql {
            call: digest::sql_call(statements, parameters),
        });
        let result = self.run_sql(object, statements, parameters);
        self.mix(name!("storage.sql"), |fingerprint| {
            fingerprint.mix_bytes(statements.as_bytes());
            digest::values(fingerprint, parameters);
            match &result {
                Ok((outcome, _)) => digest::outcome(fingerprint, outcome),
                Err(exception) => fingerprint.mix_bytes(exception.message.as_bytes()),
            }
        });
        self.finish_storage(begun, &result, |(outcome, rows)| Outcome::Stored {
            value: None,
            entries: Vec::new(),
            rows: Some(digest::sql_rows(outcome)),
            rows_read: rows.read,
            rows_written: rows.written,
        });
        result.map(|(outcome, _)| outcome)
    }

    fn run_sql(
        &self,
        object: ObjectRef,
        statements: &str,
        parameters: &[sql::Value],
    ) -> Result<(sql::Outcome, Rows), Exception> {
        let now = i64::try_from(self.now().unix_ms()).expect("virtual time ends in 2554");
        sql::set_clock_unix_ms(now);
        let seed = self.0.settings.seed ^ self.with_object(object, |object| object.id.short());
        let full = self.room(object).err();
        self.write(object, |storage| {
            let broken = |failure: edgeproof_sqlite::SqlError| Exception::error(failure.message);
            let Some(full) = full.filter(|_| !only_deletes(statements)) else {
                let (result, rows) = storage.execute(seed, statements, parameters);
                let result = result.map(|outcome| (outcome, rows)).map_err(broken);
                return Ok((result, rows));
            };
            // Which statements write only SQLite knows; so what was written is undone.
            let savepoint = storage.savepoint().map_err(broken)?;
            let (result, mut rows) = storage.execute(seed, statements, parameters);
            let wrote = std::mem::take(&mut rows.written) > 0;
            storage.end_savepoint(savepoint, !wrote).map_err(broken)?;
            let result = result.map(|outcome| (outcome, rows)).map_err(broken);
            Ok((if wrote { Err(full) } else { result }, rows))
        })?
    }

    /// Size of the object's database in bytes.
    ///
    /// # Errors
    /// The instance that asks is gone.
    pub(crate) fn storage_database_bytes(&self, object: ObjectRef) -> Result<u64, Exception> {
        self.read(object, |storage| {
            (storage.database_bytes(), Rows::default())
        })
    }

    /// Waits until everything written so far is durable.
    pub(crate) fn storage_sync(&self, object: ObjectRef) -> Operation<Result<(), Exception>> {
        let engine = self.clone();
        Operation::new(async move {
            let durable_at = engine.read(object, |storage| (storage.durable_at, Rows::default()))?;
            if durable_at > engine.now() {
                world
                    .sleep_until(durable_at, name!("object.sync"), u64::from(object.index))
                    .await;
            }
            engine.deliver().await;
            Ok(())
        })
    }

    /// The alarm, in milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// The instance that asks is gone.
    pub(crate) fn storage_alarm(&self, object: ObjectRef) -> Result<Option<u64>, Exception> {
        let begun = self.begin_storage(object, || StorageCall::GetAlarm);
        let read = self.read(object, |storage| {
            let rows = Rows {
                read: 1,
                written: 0,
            };
            (storage.alarm_ms(), rows)
        });
        self.mix(name!("storage.get_alarm"), |fingerprint| {
            fingerprint.mix(read.as_ref().map_or(1, |alarm_ms| alarm_ms.unwrap_or(0)));
        });
        self.finish_storage(begun, &read, |alarm_ms| Outcome::Stored {
            value: alarm_ms.map(|alarm_ms| Fingerprint::of(&alarm_ms.to_le_bytes())),
            entries: Vec::new(),
            rows: None,
            rows_read: 1,
            rows_written: 0,
        });
        read
    }

    /// Sets or deletes the alarm.
    ///
    /// # Errors
    /// A time of 0, the storage is full, or the instance that asks is gone.
    pub(crate) fn storage_set_alarm(
        &self,
        object: ObjectRef,
        alarm_ms: Option<u64>,
    ) -> Result<(), Exception> {
        self.mix(name!("storage.set_alarm"), |fingerprint| {
            fingerprint.mix(alarm_ms.map_or(0, |alarm_ms| alarm_ms << 1 | 1));
        });
        let begun = self.begin_storage(object, || StorageCall::SetAlarm { alarm_ms });
        let written = self.write_alarm(object, alarm_ms);
        self.finish_rows(begun, &written);
        written?;
        if alarm_ms.is_some() {
            self.alarm_set_by(object.class, object.index, begun);
            self.arm_alarm(object.class, object.index);
        }
        Ok(())
    }

    fn write_alarm(&self, object: ObjectRef, alarm_ms: Option<u64>) -> Result<Rows, Exception> {
        if alarm_ms == Some(0) {
            return Err(Exception::type_error(
                "setAlarm() cannot be called with an alarm time <= 0",
            ));
        }
        if alarm_ms.is_some() {
            self.room(object)?;
        }
        self.write(object, |storage| {
            let rows = storage.set_alarm(alarm_ms);
            Ok((rows, rows))
        })
    }

    /// Begins the record of a call of an object's storage.
    fn begin_storage(&self, object: ObjectRef, call: impl FnOnce() -> StorageCall) -> Begun {
        self.begin(|| {
            let (class, id) = self.object_name(object);
            let call = call();
            Op::Storage { class, id, call }
        })
    }

    fn finish_storage<T>(
        &self,
        begun: Begun,
        result: &Result<T, Exception>,
        outcome: impl FnOnce(&T) -> Outcome,
    ) {
        self.finish(begun, || result.as_ref().map_or_else(failed, outcome));
    }

    /// Ends the record of a call that returns nothing.
    fn finish_rows(&self, begun: Begun, result: &Result<Rows, Exception>) {
        self.finish_storage(begun, result, |rows| Outcome::Stored {
            value: None,
            entries: Vec::new(),
            rows: None,
            rows_read: rows.read,
            rows_written: rows.written,
        });
    }

    /// Whether an object may store more.
    fn room(&self, object: ObjectRef) -> Result<(), Exception> {
        let faults = self.0.faults.borrow();
        if faults.is_empty() {
            return Ok(());
        }
        if faults.object_storage_full(self.now(), object.class) {
            return Err(Exception::error(limits::durable::DATABASE_FULL));
        }
        Ok(())
    }

    fn savepoint(&self, object: ObjectRef) -> Result<Savepoint, Exception> {
        let begun = self.begin_storage(object, || StorageCall::Begin);
        self.finish(begun, || Outcome::Done);
        let opened = self.read(object, |storage| (storage.savepoint(), Rows::default()))?;
        opened.map_err(|failure| Exception::error(failure.message))
    }

    fn end_savepoint(
        &self,
        object: ObjectRef,
        savepoint: Savepoint,
        keep: bool,
    ) -> Result<(), Exception> {
        let begun = self.begin_storage(object, || StorageCall::End { keep });
        self.finish(begun, || Outcome::Done);
        self.mix(name!("storage.end"), |fingerprint| {
            fingerprint.mix(u64::from(keep));
        });
        let durable_at = self.now().after(nanos(self.options().object_commit));
        let ended = self.write(object, |storage| {
            let ended = storage.end_savepoint(savepoint, keep);
            if storage.savepoints() == 0 && storage.has_written() {
                // Nothing of it was committed before.
                storage.durable_at = durable_at;
            }
            Ok((ended, Rows::default()))
        })?;
        ended.map_err(|failure| Exception::error(failure.message))
    }

    fn read<T>(
        &self,
        object: ObjectRef,
        act: impl FnOnce(&mut Storage) -> (T, Rows),
    ) -> Result<T, Exception> {
        self.write(object, |storage| Ok(act(storage)))
    }

    /// Acts on an object's storage, bills the rows, and sees to the commit at the end of the turn.
    fn write<T>(
        &self,
        object: ObjectRef,
        act: impl FnOnce(&mut Storage) -> Result<(T, Rows), Exception>,
    ) -> Result<T, Exception> {
        if !self.is_live(object) {
            return Err(Exception::error(STORAGE_GONE));
        }
        let durable_at = self.now().after(nanos(self.options().object_commit));
        let (value, rows, newly_dirty) = self.with(object.class, object.index, |entry| {
            let storage = &mut entry.storage;
            let was_dirty = storage.is_dirty();
            let result = act(storage);
            if result.as_ref().is_ok_and(|(_, rows)| rows.written > 0) {
                storage.durable_at = durable_at;
            }
            // An explicit transaction that ends in a later turn is committed with that turn.
            let newly_dirty = storage.is_dirty() && (!was_dirty || storage.savepoints() == 0);
            result.map(|(value, rows)| (value, rows, newly_dirty))
        })?;
        if rows.read > 0 {
            self.count(Meter::ObjectRowsRead, rows.read);
        }
        if rows.written > 0 {
            self.count(Meter::ObjectRowsWritten, rows.written);
        }
        if newly_dirty {
            let mut dirty = self.0.dirty.borrow_mut();
            let place = (object.class, object.index);
            if dirty.last() != Some(&place) {
                dirty.push(place);
            }
        }
        Ok(value)
    }

    // --- alarms --------------------------------------------------------------------------------------------------

    /// Starts a timer for an object's alarm as it stands now.
    pub(crate) fn arm_alarm(&self, class: u16, index: u32) {
        let alarm_ms = self.with(class, index, |object| {
            let alarm_ms = object.storage.pending_alarm_ms()?;
            // One handler at a time; and a timer that comes no later will see what the alarm is by then. So an alarm that
            // is put off with every request costs one timer.
            let soon = object.alarm_timer_ms.is_some_and(|timer| timer <= alarm_ms);
            if object.alarm_running || soon {
                return None;
            }
            object.alarm_timer_ms = Some(alarm_ms);
            Some(alarm_ms)
        });
        let Some(alarm_ms) = alarm_ms else { return };
        let engine = self.clone();
        self.spawn_in(
            None,
            Box::pin(async move {
                let at = Instant::from_unix_ms(alarm_ms).max(engine.now());
                engine.sleep_until(at, name!("alarm"), u64::from(index)).await;
                let due = engine.with(class, index, |object| {
                    // An earlier timer took this one's place.
                    if object.alarm_timer_ms != Some(alarm_ms) {
                        return false;
                    }
                    object.alarm_timer_ms = None;
                    let pending = object.storage.pending_alarm_ms();
                    let due = pending
                        .is_some_and(|alarm_ms| Instant::from_unix_ms(alarm_ms) <= engine.now());
                    object.alarm_running |= due;
                    due
                });
                if due {
                    engine.run_alarm(class, index).await;
                    engine.with(class, index, |object| object.alarm_running = false);
                }
                engine.arm_alarm(class, index);
            }),
        );
    }

    /// Runs an alarm: at least once, again after a failure, up to six times, unless the handler set a new one (DOALARM).
    async fn run_alarm(&self, class: u16, index: u32) {
        for retry in 0..=limits::durable::ALARM_RETRIES {
            let (home, alarm_ms) = self.with(class, index, |object| {
                (object.home, object.storage.take_alarm())
            });
            self.count(Meter::ObjectRequests, 1);
            let cause = self.alarm_cause(class, index);
            let begun = self.begin_as(
                || Author::platform(Some(home), cause),
                || {
                    let generation = 0;
                    let (class, id) = self.object_name(ObjectRef {
                        class,
                        index,
                        generation,
                    });
                    Op::Alarm { class, id, retry }
                },
            );
            let result = self.object_event(class, index, Event::Alarm, begun).await;
            // It has run only when what it wrote is durable (workerd actor-sqlite).
            let result = match self.durable(class, index).await {
                Ok(()) => result,
                Err(reset) => Err(reset),
            };
            self.mix(name!("alarm.ended"), |fingerprint| {
                fingerprint.mix(u64::from(class) << 32 | u64::from(index));
                match &result {
                    Ok(_) => fingerprint.mix(0),
                    Err(exception) => fingerprint.mix_bytes(exception.message.as_bytes()),
                }
            });
            self.finish(begun, || match &result {
                Ok(_) => Outcome::Done,
                Err(exception) => failed(exception),
            });
            if result.is_ok() || retry == limits::durable::ALARM_RETRIES {
                return;
            }
            let superseded = self.with(class, index, |object| {
                let superseded = object.storage.pending_alarm_ms().is_some();
                if !superseded {
                    object.storage.put_back_alarm(alarm_ms);
                }
                superseded
            });
            if superseded {
                return; // by the handler itself
            }
            let jitter =
                1.0 + limits::durable::ALARM_RETRY_JITTER * self.0.chance.alarms.borrow_mut().unit();
            let delay = limits::durable::alarm_retry_delay(retry).mul_f64(jitter);
            self.sleep_until(self.now() + delay, name!("alarm.retry"), u64::from(index))
                .await;
            if self.with(class, index, |object| {
                object.storage.failed_alarm_ms().is_none()
            }) {
                return; // somebody set another one, or deleted it
            }
        }
    }

    // --- the table -----------------------------------------------------------------------------------------------

    fn with<T>(
        &self,
        class: u16,
        index: u32,
        act: impl FnOnce(&mut crate::platform::durable::Object) -> T,
    ) -> T {
        act(self.0.classes.borrow_mut()[usize::from(class)].object(index))
    }

    fn with_object<T>(
        &self,
        object: ObjectRef,
        act: impl FnOnce(&mut crate::platform::durable::Object) -> T,
    ) -> T {
        self.with(object.class, object.index, act)
    }

    /// Acts on the instance that is meant, if it still is the live one.
    fn with_live(&self, object: ObjectRef, act: impl FnOnce(&mut Live)) {
        self.with_object(object, |entry| {
            if entry.generation == object.generation
                && let Some(live) = &mut entry.live
            {
                act(live);
            }
        });
    }

    fn is_live(&self, object: ObjectRef) -> bool {
        self.with_object(object, |entry| {
            entry.generation == object.generation && entry.live.is_some()
        })
    }

    /// Name of a class.
    fn class_name(&self, class: u16) -> String {
        self.0.classes.borrow()[usize::from(class)].name.to_string()
    }

    /// Where the code of an object runs.
    fn object_place(&self, object: ObjectRef, home: Pop, cause: Cause) -> Place {
        let deployment = self.0.deployments.class(object.class).deployment;
        Place {
            deployment,
            pop: home,
            isolate: self.object_host(deployment, home),
            object: Some(object),
            cause,
        }
    }

    /// The isolate in which the objects of a Worker run in a PoP; it starts with the first of them.
    fn object_host(&self, deployment: u16, pop: Pop) -> edgeproof_isolate::IsolateId {
        let place = usize::from(deployment) * Pop::COUNT + pop.index();
        let known = self.0.object_hosts.borrow()[place];
        known.unwrap_or_else(|| {
            let host = self.0.isolates.borrow_mut().reserve();
            self.0.object_hosts.borrow_mut()[place] = Some(host);
            let script = Rc::clone(&self.0.deployments.get(deployment).script.borrow());
            let before = edgeproof_isolate::enter(host);
            script.start();
            edgeproof_isolate::enter(before);
            host
        })
    }

    fn reset_exception(&self, object: ObjectRef) -> Exception {
        let reason = self.with_object(object, |object| object.last_reset.clone());
        let reason = reason.map_or_else(|| STORAGE_GONE.into(), |(_, reason)| reason);
        Exception::error(&*reason).reset()
    }
}

/// Whether each statement begins with DELETE. A semicolon inside a text makes it look like more statements than there are, and
/// then the answer is no.
fn only_deletes(statements: &str) -> bool {
    let mut statements = statements
        .split(';')
        .map(str::trim)
        .filter(|text| !text.is_empty());
    statements.all(|text| {
        text.get(..6)
            .is_some_and(|verb| verb.eq_ignore_ascii_case("delete"))
    })
}

/// Waits in the line at an object's input gate.
struct Gate {
    engine: Engine,
    object: ObjectRef,
    ticket: Option<u64>,
    /// Which line.
    line: fn(&mut Live) -> &mut InputGate,
}

impl Future for Gate {
    type Output = Result<(), Exception>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let mut delivered = None;
        this.engine.with_live(this.object, |live| {
            let line = (this.line)(live);
            let ticket = *this.ticket.get_or_insert_with(|| line.ticket());
            delivered = Some(line.poll(ticket, context.waker()));
        });
        match delivered {
            Some(true) => {
                this.ticket = None;
                Poll::Ready(Ok(()))
            }
            Some(false) => Poll::Pending,
            None => {
                this.ticket = None;
                Poll::Ready(Err(this.engine.reset_exception(this.object)))
            }
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.engine
                .with_live(self.object, |live| (self.line)(live).give_up(ticket));
        }
    }
}

/// Runs a handler until it ends or its object is reset.
struct UntilReset {
    engine: Engine,
    object: ObjectRef,
    /// Number of the invocation: its place among those that must learn of a reset.
    number: u64,
    handler: InScope<Result<Reply, Exception>>,
    begun: bool,
}

impl Future for UntilReset {
    type Output = Result<Reply, Exception>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.begun && !this.engine.is_live(this.object) {
            let exception = this.engine.reset_exception(this.object);
            let by_itself = this
                .engine
                .with_object(this.object, |object| object.reset_by_itself);
            return Poll::Ready(Err(if by_itself {
                exception.remote()
            } else {
                exception
            }));
        }
        this.begun = true;
        match Pin::new(&mut this.handler).poll(context) {
            Poll::Ready(Ok(reply)) => Poll::Ready(Ok(reply)),
            Poll::Ready(Err(Failure::Thrown(exception))) => Poll::Ready(Err(exception.remote())),
            Poll::Ready(Err(failure @ Failure::Panic(_))) => {
                this.engine.console("error", &format!("Uncaught {failure}"));
                let exception = failure.into_exception();
                this.engine.reset_instance(this.object, &exception.message);
                Poll::Ready(Err(exception.remote().reset()))
            }
            Poll::Pending => {
                // Anew with every poll: the call may have moved to another task.
                let (number, waker) = (this.number, context.waker());
                this.engine.with_live(this.object, |live| {
                    let known = live.on_reset.iter_mut().find(|(known, _)| *known == number);
                    match known {
                        Some((_, known)) => known.clone_from(waker),
                        None => live.on_reset.push((number, waker.clone())),
                    }
                });
                Poll::Pending
            }
        }
    }
}

impl Drop for UntilReset {
    fn drop(&mut self) {
        let number = self.number;
        self.engine.with_live(self.object, |live| {
            live.on_reset.retain(|(known, _)| *known != number);
        });
    }
}

//! Durable Objects as a Worker awaits them: the way to an object and back, its gates, its storage, its alarm, its end.

use super::invoke::{Failure, InScope};
use super::{Invocation, Operation, World};
use crate::bill::usage::Meter;
use crate::exception::Exception;
use crate::history::{Op, Outcome};
use crate::http::{Request, Response};
use crate::kernel::time::{Instant, nanos};
use crate::limits;
use crate::platform::durable::storage::{ListOptions, Rows, Savepoint, Storage};
use crate::platform::durable::{InputGate, Live, ObjectId, ObjectRef};
use crate::script::{LocalBoxFuture, ObjectInstance};
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

/// An event of an object: a request, or, where there is none, its alarm.
/// Boxed, because every future on the way keeps room for it.
type Event = Option<Box<Request>>;

impl World {
    // --- names ---------------------------------------------------------------------------------------------------

    /// The id that goes with a name.
    pub fn object_id_from_name(&self, class: u16, name: &str) -> ObjectId {
        self.0.classes.borrow()[usize::from(class)].id_from_name(name)
    }

    /// A new random id.
    pub fn object_unique_id(&self, class: u16) -> ObjectId {
        let mut ids = self.0.ids.borrow_mut();
        let random = [ids.next_u64(), ids.next_u64(), ids.next_u64()];
        self.0.classes.borrow()[usize::from(class)].unique_id(random)
    }

    /// Reads an id that was printed.
    ///
    /// # Errors
    /// Not 64 hexadecimal digits, or another namespace's id.
    pub fn object_id_from_string(&self, class: u16, text: &str) -> Result<ObjectId, Exception> {
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
    pub fn object_stub(
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
    pub fn object_identity(&self, object: ObjectRef) -> (ObjectId, Option<Rc<str>>) {
        self.with_object(object, |object| (object.id, object.name.clone()))
    }

    // --- calls ---------------------------------------------------------------------------------------------------

    /// Calls an object's `fetch`.
    ///
    /// # Errors
    /// A broken stub, an object that cannot be reached, is overloaded, was reset, or threw; too many calls.
    pub fn object_call(
        &self,
        stub: Arc<StubState>,
        request: Request,
    ) -> Operation<Result<Response, Exception>> {
        let world = self.handle();
        let request = Box::new(request);
        Operation::new(async move {
            let invocation = Self::invocation()?;
            invocation.count_internal_call(&world)?;
            if let Some(broken) = stub.broken.get() {
                return Err(broken.clone());
            }
            world.output_gate(&invocation).await?;
            let start = world.now();
            let path = world.keeps_history().then(|| request.url.path().to_owned());
            let result = world.object_exchange(&invocation, &stub, request).await;
            world.record(start, &Self::scope(), || {
                let class = world.0.classes.borrow()[usize::from(stub.class)]
                    .name
                    .to_string();
                let op = Op::ObjectCall {
                    class,
                    id: stub.id.to_hex(),
                    path: path.unwrap_or_default(),
                };
                let outcome = match &result {
                    Ok(response) => Outcome::Status {
                        status: response.status,
                    },
                    Err(exception) => Outcome::Error {
                        message: exception.message.clone(),
                    },
                };
                (op, outcome)
            });
            if let Err(exception) = &result
                && (exception.flags.durable_object_reset || exception.flags.retryable)
            {
                // Set once: the first failure is the one that the stub repeats, though not as the object's own.
                let mut repeated = exception.clone();
                repeated.flags.remote = false;
                let _ = stub.broken.set(repeated);
            }
            world.deliver().await;
            result
        })
    }

    async fn object_exchange(
        &self,
        caller: &Invocation,
        stub: &StubState,
        request: Box<Request>,
    ) -> Result<Response, Exception> {
        let class = stub.class;
        // Placed near the first caller, or where that caller's hint says.
        let home = stub
            .hint
            .map_or(caller.pop, |hint| self.0.topology.place(hint, caller.pop));
        let name = stub.name.as_deref().map(Rc::from);
        let (index, home) = {
            let mut classes = self.0.classes.borrow_mut();
            let class = &mut classes[usize::from(class)];
            let (index, _) = class.find_or_place(stub.id, name.as_ref(), home);
            (index, class.object(index).home)
        };
        let arrives = self.now().after(self.travel(caller.pop, home)?).0;
        let arrives = arrives.max(stub.last_arrival.load(Ordering::Relaxed));
        stub.last_arrival.store(arrives, Ordering::Relaxed);
        self.sleep_until(Instant(arrives), "object.call", stub.id.short())
            .await;
        self.count(Meter::ObjectRequests, 1);

        let refusal = self.object_refusal(class);
        let result = match refusal {
            Some(refusal) => Err(refusal),
            None => self.object_event(class, index, Some(request)).await,
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
        self.sleep_until(leaves.after(way_back), "object.answer", detail)
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
        let classes = self.0.classes.borrow();
        let name = &classes[usize::from(class)].name;
        if faults.object_unreachable(self.now(), name) {
            return Some(
                Exception::error(crate::platform::outbound::NETWORK_CONNECTION_LOST).retryable(),
            );
        }
        faults
            .object_overloaded(self.now(), name)
            .then(|| Exception::error(limits::durable::OVERLOADED_QUEUE).overloaded())
    }

    /// Delivers an event to an object, starting it if it is not live, and waits for what comes of it.
    async fn object_event(
        &self,
        class: u16,
        index: u32,
        event: Event,
    ) -> Result<Response, Exception> {
        let (generation, home) = self.wake_object(class, index);
        let object = ObjectRef {
            class,
            index,
            generation,
        };
        self.begin_event(object);
        let result = self.object_handle(object, home, event).await;
        self.end_event(object);
        result
    }

    async fn object_handle(
        &self,
        object: ObjectRef,
        home: Pop,
        event: Event,
    ) -> Result<Response, Exception> {
        Gate {
            world: self.handle(),
            object,
            ticket: None,
            line: |live| &mut live.gate,
        }
        .await?;
        let instance = self.with_object(object, |object| {
            object.live.as_ref().and_then(|live| live.instance.clone())
        });
        let instance = instance.expect("an open gate has a started instance behind it");
        let invocation = self.new_invocation(home, self.object_host(home), Some(object));
        let handler: LocalBoxFuture<Result<Response, Exception>> = match event {
            Some(request) => instance.fetch(*request),
            None => {
                let alarm = instance.alarm();
                Box::pin(async move { alarm.await.map(|()| Response::text(200, "")) })
            }
        };
        let handler = InScope::new(Rc::clone(&invocation), handler);
        let result = UntilReset {
            world: self.handle(),
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
    fn wake_object(&self, class: u16, index: u32) -> (u32, Pop) {
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
            let world = self.handle();
            let object = ObjectRef {
                class,
                index,
                generation,
            };
            self.spawn_in(
                None,
                Box::pin(async move { world.start_object(object, home).await }),
            );
        }
        (generation, home)
    }

    async fn start_object(&self, object: ObjectRef, home: Pop) {
        let start = self.now();
        let ready_at = start + self.0.options.object_start;
        self.sleep_until(ready_at, "object.start", u64::from(object.index))
            .await;
        if !self.is_live(object) {
            return; // reset while it started
        }
        let invocation = self.new_invocation(home, self.object_host(home), Some(object));
        let code = Rc::clone(&self.0.class_code[usize::from(object.class)]);
        let constructor: LocalBoxFuture<Result<Rc<dyn ObjectInstance>, Exception>> =
            Box::pin(async move { Ok(code.construct(object)) });
        let built = InScope::new(Rc::clone(&invocation), constructor).await;
        self.record(start, &Some(invocation), || {
            let (class, id) = self.object_name(object);
            let outcome = match &built {
                Ok(_) => Outcome::Done,
                Err(failure) => Outcome::Error {
                    message: failure.to_string(),
                },
            };
            (Op::ObjectStart { class, id }, outcome)
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
    pub(super) fn begin_event(&self, object: ObjectRef) {
        let now = self.now();
        self.with_live(object, |live| {
            if live.in_flight == 0 {
                live.active_since = now;
            }
            live.in_flight += 1;
        });
    }

    /// An event of an object has ended; after 10 s without another it is evicted (DOLIFE 2026-09-30).
    pub(super) fn end_event(&self, object: ObjectRef) {
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
            let world = self.handle();
            self.spawn_in(
                None,
                Box::pin(async move { world.evict_when_idle(object).await }),
            );
        }
    }

    async fn evict_when_idle(&self, object: ObjectRef) {
        let mut idle_since = self.now();
        loop {
            let at = idle_since + limits::durable::HIBERNATE_AFTER_IDLE;
            self.sleep_until(at, "object.idle", u64::from(object.index))
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
        self.record(self.now(), &None, || {
            let (class, id) = self.object_name(object);
            (
                Op::ObjectStop {
                    class,
                    id,
                    reason: "idle".into(),
                },
                Outcome::Done,
            )
        });
        // The instance's destructor may call the world: it runs outside of every borrow.
        drop(live);
    }

    /// Throws an object's instance away: what this turn wrote is undone, calls in flight fail with `reason`.
    pub(super) fn reset_object(&self, class: u16, index: u32, reason: &str) {
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
        self.record(now, &None, || {
            let generation = 0;
            let (class, id) = self.object_name(ObjectRef {
                class,
                index,
                generation,
            });
            (
                Op::ObjectStop {
                    class,
                    id,
                    reason: reason.to_owned(),
                },
                Outcome::Done,
            )
        });
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

    /// Resets every live object of a class.
    pub(super) fn reset_class(&self, name: &str, reason: &str) {
        let live: Vec<(u16, u32)> = {
            let classes = self.0.classes.borrow();
            let class = (0_u16..)
                .zip(classes.iter())
                .find(|(_, class)| &*class.name == name);
            let Some((number, class)) = class else { return };
            let objects = (0_u32..).zip(class.objects());
            objects
                .filter(|(_, object)| object.live.is_some())
                .map(|(index, _)| (number, index))
                .collect()
        };
        for (class, index) in live {
            self.reset_object(class, index, reason);
        }
    }

    /// Ends the turn: everything that objects wrote in it is committed, or, if it cannot be, undone with its object.
    /// True when that woke somebody.
    pub(super) fn commit_turn(&self) -> bool {
        if self.0.dirty.borrow().is_empty() {
            return false;
        }
        self.0.object_commits.update(|commits| commits + 1);
        let dirty = std::mem::take(&mut *self.0.dirty.borrow_mut());
        let mut failed = Vec::new();
        for &(class, index) in &dirty {
            let failing = {
                let faults = self.0.faults.borrow();
                let classes = self.0.classes.borrow();
                !faults.is_empty()
                    && faults.object_storage_failing(self.now(), &classes[usize::from(class)].name)
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
    pub(super) async fn deliver(&self) {
        let Some(invocation) = Self::scope() else {
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
                world: self.handle(),
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
    pub(super) async fn output_gate(&self, invocation: &Invocation) -> Result<(), Exception> {
        let Some(object) = invocation.object else {
            return Ok(());
        };
        let (durable_at, committed) = self.with_object(object, |object| {
            (object.storage.durable_at, !object.storage.has_written())
        });
        if durable_at > self.now() || !committed {
            self.sleep_until(durable_at, "object.durable", u64::from(object.index))
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
        self.sleep_until(durable_at, "object.durable", u64::from(index))
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
    pub fn critical_section<T: 'static>(
        &self,
        object: ObjectRef,
        kind: CriticalSection,
        section: LocalBoxFuture<Result<T, Exception>>,
    ) -> impl Future<Output = Result<T, Exception>> + use<T> {
        let (sender, receiver) = futures_channel::oneshot::channel();
        let outer = Self::scope().filter(|outer| outer.object == Some(object));
        let world = self.handle();
        self.with_live(object, |live| live.gate.lock());
        self.begin_event(object);
        self.spawn(async move {
            let result = world.take_turn(object, outer, kind, section).await;
            world.with_live(object, |live| live.gate.unlock());
            world.end_event(object);
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
        outer: super::Scope,
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
            world: self.handle(),
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
        outer: super::Scope,
        kind: CriticalSection,
        section: LocalBoxFuture<Result<T, Exception>>,
    ) -> Result<T, Exception> {
        let savepoint = match kind {
            CriticalSection::Transaction => Some(self.savepoint(object)?),
            CriticalSection::BlockConcurrency => None,
        };
        let home = self.with_object(object, |object| object.home);
        let mut invocation = self.new_invocation(home, self.object_host(home), Some(object));
        if let Some(inner) = Rc::get_mut(&mut invocation) {
            inner.critical = true;
            if let Some(outer) = &outer {
                inner.fetches.set(outer.fetches.get());
                inner.internal_calls.set(outer.internal_calls.get());
                inner.kv_operations.set(outer.kv_operations.get());
                inner.d1_queries.set(outer.d1_queries.get());
            }
        }
        let deadline = self.sleep_until(
            self.now() + CRITICAL_SECTION_LIMIT,
            "critical.end",
            u64::from(object.index),
        );
        let section = InScope::new(Rc::clone(&invocation), section);
        let ended = futures_util::future::select(section, deadline).await;
        if let Some(outer) = &outer {
            outer.fetches.set(invocation.fetches.get());
            outer.internal_calls.set(invocation.internal_calls.get());
            outer.kv_operations.set(invocation.kv_operations.get());
            outer.d1_queries.set(invocation.d1_queries.get());
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
    pub fn storage_get(&self, object: ObjectRef, key: &str) -> Result<Option<Bytes>, Exception> {
        self.read(object, |storage| storage.get(key))
    }

    /// Lists keys and values.
    ///
    /// # Errors
    /// The instance that asks is gone.
    pub fn storage_list(
        &self,
        object: ObjectRef,
        options: &ListOptions,
    ) -> Result<Vec<(Box<str>, Bytes)>, Exception> {
        self.read(object, |storage| storage.list(options))
    }

    /// Writes a value.
    ///
    /// # Errors
    /// Too large, the storage is full, or the instance that asks is gone.
    pub fn storage_put(&self, object: ObjectRef, key: &str, value: Bytes) -> Result<(), Exception> {
        self.room(object)?;
        self.write(object, |storage| {
            storage.put(key, value).map(|rows| ((), rows))
        })
    }

    /// Whether a value may be written.
    ///
    /// # Errors
    /// Too large.
    pub fn storage_check(&self, key: &str, value: &Bytes) -> Result<(), Exception> {
        Storage::check(key, value)
    }

    /// Deletes a key; whether it was there.
    ///
    /// # Errors
    /// The instance that asks is gone.
    pub fn storage_delete(&self, object: ObjectRef, key: &str) -> Result<bool, Exception> {
        self.write(object, |storage| Ok(storage.delete(key)))
    }

    /// Deletes everything but the alarm.
    ///
    /// # Errors
    /// Inside a transaction, or the instance that asks is gone.
    pub fn storage_delete_all(&self, object: ObjectRef) -> Result<(), Exception> {
        self.write(object, |storage| {
            let rows = storage.delete_all()?;
            if self.0.delete_all_deletes_alarm {
                storage.set_alarm(None);
            }
            Ok(((), rows))
        })
    }

    /// Runs SQL.
    ///
    /// # Errors
    /// SQLite's, the storage is full, or the instance that asks is gone.
    pub fn storage_sql(
        &self,
        object: ObjectRef,
        statements: &str,
        parameters: &[sql::Value],
    ) -> Result<sql::Outcome, Exception> {
        let now = i64::try_from(self.now().unix_ms()).expect("virtual time ends in 2554");
        sql::set_clock_unix_ms(now);
        let seed = self.seed() ^ self.with_object(object, |object| object.id.short());
        let full = self.room(object).err();
        self.write(object, |storage| {
            let broken = |failure: edgeproof_sqlite::SqlError| Exception::error(failure.message);
            let Some(full) = full.filter(|_| !only_deletes(statements)) else {
                let (result, rows) = storage.execute(seed, statements, parameters);
                return Ok((result.map_err(broken), rows));
            };
            // Which statements write only SQLite knows; so what was written is undone.
            let savepoint = storage.savepoint().map_err(broken)?;
            let (result, mut rows) = storage.execute(seed, statements, parameters);
            let wrote = std::mem::take(&mut rows.written) > 0;
            storage.end_savepoint(savepoint, !wrote).map_err(broken)?;
            let result = result.map_err(broken);
            Ok((if wrote { Err(full) } else { result }, rows))
        })?
    }

    /// Size of the object's database in bytes.
    ///
    /// # Errors
    /// The instance that asks is gone.
    pub fn storage_database_bytes(&self, object: ObjectRef) -> Result<u64, Exception> {
        self.read(object, |storage| {
            (storage.database_bytes(), Rows::default())
        })
    }

    /// Waits until everything written so far is durable.
    pub fn storage_sync(&self, object: ObjectRef) -> Operation<Result<(), Exception>> {
        let world = self.handle();
        Operation::new(async move {
            let durable_at = world.read(object, |storage| (storage.durable_at, Rows::default()))?;
            if durable_at > world.now() {
                world
                    .sleep_until(durable_at, "object.sync", u64::from(object.index))
                    .await;
            }
            world.deliver().await;
            Ok(())
        })
    }

    /// The alarm, in milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// The instance that asks is gone.
    pub fn storage_alarm(&self, object: ObjectRef) -> Result<Option<u64>, Exception> {
        self.read(object, |storage| {
            (
                storage.alarm_ms(),
                Rows {
                    read: 1,
                    written: 0,
                },
            )
        })
    }

    /// Sets or deletes the alarm.
    ///
    /// # Errors
    /// A time of 0, the storage is full, or the instance that asks is gone.
    pub fn storage_set_alarm(
        &self,
        object: ObjectRef,
        alarm_ms: Option<u64>,
    ) -> Result<(), Exception> {
        if alarm_ms == Some(0) {
            return Err(Exception::type_error(
                "setAlarm() cannot be called with an alarm time <= 0",
            ));
        }
        if alarm_ms.is_some() {
            self.room(object)?;
        }
        self.write(object, |storage| Ok(((), storage.set_alarm(alarm_ms))))?;
        if alarm_ms.is_some() {
            self.arm_alarm(object.class, object.index);
        }
        Ok(())
    }

    /// Whether an object may store more.
    fn room(&self, object: ObjectRef) -> Result<(), Exception> {
        let faults = self.0.faults.borrow();
        if faults.is_empty() {
            return Ok(());
        }
        let classes = self.0.classes.borrow();
        if faults.object_storage_full(self.now(), &classes[usize::from(object.class)].name) {
            return Err(Exception::error(limits::durable::DATABASE_FULL));
        }
        Ok(())
    }

    fn savepoint(&self, object: ObjectRef) -> Result<Savepoint, Exception> {
        let opened = self.read(object, |storage| (storage.savepoint(), Rows::default()))?;
        opened.map_err(|failure| Exception::error(failure.message))
    }

    fn end_savepoint(
        &self,
        object: ObjectRef,
        savepoint: Savepoint,
        keep: bool,
    ) -> Result<(), Exception> {
        let durable_at = self.now().after(nanos(self.0.options.object_commit));
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
        let durable_at = self.now().after(nanos(self.0.options.object_commit));
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
    pub(super) fn arm_alarm(&self, class: u16, index: u32) {
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
        let world = self.handle();
        self.spawn_in(
            None,
            Box::pin(async move {
                let at = Instant::from_unix_ms(alarm_ms).max(world.now());
                world.sleep_until(at, "alarm", u64::from(index)).await;
                let due = world.with(class, index, |object| {
                    // An earlier timer took this one's place.
                    if object.alarm_timer_ms != Some(alarm_ms) {
                        return false;
                    }
                    object.alarm_timer_ms = None;
                    let pending = object.storage.pending_alarm_ms();
                    let due = pending
                        .is_some_and(|alarm_ms| Instant::from_unix_ms(alarm_ms) <= world.now());
                    object.alarm_running |= due;
                    due
                });
                if due {
                    world.run_alarm(class, index).await;
                    world.with(class, index, |object| object.alarm_running = false);
                }
                world.arm_alarm(class, index);
            }),
        );
    }

    /// Runs an alarm: at least once, again after a failure, up to six times, unless the handler set a new one (DOALARM).
    async fn run_alarm(&self, class: u16, index: u32) {
        for retry in 0..=limits::durable::ALARM_RETRIES {
            let start = self.now();
            let (home, alarm_ms) = self.with(class, index, |object| {
                (object.home, object.storage.take_alarm())
            });
            self.count(Meter::ObjectRequests, 1);
            let result = self.object_event(class, index, None).await;
            // It has run only when what it wrote is durable (workerd actor-sqlite).
            let result = match self.durable(class, index).await {
                Ok(()) => result,
                Err(reset) => Err(reset),
            };
            let scope = self
                .keeps_history()
                .then(|| self.new_invocation(home, self.object_host(home), None));
            self.record(start, &scope, || {
                let (class, id) = self.object_name(ObjectRef {
                    class,
                    index,
                    generation: 0,
                });
                let outcome = match &result {
                    Ok(_) => Outcome::Done,
                    Err(exception) => Outcome::Error {
                        message: exception.message.clone(),
                    },
                };
                (Op::Alarm { class, id, retry }, outcome)
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
                1.0 + limits::durable::ALARM_RETRY_JITTER * self.0.alarms.borrow_mut().unit();
            let delay = limits::durable::alarm_retry_delay(retry).mul_f64(jitter);
            self.sleep_until(self.now() + delay, "alarm.retry", u64::from(index))
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

    fn object_name(&self, object: ObjectRef) -> (String, String) {
        let mut classes = self.0.classes.borrow_mut();
        let class = &mut classes[usize::from(object.class)];
        (
            class.name.to_string(),
            class.object(object.index).id.to_hex(),
        )
    }

    /// The isolate in which the objects of a PoP run; it starts with the first of them.
    fn object_host(&self, pop: Pop) -> edgeproof_isolate::IsolateId {
        let known = self.0.object_hosts.borrow()[pop.index()];
        known.unwrap_or_else(|| {
            let host = self.0.isolates.borrow_mut().reserve();
            self.0.object_hosts.borrow_mut()[pop.index()] = Some(host);
            let before = edgeproof_isolate::enter(host);
            self.0.script.start();
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
    world: World,
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
        this.world.with_live(this.object, |live| {
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
                Poll::Ready(Err(this.world.reset_exception(this.object)))
            }
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.world
                .with_live(self.object, |live| (self.line)(live).give_up(ticket));
        }
    }
}

/// Runs a handler until it ends or its object is reset.
struct UntilReset {
    world: World,
    object: ObjectRef,
    /// Number of the invocation: its place among those that must learn of a reset.
    number: u64,
    handler: InScope<Result<Response, Exception>>,
    begun: bool,
}

impl Future for UntilReset {
    type Output = Result<Response, Exception>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.begun && !this.world.is_live(this.object) {
            let exception = this.world.reset_exception(this.object);
            let by_itself = this
                .world
                .with_object(this.object, |object| object.reset_by_itself);
            return Poll::Ready(Err(if by_itself {
                exception.remote()
            } else {
                exception
            }));
        }
        this.begun = true;
        match Pin::new(&mut this.handler).poll(context) {
            Poll::Ready(Ok(response)) => Poll::Ready(Ok(response)),
            Poll::Ready(Err(Failure::Thrown(exception))) => Poll::Ready(Err(exception.remote())),
            Poll::Ready(Err(failure @ Failure::Panic(_))) => {
                this.world.console("error", &format!("Uncaught {failure}"));
                let exception = failure.into_exception();
                this.world.reset_instance(this.object, &exception.message);
                Poll::Ready(Err(exception.remote().reset()))
            }
            Poll::Pending => {
                // Anew with every poll: the call may have moved to another task.
                let (number, waker) = (this.number, context.waker());
                this.world.with_live(this.object, |live| {
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
        self.world.with_live(self.object, |live| {
            live.on_reset.retain(|(known, _)| *known != number);
        });
    }
}

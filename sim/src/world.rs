//! The world: one simulated Cloudflare on one thread, driving the platform through virtual time.
//!
//! What happens here, file by file:
//! - `world.rs`: the clock, the loop, scopes (who is running), records and fingerprint.
//! - [`builder`]: what a world is made of.
//! - [`options`]: every assumption about latency, as options.
//! - [`client`]: clients attached to PoPs; the way of a request from one to the Worker and back.
//! - `invoke`: isolates, invocations of the Worker, `waitUntil`, cron.
//! - `account`: namespaces and databases, bound or not, and what is done to them from outside of any Worker.
//! - `kv`, `object`, `d1`, `fetch`: the platform's calls as a Worker awaits them: send, arrive, act, answer.
//! - `guest`: code that runs elsewhere and uses this world's KV and D1.
//! - `injection`: faults beginning; `persist`: state kept between runs of a server.
//!
//! A call of the platform is an [`Operation`]: straight-line `async` code that sleeps through its messages' travel and
//! asks a state machine of [`platform`](crate::platform) at the moment of arrival. An operation that was begun goes on
//! when the Worker drops its future, as a promise does.

mod account;
pub mod builder;
pub mod client;
mod d1;
mod fetch;
mod guest;
mod injection;
mod invoke;
mod kv;
mod object;
pub mod options;
mod persist;

pub use account::{AccountItem, AccountKind, provisioned_name};
pub use d1::D1Reply;
pub use fetch::Gateway;
pub use kv::{KvAnswer, KvRead, KvReads};
pub use object::{CriticalSection, StubState};

use crate::bill::usage::{Meter, Usage, UtcDay};
use crate::exception::Exception;
use crate::fault::InForce;
use crate::history::{Actor, History, Op, Outcome, Record};
use crate::kernel::exec::{BoxedTask, Executor};
use crate::kernel::fingerprint::{Fingerprint, Step, Trace};
use crate::kernel::queue::{Event, Queue, TimerId};
use crate::kernel::seed::Stream;
use crate::kernel::time::{Instant, nanos};
use crate::limits::Plan;
use crate::platform::d1::D1;
use crate::platform::durable::{Class, ObjectRef};
use crate::platform::isolate::Isolates;
use crate::platform::kv::Namespace;
use crate::platform::outbound::{Outbound, Received};
use crate::platform::rate_limit::RateLimits;
use crate::script::{ObjectClass, Script};
use crate::topology::{Pop, Topology};
use edgeproof_isolate::IsolateId;
use options::Options;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

thread_local! {
    static CURRENT: RefCell<Option<World>> = const { RefCell::new(None) };
    static SCOPE: RefCell<Scope> = const { RefCell::new(None) };
}

/// Who is running: an invocation of the Worker or of an object, or nobody (the test's own code, the platform).
pub type Scope = Option<Rc<Invocation>>;

/// One event being handled: a request, an alarm, a cron trigger.
#[derive(Debug)]
pub struct Invocation {
    /// Number in the run.
    pub id: u64,
    /// Where it runs.
    pub pop: Pop,
    /// In whose memory.
    pub isolate: IsolateId,
    /// The object, if it is one that runs.
    pub object: Option<ObjectRef>,
    /// Inside a critical section of its object (`blockConcurrencyWhile`): its I/O passes the closed input gate.
    critical: bool,
    /// Calls so far, against the limits of an invocation.
    fetches: Cell<u32>,
    internal_calls: Cell<u32>,
    kv_operations: Cell<u32>,
    d1_queries: Cell<u32>,
    /// When its answer was sent: `waitUntil` tasks have 30 s from then.
    ended_at: Cell<Option<Instant>>,
    /// `waitUntil` tasks that must learn that it ended.
    wait_until: RefCell<Vec<Waker>>,
}

/// What a binding's name stands for.
#[derive(Debug, Clone)]
pub enum Binding {
    /// A plain-text variable.
    Var(Rc<str>),
    /// A secret: like a variable, but never printed.
    Secret(Secret),
    /// A JSON variable.
    Json(Rc<serde_json::Value>),
    /// A KV namespace, by its number.
    Kv(u32),
    /// A Durable Object class, by its number.
    Objects(u16),
    /// A D1 database, by its number.
    D1(u32),
}

/// A secret's value; its `Debug` does not show it.
#[derive(Clone)]
pub struct Secret(pub Rc<str>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// A simulated Cloudflare. Cheap to clone: all clones are the same world, and it ends with the last of them.
#[derive(Clone)]
pub struct World(
    Rc<Inner>,
    #[expect(dead_code, reason = "it is there to be dropped")] Option<Rc<Owner>>,
);

/// Shared by the clones that a user holds. Tasks hold the world too, and the world holds the tasks; dropping them with
/// the last user's clone breaks that circle.
struct Owner(Rc<Inner>);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.executor.clear();
        // The memory of the world's isolates lives on the thread.
        let first = self.0.isolates.borrow().first();
        edgeproof_isolate::evict_range(first..first + builder::ISOLATES_PER_WORLD);
    }
}

struct Inner {
    seed: u64,
    start: Instant,
    now: Cell<Instant>,
    queue: RefCell<Queue>,
    executor: Executor<Scope>,
    fingerprint: Cell<Fingerprint>,
    trace: Option<RefCell<Trace>>,
    events: Cell<u64>,
    topology: Topology,
    pops: Vec<Pop>,
    /// The central KV store that each PoP asks.
    kv_sites: Vec<Pop>,
    options: Options,
    /// Whether `deleteAll()` deletes the alarm too, by the Worker's compatibility date.
    delete_all_deletes_alarm: bool,
    plan: Plan,
    script: Rc<dyn Script>,
    bindings: Vec<(Rc<str>, Binding)>,
    namespaces: RefCell<Vec<Namespace>>,
    classes: RefCell<Vec<Class>>,
    class_code: Vec<Rc<dyn ObjectClass>>,
    /// The instances of live objects.
    instances: RefCell<object::Instances>,
    databases: RefCell<Vec<D1>>,
    /// What of the above has which id and name.
    account: RefCell<account::Account>,
    /// How often objects wrote.
    object_commits: Cell<u64>,
    /// Where the world keeps its files.
    folder: Option<std::path::PathBuf>,
    /// Where databases live that are made in the run.
    d1_home: Pop,
    rate_limits: RefCell<RateLimits>,
    outbound: RefCell<Outbound>,
    gateway: Option<Rc<dyn Gateway>>,
    isolates: RefCell<Isolates>,
    /// The isolate that hosts objects, per PoP.
    object_hosts: RefCell<Vec<Option<IsolateId>>>,
    usage: RefCell<Usage>,
    history: Option<RefCell<History>>,
    faults: RefCell<InForce>,
    network: RefCell<Stream>,
    user: RefCell<Stream>,
    ids: RefCell<Stream>,
    alarms: RefCell<Stream>,
    fault: RefCell<Stream>,
    /// Objects that wrote in this turn.
    dirty: RefCell<Vec<(u16, u32)>>,
    next_invocation: Cell<u64>,
    next_client: Cell<u32>,
    console: bool,
}

impl World {
    /// The world that runs on this thread.
    ///
    /// # Panics
    /// Outside of a run: a handle of the façade works only inside a Worker.
    pub fn current() -> Self {
        CURRENT
            .with_borrow(|world| world.clone())
            .expect("bindings of a Worker are used inside World::run only")
    }

    /// The world that runs on this thread, if one does.
    pub fn try_current() -> Option<Self> {
        CURRENT
            .try_with(|world| world.borrow().clone())
            .ok()
            .flatten()
    }

    /// Runs `driver` in this world, and the world with it, until the driver returns.
    ///
    /// What is still under way then (`waitUntil` tasks, alarms, timers) goes on in the next run.
    ///
    /// # Panics
    /// If another world runs on this thread; if the driver waits for something that can never happen.
    pub fn run<T>(&self, driver: impl AsyncFnOnce(&Self) -> T) -> T {
        let _entered = self.enter();
        let mut future = pin!(driver(self));
        let mut result = None;
        let mut poll_driver =
            |waker: &Waker| match future.as_mut().poll(&mut Context::from_waker(waker)) {
                Poll::Ready(value) => {
                    result = Some(value);
                    true
                }
                Poll::Pending => false,
            };
        self.0.executor.wake_driver();
        while !self.turn(&mut poll_driver) {
            assert!(
                self.fire_next(Instant::NEVER),
                "nothing is left to happen, and the run still waits for something"
            );
        }
        result.expect("a turn ends early only when the driver has returned")
    }

    /// Enters the world for as long as the guard lives; [`drive`](Self::drive) then moves it by the wall clock.
    pub fn enter(&self) -> Entered {
        self.0.executor.enter();
        CURRENT.set(Some(self.handle()));
        Entered(self.handle())
    }

    /// Does everything that is due at `now` and says when the next thing is. For a world under the wall clock; `outer`
    /// is woken when something becomes ready in between.
    pub fn drive(&self, now: Instant, outer: &Waker) -> Option<Instant> {
        self.0.executor.set_outer_waker(outer);
        // What became ready since the last time did so now, not then; but nothing may overtake a timer.
        let next_at = self.0.queue.borrow_mut().next_at();
        let present = next_at.map_or(now, |next_at| now.min(next_at));
        self.0.now.set(self.now().max(present));
        let no_driver = &mut |_: &Waker| false;
        self.turn(no_driver);
        while self.fire_next(now) {
            self.turn(no_driver);
        }
        self.0.now.set(self.now().max(now));
        self.0.queue.borrow_mut().next_at()
    }

    /// Polls what is ready, then ends the turn: what it wrote is committed. True once the driver is done.
    fn turn(&self, driver: &mut dyn FnMut(&Waker) -> bool) -> bool {
        loop {
            let done = self.0.executor.run_ready(
                |scope, poll| {
                    let before = SCOPE.replace(scope.clone());
                    let isolate = edgeproof_isolate::enter(
                        scope.as_ref().map_or(0, |invocation| invocation.isolate),
                    );
                    poll();
                    edgeproof_isolate::enter(isolate);
                    SCOPE.set(before);
                },
                driver,
            );
            let woken = self.commit_turn();
            if done {
                return true;
            }
            if !woken {
                return false;
            }
        }
    }

    /// Moves time to the next timer at or before `until`, and fires it.
    fn fire_next(&self, until: Instant) -> bool {
        let mut queue = self.0.queue.borrow_mut();
        match queue.next_at() {
            Some(at) if at <= until => {}
            _ => return false,
        }
        let (at, event, waker) = queue.fire().expect("a next timer was seen");
        drop(queue);
        self.0.now.set(self.now().max(at));
        self.0.events.set(self.0.events.get() + 1);
        self.mix(event.name, event.detail);
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }

    /// Adds an event to the fingerprint.
    fn mix(&self, name: &'static str, detail: u64) {
        let mut fingerprint = self.0.fingerprint.get();
        fingerprint
            .mix(self.now().0 ^ (name.len() as u64) << 56 ^ u64::from(name.as_bytes()[0]) << 48);
        fingerprint.mix(detail);
        self.0.fingerprint.set(fingerprint);
        if let Some(trace) = &self.0.trace {
            trace.borrow_mut().push(Step {
                at: self.now(),
                event: name,
                fingerprint,
            });
        }
    }

    // --- what a test reads -----------------------------------------------------------------------------------------

    /// Virtual time.
    pub fn now(&self) -> Instant {
        self.0.now.get()
    }

    /// When the run began.
    pub fn start(&self) -> Instant {
        self.0.start
    }

    /// Virtual time since the beginning of the run.
    pub fn elapsed(&self) -> Duration {
        self.now().since(self.0.start)
    }

    /// The world's seed.
    pub fn seed(&self) -> u64 {
        self.0.seed
    }

    /// The hash over everything that happened so far.
    pub fn fingerprint(&self) -> Fingerprint {
        self.0.fingerprint.get()
    }

    /// The steps of the fingerprint, if the world was built to keep them.
    pub fn trace(&self) -> Trace {
        self.0
            .trace
            .as_ref()
            .map(|trace| trace.borrow().clone())
            .unwrap_or_default()
    }

    /// Number of events so far.
    pub fn events(&self) -> u64 {
        self.0.events.get()
    }

    /// Number of tasks that have not ended: `waitUntil`, alarms, idle timers, calls that nobody waits for.
    pub fn tasks(&self) -> usize {
        self.0.executor.len()
    }

    /// The PoPs that this world has clients in, in the order in which they were named.
    pub fn pops(&self) -> &[Pop] {
        &self.0.pops
    }

    /// The account's plan.
    pub fn plan(&self) -> Plan {
        self.0.plan
    }

    /// What was used so far, per product and UTC day, storage included.
    pub fn usage(&self) -> Usage {
        let mut usage = self.0.usage.borrow_mut();
        let today = UtcDay::at(self.now().0);
        let stored = self
            .0
            .namespaces
            .borrow()
            .iter()
            .map(Namespace::stored_bytes)
            .sum();
        usage.level(today, Meter::KvStoredBytes, stored);
        let classes = self.0.classes.borrow();
        let stored = classes
            .iter()
            .flat_map(Class::objects)
            .map(|object| object.storage.stored_bytes())
            .sum();
        usage.level(today, Meter::ObjectStoredBytes, stored);
        let stored = self.0.databases.borrow().iter().map(D1::size_bytes).sum();
        usage.level(today, Meter::D1StoredBytes, stored);
        usage.clone()
    }

    /// What happened so far; empty unless the world was built with a history.
    pub fn history(&self) -> History {
        self.0
            .history
            .as_ref()
            .map(|history| history.borrow().clone())
            .unwrap_or_default()
    }

    /// What a simulated origin received so far.
    pub fn received(&self, host: &str) -> Vec<Received> {
        self.0.outbound.borrow().received(host).to_vec()
    }

    /// Runs SQL on a database directly, as `wrangler d1 execute` does; neither simulated time nor the bill notices.
    ///
    /// # Errors
    /// No database with that binding, or SQLite's error.
    pub fn query(&self, binding: &str, sql: &str) -> Result<crate::sql::Outcome, String> {
        let mut databases = self.0.databases.borrow_mut();
        let database = databases
            .iter_mut()
            .find(|database| &*database.binding == binding);
        let database = database.ok_or_else(|| format!("no D1 database is bound as `{binding}`"))?;
        database
            .inspect(self.now(), sql)
            .map_err(|failure| failure.message)
    }

    /// A clone that does not keep the world's tasks alive: what operations hold.
    fn handle(&self) -> Self {
        Self(Rc::clone(&self.0), None)
    }

    // --- what the simulator's own code uses ------------------------------------------------------------------------

    /// The invocation that is running.
    pub fn scope() -> Scope {
        SCOPE.with_borrow(Clone::clone)
    }

    /// The invocation that is running.
    ///
    /// # Errors
    /// Outside of a Worker.
    pub fn invocation() -> Result<Rc<Invocation>, Exception> {
        Self::scope().ok_or_else(|| {
            Exception::error("This binding was used outside of an invocation of the Worker.")
        })
    }

    /// The binding of this name.
    pub fn binding(&self, name: &str) -> Option<&Binding> {
        let place = self
            .0
            .bindings
            .binary_search_by(|(bound, _)| (**bound).cmp(name))
            .ok()?;
        Some(&self.0.bindings[place].1)
    }

    /// A draw from the stream of the Worker's own code, as `Math.random()`.
    pub fn random(&self) -> f64 {
        self.0.user.borrow_mut().unit()
    }

    /// Sleeps until an instant; the instant's arrival is an event of the fingerprint.
    pub(crate) fn sleep_until(&self, at: Instant, name: &'static str, detail: u64) -> Sleep {
        Sleep {
            world: self.handle(),
            at,
            event: Event { name, detail },
            timer: None,
        }
    }

    /// Sleeps for a while. Inside an object the wake-up waits for the input gate.
    pub fn sleep(&self, duration: Duration) -> Operation<()> {
        let world = self.handle();
        let at = self.now() + duration;
        Operation::new(async move {
            world.sleep_until(at, "timer", 0).await;
            world.deliver().await;
        })
    }

    /// A timer that stops when it is dropped, as `clearTimeout` does.
    pub fn timer(&self, duration: Duration) -> crate::script::LocalBoxFuture<()> {
        let world = self.handle();
        let at = self.now() + duration;
        Box::pin(async move {
            world.sleep_until(at, "timeout", 0).await;
            world.deliver().await;
        })
    }

    /// Adds a task that runs in the scope of whoever spawns it.
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.spawn_in(Self::scope(), Box::pin(task));
    }

    fn spawn_in(&self, scope: Scope, task: BoxedTask) {
        self.0.executor.spawn(scope, task);
    }

    /// Time a message takes from one PoP to another at this moment.
    ///
    /// # Errors
    /// A partition between the two.
    fn travel(&self, from: Pop, to: Pop) -> Result<u64, Exception> {
        let mut time = self.0.topology.one_way(from, to);
        let jitter = self.0.options.network_jitter;
        if jitter > 0.0 {
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a few ns"
            )]
            let extra = (time as f64 * jitter * self.0.network.borrow_mut().unit()) as u64;
            time += extra;
        }
        let faults = self.0.faults.borrow();
        if !faults.is_empty() {
            if faults.partitioned(self.now(), from, to) {
                return Err(
                    Exception::error(crate::platform::outbound::NETWORK_CONNECTION_LOST)
                        .retryable(),
                );
            }
            time += nanos(faults.extra_latency(self.now(), from, to));
        }
        Ok(time)
    }

    fn count(&self, meter: Meter, amount: u64) {
        self.0
            .usage
            .borrow_mut()
            .add(UtcDay::at(self.now().0), meter, amount);
    }

    fn keeps_history(&self) -> bool {
        self.0.history.is_some()
    }

    /// Writes a record; `make` is only called if there is a history.
    fn record(&self, start: Instant, scope: &Scope, make: impl FnOnce() -> (Op, Outcome)) {
        let Some(history) = &self.0.history else {
            return;
        };
        let (op, outcome) = make();
        let (actor, pop, isolate) = match scope {
            Some(invocation) => (
                self.actor(invocation),
                invocation.pop.code(),
                self.isolate_number(invocation.isolate),
            ),
            None => (Actor::Platform, "", None),
        };
        self.push_record(
            history,
            Record {
                start: start.0,
                end: self.now().0,
                pop: pop.to_owned(),
                isolate,
                actor,
                op,
                outcome,
            },
        );
    }

    fn push_record(&self, history: &RefCell<History>, record: Record) {
        history.borrow_mut().push(record);
    }

    fn actor(&self, invocation: &Invocation) -> Actor {
        match invocation.object {
            Some(object) => {
                let mut classes = self.0.classes.borrow_mut();
                let class = &mut classes[usize::from(object.class)];
                Actor::Object {
                    class: class.name.to_string(),
                    id: class.object(object.index).id.to_hex(),
                }
            }
            None => Actor::Invocation(invocation.id),
        }
    }

    /// The isolate's number within this world; the id itself is unique in the process.
    fn isolate_number(&self, isolate: IsolateId) -> Option<u32> {
        u32::try_from(isolate & 0xffff_ffff).ok()
    }

    fn new_invocation(
        &self,
        pop: Pop,
        isolate: IsolateId,
        object: Option<ObjectRef>,
    ) -> Rc<Invocation> {
        let id = self.0.next_invocation.get();
        self.0.next_invocation.set(id + 1);
        Rc::new(Invocation {
            id,
            pop,
            isolate,
            object,
            critical: false,
            fetches: Cell::new(0),
            internal_calls: Cell::new(0),
            kv_operations: Cell::new(0),
            d1_queries: Cell::new(0),
            ended_at: Cell::new(None),
            wait_until: RefCell::new(Vec::new()),
        })
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World")
            .field("seed", &self.0.seed)
            .field("now", &self.now())
            .finish_non_exhaustive()
    }
}

/// While it lives, the world is the one of this thread.
#[derive(Debug)]
pub struct Entered(World);

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(None);
        self.0.0.executor.leave();
    }
}

/// See [`World::sleep_until`].
pub(crate) struct Sleep {
    world: World,
    at: Instant,
    event: Event,
    timer: Option<TimerId>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let mut queue = this.world.0.queue.borrow_mut();
        let timer = *this
            .timer
            .get_or_insert_with(|| queue.start(this.at, this.event));
        if queue.poll(timer, context.waker()) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(timer) = self.timer.take() {
            self.world.0.queue.borrow_mut().stop(timer);
        }
    }
}

/// A call of the platform. It begins with its first poll, and from then on it goes on whether or not anybody still
/// waits for it, as a promise does.
pub struct Operation<T: 'static> {
    future: Option<Pin<Box<dyn Future<Output = T>>>>,
    begun: bool,
    /// It has had its effect, and all that is left is to wait for an answer that nobody wants any more.
    ends_when_dropped: bool,
}

impl<T: 'static> Operation<T> {
    pub(crate) fn new(future: impl Future<Output = T> + 'static) -> Self {
        Self {
            future: Some(Box::pin(future)),
            begun: false,
            ends_when_dropped: false,
        }
    }

    /// The same, but dropping it ends it.
    pub(crate) fn ending_when_dropped(mut self) -> Self {
        self.ends_when_dropped = true;
        self
    }
}

impl<T: 'static> Future for Operation<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        self.begun = true;
        let future = self
            .future
            .as_mut()
            .expect("an operation is not polled after it has ended");
        let poll = future.as_mut().poll(context);
        if poll.is_ready() {
            self.future = None;
        }
        poll
    }
}

impl<T: 'static> Drop for Operation<T> {
    fn drop(&mut self) {
        if self.begun
            && !self.ends_when_dropped
            && let Some(future) = self.future.take()
            && let Some(world) = World::try_current()
        {
            world.spawn(async move {
                future.await;
            });
        }
    }
}

impl<T: 'static> std::fmt::Debug for Operation<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operation")
            .field("begun", &self.begun)
            .finish_non_exhaustive()
    }
}

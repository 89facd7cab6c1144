//! The world: one simulated Cloudflare, as a test calls it.
//!
//! - [`builder`]: what a world is made of.
//! - [`setup`]: many worlds from one builder, each with its own seed and faults.
//! - [`client`]: clients attached to PoPs, and how a request travels from one to the Worker and back.
//!
//! What a Worker's code calls is in [`host`](crate::host), what an administrator does in [`account`](crate::account).
//! All three use the engine, which drives the platform.

pub mod builder;
pub mod client;
mod deployment;
pub mod setup;

pub use crate::engine::deployment::DeployError;
pub use crate::engine::fetch::Gateway;
pub use crate::engine::options;
// What a test needs around a world whose clock and entropy are its thread's.
pub use edgeproof_interpose::{as_host, on_fresh_thread};

use crate::account::Account;
use crate::bill::usage::Usage;
use crate::engine::operation::Operation;
use crate::engine::{Engine, scope};
use crate::exception::Exception;
use crate::fault::{FaultKind, Space};
use crate::history::History;
use crate::host::Bindings;
use crate::kernel::fingerprint::{Fingerprint, Trace};
use crate::kernel::time::Instant;
use crate::limits::Plan;
use crate::platform::outbound::Received;
use crate::script::Script;
use crate::topology::Pop;
use std::future::Future;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

/// A simulated Cloudflare. Cheap to clone: all clones are the same world, and it ends with the last of them.
#[derive(Clone)]
pub struct World {
    engine: Engine,
    #[expect(dead_code, reason = "it is there to be dropped")]
    owner: Option<Rc<Owner>>,
}

/// Shared by the clones that a user holds. Tasks hold the engine, and the engine holds the tasks; dropping the tasks
/// with the last user's clone breaks that cycle.
struct Owner {
    engine: Engine,
    /// After the engine, because that holds the objects' instances.
    ended: Ended,
}

/// Tells the Workers' codes that their world has ended.
#[derive(Default)]
struct Ended(Vec<Rc<dyn Script>>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.iter().for_each(|script| script.world_ended());
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // Another world may run on this thread: what ends here must not continue there.
        scope::without_engine(|| {
            let engine = &self.engine.0;
            engine.clock.clear();
            // The memory of the world's isolates lives on the thread.
            let first = engine.isolates.borrow().first();
            edgeproof_isolate::evict_range(first..first + builder::ISOLATES_PER_WORLD);
            let scripts = engine.deployments.list.iter();
            self.ended.0 = scripts.map(|one| one.script.borrow().clone()).collect();
        });
    }
}

impl World {
    fn new(engine: Engine) -> Self {
        let owner = Some(Rc::new(Owner {
            engine: engine.clone(),
            ended: Ended::default(),
        }));
        Self { engine, owner }
    }

    /// The world that runs on this thread: for a test's own code inside a handler. It does not keep the world alive.
    ///
    /// # Panics
    /// Outside of a run.
    pub fn current() -> Self {
        let engine =
            scope::try_engine().expect("a world runs on this thread inside World::run only");
        Self {
            engine,
            owner: None,
        }
    }

    // --- running ---------------------------------------------------------------------------------------------------

    /// Runs `driver` in this world, and the world with it, until the driver returns.
    ///
    /// Meanwhile the operating system's clock and entropy are the world's on this thread, for the driver's code and for every
    /// Worker's: `SystemTime::now`, chrono, uuid, rand, the order of a `HashMap`. [`as_host`] gives the host's. A generator that
    /// the thread has kept from before, such as `rand::rng()`, goes on as it was; [`on_fresh_thread`] starts without any.
    ///
    /// Work that is unfinished by then (`waitUntil` tasks, alarms, timers) continues in the next run.
    ///
    /// # Panics
    /// If another world runs on this thread; if the driver waits for something that can never happen; with the backtrace of who
    /// asked, if a Worker wants of the host what no world has: CPU time, `/dev/urandom`, a second thread.
    pub fn run<T>(&self, driver: impl AsyncFnOnce(&Self) -> T) -> T {
        let _entered = self.enter();
        self.engine.run(driver(self))
    }

    /// Enters the world for as long as the guard lives; [`drive`](Self::drive) then moves it by the wall clock.
    pub fn enter(&self) -> Entered {
        Entered(self.engine.enter())
    }

    /// Runs everything that is due at `now` and returns the time of the next event. For a world under the wall clock;
    /// `outer` is woken when something becomes ready before then.
    pub fn drive(&self, now: Instant, outer: &Waker) -> Option<Instant> {
        self.engine.drive(now, outer)
    }

    /// Sleeps for a while.
    pub fn sleep(&self, duration: Duration) -> Operation<()> {
        self.engine.sleep(duration)
    }

    /// Adds a task.
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.engine.spawn(task);
    }

    /// Runs a cron trigger of the first Worker now, in the first PoP of the world, as if it were scheduled for now.
    ///
    /// Triggers also fire by themselves, unless the world was built without
    /// ([`Builder::crons`](builder::Builder::crons)).
    ///
    /// # Errors
    /// What the handler threw.
    ///
    /// # Panics
    /// If the Worker's configuration does not have the expression; the message names those that it has. A Worker without
    /// a configuration may be given any expression.
    #[track_caller]
    pub fn scheduled(&self, cron: &str) -> Operation<Result<(), Exception>> {
        if let Some(refused) = self.engine.refused_cron(0, cron) {
            panic!("{refused}");
        }
        let (engine, cron) = (self.engine.clone(), cron.to_owned());
        Operation::new(async move { engine.scheduled(0, &cron, engine.now()).await })
    }

    // --- changing what runs ----------------------------------------------------------------------------------------

    /// Starts a fault now.
    ///
    /// A propagation delay that was not in the world's list cannot bring back versions that were overwritten before.
    ///
    /// # Panics
    /// If the fault names what this world does not have (see [`space`](Self::space)), or if its figures make no sense.
    pub fn inject(&self, kind: FaultKind) {
        assert!(kind.is_valid(), "no such fault can happen: {kind}");
        if let Err(unknown) = self.engine.inject(&kind) {
            panic!("{unknown}");
        }
    }

    /// What a fault can name in this world.
    pub fn space(&self) -> Space {
        self.engine.space()
    }

    /// Gives a Worker new code, as a deployment does, and returns the number of the code.
    ///
    /// Requests that come from now on run the new code, and its objects are reset (`RESET_CODE_UPDATED`); requests in
    /// flight finish in the old code. Bindings stay. The simulator does not model that a deployment reaches one PoP
    /// after the other.
    ///
    /// # Errors
    /// No Worker of this name, or a class that has a namespace is missing in the new code.
    pub fn deploy(&self, worker: &str, script: &Rc<dyn Script>) -> Result<u32, DeployError> {
        self.engine.deploy(worker, script)
    }

    // --- reading ---------------------------------------------------------------------------------------------------

    /// Virtual time.
    pub fn now(&self) -> Instant {
        self.engine.now()
    }

    /// When the run began.
    pub fn start(&self) -> Instant {
        self.engine.0.clock.start()
    }

    /// Virtual time since the beginning of the run.
    pub fn elapsed(&self) -> Duration {
        self.now().since(self.start())
    }

    /// The world's seed.
    pub fn seed(&self) -> u64 {
        self.engine.0.settings.seed
    }

    /// The hash over everything that happened so far: every event and its time, every operation, its input and its outcome.
    pub fn fingerprint(&self) -> Fingerprint {
        self.engine.0.clock.fingerprint()
    }

    /// The steps of the fingerprint, if the world was built to keep them.
    pub fn trace(&self) -> Trace {
        self.engine.0.clock.trace()
    }

    /// Number of events so far.
    pub fn events(&self) -> u64 {
        self.engine.0.clock.events()
    }

    /// Number of tasks that have not ended: `waitUntil`, alarms, idle timers, calls whose callers have stopped waiting.
    pub fn tasks(&self) -> usize {
        self.engine.0.clock.tasks()
    }

    /// The PoPs that this world has clients in, in the order in which they were named.
    pub fn pops(&self) -> &[Pop] {
        &self.engine.0.network.pops
    }

    /// The account's plan.
    pub fn plan(&self) -> Plan {
        self.engine.plan()
    }

    /// What was used so far, per product and UTC day, storage included.
    pub fn usage(&self) -> Usage {
        self.engine.usage()
    }

    /// What happened so far; empty unless the world was built with a history.
    pub fn history(&self) -> History {
        self.engine.history()
    }

    /// What a simulated origin received so far.
    pub fn received(&self, host: &str) -> Vec<Received> {
        self.engine.0.outbound.borrow().received(host).to_vec()
    }

    /// Runs SQL on a database directly, as `wrangler d1 execute` does; it takes no simulated time and is not billed.
    ///
    /// # Errors
    /// No database with that binding, or SQLite's error.
    pub fn query(&self, binding: &str, sql: &str) -> Result<crate::sql::Outcome, String> {
        let mut databases = self.engine.0.databases.borrow_mut();
        let database = databases
            .iter_mut()
            .find(|database| &*database.binding == binding);
        let database = database.ok_or_else(|| format!("no D1 database is bound as `{binding}`"))?;
        database
            .inspect(self.now(), sql)
            .map_err(|failure| failure.message)
    }

    // --- the other audiences ---------------------------------------------------------------------------------------

    /// The account, as an administrator sees it.
    pub fn account(&self) -> Account {
        Account(self.engine.clone())
    }

    /// The bindings of a Worker's code, for guests.
    pub fn bindings(&self) -> Bindings {
        Bindings(self.engine.clone())
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World")
            .field("seed", &self.seed())
            .field("now", &self.now())
            .finish_non_exhaustive()
    }
}

/// While it lives, the world is the one of this thread.
pub struct Entered(#[expect(dead_code, reason = "it is there to be dropped")] scope::Entered);

impl std::fmt::Debug for Entered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Entered")
    }
}

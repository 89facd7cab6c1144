//! The engine: one simulated Cloudflare on one thread, driving the platform through virtual time.
//!
//! Three handles use it, one for each audience: a test holds a [`World`](crate::world::World), a Worker's code (through
//! the façade) and guests hold [`Bindings`](crate::host::Bindings), an administrator holds an
//! [`Account`](crate::account::Account). The engine knows none of the three.
//!
//! File by file:
//! - `clock`: virtual time, the loop, sleeping, the fingerprint.
//! - `scope`: who is running; `operation`: a call that continues when its future is dropped; `record`: the history.
//! - `network`: messages between PoPs, and how faults change them; `fault`: starts the faults.
//! - `deployment`: the Workers of this world, their bindings and their code; `invoke`: isolates, events, `waitUntil`;
//!   `hosts`: the isolates of objects.
//! - `cron`: triggers that fire by themselves.
//! - `kv`, `object`, `d1`, `fetch`, `rate_limit`: calls of the platform: send, arrive, act, answer.
//! - `inventory`: which namespaces and databases the account has; `persist`: state kept between runs of a server,
//!   with `saved`, an object in it.
//! - [`options`]: every assumption about latency, as options.
//!
//! A call of the platform is an [`Operation`]: straight-line `async` code that sleeps while its messages travel, and
//! calls a state machine of [`platform`](crate::platform) when they arrive.

mod ambient;
pub(crate) mod clock;
pub(crate) mod cron;
pub(crate) mod d1;
pub(crate) mod deployment;
pub(crate) mod digest;
mod fault;
pub(crate) mod fetch;
pub(crate) mod hosts;
pub(crate) mod inventory;
mod invoke;
pub(crate) mod kv;
mod network;
pub(crate) mod object;
pub(crate) mod operation;
pub mod options;
pub(crate) mod persist;
mod rate_limit;
pub(crate) mod record;
mod saved;
pub(crate) mod scope;
pub(crate) mod transfer;

pub(crate) use operation::Operation;
pub(crate) use scope::{Invocation, Scope};

use crate::bill::usage::{Meter, Usage, UtcDay};
use crate::fault::InForce;
use crate::kernel::seed::Stream;
use crate::kernel::time::Instant;
use crate::limits::Plan;
use crate::platform::d1::D1;
use crate::platform::durable::Class;
use crate::platform::isolate::Isolates;
use crate::platform::kv::Namespace;
use crate::platform::outbound::Outbound;
use crate::platform::rate_limit::RateLimits;
use crate::topology::{Pop, Topology};
use clock::Clock;
use cron::Crons;
use deployment::Deployments;
use hosts::Hosts;
use inventory::Inventory;
use options::Options;
use record::Recorder;
use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;

/// A simulated Cloudflare. Cheap to clone: all clones are the same one.
#[derive(Clone)]
pub(crate) struct Engine(pub(crate) Rc<Inner>);

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("seed", &self.0.settings.seed)
            .field("now", &self.now())
            .finish_non_exhaustive()
    }
}

/// The engine's parts.
pub(crate) struct Inner {
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    pub(crate) network: Network,
    pub(crate) chance: Chance,
    pub(crate) recorder: Recorder,
    /// The cron triggers that fire by themselves.
    pub(crate) crons: RefCell<Crons>,
    pub(crate) deployments: Deployments,
    /// The ids and names of the stores below.
    pub(crate) inventory: RefCell<Inventory>,
    pub(crate) namespaces: RefCell<Vec<Namespace>>,
    pub(crate) classes: RefCell<Vec<Class>>,
    /// The instances of live objects.
    pub(crate) instances: RefCell<object::Instances>,
    pub(crate) databases: RefCell<Vec<D1>>,
    pub(crate) rate_limits: RefCell<RateLimits>,
    pub(crate) outbound: RefCell<Outbound>,
    pub(crate) gateway: Option<Rc<dyn fetch::Gateway>>,
    pub(crate) isolates: RefCell<Isolates>,
    /// The isolates that host objects.
    pub(crate) hosts: Hosts,
    /// Objects that wrote in this turn.
    pub(crate) dirty: RefCell<Vec<(u16, u32)>>,
    /// How often objects wrote.
    pub(crate) object_commits: Cell<u64>,
    pub(crate) usage: RefCell<Usage>,
    pub(crate) faults: RefCell<InForce>,
    pub(crate) next_invocation: Cell<u64>,
    pub(crate) next_client: Cell<u32>,
}

/// The settings that do not change during a run.
pub(crate) struct Settings {
    pub(crate) seed: u64,
    pub(crate) plan: Plan,
    pub(crate) options: Options,
    /// The folder of the engine's files; `None` unless it is a server with a state folder.
    pub(crate) folder: Option<PathBuf>,
    /// Whether console lines of Workers are printed.
    pub(crate) console: bool,
}

/// The PoPs of a world, and the places of its stores.
pub(crate) struct Network {
    pub(crate) topology: Topology,
    /// The PoPs with clients.
    pub(crate) pops: Vec<Pop>,
    /// The central KV store that each PoP asks.
    pub(crate) kv_sites: Vec<Pop>,
    /// Where databases live.
    pub(crate) d1_home: Pop,
}

/// The random streams; see [`Stream`] for why there is more than one.
pub(crate) struct Chance {
    pub(crate) network: RefCell<Stream>,
    pub(crate) user: RefCell<Stream>,
    pub(crate) ids: RefCell<Stream>,
    pub(crate) alarms: RefCell<Stream>,
    pub(crate) fault: RefCell<Stream>,
    /// What a Worker's code draws from the operating system.
    pub(crate) entropy: RefCell<Stream>,
    /// The same for a test's code.
    pub(crate) test: RefCell<Stream>,
    /// The seeds of the next `HashMap`.
    pub(crate) map_keys: Cell<[u64; 2]>,
}

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        let stream = |name| RefCell::new(Stream::new(seed, name));
        Self {
            network: stream("network"),
            user: stream("user"),
            ids: stream("ids"),
            alarms: stream("alarms"),
            fault: stream("fault"),
            entropy: stream("entropy"),
            test: stream("test"),
            map_keys: {
                let mut maps = Stream::new(seed, "maps");
                Cell::new([maps.next_u64(), maps.next_u64()])
            },
        }
    }
}

impl Engine {
    /// Virtual time.
    pub(crate) fn now(&self) -> Instant {
        self.0.clock.now()
    }

    /// The account's plan.
    pub(crate) fn plan(&self) -> Plan {
        self.0.settings.plan
    }

    pub(crate) fn options(&self) -> &Options {
        &self.0.settings.options
    }

    pub(crate) fn count(&self, meter: Meter, amount: u64) {
        self.0
            .usage
            .borrow_mut()
            .add(UtcDay::at(self.now().0), meter, amount);
    }

    /// What was used so far, storage included.
    pub(crate) fn usage(&self) -> Usage {
        let mut usage = self.0.usage.borrow_mut();
        let today = UtcDay::at(self.now().0);
        let namespaces = self.0.namespaces.borrow();
        let stored = namespaces.iter().map(Namespace::stored_bytes).sum();
        usage.level(today, Meter::KvStoredBytes, stored);
        let classes = self.0.classes.borrow();
        let objects = classes.iter().flat_map(Class::objects);
        let stored = objects.map(|object| object.storage.stored_bytes()).sum();
        usage.level(today, Meter::ObjectStoredBytes, stored);
        let stored = self.0.databases.borrow().iter().map(D1::size_bytes).sum();
        usage.level(today, Meter::D1StoredBytes, stored);
        usage.clone()
    }
}

//! What a world is made of.

use super::account::{Account, database_file};
use super::options::Options;
use super::persist::State;
use super::{Binding, Gateway, Inner, Owner, Secret, World};
use crate::bill::usage::Usage;
use crate::fault::Fault;
use crate::history::History;
use crate::kernel::exec::Executor;
use crate::kernel::fingerprint::Fingerprint;
use crate::kernel::queue::Queue;
use crate::kernel::seed::Stream;
use crate::kernel::time::Instant;
use crate::limits::Plan;
use crate::platform::d1::D1;
use crate::platform::durable::Class;
use crate::platform::isolate::Isolates;
use crate::platform::kv::Namespace;
use crate::platform::outbound::{Origin, Outbound};
use crate::script::Script;
use crate::topology::{Pop, Topology};
use crate::wrangler::{ConfigError, Var, WorkerConfig};
use edgeproof_sqlite::SqlError;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Why a world could not be built.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum BuildError {
    /// The Worker's configuration cannot be honoured.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Config(#[from] ConfigError),
    /// Nobody said what Worker to run.
    #[error("no Worker: give the builder a script")]
    NoScript,
    /// A PoP that is not in the table.
    #[error("no PoP has the code {0:?}; the known ones are {known}", known = all_pops())]
    UnknownPop(String),
    /// A fault with figures that mean nothing.
    #[error(
        "no such fault can happen: {0}. A status is from 400 to 599, a ratio from 0 to 1, a factor no less than 0"
    )]
    Fault(String),
    /// A class that is bound and not exported.
    #[error("{file} binds the class {class}, which the Worker does not export")]
    NoClass {
        /// The configuration file.
        file: String,
        /// The class.
        class: String,
    },
    /// A binding to be left out that is not there.
    #[error("no binding is called {0:?}, so it cannot be left out")]
    NoBinding(String),
    /// A rate limiter for a Worker that runs in the simulator.
    #[error(
        "{file} binds the rate limiter {name}, which a Worker inside the simulator cannot have: how far its counters lag is not published. Limit in a Durable Object, or run the Worker in workerd"
    )]
    RateLimiter {
        /// The configuration file.
        file: String,
        /// The binding.
        name: String,
    },
    /// SQL of a migration or a seed that failed.
    #[error("{file}: {message}")]
    Sql {
        /// The file.
        file: String,
        /// SQLite's text.
        message: String,
    },
    /// A file that cannot be read.
    #[error("{0}")]
    File(#[from] std::io::Error),
}

fn all_pops() -> String {
    Pop::all().map(Pop::code).collect::<Vec<_>>().join(" ")
}

/// Puts a [`World`] together.
#[must_use]
pub struct Builder {
    script: Option<Rc<dyn Script>>,
    config: Option<WorkerConfig>,
    pops: Vec<String>,
    seed: u64,
    start: Instant,
    plan: Plan,
    options: Options,
    vars: BTreeMap<String, String>,
    secrets: BTreeMap<String, Secret>,
    absent: BTreeSet<String>,
    origins: Vec<(String, Origin)>,
    faults: Vec<Fault>,
    seeds: Vec<(String, String, String)>,
    gateway: Option<Rc<dyn Gateway>>,
    persist: Option<PathBuf>,
    migrate: bool,
    history: bool,
    trace: bool,
    console: bool,
}

impl World {
    /// A world with one client PoP (`IAD`), seed 0, on the free plan, that begins at 2026-01-01T00:00:00Z.
    pub fn builder() -> Builder {
        Builder {
            script: None,
            config: None,
            pops: vec!["IAD".to_owned()],
            seed: 0,
            start: Instant::from_unix_ms(1_767_225_600_000),
            plan: Plan::Free,
            options: Options::default(),
            vars: BTreeMap::new(),
            secrets: BTreeMap::new(),
            absent: BTreeSet::new(),
            origins: Vec::new(),
            faults: Vec::new(),
            seeds: Vec::new(),
            gateway: None,
            persist: None,
            migrate: true,
            history: false,
            trace: false,
            console: false,
        }
    }
}

impl Builder {
    /// The Worker's code.
    pub fn script(mut self, script: Rc<dyn Script>) -> Self {
        self.script = Some(script);
        self
    }

    /// The Worker's configuration, already read.
    pub fn config(mut self, config: WorkerConfig) -> Self {
        self.config = Some(config);
        self
    }

    /// The Worker's configuration: its `wrangler.toml`, for one environment.
    ///
    /// # Errors
    /// What the simulator cannot honour, with file and line.
    pub fn wrangler(
        self,
        path: impl AsRef<Path>,
        environment: Option<&str>,
    ) -> Result<Self, ConfigError> {
        let config = WorkerConfig::load(path.as_ref(), environment)?;
        Ok(self.config(config))
    }

    /// The PoPs with clients, by IATA code; the first is also where D1 lives unless the options say otherwise.
    pub fn pops<I: IntoIterator<Item: Into<String>>>(mut self, codes: I) -> Self {
        self.pops = codes.into_iter().map(Into::into).collect();
        self
    }

    /// The seed from which all chance comes.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// When the run begins, in milliseconds since the Unix epoch.
    pub fn start_unix_ms(mut self, ms: u64) -> Self {
        self.start = Instant::from_unix_ms(ms);
        self
    }

    /// The account's plan, for limits.
    pub fn plan(mut self, plan: Plan) -> Self {
        self.plan = plan;
        self
    }

    /// Assumptions about latency, and open points.
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Sets a variable, over what the configuration says.
    pub fn var(mut self, name: &str, value: &str) -> Self {
        self.vars.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Sets a secret.
    pub fn secret(mut self, name: &str, value: &str) -> Self {
        self.secrets.insert(name.to_owned(), Secret(value.into()));
        self
    }

    /// Leaves a binding out, as an environment that forgot it does.
    pub fn without(mut self, binding: &str) -> Self {
        self.absent.insert(binding.to_owned());
        self
    }

    /// Adds a simulated origin.
    pub fn origin(mut self, host: &str, origin: Origin) -> Self {
        self.origins.push((host.to_owned(), origin));
        self
    }

    /// What goes wrong, and when.
    pub fn faults(mut self, faults: impl IntoIterator<Item = Fault>) -> Self {
        self.faults.extend(faults);
        self
    }

    /// SQL to run on a database after its migrations; `source` is what errors call it.
    pub fn seed_sql(mut self, binding: &str, source: &str, sql: &str) -> Self {
        self.seeds
            .push((binding.to_owned(), source.to_owned(), sql.to_owned()));
        self
    }

    /// A way to real origins, for a world under the wall clock.
    pub fn gateway(mut self, gateway: Rc<dyn Gateway>) -> Self {
        self.gateway = Some(gateway);
        self
    }

    /// Keeps SQL in files of this folder, and takes up what [`World::save`] left there.
    pub fn persist(mut self, folder: impl Into<PathBuf>) -> Self {
        self.persist = Some(folder.into());
        self
    }

    /// Whether databases get their migrations before the run, as after a deployment. They do, unless somebody is to apply them
    /// by hand.
    pub fn migrate(mut self, apply: bool) -> Self {
        self.migrate = apply;
        self
    }

    /// Keeps a record of every operation. Memory grows with the run.
    pub fn history(mut self, keep: bool) -> Self {
        self.history = keep;
        self
    }

    /// Keeps every step of the fingerprint. Memory grows with the run.
    pub fn trace(mut self, keep: bool) -> Self {
        self.trace = keep;
        self
    }

    /// Prints the Worker's console lines to the standard error output.
    pub fn console(mut self, print: bool) -> Self {
        self.console = print;
        self
    }

    /// Builds the world: bindings made, migrations and seeds applied, nothing running yet.
    ///
    /// # Errors
    /// See [`BuildError`].
    pub fn build(self) -> Result<World, BuildError> {
        let script = self.script.clone().ok_or(BuildError::NoScript)?;
        let pops = self
            .pops
            .iter()
            .map(|code| pop(code))
            .collect::<Result<Vec<_>, _>>()?;
        let first = *pops
            .first()
            .ok_or_else(|| BuildError::UnknownPop(String::new()))?;
        for fault in &self.faults {
            if !fault.kind.is_valid() {
                return Err(BuildError::Fault(fault.to_string()));
            }
            for code in fault.kind.pops() {
                pop(code)?;
            }
        }
        let topology = Topology::new(&self.options.latency);
        let sites = self
            .options
            .kv_sites
            .iter()
            .map(|code| pop(code))
            .collect::<Result<Vec<_>, _>>()?;
        let sites = if sites.is_empty() { vec![first] } else { sites };
        let nearest = |from: Pop| {
            sites
                .iter()
                .copied()
                .min_by_key(|site| topology.one_way(from, *site))
        };
        let kv_sites = Pop::all()
            .map(|from| nearest(from).expect("there is a site"))
            .collect();
        let d1_home = self.options.d1_home.as_deref().map_or(Ok(first), pop)?;

        let mut bindings: BTreeMap<String, Binding> = BTreeMap::new();
        let mut namespaces = Vec::new();
        let mut classes: Vec<Class> = Vec::new();
        let mut class_code = Vec::new();
        let mut databases: Vec<D1> = Vec::new();
        let mut state = match &self.persist {
            None => State::default(),
            Some(folder) => {
                std::fs::create_dir_all(folder)?;
                State::load(folder)?
            }
        };
        let mut account = match &self.persist {
            None => Account::default(),
            Some(folder) => state.account(folder, self.config.as_ref(), self.start)?,
        };
        if let Some(config) = &self.config {
            if let Some(limiter) = config.rate_limits.first()
                && !script.runs_elsewhere()
            {
                return Err(BuildError::RateLimiter {
                    file: config.file.display().to_string(),
                    name: limiter.name.clone(),
                });
            }
            for (name, value) in &config.vars {
                let value = match value {
                    Var::Text(text) => Binding::Var(text.as_str().into()),
                    Var::Json(json) => Binding::Json(Rc::new(json.clone())),
                };
                bindings.insert(name.clone(), value);
            }
            // Two bindings that mean one item of the account are one namespace, and likewise for databases.
            for kv in &config.kv_namespaces {
                let fresh = u32::try_from(namespaces.len()).expect("fewer than 2^32 namespaces");
                let id = kv.id.as_deref();
                let (_, item) = account.bind_namespace(&config.name, &kv.binding, id, self.start);
                let number = *item.number.get_or_insert(fresh);
                if number == fresh {
                    namespaces.push(Namespace::new(kv.binding.as_str().into(), Pop::COUNT));
                }
                bindings.insert(kv.binding.clone(), Binding::Kv(number));
            }
            for object in &config.durable_objects {
                let number = match classes
                    .iter()
                    .position(|class| *class.name == *object.class)
                {
                    Some(number) => number,
                    None => {
                        let no_class = || BuildError::NoClass {
                            file: config.file.display().to_string(),
                            class: object.class.clone(),
                        };
                        class_code.push(script.class(&object.class).ok_or_else(no_class)?);
                        classes.push(Class::new(&object.class));
                        classes.len() - 1
                    }
                };
                let number = u16::try_from(number).expect("at most 500 classes (DOLIM)");
                bindings.insert(object.binding.clone(), Binding::Objects(number));
            }
            for d1 in &config.d1_databases {
                let fresh = u32::try_from(databases.len()).expect("fewer than 2^32 databases");
                let (id, name) = (d1.id.as_deref(), d1.name.as_deref());
                let (id, item) =
                    account.bind_database(&config.name, &d1.binding, id, name, self.start);
                let number = *item.number.get_or_insert(fresh);
                if number == fresh {
                    databases.push(self.database(d1, &id, d1_home)?);
                }
                bindings.insert(d1.binding.clone(), Binding::D1(number));
            }
        }
        account.worker = self
            .config
            .as_ref()
            .map_or("", |config| &config.name)
            .into();
        // The rest of the account is there too, bound or not.
        for item in account.namespaces.values_mut() {
            if item.number.is_none() {
                item.number = Some(u32::try_from(namespaces.len()).expect("fewer than 2^32"));
                namespaces.push(Namespace::new(Rc::clone(&item.name), Pop::COUNT));
            }
        }
        for (id, item) in &mut account.databases {
            if item.number.is_none() {
                item.number = Some(u32::try_from(databases.len()).expect("fewer than 2^32"));
                let opened = self.open(id, &item.name, d1_home);
                databases.push(opened.map_err(|failure| BuildError::Sql {
                    file: item.name.to_string(),
                    message: failure.message,
                })?);
            }
        }
        bindings.extend(
            self.vars
                .into_iter()
                .map(|(name, value)| (name, Binding::Var(value.into()))),
        );
        bindings.extend(
            self.secrets
                .into_iter()
                .map(|(name, value)| (name, Binding::Secret(value))),
        );
        for name in self.absent {
            bindings.remove(&name).ok_or(BuildError::NoBinding(name))?;
        }

        let mut outbound = Outbound::default();
        for (host, origin) in self.origins {
            outbound.set(&host, origin);
        }
        let stream = |name| Stream::new(self.seed, name);
        let isolates = Isolates::new(
            self.options.isolates,
            Pop::COUNT,
            first_isolate(),
            stream("isolates"),
        );
        let delete_all_deletes_alarm = self
            .config
            .as_ref()
            .is_some_and(WorkerConfig::delete_all_deletes_alarm);
        let inner = Rc::new(Inner {
            seed: self.seed,
            start: self.start,
            now: Cell::new(self.start),
            queue: RefCell::new(Queue::default()),
            executor: Executor::default(),
            fingerprint: Cell::new(Fingerprint::default()),
            trace: self.trace.then(RefCell::default),
            events: Cell::new(0),
            topology,
            pops,
            kv_sites,
            options: self.options,
            delete_all_deletes_alarm,
            plan: self.plan,
            script,
            bindings: bindings
                .into_iter()
                .map(|(name, binding)| (name.into(), binding))
                .collect(),
            namespaces: RefCell::new(namespaces),
            classes: RefCell::new(classes),
            class_code,
            instances: RefCell::default(),
            databases: RefCell::new(databases),
            account: RefCell::new(account),
            object_commits: Cell::new(0),
            folder: self.persist.clone(),
            d1_home,
            rate_limits: RefCell::default(),
            outbound: RefCell::new(outbound),
            gateway: self.gateway.clone(),
            isolates: RefCell::new(isolates),
            object_hosts: RefCell::new(vec![None; Pop::COUNT]),
            usage: RefCell::new(Usage::default()),
            history: self.history.then(|| RefCell::new(History::default())),
            faults: RefCell::default(),
            network: RefCell::new(stream("network")),
            user: RefCell::new(stream("user")),
            ids: RefCell::new(stream("ids")),
            alarms: RefCell::new(stream("alarms")),
            fault: RefCell::new(stream("fault")),
            dirty: RefCell::default(),
            next_invocation: Cell::new(1),
            next_client: Cell::new(1),
            console: self.console,
        });
        let world = World(Rc::clone(&inner), Some(Rc::new(Owner(inner))));
        if let Some(folder) = &self.persist {
            world.restore(folder, state)?;
        }
        world.plan_faults(self.faults);
        Ok(world)
    }

    /// Opens a database, with its migrations and seeds applied.
    fn database(
        &self,
        config: &crate::wrangler::D1Database,
        id: &str,
        home: Pop,
    ) -> Result<D1, BuildError> {
        let name = config.binding.as_str();
        let sql_error = |file: &str, message: String| BuildError::Sql {
            file: file.to_owned(),
            message,
        };
        let mut database = self
            .open(id, name, home)
            .map_err(|failure| sql_error(name, failure.message))?;
        let migrations = if self.migrate {
            config.migrations()?
        } else {
            Vec::new()
        };
        for migration in migrations {
            let applied = database.migrate(self.start, &migration.name, &migration.text);
            applied.map_err(|failure| sql_error(&migration.name, failure.message))?;
        }
        for (binding, source, sql) in &self.seeds {
            if binding == name {
                let applied = database.prepare_with(self.start, sql);
                applied.map_err(|failure| sql_error(source, failure.message))?;
            }
        }
        Ok(database)
    }

    /// Opens a database; `name` is what records call it.
    fn open(&self, id: &str, name: &str, home: Pop) -> Result<D1, SqlError> {
        let seed = Stream::new(self.seed, &format!("d1/{name}")).next_u64();
        let service = self.options.d1_service;
        match &self.persist {
            None => D1::new(name.into(), home, service, seed),
            Some(folder) => {
                let file = database_file(folder, id);
                D1::open(&file, name.into(), home, service, seed)
            }
        }
    }
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("pops", &self.pops)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

fn pop(code: &str) -> Result<Pop, BuildError> {
    Pop::from_code(code).ok_or_else(|| BuildError::UnknownPop(code.to_owned()))
}

/// How many isolates a world can number.
pub(super) const ISOLATES_PER_WORLD: u64 = 1 << 32;

/// Isolate numbers of a world: the lower half counts within the world, the upper tells the worlds of a process apart, so
/// that no two share module memory. Only the lower half is ever shown or hashed.
fn first_isolate() -> u64 {
    static WORLDS: AtomicU64 = AtomicU64::new(1);
    (WORLDS.fetch_add(1, Ordering::Relaxed) << 32) | 1
}

//! Describes a world and builds it.

mod assemble;
mod databases;
mod error;

pub use super::deployment::Deployment;
pub use error::BuildError;

use super::{Gateway, World};
use crate::engine::options::Options;
use crate::fault::Fault;
use crate::kernel::time::Instant;
use crate::limits::Plan;
use crate::platform::outbound::Origin;
use crate::script::{Elsewhere, Script};
use crate::wrangler::{ConfigError, WorkerConfig};
use databases::Images;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Puts a [`World`] together.
///
/// What configures a Worker is about the first one; more are added with [`worker`](Self::worker).
#[derive(Clone)]
#[must_use]
pub struct Builder {
    /// The first Worker; without code until [`script`](Self::script) gives it.
    first: Deployment,
    has_script: bool,
    others: Vec<Deployment>,
    pops: Vec<String>,
    seed: u64,
    start: Instant,
    plan: Plan,
    options: Options,
    origins: Vec<(String, Origin)>,
    faults: Vec<Fault>,
    seeds: Vec<(String, String, String)>,
    gateway: Option<Rc<dyn Gateway>>,
    persist: Option<PathBuf>,
    migrate: bool,
    crons: bool,
    history: bool,
    trace: bool,
    console: bool,
    /// The databases as they are before the run, if an earlier world of the same setup prepared them.
    images: Images,
}

impl World {
    /// A world with one client PoP (`IAD`), seed 0, on the free plan, that begins at 2026-01-01T00:00:00Z.
    pub fn builder() -> Builder {
        Builder {
            first: Deployment::new(Rc::new(Elsewhere)),
            has_script: false,
            others: Vec::new(),
            pops: vec!["IAD".to_owned()],
            seed: 0,
            start: Instant::from_unix_ms(1_767_225_600_000),
            plan: Plan::Free,
            options: Options::default(),
            origins: Vec::new(),
            faults: Vec::new(),
            seeds: Vec::new(),
            gateway: None,
            persist: None,
            migrate: true,
            crons: true,
            history: false,
            trace: false,
            console: false,
            images: Images::default(),
        }
    }
}

impl Builder {
    /// The Worker's code.
    pub fn script(mut self, script: Rc<dyn Script>) -> Self {
        self.first.script = script;
        self.has_script = true;
        self
    }

    /// The Worker's configuration, already read.
    pub fn config(mut self, config: WorkerConfig) -> Self {
        self.first.config = Some(config);
        self
    }

    /// The Worker's configuration: its `wrangler.toml`, for one environment.
    ///
    /// # Errors
    /// What the simulator cannot honour, with file and line.
    pub fn wrangler(
        mut self,
        path: impl AsRef<Path>,
        environment: Option<&str>,
    ) -> Result<Self, ConfigError> {
        self.first = self.first.wrangler(path, environment)?;
        Ok(self)
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
        self.first = self.first.var(name, value);
        self
    }

    /// Sets a secret.
    pub fn secret(mut self, name: &str, value: &str) -> Self {
        self.first = self.first.secret(name, value);
        self
    }

    /// Leaves a binding out, as an environment that forgot it does.
    pub fn without(mut self, binding: &str) -> Self {
        self.first = self.first.without(binding);
        self
    }

    /// Adds another Worker to the world.
    pub fn worker(mut self, deployment: Deployment) -> Self {
        self.others.push(deployment);
        self
    }

    /// Adds a simulated origin.
    pub fn origin(mut self, host: &str, origin: Origin) -> Self {
        self.origins.push((host.to_owned(), origin));
        self
    }

    /// The faults, and when each begins.
    pub fn faults(mut self, faults: impl IntoIterator<Item = Fault>) -> Self {
        self.faults.extend(faults);
        self
    }

    /// SQL to run on a database after its migrations; `source` names it in errors.
    pub fn seed_sql(mut self, binding: &str, source: &str, sql: &str) -> Self {
        self.seeds
            .push((binding.to_owned(), source.to_owned(), sql.to_owned()));
        self
    }

    /// A connection to real origins, for a world under the wall clock.
    pub fn gateway(mut self, gateway: Rc<dyn Gateway>) -> Self {
        self.gateway = Some(gateway);
        self
    }

    /// Keeps SQL in files of this folder, and takes up what [`Account::save`](crate::account::Account::save) left there.
    pub fn persist(mut self, folder: impl Into<PathBuf>) -> Self {
        self.persist = Some(folder.into());
        self
    }

    /// Whether databases get their migrations before the run, as after a deployment. By default they do; `false` leaves
    /// them to be applied by hand.
    pub fn migrate(mut self, apply: bool) -> Self {
        self.migrate = apply;
        self
    }

    /// Whether the cron triggers of the Workers' configurations fire by themselves, each at its minutes, in the first PoP. By
    /// default they do; `false` leaves them to [`World::scheduled`], which a test may call in either case.
    ///
    /// A trigger that fires is an event of the run. It does not keep a run going: [`World::run`] ends with its driver.
    pub fn crons(mut self, fire: bool) -> Self {
        self.crons = fire;
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

    /// The same, for worlds that copy their databases from the first of them. A builder that keeps state shares none,
    /// because its databases are files.
    pub(super) fn sharing_databases(mut self) -> Self {
        if self.persist.is_none() {
            self.images = Images::kept();
        }
        self
    }

    pub(super) fn replace_faults(mut self, faults: Vec<Fault>) -> Self {
        self.faults = faults;
        self
    }

    /// Builds the world: bindings made, migrations and seeds applied, nothing running yet.
    ///
    /// # Errors
    /// See [`BuildError`].
    pub fn build(self) -> Result<World, BuildError> {
        assemble::assemble(self)
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

/// How many isolates a world can number.
pub(super) const ISOLATES_PER_WORLD: u64 = 1 << 32;

//! The embedded simulator as a target: a Worker in a world of its own, on virtual time.
//!
//! Every user of the plan has a token and an address; tokens are signed with a secret of the world's own, so nothing real
//! is needed. No fault is injected and no origin hangs, so every request is answered and no time-out is kept.

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use edgeproof_sim::World;
use edgeproof_sim::bill;
use edgeproof_sim::check::staleness;
use edgeproof_sim::http::Request;
use edgeproof_sim::script::Script;
use edgeproof_sim::topology::Pop;
use edgeproof_sim::world::client::Client;
use edgeproof_sim::wrangler::{Var, WorkerConfig};
use http::HeaderValue;
use http::header::AUTHORIZATION;
use thiserror::Error;
use url::Url;

use super::{BudgetRow, Measured, Platform, Staleness};
use crate::answer::{Answer, SendError};
use crate::clock::Stopwatch;
use crate::configuration::Configuration;
use crate::contract::{Contract, Simulated};
use crate::driver::{Burst, Target};
use crate::observe::Checks;
use crate::plan::{Auth, Plan};
use crate::schedule::Planned;
use crate::secret::Secret;

/// Bursts up to this size keep a history, from which staleness is measured; a larger one's would fill the memory.
const HISTORY_REQUESTS: u64 = 20_000;

/// A Worker that the simulator can run.
#[derive(Clone)]
pub struct Worker {
    /// Its code.
    pub script: Rc<dyn Script>,
    /// Its configuration.
    pub configuration: Configuration,
    /// What its variables mean, and the tokens of its users.
    pub rules: Rc<dyn Simulated>,
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Worker({}, {:?})",
            self.configuration.file().display(),
            self.rules
        )
    }
}

/// The options of the simulated world, beside the plan and the Worker.
#[derive(Debug, Clone)]
pub struct Options {
    /// The environment of `wrangler.toml`; `None`: its top level.
    pub env: Option<String>,
    /// Variables that replace those of `wrangler.toml`.
    pub vars: Vec<(String, String)>,
}

/// Why the simulator could not run the plan: a PoP, environment or variable that does not exist, or a configuration
/// that is refused.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct EmbeddedError(String);

/// Runs `plan` in a world of its own. `progress` is called now and then with the number of requests sent.
pub fn run(
    contract: Rc<dyn Contract>,
    worker: &Worker,
    plan: &Plan,
    options: &Options,
    progress: &dyn Fn(u64),
) -> Result<Measured, EmbeddedError> {
    let refused = |problem: &dyn fmt::Display| EmbeddedError(problem.to_string());
    let config = worker.configuration.load(options.env.as_deref());
    let config = config.map_err(|problem| refused(&problem))?;
    let variables = variables(&config, options);
    let charge = contract.charge(plan);
    let configured = worker.rules.configured(charge, &variables);
    let seeds = worker.rules.seeds(&variables);
    let keep_history = plan.requests <= HISTORY_REQUESTS;
    let mut builder = World::builder()
        .script(Rc::clone(&worker.script))
        .config(config)
        .seed(plan.seed)
        .history(keep_history);
    for (name, value) in worker.rules.secrets() {
        builder = builder.secret(name, value);
    }
    if !plan.pops.is_empty() {
        builder = builder.pops(plan.pops.iter().map(|code| code.to_uppercase()));
    }
    for seed in seeds {
        builder = builder.seed_sql(seed.binding, seed.name, seed.sql);
    }
    for (name, value) in &options.vars {
        builder = builder.var(name, value);
    }
    let world = builder.build().map_err(|problem| refused(&problem))?;

    let checks = Checks::new(contract, plan, charge, configured.quota).inexact(configured.inexact);
    let stopwatch = Stopwatch::start();
    let tally = world.run(async |world| {
        let target = Embedded::new(world, plan, &*worker.rules);
        let burst = Burst::new(plan, target, checks, progress);
        burst.run().await;
        burst.finish().0
    });
    let wall_seconds = stopwatch.elapsed().as_secs_f64();
    let virtual_time = tally.duration();
    // What the Worker does after its answers (logs, alerts) belongs to the bill of the burst.
    world.run(async |world| world.sleep(AFTERMATH).await);

    let mut notes = Vec::new();
    let staleness = keep_history.then(|| staleness::measure(world.history().records()));
    if !keep_history {
        notes.push(format!(
            "staleness is measured in bursts of up to {HISTORY_REQUESTS} requests only"
        ));
    }
    let usage = world.usage();
    let budget = bill::plan::budget(&usage, world.plan(), virtual_time);
    Ok(Measured {
        tally,
        charge,
        configured: Some(configured),
        fresh: true,
        trouble: Vec::new(),
        notes,
        reconnects: 0,
        wall_seconds,
        platform: Some(Platform {
            usage: usage
                .totals()
                .map(|(name, amount)| (name.to_owned(), amount))
                .collect(),
            budget: budget
                .into_iter()
                .map(|row| BudgetRow {
                    allowance: row.allowance,
                    used: row.used,
                    per_day: row.per_day,
                    share: row.share,
                })
                .collect(),
            first_to_end: bill::plan::first_to_end(&usage, virtual_time)
                .map(|first| first.allowance.to_owned()),
            staleness: staleness
                .filter(|staleness| staleness.reads > 0)
                .map(|staleness| Staleness {
                    reads: staleness.reads,
                    stale: staleness.stale_reads,
                    p50_ms: staleness.median_stale_seconds * 1000.0,
                    p99_ms: staleness.p99_stale_seconds * 1000.0,
                    max_ms: staleness.max_stale_seconds * 1000.0,
                }),
            fingerprint: world.fingerprint().to_string(),
            virtual_seconds: virtual_time.as_secs_f64(),
        }),
        secrets: Vec::new(),
    })
}

/// How long to wait for work after the answers, in virtual time: as long as the platform allows it.
const AFTERMATH: Duration = edgeproof_sim::limits::workers::WAIT_UNTIL;

/// The variables of the world by name: those of the options, then those of the configuration.
fn variables(config: &WorkerConfig, options: &Options) -> impl Fn(&str) -> Option<String> + use<> {
    let given = options.vars.clone();
    let configured = config.vars.clone();
    move |name| {
        let given = given.iter().rev().find(|(given, _)| given == name);
        given
            .map(|(_, value)| value.clone())
            .or_else(|| match configured.get(name) {
                Some(Var::Text(text)) => Some(text.clone()),
                Some(Var::Json(_)) | None => None,
            })
    }
}

/// The world as a target.
struct Embedded {
    world: World,
    template: Request,
    /// One client per PoP and user, PoP by PoP.
    clients: Vec<Client>,
    users: usize,
    /// The `Authorization` of each user; empty where the plan has none.
    tokens: Vec<HeaderValue>,
}

impl Embedded {
    fn new(world: &World, plan: &Plan, rules: &dyn Simulated) -> Self {
        let url = format!("https://worker.example{}", plan.template.path_and_query);
        let url = Url::parse(&url).expect("the template's path begins with a slash");
        let template = Request {
            method: plan.template.method.clone(),
            url,
            headers: plan.template.headers.clone(),
            body: plan.template.body.clone(),
            cf: None,
        };
        let pops: &[Pop] = world.pops();
        let addresses: Vec<Client> = (0..plan.users).map(|_| world.client_at(pops[0])).collect();
        // A user keeps the address at every PoP: the limiter must not treat one user at two PoPs as two.
        let clients = pops.iter().flat_map(|pop| {
            addresses
                .iter()
                .map(|client| world.client_at(*pop).with_ip(client.ip()))
        });
        let clients = clients.collect();
        let tokens = match plan.auth {
            Auth::PerUser => (1..=plan.users)
                .map(|user| bearer(&rules.token(user, world.start().unix_seconds())))
                .collect(),
            Auth::None | Auth::Given => Vec::new(),
        };
        Self {
            world: world.clone(),
            template,
            clients,
            users: addresses.len(),
            tokens,
        }
    }
}

/// `Authorization` with a token.
fn bearer(token: &Secret) -> HeaderValue {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose()));
    if let Ok(value) = &mut value {
        value.set_sensitive(true);
    }
    value.expect("a token is ASCII")
}

impl Target for Embedded {
    async fn send(&self, planned: &Planned) -> Result<Answer, SendError> {
        let (pop, user) = (planned.pop.unwrap_or(0) as usize, planned.user as usize);
        let mut request = self.template.clone();
        if let Some(token) = self.tokens.get(user) {
            request.headers.insert(AUTHORIZATION, token.clone());
        }
        let answer = self.clients[pop * self.users + user].send(request).await;
        if answer.broken {
            return Err(SendError::Reset);
        }
        Ok(Answer {
            status: answer.status,
            headers: answer.headers,
            body: answer.body,
        })
    }

    fn now(&self) -> Duration {
        self.world.elapsed()
    }
}

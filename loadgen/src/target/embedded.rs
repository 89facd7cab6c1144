//! The embedded simulator as a target: the production Worker in a world of its own, on virtual time.
//!
//! The Worker is configured by its own `wrangler.toml`. Every user of the plan has a token and an address; tokens are
//! signed with a secret of the world's own, so nothing real is needed. No fault is injected and no origin hangs, so every
//! request is answered and no time-out is kept.

use std::time::Duration;

use edgeproof_sim::World;
use edgeproof_sim::bill;
use edgeproof_sim::check::staleness;
use edgeproof_sim::http::Request;
use edgeproof_sim::topology::Pop;
use edgeproof_sim::world::client::Client;
use edgeproof_sim::wrangler::{Var, WorkerConfig};
use edgeproof_worker::core::config::{Config, Environment};
use edgeproof_worker::core::jwt;
use edgeproof_worker::core::limiter::Algorithm;
use edgeproof_worker::core::policy::PolicyName;
use http::HeaderValue;
use http::header::AUTHORIZATION;
use thiserror::Error;
use url::Url;

use super::{BudgetRow, Measured, Platform, Staleness};
use crate::check::Checks;
use crate::clock::Stopwatch;
use crate::expect::{Charge, Quotas};
use crate::plan::{Auth, Plan, Planned};
use crate::run::{Answer, Burst, SendError, Target};

/// The Worker's configuration, as it deploys.
const WRANGLER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../worker/wrangler.toml");

/// Rows of the environment `development`: the demo user, among others.
const SEED: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../worker/seeds/development.sql"
);
const SEED_NAME: &str = "seeds/development.sql";

/// Signs tokens that are good in this world and nowhere else.
const JWT_SECRET: &str = "of the embedded simulator, good for no other Worker";

/// How long tokens are valid: no burst may outlive its tokens.
const TOKEN_SECONDS: u64 = 365 * 24 * 3600;

/// Bursts up to this size keep a history, from which staleness is measured; a larger one's would fill the memory.
const HISTORY_REQUESTS: u64 = 20_000;

/// What the simulated world is made of, beside the plan.
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

/// Runs `plan` in a world of its own. `progress` is told now and then how many requests were sent.
pub fn run(
    plan: &Plan,
    options: &Options,
    progress: &dyn Fn(u64),
) -> Result<Measured, EmbeddedError> {
    let refused = |problem: &dyn std::fmt::Display| EmbeddedError(problem.to_string());
    // Without `..`, because errors name the file.
    let wrangler = std::fs::canonicalize(WRANGLER)
        .map_err(|problem| EmbeddedError(format!("the Worker's wrangler.toml: {problem}")))?;
    let config = WorkerConfig::load(&wrangler, options.env.as_deref())
        .map_err(|problem| refused(&problem))?;
    let parsed = parsed(&config, options);
    let quotas = quotas(&parsed);
    let inexact = (parsed.rate_limiting && parsed.algorithm != Algorithm::SlidingLog)
        .then(|| parsed.algorithm.as_str());
    let keep_history = plan.requests <= HISTORY_REQUESTS;
    let mut builder = World::builder()
        .script(worker::native::script("edgeproof-worker"))
        .config(config)
        .seed(plan.seed)
        .secret("AUTH_JWT_SECRET", JWT_SECRET)
        .history(keep_history);
    if !plan.pops.is_empty() {
        builder = builder.pops(plan.pops.iter().map(|code| code.to_uppercase()));
    }
    if parsed.environment == Environment::Development {
        let sql = std::fs::read_to_string(SEED)
            .map_err(|problem| EmbeddedError(format!("the Worker's {SEED_NAME}: {problem}")))?;
        builder = builder.seed_sql("DB", SEED_NAME, &sql);
    }
    for (name, value) in &options.vars {
        builder = builder.var(name, value);
    }
    let world = builder.build().map_err(|problem| refused(&problem))?;

    let charge = Charge::of(plan);
    let checks = Checks::new(plan, charge, charge.quota(&quotas)).inexact(inexact);
    let stopwatch = Stopwatch::start();
    let tally = world.run(async |world| {
        let target = Embedded::new(world, plan);
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
        quotas: Some(quotas),
        inexact,
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

/// How long work after the answers is waited for, in virtual time: as long as the platform allows it.
const AFTERMATH: Duration = edgeproof_sim::limits::workers::WAIT_UNTIL;

/// What the Worker itself reads from its variables.
fn parsed(config: &WorkerConfig, options: &Options) -> Config {
    Config::from_lookup(|name| {
        let given = options.vars.iter().rev().find(|(given, _)| given == name);
        given
            .map(|(_, value)| value.clone())
            .or_else(|| match config.vars.get(name) {
                Some(Var::Text(text)) => Some(text.clone()),
                Some(Var::Json(_)) | None => None,
            })
    })
}

fn quotas(parsed: &Config) -> Quotas {
    let limit = |policy| u64::from(parsed.policies.get(policy).quota.limit);
    Quotas {
        general: limit(PolicyName::General),
        write: limit(PolicyName::Write),
        auth: limit(PolicyName::Auth),
        window_seconds: parsed.policies.get(PolicyName::General).quota.window_ms / 1000,
        enabled: parsed.rate_limiting,
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
    fn new(world: &World, plan: &Plan) -> Self {
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
        // A user keeps the address at every PoP: the limiter must not tell them apart by place.
        let clients = pops.iter().flat_map(|pop| {
            addresses
                .iter()
                .map(|client| world.client_at(*pop).with_ip(client.ip()))
        });
        let clients = clients.collect();
        let tokens = match plan.auth {
            Auth::PerUser => (1..=plan.users).map(|user| bearer(world, user)).collect(),
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

/// `Authorization` of a user of the burst, numbered from 1.
fn bearer(world: &World, user: u32) -> HeaderValue {
    let now = world.start().unix_seconds();
    let token = jwt::mint(
        JWT_SECRET,
        &format!("user-{user}"),
        "user",
        now,
        TOKEN_SECONDS,
    );
    let mut value = HeaderValue::from_str(&format!("Bearer {token}"));
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

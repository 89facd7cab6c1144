//! Days of traffic at the production Worker, in a world of its own: every request at its instant, whether or not those before it
//! have been answered; and a look at the bill now and then, to see when an allowance is used up.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use edgeproof_sim::World;
use edgeproof_sim::bill::prices::{self, Per};
use edgeproof_sim::bill::usage::{DAY_NANOS, Meter, Usage, UtcDay};
use edgeproof_sim::http::{Request, Response};
use edgeproof_sim::kernel::time::{Instant, SECOND, nanos};
use edgeproof_sim::limits::{self, Plan};
use edgeproof_sim::platform::outbound::Origin;
use edgeproof_sim::topology::Pop;
use edgeproof_sim::world::builder::BuildError;
use edgeproof_sim::world::client::Client;
use edgeproof_sim::wrangler::WorkerConfig;
use edgeproof_worker::core::jwt::Key;
use edgeproof_worker::core::password;
use serde_json::json;

use super::traffic::{Kind, POPS, Planned, Sender, Traffic, USERS};
use crate::server::{JWT_SECRET, Pair};

/// The first day, 2026-01-01.
const START_UNIX_MS: u64 = 1_767_225_600_000;

/// Signs tokens that are good in this world and nowhere else.
const SECRET: &str = "of a forecast's own world, good for no other Worker";

/// Longer than any forecast, in seconds: tokens do not expire within it.
const TOKEN_SECONDS: u64 = 10 * 365 * 24 * 3_600;

/// What stored passwords are hashed with. CPU time is not simulated, so nothing but the wait for the forecast depends on it.
const HASH_ITERATIONS: u32 = 1;

/// Where alerts go: a simulated host that takes them.
const ALERTS: &str = "alerts.example";

/// How often the bill is looked at.
const LOOK: u64 = 60 * SECOND;

/// How often it is when an allowance is about to be used up.
const CLOSE_LOOK: u64 = SECOND / 10;

/// What is to be run.
#[derive(Debug)]
pub(crate) struct Plans<'a> {
    pub(crate) config: WorkerConfig,
    pub(crate) vars: &'a [Pair],
    pub(crate) plan: Plan,
    pub(crate) seed: u64,
    pub(crate) days: u32,
    /// Of each day.
    pub(crate) requests: u64,
}

/// What the days gave.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) days: Vec<Day>,
    pub(crate) fingerprint: String,
    /// Triggers of the configuration that are not simple enough to be run here.
    pub(crate) crons_not_run: Vec<String>,
}

/// One UTC day.
#[derive(Debug)]
pub(crate) struct Day {
    pub(crate) date: UtcDay,
    /// What this day alone used.
    pub(crate) usage: Usage,
    pub(crate) answers: Answers,
    /// When daily allowances were used up, as time since 00:00 UTC.
    pub(crate) used_up: BTreeMap<Meter, Duration>,
}

/// Answers, counted.
#[derive(Debug, Default, Clone)]
pub(crate) struct Answers {
    /// By kind of request and status.
    pub(crate) statuses: BTreeMap<Kind, BTreeMap<u16, u64>>,
    /// By the value of `X-Cache`.
    pub(crate) x_cache: BTreeMap<String, u64>,
}

impl Answers {
    fn add(&mut self, kind: Kind, answer: &Response) {
        let statuses = self.statuses.entry(kind).or_default();
        *statuses.entry(answer.status).or_insert(0) += 1;
        if let Some(value) = answer.header("x-cache") {
            *self.x_cache.entry(value.to_owned()).or_insert(0) += 1;
        }
    }

    /// How many there are.
    pub(crate) fn total(&self) -> u64 {
        self.statuses.values().flat_map(BTreeMap::values).sum()
    }
}

/// Runs the days one after the other in one world, so that the later ones begin with what the earlier ones stored.
pub(crate) fn run(plans: Plans<'_>) -> Result<Outcome, BuildError> {
    let traffic = Traffic::reference(plans.seed);
    let crons: Vec<_> = plans
        .config
        .crons
        .iter()
        .map(|cron| (cron.clone(), daily(cron)))
        .collect();
    let webhook = format!("https://{ALERTS}/");
    let mut builder = World::builder()
        .script(worker::native::script("edgeproof-worker"))
        .config(plans.config)
        .pops(POPS)
        // The days below run them.
        .crons(false)
        .plan(plans.plan)
        .seed(plans.seed)
        .start_unix_ms(START_UNIX_MS)
        .secret(JWT_SECRET, SECRET)
        .secret("ERROR_ALERT_WEBHOOK", &webhook)
        .secret("SECURITY_ALERT_WEBHOOK", &webhook)
        .origin(ALERTS, Origin::new())
        .seed_sql("DB", "the users of the forecast", &users_sql());
    for Pair(name, value) in plans.vars {
        builder = builder.var(name, value);
    }
    let world = builder.build()?;
    let senders = Senders::new(&world);
    let mut days = Vec::new();
    for day in 0..plans.days {
        let planned = traffic.day(day, plans.requests);
        days.push(world.run(async |world| one_day(world, &senders, &planned, &crons).await));
    }
    // What is still to be answered, and what follows the answers.
    world.run(async |world| world.sleep(limits::workers::WAIT_UNTIL).await);
    let usage = world.usage();
    let days = days.into_iter().map(|(date, answers, used_up)| Day {
        date,
        usage: of_day(&usage, date),
        answers: answers.take(),
        used_up,
    });
    Ok(Outcome {
        days: days.collect(),
        fingerprint: world.fingerprint().to_string(),
        crons_not_run: crons
            .into_iter()
            .filter_map(|(cron, at)| at.is_none().then_some(cron))
            .collect(),
    })
}

/// One UTC day, from midnight to midnight. The last answers may come in later.
async fn one_day(
    world: &World,
    senders: &Senders,
    planned: &[Planned],
    crons: &[(String, Option<u64>)],
) -> (UtcDay, Rc<RefCell<Answers>>, BTreeMap<Meter, Duration>) {
    let date = UtcDay::at(world.now().0);
    let midnight = Instant(date.start_nanos());
    let answers = Rc::new(RefCell::new(Answers::default()));
    let mut watch = Watch::new(world.plan(), date);
    let mut look_at = 0;
    let mut crons: Vec<(&str, u64)> = crons
        .iter()
        .filter_map(|(cron, at)| Some((cron.as_str(), (*at)?)))
        .collect();
    let mut planned = planned.iter().peekable();
    loop {
        let request_at = planned.peek().map_or(DAY_NANOS, |next| nanos(next.at));
        let cron_at = crons.iter().map(|(_, at)| *at).min().unwrap_or(DAY_NANOS);
        let next = request_at.min(cron_at).min(look_at).min(DAY_NANOS);
        let now = world.now();
        let wait = midnight.after(next).since(now);
        if !wait.is_zero() {
            world.sleep(wait).await;
        }
        if next == DAY_NANOS {
            // What was used up with the last requests.
            watch.look(&world.usage(), next);
            return (date, answers, watch.used_up);
        }
        if look_at <= next {
            look_at = next + watch.look(&world.usage(), next);
        }
        while let Some(due) = crons.iter().position(|(_, at)| *at <= next) {
            let (cron, _) = crons.remove(due);
            let (running, cron) = (world.clone(), cron.to_owned());
            world.spawn(async move {
                // A handler that fails says so on the console, as in production.
                let _ = running.scheduled(&cron).await;
            });
        }
        while let Some(request) = planned.next_if(|request| nanos(request.at) <= next) {
            let (client, message) = senders.request(request, date);
            let answers = Rc::clone(&answers);
            let kind = request.kind;
            let sending = client.send(message);
            world.spawn(async move {
                let answer = sending.await;
                answers.borrow_mut().add(kind, &answer);
            });
        }
    }
}

/// Looks at the bill and notes when a daily allowance is used up.
struct Watch {
    date: UtcDay,
    /// Each daily allowance in raw units, with what was used at the last look and the most that came between two looks.
    allowances: Vec<(Meter, u64, u64, u64)>,
    used_up: BTreeMap<Meter, Duration>,
}

impl Watch {
    fn new(plan: Plan, date: UtcDay) -> Self {
        let daily = prices::of_plan(plan).filter(|price| price.per == Per::Day);
        let allowances = daily.map(|price| {
            (
                price.meter,
                price.included * price.meter.raw_per_unit(),
                0,
                0,
            )
        });
        Self {
            date,
            allowances: allowances.collect(),
            used_up: BTreeMap::new(),
        }
    }

    /// Looks at `at`, in nanoseconds since 00:00 UTC; how long from now the next look should be.
    fn look(&mut self, usage: &Usage, at: u64) -> u64 {
        let mut next = LOOK;
        for (meter, cap, before, most) in &mut self.allowances {
            let used = usage.on(self.date, *meter);
            *most = (*most).max(used - *before);
            *before = used;
            if used >= *cap {
                self.used_up
                    .entry(*meter)
                    .or_insert(Duration::from_nanos(at));
            } else if used + 2 * *most >= *cap {
                next = CLOSE_LOOK;
            }
        }
        next
    }
}

/// What `date` used, as a bill of its own.
fn of_day(usage: &Usage, date: UtcDay) -> Usage {
    let mut day = Usage::default();
    for meter in Meter::all() {
        let amount = usage.on(date, meter);
        if meter.is_gauge() {
            day.level(date, meter, amount);
        } else {
            day.add(date, meter, amount);
        }
    }
    day
}

/// The instant of a trigger that comes once every day (`17 3 * * *`), in nanoseconds since 00:00 UTC.
fn daily(cron: &str) -> Option<u64> {
    let fields: Vec<&str> = cron.split_whitespace().collect();
    let [minute, hour, "*", "*", "*"] = fields[..] else {
        return None;
    };
    let below = |field: &str, end: u64| field.parse().ok().filter(|number: &u64| *number < end);
    Some((below(hour, 24)? * 60 + below(minute, 60)?) * 60 * SECOND)
}

/// The users as rows of the database.
fn users_sql() -> String {
    let rows = (0..USERS).map(|user| {
        let name = user_name(user);
        let salt = format!("the salt of {name}");
        let hash = password::hash(&password_of(user), salt.as_bytes(), HASH_ITERATIONS);
        format!("('{name}', '{name}', '{hash}', 'user')")
    });
    let rows: Vec<String> = rows.collect();
    format!(
        "INSERT INTO users (id, username, password_hash, role) VALUES {}",
        rows.join(", ")
    )
}

fn user_name(user: usize) -> String {
    format!("user-{user}")
}

fn password_of(user: usize) -> String {
    format!("the password of {user}")
}

/// Everybody who sends, with token and address.
struct Senders {
    world: World,
    tokens: Vec<String>,
    forged: String,
    addresses: Vec<String>,
}

impl Senders {
    fn new(world: &World) -> Self {
        let now = world.now().unix_seconds();
        let key = Key::new(SECRET);
        let somebody_else = Key::new("of somebody else, who would like to be a user here");
        let address = || world.client_at(world.pops()[0]).ip().to_owned();
        Self {
            world: world.clone(),
            tokens: (0..USERS)
                .map(|user| key.mint(&user_name(user), "user", now, TOKEN_SECONDS))
                .collect(),
            forged: somebody_else.mint(&user_name(0), "admin", now, TOKEN_SECONDS),
            addresses: (0..USERS).map(|_| address()).collect(),
        }
    }

    /// A client at `pop` with this address.
    fn client(&self, pop: Pop, address: &str) -> Client {
        self.world.client_at(pop).with_ip(address)
    }

    /// The request, and who sends it.
    fn request(&self, planned: &Planned, date: UtcDay) -> (Client, Request) {
        let (user, client) = match planned.sender {
            Sender::User(user) => (user, self.client(planned.pop, &self.addresses[user])),
            Sender::Attacker { number, victim } => {
                // From the networks for documentation (RFC 5737), in which no user is.
                let network = ["203.0.113", "198.51.100"][number / 254 % 2];
                let address = format!("{network}.{}", number % 254 + 1);
                (victim, self.client(planned.pop, &address))
            }
        };
        let token = &self.tokens[user];
        let login = |password: &str| {
            let body = json!({"username": user_name(user), "password": password});
            client.post("/api/auth/login").json(&body)
        };
        let transactions = "/api/transactions";
        let request = match planned.kind {
            Kind::Dashboard => client.get("/api/dashboard").bearer(token),
            Kind::Reports => client.get("/api/reports").bearer(token),
            Kind::List => client.get(transactions).bearer(token),
            Kind::Create => client
                .post(transactions)
                .bearer(token)
                .json(&transaction(planned.draw, date)),
            Kind::Login => login(&password_of(user)),
            Kind::Guess => login(&format!("guess {:08x}", planned.draw as u32)),
            Kind::NoToken => client.get("/api/dashboard"),
            Kind::ForgedToken => client.get("/api/dashboard").bearer(&self.forged),
            Kind::UnknownPath => client.get("/api/accounts").bearer(token),
            Kind::BrokenBody => client
                .post(transactions)
                .bearer(token)
                .json(&json!({"test": "data"})),
            Kind::WrongMediaType => client
                .post(transactions)
                .bearer(token)
                .header("content-type", "text/plain")
                .body(transaction(planned.draw, date).to_string()),
        };
        (client, request.build())
    }
}

/// A transaction that keeps every rule: a third is income; most are of the day itself, one in ten of the thirty days before.
fn transaction(draw: u64, date: UtcDay) -> serde_json::Value {
    let descriptions = [
        "groceries",
        "rent",
        "a train ticket",
        "lunch",
        "tea for two",
        "a book",
    ];
    let part = |shift: u32, below: u64| (draw >> shift) % below;
    let days_ago = if part(0, 10) == 0 {
        part(8, 31) as u32
    } else {
        0
    };
    let cents = 1 + part(16, 25_000);
    json!({
        "type": if part(4, 3) == 0 { "income" } else { "expense" },
        "amount": cents as f64 / 100.0,
        "description": descriptions[part(40, descriptions.len() as u64) as usize],
        "date": UtcDay(date.0 - days_ago).to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_trigger_of_once_a_day_has_an_instant() {
        assert_eq!(daily("17 3 * * *"), Some((3 * 60 + 17) * 60 * SECOND));
        for other in ["*/5 * * * *", "17 3 * * 1", "60 3 * * *", "17 24 * * *", ""] {
            assert_eq!(daily(other), None, "{other}");
        }
    }

    #[test]
    fn an_allowance_is_used_up_when_the_last_unit_of_it_is() {
        let date = UtcDay(20_454);
        let mut watch = Watch::new(Plan::Free, date);
        let mut usage = Usage::default();
        let minute = 60 * SECOND;
        assert_eq!(watch.look(&usage, 0), LOOK);
        usage.add(date, Meter::KvWrites, 400);
        // Another 400 would be too few, but 800 would not.
        assert_eq!(watch.look(&usage, minute), CLOSE_LOOK);
        usage.add(date, Meter::KvWrites, 599);
        watch.look(&usage, 2 * minute);
        assert!(watch.used_up.is_empty());
        usage.add(date, Meter::KvWrites, 1);
        watch.look(&usage, 3 * minute);
        usage.add(date, Meter::KvWrites, 500);
        watch.look(&usage, 4 * minute);
        assert_eq!(
            watch.used_up,
            [(Meter::KvWrites, Duration::from_secs(180))].into()
        );
        // What the day before used does not count.
        let mut next = Watch::new(Plan::Free, UtcDay(date.0 + 1));
        next.look(&usage, 0);
        assert!(next.used_up.is_empty());
        // The paid plan has no daily allowances.
        assert!(Watch::new(Plan::Paid, date).allowances.is_empty());
    }
}

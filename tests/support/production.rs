//! The production Worker in a world, its users, and ways to send many requests and read the answers.

use std::collections::BTreeMap;
use std::time::Duration;

use edgeproof_sim::World;
use edgeproof_sim::history::{Op, Record};
use edgeproof_sim::http::{Request, Response};
use edgeproof_sim::sql::Value;
use edgeproof_sim::world::builder::Builder;
use edgeproof_sim::world::client::Client;
use edgeproof_sim::world::options::Options;
use edgeproof_worker::core::jwt;
use futures_util::StreamExt as _;
use serde_json::json;

// Nothing here names a handler; without this they would not be linked.
extern crate edgeproof_worker as _;

/// The Worker's configuration, as it deploys.
pub const WRANGLER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../worker/wrangler.toml");

/// The two users of the development environment.
pub const SEEDS: &str = include_str!("../../worker/seeds/development.sql");

/// A secret of the tests' own.
pub const JWT_SECRET: &str = "a secret for tests, 32 bytes or more";

/// When worlds begin, in Unix seconds: 2026-01-01T00:00:00Z.
pub const START_SECONDS: u64 = 1_767_225_600;

/// The window of every policy, as configured.
pub const WINDOW: Duration = Duration::from_secs(60);

/// Takes transactions, and lists them.
pub const TRANSACTIONS: &str = "/api/transactions";
/// Totals of a user, cached.
pub const DASHBOARD: &str = "/api/dashboard";
/// Totals by month, cached.
pub const REPORTS: &str = "/api/reports";
/// Gives a token for a name and a password.
pub const LOGIN: &str = "/api/auth/login";
/// Says whether the Worker and its bindings are well.
pub const HEALTH: &str = "/api/health";

/// The production Worker at these PoPs, with the demo users and a history.
pub fn production(pops: &[&str]) -> Builder {
    World::builder()
        .script(worker::native::script("edgeproof-worker"))
        .wrangler(WRANGLER, None)
        .expect("the Worker's own configuration is supported")
        .pops(pops.iter().copied())
        // Suites that mean the daily trigger run it by hand; the others sleep over days without it.
        .crons(false)
        .secret("AUTH_JWT_SECRET", JWT_SECRET)
        .seed_sql("DB", "seeds/development.sql", SEEDS)
        .history(true)
}

/// A platform without chance in its times: the way to a limiter always takes as long, so that an oracle outside can tell to the
/// millisecond when an object decides.
pub fn steady_options() -> Options {
    let mut options = Options {
        network_jitter: 0.0,
        object_start: Duration::ZERO,
        ..Options::default()
    };
    options.isolates.cold_start = Duration::ZERO;
    options
}

/// The production Worker in one PoP.
pub fn world() -> World {
    production(&["MEX"]).build().expect("the world builds")
}

// --- users ---------------------------------------------------------------------------------------------------------------------

/// A token of a user, valid for the day in which worlds begin.
pub fn token(user: &str) -> String {
    token_of(user, "user")
}

/// A token with a role.
pub fn token_of(user: &str, role: &str) -> String {
    jwt::mint(JWT_SECRET, user, role, START_SECONDS, 86_400)
}

// --- requests ------------------------------------------------------------------------------------------------------------------

/// A transaction that keeps every rule.
pub fn transaction() -> serde_json::Value {
    json!({"type": "expense", "amount": 12.34, "description": "tea", "date": "2026-01-15"})
}

/// A POST of a transaction.
pub fn post(client: &Client, user: &str) -> Request {
    client
        .post(TRANSACTIONS)
        .bearer(&token(user))
        .json(&transaction())
        .build()
}

/// A POST of `{"test":"data"}`, which is no transaction.
pub fn post_test_data(client: &Client, user: &str) -> Request {
    client
        .post(TRANSACTIONS)
        .bearer(&token(user))
        .json(&json!({"test": "data"}))
        .build()
}

/// A GET of a path.
pub fn get(client: &Client, user: &str, path: &str) -> Request {
    client.get(path).bearer(&token(user)).build()
}

/// A login.
pub fn login(client: &Client, username: &str, password: &str) -> Request {
    client
        .post(LOGIN)
        .json(&json!({"username": username, "password": password}))
        .build()
}

/// Sends `number` times what `make` makes, each after the answer to the one before.
pub async fn one_by_one(
    client: &Client,
    number: usize,
    make: impl Fn() -> Request,
) -> Vec<Response> {
    let mut answers = Vec::with_capacity(number);
    for _ in 0..number {
        answers.push(client.send(make()).await);
    }
    answers
}

/// Sends requests with at most `in_flight` of them unanswered at any time; the answers are in order of their arrival.
pub async fn in_parallel(
    in_flight: usize,
    requests: impl IntoIterator<Item = (Client, Request)>,
) -> Vec<Response> {
    futures_util::stream::iter(requests)
        .map(|(client, request)| client.send(request))
        .buffer_unordered(in_flight)
        .collect()
        .await
}

/// `number` requests of one client.
pub fn times(number: usize, client: &Client, make: impl Fn() -> Request) -> Vec<(Client, Request)> {
    (0..number).map(|_| (client.clone(), make())).collect()
}

/// Lets `seconds` of virtual time pass.
pub async fn sleep(world: &World, seconds: f64) {
    world.sleep(Duration::from_secs_f64(seconds)).await;
}

// --- answers -------------------------------------------------------------------------------------------------------------------

/// How many of the answers have this status.
pub fn count(answers: &[Response], status: u16) -> usize {
    answers
        .iter()
        .filter(|answer| answer.status == status)
        .count()
}

/// How many answers have each status: `[(201, 50), (429, 100)]`.
pub fn statuses(answers: &[Response]) -> Vec<(u16, usize)> {
    let mut counts = BTreeMap::new();
    for answer in answers {
        *counts.entry(answer.status).or_insert(0) += 1;
    }
    counts.into_iter().collect()
}

/// The body as JSON.
pub fn json_of(answer: &Response) -> serde_json::Value {
    answer
        .json()
        .unwrap_or_else(|problem| panic!("{problem}: {:?}", answer.body))
}

/// `Retry-After` in seconds.
pub fn retry_after(answer: &Response) -> u64 {
    let value = answer
        .header("retry-after")
        .unwrap_or_else(|| panic!("{} without Retry-After", answer.status));
    value.parse().expect("Retry-After is whole seconds")
}

/// `RateLimit: "write";r=49;t=60` taken apart: policy, remaining, seconds.
pub fn rate_limit(answer: &Response) -> (String, u64, u64) {
    let field = answer
        .header("ratelimit")
        .unwrap_or_else(|| panic!("{} without RateLimit", answer.status));
    let parts: Vec<&str> = field.split(';').collect();
    let [policy, remaining, seconds] = parts[..] else {
        panic!("{field}")
    };
    let number = |part: &str, name: &str| part.strip_prefix(name).and_then(|n| n.parse().ok());
    match (number(remaining, "r="), number(seconds, "t=")) {
        (Some(remaining), Some(seconds)) => {
            (policy.trim_matches('"').to_owned(), remaining, seconds)
        }
        _ => panic!("{field}"),
    }
}

/// `X-Cache`, or `""`.
pub fn x_cache(answer: &Response) -> &str {
    answer.header("x-cache").unwrap_or_default()
}

// --- what is left behind -------------------------------------------------------------------------------------------------------

/// The rows of a query of the Worker's database, every value as text.
pub fn rows(world: &World, sql: &str) -> Vec<Vec<String>> {
    let outcome = world
        .query("DB", sql)
        .unwrap_or_else(|problem| panic!("{sql}: {problem}"));
    let text = |value: Value| match value {
        Value::Null => "NULL".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Text(text) => text,
        Value::Blob(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
    };
    let row = |row: Vec<Value>| row.into_iter().map(text).collect();
    outcome.rows.into_iter().map(row).collect()
}

/// How many rows a table has, where `condition` holds.
pub fn rows_in(world: &World, table: &str, condition: &str) -> usize {
    let counted = rows(
        world,
        &format!("SELECT count(*) FROM {table} WHERE {condition}"),
    );
    counted[0][0].parse().expect("a count is a number")
}

/// Everything that all tables of the database hold, as one text.
pub fn all_tables(world: &World) -> String {
    let tables = rows(
        world,
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\'",
    );
    assert!(tables.len() >= 5, "{tables:?}");
    let contents = tables
        .iter()
        .flat_map(|table| rows(world, &format!("SELECT * FROM \"{}\"", table[0])));
    contents.flatten().collect::<Vec<_>>().join("\n")
}

/// The records whose operation `wanted` picks.
pub fn records(world: &World, wanted: impl Fn(&Op) -> bool) -> Vec<Record> {
    let history = world.history();
    let picked = history.records().iter().filter(|record| wanted(&record.op));
    picked.cloned().collect()
}

//! The production Worker as wasm beside the same Worker in JavaScript (`benches/javascript/worker.js`), both on workerd: CPU time
//! of each request, and the time to the first answer.
//!
//! `cargo bench -p edgeproof-worker-cli --features real --bench javascript [-- [--test] [--rounds N] [--only TEXT] [--bundle FOLDER]]`
//!
//! First it is checked that both give the same answers on the routes that are measured, so that what is compared does the same
//! work. Then the same requests go in turn to each side, several rounds of each, so that a machine that grows slower does so for
//! both; a ratio is that of two rounds that followed one another. The bench counts workerd's CPU time as the
//! operating system does, system calls included, without the client and the simulated KV and D1 behind workerd.
//! `--bundle` measures another bundle than what `sim build` made, `--only` the rows that begin with a text, and no starts.

#![expect(clippy::disallowed_methods, reason = "a bench measures the wall clock")]
#![cfg(target_os = "linux")]

#[path = "measure.rs"]
mod measure;
#[path = "../worker/cli/tests/support/workerd.rs"]
mod workerd;

use measure::{SECRET, cpu, median, micros, now, sorted, token};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use support::client::{Answer, Connection, TEA, request};
use workerd::Workerd;

const ROUNDS: usize = 7;
const CLIENTS: usize = 8;
/// Starts of workerd whose first answers are timed.
const STARTS: usize = 15;
/// The window of both Workers: longer than a round that must stay in one, short enough to be waited for.
const WINDOW: Duration = Duration::from_secs(10);
/// What a user may do in a window.
const WRITES: usize = 50;

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Load {
    /// Posts of users whose objects exist, up to the quota of each.
    Post,
    /// The same of users who never came before: for every fifty posts an object is made.
    NewUsers,
    /// Posts of users who have used up their quota.
    Denied,
    /// `GET /api/dashboard`, in the cache.
    Dashboard,
    /// `GET /api/transactions` of users who have fifty.
    Transactions,
    Health,
}

impl Load {
    const ALL: [Self; 6] = [
        Self::Post,
        Self::NewUsers,
        Self::Denied,
        Self::Dashboard,
        Self::Transactions,
        Self::Health,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Post => "POST, admitted",
            Self::NewUsers => "POST, admitted, new users",
            Self::Denied => "POST, denied",
            Self::Dashboard => "GET dashboard, HIT",
            Self::Transactions => "GET transactions, 50 rows",
            Self::Health => "GET health",
        }
    }

    /// The status that every answer must have.
    fn status(self) -> u16 {
        match self {
            Self::Post | Self::NewUsers => 201,
            Self::Denied => 429,
            Self::Dashboard | Self::Transactions | Self::Health => 200,
        }
    }

    /// How many users a client is one after the other, and how many requests each of them sends in a round.
    fn turns(self) -> (usize, usize) {
        match self {
            Self::Post | Self::NewUsers => (6, WRITES),
            Self::Denied | Self::Health => (1, 500),
            Self::Dashboard | Self::Transactions => (5, 90),
        }
    }

    fn requests(self) -> usize {
        let (users, of_a_user) = self.turns();
        CLIENTS * users * of_a_user
    }

    fn user(self, round: usize, client: usize, turn: usize) -> String {
        match self {
            Self::NewUsers => format!("new-{round}-{client}-{turn}"),
            _ => format!("{self:?}-{client}-{turn}"),
        }
    }

    fn ask(self, connection: &mut Connection, bearer: &str) -> Answer {
        let (method, path, body) = match self {
            Self::Post | Self::NewUsers | Self::Denied => ("POST", "/api/transactions", TEA),
            Self::Dashboard => ("GET", "/api/dashboard", ""),
            Self::Transactions => ("GET", "/api/transactions", ""),
            Self::Health => return connection.ask("GET", "/api/health", &[], ""),
        };
        connection.ask(method, path, &[("authorization", bearer)], body)
    }
}

/// One Worker on its own workerd.
struct Side {
    server: Workerd,
    process: u32,
    /// When each load's users last used their quota.
    used: BTreeMap<&'static str, Instant>,
}

/// CPU microseconds of a request: of workerd, and of what stands behind it.
#[derive(Debug, Clone, Copy)]
struct Round {
    runtime: f64,
    behind: f64,
}

impl Side {
    fn start(script: Option<&str>) -> Self {
        let secret = format!("AUTH_JWT_SECRET={SECRET}");
        let window = format!("RATE_LIMIT_WINDOW_SECONDS={}", WINDOW.as_secs());
        let mut arguments = vec!["--secret", &secret, "--var", &window];
        if let Some(script) = script {
            arguments.extend(["--script", script]);
        }
        let server = Workerd::start(&arguments);
        let side = Self {
            process: server.child_of("workerd"),
            server,
            used: BTreeMap::new(),
        };
        // What the readers read.
        side.send(Load::Transactions, Load::Post, 0, WRITES, 201);
        side.send(Load::Dashboard, Load::Post, 0, 1, 201);
        side
    }

    fn address(&self) -> SocketAddr {
        self.server.address("IAD")
    }

    fn round(&mut self, load: Load, round: usize) -> Round {
        // What the round before used up has come back.
        if let Some(used) = self.used.get(load.name()) {
            sleep_until(*used + WINDOW);
        }
        match load {
            Load::Denied => self.send(load, Load::Post, round, WRITES, 201),
            // Computed now if it has to be, so that every read that counts is a hit.
            Load::Dashboard => self.send(load, load, round, 1, 200),
            _ => {}
        }
        let before = (cpu(self.process), cpu(self.server.id()));
        self.send(load, load, round, load.turns().1, load.status());
        let after = (cpu(self.process), cpu(self.server.id()));
        self.used.insert(load.name(), now());
        Round {
            runtime: micros(after.0 - before.0, load.requests()),
            behind: micros(after.1 - before.1, load.requests()),
        }
    }

    /// Sends what `what` says as the users of `load`, from all clients at once, each on one connection, one request at a time.
    #[expect(clippy::disallowed_methods, reason = "real clients, real threads")]
    fn send(&self, load: Load, what: Load, round: usize, of_a_user: usize, status: u16) {
        let address = self.address();
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                std::thread::spawn(move || {
                    let mut connection = Connection::open(address);
                    for turn in 0..load.turns().0 {
                        let bearer = token(&load.user(round, client, turn));
                        for _ in 0..of_a_user {
                            let answer = what.ask(&mut connection, &bearer);
                            assert_eq!(answer.status, status, "{what:?}: {}", answer.text());
                        }
                    }
                })
            })
            .collect();
        for client in clients {
            client.join().expect("every answer was the one expected");
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a real window is waited for")]
fn sleep_until(instant: Instant) {
    std::thread::sleep(instant.saturating_duration_since(now()));
}

/// An answer without what differs from one to the next: ids, times, and the seconds until quota comes back.
fn comparable(answer: &Answer) -> (u16, BTreeMap<String, String>, Value) {
    let mut headers = answer.headers.clone();
    for (name, value) in &mut headers {
        match name.as_str() {
            "x-request-id" | "date" | "location" | "retry-after" | "content-length" => {
                value.clear();
            }
            "ratelimit" => {
                let (start, seconds) = value.rsplit_once("t=").expect("a time");
                assert!(seconds.parse::<u64>().is_ok(), "{value}");
                *value = start.to_owned();
            }
            _ => {}
        }
    }
    let body = if answer.body.is_empty() {
        Value::Null
    } else {
        without_ids(answer.json())
    };
    (answer.status, headers, body)
}

fn without_ids(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .filter(|(name, _)| !["id", "requestId", "createdAt"].contains(&name.as_str()))
            .map(|(name, value)| (name, without_ids(value)))
            .collect(),
        Value::Array(values) => values.into_iter().map(without_ids).collect(),
        // 100 and 100.0 are the same number.
        Value::Number(number) => number.as_f64().into(),
        other => other,
    }
}

/// Checks that both sides answer the same.
///
/// # Panics
/// If they do not.
fn check_that_answers_are_the_same(sides: [SocketAddr; 2]) {
    let bearer = token("compared");
    let user: &[(&str, &str)] = &[("authorization", &bearer)];
    let text: &[(&str, &str)] = &[
        ("authorization", &bearer),
        ("content-length", "2"),
        ("content-type", "text/plain"),
    ];
    let mut script = vec![
        ("GET", "/api/health", &[][..], ""),
        ("OPTIONS", "/api/transactions", &[], ""),
        ("GET", "/api/transactions", &[], ""),
        (
            "GET",
            "/api/transactions",
            &[("authorization", "Bearer a.b.c")],
            "",
        ),
        ("POST", "/api/transactions", user, TEA),
        ("POST", "/api/transactions", user, r#"{"test":"data"}"#),
        ("POST", "/api/transactions", user, "{"),
        (
            "POST",
            "/api/transactions",
            user,
            r#"{"type":"income","amount":100,"description":"Ünï 🚨","date":"2024-02-29"}"#,
        ),
        (
            "POST",
            "/api/transactions",
            user,
            r#"{"type":"income","amount":0.001,"description":"","date":"2023-02-29"}"#,
        ),
        ("DELETE", "/api/transactions", user, ""),
        ("GET", "/api/nothing", user, ""),
        ("GET", "/api/transactions", user, ""),
        ("GET", "/api/transactions?limit=1", user, ""),
        ("GET", "/api/transactions?limit=101", user, ""),
        ("GET", "/api/dashboard", user, ""),
        ("GET", "/api/dashboard", user, ""),
        ("GET", "/api/reports", user, ""),
        ("GET", "/api/reports", user, ""),
    ];
    script.extend(std::iter::repeat_n(
        ("POST", "/api/transactions", user, TEA),
        WRITES,
    ));
    let mut connections = sides.map(Connection::open);
    for (method, path, headers, body) in script {
        let [wasm, javascript] = connections
            .each_mut()
            .map(|connection| comparable(&connection.ask(method, path, headers, body)));
        assert_eq!(
            wasm, javascript,
            "{method} {path} {body}: wasm, then JavaScript"
        );
    }
    // A body of another kind is refused, and read all the same.
    let [wasm, javascript] = connections.each_mut().map(|connection| {
        connection.send(
            [
                request("POST", "/api/transactions", text, ""),
                b"{}".to_vec(),
            ]
            .concat(),
        );
        comparable(&connection.answer())
    });
    assert_eq!(wasm, javascript, "a body that is no JSON");
    assert_eq!(wasm.0, 429, "the quota is used up by now");
}

/// Milliseconds from the start of a workerd to its first answers: to a preflight, which needs nothing but the Worker, and to a
/// request without a token, which is charged to the client's address by a Durable Object.
fn first_answers(server: &Workerd) -> [f64; 2] {
    let environment = std::fs::read(format!("/proc/{}/environ", server.child_of("workerd")));
    let environment = environment.expect("its environment");
    let variables = environment.split(|byte| *byte == 0).filter_map(|variable| {
        let variable = std::str::from_utf8(variable).ok()?;
        variable.split_once('=')
    });
    let program = std::fs::read_link(format!("/proc/{}/exe", server.child_of("workerd")));
    let configuration = server.configuration();
    let objects = tempfile::tempdir().expect("a folder");
    let begin = now();
    let mut child = Command::new(program.expect("its program"))
        .arg("serve")
        .arg(&configuration)
        .arg("--control-fd=1")
        .arg(format!(
            "--directory-path=objects={}",
            objects.path().display()
        ))
        .env_clear()
        .envs(variables)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let port = lines.find_map(|line| {
        let event: Value = serde_json::from_str(&line.ok()?).ok()?;
        event["port"].as_u64()
    });
    let port = u16::try_from(port.expect("it listens")).expect("a port");
    let mut connection = Connection::open(SocketAddr::from(([127, 0, 0, 1], port)));
    let mut milliseconds = |method: &str, status: u16| {
        let answer = connection.ask(method, "/api/transactions", &[("x-sim-cf", "{}")], "");
        let took = begin.elapsed().as_secs_f64() * 1e3;
        assert_eq!(answer.status, status, "{}", answer.text());
        took
    };
    let times = [milliseconds("OPTIONS", 204), milliseconds("GET", 401)];
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    times
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let value_of = |name: &str| {
        let place = arguments.iter().position(|argument| argument == name)?;
        arguments.get(place + 1).map(String::as_str)
    };
    // `cargo bench -- --test` asks whether it runs at all.
    let (rounds, starts) = if arguments.iter().any(|argument| argument == "--test") {
        (1, 1)
    } else {
        let rounds =
            value_of("--rounds").map_or(ROUNDS, |rounds| rounds.parse().expect("a number"));
        (rounds, STARTS)
    };
    let javascript = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../benches/javascript/worker.js"
    );
    let mut wasm = Side::start(value_of("--bundle"));
    let mut javascript = Side::start(Some(javascript));
    check_that_answers_are_the_same([wasm.address(), javascript.address()]);

    let only = value_of("--only");
    let chosen = Load::ALL
        .into_iter()
        .filter(|load| only.is_none_or(|only| load.name().starts_with(only)));
    let mut measured: Vec<(Load, Vec<[Round; 2]>)> =
        chosen.map(|load| (load, Vec::new())).collect();
    // The round 0 warms: V8 compiles.
    for round in 0..=rounds {
        for (load, pairs) in &mut measured {
            let pair = [wasm.round(*load, round), javascript.round(*load, round)];
            if round > 0 {
                pairs.push(pair);
            }
        }
    }
    println!("CPU of a request in µs, {CLIENTS} clients, median of {rounds} rounds\n");
    println!(
        "{:<28} {:>10} {:>10} {:>8} {:>16} {:>10} {:>10}",
        "workerd", "wasm", "JavaScript", "ratio", "pair by pair", "behind it", "behind it"
    );
    for (load, pairs) in &measured {
        let of = |side: usize, part: fn(&Round) -> f64| {
            median(pairs.iter().map(move |pair| part(&pair[side])))
        };
        let ratios = sorted(
            pairs
                .iter()
                .map(|[wasm, javascript]| wasm.runtime / javascript.runtime),
        );
        println!(
            "{:<28} {:>10.0} {:>10.0} {:>8.2} {:>16} {:>10.0} {:>10.0}",
            load.name(),
            of(0, |round| round.runtime),
            of(1, |round| round.runtime),
            ratios[ratios.len() / 2],
            format!("{:.2} to {:.2}", ratios[0], ratios[ratios.len() - 1]),
            of(0, |round| round.behind),
            of(1, |round| round.behind),
        );
    }
    if only.is_some() {
        return;
    }
    println!(
        "\nms from the start of workerd to its first answer, median of {starts} (smallest to largest)\n"
    );
    let starts_of = |name: &str, side: &Side| {
        let times: Vec<[f64; 2]> = (0..starts).map(|_| first_answers(&side.server)).collect();
        for (place, what) in ["preflight", "charged to an object"].iter().enumerate() {
            let times = sorted(times.iter().map(|times| times[place]));
            println!(
                "{name:<12} {what:<24} {:>8.1} ({:.1} to {:.1})",
                times[times.len() / 2],
                times[0],
                times[times.len() - 1]
            );
        }
    };
    starts_of("wasm", &wasm);
    starts_of("JavaScript", &javascript);
}

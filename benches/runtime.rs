//! The production POST on real workerd and in the simulator, side by side: requests a second, and CPU time of each request.
//!
//! `cargo bench -p edgeproof-worker-cli --features real --bench runtime`
//!
//! The same posts, all admitted, go in turn to each side, several rounds of each, so that a machine that grows slower does so for
//! both. On workerd they travel over HTTP through `sim workerd`, whose simulated latencies are waited out: its requests a second
//! are no limit of workerd's. The bench compares CPU time as the operating system counts it: workerd's own, that of
//! the KV and D1 behind it, and on the other side that of the one thread in which the whole platform runs.

#![expect(clippy::disallowed_methods, reason = "a bench measures the wall clock")]
#![cfg(target_os = "linux")]

#[path = "measure.rs"]
mod measure;
#[path = "../worker/cli/tests/support/workerd.rs"]
mod workerd;

// Nothing else names the Worker; without this its handlers would not be linked.
extern crate edgeproof_worker as _;

use edgeproof_sim::World;
use edgeproof_worker::core::jwt;
use measure::{SECRET, cpu, median, micros, now, sorted, token};
use std::net::SocketAddr;
use std::time::Duration;
use support::client::{Connection, TEA};
use workerd::Workerd;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 5;
/// Clients of a round, and posts of each: a user posts no more than the quota admits.
const CLIENTS: usize = 8;
const USERS_OF_A_CLIENT: usize = 10;
const POSTS_OF_A_USER: usize = 50;
const POSTS: usize = CLIENTS * USERS_OF_A_CLIENT * POSTS_OF_A_USER;
/// The simulator is so much quicker that it needs more rounds in one to be measured: the kernel counts CPU time in 10 ms.
const SIMULATED_ROUNDS: usize = 5;

/// What a round took.
#[derive(Clone, Copy)]
struct Round {
    wall: Duration,
    /// CPU microseconds of a request: of the runtime, and of what stands behind it.
    runtime: f64,
    behind: f64,
}

impl Round {
    fn cpu(&self) -> f64 {
        self.runtime + self.behind
    }
}

/// Posts from a few clients at once, each on one connection, one request at a time.
#[expect(clippy::disallowed_methods, reason = "real clients, real threads")]
fn post_over_http(address: SocketAddr, round: usize) {
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            std::thread::spawn(move || {
                let mut connection = Connection::open(address);
                for user in 0..USERS_OF_A_CLIENT {
                    let bearer = token(&format!("user-{round}-{client}-{user}"));
                    let headers = [("authorization", bearer.as_str())];
                    for _ in 0..POSTS_OF_A_USER {
                        let answer = connection.ask("POST", "/api/transactions", &headers, TEA);
                        assert_eq!(answer.status, 201, "{}", answer.text());
                    }
                }
            })
        })
        .collect();
    for client in clients {
        client.join().expect("every post was admitted");
    }
}

fn on_workerd(server: &Workerd, round: usize) -> Round {
    let (runtime, behind) = (server.child_of("workerd"), server.id());
    let before = (cpu(runtime), cpu(behind));
    let begin = now();
    post_over_http(server.address("IAD"), round);
    let wall = begin.elapsed();
    Round {
        wall,
        runtime: micros(cpu(runtime) - before.0, POSTS),
        behind: micros(cpu(behind) - before.1, POSTS),
    }
}

fn in_the_simulator() -> Round {
    let build = || {
        World::builder()
            .script(worker::native::script("edgeproof-worker"))
            .wrangler(
                concat!(env!("CARGO_MANIFEST_DIR"), "/../../worker/wrangler.toml"),
                None,
            )
            .expect("the Worker's configuration")
            .secret("AUTH_JWT_SECRET", SECRET)
            .build()
            .expect("the world builds")
    };
    let bearers: Vec<String> = (0..CLIENTS * USERS_OF_A_CLIENT)
        .map(|user| {
            let seconds = build().start().unix_ms() / 1000;
            format!(
                "Bearer {}",
                jwt::mint(SECRET, &format!("user-{user}"), "user", seconds, 86_400)
            )
        })
        .collect();
    let before = cpu(std::process::id());
    let begin = now();
    for _ in 0..SIMULATED_ROUNDS {
        build().run(async |world| {
            let clients = bearers.chunks(USERS_OF_A_CLIENT).map(|bearers| async move {
                let client = world.client("IAD");
                for bearer in bearers {
                    for _ in 0..POSTS_OF_A_USER {
                        let post = client
                            .post("/api/transactions")
                            .header("authorization", bearer)
                            .header("content-type", "application/json")
                            .body(TEA);
                        let answer = post.send().await;
                        assert_eq!(answer.status, 201);
                    }
                }
            });
            futures_util::future::join_all(clients).await
        });
    }
    let posts = POSTS * SIMULATED_ROUNDS;
    Round {
        wall: begin.elapsed() / u32::try_from(SIMULATED_ROUNDS).expect("a few"),
        runtime: micros(cpu(std::process::id()) - before, posts),
        behind: 0.0,
    }
}

#[expect(clippy::cast_precision_loss, reason = "thousands")]
fn row(name: &str, rounds: &[Round]) {
    let median = |of: &dyn Fn(&Round) -> f64| median(rounds.iter().map(of));
    println!(
        "{name:<28} {:>12.0} {:>12.1} {:>12.1} {:>12.1}",
        median(&|round| POSTS as f64 / round.wall.as_secs_f64()),
        median(&|round| round.runtime),
        median(&|round| round.behind),
        median(&Round::cpu),
    );
}

fn main() {
    // `cargo bench -- --test` asks whether it runs at all.
    let rounds = if std::env::args().any(|argument| argument == "--test") {
        1
    } else {
        ROUNDS
    };
    let secret = format!("AUTH_JWT_SECRET={SECRET}");
    let server = Workerd::start(&["--secret", &secret]);
    let mut workerd = Vec::new();
    let mut simulator = Vec::new();
    // Warm: V8 compiles, files are read.
    post_over_http(server.address("IAD"), usize::MAX);
    in_the_simulator();
    for round in 0..rounds {
        workerd.push(on_workerd(&server, round));
        simulator.push(in_the_simulator());
    }
    println!(
        "production POST, admitted, {CLIENTS} clients, {POSTS} posts a round, median of {rounds} rounds\n"
    );
    println!(
        "{:<28} {:>12} {:>12} {:>12} {:>12}",
        "", "requests/s", "runtime µs", "behind µs", "CPU µs"
    );
    row("workerd, wasm", &workerd);
    row("simulator, native", &simulator);
    let pairs = || workerd.iter().zip(&simulator);
    let ratios = sorted(pairs().map(|(a, b)| a.cpu() / b.cpu()));
    let runtime = median(pairs().map(|(a, b)| a.runtime / b.cpu()));
    println!(
        "\nrequests of a CPU second, simulator to workerd: {:.1} (of workerd's own CPU time alone: {:.1}); pair by pair {:.1} to {:.1}",
        ratios[ratios.len() / 2],
        runtime,
        ratios[0],
        ratios[ratios.len() - 1],
    );
}

//! The production Worker on three platforms: the simulator must answer as the real runtime does.
//!
//! 200 sequences of 30 requests are generated from recorded seeds ([`generate`]), over every route: good and bad logins, bodies,
//! tokens, methods, paths, origins, filters, and more requests than the quotas allow. They go to three *arms*:
//!
//! - the simulator, natively and in virtual time ([`simulator`]);
//! - Miniflare from npm: the wasm bundle on workerd with Miniflare's own KV, D1 and objects, no code of this project ([`real`]);
//! - `sim workerd`: the wasm bundle on workerd with the simulator's KV and D1 ([`real`]).
//!
//! Both real arms are compared with the simulator: status, headers, bodies byte for byte, alerts; what may differ stands in
//! [`normal`]. All arms begin empty and get the sequences in the same order, so that even generated row ids agree.
//!
//! ```text
//! cargo test --features real --test production
//! EDGEPROOF_SEED=17 cargo test --features real --test production     # one sequence
//! EDGEPROOF_SEED=0..18 …                                            # it, and what came before
//! EDGEPROOF_SIM=target/debug/sim …                                  # this program instead of `cargo sim`
//! ```
//!
//! Differences that are meant stand in `CONFORMANCE.md`, section "Production Worker"; the list must be exact ([`difference`]).

#![expect(
    clippy::disallowed_methods,
    reason = "servers and their clients run under the wall clock, on threads of their own"
)]

mod arm;
mod bodies;
mod broken;
mod coverage;
mod dice;
mod difference;
mod generate;
mod normal;
mod people;
mod real;
mod receiver;
mod simulator;
mod step;
mod wire;

use arm::{Answer, Arm};
use coverage::Coverage;
use difference::{Difference, Played};
use normal::{Normal, Normaliser};
use simulator::Simulator;
use std::ops::Range;
use std::sync::OnceLock;
use step::{Request, Step};

/// A sequence and what came of it on one arm.
struct Run {
    seed: u64,
    steps: Vec<Step>,
    exchanges: Vec<(Request, Answer)>,
}

impl Run {
    /// Plays sequences on an arm.
    fn all(seeds: Range<u64>, arm: &mut impl Arm) -> Vec<Self> {
        seeds
            .map(|seed| {
                let steps = generate::sequence(seed);
                let exchanges = arm.run(&steps);
                Self {
                    seed,
                    steps,
                    exchanges,
                }
            })
            .collect()
    }
}

impl Run {
    /// The same once more.
    fn repeated(&self) -> Self {
        Self {
            seed: self.seed,
            steps: self.steps.clone(),
            exchanges: self.exchanges.clone(),
        }
    }
}

/// What the simulator answers to all sequences.
fn simulated() -> &'static [Run] {
    static RUNS: OnceLock<Vec<Run>> = OnceLock::new();
    RUNS.get_or_init(|| simulate(generate::SEEDS))
}

fn simulate(seeds: Range<u64>) -> Vec<Run> {
    let mut simulator = Simulator::start();
    let runs = Run::all(seeds, &mut simulator);
    simulator.finish();
    runs
}

fn normal(runs: &[Run]) -> Vec<Vec<Normal>> {
    let mut normaliser = Normaliser::default();
    runs.iter()
        .map(|run| normaliser.sequence(&run.exchanges))
        .collect()
}

/// The longest that a sequence and one of its requests may take, in milliseconds. Within a window no quota comes back, and a Durable
/// Object is not forgotten by its platform within 10 s: then speed changes no answer.
const SEQUENCE_MAX_MS: u64 = (arm::WINDOW_SECONDS - 10) * 1_000;
const REQUEST_MAX_MS: u64 = 9_000;

/// # Panics
/// If an arm was too slow to be compared.
fn must_be_quick(arm: &str, runs: &[Run]) {
    for run in runs {
        let mut begin = run.exchanges[0].1.began_ms;
        let took = run.exchanges[run.exchanges.len() - 1].1.ended_ms - begin;
        let mut longest = 0;
        for (_, answer) in &run.exchanges {
            longest = longest.max(answer.ended_ms - begin);
            begin = answer.ended_ms;
        }
        assert!(
            took <= SEQUENCE_MAX_MS && longest <= REQUEST_MAX_MS,
            "{arm} is too slow for a comparison: seed {} took {took} ms, one request {longest} ms",
            run.seed
        );
    }
}

/// Where another arm differs from the simulator.
fn differences(arm: &'static str, simulated: &[Run], theirs: &[Run]) -> Vec<Difference> {
    let (ours, theirs) = (normal(simulated), normal(theirs));
    let sequences = simulated.iter().zip(ours.iter().zip(&theirs));
    sequences
        .flat_map(|(run, (ours, theirs))| {
            let requests: Vec<Request> = run
                .exchanges
                .iter()
                .map(|(request, _)| request.clone())
                .collect();
            let played = Played {
                seed: run.seed,
                steps: &run.steps,
                requests: &requests,
                answers: ours,
            };
            difference::compare(arm, &played, theirs)
        })
        .collect()
}

/// The seeds that `EDGEPROOF_SEED` asks for: `17` or `0..18`.
fn chosen() -> Option<Range<u64>> {
    let text = std::env::var("EDGEPROOF_SEED").ok()?;
    let seed = |text: &str| -> u64 {
        text.parse().unwrap_or_else(|_| {
            panic!("EDGEPROOF_SEED is a seed or a range like 0..18, not {text:?}")
        })
    };
    Some(match text.split_once("..") {
        Some((first, end)) => seed(first)..seed(end),
        None => seed(&text)..seed(&text) + 1,
    })
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "two real servers are asked at the same time"
)]
fn the_real_runtime_differs_from_the_simulator_only_as_listed() {
    let seeds = chosen().unwrap_or(generate::SEEDS);
    let complete = seeds == generate::SEEDS;
    let on = |start: fn() -> (wire::Wire, real::Server)| {
        let seeds = seeds.clone();
        std::thread::spawn(move || {
            let (mut wire, server) = start();
            let runs = Run::all(seeds, &mut wire);
            drop(server);
            runs
        })
    };
    let arms = [
        ("Miniflare", on(real::miniflare)),
        ("workerd", on(real::workerd)),
    ];
    let chosen;
    let ours = if complete {
        simulated()
    } else {
        chosen = simulate(seeds.clone());
        &chosen
    };
    let mut found = Vec::new();
    for (name, arm) in arms {
        let theirs = arm
            .join()
            .unwrap_or_else(|_| panic!("{name} could not be asked"));
        must_be_quick(name, &theirs);
        found.extend(differences(name, ours, &theirs));
    }
    let listed = difference::listed(include_str!("../../CONFORMANCE.md"));
    if let Err(report) = difference::verdict(&found, &listed, complete) {
        panic!("{report}");
    }
    println!(
        "{} requests, on two real arms, {} differences",
        ours.len() * generate::LENGTH * 2,
        found.len()
    );
}

#[test]
fn the_sequences_reach_every_route_status_and_kind_of_request() {
    let coverage = Coverage::of(simulated());
    println!("{}", coverage.table());
    let missing = coverage.missing();
    assert!(missing.is_empty(), "not reached:\n{}", missing.join("\n"));
}

#[test]
fn a_seed_makes_the_same_sequence_each_time_and_another_seed_another() {
    assert_eq!(generate::sequence(17), generate::sequence(17));
    assert_ne!(generate::sequence(17), generate::sequence(24));
    let mut seeds = generate::SEEDS;
    assert!(seeds.all(|seed| generate::sequence(seed).len() == generate::LENGTH));
}

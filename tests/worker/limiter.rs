//! The limiter through the whole Worker against a naive oracle: a list of admissions, counted anew for each request.

use std::time::Duration;

use edgeproof_sim::World;
use edgeproof_sim::http::Response;
use proptest::prelude::*;
use support::production::*;

const USERS: usize = 3;

/// Requests in order of their sending: milliseconds after the one before, and whose.
type Arrivals = Vec<(u64, usize)>;

/// Admits a request if fewer than `quota` were admitted in the `window_ms` before it.
struct Oracle {
    quota: usize,
    window_ms: u64,
    admitted: Vec<u64>,
}

impl Oracle {
    fn admits(&mut self, now_ms: u64) -> bool {
        let recent = self
            .admitted
            .iter()
            .filter(|at| now_ms - **at < self.window_ms)
            .count();
        let admits = recent < self.quota;
        if admits {
            self.admitted.push(now_ms);
        }
        admits
    }
}

fn arrivals() -> impl Strategy<Value = Arrivals> {
    let gap = prop_oneof![
        3 => Just(0u64),
        4 => 1u64..300,
        2 => 300u64..3_000,
        // About a window, on both sides of its end and exactly at it.
        1 => 9_990u64..10_010,
        1 => Just(10_000u64),
        // Long enough for the object to be evicted, and for its alarm to clear up.
        1 => 11_000u64..30_000,
        1 => 300_000u64..400_000,
    ];
    prop::collection::vec((gap, 0..USERS), 1..120)
}

/// A world in which the way to the limiter always takes the same time, so that a request is decided at the distance from its
/// sending that all others are: only then can an oracle outside tell to the millisecond.
fn steady(quota: u32, seed: u64) -> World {
    production(&["MEX"])
        .options(steady_options())
        .seed(seed)
        .history(false)
        .var("RATE_LIMIT_WRITE_REQUESTS", &quota.to_string())
        .var("RATE_LIMIT_WINDOW_SECONDS", "10")
        .build()
        .expect("the world builds")
}

/// Sends each request at its time, whether or not those before it have been answered.
fn send_at(world: &World, arrivals: &Arrivals) -> Vec<(u64, usize, Response)> {
    world.run(async |world| {
        let client = world.client("MEX");
        let mut at_ms = 0;
        let sending = arrivals.iter().map(|(gap_ms, user)| {
            at_ms += gap_ms;
            let (client, at_ms, user) = (client.clone(), at_ms, *user);
            async move {
                world.sleep(Duration::from_millis(at_ms)).await;
                let answer = client
                    .post(TRANSACTIONS)
                    .bearer(&long_lived(user))
                    .json(&serde_json::json!({"test": "data"}))
                    .send()
                    .await;
                (at_ms, user, answer)
            }
        });
        let sending: Vec<_> = sending.collect();
        futures_util::future::join_all(sending).await
    })
}

fn long_lived(user: usize) -> String {
    edgeproof_worker::core::jwt::mint(
        JWT_SECRET,
        &format!("user-{user}"),
        "user",
        START_SECONDS,
        10_000_000,
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn exactly_those_requests_are_admitted_that_a_naive_log_admits(quota in 1u32..8, seed: u64, arrivals in arrivals()) {
        let world = steady(quota, seed);
        let mut oracles: Vec<Oracle> = (0..USERS).map(|_| Oracle { quota: quota as usize, window_ms: 10_000, admitted: Vec::new() }).collect();
        let mut answers = send_at(&world, &arrivals);
        // Of requests that arrive in one instant the order does not matter: the oracle is asked how many pass.
        answers.sort_by_key(|(at_ms, user, answer)| (*at_ms, *user, answer.status));
        for (at_ms, user, answer) in &answers {
            let admitted = oracles[*user].admits(*at_ms);
            prop_assert_eq!(answer.status, if admitted { 422 } else { 429 }, "user {} at {} ms of {:?}", user, at_ms, arrivals);
        }
    }

    #[test]
    fn retry_after_is_the_first_whole_second_that_passes_or_the_next(quota in 1u32..8, seed: u64, arrivals in arrivals()) {
        let world = steady(quota, seed);
        let answers = send_at(&world, &arrivals);
        for (at_ms, user, answer) in answers.iter().filter(|(_, _, answer)| answer.status == 429) {
            let admissions: Vec<u64> = answers.iter().filter(|(at, other, answer)| other == user && at <= at_ms && answer.status == 422).map(|(at, ..)| *at).collect();
            let wait = (1..).find(|seconds| {
                let then = at_ms + seconds * 1_000;
                admissions.iter().filter(|at| then - **at < 10_000).count() < quota as usize
            });
            // An isolate that repeats the object's denial counts from when that arrived: that can round up to one more.
            let wait = wait.expect("quota comes back");
            prop_assert!((wait..=wait + 1).contains(&retry_after(answer)), "user {} at {} ms of {:?}: {}, not {}", user, at_ms, arrivals, retry_after(answer), wait);
        }
    }
}

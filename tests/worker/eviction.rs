//! What an evicted object remembers: an object that was idle for ten seconds is gone from memory, and what it admitted in the last
//! minute must come back from its storage, part of which is the alarm.

use std::collections::BTreeMap;
use std::time::Duration;

use edgeproof_sim::bill::usage::{Meter, UtcDay};
use proptest::prelude::*;
use support::production::*;

/// Requests that differ by which quota they are charged to.
const POLICIES: [&str; 2] = ["general", "write"];

/// A world without chance in its times, so that an oracle outside can tell when an object decides.
fn steady(quota: usize) -> edgeproof_sim::World {
    production(&["MEX"])
        .options(steady_options())
        .var("RATE_LIMIT_REQUESTS_PER_MINUTE", &quota.to_string())
        .var("RATE_LIMIT_WRITE_REQUESTS", &quota.to_string())
        .build()
        .expect("builds")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whenever_it_is_evicted_an_object_admits_what_a_naive_log_admits(quota in 1usize..4, requests in prop::collection::vec((1u64..12, 0usize..2), 1..60)) {
        let world = steady(quota);
        world.run(async |world| {
            let client = world.client("MEX");
            let mut admitted: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
            let mut now_ms = 0;
            for (steps, policy) in &requests {
                now_ms += steps * 6_000;
                world.sleep(Duration::from_millis(now_ms) - world.elapsed()).await;
                let request = if *policy == 0 { get(&client, "user-1", TRANSACTIONS) } else { post(&client, "user-1") };
                let answer = client.send(request).await;
                let log = admitted.entry(*policy).or_default();
                let used = log.iter().filter(|at_ms| now_ms - **at_ms < 60_000).count();
                let (name, remaining, _) = rate_limit(&answer);
                assert_eq!(name, POLICIES[*policy]);
                if used < quota {
                    assert_ne!(answer.status, 429, "at {now_ms} ms: {log:?} of {requests:?}");
                    assert_eq!(remaining as usize, quota - used - 1, "at {now_ms} ms: {log:?} of {requests:?}");
                    log.push(now_ms);
                } else {
                    assert_eq!(answer.status, 429, "at {now_ms} ms: {log:?} of {requests:?}");
                }
            }
        });
    }
}

#[test]
fn an_admission_costs_one_row_however_seldom_its_user_comes() {
    let world = steady(50);
    world.run(async |world| {
        let client = world.client("MEX");
        for round in 0..30 {
            client.send(get(&client, "user-1", TRANSACTIONS)).await;
            if round % 3 == 0 {
                client.send(post(&client, "user-1")).await;
            }
            sleep(world, 400.0).await;
        }
    });
    let usage = world.usage();
    assert_eq!(usage.total(Meter::ObjectRequests), 40, "and no alarm");
    assert_eq!(usage.total(Meter::ObjectRowsWritten), 40);
    // A week after the last of them all is gone, with one alarm.
    let first = usage.days().next().expect("a day");
    let stored_after = |days: u32| {
        world.run(async |world| {
            let until = Duration::from_secs(86_400) * days;
            world.sleep(until.saturating_sub(world.elapsed())).await;
        });
        // What is left at the end of a day is the level of the next.
        let day = UtcDay(first.0 + days + 1);
        world.usage().on(day, Meter::ObjectStoredBytes)
    };
    assert!(stored_after(6) > 0);
    assert_eq!(stored_after(9), 0);
    assert_eq!(world.usage().total(Meter::ObjectRequests), 41);
}

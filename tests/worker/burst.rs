//! The burst: 150 requests of one user at the production Worker, and the quota over time.

use std::time::Duration;

use edgeproof_sim::World;
use edgeproof_sim::bill::usage::Meter;
use edgeproof_sim::check::quota;
use edgeproof_sim::http::{Request, Response};
use edgeproof_sim::kernel::fingerprint::Fingerprint;
use edgeproof_sim::world::client::Client;
use support::production::*;

/// 150 requests, one after the other or 64 at a time.
fn burst(world: &World, in_flight: usize, make: fn(&Client) -> Request) -> Vec<Response> {
    world.run(async |world| {
        let client = world.client(world.pops()[0].code());
        in_parallel(in_flight, times(150, &client, || make(&client))).await
    })
}

fn create(client: &Client) -> Request {
    post(client, "user-1")
}

fn test_data(client: &Client) -> Request {
    post_test_data(client, "user-1")
}

fn list(client: &Client) -> Request {
    get(client, "user-1", TRANSACTIONS)
}

#[test]
fn of_150_posts_exactly_50_are_admitted() {
    for in_flight in [1, 64] {
        let world = world();
        let answers = burst(&world, in_flight, create);
        assert!(
            world.elapsed() < WINDOW,
            "a burst is shorter than the window"
        );
        assert_eq!(
            statuses(&answers),
            [(201, 50), (429, 100)],
            "{in_flight} in flight"
        );
        assert_eq!(rows_in(&world, "transactions", "user_id = 'user-1'"), 50);
    }
}

#[test]
fn of_150_gets_exactly_100_are_admitted() {
    for in_flight in [1, 64] {
        let answers = burst(&world(), in_flight, list);
        assert_eq!(
            statuses(&answers),
            [(200, 100), (429, 50)],
            "{in_flight} in flight"
        );
    }
}

#[test]
fn a_body_that_is_no_transaction_is_charged_and_refused_uniformly() {
    for in_flight in [1, 64] {
        let world = world();
        let answers = burst(&world, in_flight, test_data);
        assert_eq!(
            statuses(&answers),
            [(422, 50), (429, 100)],
            "{in_flight} in flight"
        );
        assert_eq!(rows_in(&world, "transactions", "1"), 0);
    }
}

#[test]
fn in_sequence_the_first_50_are_admitted_and_remaining_falls_by_one() {
    let answers = burst(&world(), 1, create);
    for (number, answer) in answers.iter().enumerate() {
        let (policy, remaining, seconds) = rate_limit(answer);
        assert_eq!(policy, "write");
        assert_eq!(
            answer.header("ratelimit-policy"),
            Some("\"write\";q=50;w=60")
        );
        assert_eq!(answer.status == 201, number < 50, "request {number}");
        assert_eq!(
            remaining,
            49u64.saturating_sub(number as u64),
            "request {number}"
        );
        assert!((1..=60).contains(&seconds), "request {number}: t={seconds}");
        if answer.status == 429 {
            assert_eq!(retry_after(answer), seconds, "both fields tell the same");
        }
    }
}

#[test]
fn in_parallel_every_remainder_is_given_out_exactly_once() {
    let answers = burst(&world(), 64, create);
    let admitted = answers.iter().filter(|answer| answer.status == 201);
    let mut remainders: Vec<u64> = admitted.map(|answer| rate_limit(answer).1).collect();
    remainders.sort_unstable();
    assert_eq!(remainders, (0..50).collect::<Vec<_>>());
}

#[test]
fn a_denial_tells_what_is_exceeded_in_the_registered_form() {
    let answers = burst(&world(), 1, create);
    let denied = &answers[149];
    assert_eq!(
        denied.header("content-type"),
        Some("application/problem+json")
    );
    let problem = json_of(denied);
    assert_eq!(
        problem["type"],
        "https://iana.org/assignments/http-problem-types#quota-exceeded"
    );
    assert_eq!(problem["status"], 429);
    assert_eq!(problem["violated-policies"], serde_json::json!(["write"]));
    assert_eq!(problem["requestId"], denied.header("x-request-id").unwrap());
}

/// Uses up the quota, then asks once more `after` seconds later; the client and the denial.
async fn blocked(world: &World, after: f64) -> (Client, Response) {
    let client = world.client("MEX");
    let answers = one_by_one(&client, 50, || create(&client)).await;
    assert_eq!(count(&answers, 201), 50);
    sleep(world, after).await;
    let denied = client.send(create(&client)).await;
    assert_eq!(denied.status, 429);
    (client, denied)
}

#[test]
fn a_request_after_retry_after_passes_and_one_a_second_earlier_does_not() {
    world().run(async |world| {
        // A tenth of a second past a whole one: so the wait is a little less than the whole seconds that it is rounded up to,
        // and a second earlier is too early by more than the way to the limiter takes.
        let (client, denied) = blocked(world, 10.1).await;
        let wait = retry_after(&denied) as f64;
        assert!(wait <= 50.0, "10 s of the window are over: {wait}");
        sleep(world, wait - 1.0).await;
        let early = client.send(create(&client)).await;
        assert_eq!((early.status, retry_after(&early)), (429, 1));
        sleep(world, 1.0).await;
        assert_eq!(client.send(create(&client)).await.status, 201);
    });
}

#[test]
fn retry_after_is_honest_at_every_moment_of_the_window() {
    for tenths in (0..590).step_by(37) {
        world().run(async |world| {
            let (client, denied) = blocked(world, f64::from(tenths) / 10.0).await;
            sleep(world, retry_after(&denied) as f64).await;
            assert_eq!(
                client.send(create(&client)).await.status,
                201,
                "denied at {tenths} tenths"
            );
        });
    }
}

#[test]
fn a_denied_request_stores_nothing_and_consumes_nothing() {
    let world = world();
    world.run(async |world| {
        let (client, _) = blocked(world, 0.0).await;
        sleep(world, 1.0).await;
        let stored = all_tables(world);
        let meters = [
            Meter::ObjectRowsWritten,
            Meter::D1RowsWritten,
            Meter::D1RowsRead,
            Meter::KvWrites,
            Meter::KvReads,
        ];
        let used = |world: &World| meters.map(|meter| world.usage().total(meter));
        let before = used(world);
        let answers = in_parallel(64, times(200, &client, || create(&client))).await;
        sleep(world, 1.0).await;
        assert_eq!(statuses(&answers), [(429, 200)]);
        assert_eq!(all_tables(world), stored);
        assert_eq!(used(world), before);
        // Nor is anything taken from the other policy.
        assert_eq!(
            rate_limit(&client.send(list(&client)).await),
            ("general".to_owned(), 99, 60)
        );
    });
}

#[test]
fn knocking_does_not_prolong_the_block() {
    world().run(async |world| {
        let client = world.client("MEX");
        let first_sent = world.now();
        let answers = one_by_one(&client, 50, || create(&client)).await;
        assert_eq!(count(&answers, 201), 50);
        let mut knocks = 0;
        while client.send(create(&client)).await.status == 429 {
            knocks += 1;
            sleep(world, 0.1).await;
        }
        let blocked_until = world.now().since(first_sent);
        assert!(knocks > 400, "{knocks}");
        // The first admission was decided a little after it was sent; the first knock after that has left the window passes.
        assert!(
            blocked_until > WINDOW && blocked_until < WINDOW + Duration::from_millis(250),
            "{blocked_until:?}"
        );
    });
}

#[test]
fn after_the_window_the_whole_quota_is_there_again() {
    world().run(async |world| {
        let client = world.client("MEX");
        for round in 0..3 {
            let answers = in_parallel(64, times(150, &client, || create(&client))).await;
            assert_eq!(statuses(&answers), [(201, 50), (429, 100)], "round {round}");
            sleep(world, 60.0).await;
        }
    });
}

#[test]
fn the_quota_outlives_the_memory_of_the_object_that_counts() {
    let world = world();
    world.run(async |world| {
        // 15 s of silence: the object has been evicted, and only its storage knows.
        let (client, _) = blocked(world, 15.0).await;
        let stops = records(world, |op| matches!(op, edgeproof_sim::history::Op::ObjectStop { reason, .. } if reason == "idle"));
        assert_eq!(stops.len(), 1);
        let answers = one_by_one(&client, 20, || create(&client)).await;
        assert_eq!(statuses(&answers), [(429, 20)]);
    });
}

/// Users who ask in their own rhythms for three minutes, around and across the ends of windows. Each has a client of their own, so
/// that the records tell them apart by address.
fn traffic(world: &World) {
    world.run(async |world| {
        let users = (0..4).map(|number| async move {
            let client = world.client("MEX");
            let user = format!("user-{number}");
            let make = || post(&client, &user);
            while world.elapsed() < Duration::from_secs(180) {
                match number {
                    // Steadily, four times as often as allowed.
                    0 => drop(one_by_one(&client, 1, make).await),
                    // More than is allowed, at once.
                    1 => drop(in_parallel(64, times(60, &client, make)).await),
                    // One that opens a window, then a burst shortly before its end and another after it: nearly twice the quota
                    // for a limiter that starts afresh.
                    2 => {
                        one_by_one(&client, 1, make).await;
                        for pause in [50.0, 11.0] {
                            sleep(world, pause).await;
                            in_parallel(64, times(60, &client, make)).await;
                        }
                    }
                    // Half of what is allowed.
                    _ => drop(one_by_one(&client, 1, make).await),
                }
                let pause = [0.3, 7.0, 29.0, 2.4][number];
                sleep(world, pause).await;
            }
        });
        futures_util::future::join_all(users).await;
    });
}

#[test]
fn no_window_ever_holds_more_admissions_than_the_quota() {
    let world = world();
    traffic(&world);
    let history = world.history();
    assert_eq!(
        quota::check(history.records(), 50, WINDOW, quota::admitted_by_address),
        []
    );
    let counted = quota::measure(history.records(), WINDOW, quota::admitted_by_address);
    assert_eq!(
        (counted.identities, counted.most),
        (4, 50),
        "and the quota is used fully"
    );
    assert!(counted.admitted > 400, "{counted:?}");
}

#[test]
fn a_limiter_that_admits_too_much_is_seen_by_the_check() {
    let broken = [
        // 51 where 50 are promised.
        ("RATE_LIMIT_WRITE_REQUESTS", "51", 51),
        // A window that is too short.
        ("RATE_LIMIT_WINDOW_SECONDS", "59", 100),
        // The original design: a window that starts afresh lets the quota pass twice.
        ("RATE_LIMIT_ALGORITHM", "fixed-window", 100),
    ];
    for (name, value, most) in broken {
        let world = production(&["MEX"])
            .var(name, value)
            .build()
            .expect("builds");
        traffic(&world);
        let history = world.history();
        let violations = quota::check(history.records(), 50, WINDOW, quota::admitted_by_address);
        let worst = violations
            .iter()
            .map(|violation| violation.events.len())
            .max();
        assert!(
            worst.is_some_and(|worst| worst > 50 && worst <= most),
            "{name}={value}: {worst:?}"
        );
    }
}

#[test]
fn every_algorithm_keeps_its_documented_bound_and_lets_the_quota_be_used() {
    for (algorithm, bound) in [
        ("sliding-log", 50),
        ("sliding-counter", 100),
        ("token-bucket", 100),
        ("fixed-window", 100),
    ] {
        let world = production(&["MEX"])
            .var("RATE_LIMIT_ALGORITHM", algorithm)
            .build()
            .expect("builds");
        traffic(&world);
        let history = world.history();
        assert_eq!(
            quota::check(history.records(), bound, WINDOW, quota::admitted_by_address),
            [],
            "{algorithm}"
        );
        let counted = quota::measure(history.records(), WINDOW, quota::admitted_by_address);
        assert!(counted.most >= 50, "{algorithm}: {counted:?}");
    }
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "each of the two threads has a world of its own"
)]
fn one_seed_is_one_run_on_any_thread_and_another_seed_is_another() {
    fn fingerprint(seed: u64) -> (Fingerprint, String) {
        let world = production(&["MEX"]).seed(seed).build().expect("builds");
        burst(&world, 64, create);
        (world.fingerprint(), world.history().to_json_lines())
    }
    let here = fingerprint(7);
    let elsewhere = std::thread::spawn(|| fingerprint(7))
        .join()
        .expect("the thread ends well");
    assert_eq!(here.0, elsewhere.0);
    assert!(
        here == elsewhere,
        "also the history is the same, line by line"
    );
    assert_eq!(
        here,
        fingerprint(7),
        "what ran before in this thread leaves no trace"
    );
    assert_ne!(here.0, fingerprint(8).0);
}

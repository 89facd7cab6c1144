//! The cache of dashboards and reports: fast where it can be, never wrong, whatever KV does.

use std::time::Duration;

use edgeproof_sim::World;
use edgeproof_sim::check::staleness;
use edgeproof_sim::fault::{FaultKind, KvOperation};
use edgeproof_sim::history::{Op, Outcome};
use edgeproof_sim::http::Response;
use edgeproof_sim::world::client::Client;
use support::production::*;

/// Takes every isolate's memory: what is read next comes from KV or is computed. Only after a while, so that what was put has arrived.
async fn forget(world: &World) {
    sleep(world, 6.0).await;
    for pop in ["MEX", "FRA"] {
        world.inject(FaultKind::IsolateEvicted { pop: pop.into() });
    }
}

async fn read(client: &Client, user: &str, path: &str) -> Response {
    let answer = client.send(get(client, user, path)).await;
    assert_eq!(answer.status, 200, "{path} of {user}: {:?}", answer.body);
    answer
}

async fn write(client: &Client, user: &str) {
    assert_eq!(client.send(post(client, user)).await.status, 201);
}

fn transactions_in(answer: &Response) -> u64 {
    json_of(answer)["data"]["transactionCount"]
        .as_u64()
        .expect("transactionCount is a whole number")
}

/// Reads and whether KV or memory had it.
async fn hit(client: &Client, user: &str) -> (u64, String) {
    let answer = read(client, user, DASHBOARD).await;
    (transactions_in(&answer), x_cache(&answer).to_owned())
}

fn seen(count: u64, cache: &str) -> (u64, String) {
    (count, cache.to_owned())
}

/// How often a value was computed from the database.
fn computations(world: &World) -> usize {
    records(
        world,
        |op| matches!(op, Op::D1 { sql, .. } if sql.iter().any(|sql| sql.contains("AS version"))),
    )
    .len()
}

#[test]
fn the_second_read_is_a_hit_with_the_same_body() {
    for path in [DASHBOARD, REPORTS] {
        for transactions in [0, 3] {
            let world = world();
            world.run(async |world| {
                let client = world.client("MEX");
                one_by_one(&client, transactions, || post(&client, "user-1")).await;
                let first = read(&client, "user-1", path).await;
                let second = read(&client, "user-1", path).await;
                forget(world).await;
                let third = read(&client, "user-1", path).await;
                assert_eq!(
                    [&first, &second, &third].map(x_cache),
                    ["MISS", "HIT", "HIT"],
                    "{path} with {transactions}"
                );
                assert_eq!(first.body, second.body);
                assert_eq!(first.body, third.body);
                assert_eq!(transactions_in(&first), transactions as u64);
            });
            assert_eq!(computations(&world), 1, "{path} with {transactions}");
        }
    }
}

#[test]
fn a_hit_outlives_every_isolate_because_kv_has_it() {
    let world = world();
    world.run(async |world| {
        let client = world.client("MEX");
        write(&client, "user-1").await;
        assert_eq!(hit(&client, "user-1").await, seen(1, "MISS"));
        sleep(world, 1.0).await;
        world.inject(FaultKind::IsolateEvicted { pop: "MEX".into() });
        assert_eq!(hit(&client, "user-1").await, seen(1, "HIT"));
    });
    let from_kv = records(&world, |op| matches!(op, Op::KvGet { .. }));
    assert!(
        matches!(
            from_kv.last().map(|record| &record.outcome),
            Some(Outcome::KvRead {
                version: Some(_),
                ..
            })
        ),
        "{from_kv:?}"
    );
}

#[test]
fn an_entry_expires_after_its_time() {
    let world = production(&["MEX"])
        .var("CACHE_DASHBOARD_TTL", "120")
        .build()
        .expect("builds");
    world.run(async |world| {
        let client = world.client("MEX");
        assert_eq!(hit(&client, "user-1").await, seen(0, "MISS"));
        sleep(world, 100.0).await;
        assert_eq!(hit(&client, "user-1").await, seen(0, "HIT"));
        // A PoP's own copy may outlive the entry by its cacheTtl.
        sleep(world, 100.0).await;
        assert_eq!(hit(&client, "user-1").await, seen(0, "MISS"));
    });
}

#[test]
fn a_write_is_seen_by_the_next_read_wherever_it_is_made() {
    let world = production(&["MEX", "FRA"]).build().expect("builds");
    world.run(async |world| {
        let (mexico, frankfurt) = (world.client("MEX"), world.client("FRA"));
        for count in 0..5 {
            for client in [&mexico, &frankfurt] {
                assert_eq!(hit(client, "user-1").await.0, count);
                let reports = read(client, "user-1", REPORTS).await;
                assert_eq!(transactions_in(&reports), count);
            }
            write(&mexico, "user-1").await;
        }
        assert_eq!(hit(&frankfurt, "user-1").await, seen(5, "MISS"));
        assert_eq!(hit(&frankfurt, "user-1").await, seen(5, "HIT"));
    });
}

/// Two PoPs read almost at once: both find nothing, both put. KV takes one put of a key in a second, here that from Mexico City; in
/// Frankfurt it goes on saying that there is nothing.
fn with_a_stale_pop(world: &World) -> Vec<(u64, String)> {
    world.run(async |world| {
        let (mexico, frankfurt) = (world.client("MEX"), world.client("FRA"));
        // The user's first request decides that the limiter's object is in Mexico City, where the database is as well. So
        // Frankfurt, whose way to both is long, begins earlier.
        mexico.send(get(&mexico, "user-1", TRANSACTIONS)).await;
        let later = async {
            sleep(world, 0.3).await;
            hit(&mexico, "user-1").await
        };
        futures_util::future::join(hit(&frankfurt, "user-1"), later).await;
        let mut reads = Vec::new();
        for _ in 0..4 {
            forget(world).await;
            reads.push(hit(&mexico, "user-1").await);
            reads.push(hit(&frankfurt, "user-1").await);
        }
        write(&mexico, "user-1").await;
        reads.push(hit(&frankfurt, "user-1").await);
        reads
    })
}

#[test]
fn kv_itself_is_stale_across_pops_and_nobody_is_shown_it() {
    let world = production(&["MEX", "FRA"]).build().expect("builds");
    let reads = with_a_stale_pop(&world);
    let history = world.history();
    let refused = records(&world, |op| matches!(op, Op::KvPut { .. }));
    assert!(
        matches!(&refused[1].outcome, Outcome::Error { message } if message == "KV PUT failed: 429 Too Many Requests"),
        "{refused:?}"
    );
    let measured = staleness::measure(history.records());
    assert!(
        measured.stale_reads >= 1,
        "a PoP was told what was no longer so: {measured:?}"
    );
    assert!(
        measured.max_stale_seconds > 5.0 && measured.max_stale_seconds <= 61.0,
        "{measured:?}"
    );
    assert_eq!(
        staleness::check(history.records(), &staleness::Options::default()),
        [],
        "stale within what KV promises"
    );
    // Every answer was right all the same, before the write and at once after it.
    assert!(reads[..8].iter().all(|(count, _)| *count == 0), "{reads:?}");
    assert_eq!(reads[8].0, 1);
}

#[test]
fn a_kv_that_is_staler_than_it_may_be_is_seen_by_the_check() {
    let world = production(&["MEX", "FRA"]).build().expect("builds");
    with_a_stale_pop(&world);
    let mut records = world.history().records().to_vec();
    assert_eq!(
        staleness::check(&records, &staleness::Options::default()),
        []
    );
    // The same run, had the last cached read been served two minutes later.
    let cached = records
        .iter_mut()
        .rev()
        .find(|record| matches!(record.outcome, Outcome::KvRead { cached: true, .. }))
        .expect("some reads came from a PoP's cache");
    cached.start += 120_000_000_000;
    cached.end += 120_000_000_000;
    let violations = staleness::check(&records, &staleness::Options::default());
    assert!(
        violations
            .iter()
            .any(|violation| violation.rule == "kv/too-old"),
        "{violations:?}"
    );
}

#[test]
fn a_read_that_began_before_a_write_never_puts_the_old_value_back() {
    // The read comes from Frankfurt, the database and the write are in Mexico City. Every offset is another interleaving of the
    // read's steps (version, KV, computing, put) with the write.
    let mut overtaken = 0;
    for offset_ms in (0..600).step_by(15) {
        let world = production(&["MEX", "FRA"]).build().expect("builds");
        world.run(async |world| {
            let (mexico, frankfurt) = (world.client("MEX"), world.client("FRA"));
            // Warm: so that what follows is not about starts of isolates and objects.
            hit(&frankfurt, "somebody").await;
            let writing = async {
                world.sleep(Duration::from_millis(offset_ms)).await;
                write(&mexico, "user-1").await;
                world.now().0
            };
            let (early, written_at) =
                futures_util::future::join(hit(&frankfurt, "user-1"), writing).await;
            for pause in [0.0, 1.0, 6.0, 70.0] {
                sleep(world, pause).await;
                if pause > 1.0 {
                    forget(world).await;
                }
                assert_eq!(
                    hit(&frankfurt, "user-1").await.0,
                    1,
                    "written {offset_ms} ms after the read began"
                );
                assert_eq!(
                    hit(&mexico, "user-1").await.0,
                    1,
                    "written {offset_ms} ms after the read began"
                );
            }
            // The race was real: the old value was put when the write had already been answered.
            let puts = records(
                world,
                |op| matches!(op, Op::KvPut { key, .. } if key.ends_with(":0")),
            );
            if early.0 == 0
                && puts
                    .iter()
                    .any(|put| put.end > written_at && put.pop == "FRA")
            {
                overtaken += 1;
            }
        });
    }
    assert!(overtaken >= 3, "{overtaken}");
}

#[test]
fn a_cached_value_is_never_shown_to_another_user() {
    world().run(async |world| {
        let client = world.client("MEX");
        write(&client, "user-1").await;
        for path in [DASHBOARD, REPORTS] {
            assert_eq!(transactions_in(&read(&client, "user-1", path).await), 1);
            // Ids that would meet the first one's key if keys were glued together from ids.
            for other in [
                "user-2",
                "user-1:1",
                "user-1:",
                "USER-1",
                "user-",
                "1",
                "user-1/../user-1",
            ] {
                let answer = read(&client, other, path).await;
                assert_eq!(
                    (transactions_in(&answer), x_cache(&answer)),
                    (0, "MISS"),
                    "{path} of {other}"
                );
            }
        }
    });
}

#[test]
fn no_header_and_no_unknown_parameter_makes_another_entry() {
    let world = world();
    world.run(async |world| {
        let client = world.client("MEX");
        read(&client, "user-1", DASHBOARD).await;
        for (name, value) in [
            ("accept", "text/html"),
            ("accept-language", "de"),
            ("accept-encoding", "br"),
            ("cookie", "a=b"),
            ("cache-control", "no-cache"),
            ("origin", "https://evil.example"),
            ("x-forwarded-host", "evil.example"),
            ("if-none-match", "*"),
            ("range", "bytes=0-1"),
        ] {
            let answer = client
                .get(DASHBOARD)
                .bearer(&token("user-1"))
                .header(name, value)
                .send()
                .await;
            assert_eq!(
                (answer.status, x_cache(&answer)),
                (200, "HIT"),
                "{name}: {value}"
            );
        }
        let answer = client
            .get("/api/dashboard?cachebuster=17&user_id=user-2")
            .bearer(&token("user-1"))
            .send()
            .await;
        assert_eq!((answer.status, x_cache(&answer)), (200, "HIT"));
    });
    assert_eq!(
        records(&world, |op| matches!(op, Op::KvPut { .. })).len(),
        1
    );
}

#[test]
fn no_answer_may_be_kept_by_anybody_else() {
    world().run(async |world| {
        let client = world.client("MEX");
        for _ in 0..2 {
            let answer = read(&client, "user-1", DASHBOARD).await;
            assert_eq!(answer.header("cache-control"), Some("no-store"));
        }
    });
}

#[test]
fn twenty_concurrent_misses_cause_three_computations_at_most() {
    let world = world();
    world.run(async |world| {
        let client = world.client("MEX");
        let answers =
            in_parallel(20, times(20, &client, || get(&client, "user-1", DASHBOARD))).await;
        assert_eq!(statuses(&answers), [(200, 20)]);
        assert!(answers.iter().all(|answer| answer.body == answers[0].body));
    });
    let computed = computations(&world);
    assert!((1..=3).contains(&computed), "{computed}");
}

#[test]
fn a_denied_write_drops_nothing() {
    world().run(async |world| {
        let client = world.client("MEX");
        in_parallel(64, times(50, &client, || post(&client, "user-1"))).await;
        assert_eq!(hit(&client, "user-1").await, seen(50, "MISS"));
        // Until the value has arrived in KV.
        sleep(world, 1.0).await;
        let denied = in_parallel(64, times(20, &client, || post(&client, "user-1"))).await;
        assert_eq!(statuses(&denied), [(429, 20)]);
        assert_eq!(hit(&client, "user-1").await, seen(50, "HIT"));
        // Nor does a refused body.
        assert_eq!(hit(&client, "user-2").await, seen(0, "MISS"));
        let refused = client.send(post_test_data(&client, "user-2")).await;
        assert_eq!(refused.status, 422);
        sleep(world, 1.0).await;
        assert_eq!(hit(&client, "user-2").await, seen(0, "HIT"));
    });
}

#[test]
fn a_kv_that_cannot_be_read_is_a_miss_and_never_an_error() {
    for status in [None, Some(429), Some(500), Some(503)] {
        let world = production(&["MEX", "FRA"]).build().expect("builds");
        world.run(async |world| {
            let (mexico, frankfurt) = (world.client("MEX"), world.client("FRA"));
            assert_eq!(hit(&mexico, "user-1").await, seen(0, "MISS"));
            sleep(world, 1.0).await;
            // Frankfurt has no copy yet and has to ask the store.
            let expected = match status {
                None => "HIT",
                Some(status) => {
                    world.inject(FaultKind::KvErrors {
                        operation: KvOperation::Get,
                        status,
                        ratio: 1.0,
                        for_ms: 10_000,
                    });
                    "MISS"
                }
            };
            assert_eq!(
                hit(&frankfurt, "user-1").await,
                seen(0, expected),
                "{status:?}"
            );
        });
        assert_eq!(rows_in(&world, "error_logs", "1"), 0);
    }
}

#[test]
fn if_kv_cannot_be_written_every_read_is_a_miss_and_never_an_error() {
    for status in [429, 500, 503] {
        let world = world();
        world.run(async |world| {
            let client = world.client("MEX");
            world.inject(FaultKind::KvErrors {
                operation: KvOperation::Put,
                status,
                ratio: 1.0,
                for_ms: 30_000,
            });
            for _ in 0..4 {
                assert_eq!(hit(&client, "user-1").await, seen(0, "MISS"), "{status}");
                forget(world).await;
            }
            sleep(world, 10.0).await;
            assert_eq!(hit(&client, "user-1").await, seen(0, "MISS"));
            forget(world).await;
            assert_eq!(hit(&client, "user-1").await, seen(0, "HIT"), "healed");
        });
        assert_eq!(rows_in(&world, "error_logs", "1"), 0);
    }
}

#[test]
fn a_pop_goes_on_serving_its_own_copy_while_the_store_fails() {
    world().run(async |world| {
        let client = world.client("MEX");
        assert_eq!(hit(&client, "user-1").await, seen(0, "MISS"));
        world.inject(FaultKind::KvErrors {
            operation: KvOperation::Get,
            status: 500,
            ratio: 1.0,
            for_ms: 30_000,
        });
        forget(world).await;
        assert_eq!(hit(&client, "user-1").await, seen(0, "HIT"));
    });
}

#[test]
fn health_says_that_the_cache_fails_and_that_it_works_again() {
    world().run(async |world| {
        let client = world.client("MEX");
        world.inject(FaultKind::KvErrors {
            operation: KvOperation::Get,
            status: 500,
            ratio: 1.0,
            for_ms: 30_000,
        });
        hit(&client, "user-1").await;
        let health = json_of(&client.get(HEALTH).send().await);
        assert_eq!(
            (&health["status"], &health["components"]["cache"]),
            (&"degraded".into(), &"failing".into())
        );
        sleep(world, 100.0).await;
        let health = json_of(&client.get(HEALTH).send().await);
        assert_eq!(
            (&health["status"], &health["components"]["cache"]),
            (&"ok".into(), &"ok".into())
        );
    });
}

#[test]
fn a_lifetime_below_what_kv_takes_is_raised_and_breaks_nothing() {
    for seconds in ["1", "5", "59"] {
        let world = production(&["MEX"])
            .var("CACHE_DASHBOARD_TTL", seconds)
            .var("CACHE_TTL_SECONDS", seconds)
            .build()
            .expect("builds");
        world.run(async |world| {
            let client = world.client("MEX");
            assert_eq!(hit(&client, "user-1").await, seen(0, "MISS"));
            forget(world).await;
            assert_eq!(hit(&client, "user-1").await, seen(0, "HIT"), "{seconds} s");
        });
        let puts = records(&world, |op| matches!(op, Op::KvPut { .. }));
        assert!(
            matches!(puts[..], [ref put] if matches!(put.outcome, Outcome::KvWritten { .. })),
            "{puts:?}"
        );
    }
}

#[test]
fn kv_is_written_at_its_allowed_pace_and_isolates_cache_by_themselves() {
    let world = production(&["MEX", "FRA"])
        .var("CACHE_KV_WRITES_PER_DAY", "8")
        .build()
        .expect("builds");
    world.run(async |world| {
        let clients = [world.client("MEX"), world.client("FRA")];
        for hour in 0..23 {
            for (number, client) in clients.iter().enumerate() {
                let user = format!("user-{hour}-{number}");
                assert_eq!(hit(client, &user).await, seen(0, "MISS"));
                sleep(world, 1.0).await;
                assert_eq!(hit(client, &user).await, seen(0, "HIT"), "{user}");
            }
            if hour == 1 {
                let health = json_of(&clients[0].get(HEALTH).send().await);
                assert_eq!(
                    (&health["status"], &health["warnings"][0]["name"]),
                    (&"ok".into(), &"CACHE_KV_WRITES_PER_DAY".into())
                );
            }
            sleep(world, 3_596.0).await;
        }
    });
    let puts = records(&world, |op| matches!(op, Op::KvPut { .. }));
    assert!((6..=8).contains(&puts.len()), "{}", puts.len());
}

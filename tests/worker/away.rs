//! The limiter's object away for a while: every way in which it can be, on many isolates and in several PoPs, and what is left of it
//! afterwards.
//!
//! What serves while a binding is absent altogether is in `bindings.rs`.

use std::time::Duration;

use edgeproof_sim::World;
use edgeproof_sim::bill::usage::Meter;
use edgeproof_sim::fault::FaultKind;
use edgeproof_sim::history::{Op, Outcome};
use edgeproof_sim::http::Response;
use edgeproof_sim::platform::outbound::Origin;
use edgeproof_sim::world::builder::Builder;
use edgeproof_sim::world::client::Client;
use edgeproof_sim::world::options::Options;
use edgeproof_worker::core::jwt;
use support::production::*;

const ERRORS: &str = "errors.example";
const SECURITY: &str = "hooks.example";

/// The name of the limiter's class.
fn class() -> String {
    "RateLimiter".to_owned()
}

/// Every fault that keeps the object from counting, for that long.
fn away(for_ms: u64) -> [FaultKind; 4] {
    let class = class();
    [
        FaultKind::ObjectUnreachable {
            class: class.clone(),
            for_ms,
        },
        FaultKind::ObjectOverloaded {
            class: class.clone(),
            for_ms,
        },
        FaultKind::ObjectStorageFailing {
            class: class.clone(),
            for_ms,
        },
        FaultKind::ObjectStorageFull { class, for_ms },
    ]
}

/// The production Worker with both receivers.
fn alerting(pops: &[&str]) -> Builder {
    production(pops)
        .secret("ERROR_ALERT_WEBHOOK", "https://errors.example/in")
        .secret("SECURITY_ALERT_WEBHOOK", "https://hooks.example/in")
        .origin(ERRORS, Origin::new())
        .origin(SECURITY, Origin::new())
}

/// One isolate in one PoP, so that there is one memory to count in.
fn alone() -> World {
    let mut options = Options::default();
    options.isolates.per_pop = 1;
    alerting(&["MEX"])
        .options(options)
        .build()
        .expect("the world builds")
}

async fn writes(client: &Client, number: usize, user: &str) -> Vec<Response> {
    in_parallel(16, times(number, client, || post(client, user))).await
}

async fn component(client: &Client, name: &str) -> String {
    let answer = client.get(HEALTH).send().await;
    json_of(&answer)["components"][name]
        .as_str()
        .expect("health names every component")
        .to_owned()
}

#[test]
fn logins_are_refused_with_retry_after_before_any_password_is_checked() {
    for kind in away(30_000) {
        let world = alone();
        world.run(async |world| {
            let client = world.client("MEX");
            world.inject(kind.clone());
            let requests = times(20, &client, || login(&client, "demo", "demo-pass-9137"));
            let answers = in_parallel(5, requests).await;
            assert_eq!(statuses(&answers), [(503, 20)], "{kind}");
            for answer in &answers {
                assert!((1..=60).contains(&retry_after(answer)), "{kind}");
            }
            sleep(world, 5.0).await;
            assert_eq!(rows_in(world, "audit_logs", "category = 'auth'"), 0);
            // And Retry-After is honest: a client that keeps retrying when it says so gets in.
            let mut waited = 5;
            loop {
                let answer = client.send(login(&client, "demo", "demo-pass-9137")).await;
                if answer.status == 200 {
                    break;
                }
                assert_eq!(answer.status, 503, "{kind}");
                assert!(waited < 100, "{kind} was over long ago");
                waited += retry_after(&answer);
                sleep(world, retry_after(&answer) as f64).await;
            }
        });
    }
}

#[test]
fn everything_else_stays_open_within_the_quota_of_each_isolate() {
    let per_pop = Options::default().isolates.per_pop as usize;
    for kind in away(60_000) {
        let world = alerting(&["MEX", "FRA", "SIN"]).build().expect("builds");
        let (writes, reads) = world.run(async |world| {
            world.inject(kind.clone());
            let clients = ["MEX", "FRA", "SIN"].map(|pop| world.client(pop));
            let requests = |make: &dyn Fn(&Client) -> _| -> Vec<_> {
                let one = |number: usize| {
                    let client = &clients[number % 3];
                    (client.clone(), make(client))
                };
                (0..1_800).map(one).collect()
            };
            let writes = requests(&|client| post_test_data(client, "user-1"));
            let reads = requests(&|client| get(client, "user-1", "/api/nothing"));
            let writes = in_parallel(300, writes).await;
            (writes, in_parallel(300, reads).await)
        });
        let isolates = records(&world, |op| matches!(op, Op::IsolateStart)).len();
        assert!(
            isolates > 3 && isolates <= 3 * per_pop,
            "{isolates} isolates"
        );
        for (answers, passed, quota) in [(&writes, 422, 50), (&reads, 404, 100)] {
            let admitted = count(answers, passed);
            assert_eq!(admitted + count(answers, 429), 1_800, "{kind}");
            assert!(
                admitted > quota && admitted <= quota * isolates,
                "{kind}: {admitted} of {quota} by {isolates} isolates"
            );
        }
    }
}

#[test]
fn however_many_isolates_and_pops_notice_one_alert_is_sent() {
    for kind in away(60_000) {
        let world = alerting(&["MEX", "FRA", "SIN"]).build().expect("builds");
        world.run(async |world| {
            world.inject(kind.clone());
            let clients = ["MEX", "FRA", "SIN"].map(|pop| world.client(pop));
            let requests = (0..300).map(|number| {
                let client = &clients[number % 3];
                (client.clone(), post(client, &format!("user-{number}")))
            });
            let answers = in_parallel(100, requests).await;
            assert_eq!(statuses(&answers), [(201, 300)], "{kind}");
            sleep(world, 30.0).await;
        });
        let isolates = records(&world, |op| matches!(op, Op::IsolateStart)).len();
        assert!(isolates > 3, "{isolates} isolates");
        let received = world.received(ERRORS);
        assert_eq!(received.len(), 1, "{kind}");
        let alert: serde_json::Value =
            serde_json::from_slice(&received[0].request.body).expect("JSON");
        assert_eq!(alert["severity"], "critical", "{alert}");
        assert!(
            alert["message"]
                .as_str()
                .is_some_and(|message| message.contains("rate limiter")),
            "{alert}"
        );
        assert_eq!(world.received(SECURITY).len(), 0, "nobody was denied");
    }
}

#[test]
fn whoever_asks_first_and_whoever_arrives_first_one_alert_is_sent() {
    // The database is in Mexico City. Of two who notice, Singapore may have asked before and arrive after.
    for delay_ms in (0..400).step_by(20) {
        let world = alerting(&["MEX", "SIN"]).build().expect("builds");
        world.run(async |world| {
            world.inject(FaultKind::ObjectUnreachable {
                class: class(),
                for_ms: 60_000,
            });
            let (near, far) = (world.client("MEX"), world.client("SIN"));
            let later = async {
                world.sleep(Duration::from_millis(delay_ms)).await;
                near.send(get(&near, "user-1", TRANSACTIONS)).await
            };
            futures_util::future::join(far.send(get(&far, "user-2", TRANSACTIONS)), later).await;
            sleep(world, 30.0).await;
        });
        let received = world.received(ERRORS).len();
        assert_eq!(received, 1, "{delay_ms} ms");
    }
}

#[test]
fn denials_by_many_isolates_raise_one_alert_for_each_identity_and_policy() {
    for kind in away(60_000) {
        let world = alerting(&["MEX", "FRA", "SIN"]).build().expect("builds");
        world.run(async |world| {
            world.inject(kind.clone());
            let clients = ["MEX", "FRA", "SIN"].map(|pop| world.client(pop));
            let requests = (0..3_600).map(|number| {
                let client = &clients[number % 3];
                let user = ["user-1", "user-2"][number / 3 % 2];
                (client.clone(), post_test_data(client, user))
            });
            let answers = in_parallel(300, requests).await;
            assert!(count(&answers, 429) > 1_000, "{kind}");
            sleep(world, 30.0).await;
        });
        let mut users: Vec<String> = world
            .received(SECURITY)
            .iter()
            .map(|received| {
                let alert: serde_json::Value =
                    serde_json::from_slice(&received.request.body).expect("JSON");
                alert["details"]["userId"].to_string()
            })
            .collect();
        users.sort();
        assert_eq!(users, ["\"user-1\"", "\"user-2\""], "{kind}");
        // What isolates agreed by is not kept for ever.
        world.run(async |world| {
            assert_eq!(rows_in(world, "alert_marks", "1"), 3, "and of the object");
            sleep(world, 86_401.0).await;
            let ran = world.scheduled("17 3 * * *").await;
            ran.expect("the handler ends well");
            assert_eq!(rows_in(world, "alert_marks", "1"), 0);
        });
    }
}

#[test]
fn with_the_database_away_too_each_isolate_speaks_for_itself_once() {
    let world = alerting(&["MEX", "FRA"]).build().expect("builds");
    world.run(async |world| {
        let [object, ..] = away(60_000);
        world.inject(object);
        world.inject(FaultKind::D1Failing {
            binding: "DB".into(),
            for_ms: 60_000,
        });
        let clients = [world.client("MEX"), world.client("FRA")];
        let requests = (0..200).map(|number| {
            let client = &clients[number % 2];
            (
                client.clone(),
                get(client, &format!("user-{number}"), "/api/nothing"),
            )
        });
        let answers = in_parallel(100, requests).await;
        assert_eq!(statuses(&answers), [(404, 200)]);
        sleep(world, 30.0).await;
    });
    let isolates = records(&world, |op| matches!(op, Op::IsolateStart)).len();
    let told = world.received(ERRORS).len();
    assert!(
        told >= 1 && told <= isolates,
        "{told} by {isolates} isolates"
    );
}

#[test]
fn health_says_it_from_the_first_failure_until_the_object_counts_again() {
    for kind in away(20_000) {
        let world = alone();
        world.run(async |world| {
            let client = world.client("MEX");
            assert_eq!(component(&client, "rateLimiter").await, "ok");
            world.inject(kind.clone());
            writes(&client, 1, "user-1").await;
            assert_eq!(component(&client, "rateLimiter").await, "failing", "{kind}");
            sleep(world, 15.0).await;
            assert_eq!(component(&client, "rateLimiter").await, "failing", "{kind}");
            // Over; the first request that the object counts says so.
            sleep(world, 15.0).await;
            writes(&client, 1, "user-1").await;
            assert_eq!(component(&client, "rateLimiter").await, "ok", "{kind}");
        });
    }
}

#[test]
fn when_the_object_is_back_it_counts_on_from_what_it_had_admitted() {
    for kind in away(5_000) {
        let world = alone();
        world.run(async |world| {
            let client = world.client("MEX");
            assert_eq!(count(&writes(&client, 30, "user-1").await, 201), 30);
            world.inject(kind.clone());
            assert_eq!(
                count(&writes(&client, 10, "user-1").await, 201),
                10,
                "{kind}: the isolate admits"
            );
            sleep(world, 6.0).await;
            // Neither more nor less than what is left of 50: what the isolate admitted is not the object's, and nothing that the
            // object refused to store is.
            let after = writes(&client, 40, "user-1").await;
            assert_eq!(statuses(&after), [(201, 20), (429, 20)], "{kind}");
            let wait = after
                .iter()
                .filter(|answer| answer.status == 429)
                .map(retry_after);
            sleep(world, wait.max().expect("some were denied") as f64).await;
            let later = writes(&client, 1, "user-1").await;
            assert_eq!(statuses(&later), [(201, 1)], "{kind}: honest");
            sleep(world, 60.0).await;
            let next = writes(&client, 60, "user-1").await;
            assert_eq!(statuses(&next), [(201, 50), (429, 10)], "{kind}");
        });
    }
}

#[test]
fn an_object_away_again_and_again_costs_a_quota_per_isolate_and_window() {
    for kind in away(2_000) {
        let world = alone();
        world.run(async |world| {
            let client = world.client("MEX");
            let mut by_isolate = 0;
            for _ in 0..4 {
                world.inject(kind.clone());
                by_isolate += count(&writes(&client, 20, "user-1").await, 201);
                sleep(world, 3.0).await;
                // In between the object counts, and another user's requests go to it.
                assert_eq!(count(&writes(&client, 1, "user-2").await, 201), 1, "{kind}");
            }
            assert_eq!(by_isolate, 50, "{kind}: of 80 within one window");
        });
    }
}

#[test]
fn full_storage_changes_no_denial() {
    let world = alone();
    world.run(async |world| {
        let client = world.client("MEX");
        let first = writes(&client, 50, "user-1").await;
        assert_eq!(statuses(&first), [(201, 50)]);
        world.inject(FaultKind::ObjectStorageFull {
            class: class(),
            for_ms: 300_000,
        });
        let denied = writes(&client, 100, "user-1").await;
        assert_eq!(statuses(&denied), [(429, 100)]);
        for answer in &denied {
            assert!((1..=60).contains(&retry_after(answer)));
        }
        assert_eq!(
            component(&client, "rateLimiter").await,
            "ok",
            "it denies as it should"
        );
        sleep(world, 30.0).await;
        assert_eq!(
            world.received(SECURITY).len(),
            1,
            "although the mark of it cannot be stored"
        );
        assert_eq!(world.received(ERRORS).len(), 0);
        // Room again, but nowhere to store an admission: the isolate's quota serves.
        sleep(world, 31.0).await;
        let next = writes(&client, 100, "user-1").await;
        assert_eq!(statuses(&next), [(201, 50), (429, 50)]);
        assert_eq!(component(&client, "rateLimiter").await, "failing");
        sleep(world, 30.0).await;
        assert_eq!(world.received(ERRORS).len(), 1);
    });
}

/// Bytes that objects store. Lets a day pass: of each day the peak is known, and the next one begins with what is left.
async fn stored(world: &World) -> u64 {
    world.usage();
    sleep(world, 86_400.0).await;
    let usage = world.usage();
    let today = usage.days().last().expect("something was used");
    usage.on(today, Meter::ObjectStoredBytes)
}

/// How the runs of alarms ended.
fn alarms(world: &World) -> Vec<bool> {
    records(world, |op| matches!(op, Op::Alarm { .. }))
        .iter()
        .map(|record| record.outcome == Outcome::Done)
        .collect()
}

#[test]
fn what_an_object_keeps_is_removed_by_its_alarm_also_under_faults() {
    let far = Duration::from_secs(10 * 86_400);
    // When alarms come of themselves.
    let undisturbed = alone();
    let due = undisturbed.run(async |world| {
        let client = world.client("MEX");
        writes(&client, 60, "user-1").await;
        assert!(stored(world).await > 0);
        world.sleep(far).await;
        assert_eq!(stored(world).await, 0, "nothing is kept for ever");
        let alarm = records(world, |op| matches!(op, Op::Alarm { .. }));
        let last = alarm.last().expect("an alarm ran");
        Duration::from_nanos(last.start - world.start().0)
    });
    for kind in away(60_000) {
        let world = alone();
        world.run(async |world| {
            let client = world.client("MEX");
            writes(&client, 60, "user-1").await;
            world.sleep(due - Duration::from_secs(30)).await;
            world.inject(kind.clone());
            world.sleep(far - due).await;
            assert_eq!(stored(world).await, 0, "{kind}: {:?}", alarms(world));
            // It serves on, from nothing. The token of the beginning is over by now.
            let token = jwt::mint(JWT_SECRET, "user-1", "user", START_SECONDS, 100 * 86_400);
            let test_data = serde_json::json!({"test": "data"});
            let later = times(60, &client, || {
                client
                    .post(TRANSACTIONS)
                    .bearer(&token)
                    .json(&test_data)
                    .build()
            });
            let later = in_parallel(16, later).await;
            assert_eq!(statuses(&later), [(422, 50), (429, 10)], "{kind}");
        });
        let runs = alarms(&world);
        let failing = matches!(kind, FaultKind::ObjectStorageFailing { .. });
        assert_eq!(
            runs.contains(&false),
            failing,
            "{kind}: only a commit that fails makes an alarm run again: {runs:?}"
        );
    }
}

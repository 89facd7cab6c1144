//! What serves when a binding, a secret or a store is absent or away: something weaker, said aloud, and never a 500.

use std::time::Duration;

use edgeproof_sim::World;
use edgeproof_sim::fault::{Fault, FaultKind};
use edgeproof_sim::history::Op;
use edgeproof_sim::http::{Request, Response};
use edgeproof_sim::platform::outbound::Origin;
use edgeproof_sim::world::builder::Builder;
use edgeproof_sim::world::client::Client;
use edgeproof_sim::world::options::Options;
use serde_json::Value;
use support::production::*;

const ERRORS: &str = "errors.example";

fn alerting() -> Builder {
    production(&["MEX"])
        .secret("ERROR_ALERT_WEBHOOK", "https://errors.example/in")
        .origin(ERRORS, Origin::new())
}

fn one_isolate() -> Options {
    let mut options = Options::default();
    options.isolates.per_pop = 1;
    options
}

async fn health(client: &Client) -> Value {
    let answer = client.get(HEALTH).send().await;
    assert_eq!(answer.status, 200);
    json_of(&answer)
}

/// One of every kind of request that the API has, also wrong ones.
fn every_request(client: &Client) -> Vec<Request> {
    let (user, admin) = (token("user-1"), token_of("user-2", "admin"));
    let mut requests = vec![
        client.get(HEALTH).build(),
        client.get("/api/nothing").build(),
        client.get(TRANSACTIONS).build(),
        client
            .request(http::Method::OPTIONS, TRANSACTIONS)
            .header("origin", "https://a.example")
            .build(),
        client
            .request(http::Method::DELETE, TRANSACTIONS)
            .bearer(&user)
            .build(),
        login(client, "demo", "demo-pass-9137"),
        login(client, "demo", "wrong"),
        client.post(LOGIN).body("{").build(),
        post(client, "user-1"),
        post_test_data(client, "user-1"),
        client
            .post(TRANSACTIONS)
            .bearer(&user)
            .header("content-type", "application/json")
            .body("x".repeat(70_000))
            .build(),
        client
            .post("/api/admin/alerts/test")
            .bearer(&admin)
            .json(&serde_json::json!({}))
            .build(),
    ];
    for path in [TRANSACTIONS, "/api/transactions/1", DASHBOARD, REPORTS] {
        requests.push(client.get(path).bearer(&user).build());
    }
    for path in [
        "/api/admin/audit-logs",
        "/api/admin/error-logs",
        "/api/admin/metrics",
        "/api/admin/audit-logs?limit=0",
    ] {
        requests.push(client.get(path).bearer(&admin).build());
        requests.push(client.get(path).bearer(&user).build());
    }
    requests
}

/// Every kind of request gets an answer of the Worker's own, and 503 is the only one of its kind.
async fn nothing_breaks(world: &World) {
    let client = world.client("MEX");
    for request in every_request(&client) {
        let line = format!("{} {}", request.method, request.url.path());
        let answer = client.send(request).await;
        assert!(
            answer.status < 500 || answer.status == 503,
            "{line}: {}",
            answer.status
        );
        assert!(
            answer.header("x-request-id").is_some(),
            "{line}: {} is not the Worker's own answer",
            answer.status
        );
        if answer.status == 503 {
            assert!(retry_after(&answer) >= 1, "{line}");
            assert_eq!(
                answer.header("content-type"),
                Some("application/problem+json"),
                "{line}"
            );
        }
    }
}

#[test]
fn whatever_is_absent_no_request_is_answered_with_500() {
    let all = ["RATE_LIMITER", "CACHE_KV", "DB", "AUTH_JWT_SECRET"];
    for mask in 0..16u32 {
        let absent = (0..4)
            .filter(|bit| mask >> bit & 1 == 1)
            .map(|bit| all[bit]);
        let world = absent
            .clone()
            .fold(alerting(), Builder::without)
            .build()
            .expect("builds");
        world.run(async |world| {
            nothing_breaks(world).await;
            let state = health(&world.client("MEX")).await;
            assert_eq!(
                state["status"],
                if mask == 0 { "ok" } else { "degraded" },
                "{:?}",
                absent.collect::<Vec<_>>()
            );
        });
    }
}

#[test]
fn without_the_limiter_an_isolate_counts_by_itself_and_health_says_so() {
    let world = alerting()
        .without("RATE_LIMITER")
        .options(one_isolate())
        .build()
        .expect("builds");
    world.run(async |world| {
        let client = world.client("MEX");
        let answers = in_parallel(64, times(150, &client, || post(&client, "user-1"))).await;
        assert_eq!(statuses(&answers), [(201, 50), (429, 100)]);
        let other = in_parallel(
            64,
            times(150, &client, || get(&client, "user-2", TRANSACTIONS)),
        )
        .await;
        assert_eq!(statuses(&other), [(200, 100), (429, 50)]);
        let denied = answers
            .iter()
            .find(|answer| answer.status == 429)
            .expect("one was denied");
        sleep(world, retry_after(denied) as f64).await;
        assert_eq!(
            client.send(post(&client, "user-1")).await.status,
            201,
            "Retry-After is honest here too"
        );
        let state = health(&client).await;
        assert_eq!(
            (&state["status"], &state["components"]["rateLimiter"]),
            (&"degraded".into(), &"absent".into())
        );
    });
    let received = world.received(ERRORS);
    assert_eq!(received.len(), 1, "one alert");
    assert!(String::from_utf8_lossy(&received[0].request.body).contains("RATE_LIMITER"));
}

#[test]
fn without_the_limiter_each_isolate_admits_its_quota_and_no_more() {
    let world = alerting().without("RATE_LIMITER").build().expect("builds");
    let per_pop = Options::default().isolates.per_pop as usize;
    let answers = world.run(async |world| {
        let client = world.client("MEX");
        in_parallel(128, times(600, &client, || post(&client, "user-1"))).await
    });
    let admitted = count(&answers, 201);
    assert_eq!(admitted + count(&answers, 429), 600);
    assert!(admitted > 50 && admitted <= 50 * per_pop, "{admitted}");
}

#[test]
fn without_the_limiter_nobody_logs_in() {
    let world = alerting().without("RATE_LIMITER").build().expect("builds");
    world.run(async |world| {
        let client = world.client("MEX");
        let answers = one_by_one(&client, 20, || login(&client, "demo", "demo-pass-9137")).await;
        assert_eq!(statuses(&answers), [(503, 20)]);
        assert!(answers.iter().all(|answer| retry_after(answer) >= 1));
    });
    assert_eq!(
        rows_in(&world, "audit_logs", "1"),
        0,
        "no password was looked at"
    );
}

#[test]
fn without_kv_an_isolate_caches_by_itself() {
    let world = alerting()
        .without("CACHE_KV")
        .options(one_isolate())
        .build()
        .expect("builds");
    world.run(async |world| {
        let client = world.client("MEX");
        for path in [DASHBOARD, REPORTS] {
            let [first, second] = [
                client.send(get(&client, "user-1", path)).await,
                client.send(get(&client, "user-1", path)).await,
            ];
            assert_eq!((first.status, x_cache(&first)), (200, "MISS"));
            assert_eq!((second.status, x_cache(&second)), (200, "HIT"));
            assert_eq!(first.body, second.body);
        }
        assert_eq!(client.send(post(&client, "user-1")).await.status, 201);
        let after = client.send(get(&client, "user-1", DASHBOARD)).await;
        assert_eq!(
            (
                x_cache(&after),
                &json_of(&after)["data"]["transactionCount"]
            ),
            ("MISS", &1.into())
        );
        let state = health(&client).await;
        assert_eq!(
            (&state["status"], &state["components"]["cache"]),
            (&"degraded".into(), &"absent".into())
        );
    });
}

#[test]
fn without_a_database_what_needs_one_is_503_and_the_rest_works() {
    let world = alerting().without("DB").build().expect("builds");
    world.run(async |world| {
        let client = world.client("MEX");
        for path in [TRANSACTIONS, DASHBOARD, REPORTS] {
            let answer = client.send(get(&client, "user-1", path)).await;
            assert_eq!(answer.status, 503, "{path}");
            assert!(retry_after(&answer) >= 1);
        }
        assert_eq!(client.send(post(&client, "user-1")).await.status, 503);
        assert_eq!(
            client
                .send(login(&client, "demo", "demo-pass-9137"))
                .await
                .status,
            503
        );
        assert_eq!(client.get(TRANSACTIONS).send().await.status, 401);
        assert_eq!(client.get("/api/nothing").send().await.status, 404);
        assert_eq!(
            client.send(post_test_data(&client, "user-1")).await.status,
            422
        );
        // The limiter goes on.
        let answers = in_parallel(64, times(150, &client, || post(&client, "user-2"))).await;
        assert_eq!(statuses(&answers), [(429, 100), (503, 50)]);
        let state = health(&client).await;
        assert_eq!(
            (&state["status"], &state["components"]["database"]),
            (&"degraded".into(), &"absent".into())
        );
    });
}

#[test]
fn without_the_secret_of_tokens_every_authenticated_route_is_503() {
    let world = alerting()
        .without("AUTH_JWT_SECRET")
        .build()
        .expect("builds");
    world.run(async |world| {
        let client = world.client("MEX");
        for path in [TRANSACTIONS, DASHBOARD, REPORTS, "/api/admin/audit-logs"] {
            for token in [
                token("user-1"),
                token_of("user-1", "admin"),
                edgeproof_worker::core::jwt::mint("", "user-1", "admin", START_SECONDS, 60),
            ] {
                assert_eq!(
                    client.get(path).bearer(&token).send().await.status,
                    503,
                    "{path}"
                );
            }
        }
        assert_eq!(
            client
                .send(login(&client, "demo", "demo-pass-9137"))
                .await
                .status,
            503
        );
        let state = health(&client).await;
        assert_eq!(
            (&state["status"], &state["components"]["authentication"]),
            (&"degraded".into(), &"absent".into())
        );
    });
}

#[test]
fn what_is_absent_is_alerted_once_however_many_isolates_notice() {
    for absent in ["CACHE_KV", "RATE_LIMITER", "AUTH_JWT_SECRET"] {
        let world = production(&["MEX", "FRA"])
            .secret("ERROR_ALERT_WEBHOOK", "https://errors.example/in")
            .origin(ERRORS, Origin::new())
            .without(absent)
            .build()
            .expect("builds");
        world.run(async |world| {
            let clients = [world.client("MEX"), world.client("FRA")];
            let requests = (0..200).map(|number| {
                (
                    clients[number % 2].clone(),
                    get(
                        &clients[number % 2],
                        &format!("user-{number}"),
                        TRANSACTIONS,
                    ),
                )
            });
            in_parallel(200, requests).await;
            sleep(world, 10.0).await;
        });
        let starts = records(&world, |op| matches!(op, Op::IsolateStart));
        assert!(starts.len() > 4, "{} isolates", starts.len());
        let received = world.received(ERRORS);
        assert_eq!(received.len(), 1, "{absent}");
        let alert = String::from_utf8_lossy(&received[0].request.body).into_owned();
        assert!(
            alert.contains(absent) && alert.contains("critical"),
            "{alert}"
        );
    }
}

#[test]
fn an_absent_receiver_is_no_failure_and_health_says_so() {
    world().run(async |world| {
        let client = world.client("MEX");
        let answers = in_parallel(64, times(150, &client, || post(&client, "user-1"))).await;
        assert_eq!(statuses(&answers), [(201, 50), (429, 100)]);
        let state = health(&client).await;
        assert_eq!(state["status"], "ok");
        assert_eq!(
            (
                &state["components"]["errorAlerts"],
                &state["components"]["securityAlerts"]
            ),
            (&"absent".into(), &"absent".into())
        );
    });
}

// --- the limiter's object, away for a while ------------------------------------------------------------------------------------

fn class() -> String {
    "RateLimiter".to_owned()
}

/// 150 writes, with this going wrong after 100 ms.
fn burst_with(kind: FaultKind, in_flight: usize) -> (World, Vec<Response>) {
    let world = alerting()
        .options(one_isolate())
        .faults([Fault { at_ms: 100, kind }])
        .build()
        .expect("builds");
    let answers = world.run(async |world| {
        let client = world.client("MEX");
        let answers = in_parallel(in_flight, times(150, &client, || post(&client, "user-1"))).await;
        sleep(world, 5.0).await;
        answers
    });
    (world, answers)
}

#[test]
fn an_object_away_during_a_burst_costs_at_most_a_quota_per_isolate() {
    for kind in [
        FaultKind::ObjectUnreachable {
            class: class(),
            for_ms: 60_000,
        },
        FaultKind::ObjectOverloaded {
            class: class(),
            for_ms: 60_000,
        },
        FaultKind::ObjectStorageFailing {
            class: class(),
            for_ms: 60_000,
        },
        FaultKind::ObjectStorageFull {
            class: class(),
            for_ms: 60_000,
        },
    ] {
        for in_flight in [1, 8] {
            let (world, answers) = burst_with(kind.clone(), in_flight);
            let admitted = count(&answers, 201);
            assert_eq!(
                admitted + count(&answers, 429),
                150,
                "{kind}: {:?}",
                statuses(&answers)
            );
            // The isolate's own count begins when the object's cannot be had.
            assert!(
                (50..=100).contains(&admitted),
                "{kind}, {in_flight} in flight: {admitted}"
            );
            assert_eq!(rows_in(&world, "transactions", "1"), admitted);
            assert_eq!(world.received(ERRORS).len(), 1, "{kind}: one alert");
        }
    }
}

#[test]
fn while_the_object_is_away_logins_are_refused_and_health_says_so() {
    for kind in [
        FaultKind::ObjectUnreachable {
            class: class(),
            for_ms: 30_000,
        },
        FaultKind::ObjectOverloaded {
            class: class(),
            for_ms: 30_000,
        },
    ] {
        let world = alerting().options(one_isolate()).build().expect("builds");
        world.run(async |world| {
            let client = world.client("MEX");
            assert_eq!(health(&client).await["status"], "ok");
            world.inject(kind.clone());
            assert_eq!(
                client
                    .send(login(&client, "demo", "demo-pass-9137"))
                    .await
                    .status,
                503,
                "{kind}"
            );
            assert_eq!(
                client
                    .send(get(&client, "user-1", TRANSACTIONS))
                    .await
                    .status,
                200,
                "{kind}"
            );
            let state = health(&client).await;
            assert_eq!(
                (&state["status"], &state["components"]["rateLimiter"]),
                (&"degraded".into(), &"failing".into()),
                "{kind}"
            );
            // And well again.
            sleep(world, 100.0).await;
            assert_eq!(
                client
                    .send(login(&client, "demo", "demo-pass-9137"))
                    .await
                    .status,
                200,
                "{kind}"
            );
            assert_eq!(health(&client).await["status"], "ok", "{kind}");
        });
    }
}

#[test]
fn a_reset_object_forgets_no_admission() {
    for in_flight in [1, 64] {
        let resets: Vec<Fault> = (0..100)
            .map(|number| Fault {
                at_ms: 20 + 11 * number,
                kind: FaultKind::ObjectReset { class: class() },
            })
            .collect();
        let world = alerting()
            .options(one_isolate())
            .faults(resets)
            .build()
            .expect("builds");
        let answers = world.run(async |world| {
            let client = world.client("MEX");
            in_parallel(in_flight, times(300, &client, || post(&client, "user-1"))).await
        });
        let admitted = count(&answers, 201);
        assert_eq!(
            admitted + count(&answers, 429),
            300,
            "{:?}",
            statuses(&answers)
        );
        // A request whose call a reset cut off is counted by the isolate. Everything else stands in the object's storage.
        let cut_off = records(&world, |op| matches!(op, Op::ObjectCall { .. }))
            .iter()
            .filter(|record| {
                matches!(
                    record.outcome,
                    edgeproof_sim::history::Outcome::Error { .. }
                )
            })
            .count();
        assert!(
            admitted >= 50 && admitted <= 50 + cut_off,
            "{admitted} admitted, {cut_off} calls cut off"
        );
        let starts = records(&world, |op| matches!(op, Op::ObjectStart { .. })).len();
        // Few: once it denies, the isolate does not ask it.
        assert!(starts > 1, "{starts} starts");
    }
}

#[test]
fn a_request_is_never_kept_waiting_for_an_object_that_does_not_answer() {
    let world = production(&["MEX", "FRA"]).build().expect("builds");
    world.run(async |world| {
        let (mexico, frankfurt) = (world.client("MEX"), world.client("FRA"));
        mexico.send(get(&mexico, "user-1", TRANSACTIONS)).await;
        // An hour on the way to the object; the route needs nothing else from there.
        world.inject(FaultKind::LinkLatency {
            a: "MEX".into(),
            b: "FRA".into(),
            extra_ms: 3_600_000,
            for_ms: 3_600_000,
        });
        let sent = world.now();
        let answer = frankfurt
            .get("/api/nothing")
            .bearer(&token("user-1"))
            .send()
            .await;
        assert_eq!(answer.status, 404);
        let waited = world.now().since(sent);
        assert!(waited < Duration::from_secs(4), "{waited:?}");
    });
}

#[test]
fn whatever_fails_for_a_while_no_request_is_answered_with_500() {
    let for_ms = 60_000;
    for kind in [
        FaultKind::ObjectUnreachable {
            class: class(),
            for_ms,
        },
        FaultKind::ObjectOverloaded {
            class: class(),
            for_ms,
        },
        FaultKind::ObjectStorageFailing {
            class: class(),
            for_ms,
        },
        FaultKind::ObjectStorageFull {
            class: class(),
            for_ms,
        },
        FaultKind::D1Failing {
            binding: "DB".into(),
            for_ms,
        },
        FaultKind::D1Slow {
            binding: "DB".into(),
            factor: 1_000.0,
            for_ms,
        },
        FaultKind::KvErrors {
            operation: edgeproof_sim::fault::KvOperation::Get,
            status: 500,
            ratio: 1.0,
            for_ms,
        },
        FaultKind::KvErrors {
            operation: edgeproof_sim::fault::KvOperation::Put,
            status: 429,
            ratio: 1.0,
            for_ms,
        },
        FaultKind::OriginHanging {
            host: ERRORS.into(),
            for_ms,
        },
    ] {
        let world = alerting()
            .faults([Fault { at_ms: 0, kind }])
            .build()
            .expect("builds");
        world.run(async |world| nothing_breaks(world).await);
    }
}

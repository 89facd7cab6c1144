//! Alerts: one signed message per identity and policy, after the answer, whatever the receiver does.

mod support;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use edgeproof_sim::World;
use edgeproof_sim::fault::FaultKind;
use edgeproof_sim::platform::outbound::{Origin, Received};
use edgeproof_sim::world::builder::Builder;
use edgeproof_sim::world::client::Client;
use hmac::{Hmac, Mac as _};
use serde_json::Value;
use sha2::Sha256;
use support::*;

const SECURITY: &str = "hooks.example";
const ERRORS: &str = "errors.example";
const KEY: &[u8] = b"thirty-two bytes of a signer's key";

/// The production Worker with two receivers.
fn alerting(pops: &[&str], security: Origin) -> Builder {
    production(pops)
        .secret(
            "SECURITY_ALERT_WEBHOOK",
            "https://hooks.example/services/T0/B0/planted-path-secret",
        )
        .secret("ERROR_ALERT_WEBHOOK", "https://errors.example/in")
        .secret("WEBHOOK_SECRET", &format!("whsec_{}", STANDARD.encode(KEY)))
        .origin(SECURITY, security)
        .origin(ERRORS, Origin::new())
}

fn with_receiver(security: Origin) -> World {
    alerting(&["MEX"], security).build().expect("builds")
}

/// Enough writes of a user to be denied many times.
async fn burst(client: &Client, user: &str) {
    let answers = in_parallel(64, times(150, client, || post(client, user))).await;
    assert_eq!(statuses(&answers), [(201, 50), (429, 100)], "{user}");
}

/// Long enough for three tries of five seconds and the pauses between them.
async fn settle(world: &World) {
    sleep(world, 25.0).await;
}

fn header<'a>(received: &'a Received, name: &str) -> &'a str {
    received
        .request
        .headers
        .get(name)
        .unwrap_or_else(|| panic!("no {name}"))
        .to_str()
        .expect("ASCII")
}

fn body(received: &Received) -> Value {
    serde_json::from_slice(&received.request.body).expect("an alert is JSON")
}

/// Verifies a message as a receiver does: <https://www.standardwebhooks.com>.
fn is_signed(received: &Received, key: &[u8]) -> bool {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
    mac.update(header(received, "webhook-id").as_bytes());
    mac.update(b".");
    mac.update(header(received, "webhook-timestamp").as_bytes());
    mac.update(b".");
    mac.update(&received.request.body);
    let signature = header(received, "webhook-signature")
        .strip_prefix("v1,")
        .expect("version 1");
    mac.verify_slice(&STANDARD.decode(signature).expect("base64"))
        .is_ok()
}

#[test]
fn a_burst_raises_exactly_one_alert() {
    for in_flight in [1, 64, 150] {
        let world = with_receiver(Origin::new());
        world.run(async |world| {
            let client = world.client("MEX");
            let answers =
                in_parallel(in_flight, times(150, &client, || post(&client, "user-1"))).await;
            assert_eq!(count(&answers, 429), 100);
            settle(world).await;
        });
        assert_eq!(world.received(SECURITY).len(), 1, "{in_flight} in flight");
        assert_eq!(world.received(ERRORS).len(), 0);
    }
}

#[test]
fn a_burst_in_two_pops_raises_exactly_one_alert() {
    let world = alerting(&["MEX", "FRA"], Origin::new())
        .build()
        .expect("builds");
    world.run(async |world| {
        let clients = [world.client("MEX"), world.client("FRA")];
        let requests = (0..300).map(|number| {
            (
                clients[number % 2].clone(),
                post(&clients[number % 2], "user-1"),
            )
        });
        assert_eq!(
            statuses(&in_parallel(128, requests).await),
            [(201, 50), (429, 250)]
        );
        settle(world).await;
    });
    assert_eq!(world.received(SECURITY).len(), 1);
}

#[test]
fn an_alert_says_who_did_what_where() {
    let world = with_receiver(Origin::new());
    world.run(async |world| {
        burst(&world.client("MEX"), "user-1").await;
        settle(world).await;
    });
    let received = &world.received(SECURITY)[0];
    assert_eq!(received.request.method, "POST");
    assert_eq!(header(received, "content-type"), "application/json");
    let alert = body(received);
    assert!(
        alert["title"]
            .as_str()
            .is_some_and(|title| title.starts_with('🔒')),
        "{alert}"
    );
    assert!(["low", "medium", "high", "critical"].contains(&alert["severity"].as_str().unwrap()));
    assert_eq!(alert["environment"], "development");
    assert_eq!(
        (&alert["details"]["endpoint"], &alert["details"]["method"]),
        (&"transactions".into(), &"POST".into())
    );
    assert_eq!(alert["details"]["userId"], "user-1");
    let timestamp = alert["timestamp"].as_str().unwrap();
    assert!(
        timestamp.starts_with("2026-01-01T00:00:0") && timestamp.ends_with('Z'),
        "{timestamp}"
    );
    assert!(
        alert["message"]
            .as_str()
            .is_some_and(|message| message.contains("write")),
        "{alert}"
    );
}

#[test]
fn a_receiver_can_verify_the_signature() {
    let world = with_receiver(Origin::new());
    world.run(async |world| {
        burst(&world.client("MEX"), "user-1").await;
        settle(world).await;
    });
    let received = &world.received(SECURITY)[0];
    assert!(is_signed(received, KEY));
    assert!(!is_signed(received, b"another key"));
    let mut altered = received.clone();
    altered.request.body = [&received.request.body[..], b" "].concat().into();
    assert!(!is_signed(&altered, KEY));
    assert_eq!(
        header(received, "webhook-timestamp").parse::<u64>().ok(),
        Some(received.at.unix_seconds())
    );
    assert!(header(received, "webhook-id").len() > 16);
}

#[test]
fn without_a_signing_secret_an_alert_is_sent_unsigned_and_health_says_so() {
    let world = alerting(&["MEX"], Origin::new())
        .without("WEBHOOK_SECRET")
        .build()
        .expect("builds");
    world.run(async |world| {
        let client = world.client("MEX");
        burst(&client, "user-1").await;
        settle(world).await;
        let health = json_of(&client.get(HEALTH).send().await);
        assert_eq!(health["components"]["securityAlerts"], "unsigned");
    });
    let received = world.received(SECURITY);
    assert_eq!(received.len(), 1);
    assert!(
        received[0]
            .request
            .headers
            .get("webhook-signature")
            .is_none()
    );
}

#[test]
fn another_identity_and_another_policy_have_alerts_of_their_own() {
    let world = with_receiver(Origin::new());
    world.run(async |world| {
        let client = world.client("MEX");
        for user in ["user-1", "user-2", "user-3"] {
            burst(&client, user).await;
        }
        // user-1 again, under the policy of reads; and an address, under two policies.
        in_parallel(
            64,
            times(150, &client, || get(&client, "user-1", TRANSACTIONS)),
        )
        .await;
        in_parallel(64, times(150, &client, || client.get(TRANSACTIONS).build())).await;
        one_by_one(&client, 10, || login(&client, "demo", "wrong")).await;
        settle(world).await;
    });
    let mut subjects: Vec<(String, String)> = world
        .received(SECURITY)
        .iter()
        .map(|received| {
            let details = &body(received)["details"];
            let who = details
                .get("userId")
                .or_else(|| details.get("address"))
                .expect("an identity");
            (
                who.as_str().unwrap().to_owned(),
                details["policy"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    subjects.sort();
    let expected = [
        ("198.18.0.1", "auth"),
        ("198.18.0.1", "general"),
        ("user-1", "general"),
        ("user-1", "write"),
        ("user-2", "write"),
        ("user-3", "write"),
    ];
    assert_eq!(
        subjects,
        expected.map(|(who, policy)| (who.to_owned(), policy.to_owned()))
    );
}

#[test]
fn ordinary_refusals_raise_no_alert() {
    let world = with_receiver(Origin::new());
    world.run(async |world| {
        let client = world.client("MEX");
        let user = token("user-1");
        let requests = [
            client.get("/api/nothing").bearer(&user).build(),
            client
                .request(http::Method::DELETE, TRANSACTIONS)
                .bearer(&user)
                .build(),
            client.get(TRANSACTIONS).build(),
            client.get("/api/admin/audit-logs").bearer(&user).build(),
            client.post(TRANSACTIONS).bearer(&user).body("x").build(),
            client
                .post(TRANSACTIONS)
                .bearer(&user)
                .header("content-type", "application/json")
                .body("{")
                .build(),
            post_test_data(&client, "user-1"),
            client
                .post(TRANSACTIONS)
                .bearer(&user)
                .header("content-type", "application/json")
                .body("x".repeat(70_000))
                .build(),
            login(&client, "demo", "wrong"),
        ];
        let answers = in_parallel(1, requests.map(|request| (client.clone(), request))).await;
        let seen: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        assert_eq!(seen, [404, 405, 401, 403, 415, 400, 422, 413, 401]);
        settle(world).await;
    });
    assert_eq!(
        (world.received(SECURITY).len(), world.received(ERRORS).len()),
        (0, 0)
    );
    assert_eq!(rows_in(&world, "error_logs", "1"), 0);
}

#[test]
fn within_the_dedupe_window_nothing_is_repeated_and_after_it_one_alert_is() {
    let world = with_receiver(Origin::new());
    world.run(async |world| {
        let client = world.client("MEX");
        // A burst a minute: each is denied a hundred times, and every object and isolate forgets in between.
        for minute in 0..10 {
            burst(&client, "user-1").await;
            sleep(world, 59.999).await;
            let expected = 1 + minute / 5;
            assert!(
                world.received(SECURITY).len() <= expected,
                "minute {minute}"
            );
        }
    });
    let received = world.received(SECURITY);
    assert_eq!(received.len(), 2);
    assert!(received[1].at.since(received[0].at) >= Duration::from_secs(300));
    assert_ne!(
        header(&received[0], "webhook-id"),
        header(&received[1], "webhook-id")
    );
}

#[test]
fn the_dedupe_window_is_as_long_as_configured() {
    let world = alerting(&["MEX"], Origin::new())
        .var("ALERT_DEDUPE_SECONDS", "60")
        .build()
        .expect("builds");
    world.run(async |world| {
        let client = world.client("MEX");
        for _ in 0..4 {
            burst(&client, "user-1").await;
            sleep(world, 61.0).await;
        }
    });
    assert_eq!(world.received(SECURITY).len(), 4);
}

#[test]
fn a_receiver_that_hangs_delays_no_answer() {
    let world = with_receiver(Origin::new().hang());
    world.run(async |world| {
        let client = world.client("MEX");
        let slowest = futures_util::future::join_all((0..150).map(async |_| {
            let sent = world.now();
            client.send(post(&client, "user-1")).await;
            world.now().since(sent)
        }))
        .await;
        let slowest = slowest.into_iter().max().unwrap();
        assert!(slowest < Duration::from_millis(1_500), "{slowest:?}");
        settle(world).await;
    });
    let tries = world.received(SECURITY);
    assert_eq!(tries.len(), 3);
    let last = tries[2].at.since(tries[0].at);
    assert!(
        last < Duration::from_secs(15),
        "three tries end within the 30 s after the answer: {last:?}"
    );
}

#[test]
fn a_receiver_that_fails_is_tried_three_times_with_the_same_id_and_the_failure_is_logged() {
    for origin in [
        Origin::new().status(500),
        Origin::new().status(503),
        Origin::new().fail(),
        Origin::new().status(429),
    ] {
        let world = with_receiver(origin);
        world.run(async |world| {
            burst(&world.client("MEX"), "user-1").await;
            settle(world).await;
        });
        let tries = world.received(SECURITY);
        assert_eq!(tries.len(), 3);
        for retry in &tries {
            assert_eq!(header(retry, "webhook-id"), header(&tries[0], "webhook-id"));
            assert_eq!(retry.request.body, tries[0].request.body);
            assert!(is_signed(retry, KEY), "also where the time stamp is newer");
        }
        let logged = rows(&world, "SELECT message, metadata FROM error_logs");
        assert_eq!(logged.len(), 1, "{logged:?}");
        assert_eq!(logged[0][0], "webhook delivery failed");
        assert!(
            !logged[0][1].contains("planted-path-secret") && !logged[0][1].contains(SECURITY),
            "{logged:?}"
        );
    }
}

#[test]
fn a_retry_that_succeeds_is_the_last() {
    let world = with_receiver(Origin::new().status(500).once().status(200));
    world.run(async |world| {
        burst(&world.client("MEX"), "user-1").await;
        settle(world).await;
    });
    assert_eq!(world.received(SECURITY).len(), 2);
    assert_eq!(rows_in(&world, "error_logs", "1"), 0);
}

#[test]
fn a_receiver_that_refuses_or_redirects_is_not_tried_again() {
    for status in [400, 401, 404, 410, 302] {
        let world = with_receiver(Origin::new().status(status));
        world.run(async |world| {
            burst(&world.client("MEX"), "user-1").await;
            settle(world).await;
        });
        assert_eq!(world.received(SECURITY).len(), 1, "{status}");
    }
}

#[test]
fn a_failing_receiver_does_not_make_the_alert_come_again_within_the_window() {
    let world = with_receiver(Origin::new().status(500));
    world.run(async |world| {
        let client = world.client("MEX");
        burst(&client, "user-1").await;
        sleep(world, 100.0).await;
        burst(&client, "user-1").await;
        settle(world).await;
    });
    assert_eq!(world.received(SECURITY).len(), 3);
}

#[test]
fn a_failing_database_raises_an_error_alert_and_no_security_alert() {
    let world = with_receiver(Origin::new());
    world.run(async |world| {
        let client = world.client("MEX");
        world.inject(FaultKind::D1Failing {
            binding: "DB".into(),
            for_ms: 10_000,
        });
        let answers = one_by_one(&client, 20, || get(&client, "user-1", TRANSACTIONS)).await;
        assert_eq!(statuses(&answers), [(503, 20)]);
        settle(world).await;
    });
    let received = world.received(ERRORS);
    assert_eq!(
        received.len(),
        1,
        "one isolate served all of them, and it tells once"
    );
    let alert = body(&received[0]);
    assert!(
        alert["title"]
            .as_str()
            .is_some_and(|title| title.starts_with('🚨')),
        "{alert}"
    );
    assert!(is_signed(&received[0], KEY));
    assert_eq!(world.received(SECURITY).len(), 0);
}

#[test]
fn an_administrator_can_send_a_test_alert() {
    let world = with_receiver(Origin::new());
    world.run(async |world| {
        let client = world.client("MEX");
        let test = |token: &str| {
            client
                .post("/api/admin/alerts/test")
                .bearer(token)
                .json(&serde_json::json!({}))
                .build()
        };
        assert_eq!(client.send(test(&token("user-1"))).await.status, 403);
        assert_eq!(
            client.send(test(&token_of("user-2", "admin"))).await.status,
            202
        );
        settle(world).await;
    });
    let received = world.received(ERRORS);
    assert_eq!(received.len(), 1);
    assert_eq!(body(&received[0])["details"]["userId"], "user-2");
    assert!(is_signed(&received[0], KEY));
}

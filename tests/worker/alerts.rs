//! Alerts: one signed message per identity and policy, after the answer, whatever the receiver does.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use edgeproof_sim::World;
use edgeproof_sim::fault::FaultKind;
use edgeproof_sim::history::Op;
use edgeproof_sim::http::Response;
use edgeproof_sim::platform::outbound::{Origin, Received};
use edgeproof_sim::world::builder::Builder;
use edgeproof_sim::world::client::Client;
use serde_json::Value;
use support::production::*;

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

/// Verifies a message with the library that the authors of the specification give to receivers. Not with its `verify`, which
/// compares the time stamp with the wall clock.
fn is_signed(received: &Received, key: &[u8]) -> bool {
    let verifier = standardwebhooks::Webhook::from_bytes(key.to_vec()).expect("any key will do");
    let seconds = header(received, "webhook-timestamp")
        .parse()
        .expect("whole seconds");
    let expected = verifier.sign(
        header(received, "webhook-id"),
        seconds,
        &received.request.body,
    );
    expected.expect("a body is UTF-8") == header(received, "webhook-signature")
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

/// The body as the original design documents it, with what was added to `details` after its three members.
fn documented(
    title: &str,
    severity: &str,
    message: &str,
    timestamp: &str,
    details: &str,
) -> String {
    format!(
        "{{\"title\":\"{title}\",\"severity\":\"{severity}\",\"message\":\"{message}\",\"timestamp\":\"{timestamp}\",\
         \"environment\":\"development\",\"details\":{{{details}}}}}"
    )
}

fn text(received: &Received) -> &str {
    std::str::from_utf8(&received.request.body).expect("an alert is UTF-8")
}

/// The instant as the Worker writes it, to the millisecond.
fn rfc3339(received: &Received) -> String {
    edgeproof_worker::core::time::rfc3339(received.at.unix_ms())
}

#[test]
fn an_alert_of_a_denial_is_byte_for_byte_as_documented() {
    let world = with_receiver(Origin::new());
    let denied: Vec<String> = world.run(async |world| {
        let client = world.client("MEX");
        let answers = in_parallel(64, times(150, &client, || post(&client, "user-1"))).await;
        settle(world).await;
        let denied = answers.iter().filter(|answer| answer.status == 429);
        let id = |answer: &Response| {
            answer
                .header("x-request-id")
                .expect("every answer has one")
                .to_owned()
        };
        denied.map(id).collect()
    });
    let received = &world.received(SECURITY)[0];
    assert_eq!(received.request.method, "POST");
    assert_eq!(header(received, "content-type"), "application/json");
    let alert = body(received);
    let request_id = alert["details"]["requestId"].as_str().expect("a text");
    assert!(
        denied.iter().any(|id| id == request_id),
        "it was one of the denied"
    );
    assert_eq!(
        text(received),
        documented(
            "\u{1F512} Security Alert",
            "medium",
            "The quota of the policy write is used up.",
            &rfc3339(received),
            &format!(
                "\"endpoint\":\"transactions\",\"method\":\"POST\",\"userId\":\"user-1\",\"policy\":\"write\",\"requestId\":\"{request_id}\""
            ),
        )
    );
}

#[test]
fn an_alert_of_a_failing_database_is_byte_for_byte_as_documented() {
    let world = with_receiver(Origin::new());
    let request_id = world.run(async |world| {
        let client = world.client("MEX");
        world.inject(FaultKind::D1Failing {
            binding: "DB".into(),
            for_ms: 1_000,
        });
        let answer = client.send(get(&client, "user-123", TRANSACTIONS)).await;
        assert_eq!(answer.status, 503);
        settle(world).await;
        answer
            .header("x-request-id")
            .expect("every answer has one")
            .to_owned()
    });
    let received = &world.received(ERRORS)[0];
    assert_eq!(
        text(received),
        documented(
            "\u{1F6A8} Error Alert",
            "high",
            "Database query failed.",
            &rfc3339(received),
            &format!(
                "\"endpoint\":\"transactions\",\"method\":\"GET\",\"userId\":\"user-123\",\"requestId\":\"{request_id}\""
            ),
        )
    );
}

#[test]
fn both_channels_at_once_carry_what_is_theirs() {
    let world = with_receiver(Origin::new());
    world.run(async |world| {
        let client = world.client("MEX");
        burst(&client, "user-1").await;
        world.inject(FaultKind::D1Failing {
            binding: "DB".into(),
            for_ms: 1_000,
        });
        client.send(get(&client, "user-2", TRANSACTIONS)).await;
        settle(world).await;
    });
    for (host, user, title) in [(SECURITY, "user-1", '🔒'), (ERRORS, "user-2", '🚨')] {
        let received = world.received(host);
        assert_eq!(received.len(), 1, "{host}");
        assert!(is_signed(&received[0], KEY), "{host}");
        let alert = body(&received[0]);
        assert_eq!(alert["details"]["userId"], user, "{alert}");
        let begins = |text: &str| text.starts_with(title);
        assert!(alert["title"].as_str().is_some_and(begins), "{alert}");
    }
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
fn an_alert_is_repeated_only_after_the_dedupe_window_and_once() {
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
fn a_failing_receiver_is_tried_three_times_and_the_failure_is_logged() {
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
            assert_eq!(
                header(retry, "webhook-timestamp").parse::<u64>().ok(),
                Some(retry.at.unix_seconds()),
                "of this try, so that a receiver that refuses old messages takes it"
            );
        }
        assert_ne!(
            header(&tries[0], "webhook-timestamp"),
            header(&tries[2], "webhook-timestamp")
        );
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
fn a_failing_receiver_gets_no_second_alert_within_the_window() {
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

/// Denials by the thousand: 24 users and 6 addresses, in 12 PoPs, in bursts every twenty seconds for that long.
async fn storm(world: &World, seconds: u64) -> usize {
    let clients: Vec<Client> = STORM_POPS.iter().map(|pop| world.client(pop)).collect();
    let mut denied = 0;
    for round in 0..seconds / 20 {
        let requests = (0..30).flat_map(|who| {
            let clients = &clients;
            (0..25).map(move |number| {
                // Users come in through all PoPs, each address through its own.
                let request_of = |client: &Client| match who {
                    0..24 => post_test_data(client, &format!("user-{who}")),
                    _ => client.get(TRANSACTIONS).build(),
                };
                let pop = match who {
                    0..24 => (who + number + round as usize) % clients.len(),
                    _ => who - 24,
                };
                (clients[pop].clone(), request_of(&clients[pop]))
            })
        });
        let requests: Vec<_> = requests.collect();
        let answers = in_parallel(400, requests).await;
        let refused = count(&answers, 429);
        let admitted = count(&answers, 422) + count(&answers, 401);
        assert_eq!(
            admitted + refused,
            answers.len(),
            "{:?}",
            statuses(&answers)
        );
        denied += refused;
        let next = world.start() + Duration::from_secs(20 * (round + 1));
        world.sleep(next.since(world.now())).await;
    }
    denied
}

const STORM_POPS: [&str; 12] = [
    "MEX", "FRA", "SIN", "IAD", "LHR", "NRT", "GRU", "SYD", "AMS", "CDG", "DFW", "SEA",
];

/// Users and addresses of the storm: each is denied under one policy.
const STORM_IDENTITIES: usize = 30;

fn stormy(security: Origin) -> World {
    alerting(&STORM_POPS, security)
        .var("RATE_LIMIT_WRITE_REQUESTS", "5")
        .var("RATE_LIMIT_REQUESTS_PER_MINUTE", "5")
        .build()
        .expect("builds")
}

/// When each identity was alerted, by identity and policy.
fn alerted(world: &World) -> BTreeMap<(String, String), Vec<Duration>> {
    let mut alerted = BTreeMap::<_, Vec<_>>::new();
    for received in world.received(SECURITY) {
        let details = body(&received)["details"].clone();
        let who = details.get("userId").or_else(|| details.get("address"));
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let key = (text(who.expect("an identity")), text(&details["policy"]));
        let at = received.at.since(world.start());
        alerted.entry(key).or_default().push(at);
    }
    alerted
}

#[test]
fn ten_thousand_denials_raise_one_alert_per_identity_policy_and_window() {
    let world = stormy(Origin::new());
    let denied = world.run(async |world| {
        let denied = storm(world, 400).await;
        settle(world).await;
        denied
    });
    assert!(denied >= 10_000, "{denied} denials");
    let isolates = records(&world, |op| matches!(op, Op::IsolateStart));
    assert!(isolates.len() >= 24, "{} isolates", isolates.len());
    let alerted = alerted(&world);
    assert_eq!(alerted.len(), STORM_IDENTITIES, "{alerted:?}");
    for (who, at) in &alerted {
        let [first, second] = at[..] else {
            panic!("{who:?}: two windows, alerts at {at:?}")
        };
        assert!(first < Duration::from_secs(2), "{who:?} at {first:?}");
        // Not before the window is over, and with the first denial after it.
        let distance = second - first;
        assert!(
            (Duration::from_secs(299)..Duration::from_secs(321)).contains(&distance),
            "{who:?}: {distance:?}"
        );
    }
    let received = world.received(SECURITY);
    let ids: BTreeSet<_> = received
        .iter()
        .map(|received| header(received, "webhook-id"))
        .collect();
    assert_eq!(
        ids.len(),
        2 * STORM_IDENTITIES,
        "each under an id of its own"
    );
    assert!(received.iter().all(|received| is_signed(received, KEY)));
    assert_eq!(world.received(ERRORS).len(), 0);
    assert_eq!(rows_in(&world, "error_logs", "1"), 0);
}

#[test]
fn a_storm_with_a_failing_receiver_logs_each_alert_that_nobody_took_once() {
    let world = stormy(Origin::new().status(503));
    world.run(async |world| {
        storm(world, 40).await;
        settle(world).await;
    });
    let received = world.received(SECURITY);
    assert_eq!(received.len(), 3 * STORM_IDENTITIES, "three tries each");
    let sent: BTreeSet<_> = received
        .iter()
        .map(|received| header(received, "webhook-id").to_owned())
        .collect();
    let logged = rows(
        &world,
        "SELECT json_extract(metadata, '$.webhookId'), json_extract(metadata, '$.lastStatus'), json_extract(metadata, '$.channel') \
         FROM error_logs WHERE message = 'webhook delivery failed'",
    );
    assert_eq!(logged.len(), STORM_IDENTITIES, "one row each");
    assert!(logged.iter().all(|row| row[1..] == ["503", "security"]));
    let logged: BTreeSet<_> = logged.into_iter().map(|row| row[0].clone()).collect();
    assert_eq!(logged, sent);
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

//! Alerts that leave the process: what a real receiver gets, how often, and what its faults cost the clients.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use edgeproof_sim::serve::gateway::RealGateway;
use wiremock::ResponseTemplate;

use crate::client::{Answer, Connection, TEA, ask, eventually};
use crate::receiver::{Receiver, header, is_signed, webhook_secret};
use crate::server::Served;
use crate::support::{START_SECONDS, production, token, token_of};

/// The slowest answer that a receiver's trouble may cause.
const FAST: Duration = Duration::from_millis(1_500);

/// Serves the production Worker with the security alerts going to this address.
fn alerting(webhook: String) -> Served {
    Served::start(move || {
        production(&["IAD"])
            .secret("SECURITY_ALERT_WEBHOOK", &webhook)
            .secret("WEBHOOK_SECRET", &webhook_secret())
            // Tests ask often whether something is in a log yet.
            .var("RATE_LIMIT_REQUESTS_PER_MINUTE", "10000")
            .gateway(Rc::new(RealGateway::new([])))
    })
}

fn to(receiver: &Receiver) -> String {
    format!(
        "http://127.0.0.1:{}/hooks/planted-path-secret?q=1",
        receiver.port()
    )
}

/// 150 writes of a user over this many connections.
fn burst(address: SocketAddr, clients: usize, user: &str) -> Vec<Answer> {
    let bearer = format!("Bearer {}", token(user));
    let sent = AtomicUsize::new(0);
    let answers = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| {
                let mut connection = Connection::open(address);
                while sent.fetch_add(1, Ordering::Relaxed) < 150 {
                    let answer = connection.ask(
                        "POST",
                        "/api/transactions",
                        &[("Authorization", &bearer)],
                        TEA,
                    );
                    answers.lock().expect("no client panicked").push(answer);
                }
            });
        }
    });
    let answers = answers.into_inner().expect("no client panicked");
    let count = |status| {
        answers
            .iter()
            .filter(|answer| answer.status == status)
            .count()
    };
    assert_eq!((count(201), count(429)), (50, 100), "{user}");
    answers
}

/// Waits until the delivery of an alert was given up, and gives the rows that say so.
fn given_up(address: SocketAddr) -> serde_json::Value {
    let bearer = format!("Bearer {}", token_of("root", "admin"));
    eventually("an alert is given up", || {
        let rows = ask(
            address,
            "GET",
            "/api/admin/error-logs",
            &[("Authorization", &bearer)],
            "",
        )
        .json();
        (rows["data"][0]["message"] == "webhook delivery failed").then(|| rows["data"].clone())
    })
}

#[test]
fn a_burst_over_http_raises_exactly_one_signed_alert_per_identity() {
    let receiver = Receiver::answering(ResponseTemplate::new(204));
    let served = alerting(to(&receiver));
    std::thread::scope(|scope| {
        for user in ["user-1", "user-2"] {
            scope.spawn(|| burst(served.address, 32, user));
        }
    });
    // Every answer of theirs is there; whatever else they might raise is on its way before the third user's alert.
    burst(served.address, 1, "user-3");
    eventually("three alerts arrive", || {
        (receiver.received().len() >= 3).then_some(())
    });
    let received = receiver.received();
    let mut users = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for message in &received {
        assert_eq!(
            (message.method.as_str(), message.url.path()),
            ("POST", "/hooks/planted-path-secret")
        );
        assert_eq!(header(message, "content-type"), "application/json");
        assert!(is_signed(message));
        let mut altered = message.clone();
        altered.body.push(b' ');
        assert!(
            !is_signed(&altered),
            "the signature covers the bytes as they are"
        );
        let seconds: u64 = header(message, "webhook-timestamp")
            .parse()
            .expect("seconds");
        assert!(
            (START_SECONDS..START_SECONDS + 60).contains(&seconds),
            "{seconds}"
        );

        let alert: serde_json::Value = message.body_json().expect("JSON");
        assert!(
            alert["title"]
                .as_str()
                .is_some_and(|title| title.starts_with('🔒')),
            "{alert}"
        );
        assert_eq!(
            (&alert["environment"], &alert["details"]["method"]),
            (&"development".into(), &"POST".into())
        );
        users.insert(
            alert["details"]["userId"]
                .as_str()
                .expect("names the user")
                .to_owned(),
        );
        ids.insert(header(message, "webhook-id").to_owned());
    }
    assert_eq!(
        users,
        ["user-1", "user-2", "user-3"].map(str::to_owned).into()
    );
    assert_eq!(
        (received.len(), ids.len()),
        (3, 3),
        "one each, under an id of its own"
    );
}

#[test]
fn a_receiver_that_answers_500_is_tried_three_times_with_one_id() {
    let receiver = Receiver::answering(ResponseTemplate::new(500));
    let served = alerting(to(&receiver));
    burst(served.address, 8, "user-1");
    let rows = given_up(served.address);
    let received = receiver.received();
    assert_eq!(received.len(), 3);
    assert!(received.iter().all(is_signed));
    for retry in &received[1..] {
        assert_eq!(
            header(retry, "webhook-id"),
            header(&received[0], "webhook-id")
        );
        assert_eq!(retry.body, received[0].body, "the same alert");
    }
    assert_eq!(rows.as_array().map(Vec::len), Some(1), "{rows}");
    assert_eq!(rows[0]["metadata"]["lastStatus"], 500, "{rows}");
    assert_eq!(
        rows[0]["metadata"]["webhookId"],
        header(&received[0], "webhook-id"),
        "{rows}"
    );
    assert!(
        !rows.to_string().contains("planted-path-secret"),
        "an address may hold a secret: {rows}"
    );
}

#[test]
fn a_receiver_that_recovers_gets_no_further_try() {
    let receiver = Receiver::answering_in_turn(&[503, 200]);
    let served = alerting(to(&receiver));
    burst(served.address, 8, "user-1");
    eventually("the retry arrives", || {
        (receiver.received().len() >= 2).then_some(())
    });
    let first = receiver.received();
    assert_eq!(
        header(&first[0], "webhook-id"),
        header(&first[1], "webhook-id")
    );
    // A third try would come within two seconds of the second.
    #[expect(clippy::disallowed_methods, reason = "the claim is that nothing comes")]
    let begin = Instant::now();
    eventually("the time of a third try is over", || {
        (begin.elapsed() > Duration::from_millis(2_500)).then_some(())
    });
    assert_eq!(receiver.received().len(), 2);
}

#[test]
fn a_receiver_that_hangs_delays_no_answer() {
    let receiver =
        Receiver::answering(ResponseTemplate::new(200).set_delay(Duration::from_secs(10)));
    let served = alerting(to(&receiver));
    let mut answers = burst(served.address, 8, "user-1");
    eventually("the receiver holds the alert", || {
        (!receiver.received().is_empty()).then_some(())
    });
    answers.extend(burst(served.address, 8, "user-2"));
    let slowest = answers
        .iter()
        .map(|answer| answer.took)
        .max()
        .expect("300 answers");
    assert!(slowest < FAST, "{slowest:?}");
}

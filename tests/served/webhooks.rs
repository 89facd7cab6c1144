//! Alerts that leave the process: what a real receiver gets, how often, and what its faults cost the clients.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use edgeproof_sim::serve::gateway::RealGateway;
use wiremock::ResponseTemplate;

use support::client::{Answer, Connection, TEA, ask, eventually};
use support::production::{START_SECONDS, production, token, token_of};
use support::receiver::{Receiver, header, is_signed, webhook_secret};
use support::server::Served;

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
    are_tries_of_one_alert(&received);
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

/// The seconds that a message says it was sent at.
fn sent_at(message: &wiremock::Request) -> u64 {
    header(message, "webhook-timestamp")
        .parse()
        .expect("whole seconds")
}

/// Tries of one alert: the same id and body, each signed anew at its own time.
fn are_tries_of_one_alert(tries: &[wiremock::Request]) {
    for pair in tries.windows(2) {
        let [before, after] = pair else {
            unreachable!("windows of two")
        };
        assert_eq!(header(before, "webhook-id"), header(after, "webhook-id"));
        assert_eq!(before.body, after.body);
        assert!(
            sent_at(before) < sent_at(after),
            "a time stamp of its own: there is a second between tries"
        );
    }
    assert!(tries.iter().all(is_signed));
}

fn fast(answers: &[Answer]) {
    let slowest = answers.iter().map(|answer| answer.took).max();
    let slowest = slowest.expect("there are answers");
    assert!(slowest < FAST, "{slowest:?}");
}

/// Lets this long pass and then counts what arrived: the claim is that nothing more comes.
fn still(receiver: &Receiver, number: usize, time: Duration) {
    #[expect(clippy::disallowed_methods, reason = "the claim is that nothing comes")]
    let begin = Instant::now();
    eventually("the time is over", || {
        (begin.elapsed() > time).then_some(())
    });
    assert_eq!(receiver.received().len(), number);
}

#[test]
fn a_hanging_receiver_delays_no_answer_and_gets_three_tries() {
    let receiver =
        Receiver::answering(ResponseTemplate::new(200).set_delay(Duration::from_secs(60)));
    let served = alerting(to(&receiver));
    let mut answers = burst(served.address, 8, "user-1");
    eventually("the receiver holds the alert", || {
        (!receiver.received().is_empty()).then_some(())
    });
    answers.extend(burst(served.address, 8, "user-2"));
    fast(&answers);
    let rows = given_up(served.address);
    assert_eq!(rows[0]["metadata"]["lastStatus"], serde_json::Value::Null);
    eventually("both alerts are given up", || {
        (given_up(served.address).as_array().map(Vec::len) == Some(2)).then_some(())
    });
    let received = receiver.received();
    for user in ["user-1", "user-2"] {
        let of_user = |message: &&wiremock::Request| {
            let alert: serde_json::Value = message.body_json().expect("JSON");
            alert["details"]["userId"] == user
        };
        let tries: Vec<_> = received.iter().filter(of_user).cloned().collect();
        assert_eq!(tries.len(), 3, "{user}");
        are_tries_of_one_alert(&tries);
        // Five seconds for each of the first two tries, and pauses of one and two.
        let took = sent_at(&tries[2]) - sent_at(&tries[0]);
        assert!((12..=15).contains(&took), "{took} s");
    }
}

#[test]
fn a_slow_receiver_is_tried_once_and_delays_no_answer() {
    let receiver =
        Receiver::answering(ResponseTemplate::new(200).set_delay(Duration::from_millis(3_500)));
    let served = alerting(to(&receiver));
    fast(&burst(served.address, 8, "user-1"));
    eventually("the alert arrives", || {
        (!receiver.received().is_empty()).then_some(())
    });
    // Longer than the answer takes, and the pause before another try.
    still(&receiver, 1, Duration::from_millis(5_000));
    let bearer = format!("Bearer {}", token_of("root", "admin"));
    let headers = [("Authorization", bearer.as_str())];
    let rows = ask(served.address, "GET", "/api/admin/error-logs", &headers, "");
    assert_eq!(rows.json()["data"], serde_json::json!([]), "it was taken");
}

#[test]
fn a_receiver_that_asks_for_patience_is_tried_again() {
    let receiver = Receiver::answering_in_turn(&[429, 204]);
    let served = alerting(to(&receiver));
    fast(&burst(served.address, 8, "user-1"));
    eventually("the retry arrives", || {
        (receiver.received().len() >= 2).then_some(())
    });
    are_tries_of_one_alert(&receiver.received());
    still(&receiver, 2, Duration::from_millis(2_500));
}

#[test]
fn a_refused_connection_is_tried_three_times_and_delays_no_answer() {
    // The port is closed: this test held it a moment ago, so no other process listens there.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    let served = alerting(format!("http://{address}/in"));
    fast(&burst(served.address, 8, "user-1"));
    let rows = given_up(served.address);
    assert_eq!(rows[0]["metadata"]["lastStatus"], serde_json::Value::Null);
    assert_eq!(rows[0]["metadata"]["channel"], "security");
    assert!(
        !rows.to_string().contains(&address.port().to_string()),
        "no address: {rows}"
    );
}

#[test]
fn a_receiver_that_comes_up_meanwhile_gets_the_alert() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    let served = alerting(format!("http://{address}/in"));
    burst(served.address, 8, "user-1");
    let listener = std::net::TcpListener::bind(address).expect("the port is still free");
    let receiver = Receiver::on(listener, ResponseTemplate::new(204));
    eventually("a retry arrives", || {
        (!receiver.received().is_empty()).then_some(())
    });
    assert!(is_signed(&receiver.received()[0]));
    still(&receiver, 1, Duration::from_millis(2_500));
}

#[test]
fn a_connection_that_is_reset_in_the_middle_of_the_answer_is_tried_again() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let (requests, seen) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for _ in 0..3 {
                let (mut stream, _) = listener.accept().expect("a try");
                let mut head = Vec::new();
                let mut byte = [0];
                // Up to the end of the head: the body is left unread, so that closing resets the connection.
                while !head.ends_with(b"\r\n\r\n") {
                    stream.read_exact(&mut byte).expect("a request");
                    head.push(byte[0]);
                }
                stream.write_all(b"HTTP/1.1 20").expect("it listens");
                let text = String::from_utf8(head).expect("a head is ASCII");
                requests.send(text).expect("the test waits");
            }
        });
        let served = alerting(format!("http://{address}/in"));
        fast(&burst(served.address, 8, "user-1"));
        let rows = given_up(served.address);
        assert_eq!(rows[0]["metadata"]["lastStatus"], serde_json::Value::Null);
        let ids: Vec<String> = seen
            .iter()
            .map(|head| {
                let of_id = |line: &&str| line.to_ascii_lowercase().starts_with("webhook-id:");
                head.lines().find(of_id).expect("an id").to_owned()
            })
            .collect();
        assert_eq!(ids.len(), 3);
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    });
}

#[test]
fn each_channel_has_a_receiver_of_its_own() {
    let security = Receiver::answering(ResponseTemplate::new(204));
    let errors = Receiver::answering(ResponseTemplate::new(204));
    let addresses = [to(&security), to(&errors)];
    let served = Served::start(move || {
        production(&["IAD"])
            .secret("SECURITY_ALERT_WEBHOOK", &addresses[0])
            .secret("ERROR_ALERT_WEBHOOK", &addresses[1])
            .secret("WEBHOOK_SECRET", &webhook_secret())
            .gateway(Rc::new(RealGateway::new([])))
    });
    burst(served.address, 8, "user-1");
    let bearer = format!("Bearer {}", token_of("root", "admin"));
    let answer = ask(
        served.address,
        "POST",
        "/api/admin/alerts/test",
        &[("Authorization", &bearer)],
        "{}",
    );
    assert_eq!(answer.status, 202, "{answer:?}");
    for (receiver, title, severity, message, endpoint, user) in [
        (
            &security,
            "\u{1F512} Security Alert",
            "medium",
            "The quota of the policy write is used up.",
            "transactions",
            "user-1",
        ),
        (
            &errors,
            "\u{1F6A8} Error Alert",
            "low",
            "This is a test; nothing is wrong.",
            "admin/alerts/test",
            "root",
        ),
    ] {
        eventually("the alert arrives", || {
            (!receiver.received().is_empty()).then_some(())
        });
        let received = receiver.received();
        assert_eq!(received.len(), 1, "{title}");
        assert!(is_signed(&received[0]));
        // Byte for byte: the members and their order are those of the original design.
        let text = String::from_utf8(received[0].body.clone()).expect("UTF-8");
        let begin = format!(
            "{{\"title\":\"{title}\",\"severity\":\"{severity}\",\"message\":\"{message}\",\"timestamp\":\"2026-01-01T00:"
        );
        let middle = format!(
            "\"environment\":\"development\",\"details\":{{\"endpoint\":\"{endpoint}\",\"method\":\"POST\",\"userId\":\"{user}\","
        );
        assert!(text.starts_with(&begin) && text.contains(&middle), "{text}");
    }
}

//! Section 8: alerts, as their receiver gets them.

use crate::burst::Burst;
use crate::clock::{now, unix_seconds, wait, within};
use crate::inbox::{Alert, HANGING, REFUSED, REFUSED_ONCE};
use crate::person::Person;
use crate::server::Server;
use std::collections::BTreeSet;
use std::time::Duration;
use support::client::TEA;
use support::receiver::{header, is_signed};

/// The longest that an answer takes, whatever its alert's receiver does.
const FAST: Duration = Duration::from_millis(1_500);

/// How soon an alert is there.
const SOON: Duration = Duration::from_secs(10);

/// Writes until one is denied, and more.
fn denied(server: &Server, person: &Person, connections: usize) -> Burst {
    let burst = Burst::send(server, 80, connections, |_| {
        server.post("/api/transactions").by(person).text("{}")
    });
    assert!(!burst.with(429).is_empty(), "{:?}", burst.statuses());
    burst
}

/// The tries for alerts about a person, once there is one.
fn alerts(server: &Server, person: &Person) -> Vec<Alert> {
    within(SOON, &format!("an alert about {}", person.id), || {
        let alerts = server.inbox.about(&person.id);
        (!alerts.is_empty()).then_some(alerts)
    })
}

/// W1 and W2.
fn has_the_form(alert: &Alert) {
    let (message, body) = (&alert.message, &alert.body);
    assert_eq!(message.method.as_str(), "POST");
    assert!(header(message, "content-type").starts_with("application/json"));
    for text in ["message", "timestamp", "environment"] {
        assert!(
            body[text].as_str().is_some_and(|text| !text.is_empty()),
            "{text}: {body}"
        );
    }
    let title = body["title"].as_str().unwrap_or_default();
    let sign = if alert.channel() == "/security" {
        '🔒'
    } else {
        '🚨'
    };
    assert!(title.starts_with(sign), "{title}");
    let severity = body["severity"].as_str().unwrap_or_default();
    assert!(
        ["low", "medium", "high", "critical"].contains(&severity),
        "{severity}"
    );
    assert!(
        body["timestamp"]
            .as_str()
            .is_some_and(|text| text.ends_with('Z'))
    );
    assert_eq!(body["environment"], "development");
    assert!(alert.id().len() > 8);
    let sent: u64 = header(message, "webhook-timestamp")
        .parse()
        .expect("Unix seconds");
    assert!(sent.abs_diff(unix_seconds()) < 60, "{sent}");
    assert!(is_signed(message));
}

fn w1_w2_a_denial_is_told_in_the_promised_form_and_signed(server: &Server) {
    let user = Person::user("told");
    denied(server, &user, 1);
    let alert = &alerts(server, &user)[0];
    has_the_form(alert);
    assert_eq!(alert.channel(), "/security");
    let details = &alert.body["details"];
    assert_eq!(details["endpoint"], "transactions");
    assert_eq!(details["method"], "POST");
    assert_eq!(details["userId"], user.id);
    let from = Person::stranger();
    for _ in 0..8 {
        server.login(&from, "nobody", "wrong").send();
    }
    let alert = within(SOON, "an alert about an address", || {
        server.inbox.from(&from.address).pop()
    });
    has_the_form(&alert);
    assert_eq!(alert.body["details"]["endpoint"], "auth/login");
    assert!(
        alert.body["details"].get("userId").is_none(),
        "nobody is known here"
    );
}

fn w1_an_administrator_may_send_a_test_on_the_error_channel(server: &Server) {
    let admin = Person::admin("tests-alerts");
    let answer = server.post("/api/admin/alerts/test").by(&admin).send();
    assert_eq!(answer.status, 202);
    let alerts = alerts(server, &admin);
    assert_eq!(alerts.len(), 1);
    has_the_form(&alerts[0]);
    assert_eq!(alerts[0].channel(), "/error");
    assert_eq!(alerts[0].body["details"]["endpoint"], "admin/alerts/test");
}

fn w3_each_identifier_and_policy_is_told_once_also_in_parallel(server: &Server) {
    let people: Vec<Person> = (0..3).map(|_| Person::user("once")).collect();
    for person in &people {
        denied(server, person, 64);
    }
    for person in &people {
        alerts(server, person);
    }
    // Another policy of the same user is told as well.
    let both = &people[0];
    let reads = Burst::send(server, 120, 32, |_| {
        server.get("/api/transactions").by(both)
    });
    assert!(!reads.with(429).is_empty());
    within(SOON, "two alerts", || {
        (server.inbox.about(&both.id).len() == 2).then_some(())
    });
    // And denied again in the next window, but not past the time between two alerts.
    wait(Duration::from_secs(11));
    denied(server, &people[1], 16);
    wait(Duration::from_secs(2));
    for (person, expected) in people.iter().zip([2, 1, 1]) {
        let told = server.inbox.about(&person.id);
        assert_eq!(told.len(), expected, "{told:?}");
    }
    let policies: BTreeSet<String> = server
        .inbox
        .about(&both.id)
        .iter()
        .map(|alert| alert.body["details"]["policy"].to_string())
        .collect();
    assert_eq!(
        policies,
        BTreeSet::from(["\"general\"".to_owned(), "\"write\"".to_owned()])
    );
}

fn w3_what_a_client_does_wrong_otherwise_is_not_told(server: &Server) {
    let user = Person::user("not-told");
    for asked in [
        server.get("/api/nothing").by(&user),
        server.ask("DELETE", "/api/reports").by(&user),
        server.get("/api/admin/metrics").by(&user),
        server.get("/api/transactions?limit=0").by(&user),
        server.post("/api/transactions").by(&user).text("{"),
        server.post("/api/transactions").by(&user).text("{}"),
        server
            .post("/api/transactions")
            .by(&user)
            .text(vec![b' '; 70_000]),
        server.get("/api/reports").by(&user.with_token("wrong")),
    ] {
        assert!((400..500).contains(&asked.send().status));
    }
    // A later alert has arrived, so an earlier one would have.
    let other = Person::user("told-later");
    denied(server, &other, 4);
    alerts(server, &other);
    assert!(server.inbox.about(&user.id).is_empty());
    assert!(server.inbox.from(&user.address).is_empty());
}

fn w4_a_receiver_that_hangs_keeps_nobody_waiting(server: &Server) {
    let user = Person::user(HANGING);
    let burst = denied(server, &user, 16);
    let slowest = burst.answers.iter().map(|answer| answer.took).max();
    assert!(slowest < Some(FAST), "{slowest:?}");
    let begin = now();
    alerts(server, &user);
    // While the receiver still holds its alert.
    let read = server.get("/api/dashboard").by(&user).send();
    assert!(read.status == 200 && read.took < FAST, "{:?}", read.took);
    let admin = Person::admin(HANGING);
    let test = server.post("/api/admin/alerts/test").by(&admin).send();
    assert!(test.status == 202 && test.took < FAST, "{:?}", test.took);
    // A try ends after 5 s at most: the next one tells.
    let tries = within(Duration::from_secs(20), "a second try", || {
        let tries = server.inbox.about(&user.id);
        (tries.len() >= 2).then_some(tries)
    });
    assert!(
        tries[1].at - tries[0].at < Duration::from_secs(8),
        "{:?}",
        tries[1].at - tries[0].at
    );
    wait(Duration::from_secs(22).saturating_sub(begin.elapsed()));
    let tries = server.inbox.about(&user.id);
    assert!(tries.len() <= 3, "{}", tries.len());
    assert!(
        tries.iter().all(|alert| alert.id() == tries[0].id()),
        "one id for all tries"
    );
}

fn w4_an_alert_that_is_refused_is_sent_again_at_most_twice(server: &Server) {
    let (refused, once) = (Person::user(REFUSED), Person::user(REFUSED_ONCE));
    for person in [&refused, &once] {
        denied(server, person, 16);
    }
    within(Duration::from_secs(20), "the last try", || {
        (server.inbox.about(&refused.id).len() >= 3).then_some(())
    });
    wait(Duration::from_secs(5));
    let tries = server.inbox.about(&refused.id);
    assert_eq!(tries.len(), 3, "the first time and two more");
    for alert in &tries {
        has_the_form(alert);
        assert_eq!(alert.id(), tries[0].id());
        assert_eq!(alert.message.body, tries[0].message.body);
    }
    let tries = server.inbox.about(&once.id);
    assert_eq!(tries.len(), 2, "taken the second time");
    assert_eq!(tries[0].id(), tries[1].id());
    // A write that is admitted takes no longer for it.
    let other = Person::user("meanwhile");
    assert!(
        server
            .post("/api/transactions")
            .by(&other)
            .text(TEA)
            .send()
            .took
            < FAST
    );
}

on_every_arm!(
    w1_an_administrator_may_send_a_test_on_the_error_channel,
    w1_w2_a_denial_is_told_in_the_promised_form_and_signed,
    w3_each_identifier_and_policy_is_told_once_also_in_parallel,
    w3_what_a_client_does_wrong_otherwise_is_not_told,
    w4_a_receiver_that_hangs_keeps_nobody_waiting,
    w4_an_alert_that_is_refused_is_sent_again_at_most_twice,
);

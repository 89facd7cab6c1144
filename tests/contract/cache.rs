//! Section 6: the cache, as its answers show it.

use crate::burst::Burst;
use crate::clock::{now, wait};
use crate::person::{Person, unique};
use crate::server::Server;
use std::time::Duration;
use support::client::{Answer, TEA};

const PATHS: [&str; 2] = ["/api/dashboard", "/api/reports"];

/// How soon a write is to be seen, where KV is local.
const SOON: Duration = Duration::from_secs(2);

fn read(server: &Server, person: &Person, path: &str) -> Answer {
    let answer = server.get(path).by(person).send();
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer
}

fn spend(server: &Server, person: &Person) {
    let answer = server.post("/api/transactions").by(person).text(TEA).send();
    assert_eq!(answer.status, 201, "{}", answer.text());
}

fn count(answer: &Answer) -> u64 {
    let count = answer.json()["data"]["transactionCount"].as_u64();
    count.unwrap_or_else(|| panic!("{}", answer.text()))
}

fn c1_the_second_read_is_a_hit_with_the_same_body_also_of_nothing(server: &Server) {
    for path in PATHS {
        let user = Person::user("hit");
        for transactions in 0..3 {
            let first = read(server, &user, path);
            assert_eq!(
                first.header("x-cache"),
                "MISS",
                "{path} with {transactions}"
            );
            assert_eq!(count(&first), transactions);
            for _ in 0..3 {
                let again = read(server, &user, path);
                assert_eq!(again.header("x-cache"), "HIT", "{path} with {transactions}");
                assert_eq!(again.body, first.body);
            }
            spend(server, &user);
        }
    }
}

fn c2_the_next_read_shows_a_write_and_goes_on_showing_it(server: &Server) {
    let user = Person::user("shows");
    for path in PATHS {
        read(server, &user, path);
    }
    spend(server, &user);
    let written = now();
    let mut reads = 0;
    while written.elapsed() < SOON * 2 {
        for path in PATHS {
            let seen = written.elapsed();
            let answer = read(server, &user, path);
            assert!(
                seen < SOON || count(&answer) == 1,
                "{path} {seen:?} after the write"
            );
        }
        reads += 2;
        wait(Duration::from_millis(100));
    }
    assert!(reads > 10, "{reads}");
}

fn c2_a_read_that_began_before_a_write_does_not_put_the_old_value_back(server: &Server) {
    for _ in 0..8 {
        let user = Person::user("race");
        std::thread::scope(|scope| {
            for path in PATHS {
                let user = &user;
                scope.spawn(move || {
                    let mut connection = server.connect();
                    for _ in 0..12 {
                        server.get(path).by(user).on(&mut connection);
                    }
                });
            }
            for _ in 0..3 {
                spend(server, &user);
            }
        });
        for path in PATHS {
            let first = count(&read(server, &user, path));
            if first != 3 {
                wait(SOON);
            }
            for _ in 0..5 {
                assert_eq!(count(&read(server, &user, path)), 3, "{path}");
            }
        }
    }
}

fn c3_nothing_is_shared_between_users(server: &Server) {
    let base = unique("mine");
    // Ids that a careless key would take for one another.
    let people: Vec<Person> = [
        base.clone(),
        format!("{base}:1"),
        format!("{base}/1"),
        format!("{base}%3a1"),
        format!("{base}:reports"),
        base.to_ascii_uppercase(),
        format!("{base} "),
        format!("{}-a", base.repeat(40)),
        format!("{}-b", base.repeat(40)),
    ]
    .map(|id| Person::named(&id, "user"))
    .to_vec();
    for (transactions, person) in (0..).zip(&people) {
        for _ in 0..transactions {
            spend(server, person);
        }
        for path in PATHS {
            assert_eq!(
                count(&read(server, person, path)),
                transactions,
                "{path} of {}",
                person.id
            );
        }
    }
    for (transactions, person) in (0..).zip(&people) {
        for path in PATHS {
            let again = read(server, person, path);
            assert_eq!(
                (count(&again), again.header("x-cache")),
                (transactions, "HIT"),
                "{path} of {}",
                person.id
            );
        }
    }
}

fn c3_no_header_and_no_unknown_parameter_changes_the_entry(server: &Server) {
    let user = Person::user("entry");
    for path in PATHS {
        let first = read(server, &user, path);
        for (name, value) in [
            ("Accept", "text/html"),
            ("Accept-Encoding", "br"),
            ("Accept-Language", "es-MX"),
            ("Cache-Control", "no-cache"),
            ("Pragma", "no-cache"),
            ("Cookie", "a=b"),
            ("If-None-Match", "*"),
            ("Origin", "https://evil.example"),
            ("Range", "bytes=0-1"),
            ("User-Agent", "x"),
            ("X-Forwarded-Host", "evil.example"),
            ("X-Original-URL", "/api/reports"),
            ("X-User-Id", "user-demo"),
        ] {
            let answer = server.get(path).by(&user).header(name, value).send();
            assert_eq!(
                (answer.status, answer.header("x-cache")),
                (200, "HIT"),
                "{path} {name}"
            );
            assert_eq!(answer.body, first.body, "{path} {name}");
        }
        for query in [
            "?",
            "?a=1",
            "?a=2",
            "?limit=1",
            "?user_id=user-demo",
            "?refresh=true",
            "?_=1700000000",
        ] {
            let target = format!("{path}{query}");
            let answer = read(server, &user, &target);
            assert_eq!(answer.header("x-cache"), "HIT", "{target}");
            assert_eq!(answer.body, first.body, "{target}");
        }
        let from_elsewhere = read(server, &user.elsewhere(), path);
        assert_eq!(from_elsewhere.header("x-cache"), "HIT", "{path}");
    }
}

fn c3_of_20_misses_at_once_few_compute(server: &Server) {
    for path in PATHS {
        let user = Person::user("stampede");
        let burst = Burst::send(server, 20, 20, |_| server.get(path).by(&user));
        let misses = burst
            .answers
            .iter()
            .filter(|answer| answer.header("x-cache") == "MISS")
            .count();
        assert!((1..=3).contains(&misses), "{path}: {misses}");
        assert!(
            burst
                .answers
                .iter()
                .all(|answer| answer.body == burst.answers[0].body)
        );
    }
}

fn c3_a_denied_or_refused_write_drops_nothing(server: &Server) {
    let user = Person::user("drops-nothing");
    spend(server, &user);
    let first = read(server, &user, "/api/dashboard");
    let refused = Burst::send(server, 60, 16, |_| {
        server.post("/api/transactions").by(&user).text("{}")
    });
    assert!(
        !refused.with(422).is_empty() && !refused.with(429).is_empty(),
        "{:?}",
        refused.statuses()
    );
    let again = read(server, &user, "/api/dashboard");
    assert_eq!((again.header("x-cache"), &again.body), ("HIT", &first.body));
}

on_every_arm!(
    c1_the_second_read_is_a_hit_with_the_same_body_also_of_nothing,
    c2_a_read_that_began_before_a_write_does_not_put_the_old_value_back,
    c2_the_next_read_shows_a_write_and_goes_on_showing_it,
    c3_a_denied_or_refused_write_drops_nothing,
    c3_no_header_and_no_unknown_parameter_changes_the_entry,
    c3_nothing_is_shared_between_users,
    c3_of_20_misses_at_once_few_compute,
);

//! The description of the API is whole: each operation with each of its statuses is met, or listed as one that cannot be.
//!
//! That nothing is missing from it is seen on every answer of this suite ([`openapi`](crate::openapi)).

use crate::burst::Burst;
use crate::every;
use crate::limits::policy;
use crate::openapi::{Operation, description};
use crate::person::Person;
use crate::routes::ROUTES;
use crate::server::{Server, world};
use std::collections::BTreeSet;
use support::client::{Answer, TEA};

/// What no request brings about: a fault of the service has to be there for it.
const UNEXPECTED: u16 = 500;

/// What only a server without its stores answers; [`without_its_stores_the_service_says_503`] has one.
const UNAVAILABLE: u16 = 503;

type Met = BTreeSet<(Operation, u16)>;

struct Tour<'a> {
    server: &'a Server,
    met: Met,
}

impl Tour<'_> {
    fn go(&mut self, method: &str, target: &str, person: &Person, body: Option<&[u8]>) -> Answer {
        let mut asked = self.server.ask(method, target).by(person);
        if let Some(body) = body {
            asked = asked.text(body);
        }
        let answer = asked.send();
        self.note(method, target, answer.status);
        answer
    }

    fn note(&mut self, method: &str, target: &str, status: u16) {
        self.met
            .insert((description().operation(method, target), status));
    }

    /// Asks the same until it is denied.
    fn use_up(&mut self, method: &str, target: &str, person: &Person) {
        let make = || self.server.ask(method, target).by(person);
        let quota = policy(&make().send()).quota;
        let burst = Burst::send(self.server, quota + 4, 32, |_| make());
        assert!(!burst.with(429).is_empty(), "{method} {target}");
        for answer in &burst.answers {
            self.note(method, target, answer.status);
        }
    }
}

fn every_documented_operation_and_status_is_met(server: &Server) {
    let mut tour = Tour {
        server,
        met: Met::new(),
    };
    let (user, admin, stranger) = (
        Person::user("tour"),
        Person::admin("tour"),
        Person::stranger(),
    );
    let large = vec![b' '; 70_000];
    let created = tour.go("POST", "/api/transactions", &user, Some(TEA.as_bytes()));
    let own = created.header("location").to_owned();
    tour.go("GET", &own, &user, None);
    for (path, methods) in ROUTES {
        for method in methods {
            for person in [&user, &admin, &stranger] {
                tour.go(method, path, person, None);
            }
            tour.go(method, &format!("{path}?limit=0"), &admin, None);
            if path != "/api/health" {
                let person = if path == "/api/auth/login" {
                    Person::stranger()
                } else {
                    Person::admin("tour")
                };
                tour.use_up(method, path, &person);
            }
        }
        tour.go("OPTIONS", path, &stranger, None);
        tour.go("PUT", path, &user, None);
    }
    for path in ["/api/transactions", "/api/auth/login"] {
        for body in [b"{".as_slice(), b"{}", &large] {
            tour.go("POST", path, &user, Some(body));
        }
    }
    for (name, password) in [("demo", "demo-pass-9137"), ("demo", "wrong")] {
        let answer = server.login(&Person::stranger(), name, password).send();
        tour.note("POST", "/api/auth/login", answer.status);
    }
    tour.use_up("PUT", "/api/reports", &Person::user("tour"));
    tour.use_up("GET", "/api/nothing", &Person::user("tour"));

    let mut missing = Vec::new();
    for (operation, statuses) in description().operations() {
        for status in statuses {
            let possible = ![UNEXPECTED, UNAVAILABLE].contains(&status);
            let met = tour.met.contains(&(operation.clone(), status));
            if possible != met {
                missing.push(format!("{operation:?} {status}: met is {met}"));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn without_its_stores_the_service_says_503() {
    let mut met = BTreeSet::new();
    let no_secret = world(9, |builder| builder.secret("AUTH_JWT_SECRET", ""));
    let no_database = world(9, |builder| builder.without("DB"));
    for served in [&no_secret, &no_database] {
        for (path, methods) in ROUTES {
            for method in methods {
                let person = Person::admin("without");
                let mut connection = support::client::Connection::open(served.address);
                let bearer = format!("Bearer {}", person.token.as_deref().unwrap_or_default());
                let headers = [
                    ("Authorization", bearer.as_str()),
                    ("CF-Connecting-IP", person.address.as_str()),
                ];
                let body = match path {
                    "/api/auth/login" => support::client::DEMO,
                    _ if *method == "POST" => TEA,
                    _ => "",
                };
                let answer = connection.ask(method, path, &headers, body);
                let mut faults = description().faults(method, path, &answer);
                every::headers(&answer, &mut faults);
                assert!(faults.is_empty(), "{method} {path}: {faults:?} {answer:?}");
                met.insert((description().operation(method, path), answer.status));
            }
        }
    }
    for (operation, statuses) in description().operations() {
        if statuses.contains(&UNAVAILABLE) {
            assert!(
                met.contains(&(operation.clone(), UNAVAILABLE)),
                "{operation:?}"
            );
        }
    }
}

#[test]
fn an_answer_that_is_not_described_is_noticed() {
    let served = world(9, |builder| builder);
    let ask = |path: &str| support::client::ask(served.address, "GET", path, &[], "");
    let right = ask("/api/health");
    let faults = |answer: &Answer| description().faults("GET", "/api/health", answer);
    assert_eq!(faults(&right), Vec::<String>::new());
    let changed = |change: &dyn Fn(&mut Answer)| {
        let mut answer = right.clone();
        change(&mut answer);
        faults(&answer).join("; ")
    };
    for (what, expected, change) in [
        (
            "a status",
            "201 is no status",
            &(|answer: &mut Answer| answer.status = 201) as &dyn Fn(&mut Answer),
        ),
        ("a header more", "x-new is not described", &|answer| {
            answer.headers.insert("x-new".to_owned(), "1".to_owned());
        }),
        ("a header less", "x-frame-options is missing", &|answer| {
            answer.headers.remove("x-frame-options");
        }),
        ("another value", "the header vary", &|answer| {
            answer
                .headers
                .insert("vary".to_owned(), "Accept".to_owned());
        }),
        (
            "a media type",
            "\"text/html\" is not described",
            &|answer| {
                answer
                    .headers
                    .insert("content-type".to_owned(), "text/html".to_owned());
            },
        ),
        ("a member more", "the body", &|answer| {
            answer.body = br#"{"status":"ok","components":{},"more":1}"#.to_vec()
        }),
        ("no JSON", "the body is no JSON", &|answer| {
            answer.body.push(b'x')
        }),
    ] {
        let found = changed(change);
        assert!(found.contains(expected), "{what}: {found}");
    }
    let unknown = ask("/api/nothing");
    assert_eq!(
        description().faults("GET", "/api/nothing", &unknown),
        Vec::<String>::new()
    );
    assert!(
        !description()
            .faults("GET", "/api/reports", &unknown)
            .is_empty()
    );
}

on_every_arm!(every_documented_operation_and_status_is_met);

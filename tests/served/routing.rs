//! Who a request is from and where it enters: the two headers that say so, and the many that do not.

use serde_json::Value;

use crate::echo::echo;
use support::client::{Connection, DEMO, TEA, ask};
use support::production::production;
use support::server::Served;

fn limited() -> Served {
    Served::start(|| production(&["IAD"]).var("RATE_LIMIT_REQUESTS_PER_MINUTE", "3"))
}

/// The statuses of requests without a token, each with these headers.
fn statuses(served: &Served, requests: &[&[(&str, &str)]]) -> Vec<u16> {
    let mut connection = Connection::open(served.address);
    requests
        .iter()
        .map(|headers| connection.ask("GET", "/api/dashboard", headers, "").status)
        .collect()
}

fn header<'a>(seen: &'a Value, name: &str) -> Vec<&'a str> {
    let headers = seen["headers"].as_array().expect("a list");
    headers
        .iter()
        .filter(|pair| pair[0] == name)
        .map(|pair| pair[1].as_str().expect("text"))
        .collect()
}

#[test]
fn each_client_address_has_a_budget_of_its_own() {
    let served = limited();
    let (one, two) = (
        [("CF-Connecting-IP", "203.0.113.7")],
        [("CF-Connecting-IP", "203.0.113.8")],
    );
    assert_eq!(
        statuses(&served, &[&one, &one, &one, &one]),
        [401, 401, 401, 429]
    );
    assert_eq!(
        statuses(&served, &[&two, &two, &two, &two]),
        [401, 401, 401, 429]
    );
    // Without the header the socket's own address is charged.
    assert_eq!(
        statuses(
            &served,
            &[&[], &[], &[], &[], &[("CF-Connecting-IP", "127.0.0.1")]]
        ),
        [401, 401, 401, 429, 429]
    );
}

#[test]
fn no_other_header_changes_the_address() {
    let served = limited();
    let client = ("CF-Connecting-IP", "203.0.113.7");
    assert_eq!(
        statuses(&served, &[&[client], &[client], &[client]]),
        [401, 401, 401]
    );
    for name in [
        "X-Forwarded-For",
        "X-Real-IP",
        "Forwarded",
        "True-Client-IP",
        "CF-Connecting-IPv6",
        "X-Client-IP",
    ] {
        assert_eq!(
            statuses(&served, &[&[client, (name, "198.51.100.1")]]),
            [429],
            "{name}"
        );
    }
}

#[test]
fn an_address_that_is_none_breaks_nothing() {
    let served = limited();
    for nonsense in [
        "",
        "not an address",
        "203.0.113.7, 203.0.113.8",
        "::ffff:1.2.3.4",
        "999.1.1.1",
        "' OR 1=1 --",
    ] {
        assert_eq!(
            statuses(&served, &[&[("CF-Connecting-IP", nonsense)]])
                .first()
                .map(|status| status / 100),
            Some(4)
        );
    }
}

#[test]
fn a_header_names_the_pop_and_the_worker_does_not_see_it() {
    let served = Served::start(|| echo().pops(["IAD"]));
    for (headers, pop) in [
        (vec![], "IAD"),
        (vec![("x-sim-pop", "FRA")], "FRA"),
        (vec![("X-Sim-Pop", "mex")], "MEX"),
        (vec![("x-sim-pop", "SYD"), ("x-sim-pop", "FRA")], "SYD"),
    ] {
        let seen = ask(served.address, "GET", "/", &headers, "").json();
        assert_eq!(seen["pop"], pop, "{headers:?}");
        assert!(header(&seen, "x-sim-pop").is_empty(), "{seen}");
    }
}

#[test]
fn an_unknown_pop_is_refused_with_a_text_and_the_connection_goes_on() {
    let served = Served::start(|| echo().pops(["IAD"]));
    let mut connection = Connection::open(served.address);
    let body = "x".repeat(300_000);
    for (code, body) in [
        ("XXX", ""),
        ("", ""),
        ("IAD,FRA", ""),
        ("../../etc", ""),
        ("XXX", &body),
    ] {
        let answer = connection.ask("POST", "/", &[("x-sim-pop", code)], body);
        assert_eq!(answer.status, 400, "{answer:?}");
        let text = answer.text();
        assert!(
            text.contains("x-sim-pop") && text.contains(&format!("{code:?}")),
            "{text}"
        );
    }
    assert_eq!(connection.ask("GET", "/", &[], "").json()["pop"], "IAD");
}

#[test]
fn the_worker_sees_the_request_as_it_was_sent() {
    let served = Served::start(|| echo().pops(["IAD"]));
    let headers = [
        ("X-One", "a"),
        ("x-one", "b"),
        ("CF-Connecting-IP", "203.0.113.7"),
        ("Keep-Alive", "timeout=5"),
    ];
    let seen = ask(
        served.address,
        "PATCH",
        "/a%20b/../c?q=1&q=2",
        &headers,
        TEA,
    )
    .json();
    assert_eq!(
        (&seen["method"], &seen["host"]),
        (&"PATCH".into(), &"worker.example".into())
    );
    assert_eq!(
        (&seen["path"], &seen["query"]),
        (&"/c".into(), &"q=1&q=2".into())
    );
    assert_eq!(seen["bytes"], TEA.len());
    assert_eq!(header(&seen, "x-one"), ["a", "b"]);
    assert_eq!(header(&seen, "cf-connecting-ip"), ["203.0.113.7"]);
    assert!(
        header(&seen, "keep-alive").is_empty(),
        "belongs to the connection: {seen}"
    );
}

#[test]
fn a_login_gives_a_token_that_works() {
    let served = Served::start(|| production(&["IAD"]));
    let mut connection = Connection::open(served.address);
    let login = connection.ask("POST", "/api/auth/login", &[], DEMO);
    assert_eq!(login.status, 200, "{login:?}");
    let token = login.json()["token"].as_str().expect("text").to_owned();
    let bearer = [("Authorization", &*format!("Bearer {token}"))];
    assert_eq!(
        connection
            .ask("POST", "/api/transactions", &bearer, TEA)
            .status,
        201
    );
    let list = connection
        .ask("GET", "/api/transactions", &bearer, "")
        .json();
    assert_eq!(list["data"][0]["description"], "tea", "{list}");
}

//! What may arrive on a socket: long, broken, early, late or hostile. The server answers, or ends that connection, and serves on.

use crate::echo::echo;
use support::client::{Answer, Connection, TEA, ask, request};
use support::production::{production, token};
use support::server::Served;

fn worker() -> Served {
    Served::start(|| production(&["IAD"]))
}

fn echoing() -> Served {
    Served::start(|| echo().pops(["IAD"]))
}

fn bearer(user: &str) -> String {
    format!("Bearer {}", token(user))
}

/// A chunked body of this many bytes, in chunks of at most 10,000.
fn chunked(bytes: usize) -> Vec<u8> {
    let mut body = Vec::new();
    let mut left = bytes;
    while left > 0 {
        let size = left.min(10_000);
        body.extend(format!("{size:x}\r\n").into_bytes());
        body.extend(std::iter::repeat_n(b' ', size));
        body.extend(b"\r\n");
        left -= size;
    }
    body.extend(b"0\r\n\r\n");
    body
}

/// Asserts that the server still answers somebody else.
fn serves_on(served: &Served) {
    let answer = ask(served.address, "GET", "/api/health", &[], "");
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[test]
fn a_connection_outlives_its_refused_requests() {
    let served = worker();
    let bearer = bearer("user-1");
    let headers = [("Authorization", bearer.as_str())];
    let mut connection = Connection::open(served.address);
    let long = format!("{TEA}{}", " ".repeat(65_536));
    for _ in 0..50 {
        let answer = connection.ask("POST", "/api/transactions", &headers, &long);
        assert_eq!(answer.status, 413, "{answer:?}");
    }
    for body in [&*long, &"x".repeat(900_000), TEA, ""] {
        for _ in 0..10 {
            let answer = connection.ask("POST", "/api/transactions", &headers, body);
            assert_eq!(answer.status, 429, "{answer:?}");
        }
    }
    assert_eq!(
        connection.ask("GET", "/api/health", &[], "").status,
        200,
        "on the same connection"
    );
}

#[test]
fn a_chunked_body_over_the_limit_is_413_and_the_connection_goes_on() {
    let served = worker();
    let head = request(
        "POST",
        "/api/transactions",
        &[
            ("Authorization", &bearer("user-1")),
            ("Content-Type", "application/json"),
            ("Transfer-Encoding", "chunked"),
        ],
        "",
    );
    let mut connection = Connection::open(served.address);
    for (bytes, status) in [
        (65_537, 413),
        (65_536, 400),
        (900_000, 413),
        (1, 400),
        (0, 400),
    ] {
        connection.send(&head);
        connection.send(chunked(bytes));
        let answer = connection.answer();
        assert_eq!(answer.status, status, "{bytes} bytes: {answer:?}");
    }
    assert_eq!(
        connection.ask("GET", "/api/health", &[], "").status,
        200,
        "on the same connection"
    );
}

#[test]
fn a_body_larger_than_the_platform_takes_is_refused_before_it_is_sent() {
    let served = worker();
    let mut connection = Connection::open(served.address);
    let head = [("Content-Length", "100000001"), ("Expect", "100-continue")];
    let answer = connection.ask("POST", "/api/transactions", &head, "");
    assert_eq!(answer.status, 413, "and no invitation to go on: {answer:?}");
    serves_on(&served);
}

#[test]
fn a_client_that_waits_for_100_continue_gets_it() {
    let served = worker();
    let mut connection = Connection::open(served.address);
    let length = TEA.len().to_string();
    let head = [
        ("Authorization", &*bearer("user-1")),
        ("Content-Type", "application/json"),
        ("Content-Length", &length),
        ("Expect", "100-continue"),
    ];
    assert_eq!(
        connection
            .ask("POST", "/api/transactions", &head, "")
            .status,
        100
    );
    connection.send(TEA);
    assert_eq!(connection.answer().status, 201);
}

#[test]
fn an_oversized_url_or_head_is_refused_and_the_server_serves_on() {
    let served = worker();
    let mut connection = Connection::open(served.address);
    let path = |length: usize| format!("/api/health?{}", "q".repeat(length - "/api/health?".len()));
    assert_eq!(connection.ask("GET", &path(16 * 1024), &[], "").status, 200);
    for body in ["", TEA, &"x".repeat(300_000)] {
        assert_eq!(
            connection
                .ask("POST", &path(16 * 1024 + 1), &[], body)
                .status,
            414
        );
    }
    assert_eq!(
        connection.ask("GET", "/api/health", &[], "").status,
        200,
        "on the same connection"
    );
    for (head, status) in [
        (request("GET", &path(70_000), &[], ""), 414),
        (
            request(
                "GET",
                "/api/health",
                &[("X-Long", &"v".repeat(1 << 20))],
                "",
            ),
            431,
        ),
        (
            request("GET", "/api/health", &[("X-Many", "v"); 2_000], ""),
            431,
        ),
    ] {
        let mut connection = Connection::open(served.address);
        connection.send_if_open(head);
        if let Some(answer) = connection.try_answer() {
            assert_eq!(answer.status, status, "{answer:?}");
        }
        serves_on(&served);
    }
}

#[test]
fn http_1_0_is_answered_and_its_connection_ends() {
    let served = worker();
    for head in [
        "GET /api/health HTTP/1.0\r\n\r\n",
        "GET /api/health HTTP/1.0\r\nHost: worker.example\r\n\r\n",
    ] {
        let mut connection = Connection::open(served.address);
        connection.send(head);
        assert_eq!(connection.answer().status, 200);
        assert!(connection.ends());
    }
}

#[test]
fn a_client_that_sends_nothing_more_still_gets_its_answers() {
    let served = worker();
    let mut connection = Connection::open(served.address);
    connection.send(request(
        "POST",
        "/api/transactions",
        &[("Authorization", &bearer("user-1")), ("x-sim-pop", "SYD")],
        TEA,
    ));
    connection.send(request("GET", "/api/health", &[], ""));
    connection.finish();
    assert_eq!(connection.answer().status, 201);
    assert_eq!(connection.answer().status, 200);
    assert!(connection.ends());
}

#[test]
fn a_body_that_ends_early_changes_nothing_and_stops_nobody() {
    let served = worker();
    let bearer = bearer("user-1");
    for head in ["Content-Length: 500", "Transfer-Encoding: chunked"] {
        let mut connection = Connection::open(served.address);
        connection.send(format!(
            "POST /api/transactions HTTP/1.1\r\nHost: h\r\nAuthorization: {bearer}\r\nContent-Type: application/json\r\n{head}\r\n\r\n4a\r\n{TEA}"
        ));
        connection.finish();
        if let Some(answer) = connection.try_answer() {
            assert_eq!(answer.status, 400, "{answer:?}");
        }
        assert!(connection.ends());
    }
    let list = ask(
        served.address,
        "GET",
        "/api/transactions",
        &[("Authorization", &bearer)],
        "",
    )
    .json();
    assert_eq!(list["data"].as_array().map(Vec::len), Some(0), "{list}");
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let served = echoing();
    let mut connection = Connection::open(served.address);
    let mut bytes = Vec::new();
    for number in 0..100 {
        bytes.extend(request(
            "POST",
            &format!("/{number}"),
            &[],
            &"x".repeat(number + 1),
        ));
    }
    connection.send(bytes);
    for number in 0..100 {
        let seen = connection.answer().json();
        assert_eq!(
            (&seen["path"], &seen["bytes"]),
            (&format!("/{number}").into(), &(number + 1).into())
        );
    }
}

#[test]
fn what_is_not_http_is_refused_and_the_server_serves_on() {
    let served = worker();
    let get = "GET /api/health HTTP/1.1\r\nHost: h\r\n";
    for bytes in [
        b"\r\n\r\n\0\0\0\0".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        b"GET\r\n\r\n".to_vec(),
        b"GET /api/health HTTP/9.9\r\n\r\n".to_vec(),
        [get.as_bytes(), b"Bad Name: v\r\n\r\n"].concat(),
        [get.as_bytes(), b": v\r\n\r\n"].concat(),
        [get.as_bytes(), b"X-Nul: a\0b\r\n\r\n"].concat(),
        [get.as_bytes(), b"Content-Length: -1\r\n\r\n"].concat(),
        [
            get.as_bytes(),
            b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        ]
        .concat(),
        [
            get.as_bytes(),
            b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        ]
        .concat(),
        [get.as_bytes(), b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"].concat(),
    ] {
        let mut connection = Connection::open(served.address);
        connection.send_if_open(&bytes);
        connection.finish();
        if let Some(answer) = connection.try_answer() {
            assert_eq!(
                answer.status / 100,
                4,
                "{:?}: {answer:?}",
                String::from_utf8_lossy(&bytes)
            );
        }
        serves_on(&served);
    }
}

#[test]
fn a_header_of_any_bytes_reaches_the_worker_and_breaks_nothing() {
    let served = worker();
    for name in [
        "Authorization",
        "CF-Connecting-IP",
        "X-Request-Id",
        "Origin",
        "Content-Type",
        "Accept",
        "x-sim-pop",
    ] {
        let mut connection = Connection::open(served.address);
        let head =
            format!("POST /api/transactions HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n{name}: ");
        connection.send([head.as_bytes(), b"\xff\xfe\x80 \xc3\xa9\t\r\n\r\n"].concat());
        let answer = connection.answer();
        assert_eq!(answer.status / 100, 4, "{name}: {answer:?}");
        assert_eq!(
            connection.ask("GET", "/api/health", &[], "").status,
            200,
            "{name}: on the same connection"
        );
    }
}

#[test]
fn the_host_header_is_a_host_and_nothing_else() {
    let served = echoing();
    let with_host = |lines: &str| -> Answer {
        let mut connection = Connection::open(served.address);
        connection.send(format!("GET /path HTTP/1.1\r\n{lines}\r\n"));
        connection.answer()
    };
    for (host, seen) in [
        ("example.com", "example.com"),
        ("EXAMPLE.com:8787", "example.com"),
        ("[::1]:80", "[::1]"),
    ] {
        let answer = with_host(&format!("Host: {host}\r\n")).json();
        assert_eq!(
            (&answer["host"], &answer["path"]),
            (&seen.into(), &"/path".into())
        );
    }
    for lines in [
        "Host: h/other?\r\n",
        "Host: h?\r\n",
        "Host: h#\r\n",
        "Host: user@h\r\n",
        "Host: h\\other\r\n",
        "Host: h:port\r\n",
        "Host: a b\r\n",
        "Host: [::1\r\n",
        "Host: one\r\nHost: two\r\n",
        "Host: \r\n",
        "",
    ] {
        let answer = with_host(lines);
        assert_eq!(answer.status, 400, "{lines:?}: {}", answer.text());
        assert!(!answer.text().is_empty(), "it says why");
    }
}

#[test]
fn an_answer_is_as_long_as_its_body_whatever_the_worker_says() {
    // The echoing Worker says that its bodies have three bytes.
    let served = echoing();
    let mut connection = Connection::open(served.address);
    for _ in 0..3 {
        assert_eq!(
            connection.ask("GET", "/whole", &[], "").json()["path"],
            "/whole"
        );
    }
}

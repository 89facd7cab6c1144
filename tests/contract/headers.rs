//! Section 2: headers of every answer, request ids, and other origins.
//!
//! [`every`](crate::every) looks at each answer of all tests; here is what it takes more than one answer to see.

use crate::person::Person;
use crate::routes::ROUTES;
use crate::server::Server;
use crate::settings;
use std::collections::BTreeSet;
use support::client::TEA;

fn s1_request_ids_are_unique_and_no_clients_id_is_echoed_if_it_is_none(server: &Server) {
    let mut seen = BTreeSet::new();
    let mut connection = server.connect();
    for _ in 0..100 {
        let answer = server.get("/api/health").on(&mut connection);
        assert!(seen.insert(answer.header("x-request-id").to_owned()));
    }
    for wrong in [
        "<script>",
        "a b",
        "a/b",
        "ü",
        "",
        &"x".repeat(65),
        "a\tb",
        "%0d%0aSet-Cookie: a=b",
    ] {
        let answer = server
            .get("/api/nothing")
            .by(&Person::stranger())
            .header("X-Request-Id", wrong)
            .send();
        let given = answer.header("x-request-id");
        let form = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        assert!(
            (1..=64).contains(&given.len()) && given.bytes().all(form),
            "{given:?}"
        );
        assert!(given != wrong && seen.insert(given.to_owned()), "{given:?}");
    }
}

fn s2_an_allowed_origin_may_read_every_answer(server: &Server) {
    let origin = settings::origin();
    let (user, stranger) = (Person::user("origin"), Person::stranger());
    let mut asked = vec![
        server.get("/api/health"),
        server.get("/api/nothing").by(&stranger),
        server.get("/api/dashboard").by(&stranger),
        server.get("/api/dashboard").by(&user),
        server.get("/api/admin/metrics").by(&user),
        server.ask("PUT", "/api/dashboard").by(&user),
        server.post("/api/transactions").by(&user).text(TEA),
        server.post("/api/transactions").by(&user).bytes("x"),
        server.post("/api/transactions").by(&user).text("x"),
        server.post("/api/transactions").by(&user).text("{}"),
        server
            .post("/api/transactions")
            .by(&user)
            .text(vec![b' '; 70_000]),
        server.ask("OPTIONS", "/api/transactions"),
    ];
    asked.extend((0..6).map(|_| server.login(&stranger, "nobody", "wrong")));
    let mut statuses = BTreeSet::new();
    for asked in asked {
        let answer = asked.header("Origin", &origin).send();
        statuses.insert(answer.status);
        assert_eq!(
            answer.header("access-control-allow-origin"),
            origin,
            "{}",
            answer.status
        );
        let exposed = answer.header("access-control-expose-headers");
        for name in [
            "RateLimit",
            "RateLimit-Policy",
            "Retry-After",
            "X-Request-Id",
            "X-Cache",
        ] {
            assert!(
                exposed.split(", ").any(|exposed| exposed == name),
                "{name} in {exposed:?}"
            );
        }
    }
    let all = [200, 201, 204, 400, 401, 403, 404, 405, 413, 415, 422, 429];
    assert_eq!(statuses, BTreeSet::from(all));
}

fn s2_no_other_origin_is_let_in(server: &Server) {
    let origin = settings::origin();
    let (scheme, host) = origin.split_once("://").expect("an origin");
    let other_scheme = if scheme == "https" { "http" } else { "https" };
    let mut connection = server.connect();
    for other in [
        "null".to_owned(),
        "*".to_owned(),
        String::new(),
        host.to_owned(),
        format!("{other_scheme}://{host}"),
        format!("{origin}.evil.example"),
        format!("{origin}/"),
        format!("{origin}:8443"),
        format!("{origin}, https://evil.example"),
        format!("{scheme}://evil-{host}"),
        format!("{scheme}://evil.{host}"),
        format!("{scheme}://{host}@evil.example"),
        origin[..origin.len() - 1].to_owned(),
        origin.to_ascii_uppercase(),
        "https://evil.example".to_owned(),
    ] {
        for method in ["GET", "OPTIONS"] {
            let answer = server
                .ask(method, "/api/health")
                .header("Origin", &other)
                .on(&mut connection);
            assert_eq!(
                answer.headers.get("access-control-allow-origin"),
                None,
                "{other}"
            );
        }
    }
    let answer = server
        .get("/api/health")
        .header("Origin", &origin)
        .header("Origin", "https://evil.example")
        .send();
    assert_eq!(
        answer.headers.get("access-control-allow-origin"),
        None,
        "two origins"
    );
}

fn s2_a_preflight_needs_no_token_and_tells_methods_and_headers(server: &Server) {
    let origin = settings::origin();
    for (path, served) in ROUTES {
        let answer = server
            .ask("OPTIONS", path)
            .header("Origin", &origin)
            .header("Access-Control-Request-Method", "POST")
            .header(
                "Access-Control-Request-Headers",
                "authorization, content-type",
            )
            .send();
        assert!(
            [200, 204].contains(&answer.status),
            "{path}: {}",
            answer.status
        );
        assert_eq!(answer.header("access-control-allow-origin"), origin);
        let methods = answer.header("access-control-allow-methods");
        for method in served {
            assert!(
                methods.split(", ").any(|listed| listed == *method),
                "{path}: {methods}"
            );
        }
        let headers = answer
            .header("access-control-allow-headers")
            .to_ascii_lowercase();
        for header in ["authorization", "content-type"] {
            assert!(headers.contains(header), "{path}: {headers}");
        }
    }
}

on_every_arm!(
    s1_request_ids_are_unique_and_no_clients_id_is_echoed_if_it_is_none,
    s2_a_preflight_needs_no_token_and_tells_methods_and_headers,
    s2_an_allowed_origin_may_read_every_answer,
    s2_no_other_origin_is_let_in,
);

//! Section 1: routes, methods, bodies of answers; and that no request breaks anything.

use crate::ask::Ask;
use crate::burst::Burst;
use crate::person::Person;
use crate::server::Server;
use serde_json::json;
use support::client::TEA;

/// Every path with the methods that it serves.
pub(crate) const ROUTES: [(&str, &[&str]); 10] = [
    ("/api/health", &["GET"]),
    ("/api/auth/login", &["POST"]),
    ("/api/transactions", &["GET", "POST"]),
    ("/api/transactions/1", &["GET"]),
    ("/api/dashboard", &["GET"]),
    ("/api/reports", &["GET"]),
    ("/api/admin/audit-logs", &["GET"]),
    ("/api/admin/error-logs", &["GET"]),
    ("/api/admin/alerts/test", &["POST"]),
    ("/api/admin/metrics", &["GET"]),
];

fn h1_a_path_that_is_not_named_is_not_found(server: &Server) {
    let user = Person::admin("lost");
    for path in [
        "/",
        "/api",
        "/api/",
        "/api/nothing",
        "/api/transactions/",
        "/api/transactions/0",
        "/api/transactions/01",
        "/api/transactions/-1",
        "/api/transactions/1.5",
        "/api/transactions/99999999999999999999",
        "/api/transactions/1/2",
        "/api/health/",
        "/API/health",
        "/api//health",
        "/api/dashboard.json",
        "/api/admin",
        "/api/admin/",
        "/index.html",
        "/.env",
        "/favicon.ico",
        "/api/%68ealth",
        "/api/transactions%2f1",
    ] {
        for person in [&user, &Person::stranger()] {
            assert_eq!(server.get(path).by(person).send().status, 404, "{path}");
        }
        assert_eq!(
            server.post(path).by(&user).text(TEA).send().status,
            404,
            "{path}"
        );
    }
}

fn h1_another_method_is_405_and_told_which_ones_are_served(server: &Server) {
    for (path, served) in ROUTES {
        let admin = Person::admin("methods");
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"] {
            if served.contains(&method) {
                continue;
            }
            let answer = server.ask(method, path).by(&admin).send();
            assert_eq!(answer.status, 405, "{method} {path}");
            let mut allowed: Vec<&str> = answer.header("allow").split(", ").collect();
            allowed.retain(|method| *method != "OPTIONS");
            assert_eq!(allowed, served, "{method} {path}");
            let with_body = server.ask(method, path).by(&admin).text("{}");
            if method != "HEAD" {
                assert_eq!(with_body.send().status, 405, "{method} {path} with a body");
            }
        }
    }
}

fn h1_a_method_that_hardly_anybody_knows_is_no_get(server: &Server) {
    let admin = Person::admin("methods");
    // workerd knows these; workers-rs takes all but the last three for GET.
    for method in [
        "PROPFIND",
        "PROPPATCH",
        "SEARCH",
        "COPY",
        "MOVE",
        "LOCK",
        "UNLOCK",
        "MKCOL",
        "PURGE",
        "REPORT",
        "TRACE",
        "PATCH",
    ] {
        for (path, _) in ROUTES {
            let status = server.ask(method, path).by(&admin).send().status;
            assert_eq!(status, 405, "{method} {path}");
        }
    }
    // These workerd does not let in.
    for method in ["QUERY", "LINK", "get", "G", "GET.", "X-OTHER"] {
        let mut connection = server.connect();
        connection.send(format!("{method} /api/health HTTP/1.1\r\nHost: x\r\n\r\n"));
        let status = connection.try_answer().map(|answer| answer.status);
        assert!(
            [Some(405), Some(501), Some(400), None].contains(&status),
            "{method}: {status:?}"
        );
    }
}

fn h2_each_success_has_the_form_that_is_promised(server: &Server) {
    let (user, admin) = (Person::user("forms"), Person::admin("forms"));
    let health = server.get("/api/health").send();
    assert_eq!(health.status, 200);
    assert!(
        ["ok", "degraded"]
            .map(|word| json!(word))
            .contains(&health.json()["status"])
    );
    assert!(health.json()["components"].is_object());

    let login = server.login(&user, "demo", "demo-pass-9137").send();
    assert_eq!(login.status, 200);
    assert_eq!(login.json()["tokenType"], "Bearer");
    assert!(login.json()["token"].is_string() && login.json()["expiresIn"].as_u64() > Some(0));

    let created = server.post("/api/transactions").by(&user).text(TEA).send();
    assert_eq!(created.status, 201);
    let id = created.json()["data"]["id"].clone();
    assert_eq!(
        created.header("location"),
        format!("/api/transactions/{id}")
    );
    let found = server.get(created.header("location")).by(&user).send();
    assert_eq!((found.status, found.json()), (200, created.json()));
    let another = server
        .get(created.header("location"))
        .by(&Person::user("other"))
        .send();
    assert_eq!(another.status, 404, "a transaction is its owner's alone");

    let second = server
        .post("/api/transactions")
        .by(&user)
        .json(&json!({"type": "income", "amount": 1, "description": "later", "date": "2020-02-29"}))
        .send();
    let list = server.get("/api/transactions").by(&user).send().json();
    assert_eq!(
        list["data"],
        json!([second.json()["data"], created.json()["data"]]),
        "newest first, whatever their dates"
    );
    for path in ["/api/dashboard", "/api/reports"] {
        let answer = server.get(path).by(&user).send();
        assert_eq!(
            (
                answer.status,
                answer.json()["data"]["transactionCount"].as_u64()
            ),
            (200, Some(2))
        );
    }
    for path in ["/api/admin/audit-logs", "/api/admin/error-logs"] {
        server.rows(&admin, path);
    }
    assert_eq!(
        server
            .post("/api/admin/alerts/test")
            .by(&admin)
            .send()
            .status,
        202
    );
    assert_eq!(
        server.get("/api/admin/metrics").by(&admin).send().status,
        200
    );
}

fn h3_hostile_targets_headers_and_tokens_break_nothing(server: &Server) {
    let long = "a".repeat(14_000);
    let mut targets: Vec<String> = [
        "/api/%00",
        "/api/%ff%fe",
        "/api/%",
        "/api/%zz",
        "/api/..%2f..%2fetc/passwd",
        "/api/../../x",
        "/api/%3Cscript%3Ealert(1)%3C/script%3E",
        "/api/'%20OR%20'1'='1",
        "/api/%F0%9F%9A%A8",
        "/api/\"",
        "/api/{id}",
        "/api/dashboard?",
        "/api/dashboard?&&==&",
        "/api/dashboard?%",
        "/api/dashboard?%ff=%fe",
        "/api/dashboard?limit",
        "/api/transactions?limit=1%00",
        "/api/transactions?limit[]=1",
        "/api/transactions?limit=%F0%9F%9A%A8",
        "/api/admin/audit-logs?category=%00",
        "/api/admin/audit-logs?category=%ff",
        "/api/admin/audit-logs?user_id='",
        "/api/admin/audit-logs?action=%25&user_id=%5F&category=*",
        "/api/admin/error-logs?level=%F0%9F%9A%A8",
    ]
    .map(str::to_owned)
    .to_vec();
    for path in [
        "/api/",
        "/api/dashboard?x=",
        "/api/admin/audit-logs?user_id=",
        "/api/transactions/",
    ] {
        targets.push(format!("{path}{long}"));
    }
    let admin = Person::admin("hostile");
    for target in &targets {
        // What every answer keeps is looked at for each of them, so also that none is a 5xx.
        server.get(target).by(&admin).send();
    }
    let mut values: Vec<Vec<u8>> = vec![
        Vec::new(),
        b"\xff\xfe\x80".to_vec(),
        "ünïcødé 🚨".into(),
        b"\t".to_vec(),
        b"'; DROP TABLE users; --".to_vec(),
        b"${jndi:ldap://x}".to_vec(),
        b"<script>".to_vec(),
        vec![b'a'; 30_000],
    ];
    values.push(["Bearer ", &long].concat().into());
    for value in &values {
        for name in [
            "Authorization",
            "Accept",
            "Accept-Encoding",
            "Content-Type",
            "Content-Encoding",
            "Cookie",
            "Forwarded",
            "If-Modified-Since",
            "If-None-Match",
            "Origin",
            "Range",
            "Referer",
            "User-Agent",
            "X-Request-Id",
            "X-HTTP-Method-Override",
            "X-Original-URL",
            "CF-Connecting-IP",
            "CF-Ray",
            "CF-Worker",
        ] {
            let person = Person::stranger();
            let asked = server
                .post("/api/auth/login")
                .text("{}")
                .header(name, value);
            let asked = if name == "CF-Connecting-IP" {
                asked
            } else {
                asked.by(&person)
            };
            let status = asked.send().status;
            assert!((400..500).contains(&status), "{name}: {status}");
        }
    }
}

fn h3_what_is_refused_early_is_answered_all_the_same(server: &Server) {
    // workerd resets the connection of an answer that leaves a body unread, and the client loses the answer.
    let body = vec![b' '; 60_000];
    let burst = |what: &str, make: &(dyn Fn(usize) -> Ask<'static> + Sync)| {
        for connection in [100, 5] {
            let burst = Burst::send(server, 100, connection, |number| {
                make(number).text(body.clone())
            });
            assert_eq!(burst.answers.len(), 100, "{what}");
        }
    };
    let stranger = Person::stranger();
    burst("401, then 429", &|_| {
        server.post("/api/transactions").by(&stranger)
    });
    burst("404", &|_| server.post("/api/nothing").by(&stranger));
    burst("405", &|_| server.ask("PUT", "/api/health"));
    burst("login", &|_| server.post("/api/auth/login").by(&stranger));
    let user = Person::user("early");
    burst("403, then 429", &|_| {
        server.post("/api/admin/alerts/test").by(&user)
    });
    burst("400, then 429", &|_| {
        server.post("/api/transactions").by(&user)
    });
    burst("GET with a body", &|_| {
        server.get("/api/dashboard").by(&user)
    });
}

fn h3_a_connection_goes_on_after_a_refusal(server: &Server) {
    let user = Person::user("goes-on");
    let mut connection = server.connect();
    let health =
        |connection: &mut _| assert_eq!(server.get("/api/health").on(connection).status, 200);
    for refused in [
        server
            .post("/api/transactions")
            .by(&user)
            .text(vec![b'a'; 70_000]),
        server
            .post("/api/transactions")
            .by(&user)
            .text(vec![b'a'; 70_000])
            .in_chunks(9_000),
        server.post("/api/transactions").by(&user).bytes("x"),
        server
            .post("/api/transactions")
            .by(&Person::stranger())
            .text(TEA),
        server
            .ask("DELETE", "/api/transactions")
            .by(&user)
            .text(TEA),
        server.get("/api/nothing").text(TEA),
    ] {
        assert!(refused.on(&mut connection).status >= 400);
        health(&mut connection);
    }
    let mut denied = 0;
    for _ in 0..60 {
        let answer = server
            .post("/api/transactions")
            .by(&user)
            .text(TEA)
            .on(&mut connection);
        denied += usize::from(answer.status == 429);
        if answer.status == 429 {
            health(&mut connection);
        }
    }
    assert!(denied >= 10, "{denied}");
}

fn h3_requests_in_one_packet_are_answered_in_turn(server: &Server) {
    let mut connection = server.connect();
    connection.send(
        b"GET /api/health HTTP/1.1\r\nHost: x\r\n\r\nGET /api/nothing HTTP/1.1\r\nHost: x\r\n\r\n",
    );
    assert_eq!(connection.answer().status, 200);
    assert_eq!(connection.answer().status, 404);
}

fn h3_what_is_not_http_is_refused_and_the_next_client_is_served(server: &Server) {
    for bytes in [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc".as_slice(),
        b"GET /api/health\r\n\r\n",
        b"GET /api/<script> HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /api/\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET api/health HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /api/health HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET /api/health HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET /api/health HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n",
        b"GET /api/health HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n",
        b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n12345",
        b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}\r\n",
    ] {
        let mut connection = server.connect();
        connection.send_if_open(bytes);
        connection.finish();
        if let Some(answer) = connection.try_answer() {
            assert!((400..500).contains(&answer.status), "{:?}: {}", String::from_utf8_lossy(bytes), answer.status);
        }
        assert_eq!(server.get("/api/health").send().status, 200);
    }
}

fn h4_limit_is_1_to_100_and_other_parameters_are_ignored(server: &Server) {
    let user = Person::user("limit");
    for _ in 0..3 {
        let created = server.post("/api/transactions").by(&user).text(TEA).send();
        assert_eq!(created.status, 201);
    }
    let rows = |target: &str| server.rows(&user, target).len();
    assert_eq!(rows("/api/transactions?limit=1"), 1);
    assert_eq!(
        rows("/api/transactions?limit=2&offset=1&page=9&sort=id&limit_=1"),
        2
    );
    assert_eq!(rows("/api/transactions?LIMIT=1&user_id=user-demo"), 3);
    let admin = Person::admin("limit");
    for path in [
        "/api/transactions",
        "/api/admin/audit-logs",
        "/api/admin/error-logs",
    ] {
        for wrong in [
            "0",
            "101",
            "-1",
            "1e1",
            "1.0",
            "ten",
            "",
            "%201",
            "99999999999999999999",
            "NaN",
            "0x10",
            "1;2",
        ] {
            let target = format!("{path}?limit={wrong}");
            let answer = server.get(&target).by(&admin).send();
            let refused = [400, 422].contains(&answer.status);
            let clamped = answer.status == 200
                && answer.json()["data"]
                    .as_array()
                    .is_some_and(|rows| rows.len() <= 100);
            assert!(refused || clamped, "{target}: {}", answer.status);
        }
    }
}

on_every_arm!(
    h1_a_method_that_hardly_anybody_knows_is_no_get,
    h1_a_path_that_is_not_named_is_not_found,
    h1_another_method_is_405_and_told_which_ones_are_served,
    h2_each_success_has_the_form_that_is_promised,
    h3_a_connection_goes_on_after_a_refusal,
    h3_hostile_targets_headers_and_tokens_break_nothing,
    h3_requests_in_one_packet_are_answered_in_turn,
    h3_what_is_not_http_is_refused_and_the_next_client_is_served,
    h3_what_is_refused_early_is_answered_all_the_same,
    h4_limit_is_1_to_100_and_other_parameters_are_ignored,
);

//! Section 3: tokens and logins.

use crate::clock::{unix_seconds, within};
use crate::person::{Person, unique};
use crate::server::Server;
use crate::settings::jwt_secret;
use crate::token::{base64url, claims, header, signed, valid, with_claim, without_claim};
use base64::Engine as _;
use serde_json::{Value, json};
use std::time::Duration;

const ADMIN: [(&str, &str); 4] = [
    ("GET", "/api/admin/audit-logs"),
    ("GET", "/api/admin/error-logs"),
    ("POST", "/api/admin/alerts/test"),
    ("GET", "/api/admin/metrics"),
];

/// The status that an `Authorization` header gets.
fn status(server: &Server, authorization: &str) -> u16 {
    let asked = server.get("/api/transactions").by(&Person::stranger());
    asked.header("Authorization", authorization).send().status
}

fn a1_the_scheme_is_bearer_in_any_case(server: &Server) {
    let token = valid(&unique("scheme"), "user");
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        assert_eq!(
            status(server, &format!("{scheme} {token}")),
            200,
            "{scheme}"
        );
    }
    for wrong in [
        token.clone(),
        format!("Basic {token}"),
        format!("Token {token}"),
        format!("Bearer{token}"),
        format!("Bearer: {token}"),
        format!("Bearer \"{token}\""),
        format!("Bearer {token} {token}"),
        format!("Bearer {token}, Bearer {token}"),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
    ] {
        assert_eq!(status(server, &wrong), 401, "{wrong}");
    }
}

fn a1_a_token_counts_nowhere_else(server: &Server) {
    let token = valid(&unique("elsewhere"), "admin");
    let bearer = format!("Bearer {token}");
    for (name, value) in [
        (
            "Cookie",
            format!("token={token}; Authorization={token}; session={token}"),
        ),
        ("X-Authorization", bearer.clone()),
        ("X-Access-Token", token.clone()),
        ("X-Auth-Token", token.clone()),
        ("Proxy-Authorization", bearer.clone()),
        ("X-Forwarded-Authorization", bearer.clone()),
        ("X-User-Id", "user-demo".to_owned()),
        ("X-Role", "admin".to_owned()),
    ] {
        let answer = server
            .get("/api/dashboard")
            .by(&Person::stranger())
            .header(name, value)
            .send();
        assert_eq!(answer.status, 401, "{name}");
    }
    for name in ["token", "access_token", "authorization", "jwt"] {
        let target = format!("/api/dashboard?{name}={token}");
        assert_eq!(
            server.get(&target).by(&Person::stranger()).send().status,
            401,
            "{name}"
        );
    }
    let two = server
        .get("/api/dashboard")
        .by(&Person::user("two-headers"))
        .header("Authorization", &bearer)
        .send();
    assert_eq!(two.status, 401, "two Authorization headers");
}

fn a2_what_is_no_token_of_ours_is_401(server: &Server) {
    let id = unique("wrong");
    let (secret, now) = (jwt_secret(), unix_seconds());
    let right = valid(&id, "user");
    let parts: Vec<&str> = right.split('.').collect();
    let [head, body, signature] = parts[..] else {
        panic!("{right}")
    };
    let with_header = |header: Value| signed(&header, &claims(&id, "admin"), &secret);
    let mut flipped = signature.to_owned();
    flipped.replace_range(..1, if signature.starts_with('A') { "B" } else { "A" });
    let unsigned = |algorithm: &str| {
        let head = base64url(json!({"alg": algorithm, "typ": "JWT"}).to_string());
        [
            format!("{head}.{body}."),
            format!("{head}.{body}"),
            format!("{head}.{body}.{signature}"),
        ]
    };
    let mut wrong = vec![
        (
            "another secret".to_owned(),
            signed(
                &header(),
                &claims(&id, "user"),
                "another secret of 32 bytes or more",
            ),
        ),
        (
            "an empty secret".to_owned(),
            signed(&header(), &claims(&id, "user"), ""),
        ),
        (
            "other claims".to_owned(),
            format!(
                "{head}.{}.{signature}",
                base64url(claims(&id, "admin").to_string())
            ),
        ),
        (
            "a flipped signature".to_owned(),
            format!("{head}.{body}.{flipped}"),
        ),
        (
            "half a signature".to_owned(),
            format!("{head}.{body}.{}", &signature[..20]),
        ),
        ("no signature".to_owned(), format!("{head}.{body}.")),
        ("two parts".to_owned(), format!("{head}.{body}")),
        ("four parts".to_owned(), format!("{right}.{signature}")),
        ("no base64".to_owned(), format!("{head}.{body}.!!!")),
        ("padding".to_owned(), format!("{right}=")),
        ("dots".to_owned(), "..".to_owned()),
        ("expired".to_owned(), with_claim(&id, "exp", json!(now - 1))),
        (
            "expired long ago".to_owned(),
            with_claim(&id, "exp", json!(0)),
        ),
        ("before 1970".to_owned(), with_claim(&id, "exp", json!(-1))),
        (
            "exp as text".to_owned(),
            with_claim(&id, "exp", json!((now + 3_600).to_string())),
        ),
        ("exp null".to_owned(), with_claim(&id, "exp", Value::Null)),
        ("no exp".to_owned(), without_claim(&id, "exp")),
        (
            "not yet".to_owned(),
            with_claim(&id, "nbf", json!(now + 600)),
        ),
        ("no sub".to_owned(), without_claim(&id, "sub")),
        ("an empty sub".to_owned(), with_claim(&id, "sub", json!(""))),
        (
            "sub as a number".to_owned(),
            with_claim(&id, "sub", json!(7)),
        ),
        ("no role".to_owned(), without_claim(&id, "role")),
        (
            "role as a list".to_owned(),
            with_claim(&id, "role", json!(["admin"])),
        ),
        (
            "HS512".to_owned(),
            with_header(json!({"alg": "HS512", "typ": "JWT"})),
        ),
        (
            "RS256".to_owned(),
            with_header(json!({"alg": "RS256", "typ": "JWT"})),
        ),
        ("no alg".to_owned(), with_header(json!({"typ": "JWT"}))),
        (
            "crit".to_owned(),
            with_header(json!({"alg": "HS256", "crit": ["exp"]})),
        ),
        (
            "claims that are a list".to_owned(),
            signed(&header(), &json!([1]), &secret),
        ),
        (
            "claims that are a word".to_owned(),
            signed(&header(), &json!("admin"), &secret),
        ),
        ("long".to_owned(), "a.".repeat(10_000)),
    ];
    for algorithm in ["none", "None", "NONE", "nOnE", ""] {
        wrong.extend(unsigned(algorithm).map(|token| (format!("alg {algorithm:?}"), token)));
    }
    for (what, token) in wrong {
        let answer = server
            .get("/api/transactions")
            .by(&Person::stranger().with_token(&token))
            .send();
        assert_eq!(answer.status, 401, "{what}: {token}");
        assert!(
            !answer.text().contains(&token),
            "{what}: a token is not repeated"
        );
    }
    assert_eq!(status(server, &format!("Bearer {right}")), 200);
    let past = with_claim(&id, "nbf", json!(now - 5));
    assert_eq!(
        status(server, &format!("Bearer {past}")),
        200,
        "nbf has passed"
    );
}

fn a2_who_is_no_administrator_gets_403(server: &Server) {
    for role in [
        "user",
        "Admin",
        "ADMIN",
        "admin ",
        "administrator",
        "root",
        "",
    ] {
        let person = Person::named(&unique("role"), role);
        for (method, path) in ADMIN {
            assert_eq!(
                server.ask(method, path).by(&person).send().status,
                403,
                "{role:?} {path}"
            );
        }
    }
    for (method, path) in ADMIN {
        assert_eq!(
            server
                .ask(method, path)
                .by(&Person::stranger())
                .send()
                .status,
            401,
            "{path}"
        );
        let status = server
            .ask(method, path)
            .by(&Person::admin("role"))
            .send()
            .status;
        assert!((200..300).contains(&status), "{path}: {status}");
    }
}

fn a3_a_login_gives_a_token_that_works(server: &Server) {
    for (name, password, admitted) in [
        ("demo", "demo-pass-9137", 403),
        ("admin", "admin-pass-4821", 200),
    ] {
        let answer = server.login(&Person::stranger(), name, password).send();
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        let (token, seconds) = (
            answer.json()["token"].clone(),
            answer.json()["expiresIn"].as_u64(),
        );
        let token = token.as_str().expect("a token");
        let person = Person::stranger().with_token(token);
        assert_eq!(
            server.get("/api/dashboard").by(&person).send().status,
            200,
            "{name}"
        );
        assert_eq!(
            server
                .get("/api/admin/error-logs")
                .by(&person)
                .send()
                .status,
            admitted,
            "{name}"
        );
        let claims = token.split('.').nth(1).expect("three parts");
        let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(claims)
            .expect("base64url");
        let claims: Value = serde_json::from_slice(&claims).expect("JSON");
        let expires = claims["exp"].as_u64().expect("exp");
        let expected = unix_seconds() + seconds.expect("expiresIn");
        assert!(expires <= expected && expires + 30 >= expected, "{claims}");
        assert!(!claims.to_string().contains("pass"), "{claims}");
    }
}

fn a3_an_unknown_user_and_a_wrong_password_look_the_same(server: &Server) {
    let mut bodies = Vec::new();
    for (name, password) in [
        ("demo", "wrong"),
        ("nobody", "wrong"),
        ("nobody", "demo-pass-9137"),
        ("demo", "demo-pass-9137 "),
        ("demo", "DEMO-PASS-9137"),
        ("Demo", "demo-pass-9137"),
        ("demo ", "demo-pass-9137"),
        ("' OR '1'='1", "' OR '1'='1"),
        ("demo' --", "x"),
        ("user-demo", "demo-pass-9137"),
    ] {
        let answer = server.login(&Person::stranger(), name, password).send();
        assert_eq!(answer.status, 401, "{name} {password}");
        let mut body = answer.json();
        body["requestId"] = Value::Null;
        let mut headers = answer.headers.clone();
        for own in ["x-request-id", "date"] {
            headers.remove(own);
        }
        bodies.push((body, headers));
    }
    assert!(
        bodies.windows(2).all(|pair| pair[0] == pair[1]),
        "{bodies:?}"
    );
}

fn a3_passwords_and_tokens_are_stored_and_sent_nowhere(server: &Server) {
    let (from, admin) = (Person::stranger(), Person::admin("planted"));
    let (password, name) = (unique("planted-password"), unique("planted-name"));
    for _ in 0..8 {
        // The last ones are denied, which makes an alert.
        server.login(&from, &name, &password).send();
        server.login(&from, "demo", &password).send();
    }
    let forged = format!("{}.{}", unique("planted-token"), "a.b");
    let answer = server
        .get("/api/dashboard")
        .by(&Person::stranger().with_token(&forged))
        .send();
    assert_eq!(answer.status, 401);
    let alerts = within(
        Duration::from_secs(10),
        "an alert of the denied logins",
        || {
            let alerts = server.inbox.from(&from.address);
            (!alerts.is_empty()).then_some(alerts)
        },
    );
    assert_eq!(alerts[0].body["details"]["policy"], "auth");
    let rows = within(
        Duration::from_secs(5),
        "an audit row of the failed logins",
        || {
            let rows = server.rows(&admin, "/api/admin/audit-logs?category=auth&limit=100");
            rows.iter()
                .any(|row| row["metadata"]["address"] == from.address)
                .then_some(rows)
        },
    );
    let errors = server.rows(&admin, "/api/admin/error-logs?limit=100");
    let security = server.rows(&admin, "/api/admin/audit-logs?category=security&limit=100");
    let kept = format!("{rows:?} {errors:?} {security:?} {}", server.inbox.text());
    let token = admin.token.expect("an administrator has one");
    for secret in [&password, &name, &forged, &token, &jwt_secret()] {
        assert!(!kept.contains(secret.as_str()), "{secret} was kept or sent");
    }
}

on_every_arm!(
    a1_a_token_counts_nowhere_else,
    a1_the_scheme_is_bearer_in_any_case,
    a2_what_is_no_token_of_ours_is_401,
    a2_who_is_no_administrator_gets_403,
    a3_a_login_gives_a_token_that_works,
    a3_an_unknown_user_and_a_wrong_password_look_the_same,
    a3_passwords_and_tokens_are_stored_and_sent_nowhere,
);

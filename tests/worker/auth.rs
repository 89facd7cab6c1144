//! Who is let in: tokens that are valid, roles that suffice, and the login that gives tokens out.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use edgeproof_sim::http::Response;
use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use sha2::{Sha256, Sha512};
use support::production::*;

/// A token made by hand.
fn jwt(header: &Value, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let signed = [
        encode(header.to_string().as_bytes()),
        encode(claims.to_string().as_bytes()),
    ]
    .join(".");
    let signature = encode(&sign(signed.as_bytes()));
    [signed, signature].join(".")
}

fn hs256(key: &str) -> impl Fn(&[u8]) -> Vec<u8> {
    move |signed| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("any length");
        mac.update(signed);
        mac.finalize().into_bytes().to_vec()
    }
}

/// Signed with the Worker's own secret.
fn signed(claims: &Value) -> String {
    jwt(
        &json!({"alg": "HS256", "typ": "JWT"}),
        claims,
        hs256(JWT_SECRET),
    )
}

fn claims() -> Value {
    json!({"sub": "user-1", "role": "user", "exp": START_SECONDS + 3_600})
}

/// The claims with one of them changed.
fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().expect("an object").remove(name);
    claims
}

/// Sends a GET with this `Authorization`, at a world of its own.
fn ask(path: &str, authorization: Option<&str>) -> Response {
    world().run(async |world| {
        let client = world.client("MEX");
        let request = client.get(path);
        match authorization {
            Some(value) => request.header("authorization", value).send().await,
            None => request.send().await,
        }
    })
}

fn ask_with(token: &str) -> Response {
    ask(TRANSACTIONS, Some(&format!("Bearer {token}")))
}

#[test]
fn a_valid_token_is_let_in_however_it_is_made() {
    for token in [
        token("user-1"),
        signed(&claims()),
        signed(&with("nbf", json!(START_SECONDS - 1))),
        signed(&with("exp", json!(START_SECONDS as f64 + 60.5))),
        signed(&with("extra", json!({"a": [1, 2]}))),
        jwt(&json!({"alg": "HS256"}), &claims(), hs256(JWT_SECRET)),
    ] {
        assert_eq!(ask_with(&token).status, 200, "{token}");
    }
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        assert_eq!(
            ask(TRANSACTIONS, Some(&format!("{scheme} {}", token("user-1")))).status,
            200,
            "{scheme}"
        );
    }
}

#[test]
fn an_invalid_token_is_401_with_a_challenge() {
    let hs512 = |signed: &[u8]| {
        let mut mac = Hmac::<Sha512>::new_from_slice(JWT_SECRET.as_bytes()).expect("any length");
        mac.update(signed);
        mac.finalize().into_bytes().to_vec()
    };
    let valid = token("user-1");
    let (signed_part, signature) = valid.rsplit_once('.').expect("three parts");
    let (header, _) = signed_part.split_once('.').expect("three parts");
    let admin = signed(&with("role", json!("admin")));
    let admin_claims = admin.split('.').nth(1).expect("three parts");
    let cases = [
        ("expired", signed(&with("exp", json!(START_SECONDS - 1)))),
        (
            "expired just now",
            signed(&with("exp", json!(START_SECONDS))),
        ),
        (
            "not valid yet",
            signed(&with("nbf", json!(START_SECONDS + 60))),
        ),
        (
            "of another key",
            jwt(
                &json!({"alg": "HS256"}),
                &claims(),
                hs256("another secret of 32 bytes or more"),
            ),
        ),
        (
            "of an empty key",
            jwt(&json!({"alg": "HS256"}), &claims(), hs256("")),
        ),
        (
            "alg none",
            jwt(&json!({"alg": "none"}), &claims(), |_| Vec::new()),
        ),
        (
            "alg None",
            jwt(&json!({"alg": "None"}), &claims(), |_| Vec::new()),
        ),
        (
            "alg none, signed",
            jwt(&json!({"alg": "none"}), &claims(), hs256(JWT_SECRET)),
        ),
        ("alg HS512", jwt(&json!({"alg": "HS512"}), &claims(), hs512)),
        (
            "alg RS256 with our own key",
            jwt(&json!({"alg": "RS256"}), &claims(), hs256(JWT_SECRET)),
        ),
        (
            "other claims under an old signature",
            format!("{header}.{admin_claims}.{signature}"),
        ),
        ("no signature", format!("{signed_part}.")),
        ("two parts", signed_part.to_owned()),
        ("four parts", format!("{valid}.{signature}")),
        ("a longer signature", format!("{valid}AA")),
        ("padded", format!("{valid}=")),
        ("no subject", signed(&without("sub"))),
        ("an empty subject", signed(&with("sub", json!("")))),
        ("a subject that is no text", signed(&with("sub", json!(1)))),
        ("no end", signed(&without("exp"))),
        (
            "an end that is no number",
            signed(&with("exp", json!("9999999999"))),
        ),
        ("no role", signed(&without("role"))),
        (
            "claims that are a list",
            signed(&json!(["user-1", "user", 9_999_999_999u64])),
        ),
        ("nonsense", "abc".to_owned()),
        ("a megabyte", "a.".repeat(30_000)),
    ];
    for (name, token) in cases {
        let answer = ask_with(&token);
        assert_eq!(answer.status, 401, "{name}");
        let challenge = answer.header("www-authenticate").unwrap_or_default();
        assert!(
            challenge.starts_with("Bearer ") && challenge.contains("invalid_token"),
            "{name}: {challenge}"
        );
        assert_eq!(json_of(&answer)["status"], 401, "{name}");
    }
}

#[test]
fn a_token_is_read_from_the_authorization_header_alone() {
    let token = token("user-1");
    for authorization in [
        None,
        Some(""),
        Some("Bearer"),
        Some("Bearer "),
        Some(token.as_str()),
        Some("Basic dXNlcjpwYXNz"),
    ] {
        let answer = ask(TRANSACTIONS, authorization);
        assert_eq!(answer.status, 401, "{authorization:?}");
        let challenge = answer.header("www-authenticate").unwrap_or_default();
        assert!(
            challenge.starts_with("Bearer ") && !challenge.contains("error="),
            "no token was given: {challenge}"
        );
    }
    world().run(async |world| {
        let client = world.client("MEX");
        for request in [
            client.get(&format!(
                "/api/transactions?token={token}&access_token={token}"
            )),
            client.get(TRANSACTIONS).header(
                "cookie",
                &format!("token={token}; Authorization=Bearer {token}"),
            ),
            client
                .get(TRANSACTIONS)
                .header("x-auth-token", &token)
                .header("x-api-key", &token),
            client
                .get(TRANSACTIONS)
                .header("proxy-authorization", &format!("Bearer {token}")),
            client
                .get(TRANSACTIONS)
                .bearer(&token)
                .header("authorization", "Bearer abc"),
        ] {
            assert_eq!(request.send().await.status, 401);
        }
    });
}

#[test]
fn a_token_ends_when_it_says() {
    world().run(async |world| {
        let client = world.client("MEX");
        let token = signed(&with("exp", json!(START_SECONDS + 10)));
        let ask = || client.get(TRANSACTIONS).bearer(&token).send();
        assert_eq!(ask().await.status, 200);
        sleep(world, 9.0).await;
        assert_eq!(ask().await.status, 200);
        sleep(world, 1.0).await;
        assert_eq!(ask().await.status, 401);
    });
}

#[test]
fn administration_is_for_administrators() {
    let pages = [
        "/api/admin/audit-logs",
        "/api/admin/error-logs",
        "/api/admin/metrics",
    ];
    for path in pages {
        assert_eq!(ask(path, None).status, 401, "{path}");
        for role in [
            "user",
            "Admin",
            "ADMIN",
            "admin ",
            "administrator",
            "root",
            "",
        ] {
            let answer = ask(path, Some(&format!("Bearer {}", token_of("user-1", role))));
            assert_eq!(answer.status, 403, "{path} as {role:?}");
            assert_eq!(json_of(&answer)["status"], 403);
        }
        assert_eq!(
            ask(
                path,
                Some(&format!("Bearer {}", token_of("user-1", "admin")))
            )
            .status,
            200,
            "{path}"
        );
    }
}

#[test]
fn the_demo_user_logs_in_and_the_token_is_usable() {
    world().run(async |world| {
        let client = world.client("MEX");
        let answer = client.send(login(&client, "demo", "demo-pass-9137")).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let body = json_of(&answer);
        assert_eq!(body["tokenType"], "Bearer");
        let lifetime = body["expiresIn"].as_f64().expect("seconds");
        let token = body["token"].as_str().expect("a token").to_owned();
        let create = || {
            client
                .post(TRANSACTIONS)
                .bearer(&token)
                .json(&transaction())
                .send()
        };
        assert_eq!(create().await.status, 201);
        assert_eq!(
            client
                .get("/api/admin/audit-logs")
                .bearer(&token)
                .send()
                .await
                .status,
            403
        );
        sleep(world, lifetime - 5.0).await;
        assert_eq!(create().await.status, 201);
        sleep(world, 5.0).await;
        assert_eq!(create().await.status, 401);
        assert_eq!(rows_in(world, "transactions", "user_id = 'user-demo'"), 2);
    });
}

#[test]
fn the_administrator_logs_in_as_one() {
    world().run(async |world| {
        let client = world.client("MEX");
        let body = json_of(
            &client
                .send(login(&client, "admin", "admin-pass-4821"))
                .await,
        );
        let token = body["token"].as_str().expect("a token");
        assert_eq!(
            client
                .get("/api/admin/audit-logs")
                .bearer(token)
                .send()
                .await
                .status,
            200
        );
    });
}

#[test]
fn an_unknown_user_and_a_wrong_password_get_the_same_answer() {
    let bodies = [
        ("demo", "demo-pass-9138"),
        ("nobody", "demo-pass-9137"),
        ("Demo", "demo-pass-9137"),
        ("demo' --", "demo-pass-9137"),
        ("user-demo", "demo-pass-9137"),
    ]
    .map(|(username, password)| {
        let answer = world().run(async |world| {
            let client = world.client("MEX");
            client.send(login(&client, username, password)).await
        });
        assert_eq!(answer.status, 401, "{username}");
        assert!(
            answer
                .header("www-authenticate")
                .is_some_and(|challenge| challenge.starts_with("Bearer "))
        );
        let mut body = json_of(&answer);
        assert!(body["requestId"].take().is_string());
        body
    });
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
}

#[test]
fn a_login_that_is_no_pair_of_texts_is_refused_and_never_fails() {
    world().run(async |world| {
        for (body, status) in [
            (json!({}), 422),
            (json!({"username": "demo"}), 422),
            (json!({"username": 1, "password": 2}), 422),
            (json!([]), 422),
            (json!("demo"), 422),
            (
                json!({"username": {"$ne": ""}, "password": {"$ne": ""}}),
                422,
            ),
            (json!({"username": "", "password": ""}), 422),
            (
                json!({"username": "demo", "password": "x".repeat(60_000)}),
                422,
            ),
        ] {
            // Each from an address of its own: five are all that one may send.
            let client = world.client("MEX");
            let answer = client.post(LOGIN).json(&body).send().await;
            assert_eq!(answer.status, status, "{body:.80}");
        }
    });
}

#[test]
fn a_user_sees_only_their_own_transactions() {
    world().run(async |world| {
        let client = world.client("MEX");
        let created = client.send(post(&client, "user-1")).await;
        let location = created.header("location").expect("a Location").to_owned();
        let read = async |user: &str, path: &str| client.send(get(&client, user, path)).await;
        assert_eq!(read("user-1", &location).await.status, 200);
        assert_eq!(read("user-2", &location).await.status, 404);
        assert_eq!(
            json_of(&read("user-2", TRANSACTIONS).await)["data"],
            json!([])
        );
        assert_eq!(
            json_of(&read("user-2", "/api/transactions?user_id=user-1").await)["data"],
            json!([])
        );
        // Whose a transaction is comes from the token alone.
        let mut body = transaction();
        body["user_id"] = json!("user-1");
        body["userId"] = json!("user-1");
        body["id"] = json!(1);
        let stored = client
            .post(TRANSACTIONS)
            .bearer(&token("user-2"))
            .json(&body)
            .send()
            .await;
        assert_eq!(stored.status, 201);
        assert_eq!(
            rows(
                world,
                "SELECT user_id, count(*) FROM transactions GROUP BY 1"
            ),
            [["user-1", "1"], ["user-2", "1"]]
        );
    });
}

//! Secrets are planted wherever a client or the Worker's configuration can hold one, and looked for wherever the Worker stores or
//! prints something: tables, KV, objects, the console, alerts, answers.
//!
//! The user's own data, such as a transaction's description, is stored as it came; it is not a secret.

use edgeproof_sim::World;
use edgeproof_sim::fault::{FaultKind, KvOperation};
use edgeproof_sim::history::Op;
use edgeproof_sim::http::{Request, Response};
use edgeproof_sim::platform::outbound::Origin;
use edgeproof_sim::world::client::Client;
use edgeproof_worker::core::jwt;
use serde_json::{Value, json};
use support::production::*;

/// What every planted secret begins with; each goes on with a number of its own.
const PLANTED: &str = "planted-";

const SIGNING: &str = "cGxhbnRlZC1zaWduaW5nLXNlY3JldA";

/// The most talkative Worker with secrets in its own configuration, and quotas that every kind of request exceeds at once.
fn planted_world() -> World {
    production(&["MEX"])
        .secret(
            "SECURITY_ALERT_WEBHOOK",
            "https://planted-80:planted-81@hooks.example/planted-82?key=planted-83#planted-84",
        )
        .secret(
            "ERROR_ALERT_WEBHOOK",
            "https://down.example/planted-85?key=planted-86",
        )
        .secret("WEBHOOK_SECRET", &format!("whsec_{SIGNING}=="))
        .var("ENABLE_DEBUG_LOGS", "true")
        .var("RATE_LIMIT_REQUESTS_PER_MINUTE", "2")
        .var("RATE_LIMIT_AUTH_REQUESTS", "2")
        .var("RATE_LIMIT_WRITE_REQUESTS", "2")
        .var("ALERT_DEDUPE_SECONDS", "1")
        .origin("hooks.example", Origin::new())
        .origin("down.example", Origin::new().status(500))
        .build()
        .expect("builds")
}

/// A token that the Worker takes for a user of its own, and one that was good an hour ago.
fn tokens(user: &str) -> [String; 2] {
    let old = jwt::mint(JWT_SECRET, user, "user", START_SECONDS - 7_200, 3_600);
    [token(user), old]
}

/// One request for each way of putting a secret where it does not belong, from this client.
fn plants(client: &Client, user: &str) -> Vec<Request> {
    let [good, old] = tokens(user);
    let text = |body: &str| {
        client
            .post(LOGIN)
            .header("content-type", "application/json")
            .body(body.to_owned())
            .build()
    };
    let login = |body: Value| client.post(LOGIN).json(&body).build();
    let with = |name: &str, value: &str| client.get(TRANSACTIONS).header(name, value).build();
    let signed_in = |path: &str| client.get(path).bearer(&good).build();
    let mut extended = transaction();
    extended["token"] = "planted-35".into();
    extended["password"] = "planted-36".into();
    vec![
        // Bodies of logins, by the names of fields that people use.
        login(json!({"user": "demo", "pwd": "planted-01"})),
        login(json!({"username": "demo", "password": {"value": "planted-02"}})),
        login(json!({"credentials": {"username": "demo", "password": "planted-03"}})),
        login(json!(["planted-04"])),
        client
            .post(LOGIN)
            .header("content-type", "application/x-www-form-urlencoded")
            .body("username=demo&password=planted-05")
            .build(),
        text("{\"username\":\"demo\",\"password\":\"planted-06\""),
        login(json!({"username": "planted-07", "password": "planted-08"})),
        login(json!({"username": "demo", "password": "planted-09"})),
        text(
            "{\"username\":\"demo\",\"password\":\"planted-10\",\"password\":\"planted-11\",\"passphrase\":\"planted-12\"}",
        ),
        login(json!({"username": "demo", "password": "demo-pass-9137", "otp": "planted-13"})),
        login(json!({"username": "demo", "password": "planted-14".repeat(10_000)})),
        // Query strings and paths.
        client
            .get(&format!(
                "/api/transactions?token=planted-20&access_token={good}"
            ))
            .build(),
        signed_in("/api/transactions?limit=planted-21"),
        signed_in("/api/reset/planted-22"),
        client.get("/api/transactions/planted-23").build(),
        client.get(&format!("/api/{good}")).build(),
        // Headers.
        with("user-agent", "planted-24"),
        with("referer", "https://app.example/?token=planted-25"),
        with("cookie", "session=planted-26"),
        with("x-api-key", "planted-27"),
        with("origin", "https://planted-28.example"),
        with("x-request-id", "planted-29 is no id"),
        // Tokens that are none, or none any more.
        with("authorization", "Basic planted-30"),
        with("authorization", "Bearer planted-31"),
        with("authorization", &format!("Bearer {good}planted-32")),
        with("authorization", "planted-33"),
        with("authorization", &format!("Bearer {good} planted-34")),
        with("authorization", &format!("Bearer {old}")),
        // Beside and instead of a transaction, and in a filter.
        client
            .post(TRANSACTIONS)
            .bearer(&good)
            .json(&extended)
            .build(),
        client
            .post(TRANSACTIONS)
            .bearer(&good)
            .json(&json!({"username": "demo", "password": "planted-37", "type": "planted-38"}))
            .build(),
        client
            .get("/api/admin/audit-logs?user_id=planted-39&token=planted-40")
            .bearer(&token_of(user, "admin"))
            .build(),
    ]
}

/// How many there are.
fn kinds(world: &World) -> usize {
    plants(&world.client("MEX"), "user-0").len()
}

/// Sends each kind four times, from an address and as a user of its own: the last two are denied, and alerts say so.
async fn sow(world: &World, round: usize) -> Vec<Response> {
    let mut answers = Vec::new();
    for kind in 0..kinds(world) {
        let client = world.client("MEX");
        let user = format!("user-{round}-{kind}");
        for _ in 0..4 {
            let request = plants(&client, &user).swap_remove(kind);
            answers.push(client.send(request).await);
        }
    }
    answers
}

/// What administrators and everybody may read.
async fn reports(world: &World) -> Vec<Response> {
    let mut answers = Vec::new();
    for (number, path) in [
        HEALTH,
        "/api/admin/metrics",
        "/api/admin/audit-logs?limit=100",
        "/api/admin/error-logs?limit=100",
    ]
    .into_iter()
    .enumerate()
    {
        let admin = token_of(&format!("admin-{number}"), "admin");
        let answer = world.client("MEX").get(path).bearer(&admin).send().await;
        assert_eq!(answer.status, 200, "{path}");
        answers.push(answer);
    }
    answers
}

/// Everything that KV and objects hold, also where a file holds it as base64.
fn stored(world: &World) -> String {
    use base64::Engine as _;
    fn walk(value: &Value, text: &mut String) {
        match value {
            Value::String(string) => {
                text.push_str(string);
                text.push('\n');
                if let Ok(bytes) = base64::engine::general_purpose::STANDARD.decode(string) {
                    text.push_str(&String::from_utf8_lossy(&bytes));
                    text.push('\n');
                }
            }
            Value::Array(values) => values.iter().for_each(|value| walk(value, text)),
            Value::Object(members) => {
                for (name, value) in members {
                    text.push_str(name);
                    text.push('\n');
                    walk(value, text);
                }
            }
            other => text.push_str(&other.to_string()),
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    world
        .account()
        .save(folder.path())
        .expect("the state is written");
    let state = std::fs::read(folder.path().join("state.json")).expect("it is there");
    let mut text = String::new();
    walk(
        &serde_json::from_slice(&state).expect("it is JSON"),
        &mut text,
    );
    text
}

fn spoken(answers: &[Response]) -> String {
    let one = |answer: &Response| {
        format!(
            "{:?} {}\n",
            answer.headers,
            String::from_utf8_lossy(&answer.body)
        )
    };
    answers.iter().map(one).collect()
}

/// Every place in which something may be found, with what must be there if it was read at all.
fn places(world: &World, answers: &[Response]) -> Vec<(&'static str, &'static str, String)> {
    let console: String = records(world, |op| matches!(op, Op::Console { .. }))
        .iter()
        .map(|record| match &record.op {
            Op::Console { level, text } => format!("console.{level}: {text}\n"),
            other => unreachable!("only lines of the console were picked, not {other:?}"),
        })
        .collect();
    let alerts: String = ["hooks.example", "down.example"]
        .into_iter()
        .flat_map(|host| world.received(host))
        .map(|received| {
            format!(
                "{:?} {}\n",
                received.request.headers,
                String::from_utf8_lossy(&received.request.body)
            )
        })
        .collect();
    vec![
        ("the database", "login_failure", all_tables(world)),
        ("KV and objects", "sliding-log", stored(world)),
        ("the console", "console.", console),
        ("the alerts", "Security Alert", alerts),
        ("the answers", "quota-exceeded", spoken(answers)),
    ]
}

/// Panics if a secret stands where it must not.
fn nothing_planted(world: &World, answers: &[Response]) {
    // Answers to right logins hold a token, which is what they are for.
    let issued: Vec<String> = answers
        .iter()
        .filter(|answer| answer.status == 200 && answer.json::<Value>().is_ok())
        .filter_map(|answer| json_of(answer)["token"].as_str().map(str::to_owned))
        .collect();
    assert!(!issued.is_empty(), "a login was right");
    let others: Vec<Response> = answers
        .iter()
        .filter(|answer| {
            !issued
                .iter()
                .any(|token| String::from_utf8_lossy(&answer.body).contains(token))
        })
        .cloned()
        .collect();
    let signature = |token: &str| token.rsplit('.').next().unwrap_or_default().to_owned();
    let mut secrets = vec![
        PLANTED.to_owned(),
        "demo-pass-9137".to_owned(),
        JWT_SECRET.to_owned(),
        SIGNING.to_owned(),
        "planted-signing-secret".to_owned(),
        "Bearer ey".to_owned(),
    ];
    let users = (0..4).flat_map(|round| (0..40).map(move |kind| format!("user-{round}-{kind}")));
    secrets.extend(
        users
            .flat_map(|user| tokens(&user))
            .map(|token| signature(&token)),
    );
    secrets.extend(issued.iter().map(|token| signature(token)));
    for (place, sign, text) in places(world, &others) {
        assert!(text.contains(sign), "{place} was read: {text:.200}");
        for secret in &secrets {
            let line = text.lines().find(|line| line.contains(secret.as_str()));
            assert!(line.is_none(), "{secret} stands in {place}: {line:?}");
        }
    }
}

#[test]
fn no_secret_is_kept_or_told() {
    let world = planted_world();
    let answers = world.run(async |world| {
        let mut answers = sow(world, 0).await;
        answers.extend(reports(world).await);
        sleep(world, 30.0).await;
        answers
    });
    assert!(
        count(&answers, 429) > 2 * kinds(&world) - 6,
        "most kinds are denied"
    );
    assert!(!world.received("hooks.example").is_empty());
    nothing_planted(&world, &answers);
}

#[test]
fn no_secret_is_kept_or_told_while_things_fail() {
    let world = planted_world();
    let answers = world.run(async |world| {
        let for_ms = 60_000;
        let kinds = [
            FaultKind::D1Failing {
                binding: "DB".into(),
                for_ms,
            },
            FaultKind::ObjectUnreachable {
                class: "RateLimiter".into(),
                for_ms,
            },
            FaultKind::KvErrors {
                operation: KvOperation::Get,
                status: 500,
                ratio: 1.0,
                for_ms,
            },
        ];
        let mut answers = Vec::new();
        for (round, kind) in (1..).zip(kinds) {
            world.inject(kind);
            answers.extend(sow(world, round).await);
            sleep(world, 100.0).await;
        }
        // And once when all is well again, so that there are rows.
        answers.extend(sow(world, 0).await);
        answers.extend(reports(world).await);
        sleep(world, 30.0).await;
        answers
    });
    assert!(count(&answers, 503) > 0, "something failed");
    assert!(!world.received("down.example").is_empty());
    nothing_planted(&world, &answers);
}

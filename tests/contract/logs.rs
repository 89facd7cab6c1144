//! Section 7: the logs, as an administrator reads them.

use crate::burst::Burst;
use crate::clock::within;
use crate::inbox::REFUSED;
use crate::person::Person;
use crate::server::Server;
use serde_json::Value;
use std::time::Duration;
use support::client::TEA;

const AUDIT: &str = "/api/admin/audit-logs";
const ERRORS: &str = "/api/admin/error-logs";

/// How soon a row is there.
const SOON: Duration = Duration::from_secs(5);

/// The audit rows of a user, once there is one of that category.
fn rows_of(server: &Server, admin: &Person, user: &str, category: &str) -> Vec<Value> {
    let target = format!("{AUDIT}?user_id={user}&category={category}&limit=100");
    within(SOON, &target, || {
        let rows = server.rows(admin, &target);
        (!rows.is_empty()).then_some(rows)
    })
}

/// `2026-01-15T12:34:56.789Z`
fn is_rfc3339_utc(text: &Value) -> bool {
    let text = text.as_str().unwrap_or_default();
    let shape: String = text
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    ["0000-00-00T00:00:00Z", "0000-00-00T00:00:00.000Z"].contains(&shape.as_str())
}

fn l1_a_created_transaction_is_logged_with_its_owner(server: &Server) {
    let (user, admin) = (Person::user("logged"), Person::admin("logs"));
    let created = server.post("/api/transactions").by(&user).text(TEA).send();
    assert_eq!(created.status, 201);
    let rows = rows_of(server, &admin, &user.id, "transaction");
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0]["user_id"], user.id);
    assert!(is_rfc3339_utc(&rows[0]["timestamp"]), "{rows:?}");
    assert!(
        rows[0]["id"].is_u64() && rows[0]["action"].is_string() && rows[0]["metadata"].is_object()
    );
    // A refused one is not.
    server.post("/api/transactions").by(&user).text("{}").send();
    server.post("/api/transactions").by(&user).text(TEA).send();
    let rows = within(SOON, "the second row", || {
        let rows = rows_of(server, &admin, &user.id, "transaction");
        (rows.len() > 1).then_some(rows)
    });
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert!(
        rows[0]["id"].as_u64() > rows[1]["id"].as_u64(),
        "newest first"
    );
}

fn l1_logins_are_logged_whether_they_succeed_or_fail(server: &Server) {
    let (from, admin) = (Person::stranger(), Person::admin("logs"));
    assert_eq!(
        server.login(&from, "demo", "demo-pass-9137").send().status,
        200
    );
    assert_eq!(server.login(&from, "demo", "wrong").send().status, 401);
    assert_eq!(server.login(&from, "nobody", "wrong").send().status, 401);
    let here = within(SOON, "three rows", || {
        let rows = server.rows(&admin, &format!("{AUDIT}?category=auth&limit=100"));
        let mut here: Vec<Value> = rows
            .into_iter()
            .filter(|row| row["metadata"]["address"] == from.address)
            .collect();
        here.sort_by_key(|row| row["id"].as_u64());
        (here.len() == 3).then_some(here)
    });
    let mut told: Vec<(&Value, &Value)> = here
        .iter()
        .map(|row| (&row["action"], &row["user_id"]))
        .collect();
    told.sort_by_key(|row| format!("{row:?}"));
    let demo = Value::from("user-demo");
    assert_eq!(
        told,
        [
            (&Value::from("login_failure"), &Value::Null),
            (&Value::from("login_failure"), &demo),
            (&Value::from("login_success"), &demo),
        ]
    );
}

fn l1_a_first_denial_is_a_security_row_and_l3_folds_the_rest(server: &Server) {
    let (user, admin) = (Person::user("denied"), Person::admin("logs"));
    let burst = Burst::send(server, 150, 64, |_| {
        server.post("/api/transactions").by(&user).text("{}")
    });
    assert!(burst.with(429).len() > 50, "{:?}", burst.statuses());
    let rows = rows_of(server, &admin, &user.id, "security");
    assert_eq!(rows[0]["category"], "security");
    assert_eq!(rows[0]["user_id"], user.id);
    assert!(is_rfc3339_utc(&rows[0]["timestamp"]));
    assert!(
        rows[0]["metadata"].to_string().contains("write"),
        "which policy: {rows:?}"
    );
    crate::clock::wait(Duration::from_secs(2));
    let rows = rows_of(server, &admin, &user.id, "security");
    assert!(rows.len() <= 5, "{}", rows.len());
}

fn l1_an_error_row_has_level_message_and_metadata(server: &Server) {
    let admin = Person::admin(REFUSED);
    assert_eq!(
        server
            .post("/api/admin/alerts/test")
            .by(&admin)
            .send()
            .status,
        202
    );
    // No receiver takes this alert, and the Worker logs that as an error; its tries take some seconds.
    let row = within(Duration::from_secs(25), "an error row", || {
        let id = server.inbox.about(&admin.id).first()?.id().to_owned();
        let rows = server.rows(
            &Person::admin("logs"),
            &format!("{ERRORS}?level=error&limit=100"),
        );
        rows.into_iter()
            .find(|row| row["metadata"]["webhookId"] == id)
    });
    assert!(is_rfc3339_utc(&row["timestamp"]), "{row}");
    assert_eq!(row["level"], "error");
    assert!(row["id"].is_u64() && row["message"].as_str().is_some_and(|text| !text.is_empty()));
    assert!(row["metadata"].is_object());
    assert!(
        !row.to_string().contains("127.0.0.1"),
        "the receiver's address may hold a secret: {row}"
    );
    assert!(
        server
            .rows(&admin, &format!("{ERRORS}?level=none"))
            .is_empty()
    );
}

fn l2_filters_pick_exactly_and_a_fragment_of_sql_finds_nothing(server: &Server) {
    let (user, other, admin) = (
        Person::user("filter"),
        Person::user("filter"),
        Person::admin("logs"),
    );
    for person in [&user, &other] {
        assert_eq!(
            server
                .post("/api/transactions")
                .by(person)
                .text(TEA)
                .send()
                .status,
            201
        );
        Burst::send(server, 55, 16, |_| {
            server.post("/api/transactions").by(person).text("{}")
        });
    }
    let transaction = rows_of(server, &admin, &user.id, "transaction");
    let action = transaction[0]["action"]
        .as_str()
        .expect("an action")
        .to_owned();
    rows_of(server, &admin, &user.id, "security");
    rows_of(server, &admin, &other.id, "transaction");
    let of = |query: &str| server.rows(&admin, &format!("{AUDIT}?limit=100&{query}"));
    let all = of(&format!("user_id={}", user.id));
    assert!(
        all.len() >= 2 && all.iter().all(|row| row["user_id"] == user.id),
        "{all:?}"
    );
    assert_eq!(
        of(&format!("user_id={}&action={action}", user.id)),
        transaction
    );
    assert_eq!(
        of(&format!(
            "user_id={}&action={action}&category=transaction",
            user.id
        )),
        transaction
    );
    assert!(
        of(&format!(
            "user_id={}&action={action}&category=security",
            user.id
        ))
        .is_empty()
    );
    assert!(
        of("category=security")
            .iter()
            .all(|row| row["category"] == "security")
    );
    assert!(
        of(&format!("action={action}"))
            .iter()
            .all(|row| row["action"] == action)
    );
    assert_eq!(
        server
            .rows(&admin, &format!("{AUDIT}?limit=1&category=transaction"))
            .len(),
        1
    );
    for hostile in [
        "x' OR '1'='1",
        "' OR 1=1 --",
        "x'; DROP TABLE audit_logs; --",
        "%",
        "_",
        "*",
        "x\" OR \"\"=\"",
        "transaction' --",
        "security' UNION SELECT id, username, password_hash, role, id, id FROM users --",
        "\0",
        "1; SELECT 1",
    ] {
        let mut value = String::new();
        url::form_urlencoded::byte_serialize(hostile.as_bytes())
            .for_each(|part| value.push_str(part));
        for name in ["category", "action", "user_id"] {
            assert!(
                of(&format!("{name}={value}")).is_empty(),
                "{name}={hostile}"
            );
        }
        assert!(
            server
                .rows(&Person::admin("logs"), &format!("{ERRORS}?level={value}"))
                .is_empty(),
            "{hostile}"
        );
    }
    assert!(
        !of("category=transaction").is_empty(),
        "the table is still there"
    );
}

fn l3_what_a_client_does_wrong_is_no_error_of_ours(server: &Server) {
    let (user, admin) = (Person::user("client-errors"), Person::admin("logs"));
    let mut ids = Vec::new();
    for asked in [
        server.get("/api/nothing").by(&user),
        server.ask("DELETE", "/api/reports").by(&user),
        server.get("/api/reports").by(&Person::stranger()),
        server.get("/api/admin/metrics").by(&user),
        server.get("/api/transactions?limit=0").by(&user),
        server.post("/api/transactions").by(&user).text("{"),
        server.post("/api/transactions").by(&user).text("{}"),
        server.post("/api/transactions").by(&user).bytes("x"),
        server
            .post("/api/transactions")
            .by(&user)
            .text(vec![b' '; 70_000]),
        server.login(&user, "nobody", "wrong"),
    ] {
        let answer = asked.send();
        assert!((400..500).contains(&answer.status));
        ids.push(answer.header("x-request-id").to_owned());
    }
    let denied = Burst::send(server, 60, 16, |_| {
        server.post("/api/transactions").by(&user).text("{}")
    });
    ids.extend(
        denied
            .answers
            .iter()
            .map(|answer| answer.header("x-request-id").to_owned()),
    );
    crate::clock::wait(Duration::from_secs(2));
    let errors = server.rows(&admin, &format!("{ERRORS}?limit=100"));
    let errors = serde_json::to_string(&errors).expect("JSON");
    for id in ids {
        assert!(!errors.contains(&id), "{id}");
    }
    assert!(!errors.contains(&user.id));
}

on_every_arm!(
    l1_a_created_transaction_is_logged_with_its_owner,
    l1_a_first_denial_is_a_security_row_and_l3_folds_the_rest,
    l1_an_error_row_has_level_message_and_metadata,
    l1_logins_are_logged_whether_they_succeed_or_fail,
    l2_filters_pick_exactly_and_a_fragment_of_sql_finds_nothing,
    l3_what_a_client_does_wrong_is_no_error_of_ours,
);

//! What is written down: rows for what matters. That no secret is among it, `secrets.rs` shows.

use edgeproof_sim::World;
use edgeproof_sim::fault::FaultKind;
use edgeproof_sim::http::Response;
use edgeproof_sim::world::client::Client;
use serde_json::Value;
use support::production::*;

/// Category, action and user of all audit rows, oldest first.
fn audit(world: &World) -> Vec<[String; 3]> {
    rows(
        world,
        "SELECT category, action, user_id FROM audit_logs ORDER BY id",
    )
    .into_iter()
    .map(|row| row.try_into().expect("three columns"))
    .collect()
}

fn row(category: &str, action: &str, user: &str) -> [String; 3] {
    [category, action, user].map(str::to_owned)
}

#[test]
fn a_created_transaction_is_written_down_with_its_owner() {
    let world = world();
    let location = world.run(async |world| {
        let client = world.client("MEX");
        let created = client.send(post(&client, "user-1")).await;
        created.header("location").expect("a Location").to_owned()
    });
    assert_eq!(audit(&world), [row("transaction", "create", "user-1")]);
    let metadata = &rows(&world, "SELECT metadata FROM audit_logs")[0][0];
    let metadata: Value = serde_json::from_str(metadata).expect("metadata is JSON");
    assert_eq!(
        location,
        format!("/api/transactions/{}", metadata["transactionId"])
    );
}

#[test]
fn a_burst_writes_fifty_rows_of_transactions_and_one_of_its_denials() {
    for in_flight in [1, 64] {
        let world = world();
        world.run(async |world| {
            let client = world.client("MEX");
            in_parallel(in_flight, times(150, &client, || post(&client, "user-1"))).await;
            sleep(world, 5.0).await;
        });
        assert_eq!(
            rows_in(
                &world,
                "audit_logs",
                "category = 'transaction' AND user_id = 'user-1'"
            ),
            50
        );
        let security = rows(
            &world,
            "SELECT action, user_id FROM audit_logs WHERE category = 'security'",
        );
        assert_eq!(
            security,
            [["rate_limit_exceeded", "user-1"]],
            "{in_flight} in flight"
        );
        assert_eq!(rows_in(&world, "audit_logs", "1"), 51);
        assert_eq!(
            rows_in(&world, "error_logs", "1"),
            0,
            "a denial is no error"
        );
    }
}

#[test]
fn the_denials_of_a_stubborn_client_are_folded_into_one_row_per_window() {
    let world = world();
    world.run(async |world| {
        let client = world.client("MEX");
        for _ in 0..300 {
            in_parallel(
                10,
                times(10, &client, || client.get("/api/nothing").build()),
            )
            .await;
            sleep(world, 1.0).await;
        }
    });
    let denials = rows_in(&world, "audit_logs", "category = 'security'");
    assert!((4..=6).contains(&denials), "{denials} in five minutes");
    let metadata: Value =
        serde_json::from_str(&rows(&world, "SELECT metadata FROM audit_logs")[0][0]).expect("JSON");
    assert_eq!(
        (&metadata["address"], &metadata["policy"]),
        (&"198.18.0.1".into(), &"general".into())
    );
}

#[test]
fn logins_are_written_down_whether_they_succeed_or_not() {
    let world = world();
    world.run(async |world| {
        let client = world.client("MEX");
        for (username, password) in [
            ("demo", "demo-pass-9137"),
            ("demo", "wrong"),
            ("nobody-of-that-name", "demo-pass-9137"),
        ] {
            client.send(login(&client, username, password)).await;
            sleep(world, 1.0).await;
        }
    });
    assert_eq!(
        audit(&world),
        [
            row("auth", "login_success", "user-demo"),
            row("auth", "login_failure", "user-demo"),
            row("auth", "login_failure", "NULL")
        ]
    );
}

#[test]
fn times_are_rfc_3339_in_utc_and_metadata_is_an_object() {
    let world = world();
    world.run(async |world| {
        let client = world.client("MEX");
        client.send(post(&client, "user-1")).await;
        client.send(login(&client, "demo", "wrong")).await;
        failing_reads(world, &client).await;
    });
    for table in ["audit_logs", "error_logs"] {
        for row in rows(&world, &format!("SELECT timestamp, metadata FROM {table}")) {
            assert!(
                row[0].starts_with("2026-01-01T00:00:")
                    && row[0].ends_with('Z')
                    && row[0].len() == 24,
                "{row:?}"
            );
            assert!(
                serde_json::from_str::<Value>(&row[1]).is_ok_and(|metadata| metadata.is_object()),
                "{row:?}"
            );
        }
    }
    assert!(rows_in(&world, "audit_logs", "1") == 2 && rows_in(&world, "error_logs", "1") > 0);
}

#[test]
fn an_administrator_reads_the_rows_newest_first_and_filtered() {
    let world = world();
    world.run(async |world| {
        let client = world.client("MEX");
        in_parallel(64, times(52, &client, || post(&client, "user-1"))).await;
        client.send(post(&client, "user-2")).await;
        client.send(login(&client, "demo", "demo-pass-9137")).await;
        sleep(world, 1.0).await;
        let admin = token_of("user-9", "admin");
        let ask = async |path: &str| {
            let answer = client.get(path).bearer(&admin).send().await;
            assert_eq!(answer.status, 200, "{path}: {:?}", answer.body);
            json_of(&answer)["data"].as_array().expect("a list").clone()
        };
        let all = ask("/api/admin/audit-logs?limit=100").await;
        assert_eq!(all.len(), 53);
        assert_eq!(all[0]["action"], "login_success");
        let ids: Vec<u64> = all.iter().map(|row| row["id"].as_u64().unwrap()).collect();
        assert!(ids.windows(2).all(|pair| pair[0] > pair[1]), "{ids:?}");
        assert_eq!(ask("/api/admin/audit-logs").await.len(), 50);
        assert_eq!(
            ask("/api/admin/audit-logs?category=security").await.len(),
            1
        );
        assert_eq!(ask("/api/admin/audit-logs?user_id=user-2").await.len(), 1);
        assert_eq!(
            ask("/api/admin/audit-logs?category=transaction&action=create&user_id=user-2")
                .await
                .len(),
            1
        );
        assert_eq!(
            ask("/api/admin/audit-logs?user_id=x'%20OR%20'1'='1")
                .await
                .len(),
            0
        );
        assert_eq!(ask("/api/admin/error-logs").await.len(), 0);
    });
}

/// Reads while the database fails for a moment: long enough for the read and over before its error row is written, for some of
/// the moments tried.
async fn failing_reads(world: &World, client: &Client) -> Vec<Response> {
    let mut failed = Vec::new();
    for for_ms in 10..30 {
        world.inject(FaultKind::D1Failing {
            binding: "DB".into(),
            for_ms,
        });
        failed.push(client.send(get(client, "user-1", DASHBOARD)).await);
        sleep(world, 1.0).await;
    }
    failed.retain(|answer| answer.status != 200);
    failed
}

#[test]
fn a_failing_database_is_503_to_the_client_and_a_row_of_the_error_log() {
    let world = world();
    let failed = world.run(async |world| failing_reads(world, &world.client("MEX")).await);
    assert!(!failed.is_empty());
    for answer in &failed {
        assert_eq!(answer.status, 503);
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json")
        );
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        for inner in ["D1", "SQL", "lost", "sqlite", ".rs"] {
            assert!(!text.contains(inner), "{inner} in {text}");
        }
    }
    let logged = rows(&world, "SELECT DISTINCT level, message FROM error_logs");
    assert_eq!(logged, [["error", "database query failed"]]);
    assert!(rows_in(&world, "error_logs", "1") <= failed.len());
}

#[test]
fn rows_past_their_retention_are_deleted_and_no_others() {
    let old = |table: &str, columns: &str, values: &str| {
        format!(
            "INSERT INTO {table} (timestamp, {columns}) VALUES ('2025-10-02T23:59:59.999Z', {values}), ('2025-10-03T00:00:00.500Z', {values}), ('2025-12-01T23:59:59.999Z', {values}), ('2025-12-02T00:00:00.500Z', {values});"
        )
    };
    let seed = old("audit_logs", "category, action", "'auth', 'login_failure'")
        + &old("error_logs", "level, message", "'error', 'x'");
    let world = production(&["MEX"])
        .seed_sql("DB", "old rows", &seed)
        .build()
        .expect("builds");
    world.run(async |world| {
        world
            .scheduled("17 3 * * *")
            .await
            .expect("the handler ends well")
    });
    // 90 days and 30 days before 2026-01-01.
    let left =
        |table: &str| rows(&world, &format!("SELECT timestamp FROM {table} ORDER BY 1")).concat();
    assert_eq!(
        left("audit_logs"),
        [
            "2025-10-03T00:00:00.500Z",
            "2025-12-01T23:59:59.999Z",
            "2025-12-02T00:00:00.500Z"
        ]
    );
    assert_eq!(left("error_logs"), ["2025-12-02T00:00:00.500Z"]);
}

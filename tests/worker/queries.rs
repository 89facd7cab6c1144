//! What queries of the logs read: D1 bills every row it looks at, so none of them may scan a table.

use edgeproof_sim::World;
use edgeproof_sim::bill::usage::Meter;
use support::production::*;

/// Twenty thousand audit rows, as a busy day leaves them: transactions of two hundred users, and now and then something else.
const ROWS: &str = "
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 19999)
INSERT INTO audit_logs (timestamp, category, action, user_id, metadata)
SELECT strftime('%Y-%m-%dT%H:%M:%fZ', '2025-12-31', '+' || i || ' seconds'),
  CASE WHEN i % 100 = 50 THEN 'security' WHEN i % 50 = 1 THEN 'auth' WHEN i % 4000 = 3 THEN 'by hand' ELSE 'transaction' END,
  CASE WHEN i % 100 = 50 THEN 'rate_limit_exceeded' WHEN i % 50 = 1 THEN 'login_failure' WHEN i % 4000 = 3 THEN 'note' ELSE 'create' END,
  CASE WHEN i % 50 = 1 THEN NULL ELSE 'user-' || (i % 200) END, '{}'
FROM n;
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 4999)
INSERT INTO error_logs (timestamp, level, message) SELECT strftime('%Y-%m-%dT%H:%M:%fZ', '2025-12-31', '+' || i || ' seconds'), CASE WHEN i % 2000 = 7 THEN 'critical' ELSE 'error' END, 'x' FROM n;
";

fn world() -> World {
    production(&["MEX"])
        .seed_sql("DB", "a busy day", ROWS)
        .build()
        .expect("builds")
}

#[test]
fn the_three_queries_of_the_handbook_read_what_they_return() {
    let world = world();
    for (query, returned) in [
        (
            "SELECT * FROM audit_logs WHERE category = 'security' ORDER BY timestamp DESC LIMIT 100",
            100,
        ),
        (
            "SELECT * FROM error_logs WHERE level IN ('error', 'critical') ORDER BY timestamp DESC LIMIT 100",
            100,
        ),
        (
            "SELECT * FROM audit_logs WHERE user_id = 'user-7' ORDER BY timestamp DESC LIMIT 50",
            50,
        ),
    ] {
        let outcome = world.query("DB", query).expect("it is SQL");
        assert_eq!(outcome.rows.len(), returned, "{query}");
        // An index's entry and the row it leads to are counted as one.
        assert!(
            outcome.rows_read <= returned as u64 + 1,
            "{query} reads {}",
            outcome.rows_read
        );
        let plan = rows(&world, &format!("EXPLAIN QUERY PLAN {query}")).concat();
        let plan = plan.join(" ");
        assert!(!plan.contains("TEMP B-TREE"), "{query}: {plan}");
    }
}

#[test]
fn the_filters_of_the_api_scan_no_table() {
    let world = world();
    world.run(async |world| {
        let client = world.client("MEX");
        let token = token_of("admin", "admin");
        for (query, returned, at_most) in [
            ("audit-logs", 50, 50),
            ("audit-logs?limit=100", 100, 100),
            ("audit-logs?category=security", 50, 50),
            ("audit-logs?category=auth", 50, 50),
            ("audit-logs?category=transaction", 50, 60),
            ("audit-logs?category=by%20hand", 5, 5),
            ("audit-logs?category=x'%20OR%20'1'='1", 0, 0),
            ("audit-logs?user_id=user-7", 50, 50),
            ("audit-logs?user_id=x'%20OR%20'1'='1", 0, 0),
            ("audit-logs?action=create", 50, 60),
            // All that is no transaction: a hundredth and two.
            ("audit-logs?action=note", 5, 700),
            ("audit-logs?action=nothing%20of%20the%20kind", 0, 700),
            ("audit-logs?category=auth&action=login_failure", 50, 50),
            ("audit-logs?category=security&user_id=user-50", 50, 100),
            ("audit-logs?category=transaction&action=login_failure", 0, 0),
            ("error-logs", 50, 50),
            ("error-logs?level=critical", 3, 3),
            ("error-logs?level=warning", 0, 0),
            ("error-logs?level=error", 50, 50),
        ] {
            let before = world.usage().total(Meter::D1RowsRead);
            let path = format!("/api/admin/{query}");
            let answer = client.get(&path).bearer(&token).send().await;
            assert_eq!(answer.status, 200, "{query}: {:?}", answer.body);
            let data = json_of(&answer)["data"].as_array().map(Vec::len);
            assert_eq!(data, Some(returned), "{query}");
            let read = world.usage().total(Meter::D1RowsRead) - before;
            assert!(read <= at_most + 1, "{query} reads {read}");
        }
    });
}

#[test]
fn the_newest_come_first_whatever_is_asked_for() {
    let world = world();
    world.run(async |world| {
        let client = world.client("MEX");
        let token = token_of("admin", "admin");
        for query in ["", "?category=security", "?user_id=user-7", "?action=note"] {
            let path = format!("/api/admin/audit-logs{query}");
            let answer = json_of(&client.get(&path).bearer(&token).send().await);
            let rows = answer["data"].as_array().expect("rows");
            let times: Vec<&str> = rows
                .iter()
                .filter_map(|row| row["timestamp"].as_str())
                .collect();
            assert!(
                times.len() > 1 && times.is_sorted_by(|a, b| a > b),
                "{query}: {times:?}"
            );
        }
    });
}

#[test]
fn retention_reads_the_oldest_rows_and_stops_at_the_first_that_is_kept() {
    let world = world();
    world.run(async |world| world.scheduled("17 3 * * *").await.expect("it ends well"));
    let read = world.usage().total(Meter::D1RowsRead);
    assert!(read <= 4_100, "{read}");
    assert_eq!(rows_in(&world, "audit_logs", "1"), 20_000);
}

#[test]
fn a_dashboard_reads_months_and_not_transactions() {
    let many = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 9999)
      INSERT INTO transactions (user_id, type, amount_cents, description, date, created_at)
      SELECT 'user-1', CASE i % 2 WHEN 0 THEN 'income' ELSE 'expense' END, 100 + i, 'x', '2025-' || printf('%02d', 1 + i % 12) || '-01', '2025-12-31T00:00:00.000Z' FROM n;";
    let world = production(&["MEX"])
        .seed_sql("DB", "many", many)
        .build()
        .expect("builds");
    world.run(async |world| {
        let client = world.client("MEX");
        for path in [DASHBOARD, REPORTS] {
            let before = world.usage().total(Meter::D1RowsRead);
            let answer = json_of(&client.send(get(&client, "user-1", path)).await);
            assert_eq!(answer["data"]["transactionCount"], 10_000);
            assert_eq!(answer["data"]["income"], 254_950.0);
            assert_eq!(answer["data"]["expense"], 255_000.0);
            let read = world.usage().total(Meter::D1RowsRead) - before;
            assert!(read <= 30, "{path} reads {read}");
        }
    });
}

#[test]
fn a_row_that_goes_costs_one_row() {
    // A hundred rows of transactions, long past their time.
    let old = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99)
      INSERT INTO audit_logs (timestamp, category, action, user_id, metadata) SELECT '2025-01-01T00:00:00.000Z', 'transaction', 'create', 'user-1', '{}' FROM n;";
    let world = production(&["MEX"])
        .seed_sql("DB", "old", old)
        .build()
        .expect("builds");
    world.run(async |world| world.scheduled("17 3 * * *").await.expect("it ends well"));
    assert_eq!(rows_in(&world, "audit_logs", "1"), 0);
    // Its entries in indexes go for nothing.
    assert_eq!(world.usage().total(Meter::D1RowsWritten), 100);
}

//! Rows read and written are the platform's, statement by statement.
//!
//! Two ledgers: what a local `workerd` reported for D1 (miniflare 4, workerd 1.20260426.1) on a table of 1,003 rows, and what a
//! Durable Object reported (workerd 1.20261117.1) on a small one. The first lists reads and writes for the statements of the
//! measurement; where the original SQL is not recorded it is rebuilt from the description.

use edgeproof_sqlite::{Database, Dialect, Limits, Outcome, Value};

fn run(db: &mut Database, sql: &str) -> Outcome {
    db.query(sql, &[])
        .unwrap_or_else(|error| panic!("{sql}: {error}"))
}

fn counts(db: &mut Database, sql: &str) -> (u64, u64) {
    let outcome = run(db, sql);
    (outcome.rows_read, outcome.rows_written)
}

/// 1,003 rows: an integer primary key and two indexes; `n` is 0..10, `v` is not indexed.
fn large(dialect: Dialect) -> Database {
    let mut db = Database::in_memory(dialect).unwrap();
    db.execute_script(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, k TEXT, n INTEGER, v TEXT);
         CREATE INDEX t_k ON t (k);
         CREATE INDEX t_n ON t (n);
         WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 1000)
         INSERT INTO t SELECT i, 'k' || i, i % 10, 'v' || i FROM c;
         INSERT INTO t VALUES (1001, 'x1', 100, 'v'), (1002, 'x2', 101, 'v'), (1003, 'x3', 102, 'v')",
        &[],
    )
    .unwrap();
    db
}

#[test]
fn d1_counts_are_those_workerd_reported() {
    // Each statement sees the 1,003 rows afresh: it runs in a transaction that is rolled back.
    let ledger = [
        ("SELECT * FROM t WHERE id = 500", 1, 0),
        ("SELECT * FROM t WHERE id = 99999", 1, 0),
        ("SELECT * FROM t WHERE k = 'k500'", 2, 0),
        ("SELECT * FROM t WHERE k = 'nobody'", 0, 0),
        ("SELECT * FROM t WHERE n = 5", 101, 0),
        ("SELECT * FROM t", 1003, 0),
        ("SELECT * FROM t WHERE v = 'none'", 1003, 0),
        ("SELECT count(*) FROM t", 1003, 0),
        ("SELECT count(*) FROM t WHERE n = 5", 101, 0),
        ("SELECT * FROM t LIMIT 5", 5, 0),
        ("SELECT * FROM t ORDER BY k LIMIT 5", 5, 0),
        ("SELECT * FROM t ORDER BY v LIMIT 5", 2006, 0),
        ("SELECT * FROM t ORDER BY id LIMIT 5 OFFSET 100", 105, 0),
        ("SELECT max(id) FROM t", 1, 0),
        ("INSERT INTO t VALUES (5000, 'new', 1, 'v')", 1, 3),
        ("INSERT INTO t (k, n, v) VALUES ('new', 1, 'v')", 0, 3),
        ("UPDATE t SET v = 'w' WHERE id = 500", 1, 1),
        ("UPDATE t SET n = 77 WHERE id = 500", 1, 2),
        ("UPDATE t SET n = n + 1 WHERE n = 3", 301, 200),
        ("DELETE FROM t WHERE id = 500", 1, 1),
        ("DELETE FROM t WHERE id = 99999", 1, 0),
        (
            "INSERT INTO t VALUES (500, 'k500', 0, 'v') ON CONFLICT (id) DO UPDATE SET n = 55",
            1,
            2,
        ),
        ("INSERT OR IGNORE INTO t VALUES (500, 'k500', 0, 'v')", 1, 0),
        ("REPLACE INTO t VALUES (500, 'k500', 0, 'v')", 1, 3),
        ("CREATE TABLE another (a)", 1, 2),
    ];
    for dialect in [Dialect::D1, Dialect::DurableObject] {
        let mut db = large(dialect);
        for (sql, read, written) in ledger {
            db.begin().unwrap();
            assert_eq!(counts(&mut db, sql), (read, written), "{sql}");
            // The second time the statement comes from the cache and must cost the same.
            db.rollback().unwrap();
            db.begin().unwrap();
            assert_eq!(counts(&mut db, sql), (read, written), "again: {sql}");
            db.rollback().unwrap();
        }
        run(&mut db, "DELETE FROM t WHERE id = 1003");
        assert_eq!(counts(&mut db, "DELETE FROM t"), (0, 1002));

        run(&mut db, "CREATE TABLE words (w TEXT PRIMARY KEY)");
        assert_eq!(counts(&mut db, "INSERT INTO words VALUES ('a')"), (0, 2));
        run(
            &mut db,
            "CREATE TABLE flat (w TEXT PRIMARY KEY) WITHOUT ROWID",
        );
        assert_eq!(counts(&mut db, "INSERT INTO flat VALUES ('a')"), (0, 1));
        run(
            &mut db,
            "CREATE TABLE auto (id INTEGER PRIMARY KEY AUTOINCREMENT, a)",
        );
        run(&mut db, "INSERT INTO auto (a) VALUES (1)");
        assert_eq!(counts(&mut db, "INSERT INTO auto (a) VALUES (2)"), (1, 2));
        run(&mut db, "CREATE TABLE bare (a)");
        assert_eq!(counts(&mut db, "CREATE INDEX bare_a ON bare (a)"), (2, 1));
    }
}

#[test]
fn count_star_costs_the_rows_in_each_of_its_forms() {
    let mut db = large(Dialect::D1);
    for (sql, read) in [
        ("SELECT count(*) FROM t", 1003),
        ("SELECT count(*) + 1 FROM t", 1003),
        (
            "SELECT (SELECT count(*) FROM t), (SELECT max(id) FROM t)",
            1004,
        ),
        ("SELECT count(*) FROM t WHERE n = 5", 101),
        ("SELECT count(id) FROM t", 1003),
        ("SELECT count(k) FROM t", 1003),
        ("SELECT count(*) FROM t NOT INDEXED", 1003),
        ("EXPLAIN SELECT count(*) FROM t", 0),
    ] {
        assert_eq!(counts(&mut db, sql), (read, 0), "{sql}");
    }
    let longest = format!("SELECT count(*) FROM t{}", " ".repeat(100_000 - 22));
    assert_eq!(counts(&mut db, &longest), (1003, 0));
    db.execute_script(
        "CREATE TABLE \"odd \"\"name\" (a); INSERT INTO \"odd \"\"name\" VALUES (1), (2);
         CREATE TABLE flat (a PRIMARY KEY) WITHOUT ROWID; INSERT INTO flat VALUES (1), (2), (3);
         CREATE VIEW how_many AS SELECT count(*) AS n FROM t;
         CREATE TABLE log (n);
         CREATE TRIGGER logged AFTER INSERT ON flat BEGIN INSERT INTO log SELECT count(*) FROM t; END",
        &[],
    )
    .unwrap();
    assert_eq!(
        counts(&mut db, "SELECT count(*) FROM \"odd \"\"name\""),
        (2, 0)
    );
    assert_eq!(counts(&mut db, "SELECT count(*) FROM flat"), (3, 0));
    assert_eq!(
        counts(
            &mut db,
            "SELECT (SELECT count(*) FROM flat), (SELECT count(*) FROM t)"
        ),
        (1006, 0)
    );
    assert_eq!(counts(&mut db, "SELECT n FROM how_many"), (1003, 0));
    // The count is taken before the statement changes it.
    assert_eq!(
        counts(&mut db, "INSERT INTO log SELECT count(*) FROM t"),
        (1003, 1)
    );
    assert_eq!(counts(&mut db, "SELECT count(*) FROM sqlite_master").0, 8);
}

#[test]
fn count_star_follows_a_schema_that_changes_and_changes_back() {
    let mut db = large(Dialect::D1);
    let sql = "SELECT count(*) FROM t";
    assert_eq!(counts(&mut db, sql), (1003, 0));
    db.begin().unwrap();
    run(&mut db, "DROP TABLE t");
    run(&mut db, "CREATE VIEW t AS SELECT 1 AS id");
    assert_eq!(run(&mut db, sql).rows, [[Value::Integer(1)]]);
    db.rollback().unwrap();
    assert_eq!(counts(&mut db, sql), (1003, 0));
}

#[test]
fn durable_object_counts_are_those_workerd_reported() {
    let mut db = Database::in_memory(Dialect::DurableObject).unwrap();
    // A local runtime took values of 2 MB and more, which production documents as too large.
    db.set_limits(Limits::RUNTIME);
    db.execute_script(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); CREATE INDEX ia ON t (a)",
        &[],
    )
    .unwrap();
    // Name as in the observation, statement, rows returned, read, written.
    let ledger = [
        (
            "insert 1 (1 index)",
            "INSERT INTO t (a) VALUES ('x')",
            0,
            0,
            2,
        ),
        (
            "insert 3",
            "INSERT INTO t (a) VALUES ('a'), ('b'), ('c')",
            0,
            0,
            6,
        ),
        ("select *", "SELECT * FROM t", 4, 4, 0),
        ("select by pk", "SELECT * FROM t WHERE id = 2", 1, 1, 0),
        (
            "select by pk missing",
            "SELECT * FROM t WHERE id = 99",
            0,
            1,
            0,
        ),
        ("select by index", "SELECT * FROM t WHERE a = 'b'", 1, 2, 0),
        ("select covering", "SELECT a FROM t WHERE a = 'b'", 1, 2, 0),
        ("count(*)", "SELECT count(*) AS n FROM t", 1, 4, 0),
        ("select limit 1", "SELECT * FROM t LIMIT 1", 1, 1, 0),
        (
            "order by desc limit 1",
            "SELECT * FROM t ORDER BY id DESC LIMIT 1",
            1,
            1,
            0,
        ),
        ("select 1", "SELECT 1", 1, 0, 0),
        (
            "update pk non-indexed? (a indexed)",
            "UPDATE t SET a = 'zz' WHERE id = 1",
            0,
            1,
            2,
        ),
        (
            "update none",
            "UPDATE t SET a = 'zz' WHERE id = 99",
            0,
            1,
            0,
        ),
        ("delete pk", "DELETE FROM t WHERE id = 4", 0, 1, 1),
        (
            "upsert",
            "INSERT INTO t (id, a) VALUES (3, 'u') ON CONFLICT (id) DO UPDATE SET a = 'bb'",
            0,
            1,
            2,
        ),
        ("replace", "REPLACE INTO t (id, a) VALUES (2, 'a')", 0, 1, 2),
        (
            "returning",
            "INSERT INTO t (a) VALUES ('r') RETURNING id",
            1,
            1,
            2,
        ),
        ("join", "SELECT x.* FROM t AS y, t AS x", 16, 20, 0),
        (
            "create table",
            "CREATE TABLE u (k TEXT PRIMARY KEY, v) WITHOUT ROWID",
            0,
            1,
            2,
        ),
        (
            "insert without rowid",
            "INSERT INTO u VALUES ('k', 1)",
            0,
            0,
            1,
        ),
        ("delete all", "DELETE FROM u", 0, 0, 1),
        ("like scan", "SELECT * FROM t WHERE a LIKE 'z%'", 1, 4, 0),
        ("sqlite_master", "SELECT name FROM sqlite_master", 3, 3, 0),
        ("multi stmts", "SELECT 1 AS a; SELECT 2 AS b", 1, 0, 0),
        ("int > 2^53", "SELECT 9007199254740993 AS b", 1, 0, 0),
    ];
    for (name, sql, rows, read, written) in ledger {
        let outcome = run(&mut db, sql);
        assert_eq!(
            (outcome.rows.len(), outcome.rows_read, outcome.rows_written),
            (rows, read, written),
            "{name}: {sql}"
        );
    }
    for (name, bytes) in [("value 2MB", 2_000_000), ("value 2MB+", 2_100_000)] {
        let outcome = db
            .query(
                "INSERT INTO t (a) VALUES (?)",
                &[Value::Text("x".repeat(bytes))],
            )
            .unwrap();
        assert_eq!((outcome.rows_read, outcome.rows_written), (0, 2), "{name}");
    }
}

/// The runtime's own tests state these (WORKERD 2026-08-22, `util/sqlite-test.c++`).
#[test]
fn counts_hold_for_triggers_large_rows_and_copies() {
    let mut db = Database::in_memory(Dialect::DurableObject).unwrap();
    db.execute_script(
        "CREATE TABLE things (id INTEGER PRIMARY KEY); CREATE TABLE plain (id INTEGER); CREATE TABLE log (id, verb);
         CREATE TABLE large (id INTEGER PRIMARY KEY, value TEXT)",
        &[],
    )
    .unwrap();
    let large = Value::Text("A".repeat(100_000));
    let outcome = db
        .query("INSERT INTO large VALUES (1, ?)", &[large])
        .unwrap();
    assert_eq!((outcome.rows_read, outcome.rows_written), (1, 1));
    run(&mut db, "INSERT INTO things VALUES (1), (3), (5)");
    assert_eq!(
        counts(&mut db, "INSERT INTO plain SELECT id FROM things"),
        (3, 3)
    );
    run(
        &mut db,
        "CREATE TRIGGER i AFTER INSERT ON things BEGIN INSERT INTO log VALUES (NEW.id, 'INSERT'); END",
    );
    run(
        &mut db,
        "CREATE TRIGGER d AFTER DELETE ON things BEGIN INSERT INTO log VALUES (OLD.id, 'DELETE'); END",
    );
    assert_eq!(counts(&mut db, "INSERT INTO things VALUES (7)").1, 2);
    assert_eq!(counts(&mut db, "DELETE FROM things").1, 8);
}

#[test]
fn changes_and_last_row_id_are_those_of_the_statement() {
    let mut db = Database::in_memory(Dialect::D1).unwrap();
    db.execute_script(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a); CREATE TABLE log (a);
         CREATE TRIGGER logged AFTER UPDATE ON t BEGIN INSERT INTO log VALUES (NEW.a); END",
        &[],
    )
    .unwrap();
    let insert = run(&mut db, "INSERT INTO t (a) VALUES (1), (2), (3)");
    assert_eq!((insert.changes, insert.last_row_id), (3, 3));
    let update = run(&mut db, "UPDATE t SET a = 0 WHERE id < 3");
    assert_eq!(
        (update.changes, update.last_row_id),
        (4, 3),
        "two rows and two of the trigger"
    );
    let select = run(&mut db, "SELECT * FROM t");
    assert_eq!((select.changes, select.last_row_id), (0, 3));
    assert_eq!(db.total_changes(), 7);
}

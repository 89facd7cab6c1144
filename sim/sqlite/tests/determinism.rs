//! Time and chance come from the simulation and from nowhere else.

#![allow(
    clippy::disallowed_methods,
    reason = "two threads are the point of these tests"
)]

use edgeproof_sqlite::{Database, Dialect, Value, set_clock_unix_ms};

fn one(db: &mut Database, sql: &str) -> Value {
    let outcome = db
        .query(sql, &[])
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
    outcome.rows[0][0].clone()
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

#[test]
fn the_clock_is_the_simulations_in_every_function() {
    let directory = tempfile::tempdir().unwrap();
    let mut databases = [
        Database::in_memory(Dialect::D1).unwrap(),
        Database::open(&directory.path().join("clock.sqlite"), Dialect::D1).unwrap(),
    ];
    for db in &mut databases {
        set_clock_unix_ms(0);
        assert_eq!(
            one(db, "SELECT CURRENT_TIMESTAMP"),
            text("1970-01-01 00:00:00")
        );
        set_clock_unix_ms(1_790_812_799_123);
        assert_eq!(
            one(db, "SELECT CURRENT_TIMESTAMP"),
            text("2026-09-30 23:59:59")
        );
        assert_eq!(one(db, "SELECT CURRENT_DATE"), text("2026-09-30"));
        assert_eq!(one(db, "SELECT CURRENT_TIME"), text("23:59:59"));
        assert_eq!(
            one(db, "SELECT datetime('now')"),
            text("2026-09-30 23:59:59")
        );
        assert_eq!(
            one(db, "SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"),
            text("2026-09-30T23:59:59.123Z")
        );
        assert_eq!(one(db, "SELECT unixepoch()"), Value::Integer(1_790_812_799));
        assert_eq!(
            one(db, "SELECT unixepoch('now', 'subsec')"),
            Value::Real(1_790_812_799.123)
        );
        assert_eq!(
            one(db, "SELECT julianday('now') - julianday('2026-09-30') < 1"),
            Value::Integer(1)
        );
        db.query("CREATE TABLE t (a, at TEXT DEFAULT CURRENT_TIMESTAMP)", &[])
            .unwrap();
        set_clock_unix_ms(1_790_812_800_000);
        assert_eq!(
            one(db, "INSERT INTO t (a) VALUES (1) RETURNING at"),
            text("2026-10-01 00:00:00")
        );
    }
}

#[test]
fn a_thread_that_set_no_clock_is_at_the_epoch_whatever_others_set() {
    set_clock_unix_ms(1_790_812_799_123);
    let other = std::thread::spawn(|| {
        one(
            &mut Database::in_memory(Dialect::D1).unwrap(),
            "SELECT datetime('now')",
        )
    });
    assert_eq!(other.join().unwrap(), text("1970-01-01 00:00:00"));
}

#[test]
fn the_local_time_is_utc_whatever_the_host_thinks() {
    // Time zones are read from the environment once per process, so a child of this very test does the looking.
    if std::env::var_os("EDGEPROOF_TIME_ZONE_CHILD").is_some() {
        let mut db = Database::in_memory(Dialect::D1).unwrap();
        assert_eq!(
            one(&mut db, "SELECT datetime('now', 'localtime')"),
            text("1970-01-01 00:00:00")
        );
        assert_eq!(
            one(&mut db, "SELECT datetime(3600, 'unixepoch', 'utc')"),
            text("1970-01-01 01:00:00")
        );
        return;
    }
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_local_time_is_utc_whatever_the_host_thinks"])
        .env("EDGEPROOF_TIME_ZONE_CHILD", "1")
        .env("TZ", "JST-9")
        .output()
        .unwrap();
    assert!(
        child.status.success(),
        "{}",
        String::from_utf8_lossy(&child.stdout)
    );
}

/// Everything random a database gives, in one string.
fn trace(seed: u64) -> String {
    let mut db = Database::in_memory(Dialect::D1).unwrap();
    db.seed_random(seed);
    db.execute_script(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, r DEFAULT (random()), b DEFAULT (randomblob(5)))",
        &[],
    )
    .unwrap();
    for _ in 0..20 {
        db.query("INSERT INTO t DEFAULT VALUES", &[]).unwrap();
    }
    let rows = db.query(
        "SELECT id, r, hex(b), random(), length(randomblob(id)) FROM t ORDER BY random()",
        &[],
    );
    format!("{:?}", rows.unwrap().rows)
}

#[test]
fn one_seed_gives_one_sequence_on_any_thread_and_among_any_neighbours() {
    let expected = trace(7);
    assert_ne!(expected, trace(8));
    assert_eq!(
        expected,
        trace(7),
        "the traces before drew nothing from this one"
    );
    let threads: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(|| {
                // A neighbour on the same thread draws in between.
                let mut neighbour = Database::in_memory(Dialect::DurableObject).unwrap();
                neighbour
                    .query("SELECT random(), randomblob(100)", &[])
                    .unwrap();
                let first = trace(7);
                neighbour.query("SELECT random()", &[]).unwrap();
                (first, trace(7))
            })
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), (expected.clone(), expected.clone()));
    }
}

#[test]
fn seeding_starts_the_sequence_anew() {
    let mut db = Database::in_memory(Dialect::D1).unwrap();
    let unseeded = one(&mut db, "SELECT random()");
    db.seed_random(0);
    assert_eq!(
        one(&mut db, "SELECT random()"),
        unseeded,
        "the seed is 0 until another is given"
    );
    assert_ne!(one(&mut db, "SELECT random()"), unseeded);
    assert_eq!(
        one(&mut db, "SELECT length(randomblob(0))"),
        Value::Integer(1)
    );
}

#[test]
fn a_file_keeps_its_rows_between_openings() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kept.sqlite");
    let mut db = Database::open(&path, Dialect::DurableObject).unwrap();
    db.execute_script("CREATE TABLE t (a); CREATE VIEW many AS SELECT count(*) AS n FROM t; INSERT INTO t VALUES (1), (2)", &[])
        .unwrap();
    db.begin().unwrap();
    db.query("INSERT INTO t VALUES (3)", &[]).unwrap();
    drop(db);
    let mut db = Database::open(&path, Dialect::DurableObject).unwrap();
    let outcome = db.query("SELECT n FROM many", &[]).unwrap();
    assert_eq!(
        outcome.rows,
        [[Value::Integer(2)]],
        "what was not committed is gone"
    );
    assert_eq!(
        outcome.rows_read, 2,
        "the view's count is known of after reopening"
    );
    assert_eq!(db.size_bytes(), 2 * 4096);

    std::fs::write(
        directory.path().join("text"),
        "no database, but long enough to be read as one".repeat(100),
    )
    .unwrap();
    let error = Database::open(&directory.path().join("text"), Dialect::D1).unwrap_err();
    assert_eq!(error.message, "file is not a database: SQLITE_NOTADB");
    assert!(Database::open(&directory.path().join("absent/x"), Dialect::D1).is_err());
}

#[test]
fn a_copy_has_the_rows_and_goes_its_own_way() {
    let mut original = Database::in_memory(Dialect::D1).unwrap();
    original
        .execute_script("CREATE TABLE t (id INTEGER PRIMARY KEY, v); CREATE VIEW c AS SELECT count(*) AS n FROM t; INSERT INTO t (v) VALUES ('a'), ('b')", &[])
        .unwrap();
    let mut copy = original.copy().unwrap();
    assert_eq!(copy.query("SELECT 1", &[]).unwrap().last_row_id, 2);
    copy.query("INSERT INTO t (v) VALUES ('c')", &[]).unwrap();
    let counted = |database: &mut Database| {
        let outcome = database.query("SELECT n FROM c", &[]).unwrap();
        (outcome.rows, outcome.rows_read)
    };
    // A count(*) in a view is billed row by row, in the copy as well.
    assert_eq!(counted(&mut copy), (vec![vec![Value::Integer(3)]], 3));
    assert_eq!(counted(&mut original), (vec![vec![Value::Integer(2)]], 2));
    assert_eq!(copy.size_bytes(), original.size_bytes());
}

#[test]
fn a_database_in_a_transaction_is_not_copied() {
    let mut original = Database::in_memory(Dialect::D1).unwrap();
    original.begin().unwrap();
    let refused = original.copy().unwrap_err();
    assert!(refused.message.contains("open transaction"), "{refused:?}");
}

//! What SQL is told: the platform's errors, its limits, its forbidden things, and the allowed ones that must keep working.

use edgeproof_sqlite::{Database, Dialect, ErrorKind, Limits, Value};

const BOTH: [Dialect; 2] = [Dialect::D1, Dialect::DurableObject];

fn fresh(dialect: Dialect) -> Database {
    let mut db = Database::in_memory(dialect).unwrap();
    db.execute_script(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL UNIQUE, n INTEGER CHECK (n > 0));
         CREATE TABLE child (parent INTEGER REFERENCES t (id));
         INSERT INTO t VALUES (1, 'one', 1)",
        &[],
    )
    .unwrap();
    db
}

fn error(db: &mut Database, sql: &str) -> String {
    match db.query(sql, &[]) {
        Ok(outcome) => panic!("{sql} gave {outcome:?}"),
        Err(error) => error.message,
    }
}

#[test]
fn errors_have_the_platforms_words() {
    let cases = [
        (
            "SELEKT",
            "near \"SELEKT\": syntax error at offset 0: SQLITE_ERROR",
        ),
        (
            "SELECT ;",
            "near \";\": syntax error at offset 7: SQLITE_ERROR",
        ),
        ("SELECT * FROM nope", "no such table: nope: SQLITE_ERROR"),
        (
            "SELECT * FROM _cf_KV",
            "no such table: _cf_KV: SQLITE_ERROR",
        ),
        (
            "SELECT nope FROM t",
            "no such column: nope at offset 7: SQLITE_ERROR",
        ),
        (
            "INSERT INTO t VALUES (1, 'two', 1)",
            "UNIQUE constraint failed: t.id: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_PRIMARYKEY)",
        ),
        (
            "INSERT INTO t VALUES (2, 'one', 1)",
            "UNIQUE constraint failed: t.a: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_UNIQUE)",
        ),
        (
            "INSERT INTO t VALUES (2, NULL, 1)",
            "NOT NULL constraint failed: t.a: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_NOTNULL)",
        ),
        (
            "INSERT INTO t VALUES (2, 'two', 0)",
            "CHECK constraint failed: n > 0: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_CHECK)",
        ),
        (
            "INSERT INTO child VALUES (9)",
            "FOREIGN KEY constraint failed: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_FOREIGNKEY)",
        ),
        (
            "INSERT INTO t (rowid, a) VALUES ('yeah', 'nah')",
            "datatype mismatch: SQLITE_MISMATCH",
        ),
        (
            "SELECT ?",
            "Wrong number of parameter bindings for SQL query.",
        ),
        (
            "SELECT ?101",
            "variable number must be between ?1 and ?100 at offset 7: SQLITE_ERROR",
        ),
        (
            "SELECT abs(-9223372036854775808)",
            "integer overflow: SQLITE_ERROR",
        ),
        (
            "SELECT sqlite_version()",
            "not authorized to use function: sqlite_version at offset 7: SQLITE_ERROR",
        ),
        (
            "SELECT ceiling(1.5)",
            "not authorized to use function: ceiling at offset 7: SQLITE_ERROR",
        ),
    ];
    for dialect in BOTH {
        let mut db = fresh(dialect);
        for (sql, expected) in cases {
            assert_eq!(error(&mut db, sql), expected, "{sql}");
        }
        assert!(
            db.query("INSERT INTO t VALUES (1, 'x', 1)", &[])
                .unwrap_err()
                .is_constraint()
        );
        assert!(!db.query("SELEKT", &[]).unwrap_err().is_constraint());
    }
}

#[test]
fn a_query_needs_a_statement_and_migrations_may_have_comments() {
    let mut d1 = fresh(Dialect::D1);
    let mut object = fresh(Dialect::DurableObject);
    for sql in ["", " ", ";", "-- nothing", "/* nothing */ ; \n"] {
        let file = d1.execute_script(sql, &[]).unwrap_err();
        assert_eq!(file.message, "No SQL statements detected.", "{sql:?}");
        for db in [&mut d1, &mut object] {
            assert_eq!(
                error(db, sql),
                "SQL code did not contain a statement.",
                "{sql:?}"
            );
        }
    }
    let commented = "SELECT 1; -- and that was it";
    assert_eq!(
        d1.execute_script(commented, &[]).unwrap().rows,
        [[Value::Integer(1)]]
    );
    assert_eq!(
        error(&mut d1, commented),
        "SQL code did not contain a statement."
    );
    assert_eq!(
        d1.query("; SELECT 1", &[]).unwrap().rows,
        [[Value::Integer(1)]]
    );
    assert_eq!(
        error(&mut object, commented),
        "SQL code did not contain a statement."
    );
    assert_eq!(
        error(&mut object, "SELECT 1\0"),
        "SQL code did not contain a statement."
    );
    for ending in ["", ";", "; ", ";\t\r\n"] {
        assert!(
            object.query(&format!("SELECT 1{ending}"), &[]).is_ok(),
            "{ending:?}"
        );
    }
}

#[test]
fn several_statements_run_in_order_and_parameters_belong_to_the_last() {
    for dialect in BOTH {
        let mut db = fresh(dialect);
        let script = "CREATE TABLE s (x); INSERT INTO s VALUES (1); INSERT INTO s VALUES (?1)";
        db.query(script, &[2.into()]).unwrap();
        let both = db.query("SELECT 0; SELECT x FROM s", &[]).unwrap();
        assert_eq!(both.rows, [[Value::Integer(1)], [Value::Integer(2)]]);
        let early = db
            .query("INSERT INTO s VALUES (?); SELECT 1", &[3.into()])
            .unwrap_err();
        assert_eq!(early.kind, ErrorKind::Refused);
        assert_eq!(
            early.message,
            "When executing multiple SQL statements in a single call, only the last statement can have parameters."
        );
        // What ran before the failing statement stays, unless the caller rolls back.
        assert_eq!(
            error(&mut db, "INSERT INTO s VALUES (4); SELECT * FROM nope"),
            "no such table: nope: SQLITE_ERROR"
        );
        assert_eq!(
            db.query("SELECT count(*) FROM s", &[]).unwrap().rows,
            [[Value::Integer(3)]]
        );
    }
}

#[test]
fn transactions_in_sql_are_refused() {
    for dialect in BOTH {
        let mut db = fresh(dialect);
        for sql in [
            "BEGIN",
            "BEGIN IMMEDIATE TRANSACTION",
            "COMMIT",
            "END",
            "ROLLBACK",
            "SAVEPOINT s",
            "RELEASE s",
            "ROLLBACK TO s",
        ] {
            let message = error(&mut db, sql);
            assert!(
                message.starts_with(
                    "To execute a transaction, please use the state.storage.transaction() or state.storage.transactionSync() APIs instead of"
                ) && message.ends_with("automatic atomic write coalescing."),
                "{sql}: {message}"
            );
        }
        assert!(!db.in_transaction());
    }
}

#[test]
fn what_could_reach_outside_or_inside_is_refused() {
    const DENIED: &str = "not authorized: SQLITE_AUTH";
    for dialect in BOTH {
        let mut db = fresh(dialect);
        for sql in [
            "ATTACH 'x.db' AS x",
            "DETACH main",
            "PRAGMA journal_mode",
            "PRAGMA page_size = 8192",
            "PRAGMA data_version = 5",
            "PRAGMA max_page_count = 65536",
            "PRAGMA hard_heap_limit = 1024",
            "PRAGMA writable_schema = 1",
            "PRAGMA JOURNAL_MODE",
            "PRAGMA foreign_keys = maybe",
            "PRAGMA table_info(_cf_KV)",
            "PRAGMA quick_check(_cf_KV)",
            "CREATE TABLE _cf_mine (a)",
            "CREATE TABLE _CF_MINE (a)",
            "CREATE INDEX _cf_i ON t (n)",
            "CREATE VIEW _cf_v AS SELECT 1",
            "ALTER TABLE t RENAME TO _cf_t",
            "ALTER TABLE t RENAME TO \"_cf_t\"",
            "CREATE TEMP TABLE x (a)",
            "CREATE VIRTUAL TABLE x USING fts3(a)",
            "CREATE VIRTUAL TABLE x USING dbstat",
        ] {
            assert_eq!(error(&mut db, sql), DENIED, "{sql}");
        }
        for sql in [
            "UPDATE sqlite_master SET sql = ''",
            "DELETE FROM sqlite_schema",
            "VACUUM",
            "VACUUM INTO 'x.db'",
            "SELECT load_extension('x')",
        ] {
            error(&mut db, sql);
        }
        db.query("CREATE TABLE rename (a)", &[]).unwrap();
        assert_eq!(error(&mut db, "ALTER TABLE rename RENAME TO _cf_x"), DENIED);
    }
}

#[test]
fn what_the_platform_offers_works() {
    for dialect in BOTH {
        let mut db = fresh(dialect);
        for sql in [
            "PRAGMA table_list",
            "PRAGMA table_info(t)",
            "PRAGMA table_xinfo(t)",
            "PRAGMA data_version",
            "PRAGMA page_size",
            "PRAGMA foreign_keys = 'off'",
            "PRAGMA foreign_keys = ON",
            "PRAGMA defer_foreign_keys = true",
            "PRAGMA foreign_key_check",
            "PRAGMA foreign_key_list(child)",
            "PRAGMA index_list(t)",
            "PRAGMA quick_check",
            "PRAGMA quick_check(100)",
            "PRAGMA quick_check(t)",
            "PRAGMA optimize(-1)",
            "PRAGMA optimize=0x10002",
            "ANALYZE",
            "REINDEX",
            "ALTER TABLE t RENAME COLUMN n TO m",
            "ALTER TABLE t ADD COLUMN extra DEFAULT 7",
            "ALTER TABLE t DROP COLUMN extra",
            "ALTER TABLE child RENAME TO children",
            "SELECT name FROM pragma_table_info('t')",
            "CREATE VIRTUAL TABLE docs USING FtS5(title, body, tokenize = porter)",
            "CREATE VIRTUAL TABLE words USING fts5vocab(docs, row)",
            "INSERT INTO docs VALUES ('a', 'some contents')",
            "SELECT highlight(docs, 1, '<b>', '</b>'), bm25(docs) FROM docs WHERE docs MATCH 'content' ORDER BY rank",
            "SELECT * FROM words",
            "CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1)",
            "INSERT INTO boxes VALUES (1, 0, 1)",
            "SELECT json_object('a', json_array(1, 2)) ->> '$.a[1]', jsonb('[1]'), '[1]' -> 0",
            "SELECT sum(n), row_number() OVER (ORDER BY n) FROM (SELECT 1 AS n)",
            "SELECT concat_ws('-', 1, 2), string_agg('a', ','), unhex('ff'), octet_length('é')",
            "SELECT timediff('2026-01-02', '2026-01-01'), strftime('%s', 'now')",
            "EXPLAIN QUERY PLAN SELECT * FROM t WHERE id = 1",
        ] {
            db.query(sql, &[])
                .unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
        let found = db
            .query("SELECT body FROM docs WHERE docs MATCH 'content'", &[])
            .unwrap();
        assert_eq!(found.rows, [[Value::Text("some contents".to_owned())]]);
    }
}

#[test]
fn mathematical_functions_answer_as_sqlites_own() {
    let mut db = fresh(Dialect::D1);
    for (sql, expected) in [
        ("cos(0)", Value::Real(1.0)),
        ("ceil(2)", Value::Integer(2)),
        ("ceil(1.2)", Value::Real(2.0)),
        ("floor('-1.5')", Value::Real(-2.0)),
        ("trunc(-1.5)", Value::Real(-1.0)),
        ("ceil('x')", Value::Null),
        ("pow(2, 10)", Value::Real(1024.0)),
        ("mod(7, 4)", Value::Real(3.0)),
        ("mod(7, 0)", Value::Null),
        ("log(1000)", Value::Real(1000f64.log10())),
        ("log(2, 8)", Value::Real(8f64.ln() / 2f64.ln())),
        ("log(1, 8)", Value::Null),
        ("ln(0)", Value::Null),
        ("log2(8)", Value::Real(3.0)),
        ("sqrt(-1)", Value::Null),
        ("sqrt(NULL)", Value::Null),
        ("acos(2)", Value::Null),
        ("pi()", Value::Real(std::f64::consts::PI)),
        ("round(degrees(pi()))", Value::Real(180.0)),
        ("sign(-3.5)", Value::Integer(-1)),
    ] {
        assert_eq!(
            db.query(&format!("SELECT {sql}"), &[]).unwrap().rows,
            [[expected]],
            "{sql}"
        );
    }
}

#[test]
fn limits_are_the_documented_ones_and_hold_at_the_edge() {
    let list = |count: usize, item: &str| vec![item; count].join(", ");
    for dialect in BOTH {
        let mut db = fresh(dialect);
        let columns = |count: usize| {
            (0..count)
                .map(|n| format!("c{n}"))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let cases = [
            (
                format!("CREATE TABLE w ({})", columns(100)),
                format!("CREATE TABLE v ({})", columns(101)),
                "too many columns on v: SQLITE_ERROR",
            ),
            (
                format!("SELECT 1{}", " ".repeat(99_992)),
                format!("SELECT 1{}", " ".repeat(99_993)),
                "statement too long: SQLITE_TOOBIG",
            ),
            (
                format!("SELECT 'x' LIKE '{}'", "x".repeat(50)),
                format!("SELECT 'x' LIKE '{}'", "x".repeat(51)),
                "LIKE or GLOB pattern too complex: SQLITE_ERROR",
            ),
            (
                ["SELECT 1"; 5].join(" UNION ALL "),
                ["SELECT 1"; 6].join(" UNION ALL "),
                "too many terms in compound SELECT: SQLITE_ERROR",
            ),
            (
                format!("SELECT json_array({})", list(32, "1")),
                format!("SELECT json_array({})", list(33, "1")),
                "too many arguments on function json_array at offset 7: SQLITE_ERROR",
            ),
            (
                format!("SELECT {}1{}", "(".repeat(40), ")".repeat(40)),
                format!("SELECT {}", ["1"; 102].join("+")),
                "Expression tree is too large (maximum depth 100): SQLITE_ERROR",
            ),
        ];
        for (within, beyond, expected) in cases {
            let shown = &within[..within.len().min(80)];
            db.query(&within, &[])
                .unwrap_or_else(|error| panic!("{shown}: {error}"));
            assert_eq!(error(&mut db, &beyond), expected, "{shown}");
        }
        let hundred = format!("SELECT {}", list(100, "?"));
        db.query(&hundred, &vec![Value::Null; 100]).unwrap();
        let over = db
            .query(&format!("{hundred}, ?"), &vec![Value::Null; 101])
            .unwrap_err();
        assert_eq!(
            over.message,
            "too many SQL variables at offset 307: SQLITE_ERROR"
        );

        let too_big = "string or blob too big: SQLITE_TOOBIG";
        for value in [
            Value::Text("x".repeat(2_000_000)),
            Value::Blob(vec![0; 2_000_000]),
        ] {
            db.query("SELECT length(?)", &[value]).unwrap();
        }
        for value in [
            Value::Text("x".repeat(2_000_001)),
            Value::Blob(vec![0; 2_000_001]),
        ] {
            assert_eq!(
                db.query("SELECT length(?)", &[value]).unwrap_err().message,
                too_big
            );
        }
        assert_eq!(error(&mut db, "SELECT randomblob(2000001)"), too_big);
        db.set_limits(Limits::RUNTIME);
        db.query(
            "SELECT length(?)",
            &[Value::Text("x".repeat(4 * 1024 * 1024))],
        )
        .unwrap();
        db.query(&format!("SELECT json_array({})", list(127, "1")), &[])
            .unwrap();
    }
}

#[test]
fn an_endless_query_ends_as_an_overrun() {
    let endless = "WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) SELECT";
    for (dialect, cpu, memory) in [
        (
            Dialect::D1,
            "D1 DB exceeded its CPU time limit and was reset.",
            "D1 DB's isolate exceeded its memory limit and was reset.",
        ),
        (
            Dialect::DurableObject,
            "Durable Object exceeded its CPU time limit and was reset.",
            "Durable Object's isolate exceeded its memory limit and was reset.",
        ),
    ] {
        let mut db = fresh(dialect);
        db.set_limits(Limits {
            executed_ops: 1_000_000,
            result_bytes: 1 << 20,
            ..Limits::DOCUMENTED
        });
        let slow = db
            .query(&format!("{endless} max(i) FROM c"), &[])
            .unwrap_err();
        assert_eq!(
            (slow.message.as_str(), slow.kind),
            (cpu, ErrorKind::Overrun)
        );
        let large = db
            .query(&format!("{endless} hex(zeroblob(1000)) FROM c"), &[])
            .unwrap_err();
        assert_eq!(
            (large.message.as_str(), large.kind),
            (memory, ErrorKind::Overrun)
        );
        // Each statement has the whole allowance.
        for _ in 0..10 {
            assert_eq!(
                db.query(
                    &format!("{endless} max(i) FROM (SELECT i FROM c LIMIT 10000)"),
                    &[]
                )
                .unwrap()
                .rows
                .len(),
                1
            );
        }
    }
}

#[test]
fn a_full_database_refuses_writes_and_keeps_reading_and_deleting() {
    let mut db = fresh(Dialect::DurableObject);
    db.set_max_size_bytes(db.size_bytes() + 8 * 4096).unwrap();
    let insert =
        |db: &mut Database| db.query("INSERT INTO t (a) VALUES (hex(randomblob(1500)))", &[]);
    let mut inserted = 0;
    let full = loop {
        match insert(&mut db) {
            Ok(_) => inserted += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(full.message, "database or disk is full: SQLITE_FULL");
    assert!((1..20).contains(&inserted), "{inserted}");
    assert_eq!(
        db.query("SELECT a FROM t", &[]).unwrap().rows.len(),
        inserted + 1
    );
    db.query("DELETE FROM t WHERE id > 1", &[]).unwrap();
    insert(&mut db).unwrap();
}

#[test]
fn the_size_counts_used_pages() {
    let mut db = Database::in_memory(Dialect::D1).unwrap();
    assert_eq!(db.size_bytes(), 0);
    db.query("CREATE TABLE t (a)", &[]).unwrap();
    assert_eq!(db.size_bytes(), 2 * 4096);
    db.query("INSERT INTO t VALUES (zeroblob(100000))", &[])
        .unwrap();
    let full = db.size_bytes();
    assert!(full > 100_000, "{full}");
    db.query("DELETE FROM t", &[]).unwrap();
    assert_eq!(db.size_bytes(), 2 * 4096, "freed pages are not counted");
}

#[test]
fn values_come_back_as_they_went_in() {
    let mut db = fresh(Dialect::D1);
    let values = [
        Value::Null,
        Value::Integer(i64::MAX),
        Value::Integer(i64::MIN),
        Value::Real(0.1),
        Value::Real(f64::INFINITY),
        Value::Text(String::new()),
        Value::Text("é\0x".to_owned()),
        Value::Blob(Vec::new()),
        Value::Blob(vec![0, 255]),
    ];
    let outcome = db
        .query("SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?", &values)
        .unwrap();
    assert_eq!(outcome.rows, [values]);
    assert_eq!(
        db.query("SELECT ?", &[Value::Real(f64::NAN)]).unwrap().rows,
        [[Value::Null]]
    );
    let invalid = db.query("SELECT CAST(x'61ff' AS TEXT)", &[]).unwrap();
    assert_eq!(invalid.rows, [[Value::Text("a\u{fffd}".to_owned())]]);
    let names = db
        .query("SELECT 1 AS a, 2 AS a, ?", &[Value::Null])
        .unwrap();
    assert_eq!(&*names.columns, ["a", "a", "?"]);
}

#[test]
fn a_cached_statement_sees_the_columns_of_today() {
    let mut db = fresh(Dialect::D1);
    assert_eq!(db.query("SELECT * FROM t", &[]).unwrap().columns.len(), 3);
    db.query("ALTER TABLE t ADD COLUMN extra", &[]).unwrap();
    assert_eq!(
        &*db.query("SELECT * FROM t", &[]).unwrap().columns,
        ["id", "a", "n", "extra"]
    );
    db.savepoint("s").unwrap();
    db.query("ALTER TABLE t RENAME COLUMN extra TO other", &[])
        .unwrap();
    assert_eq!(
        db.query("SELECT * FROM t", &[]).unwrap().columns[3],
        "other"
    );
    db.rollback_to("s").unwrap();
    assert_eq!(
        db.query("SELECT * FROM t", &[]).unwrap().columns[3],
        "extra"
    );
    // Many more statements than are kept, then the first again.
    for n in 0..1000 {
        assert_eq!(
            db.query(&format!("SELECT {n}"), &[]).unwrap().rows,
            [[Value::Integer(n)]]
        );
    }
    assert_eq!(db.query("SELECT * FROM t", &[]).unwrap().rows.len(), 1);
}

#[test]
fn statements_are_cut_where_sqlite_cuts_them() {
    let trigger = "CREATE TEMP TRIGGER x AFTER INSERT ON t BEGIN SELECT CASE WHEN 1 THEN 2 END; SELECT 3; END";
    for (sql, expected) in [
        ("", vec![]),
        (" ;; -- only this\n;/* ; */", vec![]),
        ("SELECT 1", vec!["SELECT 1"]),
        ("SELECT 1; SELECT 2 ;", vec!["SELECT 1", "SELECT 2"]),
        (
            "SELECT ';', \";\", `;`, [;], 'it''s;'; SELECT 2",
            vec!["SELECT ';', \";\", `;`, [;], 'it''s;'", "SELECT 2"],
        ),
        (
            "SELECT 1 -- ;\n, 2; SELECT /* ; */ 3",
            vec!["SELECT 1 -- ;\n, 2", "SELECT /* ; */ 3"],
        ),
        ("SELECT 'open; SELECT 2", vec!["SELECT 'open; SELECT 2"]),
        ("SELECT 1; /* open; SELECT 2", vec!["SELECT 1"]),
        (
            "INSERT INTO end VALUES ('é;'); SELECT 2",
            vec!["INSERT INTO end VALUES ('é;')", "SELECT 2"],
        ),
        (
            "CREATE TABLE trigger (a); SELECT 2",
            vec!["CREATE TABLE trigger (a)", "SELECT 2"],
        ),
    ] {
        assert_eq!(Database::split_statements(sql), expected, "{sql}");
    }
    for prefix in ["", "explain ", "EXPLAIN QUERY PLAN "] {
        let script = format!("{prefix}{trigger}; SELECT 4");
        assert_eq!(
            Database::split_statements(&script),
            [format!("{prefix}{trigger}").as_str(), "SELECT 4"]
        );
    }
}

//! Hostile SQL never breaks anything, and ordinary SQL does what a map would do.

use std::collections::BTreeMap;

use edgeproof_sqlite::{Database, Dialect, ErrorKind, Limits, Outcome, SqlError, Value};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

#[rustfmt::skip]
const TOKENS: &[&str] = &[
    "SELECT", "INSERT", "INTO", "VALUES", "UPDATE", "SET", "DELETE", "FROM", "WHERE", "t", "id", "a", "*", "(", ")", ",", ";", "=",
    "?", "?1", "?99", "?101", ":x", "1", "-1", "9223372036854775807", "1e999", "'text'", "\"id\"", "x'00ff'", "NULL", "count(*)",
    "random()", "randomblob(99)", "CREATE", "TABLE", "INDEX", "ON", "VIEW", "AS", "TRIGGER", "BEGIN", "END", "AFTER", "WITH", "RECURSIVE",
    "c(i)", "UNION ALL", "ORDER BY", "LIMIT", "RETURNING", "REPLACE", "OR", "ROLLBACK", "ABORT", "FAIL", "COMMIT", "SAVEPOINT", "PRAGMA", "DROP",
    "ALTER", "RENAME TO", "ADD COLUMN", "EXPLAIN", "ATTACH", "VACUUM", "ANALYZE", "REINDEX", "_cf_x", "sqlite_master", "json_each", "'['", "--", "/*",
    "*/", "'", "\"", "[", "`", "\0", "é", "\u{1f600}", "\n", "CASE WHEN", "THEN", "ELSE", "LIKE", "MATCH", "zeroblob(1000000)", "hex(", "group_concat(a)",
    "INSERT INTO t VALUES (NULL, 1)", "INSERT OR ROLLBACK INTO t VALUES (1, 1)", "DELETE FROM t", "DROP TABLE t", "SELECT * FROM t",
];

fn soup() -> impl Strategy<Value = String> {
    prop_oneof![
        vec(select(TOKENS), 0..24).prop_map(|tokens| tokens.join(" ")),
        vec(any::<u8>(), 0..200).prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        (vec(select(TOKENS), 0..12), any::<String>())
            .prop_map(|(tokens, rest)| tokens.concat() + &rest),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::Integer),
        any::<f64>().prop_map(Value::Real),
        ".{0,20}".prop_map(Value::Text),
        vec(any::<u8>(), 0..20).prop_map(Value::Blob),
    ]
}

fn small() -> Limits {
    Limits {
        executed_ops: 200_000,
        result_bytes: 1 << 20,
        ..Limits::DOCUMENTED
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn no_sql_panics_and_a_transaction_can_always_be_rolled_back(
        texts in vec((soup(), vec(value(), 0..4), any::<bool>()), 1..8),
        dialect in select(&[Dialect::D1, Dialect::DurableObject][..]),
    ) {
        let mut db = Database::in_memory(dialect).unwrap();
        db.set_limits(small());
        db.execute_script("CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES (1, 'kept')", &[]).unwrap();
        db.begin().unwrap();
        db.query("UPDATE t SET a = 'lost'", &[]).unwrap();
        for (sql, params, script) in &texts {
            // Whatever it answers: what must hold is what comes after.
            let answer = if *script { db.execute_script(sql, params) } else { db.query(sql, params) };
            if let Err(error) = answer {
                prop_assert!(!error.message.is_empty());
                prop_assert!(!error.message.contains("MISUSE"), "{sql:?}: {error}");
            }
            let _statements = Database::split_statements(sql);
            if !db.in_transaction() {
                // `INSERT OR ROLLBACK` and overruns end the transaction by themselves.
                db.begin().unwrap();
            }
        }
        db.rollback().unwrap();
        prop_assert!(!db.in_transaction());
        let rows = db.query("SELECT a FROM t WHERE id = 1", &[]);
        // Only statements after an early rollback can have been committed, and none was: there is no COMMIT in SQL.
        prop_assert_eq!(rows.unwrap().rows, [[Value::Text("kept".to_owned())]]);
    }

    #[test]
    fn the_pieces_of_a_script_are_in_it_in_order_and_need_no_further_cutting(sql in soup()) {
        let mut rest = sql.as_str();
        for piece in Database::split_statements(&sql) {
            let at = rest.find(piece).expect("a piece of the text");
            rest = &rest[at + piece.len()..];
            prop_assert_eq!(Database::split_statements(piece), [piece]);
        }
    }
}

/// One step of a random history on a table with a key, an indexed column and a unique one.
#[derive(Clone, Debug)]
enum Step {
    Insert(i64, i64, String),
    Replace(i64, i64, String),
    AddTo(i64, i64),
    Delete(i64),
    DeleteWhere(i64),
    Count,
    Begin,
    Commit,
    Rollback,
    Savepoint,
    RollbackTo,
    Release,
}

fn step() -> impl Strategy<Value = Step> {
    let row = || (0..20i64, 0..5i64, "[ab]{1,2}");
    prop_oneof![
        4 => row().prop_map(|(id, n, s)| Step::Insert(id, n, s)),
        2 => row().prop_map(|(id, n, s)| Step::Replace(id, n, s)),
        2 => (0..5i64, 1..3i64).prop_map(|(n, by)| Step::AddTo(n, by)),
        2 => (0..20i64).prop_map(Step::Delete),
        1 => (0..5i64).prop_map(Step::DeleteWhere),
        1 => Just(Step::Count),
        2 => Just(Step::Begin),
        1 => Just(Step::Commit),
        1 => Just(Step::Rollback),
        2 => Just(Step::Savepoint),
        1 => Just(Step::RollbackTo),
        1 => Just(Step::Release),
    ]
}

type Rows = BTreeMap<i64, (i64, String)>;

/// The table as a map, and the copies that transactions and savepoints go back to.
#[derive(Default)]
struct Model {
    rows: Rows,
    begun: Option<Rows>,
    savepoints: Vec<Rows>,
}

impl Model {
    fn is_taken(&self, id: i64, unique: &str) -> bool {
        self.rows
            .iter()
            .any(|(&other, row)| other == id || row.1 == unique)
    }
}

fn read(db: &mut Database) -> Rows {
    let outcome = db.query("SELECT id, n, s FROM t ORDER BY id", &[]).unwrap();
    let rows = outcome
        .rows
        .into_iter()
        .map(|row| match <[Value; 3]>::try_from(row) {
            Ok([Value::Integer(id), Value::Integer(n), Value::Text(s)]) => (id, (n, s)),
            other => panic!("an unexpected row: {other:?}"),
        });
    rows.collect()
}

fn check_write(
    result: Result<Outcome, SqlError>,
    expected: Result<usize, ()>,
) -> Result<(), TestCaseError> {
    match (result, expected) {
        (Ok(outcome), Ok(changes)) => prop_assert_eq!(outcome.changes, changes as u64),
        (Err(error), Err(())) => prop_assert!(error.is_constraint(), "{}", error),
        (result, expected) => prop_assert!(false, "{result:?} instead of {expected:?}"),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_table_behaves_like_a_map_with_undo(steps in vec(step(), 1..60)) {
        let mut db = Database::in_memory(Dialect::D1).unwrap();
        db.execute_script(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, s TEXT NOT NULL UNIQUE); CREATE INDEX t_n ON t (n)",
            &[],
        ).unwrap();
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Insert(id, n, s) => {
                    let expected = if model.is_taken(id, &s) { Err(()) } else { Ok(1) };
                    let params = [id.into(), n.into(), s.clone().into()];
                    check_write(db.query("INSERT INTO t VALUES (?1, ?2, ?3)", &params), expected)?;
                    if expected.is_ok() {
                        model.rows.insert(id, (n, s));
                    }
                }
                Step::Replace(id, n, s) => {
                    let params = [id.into(), n.into(), s.clone().into()];
                    check_write(db.query("REPLACE INTO t VALUES (?1, ?2, ?3)", &params), Ok(1))?;
                    model.rows.retain(|_, row| row.1 != s);
                    model.rows.insert(id, (n, s));
                }
                Step::AddTo(n, by) => {
                    let hit = model.rows.values().filter(|row| row.0 == n).count();
                    check_write(db.query("UPDATE t SET n = n + ?2 WHERE n = ?1", &[n.into(), by.into()]), Ok(hit))?;
                    model.rows.values_mut().filter(|row| row.0 == n).for_each(|row| row.0 += by);
                }
                Step::Delete(id) => {
                    let expected = usize::from(model.rows.remove(&id).is_some());
                    check_write(db.query("DELETE FROM t WHERE id = ?", &[id.into()]), Ok(expected))?;
                }
                Step::DeleteWhere(n) => {
                    let before = model.rows.len();
                    model.rows.retain(|_, row| row.0 != n);
                    let outcome = db.query("DELETE FROM t WHERE n = ?", &[n.into()]);
                    check_write(outcome, Ok(before - model.rows.len()))?;
                }
                Step::Count => {
                    let outcome = db.query("SELECT count(*) FROM t", &[]).unwrap();
                    prop_assert_eq!(outcome.rows, [[Value::Integer(model.rows.len() as i64)]]);
                    prop_assert_eq!(outcome.rows_read, model.rows.len() as u64);
                }
                Step::Begin => {
                    let is_open = model.begun.is_some() || !model.savepoints.is_empty();
                    prop_assert_eq!(db.begin().is_err(), is_open);
                    if !is_open {
                        model.begun = Some(model.rows.clone());
                    }
                }
                Step::Commit => {
                    let is_open = model.begun.is_some() || !model.savepoints.is_empty();
                    prop_assert_eq!(db.commit().is_ok(), is_open);
                    model.begun = None;
                    model.savepoints.clear();
                }
                Step::Rollback => {
                    db.rollback().unwrap();
                    let oldest = model.begun.take().or_else(|| model.savepoints.first().cloned());
                    model.rows = oldest.unwrap_or(std::mem::take(&mut model.rows));
                    model.savepoints.clear();
                }
                Step::Savepoint => {
                    db.savepoint("a \"name\"").unwrap();
                    model.savepoints.push(model.rows.clone());
                }
                Step::RollbackTo => {
                    let result = db.rollback_to("a \"name\"");
                    prop_assert_eq!(result.is_ok(), !model.savepoints.is_empty());
                    if let Some(rows) = model.savepoints.last() {
                        model.rows = rows.clone();
                    }
                }
                Step::Release => {
                    let result = db.release("a \"name\"");
                    prop_assert_eq!(result.is_ok(), model.savepoints.pop().is_some());
                }
            }
            prop_assert_eq!(db.in_transaction(), model.begun.is_some() || !model.savepoints.is_empty());
            prop_assert_eq!(&read(&mut db), &model.rows);
        }
        let check = db.query("PRAGMA quick_check", &[]).unwrap();
        prop_assert_eq!(check.rows, [[Value::Text("ok".to_owned())]]);
    }
}

#[test]
fn a_deferred_violation_leaves_the_transaction_open() {
    let mut db = Database::in_memory(Dialect::DurableObject).unwrap();
    db.execute_script(
        "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p (id) DEFERRABLE INITIALLY DEFERRED)",
        &[],
    )
    .unwrap();
    db.begin().unwrap();
    db.query("INSERT INTO c VALUES (1)", &[]).unwrap();
    let error = db.commit().unwrap_err();
    assert_eq!(
        error.message,
        "FOREIGN KEY constraint failed: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_FOREIGNKEY)"
    );
    assert!(matches!(error.kind, ErrorKind::Sqlite(_)) && db.in_transaction());
    db.query("INSERT INTO p VALUES (1)", &[]).unwrap();
    db.commit().unwrap();
    assert_eq!(db.query("SELECT * FROM c", &[]).unwrap().rows.len(), 1);
}

//! D1, as a Worker meets it: results and meta, transactions, errors, time, order, bill.

use edgeproof_sim::bill::usage::Meter;
use edgeproof_sim::world::World;
use edgeproof_sim::world::builder::Builder;
use edgeproof_sim::world::client::Client;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use support::inside::{at, failure, instant, message, platform};
use worker::wasm_bindgen::JsValue;
use worker::*;

fn with_table() -> Builder {
    platform(&["IAD"]).seed_sql(
        "DB",
        "test",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT UNIQUE)",
    )
}

/// Runs `code` with the database, once, in a world of its own.
fn with_db<T: 'static>(code: impl AsyncFnOnce(D1Database) -> Result<T> + 'static) -> (World, T) {
    let world = with_table().build().expect("builds");
    let value = world.run(async |world| {
        let client = world.client("IAD");
        at(&client, async move |env, _| code(env.d1("DB")?).await).await
    });
    (world, value)
}

fn text(text: &str) -> JsValue {
    JsValue::from_str(text)
}

#[test]
fn rows_read_and_written_stand_in_the_meta_and_on_the_bill() {
    let (world, metas) = with_db(async |db| {
        let mut metas = Vec::new();
        let mut run = async |statement: D1PreparedStatement| {
            let meta = statement.run().await?.meta()?.expect("it has one");
            let row = [meta.rows_read, meta.rows_written, meta.changes]
                .map(|count| count.expect("it is counted"));
            metas.push((
                row,
                meta.changed_db == Some(true),
                meta.last_row_id.expect("it is known"),
            ));
            Ok::<_, Error>(())
        };
        run(db.prepare("INSERT INTO t(v) VALUES ('a'), ('b'), ('c')")).await?;
        run(db.prepare("SELECT * FROM t")).await?;
        run(db.prepare("SELECT * FROM t WHERE id = 2")).await?;
        run(db.prepare("SELECT count(*) FROM t")).await?;
        run(db.prepare("DELETE FROM t WHERE id = 1")).await?;
        Ok(metas)
    });
    // Three rows, each with an entry in the index of `v`.
    assert_eq!(metas[0], ([0, 6, 3], true, 3));
    let reads: Vec<usize> = metas[1..4].iter().map(|(counts, ..)| counts[0]).collect();
    assert_eq!(
        reads,
        [3, 1, 3],
        "rows scanned: all, one by its key, all for a count"
    );
    assert!(
        metas[1..4]
            .iter()
            .all(|(counts, changed, _)| counts[1..] == [0, 0] && !changed)
    );
    assert!(metas[4].0[1] >= 1 && metas[4].0[2] == 1 && metas[4].1);
    let sum = |place: usize| {
        metas
            .iter()
            .map(|(counts, ..)| counts[place] as u64)
            .sum::<u64>()
    };
    let usage = world.usage();
    assert_eq!(
        (
            usage.total(Meter::D1RowsRead),
            usage.total(Meter::D1RowsWritten)
        ),
        (sum(0), sum(1))
    );
    assert!(usage.total(Meter::D1StoredBytes) > 0);
}

#[test]
fn a_batch_is_one_transaction() {
    let (_, (error, rows, results)) = with_db(async |db| {
        let insert = |value: &str| {
            db.prepare("INSERT INTO t(v) VALUES (?)")
                .bind(&[text(value)])
        };
        let results = db
            .batch(vec![
                insert("a")?,
                insert("b")?,
                db.prepare("SELECT v FROM t ORDER BY v"),
            ])
            .await?;
        let rows = results[2].results::<Value>()?;
        let error = db
            .batch(vec![insert("c")?, insert("a")?, insert("d")?])
            .await
            .map(drop);
        let count = db
            .prepare("SELECT count(*) AS n FROM t")
            .first::<u64>(Some("n"))
            .await?;
        Ok((failure(error), count, rows))
    });
    assert_eq!(
        error,
        "D1_ERROR: UNIQUE constraint failed: t.v: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_UNIQUE)"
    );
    assert_eq!(rows, Some(2), "nothing of the failed batch is kept");
    assert_eq!(results, [json!({ "v": "a" }), json!({ "v": "b" })]);
}

#[test]
fn errors_have_the_prefix_in_the_message_and_the_bare_text_in_the_cause() {
    let (_, errors) = with_db(async |db| {
        let mut errors = Vec::new();
        let bound = db.prepare("SELECT ?1").bind(&[JsValue::UNDEFINED]);
        for error in [
            db.prepare("SELEKT 1").run().await.expect_err("no SQL"),
            db.prepare("SELECT * FROM nowhere")
                .run()
                .await
                .expect_err("no table"),
            db.prepare("-- nothing")
                .run()
                .await
                .expect_err("no statement"),
            db.prepare("SELECT 1 AS a")
                .first::<u32>(Some("b"))
                .await
                .expect_err("no column"),
            db.prepare("SELECT ?, ?")
                .bind(&[text("a")])?
                .run()
                .await
                .expect_err("one is missing"),
            db.exec("SELECT 1\nSELEKT 2")
                .await
                .expect_err("no SQL in the second line"),
            bound.expect_err("no SQL type"),
        ] {
            let Error::D1(error) = &error else {
                panic!("{error:?} is not an error of D1")
            };
            errors.push((
                String::from(AsRef::<js_sys::Error>::as_ref(error).message()),
                error.cause(),
            ));
        }
        Ok(errors)
    });
    let expected = [
        (
            "D1_ERROR: near \"SELEKT\": syntax error at offset 0: SQLITE_ERROR",
            "near \"SELEKT\": syntax error at offset 0: SQLITE_ERROR",
        ),
        (
            "D1_ERROR: no such table: nowhere: SQLITE_ERROR",
            "no such table: nowhere: SQLITE_ERROR",
        ),
        (
            "D1_ERROR: No SQL statements detected.",
            "No SQL statements detected.",
        ),
        (
            "D1_COLUMN_NOTFOUND: Column not found (b)",
            "Column not found",
        ),
        (
            "D1_ERROR: Wrong number of parameter bindings for SQL query.",
            "Wrong number of parameter bindings for SQL query.",
        ),
        (
            "D1_EXEC_ERROR: Error in line 1: SELECT 1: near \"SELEKT\": syntax error at offset 0: SQLITE_ERROR",
            "",
        ),
        (
            "D1_TYPE_ERROR: Type 'undefined' not supported for value 'undefined'",
            "",
        ),
    ];
    for ((message, cause), (expected, expected_cause)) in errors.iter().zip(expected) {
        assert_eq!(message, expected);
        assert!(
            expected_cause.is_empty() || cause == expected_cause,
            "{cause}"
        );
        assert!(
            message.ends_with(cause.as_str()) || cause == "Column not found",
            "{cause}"
        );
    }
}

#[test]
fn every_type_comes_back_as_it_went_in() {
    let (_, (row, types, raw, none)) = with_db(async |db| {
        let blob = js_sys::Uint8Array::from(&[1, 2, 255][..]);
        let values = [
            JsValue::NULL,
            JsValue::TRUE,
            JsValue::from_f64(1.5),
            text("é"),
            blob.into(),
        ];
        let columns = "?1 AS n, ?2 AS b, ?3 AS f, ?4 AS t, ?5 AS x";
        let row = db
            .prepare(format!("SELECT {columns}"))
            .bind(&values)?
            .first::<Value>(None)
            .await?;
        let typed = (1..=5)
            .map(|number| format!("typeof(?{number})"))
            .collect::<Vec<_>>()
            .join(", ");
        let types = db
            .prepare(format!("SELECT {typed}"))
            .bind(&values)?
            .raw::<String>()
            .await?;
        let refs = [
            D1Type::Null,
            D1Type::Boolean(false),
            D1Type::Real(2.5),
            D1Type::Text("x"),
            D1Type::Blob(&[7]),
        ];
        let raw = db
            .prepare(format!("SELECT {columns}"))
            .bind_refs(&refs)?
            .raw::<Value>()
            .await?;
        let none = db.prepare("SELECT * FROM t").first::<Value>(None).await?;
        Ok((row, types, raw, none))
    });
    assert_eq!(
        row,
        Some(json!({ "n": null, "b": 1, "f": 1.5, "t": "é", "x": [1, 2, 255] }))
    );
    assert_eq!(
        types,
        [["null", "real", "real", "text", "blob"]],
        "JavaScript's numbers are doubles"
    );
    assert_eq!(
        raw,
        [[json!(null), json!(0), json!(2.5), json!("x"), json!([7])]]
    );
    assert_eq!(none, None);
}

#[test]
fn run_and_all_give_rows_and_exec_counts_statements() {
    let (_, (run, all, executed)) = with_db(async |db| {
        let executed = db
            .exec("INSERT INTO t(v) VALUES ('a')\nINSERT INTO t(v) VALUES ('b')")
            .await?;
        let select = db.prepare("SELECT v FROM t ORDER BY v");
        Ok((
            select.run().await?.results::<Value>()?,
            select.all().await?.results::<Value>()?,
            executed.count()?,
        ))
    });
    assert_eq!(run, [json!({ "v": "a" }), json!({ "v": "b" })]);
    assert_eq!(all, run);
    assert_eq!(executed, Some(2));
}

#[test]
fn current_timestamp_is_virtual() {
    let world = with_table().build().expect("builds");
    let (before, after) = world.run(async |world| {
        let client = world.client("IAD");
        let now = async |env: Env, _| {
            env.d1("DB")?
                .prepare("SELECT CURRENT_TIMESTAMP AS now")
                .first::<String>(Some("now"))
                .await
        };
        let before = at(&client, now).await;
        world.sleep(Duration::from_secs(86_400)).await;
        (before, at(&client, now).await)
    });
    assert_eq!(
        (before.as_deref(), after.as_deref()),
        (Some("2026-01-01 00:00:00"), Some("2026-01-02 00:00:00"))
    );
}

fn random(seed: u64) -> Vec<f64> {
    let world = platform(&["IAD"]).seed(seed).build().expect("builds");
    world.run(async |world| {
        let client = world.client("IAD");
        at(&client, async |env, _| {
            let rows = env
                .d1("DB")?
                .prepare("SELECT random() % 1000000, random() % 1000000")
                .raw::<f64>()
                .await?;
            Ok(rows.into_iter().next().expect("a row"))
        })
        .await
    })
}

#[test]
fn random_follows_the_seed() {
    assert_eq!(random(1), random(1));
    assert_ne!(random(1), random(2));
    assert_ne!(random(1)[0], random(1)[1]);
}

#[test]
fn a_database_works_on_one_query_at_a_time() {
    let mut options = instant();
    options.d1_service.statement = Duration::from_millis(100);
    let world = platform(&["IAD"]).options(options).build().expect("builds");
    world.run(async |world| {
        let client = world.client("IAD");
        let begin = world.now();
        let query = async |client: &Client| {
            at(client, async |env, _| {
                env.d1("DB")?.prepare("SELECT 1").run().await.map(drop)
            })
            .await;
            world.now().since(begin).as_millis()
        };
        let (one, two, three) = futures_util::join!(query(&client), query(&client), query(&client));
        assert_eq!([one, two, three], [100, 200, 300]);
    });
}

#[test]
fn the_51st_query_of_an_invocation_is_refused_on_the_free_plan() {
    let (_, (allowed, text)) = with_db(async |db| {
        let mut allowed = 0;
        loop {
            match db.prepare("SELECT 1").run().await {
                Ok(_) => allowed += 1,
                Err(error) => return Ok((allowed, message(&error))),
            }
        }
    });
    assert_eq!(allowed, 50);
    assert!(
        text.starts_with("Too many API requests by single Worker invocation."),
        "{text}"
    );
}

// --- random sequences against a model -------------------------------------------------------------------------------

#[derive(Debug, Clone)]
enum Statement {
    Insert(i64, u8),
    /// Fails if the key is there.
    InsertNew(i64, u8),
    Update(i64, u8),
    Delete(i64),
    Wrong,
}

fn batches() -> impl Strategy<Value = Vec<Vec<Statement>>> {
    let statement = prop_oneof![
        3 => (0_i64..6, any::<u8>()).prop_map(|(key, value)| Statement::Insert(key, value)),
        2 => (0_i64..6, any::<u8>()).prop_map(|(key, value)| Statement::InsertNew(key, value)),
        2 => (0_i64..6, any::<u8>()).prop_map(|(key, value)| Statement::Update(key, value)),
        2 => (0_i64..6).prop_map(Statement::Delete),
        1 => Just(Statement::Wrong),
    ];
    prop::collection::vec(prop::collection::vec(statement, 1..5), 1..15)
}

impl Statement {
    fn prepare(&self, db: &D1Database) -> Result<D1PreparedStatement> {
        let number = |number: i64| JsValue::from_f64(number as f64);
        match *self {
            Self::Insert(key, value) => db
                .prepare("INSERT OR REPLACE INTO m VALUES (?, ?)")
                .bind(&[number(key), number(value.into())]),
            Self::InsertNew(key, value) => db
                .prepare("INSERT INTO m VALUES (?, ?)")
                .bind(&[number(key), number(value.into())]),
            Self::Update(key, value) => db
                .prepare("UPDATE m SET v = ?2 WHERE k = ?1")
                .bind(&[number(key), number(value.into())]),
            Self::Delete(key) => db.prepare("DELETE FROM m WHERE k = ?").bind(&[number(key)]),
            Self::Wrong => Ok(db.prepare("INSERT INTO nowhere VALUES (1)")),
        }
    }

    /// Rows changed, or that it fails.
    fn apply(&self, model: &mut BTreeMap<i64, u8>) -> Option<usize> {
        match *self {
            Self::Insert(key, value) => {
                model.insert(key, value);
                Some(1)
            }
            Self::InsertNew(key, _) if model.contains_key(&key) => None,
            Self::InsertNew(key, value) => {
                model.insert(key, value);
                Some(1)
            }
            Self::Update(key, value) => Some(usize::from(
                model.get_mut(&key).map(|old| *old = value).is_some(),
            )),
            Self::Delete(key) => Some(usize::from(model.remove(&key).is_some())),
            Self::Wrong => None,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(150) })]

    #[test]
    fn d1_does_what_its_model_does(batches in batches()) {
        let table = "CREATE TABLE m(k INTEGER PRIMARY KEY, v INTEGER)";
        let world = platform(&["IAD"]).seed_sql("DB", "test", table).build().expect("builds");
        world.run(async |world| {
            let client = world.client("IAD");
            let mut model = BTreeMap::new();
            for batch in batches {
                let mut after = model.clone();
                let expected: Option<Vec<usize>> = batch.iter().map(|statement| statement.apply(&mut after)).collect();
                if expected.is_some() {
                    model = after;
                }
                let (changes, rows) = at(&client, async move |env, _| {
                    let db = env.d1("DB")?;
                    let statements = batch.iter().map(|statement| statement.prepare(&db)).collect::<Result<Vec<_>>>()?;
                    let results = db.batch(statements).await.ok();
                    let changes = results.map(|results| {
                        results.iter().map(|result| result.meta().ok().flatten().and_then(|meta| meta.changes).expect("counted")).collect::<Vec<_>>()
                    });
                    let rows = db.prepare("SELECT k, v FROM m ORDER BY k").raw::<f64>().await?;
                    Ok((changes, rows))
                })
                .await;
                assert_eq!(changes, expected);
                let rows: Vec<_> = rows.iter().map(|row| (row[0] as i64, row[1] as u8)).collect();
                assert_eq!(rows, model.clone().into_iter().collect::<Vec<_>>());
            }
        });
    }
}

#[test]
fn a_dump_of_a_database_is_refused_as_by_the_platform() {
    let world = platform(&["MEX"]).build().expect("builds");
    world.run(async |world| {
        let client = world.client("MEX");
        let text = at(&client, async |env, _| {
            Ok(failure(env.d1("DB")?.dump().await))
        });
        assert_eq!(text.await, "D1_DUMP_ERROR: Status + 400");
    });
}

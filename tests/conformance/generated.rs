//! Generated cases: sequences of calls that proptest makes from the seeds in `seeds.json`.
//!
//! The same seed gives the same case on every machine, so that all arms run the same and the answers can be recorded. A few
//! keys, ids and texts are used again and again, because what matters happens where calls meet.

use crate::case::{Case, Topic, folder};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Calls per case, besides what prepares it.
const CALLS: usize = 14;

/// The generated topics.
pub(crate) fn all() -> Vec<Topic> {
    let file = folder().join("seeds.json");
    let text = std::fs::read_to_string(file).expect("the seeds are where they were");
    let seeds: BTreeMap<String, Vec<u64>> = serde_json::from_str(&text).expect("lists of seeds");
    let topic = |(product, seeds): (String, Vec<u64>)| {
        let case = |seed: u64| {
            let steps = steps(&product, seed);
            Case::new(&format!("{product}: generated from seed {seed}"), &steps)
        };
        Topic {
            name: format!("{product}-generated"),
            cases: seeds.into_iter().map(case).collect(),
        }
    };
    seeds.into_iter().map(topic).collect()
}

fn steps(product: &str, seed: u64) -> Vec<Value> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), random);
    let (mut steps, call) = match product {
        "kv" => (vec![], kv()),
        "d1" => (tables("d1"), d1()),
        "object" => (tables("do"), object()),
        other => panic!("seeds.json has seeds for `{other}`, which nothing generates"),
    };
    let calls = proptest::collection::vec(call, CALLS);
    let tree = calls.new_tree(&mut runner);
    steps.extend(tree.expect("nothing is filtered out").current());
    steps
}

// --- KV ------------------------------------------------------------------------------------------------------------------------

fn kv_key() -> impl Strategy<Value = &'static str> {
    select(&["a", "b", "a/b", "a/c", "A", "é", "a%2Fb", "a b", "z"][..])
}

fn kv() -> BoxedStrategy<Value> {
    let put = (
        kv_key(),
        text(),
        option(metadata()),
        option(select(&[60_u32, 600, 86_400][..])),
    );
    let put = put.prop_map(|(key, value, metadata, ttl)| {
        json!({"kv": "put", "key": key, "value": value, "metadata": metadata, "expiration_ttl": ttl})
    });
    let read = (kv_key(), select(&["text", "bytes"][..]), any::<bool>());
    let read = read.prop_map(
        |(key, kind, metadata)| json!({"kv": "get", "key": key, "as": kind, "metadata": metadata}),
    );
    let delete = kv_key().prop_map(|key| json!({"kv": "delete", "key": key}));
    let bulk = (proptest::collection::vec(kv_key(), 1..5), any::<bool>());
    let bulk =
        bulk.prop_map(|(keys, metadata)| json!({"kv": "bulk", "keys": keys, "metadata": metadata}));
    let prefix = select(&["", "a", "a/", "é", "none"][..]);
    let list = (option(prefix.clone()), option(1..4_u32));
    let list =
        list.prop_map(|(prefix, limit)| json!({"kv": "list", "prefix": prefix, "limit": limit}));
    let pages = (option(prefix), 1..4_u32);
    let pages =
        pages.prop_map(|(prefix, limit)| json!({"kv": "pages", "prefix": prefix, "limit": limit}));
    prop_oneof![6 => put, 4 => read, 2 => delete, 1 => bulk, 2 => list, 1 => pages].boxed()
}

// --- SQL, of D1 and of an object -----------------------------------------------------------------------------------------------

/// A table with two indexes besides the rowid.
fn tables(dialect: &str) -> Vec<Value> {
    let schema = [
        "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE, n INTEGER CHECK (n < 90))",
        "CREATE INDEX t_n ON t (n)",
    ];
    schema.map(|sql| query(dialect, "run", sql, vec![])).into()
}

fn query(dialect: &str, how: &str, sql: &str, values: Vec<Value>) -> Value {
    match dialect {
        "d1" => json!({"d1": how, "sql": sql, "bind": values}),
        _ => json!({"do": "sql", "query": sql, "bindings": values}),
    }
}

/// A statement and its values.
fn statement() -> BoxedStrategy<(&'static str, Vec<Value>)> {
    let id = || (1..8_u32).prop_map(Value::from);
    let name = || select(&["ada", "bob", "eve", "", "Ada"][..]).prop_map(Value::from);
    let n = || prop_oneof![9 => (0..90_u32).prop_map(Value::from), 1 => Just(json!(95)), 1 => Just(Value::Null)];
    let with =
        |sql: &'static [&'static str], values: BoxedStrategy<Vec<Value>>| (select(sql), values);
    prop_oneof![
        4 => with(
            &[
                "INSERT INTO t (id, name, n) VALUES (?, ?, ?)",
                "INSERT OR REPLACE INTO t (id, name, n) VALUES (?, ?, ?)",
                "INSERT OR IGNORE INTO t (id, name, n) VALUES (?, ?, ?)",
                "INSERT INTO t (id, name, n) VALUES (?1, ?2, ?3) ON CONFLICT (id) DO UPDATE SET n = excluded.n",
                "INSERT INTO t (id, name, n) VALUES (?, ?, ?) RETURNING id, n",
            ],
            (id(), name(), n()).prop_map(|(id, name, n)| vec![id, name, n]).boxed(),
        ),
        2 => with(
            &["INSERT INTO t (name, n) VALUES (?, ?)", "UPDATE t SET name = ? WHERE n = ?"],
            (name(), n()).prop_map(|(name, n)| vec![name, n]).boxed(),
        ),
        2 => with(
            &[
                "UPDATE t SET n = n + 1 WHERE id >= ?",
                "DELETE FROM t WHERE id = ?",
                "SELECT * FROM t WHERE id = ?",
                "SELECT * FROM t WHERE id > ? ORDER BY id DESC",
                "SELECT t.id, u.id AS other FROM t JOIN t AS u ON u.n = t.n WHERE t.id <= ? ORDER BY 1, 2",
            ],
            id().prop_map(|id| vec![id]).boxed(),
        ),
        2 => with(
            &[
                "SELECT id, name FROM t WHERE n > ? ORDER BY n, id LIMIT 3",
                "SELECT name FROM t WHERE n = ? ORDER BY id",
                "DELETE FROM t WHERE n < ?",
                "UPDATE t SET n = NULL WHERE n > ?",
            ],
            n().prop_map(|n| vec![n]).boxed(),
        ),
        2 => with(
            &[
                "SELECT count(*) AS c, sum(n) AS s, max(name) AS m FROM t",
                "SELECT n % 3 AS third, count(*) AS c FROM t GROUP BY third ORDER BY third",
                "SELECT DISTINCT typeof(n) AS kind FROM t ORDER BY kind",
                "SELECT id FROM t WHERE name LIKE 'a%' ORDER BY id",
                "DELETE FROM t",
            ],
            Just(vec![]).boxed(),
        ),
    ]
    .boxed()
}

fn d1() -> BoxedStrategy<Value> {
    let how = select(&["all", "run", "raw", "first"][..]);
    let one = (how, statement()).prop_map(|(how, (sql, values))| query("d1", how, sql, values));
    let batch = proptest::collection::vec(statement(), 1..4).prop_map(|statements| {
        let statement = |(sql, values)| json!({"sql": sql, "bind": values});
        let statements: Vec<Value> = statements.into_iter().map(statement).collect();
        json!({"d1": "batch", "statements": statements})
    });
    prop_oneof![5 => one, 1 => batch].boxed()
}

// --- objects -------------------------------------------------------------------------------------------------------------------

fn object_key() -> impl Strategy<Value = &'static str> {
    select(&["a", "b", "ab", "é", "a/b", "z", ""][..])
}

fn stored() -> impl Strategy<Value = Value> {
    prop_oneof![
        text().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        Just(json!([1, null, {"x": true}])),
        Just(json!({"$bytes": "00ff"})),
        Just(json!(1.5)),
    ]
}

fn list() -> impl Strategy<Value = Value> {
    let part = select(&["", "a", "ab", "b", "é"][..]);
    let options = (
        option(part.clone()),
        option(part.clone()),
        option(part),
        option(any::<bool>()),
        option(1..4_u32),
    );
    options.prop_map(|(prefix, start, end, reverse, limit)| {
        json!({"do": "list", "prefix": prefix, "start": start, "end": end, "reverse": reverse, "limit": limit})
    })
}

fn object() -> BoxedStrategy<Value> {
    let put = (object_key(), stored());
    let put = put.prop_map(|(key, value)| json!({"do": "put", "key": key, "value": value}));
    let get_multiple = proptest::collection::vec(object_key(), 0..4)
        .prop_map(|keys| json!({"do": "get_multiple", "keys": keys}));
    let delete = object_key().prop_map(|key| json!({"do": "delete", "key": key}));
    let delete_multiple = proptest::collection::vec(object_key(), 0..3)
        .prop_map(|keys| json!({"do": "delete_multiple", "keys": keys}));
    let sql = || statement().prop_map(|(sql, values)| query("do", "", sql, values));
    let in_transaction = prop_oneof![
        2 => (object_key(), text()).prop_map(|(key, value)| json!({"do": "put", "key": key, "value": value})),
        1 => object_key().prop_map(|key| json!({"do": "get", "key": key})),
        1 => object_key().prop_map(|key| json!({"do": "delete", "key": key})),
        1 => list(),
        1 => sql(),
    ];
    let end = select(&["", "rollback", "throw"][..]);
    let transaction = (proptest::collection::vec(in_transaction, 1..4), end);
    let transaction = transaction.prop_map(|(mut steps, end)| {
        match end {
            "rollback" => steps.push(json!({"do": "rollback"})),
            "throw" => steps.push(json!({"do": "throw", "message": "undo it"})),
            _ => {}
        }
        json!({"do": "transaction", "steps": steps})
    });
    let simple = prop_oneof![
        5 => put,
        1 => get_multiple,
        2 => delete,
        1 => delete_multiple,
        3 => list(),
        4 => sql(),
        2 => transaction,
    ];
    let several = proptest::collection::vec(simple.clone(), 1..4)
        .prop_map(|steps| json!({"do": "all", "steps": steps}));
    prop_oneof![6 => simple, 1 => several].boxed()
}

// --- both ----------------------------------------------------------------------------------------------------------------------

fn text() -> impl Strategy<Value = &'static str> {
    select(
        &[
            "",
            "1",
            "one",
            "zwei Wörter",
            "{\"a\":1}",
            "null",
            "\u{1f600}",
        ][..],
    )
}

fn metadata() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!({"a": [1, "é"]})),
        Just(json!("text")),
        Just(json!(0))
    ]
}

/// Mostly absent: `null` stands for an option that is not given.
fn option<T: Strategy>(strategy: T) -> impl Strategy<Value = Option<T::Value>>
where
    T::Value: Clone,
{
    proptest::option::weighted(0.4, strategy)
}

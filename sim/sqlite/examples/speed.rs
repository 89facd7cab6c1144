//! What the hot path costs: `cargo run --release -p edgeproof-sqlite --example speed`.
//!
//! Each line is the best of five rounds, in microseconds per operation, on a database in memory.

#![allow(clippy::disallowed_methods, reason = "it measures real time")]

use std::error::Error;
use std::time::Instant;

use edgeproof_sqlite::{Database, Dialect, SqlError, Value};

const SCHEMA: &str = "CREATE TABLE events (id INTEGER PRIMARY KEY, key TEXT NOT NULL, at INTEGER NOT NULL, note TEXT);
    CREATE INDEX events_key ON events (key);
    CREATE INDEX events_at ON events (at);";
const INSERT: &str = "INSERT INTO events (key, at, note) VALUES (?1, ?2, ?3)";
const ROUNDS: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    insert()?;
    requests()?;
    measure("point select by key (index)", 100_000, filled, |db, n| {
        db.query("SELECT id, at FROM events WHERE key = ?1", &[key(n)])
            .map(drop)
    })?;
    measure("point select by id", 100_000, filled, |db, n| {
        db.query(
            "SELECT key, at FROM events WHERE id = ?1",
            &[Value::Integer(n % 10_000)],
        )
        .map(drop)
    })?;
    measure("count(*) of 10,000", 1_000, filled, |db, _| {
        db.query("SELECT count(*) FROM events", &[]).map(drop)
    })?;
    measure("empty transaction", 100_000, filled, |db, _| {
        db.begin()?;
        db.commit()
    })?;
    measure("size_bytes", 100_000, filled, |db, _| {
        std::hint::black_box(db.size_bytes());
        Ok(())
    })?;
    measure("select never seen before", 20_000, filled, |db, n| {
        db.query(&format!("SELECT key, at FROM events WHERE id = {n}"), &[])
            .map(drop)
    })?;
    measure(
        "open, create three tables, close",
        2_000,
        || Database::in_memory(Dialect::D1),
        |_, _| {
            Database::in_memory(Dialect::DurableObject)?
                .execute_script(SCHEMA, &[])
                .map(drop)
        },
    )?;
    Ok(())
}

fn key(n: i64) -> Value {
    Value::Text(format!("key-{:05}", n * 7919 % 10_000))
}

fn empty() -> Result<Database, SqlError> {
    let mut db = Database::in_memory(Dialect::D1)?;
    db.execute_script(SCHEMA, &[])?;
    Ok(db)
}

fn filled() -> Result<Database, SqlError> {
    let mut db = empty()?;
    db.begin()?;
    for n in 0..10_000 {
        db.query(INSERT, &[key(n), Value::Integer(n), "a note".into()])?;
    }
    db.commit()?;
    Ok(db)
}

fn insert() -> Result<(), Box<dyn Error>> {
    measure(
        "insert with two indexes, autocommit",
        50_000,
        empty,
        |db, n| {
            db.query(INSERT, &[key(n), Value::Integer(n), "a note".into()])
                .map(drop)
        },
    )?;
    measure(
        "insert with two indexes, 10 per transaction",
        50_000,
        empty,
        |db, n| {
            if n % 10 == 0 {
                db.begin()?;
            }
            db.query(INSERT, &[key(n), Value::Integer(n), "a note".into()])?;
            if n % 10 == 9 { db.commit() } else { Ok(()) }
        },
    )
}

/// What a rate limiter and its ledger might do for one request.
fn request(db: &mut Database, n: i64) -> Result<(), SqlError> {
    db.begin()?;
    db.query(INSERT, &[key(n), Value::Integer(n), "a note".into()])?;
    db.query(INSERT, &[key(n + 1), Value::Integer(n), Value::Null])?;
    db.commit()?;
    db.query(
        "SELECT id, at FROM events WHERE id = ?1",
        &[Value::Integer(n)],
    )?;
    db.query(
        "SELECT id, at FROM events WHERE key = ?1 LIMIT 1",
        &[key(n)],
    )?;
    db.query("SELECT max(at) FROM events", &[]).map(drop)
}

fn requests() -> Result<(), Box<dyn Error>> {
    let name = "request: 2 inserts in a transaction, 3 selects";
    measure(name, 30_000, empty, request)?;
    // Two simulations side by side share nothing but SQLite's page cache lock.
    std::thread::scope(|scope| {
        let other = scope
            .spawn(|| measure_quietly(60_000, empty, request).map_err(|error| error.to_string()));
        measure(
            "  the same while another thread does so too",
            30_000,
            empty,
            request,
        )?;
        other.join().map_err(|_| "the other thread panicked")??;
        Ok(())
    })
}

fn measure(
    name: &str,
    times: i64,
    prepare: impl Fn() -> Result<Database, SqlError>,
    run: impl Fn(&mut Database, i64) -> Result<(), SqlError>,
) -> Result<(), Box<dyn Error>> {
    let best_us = measure_quietly(times, prepare, run)?;
    println!("{name:<48} {best_us:8.3} µs");
    Ok(())
}

fn measure_quietly(
    times: i64,
    prepare: impl Fn() -> Result<Database, SqlError>,
    run: impl Fn(&mut Database, i64) -> Result<(), SqlError>,
) -> Result<f64, SqlError> {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let mut db = prepare()?;
        let start = Instant::now();
        for n in 0..times {
            run(&mut db, n)?;
        }
        best = best.min(start.elapsed().as_secs_f64());
    }
    Ok(best * 1e6 / times as f64)
}

//! A world is a function of a making, a seed and faults; messages to stores are lost and doubled.

use edgeproof_sim::bill::usage::Meter;
use edgeproof_sim::fault::{Fault, FaultKind};
use edgeproof_sim::{Builder, Setup, World};
use std::time::Duration;
use support::inside::{answer, at, begin, platform};

const TABLE: &str = "CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t(v) VALUES ('seed')";

fn making() -> Builder {
    platform(&["FRA", "SIN"]).seed_sql("DB", "test", TABLE)
}

/// Inserts a row and gives how many there are, and the rowid that an empty statement is told.
async fn drive(world: &World) -> (f64, i64) {
    begin();
    at(&world.client("SIN"), async |env, _| {
        let db = env.d1("DB")?;
        let none = db.prepare("SELECT 1").run().await?;
        let last = none.meta()?.and_then(|meta| meta.last_row_id).unwrap_or(-1);
        db.prepare("INSERT INTO t(v) VALUES (random())")
            .run()
            .await?;
        env.kv("KV")?.put("k", "v")?.execute().await?;
        let count = db.prepare("SELECT count(*) AS n FROM t");
        let count = count.first::<f64>(Some("n")).await?;
        Ok((count.unwrap_or(0.0), last))
    })
    .await
}

#[test]
fn a_setup_makes_the_worlds_that_its_builder_makes() {
    let setup = Setup::new(making());
    let fault = Fault {
        at_ms: 1,
        kind: FaultKind::Partition {
            a: "FRA".into(),
            b: "GRU".into(),
            for_ms: 5,
        },
    };
    for (seed, faults) in [(1, &[][..]), (2, &[fault][..]), (1, &[][..])] {
        let alone = making()
            .seed(seed)
            .faults(faults.to_vec())
            .build()
            .expect("builds");
        let told = alone.run(drive);
        let run = setup
            .run(seed, faults, drive, |_, told| told)
            .expect("builds");
        assert_eq!(run.fingerprint, alone.fingerprint(), "seed {seed}");
        assert_eq!((run.seed, run.events), (seed, alone.events()));
        // One row of the seed and one of the run: no world sees another's.
        assert_eq!((run.judgement, told), ((2.0, 1), (2.0, 1)));
    }
}

#[test]
fn random_rows_of_a_migration_are_of_each_worlds_own_seed() {
    let random = "CREATE TABLE r AS SELECT random() AS n";
    let setup = Setup::new(making().seed_sql("DB", "random", random));
    let number = |seed| {
        let world = setup.world(seed, &[]).expect("builds");
        let rows = world.query("DB", "SELECT n FROM r").expect("a row").rows;
        format!("{rows:?}")
    };
    assert_eq!(number(1), number(1));
    assert_ne!(number(1), number(2));
}

/// Writes of a client in SIN to a store in FRA, with a fault on the way from `from` to `to`.
fn write(from: &str, to: &str, doubled: bool) -> World {
    let (from, to, skip, count, for_ms) = (from.into(), to.into(), 0, 1, 60_000);
    let kind = if doubled {
        FaultKind::MessageDuplicated {
            from,
            to,
            skip,
            count,
            for_ms,
        }
    } else {
        FaultKind::MessageDropped {
            from,
            to,
            skip,
            count,
            for_ms,
        }
    };
    let world = making()
        .faults([Fault { at_ms: 1_000, kind }])
        .build()
        .expect("builds");
    world.run(async |world| {
        world.sleep(Duration::from_secs(2)).await;
        let _ = answer(&world.client("SIN"), async |env, _| {
            let insert = env.d1("DB")?.prepare("INSERT INTO t(v) VALUES (1)");
            insert.run().await.map(drop)
        })
        .await;
        world.sleep(Duration::from_secs(1)).await;
    });
    world
}

fn rows(world: &World) -> usize {
    world
        .query("DB", "SELECT id FROM t")
        .expect("a table")
        .rows
        .len()
}

#[test]
fn a_lost_query_did_nothing_and_one_whose_answer_is_lost_did() {
    let failures = |world: &World| {
        let history = world.history();
        let records = history.records().iter();
        let failed = records.filter(|record| {
            matches!(&record.outcome, edgeproof_sim::history::Outcome::Error { message }
                if message == "D1_ERROR: Network connection lost.")
        });
        failed.count()
    };
    for (from, to, expected) in [("SIN", "FRA", 1), ("FRA", "SIN", 2)] {
        let world = write(from, to, false);
        assert_eq!(
            (rows(&world), failures(&world)),
            (expected, 1),
            "{from} to {to}"
        );
    }
}

#[test]
fn a_doubled_query_writes_twice_and_is_billed_twice() {
    let world = write("SIN", "FRA", true);
    assert_eq!(rows(&world), 3);
    assert_eq!(world.usage().total(Meter::D1RowsWritten), 2);
    // A doubled answer changes nothing.
    assert_eq!(rows(&write("FRA", "SIN", true)), 2);
}

#[test]
fn a_doubled_kv_write_is_taken_once_a_second() {
    let world = making()
        .faults([Fault {
            at_ms: 0,
            kind: FaultKind::MessageDuplicated {
                from: "SIN".into(),
                to: "AMS".into(),
                skip: 0,
                count: 1,
                for_ms: 60_000,
            },
        }])
        .build()
        .expect("builds");
    world.run(async |world| {
        world.sleep(Duration::from_secs(1)).await;
        let client = world.client("SIN");
        let _ = answer(&client, async |env, _| {
            Ok(env.kv("KV")?.put("k", "v")?.execute().await.is_ok())
        })
        .await;
        world.sleep(Duration::from_secs(5)).await;
    });
    // The store refuses the copy: one write per key and second.
    assert_eq!(world.usage().total(Meter::KvWrites), 1);
}

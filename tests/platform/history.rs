//! The history says enough to judge by: values, parameters, results, storage, causes, and what never ended.

use edgeproof_sim::World;
use edgeproof_sim::fault::{FaultKind, Space};
use edgeproof_sim::history::{Actor, Digest, History, Op, Outcome, Record, StorageCall};
use edgeproof_sim::platform::outbound::Origin;
use std::time::Duration;
use support::inside::{Thing, answer, at, on_alarm, platform, within};
use worker::*;

fn find(history: &History, wanted: impl Fn(&Op) -> bool) -> Vec<&Record> {
    let records = history.records().iter();
    records.filter(|record| wanted(&record.op)).collect()
}

#[test]
fn values_of_kv_are_told_apart() {
    let world = platform(&["FRA"]).build().expect("builds");
    world.run(async |world| {
        at(&world.client("FRA"), async |env, _| {
            let kv = env.kv("KV")?;
            kv.put("k", "a")?.execute().await?;
            kv.get("k").text().await?;
            kv.get("absent").text().await?;
            kv.list().prefix("k".into()).execute().await?;
            Ok(())
        })
        .await;
    });
    let history = world.history();
    let put = find(&history, |op| matches!(op, Op::KvPut { .. }))[0];
    assert!(matches!(&put.op, Op::KvPut { value_digest, .. } if *value_digest == Digest::of(b"a")));
    let digests: Vec<_> = find(&history, |op| matches!(op, Op::KvGet { .. }))
        .into_iter()
        .map(|record| match &record.outcome {
            Outcome::KvRead {
                digest, version, ..
            } => (*digest, *version),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(digests, [(Some(Digest::of(b"a")), Some(1)), (None, None)]);
    let list = find(&history, |op| matches!(op, Op::KvList { .. }))[0];
    assert!(matches!(&list.op, Op::KvList { prefix, .. } if prefix == "k"));
    assert!(matches!(&list.outcome, Outcome::KvListed { keys, complete: true } if keys == &["k"]));
}

#[test]
fn a_query_is_recorded_with_its_parameters_and_rows() {
    let world = platform(&["FRA"])
        .seed_sql("DB", "test", "CREATE TABLE t(v); INSERT INTO t VALUES (7)")
        .build()
        .expect("builds");
    world.run(async |world| {
        at(&world.client("FRA"), async |env, _| {
            let query = env.d1("DB")?.prepare("SELECT v, ?1 AS name FROM t");
            query.bind(&["n".into()])?.run().await?;
            Ok(())
        })
        .await;
    });
    let history = world.history();
    let query = find(&history, |op| matches!(op, Op::D1 { .. }))[0];
    let Op::D1 { parameters, .. } = &query.op else {
        unreachable!()
    };
    assert_eq!(parameters, &[vec![serde_json::json!("n")]]);
    let Outcome::D1 { results, .. } = &query.outcome else {
        panic!("{query:?}")
    };
    assert_eq!(results[0].columns, ["v", "name"]);
    assert_eq!(
        results[0].rows,
        [[serde_json::json!(7), serde_json::json!("n")]]
    );
}

#[test]
fn an_objects_storage_is_recorded_call_by_call() {
    let world = platform(&["FRA"]).build().expect("builds");
    world.run(async |world| {
        at(&world.client("FRA"), async |env, _| {
            let thing = env.durable_object("THING")?.get_by_name("a")?;
            within(&thing, async |thing: &Thing| {
                let storage = thing.state.storage();
                storage.put("k", 1).await?;
                storage.get::<u32>("k").await?;
                storage.sql().exec("SELECT 5 AS five", None)?;
                storage.delete("k").await?;
                Ok(())
            })
            .await
        })
        .await;
    });
    let history = world.history();
    let calls = find(&history, |op| matches!(op, Op::Storage { .. }));
    let told: Vec<_> = calls
        .iter()
        .map(|record| match &record.op {
            Op::Storage { call, class, .. } if class == "Thing" => call,
            other => panic!("{other:?}"),
        })
        .collect();
    let [
        StorageCall::Put { value_digest, .. },
        StorageCall::Get { key },
        StorageCall::Sql { call },
        StorageCall::Delete { .. },
    ] = told[..]
    else {
        panic!("{told:?}")
    };
    assert_eq!((key.as_str(), call.sql.as_str()), ("k", "SELECT 5 AS five"));
    let Outcome::Stored { value, .. } = &calls[1].outcome else {
        panic!("{calls:?}")
    };
    assert_eq!(
        value.as_ref(),
        Some(value_digest),
        "what was put is what was read"
    );
    let Outcome::Stored {
        rows: Some(rows), ..
    } = &calls[2].outcome
    else {
        panic!("{calls:?}")
    };
    assert_eq!(rows.rows, [[serde_json::json!(5)]]);
    assert!(
        calls
            .iter()
            .all(|record| matches!(record.actor, Actor::Object { .. }))
    );
}

/// The operations that led to a record, from the record itself to the first.
fn causes(history: &History, record: &Record) -> Vec<&'static str> {
    let mut names = Vec::new();
    let mut next = Some(record.number);
    while let Some(number) = next {
        let found = history
            .records()
            .iter()
            .find(|record| record.number == number);
        let record = found.expect("a cause is in the history");
        names.push(match &record.op {
            Op::Request { .. } => "request",
            Op::ObjectCall { .. } => "call",
            Op::Alarm { .. } => "alarm",
            Op::Storage {
                call: StorageCall::SetAlarm { .. },
                ..
            } => "set_alarm",
            Op::Storage { .. } => "storage",
            Op::ObjectStart { .. } => "start",
            other => panic!("{other:?}"),
        });
        next = record.cause;
    }
    names
}

#[test]
fn a_record_names_what_led_to_it() {
    let world = platform(&["FRA"]).build().expect("builds");
    on_alarm(async |thing: &Thing| thing.state.storage().put("ran", true).await);
    world.run(async |world| {
        at(&world.client("FRA"), async |env, _| {
            let thing = env.durable_object("THING")?.get_by_name("a")?;
            within(&thing, async |thing: &Thing| {
                thing.state.storage().set_alarm(100).await
            })
            .await
        })
        .await;
        world.sleep(Duration::from_secs(1)).await;
    });
    let history = world.history();
    let put = |op: &Op| {
        matches!(
            op,
            Op::Storage {
                call: StorageCall::Put { .. },
                ..
            }
        )
    };
    let put = find(&history, put)[0];
    assert_eq!(
        causes(&history, put),
        ["storage", "alarm", "set_alarm", "call", "request"]
    );
    let start = find(&history, |op| matches!(op, Op::ObjectStart { .. }))[0];
    assert_eq!(causes(&history, start), ["start", "call", "request"]);
}

#[test]
fn what_never_ended_is_in_the_history_and_last() {
    let world = platform(&["FRA"])
        .origin("slow.example", Origin::new().hang())
        .build()
        .expect("builds");
    world.run(async |world| {
        let client = world.client("FRA");
        let hanging = answer(&client, async |_, _| {
            let url = Url::parse("https://slow.example/")?;
            Fetch::Url(url).send().await.map(drop)
        });
        let pause = world.sleep(Duration::from_secs(5));
        let _ = futures_util::future::select(std::pin::pin!(hanging), pause).await;
        let _ = answer(&client, async |env, _| {
            env.kv("KV")?.get("k").text().await?;
            Ok(())
        })
        .await;
    });
    let history = world.history();
    let open: Vec<_> = history.records().iter().rev().take(2).collect();
    assert!(
        open.iter()
            .all(|record| record.outcome == Outcome::Unfinished),
        "{open:?}"
    );
    assert!(
        open.iter()
            .any(|record| matches!(&record.op, Op::Fetch { host, .. } if host == "slow.example"))
    );
    let ended = &history.records()[..history.records().len() - 2];
    assert!(
        ended
            .iter()
            .all(|record| record.outcome != Outcome::Unfinished)
    );
    let again =
        History::from_json_lines(&history.to_json_lines()).expect("it reads what it prints");
    assert_eq!(again, history);
}

// --- names ----------------------------------------------------------------------------------------------------------

fn refused(kind: FaultKind) -> String {
    let fault = edgeproof_sim::Fault { at_ms: 0, kind };
    let built = platform(&["FRA"])
        .origin("api.example", Origin::new())
        .faults([fault])
        .build();
    built.expect_err("the name is wrong").to_string()
}

#[test]
fn a_fault_that_names_what_is_not_there_is_refused() {
    let class = |class: &str| FaultKind::ObjectReset {
        class: class.into(),
    };
    let text = refused(class("Thimg"));
    assert!(text.contains("Durable Object class \"Thimg\""), "{text}");
    assert!(text.contains("did you mean \"Thing\"?"), "{text}");
    assert!(text.contains("it has Thing, Other"), "{text}");
    let text = refused(class("Nothing like it"));
    assert!(!text.contains("did you mean"), "{text}");
    for_each_kind(|kind, wrong| {
        let text = refused(kind);
        assert!(text.contains(wrong), "{text}");
    });
}

/// Every kind of fault that names something, with a name that is wrong.
fn for_each_kind(judge: impl Fn(FaultKind, &str)) {
    let (class, binding, host) = (|| "Thin".to_owned(), || "BD".to_owned(), "api.exampel");
    let (a, b, for_ms) = (|| "FRA".to_owned(), || "QQQ".to_owned(), 1);
    judge(
        FaultKind::ObjectUnreachable {
            class: class(),
            for_ms,
        },
        "\"Thin\"",
    );
    judge(
        FaultKind::ObjectOverloaded {
            class: class(),
            for_ms,
        },
        "\"Thin\"",
    );
    judge(
        FaultKind::ObjectStorageFailing {
            class: class(),
            for_ms,
        },
        "\"Thin\"",
    );
    judge(
        FaultKind::ObjectStorageFull {
            class: class(),
            for_ms,
        },
        "\"Thin\"",
    );
    judge(
        FaultKind::D1Failing {
            binding: binding(),
            for_ms,
        },
        "\"BD\"",
    );
    judge(
        FaultKind::D1Slow {
            binding: binding(),
            factor: 2.0,
            for_ms,
        },
        "\"BD\"",
    );
    judge(
        FaultKind::OriginHanging {
            host: host.into(),
            for_ms,
        },
        "\"api.exampel\"",
    );
    judge(
        FaultKind::Partition {
            a: a(),
            b: b(),
            for_ms,
        },
        "\"QQQ\"",
    );
    judge(
        FaultKind::LinkLatency {
            a: b(),
            b: a(),
            extra_ms: 1,
            for_ms,
        },
        "\"QQQ\"",
    );
    judge(FaultKind::IsolateEvicted { pop: b() }, "\"QQQ\"");
    judge(
        FaultKind::KvPropagationDelay {
            pop: b(),
            delay_ms: 1,
            for_ms,
        },
        "\"QQQ\"",
    );
    let (skip, count) = (0, 1);
    judge(
        FaultKind::MessageDropped {
            from: a(),
            to: b(),
            skip,
            count,
            for_ms,
        },
        "\"QQQ\"",
    );
    judge(
        FaultKind::MessageDuplicated {
            from: b(),
            to: a(),
            skip,
            count,
            for_ms,
        },
        "\"QQQ\"",
    );
}

#[test]
#[should_panic(expected = "did you mean \"Thing\"?")]
fn injecting_a_fault_with_a_wrong_name_panics() {
    let world = platform(&["FRA"]).build().expect("builds");
    world.run(async |world| {
        world.inject(FaultKind::ObjectReset {
            class: "Thyng".into(),
        })
    });
}

#[test]
fn a_space_has_the_names_of_its_world() {
    let world: World = platform(&["FRA", "SIN"])
        .origin("api.example", Origin::new())
        .build()
        .expect("builds");
    let Space {
        pops,
        workers,
        classes,
        namespaces,
        databases,
        hosts,
        routes,
        ..
    } = world.space();
    assert_eq!(pops, ["FRA", "SIN"]);
    assert_eq!(workers, ["inside"]);
    assert_eq!(classes, ["Thing", "Other"]);
    assert_eq!(
        (namespaces, databases),
        (
            vec!["KV".to_owned()],
            vec!["DB".to_owned(), "SPARE".to_owned()]
        )
    );
    assert_eq!((hosts, routes), (vec!["api.example".to_owned()], vec![]));
}

//! Faults: each kind does what it says, from its moment on, for as long as it says, and no longer.

use edgeproof_sim::check::staleness;
use edgeproof_sim::fault::{Fault, FaultKind, KvOperation};
use edgeproof_sim::platform::outbound::Origin;
use edgeproof_sim::world::World;
use edgeproof_sim::world::client::Client;
use futures_util::future::{Either, select};
use std::pin::pin;
use std::time::Duration;
use support::inside::{Thing, at, flag, instant, message, pause, platform, within};
use worker::*;

/// What `probe` sees 5 s into the run, 15 s and 25 s, with a fault from 10 s to 20 s; no message takes any time else.
///
/// Before all that, an object and the database get their homes in FRA, where KV's central store is too.
fn around<T>(kind: FaultKind, probe: impl AsyncFn(&World, &Client) -> T) -> [T; 3] {
    let mut options = instant();
    options.kv_sites = vec!["FRA".into()];
    let world = platform(&["FRA", "SIN"])
        .options(options)
        .origin("api.example", Origin::new().latency(Duration::ZERO))
        .faults([Fault {
            at_ms: 10_000,
            kind,
        }])
        .build()
        .expect("builds");
    world.run(async |world| {
        at(&world.client("FRA"), async |env, _| {
            within(
                &env.durable_object("THING")?.get_by_name("a")?,
                async |thing: &Thing| thing.state.storage().put("n", 0).await,
            )
            .await
        })
        .await;
        let sin = world.client("SIN");
        let mut seen = Vec::new();
        for second in [5, 15, 25] {
            world
                .sleep((world.start() + Duration::from_secs(second)).since(world.now()))
                .await;
            seen.push(probe(world, &sin).await);
        }
        seen.try_into()
            .unwrap_or_else(|_| unreachable!("three probes"))
    })
}

/// What an object answers, or the error's text; and how long that took, in milliseconds.
async fn object(world: &World, client: &Client) -> (Result<i64, String>, u128) {
    let begin = world.now();
    let result = at(client, async |env, _| {
        let stub = env.durable_object("THING")?.get_by_name("a")?;
        let n = within(&stub, async |thing: &Thing| {
            let n = thing.state.storage().get::<i64>("n").await?.unwrap_or(-1);
            thing.state.storage().put("n", n + 1).await?;
            Ok(n)
        });
        Ok(n.await.map_err(|error| {
            let set: Vec<_> = ["retryable", "overloaded", "durableObjectReset"]
                .into_iter()
                .filter(|name| flag(&error, name))
                .collect();
            format!("{} {}", message(&error), set.join(" "))
        }))
    });
    (result.await, world.now().since(begin).as_millis())
}

async fn d1(world: &World, client: &Client) -> (Result<u32, String>, u128) {
    let begin = world.now();
    let result = at(client, async |env, _| {
        let answer = env
            .d1("DB")?
            .prepare("SELECT 7 AS n")
            .first::<u32>(Some("n"))
            .await;
        Ok(answer
            .map(|n| n.expect("a row"))
            .map_err(|error| message(&error)))
    });
    (result.await, world.now().since(begin).as_micros())
}

async fn kv_get(client: &Client, key: &'static str) -> Result<Option<String>, String> {
    at(client, async move |env, _| {
        Ok(env
            .kv("KV")?
            .get(key)
            .text()
            .await
            .map_err(|error| message(&error.into())))
    })
    .await
}

async fn kv_put(client: &Client, key: &'static str, value: &'static str) -> Result<(), String> {
    at(client, async move |env, _| {
        Ok(env
            .kv("KV")?
            .put(key, value)?
            .execute()
            .await
            .map_err(|error| message(&error.into())))
    })
    .await
}

const FOR_MS: u64 = 10_000;

#[test]
fn link_latency_makes_both_ways_longer() {
    let kind = FaultKind::LinkLatency {
        a: "SIN".into(),
        b: "FRA".into(),
        extra_ms: 300,
        for_ms: FOR_MS,
    };
    assert_eq!(around(kind, object), [(Ok(0), 0), (Ok(1), 600), (Ok(2), 0)]);
}

#[test]
fn a_partition_loses_calls_of_objects_and_of_d1() {
    let kind = || FaultKind::Partition {
        a: "FRA".into(),
        b: "SIN".into(),
        for_ms: FOR_MS,
    };
    let lost = Err("Network connection lost. retryable".to_owned());
    assert_eq!(around(kind(), object), [(Ok(0), 0), (lost, 0), (Ok(1), 0)]);
    let [before, during, after] = around(kind(), d1);
    assert_eq!((before.0, after.0), (Ok(7), Ok(7)));
    assert_eq!(
        during,
        (Err("D1_ERROR: Network connection lost.".to_owned()), 0)
    );
}

#[test]
fn a_partition_from_the_central_store_leaves_a_pop_what_it_has_cached() {
    let kind = FaultKind::Partition {
        a: "FRA".into(),
        b: "SIN".into(),
        for_ms: FOR_MS,
    };
    let seen = around(kind, async |world, client| {
        let fresh = if world.elapsed().as_secs() < 10 {
            "k5"
        } else if world.elapsed().as_secs() < 20 {
            "k15"
        } else {
            "k25"
        };
        (
            kv_get(client, "cached").await,
            kv_get(client, fresh).await,
            kv_put(client, fresh, "v").await,
        )
    });
    let unavailable = |verb: &str| format!("KV {verb} failed: 503 Service Unavailable");
    assert_eq!(
        seen,
        [
            (Ok(None), Ok(None), Ok(())),
            (Ok(None), Err(unavailable("GET")), Err(unavailable("PUT"))),
            (Ok(None), Ok(None), Ok(())),
        ]
    );
}

#[test]
fn a_propagation_delay_shows_a_pop_the_central_store_as_it_was() {
    let kind = FaultKind::KvPropagationDelay {
        pop: "SIN".into(),
        delay_ms: 3_000,
        for_ms: FOR_MS,
    };
    let seen = around(kind, async |world, sin| {
        // Another key each time, so that no cache is in the way.
        let key =
            ["k0", "k1", "k2"][usize::try_from(world.elapsed().as_secs() / 10).expect("small")];
        let fra = world.client("FRA");
        kv_put(&fra, key, "old").await.expect("written");
        world.sleep(Duration::from_secs(2)).await;
        kv_put(&fra, key, "new").await.expect("written");
        world.sleep(Duration::from_secs(2)).await;
        kv_get(sin, key).await.expect("read")
    });
    assert_eq!(
        seen.each_ref().map(Option::as_deref),
        [Some("new"), Some("old"), Some("new")]
    );
}

#[test]
fn a_propagation_delay_injected_by_hand_works_too_and_the_check_sees_it() {
    let mut options = instant();
    options.kv_sites = vec!["FRA".into()];
    let world = platform(&["FRA", "SIN"])
        .options(options)
        .build()
        .expect("builds");
    world.run(async |world| {
        let (fra, sin) = (world.client("FRA"), world.client("SIN"));
        world.inject(FaultKind::KvPropagationDelay {
            pop: "SIN".into(),
            delay_ms: 30_000,
            for_ms: 60_000,
        });
        kv_put(&fra, "k", "old").await.expect("written");
        world.sleep(Duration::from_secs(20)).await;
        kv_put(&fra, "k", "new").await.expect("written");
        world.sleep(Duration::from_secs(20)).await;
        assert_eq!(kv_get(&sin, "k").await, Ok(Some("old".to_owned())));
    });
    let history = world.history();
    let found = staleness::check(history.records(), &staleness::Options::default());
    assert_eq!(
        found
            .iter()
            .map(|violation| violation.rule)
            .collect::<Vec<_>>(),
        ["kv/outdated-fetch"]
    );
    let delayed = staleness::Options {
        tolerance: Duration::from_secs(30),
        ..staleness::Options::default()
    };
    assert_eq!(staleness::check(history.records(), &delayed), []);
}

#[test]
fn kv_errors_meet_what_they_name_and_not_cached_reads() {
    let probe = async |world: &World, client: &Client| {
        let fresh =
            ["k0", "k1", "k2"][usize::try_from(world.elapsed().as_secs() / 10).expect("small")];
        let put = kv_put(client, fresh, "v").await.err();
        (
            kv_get(client, "cached").await.err(),
            kv_get(
                client,
                ["f0", "f1", "f2"][usize::try_from(world.elapsed().as_secs() / 10).expect("small")],
            )
            .await
            .err(),
            put,
        )
    };
    let get = FaultKind::KvErrors {
        operation: KvOperation::Get,
        status: 500,
        ratio: 1.0,
        for_ms: FOR_MS,
    };
    let text = Some("KV GET failed: 500 Internal Server Error".to_owned());
    assert_eq!(
        around(get, probe),
        [(None, None, None), (None, text, None), (None, None, None)]
    );
    let put = FaultKind::KvErrors {
        operation: KvOperation::Put,
        status: 429,
        ratio: 1.0,
        for_ms: FOR_MS,
    };
    let text = Some("KV PUT failed: 429 Too Many Requests".to_owned());
    assert_eq!(
        around(put, probe),
        [(None, None, None), (None, None, text), (None, None, None)]
    );
}

#[test]
fn an_unreachable_object_loses_calls_and_keeps_its_state() {
    let kind = FaultKind::ObjectUnreachable {
        class: "Thing".into(),
        for_ms: FOR_MS,
    };
    let lost = Err("Network connection lost. retryable".to_owned());
    assert_eq!(around(kind, object), [(Ok(0), 0), (lost, 0), (Ok(1), 0)]);
}

#[test]
fn an_overloaded_object_refuses_calls() {
    let kind = FaultKind::ObjectOverloaded {
        class: "Thing".into(),
        for_ms: FOR_MS,
    };
    let refused =
        Err("Durable Object is overloaded. Too many requests queued. overloaded".to_owned());
    assert_eq!(around(kind, object), [(Ok(0), 0), (refused, 0), (Ok(1), 0)]);
}

#[test]
fn failing_storage_undoes_a_write_and_resets_the_object() {
    let kind = FaultKind::ObjectStorageFailing {
        class: "Thing".into(),
        for_ms: FOR_MS,
    };
    let text = "Durable Object storage operation exceeded timeout which caused object to be reset. durableObjectReset";
    let [before, during, after] = around(kind, async |world, client| object(world, client).await.0);
    assert_eq!(
        (before, during, after),
        (Ok(0), Err(text.to_owned()), Ok(1))
    );
}

#[test]
fn full_storage_fails_writes_and_nothing_else() {
    let world = platform(&["IAD"])
        .options(instant())
        .faults([Fault {
            at_ms: 1_000,
            kind: FaultKind::ObjectStorageFull {
                class: "Thing".into(),
                for_ms: 1_000,
            },
        }])
        .build()
        .expect("builds");
    // What each operation of storage says, what is there before the deletes, and what after them; memory counts the visits.
    let visit = async |client: &Client| {
        at(client, async |env, _| {
            let stub = env.durable_object("THING")?.get_by_name("a")?;
            within(&stub, async |thing: &Thing| {
                thing.memory.set(thing.memory.get() + 1);
                let storage = thing.state.storage();
                let sql = storage.sql();
                let text = |result: Result<()>| result.map_err(|error| message(&error));
                let run = |statement: &str| text(sql.exec(statement, None).map(drop));
                let seen = async || {
                    let sql_text = "SELECT coalesce(group_concat(n, ' '), '') AS n FROM t";
                    let numbers: Vec<serde_json::Value> = sql.exec(sql_text, None)?.to_array()?;
                    Ok::<_, Error>((
                        storage.get::<i64>("n").await?,
                        numbers[0]["n"].as_str().unwrap_or_default().to_owned(),
                        storage.get_alarm().await?.is_some(),
                    ))
                };
                run("CREATE TABLE IF NOT EXISTS t (n INTEGER)").map_err(Error::RustError)?;
                let several = js_sys::Object::new();
                js_sys::Reflect::set(&several, &"m".into(), &1.into())?;
                let writes = [
                    text(storage.put("n", 1).await),
                    text(storage.put_multiple_raw(several).await),
                    text(storage.set_alarm(Duration::from_secs(3_600)).await),
                    run("INSERT INTO t VALUES (1), (2)"),
                    run("UPDATE t SET n = n + 1"),
                    run("DELETE FROM t WHERE n = 2; INSERT INTO t VALUES (9)"),
                ];
                let before = seen().await?;
                let deletes = [
                    run("DELETE FROM t WHERE n = (SELECT min(n) FROM t)"),
                    text(storage.delete("n").await.map(drop)),
                    text(storage.delete_alarm().await),
                ];
                Ok((thing.memory.get(), writes, before, deletes, seen().await?))
            })
            .await
        })
        .await
    };
    let full = || Err("database or disk is full: SQLITE_FULL".to_owned());
    let ok = || Ok(());
    let healthy = [ok(), ok(), ok(), ok(), ok(), ok()];
    let none = [full(), full(), full(), full(), full(), full()];
    world.run(async |world| {
        let client = world.client("IAD");
        let first = visit(&client).await;
        let stored = (Some(1), "3 9".to_owned(), true);
        let deleted = (None, "9".to_owned(), false);
        assert_eq!(
            first,
            (1, healthy, stored, [ok(), ok(), ok()], deleted.clone())
        );
        world.sleep(Duration::from_millis(1_100)).await;
        // Nothing is reset: memory counts on. And what a refused text of several statements did first is undone.
        let second = visit(&client).await;
        let emptied = (None, String::new(), false);
        assert_eq!(second, (2, none, deleted, [ok(), ok(), ok()], emptied));
        world.sleep(Duration::from_secs(1)).await;
        let (memory, third, ..) = visit(&client).await;
        assert_eq!((memory, third.iter().all(Result::is_ok)), (3, true));
    });
}

#[test]
fn a_fault_of_another_class_or_database_changes_nothing() {
    let kind = FaultKind::ObjectUnreachable {
        class: "Other".into(),
        for_ms: FOR_MS,
    };
    assert_eq!(around(kind, object), [(Ok(0), 0), (Ok(1), 0), (Ok(2), 0)]);
    let kind = FaultKind::D1Failing {
        binding: "SPARE".into(),
        for_ms: FOR_MS,
    };
    assert!(around(kind, d1).iter().all(|(answer, _)| *answer == Ok(7)));
}

#[test]
fn a_reset_loses_memory_and_calls_in_flight_and_keeps_storage() {
    let world = platform(&["IAD"])
        .faults([Fault {
            at_ms: 5_000,
            kind: FaultKind::ObjectReset {
                class: "Thing".into(),
            },
        }])
        .build()
        .expect("builds");
    world.run(async |world| {
        at(&world.client("IAD"), async |env, _| {
            let stub = || env.durable_object("THING")?.get_by_name("a");
            let old = stub()?;
            let error = within(&old, async |thing: &Thing| {
                thing.memory.set(7);
                thing.state.storage().put("n", 1).await?;
                pause(10_000).await;
                Ok(())
            });
            let error = error.await.expect_err("reset in flight");
            assert_eq!(
                message(&error),
                "Durable Object reset because its code was updated."
            );
            assert!(flag(&error, "durableObjectReset"));
            let new = stub()?;
            let seen = within(&new, async |thing: &Thing| {
                Ok((
                    thing.memory.get(),
                    thing.state.storage().get::<i64>("n").await?,
                ))
            });
            assert_eq!(seen.await?, (0, Some(1)));
            Ok(())
        })
        .await;
    });
}

#[test]
fn a_slow_d1_takes_so_many_times_as_long() {
    let kind = FaultKind::D1Slow {
        binding: "DB".into(),
        factor: 10.0,
        for_ms: FOR_MS,
    };
    assert_eq!(
        around(kind, d1),
        [(Ok(7), 200), (Ok(7), 2_000), (Ok(7), 200)]
    );
}

#[test]
fn a_failing_d1_answers_its_error() {
    let kind = FaultKind::D1Failing {
        binding: "DB".into(),
        for_ms: FOR_MS,
    };
    let lost = Err("D1_ERROR: Network connection lost.".to_owned());
    assert_eq!(
        around(kind, async |world, client| d1(world, client).await.0),
        [Ok(7), lost, Ok(7)]
    );
}

static SEEN: edgeproof_isolate::IsolateLocal<std::cell::Cell<u32>> =
    edgeproof_isolate::IsolateLocal::new(|| std::cell::Cell::new(0));

#[test]
fn evicted_isolates_lose_their_memory() {
    let kind = FaultKind::IsolateEvicted { pop: "SIN".into() };
    let seen = around(kind, async |_, client| {
        at(client, async |_, _| {
            Ok(SEEN.with(|seen| seen.replace(seen.get() + 1)))
        })
        .await
    });
    assert_eq!(seen, [0, 0, 1]);
}

#[test]
fn a_hanging_origin_takes_requests_and_does_not_answer() {
    let kind = FaultKind::OriginHanging {
        host: "api.example".into(),
        for_ms: FOR_MS,
    };
    let seen = around(kind, async |_, client| {
        at(client, async |_, _| {
            let fetch = pin!(async {
                Fetch::Url(Url::parse("https://api.example/").expect("a URL"))
                    .send()
                    .await
            });
            match select(fetch, pin!(pause(3_000))).await {
                Either::Left((answer, _)) => Ok(Some(answer?.status_code())),
                Either::Right(_) => Ok(None),
            }
        })
        .await
    });
    assert_eq!(seen, [Some(200), None, Some(200)]);
}

#[test]
fn a_list_of_faults_survives_json_and_names_each_in_the_history() {
    let (a, b, class, binding, for_ms) = (
        "MEX".to_owned(),
        "FRA".to_owned(),
        "Thing".to_owned(),
        "DB".to_owned(),
        2_500,
    );
    let kinds = [
        FaultKind::LinkLatency {
            a: a.clone(),
            b: b.clone(),
            extra_ms: 7,
            for_ms,
        },
        FaultKind::Partition {
            a: a.clone(),
            b,
            for_ms,
        },
        FaultKind::KvPropagationDelay {
            pop: a.clone(),
            delay_ms: 5,
            for_ms,
        },
        FaultKind::KvErrors {
            operation: KvOperation::Get,
            status: 503,
            ratio: 1.0,
            for_ms,
        },
        FaultKind::KvErrors {
            operation: KvOperation::Put,
            status: 429,
            ratio: 1.0,
            for_ms,
        },
        FaultKind::ObjectUnreachable {
            class: class.clone(),
            for_ms,
        },
        FaultKind::ObjectReset {
            class: class.clone(),
        },
        FaultKind::ObjectOverloaded {
            class: class.clone(),
            for_ms,
        },
        FaultKind::ObjectStorageFailing {
            class: class.clone(),
            for_ms,
        },
        FaultKind::ObjectStorageFull { class, for_ms },
        FaultKind::D1Slow {
            binding: binding.clone(),
            factor: 2.5,
            for_ms,
        },
        FaultKind::D1Failing { binding, for_ms },
        FaultKind::IsolateEvicted { pop: a },
        FaultKind::OriginHanging {
            host: "api.example".into(),
            for_ms,
        },
    ];
    let faults: Vec<Fault> = (1..)
        .zip(kinds)
        .map(|(second, kind)| Fault {
            at_ms: second * 1_000,
            kind,
        })
        .collect();
    let json = serde_json::to_string(&faults).expect("plain data");
    assert_eq!(
        serde_json::from_str::<Vec<Fault>>(&json).expect("it was printed"),
        faults
    );
    assert!(
        serde_json::from_str::<Vec<Fault>>(&json.replace("for_ms", "for_s")).is_err(),
        "an unknown field is refused"
    );

    let world = platform(&["IAD"])
        .origin("api.example", Origin::new())
        .faults(faults.clone())
        .build()
        .expect("builds");
    world.run(async |world| world.sleep(Duration::from_secs(60)).await);
    let told: Vec<String> = world
        .history()
        .records()
        .iter()
        .filter_map(|record| match &record.op {
            edgeproof_sim::history::Op::Fault { kind } => Some(kind.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(
        told,
        faults
            .iter()
            .map(|fault| fault.kind.to_string())
            .collect::<Vec<_>>()
    );
}

#[test]
fn a_fault_in_an_unknown_pop_is_refused_before_the_run() {
    let kind = FaultKind::IsolateEvicted { pop: "XXX".into() };
    let refused = platform(&["IAD"])
        .faults([Fault { at_ms: 0, kind }])
        .build()
        .expect_err("no such PoP");
    assert!(
        refused
            .to_string()
            .contains("names the PoP \"XXX\", which this world does not have"),
        "{refused}"
    );
}

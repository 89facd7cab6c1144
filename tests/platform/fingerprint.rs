//! The fingerprint: everything that happens is in it, and nobody who only looks changes it.

use edgeproof_sim::fault::{Fault, FaultKind};
use edgeproof_sim::kernel::fingerprint::{Fingerprint, Name, first_difference};
use edgeproof_sim::platform::outbound::Origin;
use edgeproof_sim::{Builder, World, name};
use proptest::prelude::*;
use std::time::Duration;
use support::inside::{Thing, answer, at, begin, on_alarm, pause, platform, within};
use worker::*;

/// What one run does; two runs differ in one field alone.
#[derive(Debug, Clone)]
struct Script {
    kv_value: &'static str,
    kv_metadata: &'static str,
    bound: &'static str,
    sql: &'static str,
    stored: &'static str,
    row: &'static str,
    console: &'static str,
    sent: &'static str,
    header: &'static str,
    /// Which of two writes of one instant comes first.
    first: [&'static str; 2],
}

const SAME: Script = Script {
    kv_value: "value-a",
    kv_metadata: "about-a",
    bound: "bound-a",
    sql: "INSERT INTO t(v) VALUES (?1)",
    stored: "stored-a",
    row: "row-a",
    console: "line-a",
    sent: "sent-a",
    header: "header-a",
    first: ["x", "y"],
};

fn run(script: &Script) -> Fingerprint {
    let script = script.clone();
    let world = platform(&["FRA"])
        .history(false)
        .origin("api.example", Origin::new())
        .seed_sql("DB", "test", "CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
        .build()
        .expect("builds");
    world.run(async |world| {
        at(&world.client("FRA"), async move |env, _| {
            let kv = env.kv("KV")?;
            kv.put("k", script.kv_value)?
                .metadata(script.kv_metadata)?
                .execute()
                .await?;
            let db = env.d1("DB")?;
            db.prepare(script.sql)
                .bind(&[script.bound.into()])?
                .run()
                .await?;
            console_log!("{}", script.console);
            let headers = Headers::new();
            headers.set("x-test", script.header)?;
            let mut init = RequestInit::new();
            init.with_method(Method::Post)
                .with_headers(headers)
                .with_body(Some(script.sent.into()));
            let request = Request::new_with_init("https://api.example/", &init)?;
            Fetch::Request(request).send().await?;
            let thing = env.durable_object("THING")?.get_by_name("a")?;
            within(&thing, async move |thing: &Thing| {
                let storage = thing.state.storage();
                storage.put("s", script.stored).await?;
                storage.sql().exec("CREATE TABLE r(v)", None)?;
                storage
                    .sql()
                    .exec("INSERT INTO r VALUES (?)", vec![script.row.into()])?;
                for key in script.first {
                    storage.put(key, 1).await?;
                }
                Ok(())
            })
            .await
        })
        .await;
    });
    world.fingerprint()
}

#[test]
fn a_difference_of_one_byte_anywhere_changes_the_fingerprint() {
    let same = run(&SAME);
    assert_eq!(same, run(&SAME));
    let others = [
        Script {
            kv_value: "value-b",
            ..SAME
        },
        Script {
            kv_metadata: "about-b",
            ..SAME
        },
        Script {
            bound: "bound-b",
            ..SAME
        },
        Script {
            sql: "INSERT INTO t(v) VALUES(?1) ",
            ..SAME
        },
        Script {
            sql: "INSERT INTO t(v) values (?1)",
            ..SAME
        },
        Script {
            stored: "stored-b",
            ..SAME
        },
        Script {
            row: "row-b",
            ..SAME
        },
        Script {
            console: "line-b",
            ..SAME
        },
        Script {
            sent: "sent-b",
            ..SAME
        },
        Script {
            header: "header-b",
            ..SAME
        },
        Script {
            first: ["y", "x"],
            ..SAME
        },
    ];
    for other in others {
        assert_ne!(same, run(&other), "{other:?}");
    }
}

#[test]
fn names_of_events_count_as_a_whole() {
    // Equal in length and in the first byte.
    let (one, other): (Name, Name) = (name!("kv.get"), name!("kv.put"));
    assert_ne!(one.hash, other.hash);
}

/// A run with a bit of everything, by `steps`; `look` may look at the world whenever it likes.
fn mixed(builder: Builder, steps: &[u8], look: impl Fn(&World)) -> World {
    let fault = |at_ms, kind| Fault { at_ms, kind };
    let class = || "Thing".to_owned();
    let world = builder
        .origin("api.example", Origin::new())
        .seed_sql("DB", "test", "CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
        .faults([
            fault(700, FaultKind::ObjectReset { class: class() }),
            fault(900, FaultKind::IsolateEvicted { pop: "FRA".into() }),
        ])
        .build()
        .expect("builds");
    begin();
    on_alarm(async |_: &Thing| Err("no".into()));
    world.run(async |world| {
        for (number, step) in steps.iter().copied().enumerate() {
            let client = world.client(["FRA", "SIN"][number % 2]);
            // Failures are part of it.
            let _ = answer(&client, async move |env, context| {
                match step % 6 {
                    0 => drop(env.kv("KV")?.get("k").text().await?),
                    1 => env.kv("KV")?.put("k", "v")?.execute().await?,
                    2 => drop(
                        env.d1("DB")?
                            .prepare("INSERT INTO t(v) VALUES (1)")
                            .run()
                            .await?,
                    ),
                    3 => drop(
                        Fetch::Url(Url::parse("https://api.example/")?)
                            .send()
                            .await?,
                    ),
                    4 => context.wait_until(pause(40_000)),
                    _ => {
                        let thing = env.durable_object("THING")?.get_by_name("a")?;
                        within(&thing, async |thing: &Thing| {
                            thing.state.storage().put("n", 1).await?;
                            thing.state.storage().set_alarm(100).await
                        })
                        .await?;
                    }
                }
                Ok(())
            })
            .await;
            look(world);
            world.sleep(Duration::from_millis(150)).await;
        }
        world.sleep(Duration::from_secs(100)).await;
    });
    look(&world);
    world
}

/// A look at a world while it runs.
type Look = fn(&World);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn observation_never_perturbs(seed: u64, steps in prop::collection::vec(any::<u8>(), 1..16)) {
        let base = || platform(&["FRA", "SIN"]).seed(seed).history(false);
        let unseen = mixed(base(), &steps, |_| ());
        let fingerprint = unseen.fingerprint();
        let looks: [(&str, Builder, Look); 4] = [
            ("history", base().history(true), |_| ()),
            ("trace", base().trace(true), |_| ()),
            ("reports", base().history(true), |world| {
                let history = world.history();
                let _ = edgeproof_sim::check::staleness::measure(history.records());
                let _ = (world.usage(), world.space(), world.tasks(), history.to_json_lines());
            }),
            ("everything", base().history(true).trace(true), |world| drop(world.history())),
        ];
        for (how, builder, look) in looks {
            let seen = mixed(builder, &steps, look);
            prop_assert_eq!(seen.fingerprint(), fingerprint, "{}", how);
            prop_assert_eq!(seen.events(), unseen.events(), "{}", how);
        }
    }
}

#[test]
fn a_trace_names_the_operation_in_which_two_runs_part() {
    let run = |value: &'static str| {
        let world = platform(&["FRA"]).trace(true).build().expect("builds");
        world.run(async |world| {
            at(&world.client("FRA"), async move |env, _| {
                env.kv("KV")?.put("k", value)?.execute().await?;
                Ok(())
            })
            .await;
        });
        world.trace()
    };
    let (one, other) = (run("a"), run("b"));
    let first = first_difference(&one, &other).expect("they differ");
    assert_eq!(one[first].event, "kv.put");
}

/// The fingerprint of a run in which an object with one key does something with its storage.
fn storing(code: impl for<'a> AsyncFnOnce(&'a Thing) -> Result<()> + 'static) -> Fingerprint {
    let world = platform(&["FRA"]).history(false).build().expect("builds");
    world.run(async |world| {
        let client = world.client("FRA");
        at(&client, async |env, _| {
            let thing = env.durable_object("THING")?.get_by_name("a")?;
            within(&thing, async |thing: &Thing| {
                thing.state.storage().put("empty", "").await
            })
            .await
        })
        .await;
        at(&client, async move |env, _| {
            let thing = env.durable_object("THING")?.get_by_name("a")?;
            within(&thing, code).await
        })
        .await;
    });
    world.fingerprint()
}

#[test]
fn what_a_list_of_storage_wants_changes_the_fingerprint() {
    let list = |limit| {
        storing(async move |thing: &Thing| {
            let options = ListOptions::new().limit(limit);
            thing
                .state
                .storage()
                .list_with_options(options)
                .await
                .map(drop)
        })
    };
    assert_eq!(list(5), list(5));
    assert_ne!(list(5), list(6), "one key is returned either way");
}

#[test]
fn names_of_columns_change_the_fingerprint() {
    // The texts are equal; only the table differs.
    let select = |column: &'static str| {
        let world = platform(&["FRA"])
            .history(false)
            .seed_sql(
                "DB",
                "test",
                &format!("CREATE TABLE t({column}); INSERT INTO t VALUES (1)"),
            )
            .build()
            .expect("builds");
        world.run(async |world| {
            at(&world.client("FRA"), async |env, _| {
                env.d1("DB")?
                    .prepare("SELECT * FROM t")
                    .run()
                    .await
                    .map(drop)
            })
            .await;
        });
        world.fingerprint()
    };
    assert_eq!(select("a"), select("a"));
    assert_ne!(select("a"), select("b"));
}

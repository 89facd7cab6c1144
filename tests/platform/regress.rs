//! One test for each fixed defect, under the story of the defect.

use edgeproof_sim::World;
use edgeproof_sim::fault::FaultKind;
use edgeproof_sim::history::Op;
use futures_util::future::join;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;
use support::inside::{Thing, at, failure, instant, on_alarm, pause, platform, within};
use worker::*;

fn stub(env: &Env) -> Result<Stub> {
    env.durable_object("THING")?.get_by_name("one")
}

fn world() -> World {
    platform(&["IAD"])
        .options(instant())
        .build()
        .expect("builds")
}

/// Two transactions side by side left the storage in a transaction that never ended: nothing was committed any more.
#[test]
fn transactions_side_by_side_take_turns() {
    let world = world();
    let failed = world.run(async |world| {
        let client = world.client("IAD");
        at(&client, async |env, _| {
            let stub = stub(&env)?;
            let failed = within(&stub, async |thing: &Thing| {
                let (one, two) = (thing.state.storage(), thing.state.storage());
                let first = one.transaction(|open| async move {
                    open.put("a", 1).await?;
                    pause(20).await;
                    open.put("a", 2).await
                });
                let second = two.transaction(|open| async move {
                    open.put("a", 3).await?;
                    pause(50).await;
                    Err(Error::from("not this one"))
                });
                let (kept, undone) = join(first, second).await;
                kept?;
                Ok(failure(undone))
            })
            .await?;
            let left = within(&stub, async |thing: &Thing| {
                thing.state.storage().put("b", 1).await?;
                thing.state.storage().delete_all().await?;
                thing.state.storage().put("c", 1).await?;
                thing.state.storage().get::<i64>("a").await
            })
            .await?;
            assert_eq!(left, None, "and storage is usable as before");
            Ok(failed)
        })
        .await
    });
    assert_eq!(failed, "not this one");
    world.inject(FaultKind::ObjectReset {
        class: "Thing".into(),
    });
    let kept = world.run(async |world| {
        at(&world.client("IAD"), async |env, _| {
            within(&stub(&env)?, async |thing: &Thing| {
                thing.state.storage().get::<i64>("c").await
            })
            .await
        })
        .await
    });
    assert_eq!(kept, Some(1), "what was written afterwards was committed");
}

/// An alarm counted as run when its handler returned, although what it wrote was undone a moment later.
#[test]
fn an_alarm_whose_writes_are_undone_runs_again() {
    let world = world();
    on_alarm(async |thing| thing.state.storage().put("ran", true).await);
    let ran = world.run(async |world| {
        let client = world.client("IAD");
        at(&client, async |env, _| {
            within(&stub(&env)?, async |thing: &Thing| {
                thing
                    .state
                    .storage()
                    .set_alarm(Duration::from_secs(5))
                    .await
            })
            .await
        })
        .await;
        world.sleep(Duration::from_secs(4)).await;
        world.inject(FaultKind::ObjectStorageFailing {
            class: "Thing".into(),
            for_ms: 3_000,
        });
        world.sleep(Duration::from_secs(30)).await;
        at(&client, async |env, _| {
            within(&stub(&env)?, async |thing: &Thing| {
                thing.state.storage().get::<bool>("ran").await
            })
            .await
        })
        .await
    });
    assert_eq!(ran, Some(true));
}

/// An answer far from home was delivered although what it told was undone, if the object was reset again while it travelled.
#[test]
fn an_answer_is_held_back_even_if_the_object_is_reset_on_its_way() {
    let world = platform(&["IAD", "SIN"]).build().expect("builds");
    let answers = world.run(async |world| {
        let write = async |client: &edgeproof_sim::world::client::Client| {
            at(client, async |env, _| {
                let stub = stub(&env)?;
                let call = within(&stub, async |thing: &Thing| {
                    thing.state.storage().put("n", 1).await
                });
                Ok(call.await.map_err(|error| error.to_string()))
            })
            .await
        };
        // It lives in IAD, half a world from SIN.
        let home = world.client("IAD");
        assert_eq!(write(&home).await, Ok(()));
        world.inject(FaultKind::ObjectStorageFailing {
            class: "Thing".into(),
            for_ms: 60_000,
        });
        let far = world.client("SIN");
        let one_after_the_other = (0..10).map(async |number| {
            world.sleep(Duration::from_millis(10 * number)).await;
            write(&far).await
        });
        futures_util::future::join_all(one_after_the_other).await
    });
    for answer in answers {
        let text = answer.expect_err("nothing was stored");
        assert!(
            text.contains("storage operation exceeded timeout"),
            "{text}"
        );
    }
}

/// Every `set_alarm` started a timer of its own, so an alarm put off with each request piled them up.
#[test]
fn an_alarm_put_off_with_every_request_runs_once_at_its_last_time() {
    let world = world();
    let runs = Rc::new(Cell::new(0));
    let counted = Rc::clone(&runs);
    on_alarm(async move |_| {
        counted.set(counted.get() + 1);
        Ok(())
    });
    world.run(async |world| {
        let client = world.client("IAD");
        for _ in 0..20 {
            at(&client, async |env, _| {
                within(&stub(&env)?, async |thing: &Thing| {
                    thing
                        .state
                        .storage()
                        .set_alarm(Duration::from_secs(5))
                        .await
                })
                .await
            })
            .await;
            world.sleep(Duration::from_secs(1)).await;
        }
        world.sleep(Duration::from_secs(3)).await;
    });
    assert_eq!(runs.get(), 0, "it was put off until 24 s");
    assert!(
        world.tasks() < 5,
        "one timer for the alarm and one for idleness: {}",
        world.tasks()
    );
    world.run(async |world| world.sleep(Duration::from_secs(60)).await);
    assert_eq!(runs.get(), 1);
    let history = world.history();
    let alarms = history
        .records()
        .iter()
        .filter(|record| matches!(record.op, Op::Alarm { .. }));
    assert_eq!(
        alarms
            .map(|record| (record.start - world.start().0) / 1_000_000_000)
            .collect::<Vec<_>>(),
        [24]
    );
}

/// A commit that SQLite refuses left the keys written and the database in a transaction for ever.
#[test]
fn a_commit_that_is_refused_undoes_keys_and_rows_and_the_next_turn_works() {
    let world = world();
    world.run(async |world| {
        let client = world.client("IAD");
        at(&client, async |env, _| {
            let stub = stub(&env)?;
            within(&stub, async |thing: &Thing| {
                let sql = thing.state.storage().sql();
                sql.exec("CREATE TABLE parents (id INTEGER PRIMARY KEY)", None)?;
                sql.exec(
                    "CREATE TABLE children (parent INTEGER REFERENCES parents(id) DEFERRABLE INITIALLY DEFERRED)",
                    None,
                )?;
                Ok(())
            })
            .await?;
            let refused = within(&stub, async |thing: &Thing| {
                thing.state.storage().put("key", 1).await?;
                thing.state.storage().sql().exec("INSERT INTO children VALUES (7)", None)?;
                Ok(())
            })
            .await;
            assert!(refused.is_err(), "its answer must not leave");
            let left = within(&env.durable_object("THING")?.get_by_name("one")?, async |thing: &Thing| {
                let sql = thing.state.storage().sql();
                sql.exec("INSERT INTO parents VALUES (1)", None)?;
                let rows = sql.exec("SELECT parent FROM children", None)?.raw().count();
                Ok((thing.state.storage().get::<i64>("key").await?, rows))
            })
            .await?;
            assert_eq!(left, (None, 0));
            Ok(())
        })
        .await;
    });
}

/// `exec` failed at a blank line, and rolled everything back.
#[test]
fn exec_passes_over_lines_without_a_statement() {
    let world = world();
    let count = world.run(async |world| {
        at(&world.client("IAD"), async |env, _| {
            let done = env
                .d1("DB")?
                .exec("CREATE TABLE a (x);\n\n-- a note\nCREATE TABLE b (x);")
                .await?;
            Ok(done.count().expect("a number"))
        })
        .await
    });
    assert_eq!(count, Some(2));
}

/// Only the last statement of a text was billed.
#[test]
fn every_statement_of_a_text_is_billed() {
    let world = world();
    world.run(async |world| {
        at(&world.client("IAD"), async |env, _| {
            within(&stub(&env)?, async |thing: &Thing| {
                let sql = thing.state.storage().sql();
                sql.exec("CREATE TABLE t (x)", None)?;
                sql.exec(
                    "INSERT INTO t VALUES (1), (2); INSERT INTO t VALUES (3); SELECT 1",
                    None,
                )?;
                Ok(())
            })
            .await
        })
        .await;
    });
    let written = world
        .usage()
        .totals()
        .find(|(name, _)| *name == "durable_objects.rows_written");
    assert_eq!(
        written,
        Some(("durable_objects.rows_written", 5.0)),
        "2 for the table, 3 for the rows"
    );
}

/// A fetch whose future was dropped kept waiting for ever.
#[test]
fn a_fetch_that_was_given_up_leaves_nothing_behind() {
    use edgeproof_sim::platform::outbound::Origin;
    let world = platform(&["IAD"])
        .options(instant())
        .origin("slow.example", Origin::new().hang())
        .build()
        .expect("builds");
    world.run(async |world| {
        for _ in 0..10 {
            at(&world.client("IAD"), async |_, _| {
                let fetch = Fetch::Url("https://slow.example/".parse().expect("a URL"));
                let given_up = futures_util::future::select(
                    Box::pin(fetch.send()),
                    Delay::from(Duration::from_secs(1)),
                );
                drop(given_up.await);
                Ok(())
            })
            .await;
        }
    });
    assert_eq!(
        world.received("slow.example").len(),
        10,
        "the origin has had them all"
    );
    assert_eq!(world.tasks(), 0);
}

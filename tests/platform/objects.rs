//! Durable Objects, as a Worker meets them: gates, storage, transactions, alarms, eviction, resets, placement, bill.

use edgeproof_sim::bill::usage::Meter;
use edgeproof_sim::fault::FaultKind;
use edgeproof_sim::history::{Op, Outcome};
use edgeproof_sim::world::World;
use edgeproof_sim::world::client::Client;
use futures_util::future::join_all;
use proptest::prelude::*;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;
use support::inside::{
    Thing, answer, at, failure, flag, instant, message, on_alarm, on_construct, pause, platform,
    within,
};
use worker::*;

/// Runs `code` as one event of the object of this name, called from a client's PoP.
async fn on<T: 'static>(
    client: &Client,
    name: &'static str,
    code: impl for<'a> AsyncFnOnce(&'a Thing) -> Result<T> + 'static,
) -> T {
    at(client, async move |env, _| {
        within(&stub(&env, name)?, code).await
    })
    .await
}

fn stub(env: &Env, name: &str) -> Result<Stub> {
    env.durable_object("THING")?.get_by_name(name)
}

async fn count(thing: &Thing, name: &str) -> Result<i64> {
    Ok(thing.state.storage().get(name).await?.unwrap_or(0))
}

/// What happened, in order.
type Log = Rc<RefCell<Vec<String>>>;

fn note(log: &Log, text: impl Into<String>) {
    log.borrow_mut().push(text.into());
}

fn starts(world: &World) -> usize {
    world
        .history()
        .records()
        .iter()
        .filter(|record| matches!(record.op, Op::ObjectStart { .. }))
        .count()
}

// --- the input gate -------------------------------------------------------------------------------------------------

/// Ten requests that each read a number and write it back plus one, with or without a timer in between.
fn ten_increments(wait: bool) -> i64 {
    let world = platform(&["IAD"]).build().expect("builds");
    world.run(async |world| {
        let client = world.client("IAD");
        let increment = async move |thing: &Thing| {
            let n = count(thing, "n").await?;
            if wait {
                pause(20).await;
            }
            thing.state.storage().put("n", n + 1).await
        };
        join_all((0..10).map(|_| on(&client, "a", increment))).await;
        on(&client, "a", async |thing: &Thing| count(thing, "n").await).await
    })
}

#[test]
fn a_read_modify_write_with_only_storage_in_between_is_atomic() {
    assert_eq!(ten_increments(false), 10);
}

#[test]
fn a_read_modify_write_with_a_timer_in_between_is_not() {
    assert_eq!(ten_increments(true), 1);
}

#[test]
fn requests_interleave_at_a_timer_and_nowhere_else() {
    let world = platform(&["IAD"]).build().expect("builds");
    let log = Log::default();
    world.run(async |world| {
        let client = world.client("IAD");
        let event = |number: u32| {
            let log = Rc::clone(&log);
            on(&client, "a", async move |thing: &Thing| {
                note(&log, format!("start{number}"));
                count(thing, "n").await?;
                note(&log, format!("afterget{number}"));
                pause(20).await;
                note(&log, format!("afterwait{number}"));
                Ok(())
            })
        };
        join_all([event(1), event(2)]).await;
    });
    assert_eq!(
        *log.borrow(),
        [
            "start1",
            "afterget1",
            "start2",
            "afterget2",
            "afterwait1",
            "afterwait2"
        ]
    );
}

#[test]
fn block_concurrency_while_keeps_other_requests_out() {
    let world = platform(&["IAD"]).build().expect("builds");
    let log = Log::default();
    world.run(async |world| {
        let client = world.client("IAD");
        let event = |number: u32| {
            let log = Rc::clone(&log);
            on(&client, "a", async move |thing: &Thing| {
                let section = async move {
                    note(&log, format!("in{number}"));
                    pause(20).await;
                    note(&log, format!("out{number}"));
                    Ok(number * 10)
                };
                thing.state.block_concurrency_while(section).await
            })
        };
        assert_eq!(join_all([event(1), event(2)]).await, [10, 20]);
    });
    assert_eq!(*log.borrow(), ["in1", "out1", "in2", "out2"]);
}

#[test]
fn a_timer_of_another_request_waits_for_the_critical_section_too() {
    let world = platform(&["IAD"]).build().expect("builds");
    let log = Log::default();
    world.run(async |world| {
        let client = world.client("IAD");
        let (sleeper, blocker) = (Rc::clone(&log), Rc::clone(&log));
        let sleeps = on(&client, "a", async move |_: &Thing| {
            pause(10).await;
            note(&sleeper, "timer");
            Ok(())
        });
        let blocks = on(&client, "a", async move |thing: &Thing| {
            let section = async move {
                pause(50).await;
                note(&blocker, "section");
                Ok(())
            };
            thing.state.block_concurrency_while(section).await
        });
        futures_util::join!(sleeps, blocks);
    });
    assert_eq!(*log.borrow(), ["section", "timer"]);
}

#[test]
fn a_failing_critical_section_resets_the_object_and_breaks_the_stub() {
    let world = platform(&["IAD"]).build().expect("builds");
    world.run(async |world| {
        at(&world.client("IAD"), async |env, _| {
            let old = stub(&env, "a")?;
            within(&old, async |thing: &Thing| {
                thing.memory.set(7);
                thing.state.storage().put("kept", 1).await
            })
            .await?;
            let broken = within(&old, async |thing: &Thing| {
                thing
                    .state
                    .block_concurrency_while(async { Err::<(), _>(Error::from("because")) })
                    .await
            });
            let error = broken.await.expect_err("the section failed");
            assert_eq!(message(&error), "because");
            assert!(flag(&error, "durableObjectReset"));
            let again = within(&old, async |_: &Thing| Ok(()))
                .await
                .expect_err("a stub that threw stays broken");
            assert_eq!(message(&again), "because");
            let (memory, kept) = within(&stub(&env, "a")?, async |thing: &Thing| {
                Ok((thing.memory.get(), count(thing, "kept").await?))
            })
            .await?;
            assert_eq!((memory, kept), (0, 1), "a new stub meets a new instance");
            Ok(())
        })
        .await;
    });
    assert_eq!(starts(&world), 2);
}

#[test]
fn a_critical_section_of_30_seconds_is_cancelled_and_resets_the_object() {
    let world = platform(&["IAD"]).build().expect("builds");
    world.run(async |world| {
        let begin = world.now();
        let client = world.client("IAD");
        let text = at(&client, async |env, _| {
            let object = stub(&env, "a")?;
            let call = within(&object, async |thing: &Thing| {
                thing
                    .state
                    .block_concurrency_while(std::future::pending::<Result<()>>())
                    .await
            });
            Ok(failure(call.await))
        });
        assert_eq!(
            text.await,
            "A call to blockConcurrencyWhile() in a Durable Object waited for too long. \
             The call was canceled and the Durable Object was reset."
        );
        assert_eq!(world.now().since(begin).as_secs(), 30);
    });
}

#[test]
fn a_discarded_section_in_the_constructor_still_keeps_requests_out() {
    let world = platform(&["IAD"]).build().expect("builds");
    let log = Log::default();
    let constructor = Rc::clone(&log);
    on_construct(move |state| {
        let log = Rc::clone(&constructor);
        let storage = state.storage();
        note(&log, "construct");
        drop(state.block_concurrency_while(async move {
            pause(100).await;
            storage.put("ready", 1).await?;
            note(&log, "ready");
            Ok(())
        }));
    });
    let request = Rc::clone(&log);
    let ready = world.run(async |world| {
        on(&world.client("IAD"), "a", async move |thing: &Thing| {
            note(&request, "request");
            count(thing, "ready").await
        })
        .await
    });
    assert_eq!(ready, 1);
    assert_eq!(*log.borrow(), ["construct", "ready", "request"]);
}

#[test]
fn a_timer_dropped_at_the_gate_lets_the_next_one_pass() {
    let world = platform(&["IAD"])
        .options(instant())
        .build()
        .expect("builds");
    let section_ended = Rc::new(std::cell::Cell::new(false));
    world.run(async |world| {
        let client = world.client("IAD");
        let ended = Rc::clone(&section_ended);
        let drops = on(&client, "a", async move |_: &Thing| {
            let mut timer = Some(World::current().bindings().timer(Duration::from_millis(10)));
            // Woken at the end of the section, it drops the timer instead of polling it.
            std::future::poll_fn(move |context| {
                let Some(waiting) = timer.as_mut().filter(|_| !ended.get()) else {
                    timer = None;
                    return std::task::Poll::Ready(());
                };
                waiting.as_mut().poll(context)
            })
            .await;
            Ok(())
        });
        let passed = Rc::new(std::cell::Cell::new(None));
        let seen = Rc::clone(&passed);
        // In a task of its own, which only the dropped timer can wake.
        let waits = on(&client, "a", async move |thing: &Thing| {
            thing.state.wait_until(async move {
                pause(11).await;
                seen.set(Some(Date::now().as_millis()));
            });
            Ok(())
        });
        let ended = Rc::clone(&section_ended);
        let blocks = on(&client, "a", async move |thing: &Thing| {
            let section = async move {
                pause(50).await;
                ended.set(true);
                Ok(Date::now().as_millis())
            };
            thing.state.block_concurrency_while(section).await
        });
        let ((), (), ended_at) = futures_util::join!(drops, waits, blocks);
        world.sleep(Duration::from_secs(1)).await;
        assert_eq!(passed.get(), Some(ended_at));
    });
}

#[test]
fn a_request_at_the_gate_fails_when_its_object_is_reset() {
    let world = platform(&["IAD"]).build().expect("builds");
    world.run(async |world| {
        let client = world.client("IAD");
        let blocks = answer(&client, async |env, _| {
            within(&stub(&env, "a")?, async |thing: &Thing| {
                let section = async {
                    pause(5_000).await;
                    Ok(())
                };
                thing.state.block_concurrency_while(section).await
            })
            .await
        });
        let failed_after = Rc::new(std::cell::Cell::new(None));
        let seen = Rc::clone(&failed_after);
        // In a task of its own, which only the reset can wake.
        let waits = at(&client, async move |env, context| {
            context.wait_until(async move {
                let object = stub(&env, "a").expect("it is bound");
                let error = within(&object, async |_: &Thing| Ok(())).await;
                let error = error.expect_err("it never enters");
                assert!(flag(&error, "durableObjectReset"));
                seen.set(Some(World::current().elapsed().as_millis()));
            });
            Ok(())
        });
        let reset = async {
            world.sleep(Duration::from_millis(100)).await;
            world.inject(FaultKind::ObjectReset {
                class: "Thing".into(),
            });
            world.sleep(Duration::from_secs(1)).await;
        };
        futures_util::join!(blocks, waits, reset);
        assert!(failed_after.get().is_some_and(|ms| ms < 200));
    });
}

// --- transactions ---------------------------------------------------------------------------------------------------

/// Writes a key and a row inside a transaction that ends by `end`; what is there afterwards.
fn transaction(
    end: impl Fn(&Transaction) -> Result<()> + Clone + 'static,
) -> (Result<(), String>, i64, i64) {
    let world = platform(&["IAD"]).build().expect("builds");
    world.run(async |world| {
        on(&world.client("IAD"), "a", async move |thing: &Thing| {
            let storage = thing.state.storage();
            storage.put("k", 1).await?;
            storage
                .sql()
                .exec("CREATE TABLE t(v); INSERT INTO t VALUES (1)", None)?;
            let sql = storage.sql();
            let ended = storage.transaction(move |transaction| async move {
                transaction.put("k", 2).await?;
                sql.exec("INSERT INTO t VALUES (2)", None)?;
                pause(50).await;
                assert_eq!(transaction.get::<i64>("k").await?, 2);
                transaction.put("k", 3).await?;
                sql.exec("INSERT INTO t VALUES (3)", None)?;
                end(&transaction)
            });
            let ended = ended.await.map_err(|error| message(&error));
            let rows = storage
                .sql()
                .exec("SELECT count(*) AS n FROM t", None)?
                .raw()
                .next()
                .expect("a row")?;
            let SqlStorageValue::Integer(rows) = rows[0] else {
                panic!("{rows:?}")
            };
            Ok((ended, count(thing, "k").await?, rows))
        })
        .await
    })
}

#[test]
fn a_transaction_keeps_what_it_wrote() {
    assert_eq!(transaction(|_| Ok(())), (Ok(()), 3, 3));
}

#[test]
fn a_transaction_that_fails_undoes_keys_and_rows_alike() {
    assert_eq!(
        transaction(|_| Err("no".into())),
        (Err("no".to_owned()), 1, 1)
    );
}

#[test]
fn an_explicit_rollback_undoes_keys_and_rows_and_is_no_failure() {
    assert_eq!(transaction(Transaction::rollback), (Ok(()), 1, 1));
}

#[test]
fn delete_all_is_refused_inside_a_transaction() {
    let world = platform(&["IAD"]).build().expect("builds");
    let text = world.run(async |world| {
        on(&world.client("IAD"), "a", async |thing: &Thing| {
            let storage = thing.state.storage();
            let ended =
                storage.transaction(|transaction| async move { transaction.delete_all().await });
            Ok(failure(ended.await))
        })
        .await
    });
    assert_eq!(text, "Cannot call deleteAll() within a transaction");
}

// --- life and death -------------------------------------------------------------------------------------------------

/// Writes memory, a key and a row; calls again after `ms` without an event.
fn after_idle(ms: u64) -> (u64, i64, i64, usize) {
    let world = platform(&["IAD"])
        .options(instant())
        .build()
        .expect("builds");
    let (memory, key, rows) = world.run(async |world| {
        let client = world.client("IAD");
        on(&client, "a", async |thing: &Thing| {
            thing.memory.set(7);
            thing.state.storage().put("n", 1).await?;
            thing
                .state
                .storage()
                .sql()
                .exec("CREATE TABLE t(v); INSERT INTO t VALUES (1)", None)?;
            Ok(())
        })
        .await;
        world.sleep(Duration::from_millis(ms)).await;
        on(&client, "a", async |thing: &Thing| {
            let rows = thing.state.storage().sql().exec("SELECT v FROM t", None)?;
            Ok((
                thing.memory.get(),
                count(thing, "n").await?,
                rows.raw().count() as i64,
            ))
        })
        .await
    });
    (memory, key, rows, starts(&world))
}

#[test]
fn an_object_idle_for_9_9_seconds_keeps_its_memory() {
    assert_eq!(after_idle(9_900), (7, 1, 1, 1));
}

#[test]
fn after_10_idle_seconds_an_object_loses_its_memory_not_its_storage() {
    assert_eq!(after_idle(10_001), (0, 1, 1, 2));
}

#[test]
fn work_in_wait_until_keeps_an_object_from_being_idle() {
    let world = platform(&["IAD"]).build().expect("builds");
    world.run(async |world| {
        let client = world.client("IAD");
        on(&client, "a", async |thing: &Thing| {
            thing.memory.set(7);
            thing.state.wait_until(pause(45_000));
            Ok(())
        })
        .await;
        world.sleep(Duration::from_secs(50)).await;
        assert_eq!(
            on(&client, "a", async |thing: &Thing| Ok(thing.memory.get())).await,
            7
        );
        world.sleep(Duration::from_secs(11)).await;
        assert_eq!(
            on(&client, "a", async |thing: &Thing| Ok(thing.memory.get())).await,
            0
        );
    });
}

#[test]
fn a_panic_resets_the_object_undoes_its_turn_and_is_an_error() {
    let world = platform(&["IAD"]).build().expect("builds");
    world.run(async |world| {
        at(&world.client("IAD"), async |env, _| {
            within(&stub(&env, "a")?, async |thing: &Thing| {
                thing.memory.set(7);
                thing.state.storage().put("n", 1).await
            })
            .await?;
            let object = stub(&env, "a")?;
            let call = within(&object, async |thing: &Thing| -> Result<()> {
                thing.state.storage().put("n", 2).await?;
                panic!("a bug in the Worker")
            });
            let error = call.await.expect_err("it panicked");
            assert_eq!(message(&error), "unreachable");
            assert!(flag(&error, "remote") && flag(&error, "durableObjectReset"));
            let object = stub(&env, "a")?;
            let seen = within(&object, async |thing: &Thing| {
                Ok((thing.memory.get(), count(thing, "n").await?))
            });
            assert_eq!(seen.await?, (0, 1));
            Ok(())
        })
        .await;
    });
}

#[test]
fn an_error_does_not_reset_the_object_and_keeps_its_writes() {
    let world = platform(&["IAD"]).build().expect("builds");
    world.run(async |world| {
        at(&world.client("IAD"), async |env, _| {
            let stub = stub(&env, "a")?;
            let call = within(&stub, async |thing: &Thing| -> Result<()> {
                thing.memory.set(7);
                thing.state.storage().put("n", 2).await?;
                Err("no".into())
            });
            let error = call.await.expect_err("it failed");
            assert_eq!(message(&error), "no");
            assert!(flag(&error, "remote") && !flag(&error, "durableObjectReset"));
            assert_eq!(
                within(&stub, async |thing: &Thing| Ok((
                    thing.memory.get(),
                    count(thing, "n").await?
                )))
                .await?,
                (7, 2)
            );
            Ok(())
        })
        .await;
    });
}

#[test]
fn an_object_that_is_reset_goes_on_with_the_calls_it_has_begun_as_itself() {
    let world = platform(&["IAD"]).build().expect("builds");
    world.run(async |world| {
        let client = world.client("IAD");
        let call = answer(&client, async |env, _| {
            within(&stub(&env, "a")?, async |thing: &Thing| {
                thing.env.kv("KV")?.put("k", "v")?.execute().await?;
                Ok(())
            })
            .await
        });
        let reset = async {
            world.sleep(Duration::from_millis(19)).await;
            world.inject(FaultKind::ObjectReset {
                class: "Thing".into(),
            });
            world.sleep(Duration::from_secs(1)).await;
        };
        let ((answer, _), ()) = futures_util::join!(call, reset);
        assert_eq!(answer.status, 500);
    });
    let history = world.history();
    let put = history
        .records()
        .iter()
        .find(|record| matches!(record.op, Op::KvPut { .. }))
        .expect("it was under way");
    assert!(matches!(put.outcome, Outcome::KvWritten { .. }), "{put:?}");
    assert!(
        matches!(put.actor, edgeproof_sim::history::Actor::Object { .. }),
        "{put:?}"
    );
}

// --- the output gate ------------------------------------------------------------------------------------------------

/// How long an answer takes with a commit time of one second.
fn answer_after(code: impl for<'a> AsyncFnOnce(&'a Thing) -> Result<()> + 'static) -> u128 {
    let mut options = instant();
    options.object_commit = Duration::from_secs(1);
    let world = platform(&["IAD"]).options(options).build().expect("builds");
    world.run(async |world| {
        let client = world.client("IAD");
        let begin = world.now();
        on(&client, "a", code).await;
        world.now().since(begin).as_millis()
    })
}

#[test]
fn an_answer_leaves_when_the_write_before_it_is_durable() {
    assert_eq!(
        answer_after(async |thing: &Thing| thing.state.storage().put("n", 1).await),
        1_000
    );
    assert_eq!(
        answer_after(async |thing: &Thing| {
            thing
                .state
                .storage()
                .sql()
                .exec("CREATE TABLE t(v); INSERT INTO t VALUES (1)", None)?;
            Ok(())
        }),
        1_000
    );
}

#[test]
fn an_answer_does_not_wait_for_reads() {
    assert_eq!(
        answer_after(async |thing: &Thing| count(thing, "n").await.map(drop)),
        0
    );
    assert_eq!(
        answer_after(async |thing: &Thing| {
            thing.state.storage().sql().exec("SELECT 1", None)?;
            Ok(())
        }),
        0
    );
}

#[test]
fn an_answer_leaves_when_the_transaction_before_it_is_durable() {
    let code = async |thing: &Thing| {
        thing
            .state
            .storage()
            .transaction(|transaction| async move {
                transaction.put("n", 1).await?;
                pause(5_000).await;
                Ok(())
            })
            .await
    };
    assert_eq!(
        answer_after(code),
        6_000,
        "what a transaction wrote is committed at its end"
    );
}

#[test]
fn a_message_from_an_object_waits_for_its_writes_and_a_kv_read_does_not() {
    let code = async |thing: &Thing| {
        thing.state.storage().put("n", 1).await?;
        let begin = Date::now().as_millis();
        thing.env.kv("KV")?.get("k").text().await?;
        assert_eq!(Date::now().as_millis() - begin, 0);
        thing.env.kv("KV")?.put("k", "v")?.execute().await?;
        assert_eq!(Date::now().as_millis() - begin, 1_000);
        Ok(())
    };
    assert_eq!(answer_after(code), 1_000);
}

#[test]
fn writes_that_never_become_durable_are_undone_and_not_answered() {
    let world = platform(&["IAD"]).build().expect("builds");
    world.run(async |world| {
        let client = world.client("IAD");
        on(&client, "a", async |thing: &Thing| {
            thing.memory.set(7);
            thing.state.storage().put("n", 1).await
        })
        .await;
        world.inject(FaultKind::ObjectStorageFailing {
            class: "Thing".into(),
            for_ms: 1_000,
        });
        let error = at(&client, async |env, _| {
            let object = stub(&env, "a")?;
            let call = within(&object, async |thing: &Thing| {
                thing.state.storage().put("n", 2).await?;
                thing.state.storage().put("m", 2).await
            });
            let error = call.await.expect_err("its answer never leaves");
            assert!(flag(&error, "durableObjectReset"));
            Ok(message(&error))
        });
        assert_eq!(
            error.await,
            "Durable Object storage operation exceeded timeout which caused object to be reset."
        );
        world.sleep(Duration::from_secs(1)).await;
        let seen = on(&client, "a", async |thing: &Thing| {
            Ok((
                thing.memory.get(),
                count(thing, "n").await?,
                count(thing, "m").await?,
            ))
        });
        assert_eq!(seen.await, (0, 1, 0));
    });
}

#[test]
fn a_transaction_that_never_becomes_durable_is_undone_and_not_answered() {
    let world = platform(&["IAD"]).build().expect("builds");
    world.run(async |world| {
        let client = world.client("IAD");
        let call = answer(&client, async |env, _| {
            within(&stub(&env, "a")?, async |thing: &Thing| {
                let storage = thing.state.storage();
                storage
                    .transaction(|transaction| async move {
                        transaction.put("n", 1).await?;
                        pause(5_000).await;
                        Ok(())
                    })
                    .await
            })
            .await
        });
        let fail = async {
            world.sleep(Duration::from_secs(4)).await;
            world.inject(FaultKind::ObjectStorageFailing {
                class: "Thing".into(),
                for_ms: 2_000,
            });
            world.sleep(Duration::from_secs(3)).await;
        };
        let ((answer, _), ()) = futures_util::join!(call, fail);
        assert_eq!(answer.status, 500);
        assert_eq!(
            on(&client, "a", async |thing: &Thing| count(thing, "n").await).await,
            0
        );
    });
}

// --- alarms ---------------------------------------------------------------------------------------------------------

/// When each run of the alarm began, in seconds after the alarm was set for now.
fn alarm_runs(handler: impl for<'a> AsyncFn(&'a Thing, usize) -> Result<()> + 'static) -> Vec<f64> {
    let world = platform(&["IAD"])
        .options(instant())
        .build()
        .expect("builds");
    let runs = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&runs);
    on_alarm(async move |thing: &Thing| {
        let number = seen.borrow().len();
        seen.borrow_mut()
            .push(World::current().elapsed().as_secs_f64());
        handler(thing, number).await
    });
    world.run(async |world| {
        on(&world.client("IAD"), "a", async |thing: &Thing| {
            thing.state.storage().set_alarm(0).await
        })
        .await;
        world.sleep(Duration::from_secs(3_600)).await;
    });
    runs.take()
}

#[test]
fn an_alarm_runs_at_its_time_and_survives_eviction() {
    let world = platform(&["IAD"])
        .options(instant())
        .build()
        .expect("builds");
    let log = Log::default();
    let runs = Rc::clone(&log);
    on_alarm(async move |thing: &Thing| {
        assert_eq!(
            thing.state.storage().get_alarm().await?,
            None,
            "inside its handler an alarm is gone"
        );
        note(
            &runs,
            format!("{:?} {}", World::current().elapsed(), thing.memory.get()),
        );
        Ok(())
    });
    world.run(async |world| {
        let client = world.client("IAD");
        on(&client, "a", async |thing: &Thing| {
            thing.memory.set(7);
            let storage = thing.state.storage();
            storage.set_alarm(1_000_000).await?;
            storage.set_alarm(100_000).await?; // there is one alarm; this replaces it
            assert_eq!(
                storage.get_alarm().await?,
                Some(1_767_225_600_000 + 100_000)
            );
            Ok(())
        })
        .await;
        on(&client, "b", async |thing: &Thing| {
            thing.state.storage().set_alarm(50_000).await?;
            pause(1).await;
            thing.state.storage().delete_alarm().await?;
            assert_eq!(thing.state.storage().get_alarm().await?, None);
            Ok(())
        })
        .await;
        world.sleep(Duration::from_secs(2_000)).await;
    });
    assert_eq!(*log.borrow(), ["100s 0"]);
}

#[test]
fn a_failing_alarm_is_retried_six_times_with_doubled_delays() {
    let runs = alarm_runs(async |_: &Thing, _| Err("no".into()));
    assert_eq!(runs.len(), 7, "{runs:?}");
    for (pair, delay) in runs.windows(2).zip([2.0, 4.0, 8.0, 16.0, 32.0, 64.0]) {
        let waited = pair[1] - pair[0];
        assert!(
            (delay..=delay * 1.25).contains(&waited),
            "{waited} s where {delay} s are due"
        );
    }
}

#[test]
fn an_alarm_that_panics_is_retried() {
    let runs = alarm_runs(async |_: &Thing, number| {
        if number < 2 {
            panic!("a bug in the Worker")
        } else {
            Ok(())
        }
    });
    assert_eq!(runs.len(), 3, "{runs:?}");
}

#[test]
fn an_alarm_set_inside_the_handler_supersedes_the_retry() {
    let runs = alarm_runs(async |thing: &Thing, number| {
        if number > 0 {
            return Ok(());
        }
        thing.state.storage().set_alarm(500_000).await?;
        Err("no".into())
    });
    assert_eq!(runs, [0.0, 500.0]);
}

#[test]
fn an_alarm_set_by_a_handler_that_panics_is_undone_with_it() {
    let runs = alarm_runs(async |thing: &Thing, number| {
        if number > 0 {
            return Ok(());
        }
        thing.state.storage().set_alarm(500_000).await?;
        panic!("a bug in the Worker")
    });
    assert_eq!(runs.len(), 2);
    assert!((2.0..=2.5).contains(&runs[1]), "{runs:?}");
}

#[test]
fn an_alarm_deleted_between_its_retries_does_not_run_again() {
    let world = platform(&["IAD"])
        .options(instant())
        .build()
        .expect("builds");
    let runs = Log::default();
    let seen = Rc::clone(&runs);
    on_alarm(async move |_: &Thing| {
        note(&seen, "run");
        Err("no".into())
    });
    world.run(async |world| {
        let client = world.client("IAD");
        on(&client, "a", async |thing: &Thing| {
            thing.state.storage().set_alarm(0).await
        })
        .await;
        world.sleep(Duration::from_secs(1)).await;
        on(&client, "a", async |thing: &Thing| {
            let storage = thing.state.storage();
            assert_eq!(
                storage.get_alarm().await?,
                Some(1_767_225_600_000),
                "until its handler succeeds"
            );
            storage.delete_alarm().await?;
            assert_eq!(storage.get_alarm().await?, None);
            Ok(())
        })
        .await;
        world.sleep(Duration::from_secs(300)).await;
    });
    assert_eq!(*runs.borrow(), ["run"]);
}

#[test]
fn the_time_of_an_alarm_must_be_positive() {
    let world = platform(&["IAD"]).build().expect("builds");
    let text = world.run(async |world| {
        on(&world.client("IAD"), "a", async |thing: &Thing| {
            let time = chrono_zero();
            Ok(failure(thing.state.storage().set_alarm(time).await))
        })
        .await
    });
    assert_eq!(text, "setAlarm() cannot be called with an alarm time <= 0");
}

#[test]
fn a_history_does_not_change_a_run_with_an_alarm() {
    let run = |history: bool| {
        let world = platform(&["IAD"]).history(history).build();
        let world = world.expect("builds");
        world.run(async |world| {
            let client = world.client("IAD");
            on(&client, "a", async |thing: &Thing| {
                thing.state.storage().set_alarm(0).await
            })
            .await;
            world.sleep(Duration::from_secs(1)).await;
            // The event that cuts this task off carries the number of its invocation.
            at(&client, async |_, context| {
                context.wait_until(pause(45_000));
                Ok(())
            })
            .await;
            world.sleep(Duration::from_secs(60)).await;
        });
        world.fingerprint()
    };
    assert_eq!(run(true), run(false));
}

fn chrono_zero() -> ScheduledTime {
    ScheduledTime::new(js_sys::Date::new(&worker::wasm_bindgen::JsValue::from_f64(
        0.0,
    )))
}

// --- stubs, ids, places ---------------------------------------------------------------------------------------------

#[test]
fn calls_on_one_stub_arrive_in_order_however_long_each_travels() {
    let options = edgeproof_sim::world::options::Options {
        network_jitter: 0.9,
        ..Default::default()
    };
    let world = platform(&["FRA", "SIN"])
        .options(options)
        .build()
        .expect("builds");
    let log = Log::default();
    world.run(async |world| {
        on(&world.client("FRA"), "a", async |_: &Thing| Ok(())).await; // it lives in FRA
        let log = Rc::clone(&log);
        at(&world.client("SIN"), async move |env, _| {
            let stub = stub(&env, "a")?;
            let calls = (0..50).map(|number| {
                let log = Rc::clone(&log);
                within(&stub, async move |_: &Thing| {
                    note(&log, number.to_string());
                    Ok(())
                })
            });
            join_all(calls).await;
            Ok(())
        })
        .await;
    });
    let expected: Vec<String> = (0..50).map(|number| number.to_string()).collect();
    assert_eq!(*log.borrow(), expected);
}

#[test]
fn ids_are_64_hexadecimal_digits_of_one_namespace() {
    let world = platform(&["IAD"]).build().expect("builds");
    world.run(async |world| {
        at(&world.client("IAD"), async |env, _| {
            let (things, others) = (env.durable_object("THING")?, env.durable_object("OTHER")?);
            let named = things.id_from_name("a")?;
            let text = named.to_string();
            assert!(
                text.len() == 64
                    && text
                        .bytes()
                        .all(|digit| digit.is_ascii_hexdigit() && !digit.is_ascii_uppercase())
            );
            assert!(things.id_from_string(&text)? == named && things.id_from_name("a")? == named);
            assert!(things.id_from_name("b")? != named);
            assert_eq!(
                (
                    named.name().as_deref(),
                    things.id_from_string(&text)?.name()
                ),
                (Some("a"), None)
            );
            assert!(things.unique_id()? != things.unique_id()?);
            let wrong = "Invalid Durable Object ID: must be 64 hex digits";
            assert_eq!(failure(things.id_from_string("abc")), wrong);
            assert_eq!(failure(things.id_from_string(&"g".repeat(64))), wrong);
            assert_eq!(
                failure(others.id_from_string(&text)),
                "Durable Object ID is not valid for this namespace."
            );
            let by_id = things.id_from_string(&text)?.get_stub()?;
            within(&stub(&env, "a")?, async |thing: &Thing| {
                thing.state.storage().put("n", 5).await
            })
            .await?;
            let (n, id) = within(&by_id, async |thing: &Thing| {
                Ok((count(thing, "n").await?, thing.state.id().to_string()))
            })
            .await?;
            assert_eq!((n, id), (5, text));
            Ok(())
        })
        .await;
    });
}

/// How long a call from a PoP takes, in milliseconds.
async fn call_ms(client: &Client, name: &'static str, hint: Option<&'static str>) -> u64 {
    at(client, async move |env, _| {
        let things = env.durable_object("THING")?;
        let stub = match hint {
            Some(hint) => things.get_by_name_with_location_hint(name, hint)?,
            None => things.get_by_name(name)?,
        };
        within(&stub, async |_: &Thing| Ok(())).await?; // the first call also starts it
        let begin = Date::now().as_millis();
        within(&stub, async |_: &Thing| Ok(())).await?;
        Ok(Date::now().as_millis() - begin)
    })
    .await
}

#[test]
fn an_object_lives_near_its_first_caller_or_where_the_hint_says() {
    let world = platform(&["FRA", "SIN"]).build().expect("builds");
    world.run(async |world| {
        let (fra, sin) = (world.client("FRA"), world.client("SIN"));
        assert!(call_ms(&fra, "near", None).await <= 3);
        assert!(
            call_ms(&sin, "near", None).await > 100,
            "it stays where it was placed"
        );
        assert!(call_ms(&sin, "hinted", Some("weur")).await > 100);
        assert!(
            call_ms(&fra, "hinted", Some("apac")).await < 60,
            "a hint counts for the first call only"
        );
        let wrong = async |env: Env, _| {
            Ok(failure(
                env.durable_object("THING")?
                    .get_by_name_with_location_hint("x", "mars"),
            ))
        };
        assert_eq!(at(&fra, wrong).await, "`mars` is no location hint");
    });
}

// --- the bill -------------------------------------------------------------------------------------------------------

fn rows_of(code: impl for<'a> AsyncFnOnce(&'a Thing) -> Result<()> + 'static) -> (u64, u64) {
    let world = platform(&["IAD"]).build().expect("builds");
    world.run(async |world| on(&world.client("IAD"), "a", code).await);
    let usage = world.usage();
    assert_eq!(usage.total(Meter::ObjectRequests), 1);
    (
        usage.total(Meter::ObjectRowsRead),
        usage.total(Meter::ObjectRowsWritten),
    )
}

#[test]
fn storage_is_billed_in_rows() {
    assert_eq!(
        rows_of(async |thing: &Thing| thing.state.storage().put("n", 1).await),
        (0, 1)
    );
    assert_eq!(
        rows_of(async |thing: &Thing| count(thing, "n").await.map(drop)),
        (1, 0)
    );
    assert_eq!(
        rows_of(async |thing: &Thing| {
            thing.state.storage().put("n", 1).await?;
            thing.state.storage().delete("n").await.map(drop)
        }),
        (0, 2)
    );
    assert_eq!(
        rows_of(async |thing: &Thing| thing.state.storage().set_alarm(1_000_000).await),
        (0, 1)
    );
    assert_eq!(
        rows_of(async |thing: &Thing| {
            let sql = thing.state.storage().sql();
            sql.exec("CREATE TABLE t(v)", None)?;
            let (read, written) = (
                World::current().usage().total(Meter::ObjectRowsRead),
                World::current().usage().total(Meter::ObjectRowsWritten),
            );
            sql.exec("INSERT INTO t VALUES (1), (2), (3)", None)?;
            sql.exec("SELECT v FROM t WHERE v = 3", None)?.raw().count();
            let usage = World::current().usage();
            assert_eq!(
                (
                    usage.total(Meter::ObjectRowsRead) - read,
                    usage.total(Meter::ObjectRowsWritten) - written
                ),
                (3, 3)
            );
            Ok(())
        })
        .1 - 3,
        rows_of(async |thing: &Thing| thing
            .state
            .storage()
            .sql()
            .exec("CREATE TABLE t(v)", None)
            .map(drop))
        .1
    );
}

#[test]
fn the_duration_of_concurrent_requests_is_billed_once() {
    let world = platform(&["IAD"])
        .options(instant())
        .build()
        .expect("builds");
    world.run(async |world| {
        let client = world.client("IAD");
        let slow = || {
            on(&client, "a", async |_: &Thing| {
                pause(10_000).await;
                Ok(())
            })
        };
        let later = async {
            world.sleep(Duration::from_secs(5)).await;
            slow().await;
        };
        futures_util::join!(slow(), slow(), later);
        world.sleep(Duration::from_secs(100)).await; // idle: free
    });
    let usage = world.usage();
    assert_eq!(usage.total(Meter::ObjectRequests), 3);
    // 15 s of one object, billed as 128 MB.
    assert_eq!(
        Meter::ObjectDurationNanos.in_units(usage.total(Meter::ObjectDurationNanos)),
        15.0 * 0.128
    );
}

#[test]
fn runs_of_an_alarm_are_billed_as_requests() {
    let world = platform(&["IAD"]).build().expect("builds");
    on_alarm(async |_: &Thing| Err("no".into()));
    world.run(async |world| {
        on(&world.client("IAD"), "a", async |thing: &Thing| {
            thing.state.storage().set_alarm(0).await
        })
        .await;
        world.sleep(Duration::from_secs(600)).await;
    });
    assert_eq!(world.usage().total(Meter::ObjectRequests), 1 + 7);
}

// --- random sequences against a model -------------------------------------------------------------------------------

#[derive(Debug, Clone)]
enum Step {
    Put(String, i64),
    Delete(String),
    Get(String),
    List {
        start: Option<String>,
        end: Option<String>,
        prefix: Option<String>,
        reverse: bool,
        limit: Option<usize>,
    },
    DeleteAll,
    Sql(i64),
    /// What is done inside, how it ends.
    Transaction(Vec<(String, Option<i64>)>, End),
    /// An event ends; the next steps belong to another.
    Event,
    /// The object is idle for long enough to be evicted.
    Idle,
    /// The turn's writes are lost with the instance.
    Panic,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Commit,
    Rollback,
    Fail,
}

fn key() -> impl Strategy<Value = String> {
    "[ab]{1,2}|ü"
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let end = prop_oneof![Just(End::Commit), Just(End::Rollback), Just(End::Fail)];
    let bound = || prop::option::of("[abü]{0,2}");
    let step = prop_oneof![
        4 => (key(), any::<i32>()).prop_map(|(key, value)| Step::Put(key, value.into())),
        2 => key().prop_map(Step::Delete),
        2 => key().prop_map(Step::Get),
        3 => (bound(), bound(), bound(), any::<bool>(), prop::option::of(1_usize..4))
            .prop_map(|(start, end, prefix, reverse, limit)| Step::List { start, end, prefix, reverse, limit }),
        1 => Just(Step::DeleteAll),
        2 => (0_i64..100).prop_map(Step::Sql),
        2 => (prop::collection::vec((key(), prop::option::of(0_i64..100)), 0..4), end)
            .prop_map(|(writes, end)| Step::Transaction(writes, end)),
        2 => Just(Step::Event),
        1 => Just(Step::Idle),
        1 => Just(Step::Panic),
    ];
    prop::collection::vec(step, 1..40)
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Model {
    keys: BTreeMap<String, i64>,
    rows: Vec<i64>,
}

impl Model {
    fn list(&self, step: &Step) -> Vec<(String, i64)> {
        let Step::List {
            start,
            end,
            prefix,
            reverse,
            limit,
        } = step
        else {
            unreachable!("only lists are listed")
        };
        let wanted = |key: &str| {
            start.as_deref().is_none_or(|start| key >= start)
                && end.as_deref().is_none_or(|end| key < end)
                && prefix
                    .as_deref()
                    .is_none_or(|prefix| key.starts_with(prefix))
        };
        let mut keys: Vec<_> = self
            .keys
            .iter()
            .filter(|(key, _)| wanted(key))
            .map(|(key, value)| (key.clone(), *value))
            .collect();
        if *reverse {
            keys.reverse();
        }
        keys.truncate(limit.unwrap_or(usize::MAX));
        keys
    }
}

fn pairs(map: &js_sys::Map) -> Vec<(String, i64)> {
    let mut pairs = Vec::new();
    map.for_each(&mut |value, key| {
        pairs.push((
            key.as_string().expect("a string"),
            value.as_f64().expect("a number") as i64,
        ))
    });
    pairs
}

const TABLE: &str = "CREATE TABLE IF NOT EXISTS t(v INTEGER)";

/// Runs steps as one event; true when it is to end in a panic.
async fn event(thing: &Thing, model: &Rc<RefCell<Model>>, steps: &[Step]) -> Result<()> {
    let storage = thing.state.storage();
    for step in steps {
        match step {
            Step::Put(key, value) => {
                storage.put(key, *value).await?;
                model.borrow_mut().keys.insert(key.clone(), *value);
            }
            Step::Delete(key) => {
                let there = model.borrow_mut().keys.remove(key).is_some();
                assert_eq!(storage.delete(key).await?, there);
            }
            Step::Get(key) => assert_eq!(
                storage.get::<i64>(key).await?,
                model.borrow().keys.get(key).copied()
            ),
            list @ Step::List {
                start,
                end,
                prefix,
                reverse,
                limit,
            } => {
                let mut options = ListOptions::new().reverse(*reverse);
                if let Some(start) = start {
                    options = options.start(start);
                }
                if let Some(end) = end {
                    options = options.end(end);
                }
                if let Some(prefix) = prefix {
                    options = options.prefix(prefix);
                }
                if let Some(limit) = limit {
                    options = options.limit(*limit);
                }
                let listed = pairs(&storage.list_with_options(options).await?);
                assert_eq!(listed, model.borrow().list(list), "{list:?}");
            }
            Step::DeleteAll => {
                storage.delete_all().await?;
                *model.borrow_mut() = Model::default();
            }
            Step::Sql(value) => {
                storage.sql().exec(TABLE, None)?;
                storage
                    .sql()
                    .exec("INSERT INTO t VALUES (?)", Some(vec![(*value).into()]))?;
                model.borrow_mut().rows.push(*value);
            }
            Step::Transaction(writes, end) => {
                let (sql, end, writes) = (storage.sql(), *end, writes.clone());
                let inner = Rc::new(RefCell::new(model.borrow().clone()));
                let inside = Rc::clone(&inner);
                sql.exec(TABLE, None)?;
                let done = storage.transaction(move |transaction| async move {
                    for (key, value) in writes {
                        match value {
                            Some(value) => {
                                transaction.put(&key, value).await?;
                                sql.exec("INSERT INTO t VALUES (?)", Some(vec![value.into()]))?;
                                inside.borrow_mut().keys.insert(key, value);
                                inside.borrow_mut().rows.push(value);
                            }
                            None => {
                                let there = inside.borrow_mut().keys.remove(&key).is_some();
                                assert_eq!(transaction.delete(&key).await?, there);
                            }
                        }
                    }
                    match end {
                        End::Commit => Ok(()),
                        End::Rollback => transaction.rollback(),
                        End::Fail => Err("no".into()),
                    }
                });
                assert_eq!(done.await.is_err(), end == End::Fail);
                if end == End::Commit {
                    *model.borrow_mut() = inner.take();
                }
            }
            Step::Event | Step::Idle | Step::Panic => unreachable!("these end an event"),
        }
    }
    storage.sql().exec(TABLE, None)?;
    let rows = storage.sql().exec("SELECT v FROM t ORDER BY rowid", None)?;
    let rows: Vec<i64> = rows
        .raw()
        .map(|row| match row.expect("a row")[0] {
            SqlStorageValue::Integer(value) => value,
            ref other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(rows, model.borrow().rows);
    assert_eq!(
        pairs(&storage.list().await?),
        model.borrow().keys.clone().into_iter().collect::<Vec<_>>()
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn storage_does_what_its_model_does(steps in steps()) {
        let world = platform(&["IAD"]).options(instant()).build().expect("builds");
        let model = Rc::new(RefCell::new(Model::default()));
        world.run(async |world| {
            let client = world.client("IAD");
            for part in steps.split_inclusive(|step| matches!(step, Step::Event | Step::Idle | Step::Panic)) {
                let (ends, steps) = match part.split_last() {
                    Some((last @ (Step::Event | Step::Idle | Step::Panic), steps)) => (last.clone(), steps.to_vec()),
                    _ => (Step::Event, part.to_vec()),
                };
                let durable = model.borrow().clone();
                let (inner, seen) = (Rc::clone(&model), Rc::new(RefCell::new(None)));
                let lost = Rc::clone(&seen);
                let panics = matches!(ends, Step::Panic);
                let done = answer(&client, async move |env, _| {
                    within(&stub(&env, "a")?, async move |thing: &Thing| {
                        event(thing, &inner, &steps).await?;
                        // A transaction yields: what was written before it is durable when it has begun.
                        if panics {
                            pause(1).await;
                            lost.replace(Some(inner.borrow().clone()));
                            thing.state.storage().put("a", -1).await?;
                            thing.state.storage().sql().exec("INSERT INTO t VALUES (-1)", None)?;
                            // A panic that prints nothing.
                            std::panic::resume_unwind(Box::new("on purpose"));
                        }
                        Ok(())
                    })
                    .await
                });
                let (_, result) = done.await;
                if panics {
                    *model.borrow_mut() = seen.take().unwrap_or(durable);
                } else {
                    assert_eq!(result, Some(Ok(())));
                }
                if matches!(ends, Step::Idle) {
                    world.sleep(Duration::from_secs(11)).await;
                }
            }
        });
    }
}

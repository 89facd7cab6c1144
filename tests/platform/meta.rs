//! The simulator about itself: one seed is one run, on any thread; and the bill has counted what the history tells.

use edgeproof_sim::bill::usage::{Meter, Usage, UtcDay};
use edgeproof_sim::check::bill_check::{self, Drained};
use edgeproof_sim::fault::{Fault, FaultKind, KvOperation};
use edgeproof_sim::kernel::fingerprint::{Fingerprint, Trace, first_difference};
use edgeproof_sim::platform::outbound::Origin;
use edgeproof_sim::world::World;
use futures_util::future::{join_all, select};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use support::inside::{Thing, answer, instant, on_alarm, pause, platform, within};
use worker::*;

/// A bit of everything, by 12 clients in three PoPs, with faults: a world that has seen it.
fn mixed(seed: u64) -> World {
    mixed_with(seed, || 0)
}

/// The same, with a Worker that also waits for as many milliseconds as `outside` says.
fn mixed_with(seed: u64, outside: impl Fn() -> u64 + Copy + 'static) -> World {
    let faults = [
        Fault {
            at_ms: 1_000,
            kind: FaultKind::KvErrors {
                operation: KvOperation::Put,
                status: 500,
                ratio: 1.0,
                for_ms: 300,
            },
        },
        Fault {
            at_ms: 1_500,
            kind: FaultKind::ObjectReset {
                class: "Thing".into(),
            },
        },
        Fault {
            at_ms: 2_000,
            kind: FaultKind::D1Failing {
                binding: "DB".into(),
                for_ms: 300,
            },
        },
        Fault {
            at_ms: 2_500,
            kind: FaultKind::Partition {
                a: "FRA".into(),
                b: "SIN".into(),
                for_ms: 300,
            },
        },
        Fault {
            at_ms: 3_000,
            kind: FaultKind::IsolateEvicted { pop: "FRA".into() },
        },
    ];
    let world = platform(&["FRA", "SIN", "GRU"])
        .seed(seed)
        .trace(true)
        .origin("api.example", Origin::new().status(503).once().status(200))
        .seed_sql("DB", "test", "CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
        .faults(faults)
        .build()
        .expect("builds");
    on_alarm(async |thing: &Thing| {
        let n = thing
            .state
            .storage()
            .get::<u32>("alarms")
            .await?
            .unwrap_or(0);
        thing.state.storage().put("alarms", n + 1).await?;
        if n % 2 == 0 {
            Err("every other time".into())
        } else {
            Ok(())
        }
    });
    world.run(async |world| {
        let clients: Vec<_> = (0..12)
            .map(|number| world.client(["FRA", "SIN", "GRU"][number % 3]))
            .collect();
        let work = clients.iter().map(async |client| {
            for round in 0..8_u64 {
                // Failures are part of it.
                let _ = answer(client, async move |env, context| {
                    let key = format!("k{}", (js_sys::Math::random() * 4.0) as u32);
                    let kv = env.kv("KV")?;
                    let name = format!("o{}", (js_sys::Math::random() * 3.0) as u32);
                    kv.get(&key).text().await?;
                    pause(outside()).await;
                    if round % 3 == 0 {
                        let _ = kv.put(&key, name.as_str())?.execute().await;
                    }
                    if round % 4 == 1 {
                        kv.list().execute().await?;
                        let _ = kv.delete(&key).await;
                    }
                    let stub = env.durable_object("THING")?.get_by_name(&name)?;
                    within(&stub, async |thing: &Thing| {
                        let storage = thing.state.storage();
                        let n = storage.get::<u32>("n").await?.unwrap_or(0);
                        storage.put("n", n + 1).await?;
                        storage
                            .sql()
                            .exec("CREATE TABLE IF NOT EXISTS t(v)", None)?;
                        storage
                            .sql()
                            .exec("INSERT INTO t VALUES (random())", None)?;
                        storage.set_alarm(500).await
                    })
                    .await?;
                    let url = Url::parse("https://api.example/").expect("a URL");
                    Fetch::Url(url).send().await?;
                    let db = env.d1("DB")?;
                    context.wait_until(async move {
                        let insert = db.prepare("INSERT INTO t(v) VALUES (random())");
                        let _ = select(pin!(insert.run()), pin!(pause(20))).await;
                    });
                    Ok(())
                })
                .await;
                world.sleep(Duration::from_millis(200)).await;
            }
        });
        join_all(work).await;
        world.sleep(Duration::from_secs(600)).await;
    });
    world
}

fn run(seed: u64) -> (Fingerprint, Trace, String) {
    let world = mixed(seed);
    (
        world.fingerprint(),
        world.trace(),
        world.history().to_json_lines(),
    )
}

#[test]
fn the_same_seed_gives_the_same_run_twice() {
    let (one, other) = (run(7), run(7));
    assert!(
        one.1.len() > 1_000,
        "{} events are not much of a run",
        one.1.len()
    );
    assert_eq!(first_difference(&one.1, &other.1), None);
    assert_eq!(one.0, other.0);
    assert!(one.2 == other.2, "the histories differ");
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "each world keeps to its thread; there are several"
)]
fn the_same_seed_gives_the_same_run_on_another_thread() {
    let threads: Vec<_> = (0..2).map(|_| std::thread::spawn(|| run(7))).collect();
    let here = run(7);
    for thread in threads {
        let there = thread.join().expect("it runs");
        assert_eq!(first_difference(&here.1, &there.1), None);
        assert!(here == there, "fingerprint or history differ");
    }
}

#[test]
fn another_seed_gives_another_run() {
    assert_ne!(run(7).0, run(8).0);
}

#[test]
fn keeping_a_history_does_not_change_a_run() {
    let short = |keep: bool| {
        let world = platform(&["FRA", "SIN"])
            .history(keep)
            .build()
            .expect("builds");
        world.run(async |world| {
            for pop in ["FRA", "SIN", "FRA"] {
                let _ = answer(&world.client(pop), async |env, _| {
                    env.kv("KV")?.get("k").text().await?;
                    within(
                        &env.durable_object("THING")?.get_by_name("a")?,
                        async |_: &Thing| Ok(()),
                    )
                    .await
                })
                .await;
            }
            world.sleep(Duration::from_secs(100)).await;
        });
        world.fingerprint()
    };
    assert_eq!(short(true), short(false));
}

#[test]
fn the_first_difference_names_the_event_in_which_two_runs_part() {
    // Something that no seed governs: a counter that outlives the world.
    static OUTSIDE: AtomicU64 = AtomicU64::new(0);
    // One run draws 96 times: the 150th draw falls into the second run.
    let planted = || {
        mixed_with(7, || {
            40 + u64::from(OUTSIDE.fetch_add(1, Ordering::Relaxed) == 150)
        })
    };
    let (one, other) = (planted(), planted());
    assert_ne!(one.fingerprint(), other.fingerprint());
    let (one, other) = (one.trace(), other.trace());
    let first = first_difference(&one, &other).expect("they differ");
    assert_eq!(one[..first], other[..first]);
    // In the first run a timer fires that in the second fires a millisecond later.
    assert_eq!(one[first].event, "timeout");
    assert!(first > 100, "the draws before were the same");
}

#[test]
fn what_a_worker_answers_is_part_of_the_fingerprint() {
    static OUTSIDE: AtomicU64 = AtomicU64::new(0);
    let run = || {
        let world = platform(&["FRA"]).trace(true).build().expect("builds");
        world.run(async |world| {
            let _ = answer(&world.client("FRA"), async |_, _| -> Result<()> {
                if OUTSIDE.fetch_add(1, Ordering::Relaxed) == 0 {
                    Ok(())
                } else {
                    Err("no".into())
                }
            })
            .await;
        });
        world.trace()
    };
    let (one, other) = (run(), run());
    let first = first_difference(&one, &other).expect("they differ");
    assert_eq!(one[first].event, "response.sent");
}

// --- the bill -------------------------------------------------------------------------------------------------------

#[test]
fn the_bill_of_a_mixed_run_is_what_its_history_tells() {
    for seed in 0..4 {
        let world = mixed(seed);
        let usage = world.usage();
        for meter in [
            Meter::KvWrites,
            Meter::KvDeletes,
            Meter::KvLists,
            Meter::D1RowsWritten,
            Meter::ObjectRowsWritten,
            Meter::Subrequests,
        ] {
            assert!(
                usage.total(meter) > 0,
                "{} does not occur in this run",
                meter.name()
            );
        }
        assert_eq!(
            bill_check::check(world.history().records(), &usage, Drained::Yes),
            []
        );
    }
}

#[test]
fn a_bill_that_misses_writes_is_rejected() {
    let world = mixed(0);
    let honest = world.usage();
    for missing in [
        Meter::KvWrites,
        Meter::D1RowsWritten,
        Meter::ObjectRequests,
        Meter::WorkersRequests,
    ] {
        let mut bill = Usage::default();
        for (day, meter) in honest
            .days()
            .flat_map(|day| Meter::all().map(move |meter| (day, meter)))
        {
            let counted = honest.on(day, meter);
            if !meter.is_gauge() && counted > 0 {
                bill.add(
                    day,
                    meter,
                    if meter == missing {
                        counted / 2
                    } else {
                        counted
                    },
                );
            }
        }
        let found = bill_check::check(world.history().records(), &bill, Drained::Yes);
        assert_eq!(
            found
                .iter()
                .map(|violation| violation.rule)
                .collect::<Vec<_>>(),
            ["bill/misses"],
            "{}",
            missing.name()
        );
        assert!(found[0].message.starts_with(missing.name()), "{}", found[0]);
    }
}

#[test]
fn every_utc_day_has_its_own_bill() {
    // Two seconds before midnight.
    let world = platform(&["IAD"])
        .options(instant())
        .start_unix_ms(1_767_225_600_000 - 2_000)
        .build()
        .expect("builds");
    world.run(async |world| {
        let client = world.client("IAD");
        for _ in 0..3 {
            let _ = answer(&client, async |env, _| {
                env.kv("KV")?.put("k", "v")?.execute().await?;
                within(
                    &env.durable_object("THING")?.get_by_name("a")?,
                    async |_: &Thing| {
                        pause(500).await;
                        Ok(())
                    },
                )
                .await
            })
            .await;
            world.sleep(Duration::from_millis(700)).await;
        }
    });
    let usage = world.usage();
    let days = [UtcDay(20_453), UtcDay(20_454)];
    assert_eq!(usage.days().collect::<Vec<_>>(), days);
    assert_eq!(days.map(|day| usage.on(day, Meter::KvWrites)), [2, 1]);
    // The second call begins at 1.2 s and ends at 1.7 s; the third begins at 2.4 s.
    assert_eq!(
        days.map(|day| usage.on(day, Meter::ObjectDurationNanos)),
        [1_000_000_000, 500_000_000]
    );
}

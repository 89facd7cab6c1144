//! What a burst costs: the exact usage, its share of the free day, and the allowance that would end first.

use std::time::Duration;

use edgeproof_sim::World;
use edgeproof_sim::bill::plan::{budget, first_to_end};
use edgeproof_sim::bill::usage::{Meter, Usage, UtcDay};
use edgeproof_sim::check::bill_check::{self, Drained};
use edgeproof_sim::limits::Plan;
use support::production::*;

/// 150 writes of one user, and everything that follows from them.
fn burst(in_flight: usize) -> World {
    let world = world();
    world.run(async |world| {
        let client = world.client("MEX");
        let answers = in_parallel(in_flight, times(150, &client, || post(&client, "user-1"))).await;
        assert_eq!(statuses(&answers), [(201, 50), (429, 100)]);
        sleep(world, 5.0).await;
    });
    world
}

#[test]
fn a_burst_uses_exactly_this() {
    for in_flight in [1, 64] {
        let usage = burst(in_flight).usage();
        // One for each admission. Of the denied ones the isolate has asked for those that came before it had the first answer.
        let asked = usage.total(Meter::ObjectRequests);
        let at_most = 51 + in_flight as u64;
        assert!(
            (51..=at_most).contains(&asked),
            "{asked} with {in_flight} in flight"
        );
        let expected = [
            (Meter::WorkersRequests, 150),
            // One for each admission, one for the mark of the alert, one for the alarm that clears up.
            (Meter::ObjectRowsWritten, 52),
            // A transaction with its entry in the index and the total of its month (3) and an audit row with its entry in the index
            // (2) for each admission. The first denial's row is also in the two indexes of categories (4).
            (Meter::D1RowsWritten, 50 * (3 + 2) + 4),
            (Meter::KvReads, 0),
            (Meter::KvWrites, 0),
            (Meter::KvDeletes, 0),
            (Meter::KvLists, 0),
            // No receiver of alerts is configured.
            (Meter::Subrequests, 0),
        ];
        for (meter, amount) in expected {
            assert_eq!(
                usage.total(meter),
                amount,
                "{} with {in_flight} in flight",
                meter.name()
            );
        }
    }
}

#[test]
fn the_budget_shows_each_share_of_the_free_day() {
    let world = burst(1);
    let rows = budget(&world.usage(), Plan::Free, world.elapsed());
    let share = |name: &str| {
        let row = rows
            .iter()
            .find(|row| row.allowance == name)
            .unwrap_or_else(|| panic!("no row {name}"));
        (row.used, row.per_day, row.share)
    };
    assert_eq!(share("workers.requests"), (150.0, 100_000.0, 0.0015));
    assert_eq!(
        share("durable_objects.requests"),
        (51.0, 100_000.0, 0.000_51)
    );
    assert_eq!(
        share("durable_objects.rows_written"),
        (52.0, 100_000.0, 0.000_52)
    );
    assert_eq!(share("d1.rows_written"), (254.0, 100_000.0, 0.002_54));
    assert_eq!(share("kv.writes"), (0.0, 1_000.0, 0.0));
}

#[test]
fn rows_written_to_d1_would_be_the_first_allowance_to_end() {
    let world = world();
    world.run(async |world| {
        let client = world.client("MEX");
        one_by_one(&client, 150, || post(&client, "user-1")).await;
    });
    let first = first_to_end(&world.usage(), world.elapsed())
        .expect("at this rate one ends within the day");
    assert_eq!(first.allowance, "d1.rows_written");
    let expected = world.elapsed().as_secs_f64() * 100_000.0
        / world.usage().total(Meter::D1RowsWritten) as f64;
    assert!(
        (first.at.as_secs_f64() - expected).abs() < 1e-3,
        "{first:?}, not {expected}"
    );
}

#[test]
fn a_slow_day_ends_no_allowance() {
    let world = burst(1);
    world.run(async |world| sleep(world, 23.0 * 3_600.0).await);
    assert_eq!(first_to_end(&world.usage(), world.elapsed()), None);
}

/// A bit of everything: writes, reads, misses, hits, logins, denials, alarms.
fn busy() -> World {
    let world = production(&["MEX", "FRA"]).build().expect("builds");
    world.run(async |world| {
        for (pop, user) in [("MEX", "user-1"), ("FRA", "user-2")] {
            let client = world.client(pop);
            for path in [TRANSACTIONS, DASHBOARD, REPORTS, DASHBOARD] {
                client.send(get(&client, user, path)).await;
            }
            in_parallel(64, times(150, &client, || post(&client, user))).await;
            for path in [TRANSACTIONS, DASHBOARD, REPORTS] {
                client.send(get(&client, user, path)).await;
            }
            client.send(login(&client, "demo", "demo-pass-9137")).await;
            client.get(HEALTH).send().await;
        }
        sleep(world, 1_000.0).await;
    });
    world
}

#[test]
fn the_bill_agrees_with_what_happened() {
    let world = busy();
    assert_eq!(
        bill_check::check(world.history().records(), &world.usage(), Drained::Yes),
        []
    );
    for meter in [
        Meter::KvReads,
        Meter::KvWrites,
        Meter::ObjectRequests,
        Meter::D1RowsRead,
        Meter::D1RowsWritten,
        Meter::IsolateStarts,
    ] {
        assert!(world.usage().total(meter) > 0, "{} was used", meter.name());
    }
}

#[test]
fn a_bill_that_misses_or_invents_something_is_seen_by_the_check() {
    let world = busy();
    let history = world.history();
    let day = world.usage().days().next().expect("a day");
    for broken in [
        Meter::WorkersRequests,
        Meter::KvReads,
        Meter::KvWrites,
        Meter::ObjectRequests,
        Meter::D1RowsRead,
        Meter::D1RowsWritten,
    ] {
        // The same bill with one unit less, and with one more.
        let bill = |change: i64| {
            let mut usage = Usage::default();
            for meter in Meter::all().filter(|meter| !meter.is_gauge()) {
                let amount = world.usage().total(meter);
                usage.add(
                    day,
                    meter,
                    if meter == broken {
                        amount.checked_add_signed(change).expect("it was used")
                    } else {
                        amount
                    },
                );
            }
            usage
        };
        let rules = |change: i64| {
            let violations = bill_check::check(history.records(), &bill(change), Drained::Yes);
            violations
                .into_iter()
                .map(|violation| violation.rule)
                .collect::<Vec<_>>()
        };
        assert_eq!(rules(-1), ["bill/misses"], "{}", broken.name());
        assert_eq!(rules(0), [] as [&str; 0]);
        assert_eq!(rules(1), ["bill/invents"], "{}", broken.name());
    }
}

#[test]
fn an_idle_user_costs_nothing_in_the_end() {
    let world = burst(64);
    let day = world.usage().days().next().expect("a day");
    let next_day = UtcDay(day.0 + 1);
    assert!(
        world.usage().on(next_day, Meter::ObjectStoredBytes) > 0,
        "the log of admissions is stored"
    );
    // A week later the alarm comes.
    world.run(async |world| sleep(world, 7.1 * 86_400.0).await);
    let before = world.usage();
    assert_eq!(
        before.on(UtcDay(day.0 + 8), Meter::ObjectStoredBytes),
        0,
        "and cleared up when it no longer matters"
    );
    world.run(async |world| world.sleep(Duration::from_secs(3_600)).await);
    let after = world.usage();
    for meter in [
        Meter::ObjectRequests,
        Meter::ObjectDurationNanos,
        Meter::ObjectRowsRead,
        Meter::ObjectRowsWritten,
    ] {
        assert_eq!(
            before.total(meter),
            after.total(meter),
            "{}: nothing wakes any more",
            meter.name()
        );
    }
}

//! Cron triggers: they fire by themselves at their minutes, and a test may run them by hand.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use edgeproof_sim::bill::usage::Meter;
use edgeproof_sim::check::bill_check::{self, Drained};
use edgeproof_sim::exception::Exception;
use edgeproof_sim::history::{Op, Outcome};
use edgeproof_sim::script::{Elsewhere, Event, Handled, ObjectClass, Reply, Script};
use edgeproof_sim::world::options::Options;
use edgeproof_sim::wrangler::WorkerConfig;
use edgeproof_sim::{Bindings, Builder, Deployment, Instant, World};

const MINUTE: Duration = Duration::from_secs(60);

/// A run of a trigger: the expression, the minute that the Worker was told, and when it ran; in milliseconds since the
/// beginning of the world.
type Run = (String, u64, u64);

/// A Worker that notes its runs, and then does as it is told.
struct Noting {
    runs: Rc<RefCell<Vec<Run>>>,
    then: fn() -> Handled,
}

impl Script for Noting {
    fn handle(&self, event: Event) -> Handled {
        if let Event::Scheduled { cron, scheduled_ms } = event {
            let now = Bindings::current().now().unix_ms();
            let run = (cron.to_string(), scheduled_ms - START_MS, now - START_MS);
            self.runs.borrow_mut().push(run);
        }
        (self.then)()
    }

    fn class(&self, _: &str) -> Option<Rc<dyn ObjectClass>> {
        None
    }
}

/// 2026-01-01T00:00:00Z.
const START_MS: u64 = 1_767_225_600_000;

fn done() -> Handled {
    Box::pin(async { Ok(Reply::Done) })
}

fn config(name: &str, crons: &str) -> WorkerConfig {
    let text = format!(
        "name = '{name}'\ncompatibility_date = '2026-08-20'\n[triggers]\ncrons = [{crons}]"
    );
    WorkerConfig::parse(&text, "wrangler.toml", None).expect("it is right")
}

/// A Worker with these triggers, and the runs that it notes.
fn triggered(crons: &str, then: fn() -> Handled) -> (Builder, Rc<RefCell<Vec<Run>>>) {
    let runs = Rc::<RefCell<Vec<Run>>>::default();
    let script = Noting {
        runs: Rc::clone(&runs),
        then,
    };
    let mut options = Options::default();
    options.isolates.cold_start = Duration::ZERO;
    let builder = World::builder()
        .script(Rc::new(script))
        .config(config("one", crons))
        .pops(["MEX", "FRA"])
        .options(options)
        .history(true);
    (builder, runs)
}

fn sleep(world: &World, minutes: u32) {
    world.run(async |world| world.sleep(minutes * MINUTE).await);
}

fn run(cron: &str, minute: u64) -> Run {
    (cron.to_owned(), minute * 60_000, minute * 60_000)
}

#[test]
fn triggers_fire_at_their_minutes_in_the_first_pop() {
    let (builder, runs) = triggered("'*/5 * * * *', '2 * * * *'", done);
    let world = builder.build().expect("builds");
    sleep(&world, 12);
    let expected = [
        run("2 * * * *", 2),
        run("*/5 * * * *", 5),
        run("*/5 * * * *", 10),
    ];
    assert_eq!(*runs.borrow(), expected);

    let history = world.history();
    let records = history.records().iter();
    let scheduled = records.filter(|record| matches!(record.op, Op::Scheduled { .. }));
    let scheduled: Vec<_> = scheduled
        .map(|record| {
            (
                &*record.pop,
                record.start / 1_000_000 - START_MS,
                &record.outcome,
            )
        })
        .collect();
    let expected = [2, 5, 10].map(|minute| ("MEX", minute * 60_000, &Outcome::Done));
    assert_eq!(scheduled, expected);

    assert_eq!(world.usage().total(Meter::WorkersRequests), 3);
    let usage = world.usage();
    assert_eq!(
        bill_check::check(history.records(), &usage, Drained::Yes),
        []
    );
}

#[test]
fn firing_is_part_of_the_fingerprint() {
    let fingerprint = |crons, fire, minutes| {
        let (builder, _) = triggered(crons, done);
        let world = builder.crons(fire).build().expect("builds");
        sleep(&world, minutes);
        world.fingerprint()
    };
    let one = fingerprint("'*/5 * * * *'", true, 12);
    assert_eq!(one, fingerprint("'*/5 * * * *'", true, 12));
    assert_ne!(one, fingerprint("'*/6 * * * *'", true, 12));
    assert_ne!(one, fingerprint("'*/5 * * * *'", false, 12));
    // As long as nothing fires, triggers change nothing.
    let quiet = fingerprint("'*/5 * * * *'", true, 4);
    assert_eq!(quiet, fingerprint("", true, 4));
}

#[test]
fn a_world_without_triggers_of_its_own_leaves_them_to_the_test() {
    let (builder, runs) = triggered("'* * * * *'", done);
    let world = builder.crons(false).build().expect("builds");
    sleep(&world, 10);
    assert_eq!(*runs.borrow(), []);
    world.run(async |world| world.scheduled("* * * * *").await.expect("it ends well"));
    assert_eq!(*runs.borrow(), [run("* * * * *", 10)]);
    assert_eq!(world.usage().total(Meter::WorkersRequests), 1);
}

#[test]
fn runs_of_a_trigger_overlap() {
    let (builder, runs) = triggered("'* * * * *'", || {
        Box::pin(async {
            Bindings::current().sleep(5 * MINUTE).await;
            Ok(Reply::Done)
        })
    });
    let world = builder.build().expect("builds");
    sleep(&world, 4);
    assert_eq!(runs.borrow().len(), 4);
    let unfinished = |world: &World| {
        let history = world.history();
        let records = history.records().iter();
        let open = records.filter(|record| record.outcome == Outcome::Unfinished);
        open.count()
    };
    assert_eq!(unfinished(&world), 4);
    sleep(&world, 3);
    assert_eq!((runs.borrow().len(), unfinished(&world)), (7, 5));
}

#[test]
fn a_failing_run_is_recorded_and_not_repeated() {
    let (builder, runs) = triggered("'*/10 * * * *'", || {
        Box::pin(async { Err(Exception::error("no good")) })
    });
    let world = builder.build().expect("builds");
    sleep(&world, 25);
    assert_eq!(runs.borrow().len(), 2);
    let history = world.history();
    let records = history.records().iter();
    let failed = records.filter(|record| {
        let failed =
            matches!(&record.outcome, Outcome::Error { message } if message.contains("no good"));
        matches!(record.op, Op::Scheduled { .. }) && failed
    });
    assert_eq!(failed.count(), 2);
    assert_eq!(world.usage().total(Meter::WorkersRequests), 2);
}

#[test]
fn a_run_begins_after_its_delay_and_is_told_its_minute() {
    let (builder, runs) = triggered("'* * * * *'", done);
    let mut options = Options::default();
    options.isolates.cold_start = Duration::ZERO;
    options.cron_delay = Duration::from_secs(17);
    let world = builder.options(options).build().expect("builds");
    sleep(&world, 2);
    assert_eq!(*runs.borrow(), [("* * * * *".to_owned(), 60_000, 77_000)]);
}

#[test]
fn every_workers_triggers_fire_but_not_of_one_that_runs_elsewhere() {
    let (builder, runs) = triggered("'*/2 * * * *'", done);
    let other = |runs: &Rc<RefCell<Vec<Run>>>| Noting {
        runs: Rc::clone(runs),
        then: done,
    };
    let others = Rc::<RefCell<Vec<Run>>>::default();
    let second = Deployment::new(Rc::new(other(&others))).config(config("two", "'*/3 * * * *'"));
    let third = Deployment::new(Rc::new(Elsewhere)).config(config("three", "'* * * * *'"));
    let world = builder.worker(second.host("two.example"));
    let world = world.worker(third.host("three.example"));
    let world = world.build().expect("builds");
    sleep(&world, 4);
    assert_eq!(
        *runs.borrow(),
        [run("*/2 * * * *", 2), run("*/2 * * * *", 4)]
    );
    assert_eq!(*others.borrow(), [run("*/3 * * * *", 3)]);
    assert_eq!(world.usage().total(Meter::WorkersRequests), 3);
}

#[test]
fn a_run_ends_with_its_driver_and_leaves_no_task() {
    let (builder, runs) = triggered("'* * * * *'", done);
    let world = builder.build().expect("builds");
    assert_eq!(world.run(async |_| 7), 7);
    assert_eq!((runs.borrow().len(), world.tasks()), (0, 0));
    // Longer than a driver may wait for nothing: this one waits for its own timer.
    sleep(&world, 100_010);
    assert_eq!(runs.borrow().len(), 100_010);
}

#[test]
#[should_panic(expected = "nothing but cron triggers is left to happen")]
fn a_driver_that_waits_for_nothing_fails_in_spite_of_triggers() {
    let (builder, _) = triggered("'* * * * *'", done);
    let world = builder.history(false).build().expect("builds");
    world.run(async |_| std::future::pending::<()>().await);
}

/// The text with which running an expression by hand is refused.
fn refused(world: &World, cron: &str) -> String {
    let scheduled = AssertUnwindSafe(|| drop(world.scheduled(cron)));
    let panic = catch_unwind(scheduled).expect_err("it is refused");
    panic.downcast_ref::<String>().expect("a text").clone()
}

#[test]
fn an_expression_that_is_not_configured_is_refused_with_those_that_are() {
    let (builder, _) = triggered("'17 3 * * *', '*/5 * * * *'", done);
    let world = builder.build().expect("builds");
    assert_eq!(
        refused(&world, "17 4 * * *"),
        "the configuration of the Worker \"one\" has no cron trigger \"17 4 * * *\": \
         did you mean \"17 3 * * *\"? it has \"17 3 * * *\", \"*/5 * * * *\""
    );
    assert_eq!(
        refused(&world, "nonsense"),
        "the configuration of the Worker \"one\" has no cron trigger \"nonsense\": \
         it has \"17 3 * * *\", \"*/5 * * * *\""
    );
    let (builder, _) = triggered("", done);
    let world = builder.build().expect("builds");
    assert_eq!(
        refused(&world, "* * * * *"),
        "the configuration of the Worker \"one\" has no cron triggers, so none is \"* * * * *\""
    );
    let builder = World::builder().script(Rc::new(Elsewhere));
    let world = builder.build().expect("builds");
    assert_eq!(
        refused(&world, "nonsense"),
        "\"nonsense\" is no cron expression: \
         it has 1 fields, not five: minute, hour, day of the month, month, weekday"
    );
}

#[test]
fn under_the_wall_clock_triggers_fire_and_missed_ones_are_left_out() {
    let (builder, runs) = triggered("'*/5 * * * *'", done);
    let world = builder.build().expect("builds");
    let _entered = world.enter();
    let at = |seconds: u64| Instant::from_unix_ms(START_MS + seconds * 1_000);
    let next = world.drive(at(0), Waker::noop());
    assert_eq!(next, Some(at(300)), "the server sleeps until then");
    world.drive(at(299), Waker::noop());
    assert_eq!(*runs.borrow(), []);
    let next = world.drive(at(301), Waker::noop());
    assert_eq!(*runs.borrow(), [run("*/5 * * * *", 5)]);
    assert_eq!(next, Some(at(600)));
    // The machine slept for an hour.
    let next = world.drive(at(301 + 3_600), Waker::noop());
    assert_eq!(
        runs.borrow().len(),
        2,
        "only the run that is late by a second"
    );
    assert_eq!(next, Some(at(4_200)));
}

//! The alarm against a naive model that starts no timer: it looks at a list of everything that happened, every half
//! second.

use super::{Action, Alarm, AlarmTime, Run};
use crate::kernel::time::Instant;
use crate::limits::durable::{ALARM_RETRIES, ALARM_RETRY_JITTER};
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};

/// Milliseconds of a tick: every time in these histories is a whole number of them.
const TICK_MS: u64 = 500;
/// Ticks in the past to which an alarm can be set.
const PAST: u64 = 10;
/// The world continues for this many ticks after the last step: all retries are over by then.
const REST: u64 = 800;

/// What the object does to its alarm.
#[derive(Debug, Clone, Copy)]
enum Change {
    /// Sets it for so many ticks after ten ticks ago.
    Set(u64),
    Delete,
    /// Sets it in a transaction that is rolled back.
    SetAndUndo(u64),
}

/// What the handler does in one run.
#[derive(Debug, Clone, Copy)]
struct Handler {
    /// How many ticks it takes.
    ticks: u64,
    succeeds: bool,
    /// What it does to the alarm as it ends.
    change: Option<Change>,
    /// What is drawn for the delay of its retry: nothing, or all there is.
    late: bool,
}

/// Changes, each so many ticks after the one before, and runs, over and over.
type History = (Vec<(u64, Change)>, Vec<Handler>);

fn change(first: u64) -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => (first..50).prop_map(Change::Set),
        1 => Just(Change::Delete),
        2 => (first..50).prop_map(Change::SetAndUndo),
    ]
}

fn history() -> impl Strategy<Value = History> {
    let gap = prop_oneof![3 => 0_u64..12, 1 => 12_u64..100];
    // No handler sets an alarm that is due at once: the handler would run for ever within one tick.
    let handler = (
        0_u64..4,
        prop::bool::weighted(0.3),
        prop::option::weighted(0.2, change(PAST + 1)),
        any::<bool>(),
    )
        .prop_map(|(ticks, succeeds, change, late)| Handler {
            ticks,
            succeeds,
            change,
            late,
        });
    (
        prop::collection::vec((gap, change(0)), 1..12),
        prop::collection::vec(handler, 1..8),
    )
}

fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(3_000)
    }
}

/// What both sides say: when the handler began, as which retry, and what `getAlarm()` gives after each tick.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Said {
    Runs { tick: u64, retry: u32 },
    Visible(Option<u64>),
}

/// The subject compared with the model: the alarm, or a broken double of it.
trait Machine: Default {
    fn alarm(&mut self) -> &mut Alarm;

    fn set(&mut self, time: AlarmTime) -> Action {
        self.alarm().set(time)
    }

    fn timer_fired(&mut self, timer_ms: u64, now: Instant, time: &mut AlarmTime) -> Action {
        self.alarm().timer_fired(timer_ms, now, time)
    }

    fn retry_due(&mut self, run: Run, time: &mut AlarmTime) -> Action {
        self.alarm().retry_due(run, time)
    }
}

impl Machine for Alarm {
    fn alarm(&mut self) -> &mut Alarm {
        self
    }
}

/// What was started and has not come yet.
#[derive(Debug, Clone, Copy)]
enum Due {
    Timer(u64),
    End(Run, Handler),
    Retry(Run),
}

/// A machine, the storage's alarm, and what is due at which tick, in order of its start.
struct Driver<'a, M> {
    machine: M,
    time: AlarmTime,
    due: Vec<(u64, Due)>,
    handlers: std::iter::Cycle<std::slice::Iter<'a, Handler>>,
    tick: u64,
    said: Vec<Said>,
}

impl<M: Machine> Driver<'_, M> {
    fn carry_out(&mut self, action: Action) {
        match action {
            Action::StartTimer(ms) => {
                let at = (ms / TICK_MS).max(self.tick);
                self.due.push((at, Due::Timer(ms)));
            }
            Action::Run(run) => {
                let handler = *self.handlers.next().expect("they begin anew");
                self.said.push(Said::Runs {
                    tick: self.tick,
                    retry: run.retry,
                });
                self.due
                    .push((self.tick + handler.ticks, Due::End(run, handler)));
            }
            Action::RetryAfter(delay, run) => {
                let ms = u64::try_from(delay.as_millis()).expect("minutes");
                self.due.push((self.tick + ms / TICK_MS, Due::Retry(run)));
            }
            Action::Nothing => {}
        }
    }

    fn change(&mut self, change: Change) {
        let before = self.time;
        self.time = match change {
            Change::Set(ticks) | Change::SetAndUndo(ticks) => {
                AlarmTime::Pending((self.tick + ticks - PAST) * TICK_MS)
            }
            Change::Delete => AlarmTime::Unset,
        };
        let action = self.machine.set(self.time);
        self.carry_out(action);
        if matches!(change, Change::SetAndUndo(_)) {
            self.time = before;
            let action = self.machine.set(self.time);
            self.carry_out(action);
        }
    }

    /// Does everything that is due at this tick.
    fn settle(&mut self) {
        while let Some(place) = self.due.iter().position(|(at, _)| *at <= self.tick) {
            let action = match self.due.remove(place).1 {
                Due::Timer(ms) => {
                    let now = Instant::from_unix_ms(self.tick * TICK_MS);
                    self.machine.timer_fired(ms, now, &mut self.time)
                }
                Due::End(run, handler) => {
                    if let Some(change) = handler.change {
                        self.change(change);
                    }
                    let draw = || if handler.late { 1.0 } else { 0.0 };
                    let alarm = self.machine.alarm();
                    alarm.ended(run, handler.succeeds, &mut self.time, draw)
                }
                Due::Retry(run) => self.machine.retry_due(run, &mut self.time),
            };
            self.carry_out(action);
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Event {
    Set(u64),
    Deleted,
    Began { retry: u32, handler: Handler },
    Failed,
    Succeeded,
}

/// Everything that happened, with its tick.
struct Model<'a> {
    events: Vec<(u64, Event)>,
    handlers: std::iter::Cycle<std::slice::Iter<'a, Handler>>,
}

impl Model<'_> {
    /// The tick for which an alarm is set that has not run.
    fn pending(&self) -> Option<u64> {
        let mut events = self.events.iter().rev();
        events.find_map(|(_, event)| match event {
            Event::Set(tick) => Some(Some(*tick)),
            Event::Deleted | Event::Began { .. } => Some(None),
            Event::Failed | Event::Succeeded => None,
        })?
    }

    /// The last run: its place in the list, when it began, which retry it was, what its handler does.
    fn last_run(&self) -> Option<(usize, u64, u32, Handler)> {
        let events = self.events.iter().enumerate();
        let mut runs = events.filter_map(|(place, (tick, event))| match event {
            Event::Began { retry, handler } => Some((place, *tick, *retry, *handler)),
            _ => None,
        });
        runs.next_back()
    }

    /// The place of the last run's end, if it failed and its retry was not given up at once.
    fn failure(&self) -> Option<usize> {
        let (began, _, retry, _) = self.last_run()?;
        let failed = |(_, event): &(u64, Event)| matches!(event, Event::Failed);
        let end = began + self.events[began..].iter().position(failed)?;
        let changes = self.events[began..end].iter().rev();
        let mut changes = changes.filter(|(_, event)| !matches!(event, Event::Began { .. }));
        let superseded = matches!(changes.next(), Some((_, Event::Set(_))));
        (!superseded && retry < ALARM_RETRIES).then_some(end)
    }

    /// The tick of the last run's retry, unless it was set or deleted since its failure (then only the wait remains).
    fn retry(&self) -> Option<(u64, bool)> {
        let end = self.failure()?;
        let (_, _, retry, handler) = self.last_run()?;
        let jitter = if handler.late {
            ALARM_RETRY_JITTER
        } else {
            0.0
        };
        let delay = (4 << retry) as f64 * (1.0 + jitter);
        let changed = self.events.len() > end + 1;
        Some((self.events[end].0 + delay as u64, !changed))
    }

    /// The tick for which the alarm was set that ran last.
    fn ran_for(&self) -> Option<u64> {
        let events = self.events.iter().enumerate();
        let mut first =
            events.filter(|(_, (_, event))| matches!(event, Event::Began { retry: 0, .. }));
        let (place, _) = first.next_back()?;
        let mut before = self.events[..place].iter().rev();
        before.find_map(|(_, event)| match event {
            Event::Set(tick) => Some(*tick),
            _ => None,
        })
    }

    fn visible(&self) -> Option<u64> {
        let waits = self.retry().is_some_and(|(_, valid)| valid);
        self.pending().or_else(|| self.ran_for().filter(|_| waits))
    }

    fn change(&mut self, tick: u64, change: Change) {
        match change {
            Change::Set(ticks) => self.events.push((tick, Event::Set(tick + ticks - PAST))),
            Change::Delete => self.events.push((tick, Event::Deleted)),
            Change::SetAndUndo(_) => {}
        }
    }

    fn begin(&mut self, tick: u64, retry: u32) -> Said {
        let handler = *self.handlers.next().expect("they begin anew");
        self.events.push((tick, Event::Began { retry, handler }));
        Said::Runs { tick, retry }
    }

    /// What happens at this tick, until nothing more does.
    fn settle(&mut self, tick: u64, said: &mut Vec<Said>) {
        loop {
            if let Some((began, since, _, handler)) = self.last_run()
                && !self.events[began..]
                    .iter()
                    .any(|(_, event)| matches!(event, Event::Failed | Event::Succeeded))
            {
                if tick < since + handler.ticks {
                    return;
                }
                if let Some(change) = handler.change {
                    self.change(tick, change);
                }
                let end = if handler.succeeds {
                    Event::Succeeded
                } else {
                    Event::Failed
                };
                self.events.push((tick, end));
                continue;
            }
            if let Some((due, valid)) = self.retry() {
                if tick < due {
                    return;
                }
                if valid {
                    let (_, _, retry, _) = self.last_run().expect("it failed");
                    said.push(self.begin(tick, retry + 1));
                    continue;
                }
            }
            if self.pending().is_none_or(|pending| pending > tick) {
                return;
            }
            said.push(self.begin(tick, 0));
        }
    }
}

/// Fails if the machine runs the handler at another time than the model, or shows another alarm.
fn compare<M: Machine>((changes, handlers): &History) -> Result<(), TestCaseError> {
    let mut driver = Driver {
        machine: M::default(),
        time: AlarmTime::Unset,
        due: Vec::new(),
        handlers: handlers.iter().cycle(),
        tick: PAST,
        said: Vec::new(),
    };
    let mut model = Model {
        events: Vec::new(),
        handlers: handlers.iter().cycle(),
    };
    let mut said = Vec::new();
    let steps = changes.iter().map(|(gap, change)| (*gap, Some(*change)));
    for (gap, change) in steps.chain([(REST, None)]) {
        for passed in 0..=gap {
            if passed > 0 {
                driver.tick += 1;
            }
            driver.settle();
            driver.said.push(Said::Visible(driver.time.visible_ms()));
            model.settle(driver.tick, &mut said);
            said.push(Said::Visible(model.visible().map(|tick| tick * TICK_MS)));
        }
        if let Some(change) = change {
            driver.change(change);
            model.change(driver.tick, change);
        }
        if driver.said != said {
            break;
        }
    }
    prop_assert_eq!(driver.said, said);
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn an_alarm_runs_when_its_model_says(history in history()) {
        compare::<Alarm>(&history)?;
    }
}

#[test]
fn an_alarm_that_is_put_off_a_thousand_times_costs_one_timer() {
    let mut alarm = Alarm::default();
    let timers = (1_000..2_000).filter(|ms| {
        let action = alarm.set(AlarmTime::Pending(*ms));
        action != Action::Nothing
    });
    assert_eq!(timers.collect::<Vec<_>>(), [1_000]);
    let mut time = AlarmTime::Pending(1_999);
    let now = Instant::from_unix_ms(1_000);
    let action = alarm.timer_fired(1_000, now, &mut time);
    assert_eq!(action, Action::StartTimer(1_999));
}

#[test]
fn a_timer_that_was_replaced_starts_no_other_one() {
    let mut alarm = Alarm::default();
    let mut time = AlarmTime::Unset;
    let started = [300, 200].map(|ms| alarm.set(AlarmTime::Pending(ms)));
    assert_eq!(started, [300, 200].map(Action::StartTimer));
    let action = alarm.timer_fired(200, Instant::from_unix_ms(200), &mut time);
    assert_eq!(action, Action::Nothing, "it was deleted");
    time = AlarmTime::Pending(500);
    assert_eq!(alarm.set(time), Action::StartTimer(500));
    let action = alarm.timer_fired(300, Instant::from_unix_ms(300), &mut time);
    assert_eq!(action, Action::Nothing, "the timer for 500 is running");
}

/// Starts no other timer when one fires too early.
#[derive(Default)]
struct LosesTheAlarm(Alarm);

impl Machine for LosesTheAlarm {
    fn alarm(&mut self) -> &mut Alarm {
        &mut self.0
    }

    fn timer_fired(&mut self, timer_ms: u64, now: Instant, time: &mut AlarmTime) -> Action {
        match self.0.timer_fired(timer_ms, now, time) {
            Action::StartTimer(_) => Action::Nothing,
            action => action,
        }
    }
}

/// Starts timers while a handler runs.
#[derive(Default)]
struct RunsTwoAtOnce(Alarm);

impl Machine for RunsTwoAtOnce {
    fn alarm(&mut self) -> &mut Alarm {
        &mut self.0
    }

    fn set(&mut self, time: AlarmTime) -> Action {
        self.0.running = false;
        self.0.set(time)
    }
}

/// Runs a retry although the alarm was deleted.
#[derive(Default)]
struct RetriesTheDeleted(Alarm);

impl Machine for RetriesTheDeleted {
    fn alarm(&mut self) -> &mut Alarm {
        &mut self.0
    }

    fn retry_due(&mut self, run: Run, time: &mut AlarmTime) -> Action {
        if *time == AlarmTime::Unset {
            *time = AlarmTime::Failed(run.alarm_ms);
        }
        self.0.retry_due(run, time)
    }
}

fn rejects<M: Machine>() -> bool {
    let run = |history: History| compare::<M>(&history);
    TestRunner::new(config()).run(&history(), run).is_err()
}

#[test]
fn an_alarm_that_loses_its_timer_is_rejected() {
    assert!(rejects::<LosesTheAlarm>());
}

#[test]
fn an_alarm_whose_handler_runs_twice_at_once_is_rejected() {
    assert!(rejects::<RunsTwoAtOnce>());
}

#[test]
fn an_alarm_that_retries_what_was_deleted_is_rejected() {
    assert!(rejects::<RetriesTheDeleted>());
}

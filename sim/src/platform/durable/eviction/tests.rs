//! Activity and eviction against a naive model that has no timer: it looks at a list of everything that happened, once a
//! second.

use super::{Activity, Check, Idle, Span};
use crate::kernel::time::Instant;
use crate::limits::durable::HIBERNATE_AFTER_IDLE;
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Event {
    /// An event begins; it starts an instance if there is none.
    Begin,
    /// One of the events that are being handled ends.
    End,
    /// The instance is thrown away.
    Reset,
    /// It was evicted.
    Evicted,
}

/// Steps, each some seconds after the one before.
fn history() -> impl Strategy<Value = Vec<(u64, Event)>> {
    let event = prop_oneof![
        5 => Just(Event::Begin),
        5 => Just(Event::End),
        1 => Just(Event::Reset),
    ];
    let gap = prop_oneof![2 => 0_u64..3, 1 => 7_u64..13];
    prop::collection::vec((gap, event), 1..30)
}

fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(4_000)
    }
}

/// What both sides say: spans that are billed, and evictions.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Said {
    Billed(Span),
    Evicted(Instant),
}

fn at(second: u64) -> Instant {
    Instant(0) + Duration::from_secs(second)
}

/// The world continues for this long after the last step: every idle instance is evicted by then.
const REST: u64 = 30;

fn idle_limit() -> u64 {
    HIBERNATE_AFTER_IDLE.as_secs()
}

/// The subject compared with the model: the activity, or a broken double of it.
trait Machine: Default {
    fn activity(&mut self) -> &mut Activity;

    fn end(&mut self, now: Instant) -> Option<Idle> {
        self.activity().end(now)
    }

    fn timer_fired(&mut self, now: Instant) -> Check {
        self.activity().timer_fired(now)
    }
}

impl Machine for Activity {
    fn activity(&mut self) -> &mut Activity {
        self
    }
}

/// An instance and its timer, driven second by second.
fn driven<M: Machine>(history: &[(u64, Event)]) -> Result<Vec<Said>, TestCaseError> {
    let mut said = Vec::new();
    let mut instance: Option<M> = None;
    let mut timer: Option<Instant> = None;
    let mut steps = history.to_vec();
    steps.push((REST, Event::Reset));
    let mut second = 0;
    for (gap, event) in steps {
        for passed in 0..=gap {
            let now = at(second + passed);
            let Some(running) = instance.as_mut().filter(|_| timer == Some(now)) else {
                continue;
            };
            timer = None;
            match running.timer_fired(now) {
                Check::Evict => {
                    said.push(Said::Evicted(now));
                    instance = None;
                }
                Check::LookAgainAt(later) => {
                    prop_assert!(later > now, "time goes on");
                    timer = Some(later);
                }
                Check::Busy => {}
            }
        }
        second += gap;
        let now = at(second);
        match (event, &mut instance) {
            (Event::Begin, _) => {
                let running = instance.get_or_insert_with(M::default);
                running.activity().begin(now);
            }
            (Event::End, Some(running)) => {
                if running.activity().in_flight > 0
                    && let Some(idle) = running.end(now)
                {
                    said.push(Said::Billed(idle.active));
                    prop_assert!(
                        timer.is_none() || idle.start_timer.is_none(),
                        "one timer is enough"
                    );
                    timer = timer.or(idle.start_timer);
                }
            }
            (Event::Reset, Some(running)) => {
                said.extend(running.activity().cut_off(now).map(Said::Billed));
                instance = None;
                timer = None;
            }
            _ => {}
        }
    }
    Ok(said)
}

/// Everything that happened, with its second.
#[derive(Default)]
struct Model(Vec<(u64, Event)>);

impl Model {
    /// What happened to the instance that is live now; empty if there is none.
    fn life(&self) -> &[(u64, Event)] {
        let ends = |(_, event): &(u64, Event)| matches!(event, Event::Reset | Event::Evicted);
        let from = self.0.iter().rposition(ends).map_or(0, |end| end + 1);
        &self.0[from..]
    }

    fn in_flight(events: &[(u64, Event)]) -> usize {
        let begins = events.iter().filter(|(_, event)| *event == Event::Begin);
        begins.count() * 2 - events.len()
    }

    /// When the instance became active: at the last event before which none was in flight.
    fn active_since(&self) -> u64 {
        let life = self.life();
        let first = (0..life.len()).rfind(|place| Self::in_flight(&life[..*place]) == 0);
        life[first.expect("an active instance was called")].0
    }

    fn is_idle_since(&self, second: u64) -> bool {
        let life = self.life();
        Self::in_flight(life) == 0 && life.last().is_some_and(|(last, _)| *last == second)
    }

    fn expected(history: &[(u64, Event)]) -> Vec<Said> {
        let mut model = Self::default();
        let mut said = Vec::new();
        let mut steps = history.to_vec();
        steps.push((REST, Event::Reset));
        let mut second = 0;
        for (gap, event) in steps {
            for passed in 0..=gap {
                let now = second + passed;
                if now >= idle_limit() && model.is_idle_since(now - idle_limit()) {
                    model.0.push((now, Event::Evicted));
                    said.push(Said::Evicted(at(now)));
                }
            }
            second += gap;
            let active = Self::in_flight(model.life()) > 0;
            let span = active.then(|| Span {
                from: at(model.active_since()),
                to: at(second),
            });
            if event == Event::End && !active {
                continue;
            }
            model.0.push((second, event));
            if event == Event::Reset || Self::in_flight(model.life()) == 0 {
                said.extend(span.map(Said::Billed));
            }
        }
        said
    }
}

/// Fails if the machine's bills or evictions differ from the model's.
fn compare<M: Machine>(history: &[(u64, Event)]) -> Result<(), TestCaseError> {
    prop_assert_eq!(driven::<M>(history)?, Model::expected(history));
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn an_instance_is_billed_and_evicted_as_its_model_says(history in history()) {
        compare::<Activity>(&history)?;
    }
}

/// Evicts whenever the timer fires and nothing is in flight.
#[derive(Default)]
struct Hasty(Activity);

impl Machine for Hasty {
    fn activity(&mut self) -> &mut Activity {
        &mut self.0
    }

    fn timer_fired(&mut self, now: Instant) -> Check {
        match self.0.timer_fired(now) {
            Check::LookAgainAt(_) => Check::Evict,
            check => check,
        }
    }
}

/// Believes that its timer still runs after it fired while the instance was busy.
#[derive(Default)]
struct Forgetful(Activity);

impl Machine for Forgetful {
    fn activity(&mut self) -> &mut Activity {
        &mut self.0
    }

    fn timer_fired(&mut self, now: Instant) -> Check {
        let check = self.0.timer_fired(now);
        self.0.timer = true;
        check
    }
}

#[test]
fn an_instance_that_is_evicted_too_early_is_rejected() {
    let run = |history: Vec<_>| compare::<Hasty>(&history);
    assert!(TestRunner::new(config()).run(&history(), run).is_err());
}

#[test]
fn an_instance_that_is_never_evicted_is_rejected() {
    let run = |history: Vec<_>| compare::<Forgetful>(&history);
    assert!(TestRunner::new(config()).run(&history(), run).is_err());
}

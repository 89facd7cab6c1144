//! The gate against a naive model: a list of everything that happened, from which every answer is worked out anew.

use super::{Admission, Gate, Ticket};
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};

/// One operation; a number chooses among those that wait.
#[derive(Debug, Clone, Copy)]
enum Step {
    Join,
    Enter(usize),
    GiveUp(usize),
    Lock,
    Unlock,
}

fn history() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Join),
        4 => (0_usize..3).prop_map(Step::Enter),
        1 => (0_usize..5).prop_map(Step::GiveUp),
        2 => Just(Step::Lock),
        2 => Just(Step::Unlock),
    ];
    prop::collection::vec(step, 1..60)
}

fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(4_000)
    }
}

/// The subject compared with the model: the gate, or a broken double of it.
trait Machine: Default {
    fn gate(&mut self) -> &mut Gate;

    fn join(&mut self) -> Ticket {
        self.gate().join()
    }

    fn enter(&mut self, ticket: Ticket) -> Admission {
        self.gate().enter(ticket)
    }

    fn give_up(&mut self, ticket: Ticket) -> Option<Ticket> {
        self.gate().give_up(ticket)
    }

    fn lock(&mut self) {
        self.gate().lock();
    }

    fn unlock(&mut self) -> Option<Ticket> {
        self.gate().unlock()
    }
}

impl Machine for Gate {
    fn gate(&mut self) -> &mut Gate {
        self
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Event {
    Joined(Ticket),
    Left(Ticket),
    Locked,
    Unlocked,
}

/// Everything that happened.
#[derive(Default)]
struct Model(Vec<Event>);

impl Model {
    fn count(&self, event: Event) -> usize {
        self.0.iter().filter(|seen| **seen == event).count()
    }

    fn locks(&self) -> usize {
        self.count(Event::Locked) - self.count(Event::Unlocked)
    }

    fn line(&self) -> Vec<Ticket> {
        let joined = self.0.iter().filter_map(|event| match event {
            Event::Joined(ticket) => Some(*ticket),
            _ => None,
        });
        joined
            .filter(|ticket| self.count(Event::Left(*ticket)) == 0)
            .collect()
    }

    /// The ticket that may go now.
    fn next(&self) -> Option<Ticket> {
        if self.locks() > 0 {
            return None;
        }
        self.line().first().copied()
    }
}

fn chosen(model: &Model, number: usize) -> Option<Ticket> {
    model.line().get(number).copied()
}

/// Fails if the machine's answers ever differ from the model's.
fn compare<M: Machine>(steps: &[Step]) -> Result<(), TestCaseError> {
    let mut machine = M::default();
    let mut model = Model::default();
    for step in steps {
        match *step {
            Step::Join => {
                let ticket = machine.join();
                prop_assert_eq!(model.count(Event::Joined(ticket)), 0, "a ticket of its own");
                model.0.push(Event::Joined(ticket));
            }
            Step::Enter(number) => {
                let Some(ticket) = chosen(&model, number) else {
                    continue;
                };
                let mut expected = Admission::Wait;
                if model.next() == Some(ticket) {
                    model.0.push(Event::Left(ticket));
                    expected = Admission::Enter { next: model.next() };
                }
                prop_assert_eq!(machine.enter(ticket), expected);
            }
            Step::GiveUp(number) => {
                let Some(ticket) = chosen(&model, number) else {
                    continue;
                };
                model.0.push(Event::Left(ticket));
                prop_assert_eq!(machine.give_up(ticket), model.next());
            }
            Step::Lock => {
                machine.lock();
                model.0.push(Event::Locked);
            }
            Step::Unlock if model.locks() > 0 => {
                model.0.push(Event::Unlocked);
                prop_assert_eq!(machine.unlock(), model.next());
            }
            Step::Unlock => {}
        }
        prop_assert_eq!(
            Gate::is_open(machine.gate()),
            model.locks() == 0 && model.line().is_empty()
        );
    }
    Ok(())
}

/// Fails if an event that asks only when its ticket is named waits for ever, or if one overtakes another.
fn asks_only_when_named<M: Machine>(steps: &[Step]) -> Result<(), TestCaseError> {
    fn ask<M: Machine>(machine: &mut M, named: &mut Vec<Ticket>, inside: &mut Vec<Ticket>) {
        while let Some(ticket) = named.pop() {
            if let Admission::Enter { next } = machine.enter(ticket) {
                inside.push(ticket);
                named.extend(next);
            }
        }
    }
    let mut machine = M::default();
    let (mut line, mut inside, mut named) = (Vec::new(), Vec::new(), Vec::new());
    let mut locks = 0;
    for step in steps {
        match *step {
            Step::Join => {
                let ticket = machine.join();
                line.push(ticket);
                // It asks once, when it comes; those that were named before it have asked by then.
                ask(&mut machine, &mut named, &mut inside);
                named.push(ticket);
                ask(&mut machine, &mut named, &mut inside);
            }
            // A named event asks some time later: here.
            Step::Enter(_) => ask(&mut machine, &mut named, &mut inside),
            Step::GiveUp(number) => {
                let waiting = line.iter().filter(|ticket| !inside.contains(ticket));
                if let Some(ticket) = waiting.copied().nth(number) {
                    line.retain(|other| *other != ticket);
                    named.retain(|other| *other != ticket);
                    named.extend(machine.give_up(ticket));
                }
            }
            Step::Lock => {
                machine.lock();
                locks += 1;
            }
            Step::Unlock if locks > 0 => {
                locks -= 1;
                named.extend(machine.unlock());
            }
            Step::Unlock => {}
        }
    }
    for _ in 0..locks {
        named.extend(machine.unlock());
    }
    ask(&mut machine, &mut named, &mut inside);
    prop_assert_eq!(inside, line);
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_gate_answers_what_its_model_answers(steps in history()) {
        compare::<Gate>(&steps)?;
    }

    #[test]
    fn an_event_that_asks_only_when_named_enters_in_its_turn(steps in history()) {
        asks_only_when_named::<Gate>(&steps)?;
    }
}

/// Admits the first in line although the gate is locked.
#[derive(Default)]
struct IgnoresLocks(Gate);

impl Machine for IgnoresLocks {
    fn gate(&mut self) -> &mut Gate {
        &mut self.0
    }

    fn enter(&mut self, ticket: Ticket) -> Admission {
        let locks = std::mem::take(&mut self.0.locks);
        let admission = self.0.enter(ticket);
        self.0.locks = locks;
        admission
    }
}

/// Names no ticket when an event gives up its place.
#[derive(Default)]
struct ForgetsTheNext(Gate);

impl Machine for ForgetsTheNext {
    fn gate(&mut self) -> &mut Gate {
        &mut self.0
    }

    fn give_up(&mut self, ticket: Ticket) -> Option<Ticket> {
        self.0.give_up(ticket);
        None
    }
}

#[test]
fn a_gate_that_ignores_locks_is_rejected() {
    let run = |steps: Vec<Step>| compare::<IgnoresLocks>(&steps);
    assert!(TestRunner::new(config()).run(&history(), run).is_err());
}

#[test]
fn a_gate_that_forgets_the_next_in_line_is_rejected() {
    let run = |steps: Vec<Step>| compare::<ForgetsTheNext>(&steps);
    assert!(TestRunner::new(config()).run(&history(), run).is_err());
    let run = |steps: Vec<Step>| asks_only_when_named::<ForgetsTheNext>(&steps);
    assert!(TestRunner::new(config()).run(&history(), run).is_err());
}

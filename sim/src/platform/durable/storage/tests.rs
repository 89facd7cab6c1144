//! Keys, values and alarm under transactions, against a naive model: a list of all writes, from which the undone ones
//! are removed. (SQL under the same transactions is tested through a whole world, because it needs one to run in.)

use super::{ListOptions, Savepoint, Storage};
use bytes::Bytes;
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};
use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Put(String, u8),
    Delete(String),
    DeleteAll,
    SetAlarm(Option<u64>),
    List(String, Option<String>, bool, usize),
    /// An explicit transaction begins.
    Open,
    /// The innermost one ends, and keeps what it wrote or does not.
    Close(bool),
    /// The turn ends.
    Commit,
    /// The instance is thrown away.
    RollBack,
}

fn history() -> impl Strategy<Value = Vec<Step>> {
    let key = || "[ab]{1,2}|ü";
    let bound = prop::option::of("[abü]{1,2}");
    let step = prop_oneof![
        6 => (key(), 0_u8..20).prop_map(|(key, size)| Step::Put(key, size)),
        3 => key().prop_map(Step::Delete),
        1 => Just(Step::DeleteAll),
        2 => prop::option::of(1_u64..9).prop_map(Step::SetAlarm),
        2 => ("[abü]{0,1}", bound, any::<bool>(), 1_usize..4)
            .prop_map(|(prefix, end, reverse, limit)| Step::List(prefix, end, reverse, limit)),
        3 => Just(Step::Open),
        3 => any::<bool>().prop_map(Step::Close),
        2 => Just(Step::Commit),
        1 => Just(Step::RollBack),
    ];
    prop::collection::vec(step, 1..60)
}

fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(3_000)
    }
}

fn value(size: u8) -> Bytes {
    vec![size; size.into()].into()
}

/// What is compared with the model: the storage, or a broken double of it.
trait Machine: Default {
    fn storage(&mut self) -> &mut Storage;

    fn delete(&mut self, key: &str) -> bool {
        Storage::delete(self.storage(), key).0
    }

    fn set_alarm(&mut self, alarm_ms: Option<u64>) {
        Storage::set_alarm(self.storage(), alarm_ms);
    }
}

impl Machine for Storage {
    fn storage(&mut self) -> &mut Storage {
        self
    }
}

/// Everything that was written and not undone, and where transactions began.
#[derive(Default)]
struct Model(Vec<Step>);

impl Model {
    fn open(&self) -> usize {
        self.0.iter().filter(|step| **step == Step::Open).count()
    }

    fn close(&mut self, keep: bool) {
        let open = self.0.iter().rposition(|step| *step == Step::Open);
        let open = open.expect("one is open");
        self.0.remove(open);
        if !keep {
            self.0.truncate(open);
        }
    }

    fn roll_back(&mut self) {
        let commit = self.0.iter().rposition(|step| *step == Step::Commit);
        self.0.truncate(commit.map_or(0, |place| place + 1));
    }

    fn values(&self) -> BTreeMap<String, Bytes> {
        let mut values = BTreeMap::new();
        for step in &self.0 {
            match step {
                Step::Put(key, size) => {
                    values.insert(key.clone(), value(*size));
                }
                Step::Delete(key) => {
                    values.remove(key);
                }
                Step::DeleteAll => values.clear(),
                _ => {}
            }
        }
        values
    }

    fn alarm_ms(&self) -> Option<u64> {
        let mut steps = self.0.iter().rev();
        steps.find_map(|step| match step {
            Step::SetAlarm(alarm_ms) => Some(*alarm_ms),
            _ => None,
        })?
    }
}

fn compare<M: Machine>(steps: &[Step]) -> Result<(), TestCaseError> {
    let mut machine = M::default();
    let mut model = Model::default();
    let mut open: Vec<Savepoint> = Vec::new();
    for step in steps {
        let before = model.values();
        match step {
            Step::Put(key, size) => {
                let rows = machine
                    .storage()
                    .put(key, value(*size))
                    .expect("it is small");
                prop_assert_eq!((rows.read, rows.written), (0, 1));
                model.0.push(step.clone());
            }
            Step::Delete(key) => {
                prop_assert_eq!(machine.delete(key), before.contains_key(key));
                model.0.push(step.clone());
            }
            Step::DeleteAll => {
                let deleted = machine.storage().delete_all();
                prop_assert_eq!(deleted.is_ok(), model.open() == 0);
                if let Ok(rows) = deleted {
                    prop_assert_eq!(rows.written, before.len() as u64);
                    model.0.push(step.clone());
                }
            }
            Step::SetAlarm(alarm_ms) => {
                machine.set_alarm(*alarm_ms);
                model.0.push(step.clone());
            }
            Step::List(prefix, end, reverse, limit) => {
                let options = ListOptions {
                    prefix: Some(prefix.clone()),
                    end: end.clone(),
                    reverse: *reverse,
                    limit: Some(*limit),
                    ..ListOptions::default()
                };
                let (found, _) = machine.storage().list(&options);
                let found = found.iter().map(|(key, _)| key.to_string());
                let wanted = |key: &&String| {
                    key.starts_with(prefix) && end.as_ref().is_none_or(|end| *key < end)
                };
                let mut expected: Vec<_> = before.keys().filter(wanted).cloned().collect();
                if *reverse {
                    expected.reverse();
                }
                expected.truncate(*limit);
                prop_assert_eq!(found.collect::<Vec<_>>(), expected);
            }
            Step::Open => {
                open.push(machine.storage().savepoint().expect("there is no SQL"));
                model.0.push(Step::Open);
            }
            Step::Close(keep) => {
                if let Some(savepoint) = open.pop() {
                    let ended = machine.storage().end_savepoint(savepoint, *keep);
                    ended.expect("there is no SQL");
                    model.close(*keep);
                }
            }
            Step::Commit => {
                machine.storage().commit().expect("there is no SQL");
                // An open transaction continues, and nothing of it is committed.
                if model.open() == 0 {
                    model.0.push(Step::Commit);
                }
            }
            Step::RollBack => {
                machine.storage().roll_back();
                model.roll_back();
                open.clear();
            }
        }
        let expected = model.values();
        let storage = machine.storage();
        let values = storage.values();
        let values = values.map(|(key, value)| (key.to_owned(), value.clone()));
        prop_assert_eq!(values.collect::<BTreeMap<_, _>>(), expected.clone());
        let bytes = expected.iter().map(|(key, value)| key.len() + value.len());
        prop_assert_eq!(storage.stored_bytes(), bytes.sum::<usize>() as u64);
        prop_assert_eq!(storage.alarm().visible_ms(), model.alarm_ms());
        prop_assert_eq!(storage.savepoints() as usize, open.len());
    }
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn storage_undoes_what_its_model_crosses_out(steps in history()) {
        compare::<Storage>(&steps)?;
    }
}

/// Cannot undo a delete.
#[derive(Default)]
struct LosesTheDeleted(Storage);

impl Machine for LosesTheDeleted {
    fn storage(&mut self) -> &mut Storage {
        &mut self.0
    }

    fn delete(&mut self, key: &str) -> bool {
        self.0.values.remove(key).is_some()
    }
}

/// Cannot undo what was done to the alarm.
#[derive(Default)]
struct KeepsTheAlarm(Storage);

impl Machine for KeepsTheAlarm {
    fn storage(&mut self) -> &mut Storage {
        &mut self.0
    }

    fn set_alarm(&mut self, alarm_ms: Option<u64>) {
        let before = self.0.undo.len();
        self.0.set_alarm(alarm_ms);
        let mut kept = self.0.alarm;
        self.0.undo.undo_to(before, &mut self.0.values, &mut kept);
    }
}

fn rejects<M: Machine>() -> bool {
    let run = |steps: Vec<Step>| compare::<M>(&steps);
    TestRunner::new(config()).run(&history(), run).is_err()
}

#[test]
fn storage_that_cannot_undo_a_delete_is_rejected() {
    assert!(rejects::<LosesTheDeleted>());
}

#[test]
fn storage_that_cannot_undo_an_alarm_is_rejected() {
    assert!(rejects::<KeepsTheAlarm>());
}

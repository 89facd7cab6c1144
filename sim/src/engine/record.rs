//! The history, as the engine writes it. Keeping one never changes the run: records have numbers of their own, and
//! nothing here draws, counts or waits.

use super::Engine;
use super::scope::{self, Cause, Invocation, Scope};
use crate::exception::Exception;
use crate::history::{Actor, History, Op, Outcome, Record};
use crate::topology::Pop;
use edgeproof_isolate::IsolateId;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// A record that was begun; empty without a history.
pub(crate) type Begun = Option<u64>;

/// Who does something, where, and why.
pub(crate) struct Author {
    pub(crate) actor: Actor,
    pub(crate) pop: Option<Pop>,
    pub(crate) isolate: Option<IsolateId>,
    pub(crate) cause: Cause,
}

impl Author {
    /// The platform itself, in a PoP or nowhere.
    pub(crate) fn platform(pop: Option<Pop>, cause: Cause) -> Self {
        Self {
            actor: Actor::Platform,
            pop,
            isolate: None,
            cause,
        }
    }
}

/// Keeps a history, if one is wanted.
pub(crate) struct Recorder(Option<RefCell<Kept>>);

#[derive(Default)]
struct Kept {
    finished: History,
    open: BTreeMap<u64, Record>,
    /// Numbers begin at 1.
    last: u64,
    /// The record of the call that set an object's alarm, by class and index.
    alarms: BTreeMap<(u16, u32), u64>,
}

impl Recorder {
    pub(crate) fn new(keep: bool) -> Self {
        Self(keep.then(RefCell::default))
    }
}

impl Engine {
    /// Begins the record of an operation of the running scope.
    pub(crate) fn begin(&self, make: impl FnOnce() -> Op) -> Begun {
        self.0.recorder.0.as_ref()?;
        self.begin_in(&scope::current(), make)
    }

    /// Begins the record of an operation of `scope`.
    pub(crate) fn begin_in(&self, scope: &Scope, make: impl FnOnce() -> Op) -> Begun {
        self.begin_as(
            || match scope {
                Some(invocation) => self.author(invocation),
                None => Author::platform(None, None),
            },
            make,
        )
    }

    /// Begins the record of an operation of `author`.
    pub(crate) fn begin_as(
        &self,
        author: impl FnOnce() -> Author,
        make: impl FnOnce() -> Op,
    ) -> Begun {
        let kept = self.0.recorder.0.as_ref()?;
        let (author, op) = (author(), make());
        let mut kept = kept.borrow_mut();
        kept.last += 1;
        let id = kept.last;
        let record = Record {
            number: id,
            cause: author.cause,
            copy: false,
            start: self.now().0,
            end: self.now().0,
            pop: author.pop.map_or("", Pop::code).to_owned(),
            isolate: author.isolate.and_then(isolate_number),
            actor: author.actor,
            op,
            outcome: Outcome::Unfinished,
        };
        kept.open.insert(id, record);
        Some(id)
    }

    /// Begins the record of a message's second copy: the same operation as that of the first, whose record is its cause.
    pub(crate) fn begin_copy(&self, original: Begun) -> Begun {
        let kept = self.0.recorder.0.as_ref()?;
        let op = kept.borrow().open.get(&original?)?.op.clone();
        let begun = self.begin_as(|| Author::platform(None, original), || op);
        if let Some(record) = kept.borrow_mut().open.get_mut(&begun?) {
            record.copy = true;
        }
        begun
    }

    /// Ends a record.
    pub(crate) fn finish(&self, begun: Begun, make: impl FnOnce() -> Outcome) {
        let (Some(id), Some(kept)) = (begun, &self.0.recorder.0) else {
            return;
        };
        let outcome = make();
        let mut kept = kept.borrow_mut();
        if let Some(mut record) = kept.open.remove(&id) {
            record.end = self.now().0;
            record.outcome = outcome;
            kept.finished.push(record);
        }
    }

    /// Records an operation that takes no time.
    pub(crate) fn note(
        &self,
        author: impl FnOnce() -> Author,
        make: impl FnOnce() -> (Op, Outcome),
    ) -> Begun {
        self.0.recorder.0.as_ref()?;
        let (op, outcome) = make();
        let begun = self.begin_as(author, || op);
        self.finish(begun, || outcome);
        begun
    }

    /// An object's alarm was set by the call of this record.
    pub(crate) fn alarm_set_by(&self, class: u16, index: u32, begun: Begun) {
        if let (Some(number), Some(kept)) = (begun, &self.0.recorder.0) {
            kept.borrow_mut().alarms.insert((class, index), number);
        }
    }

    /// The record of the call that set an object's alarm.
    pub(crate) fn alarm_cause(&self, class: u16, index: u32) -> Cause {
        let kept = self.0.recorder.0.as_ref()?;
        kept.borrow().alarms.get(&(class, index)).copied()
    }

    /// All records so far: those that have ended in the order of their ends, then those that have not.
    pub(crate) fn history(&self) -> History {
        let Some(kept) = &self.0.recorder.0 else {
            return History::default();
        };
        let kept = kept.borrow();
        let unfinished = kept.open.values().cloned().map(|record| Record {
            end: self.now().0,
            ..record
        });
        let records = kept.finished.records().iter().cloned();
        records.chain(unfinished).collect()
    }

    /// An invocation as the author of what it does.
    pub(crate) fn author(&self, invocation: &Invocation) -> Author {
        let actor = match invocation.object {
            Some(object) => {
                let (class, id) = self.object_name(object.class, object.index);
                Actor::Object { class, id }
            }
            None => Actor::Invocation(invocation.id),
        };
        Author {
            actor,
            pop: Some(invocation.pop),
            isolate: Some(invocation.isolate),
            cause: invocation.cause,
        }
    }
}

/// The isolate's number within this world; the id itself is unique in the process.
fn isolate_number(isolate: IsolateId) -> Option<u32> {
    u32::try_from(isolate & 0xffff_ffff).ok()
}

/// A failure, with the text that the Worker saw.
pub(crate) fn failed(exception: &Exception) -> Outcome {
    Outcome::Error {
        message: exception.message.clone(),
    }
}

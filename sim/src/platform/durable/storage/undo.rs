//! How the writes of an implicit transaction are undone: the state before each write, newest last.

use super::values::Values;
use crate::platform::durable::alarm::AlarmTime;
use bytes::Bytes;

/// What one write replaced.
#[derive(Debug)]
pub(super) enum Undo {
    /// A key, and the value that it had.
    Key(Box<str>, Option<Bytes>),
    /// The alarm that was set.
    Alarm(AlarmTime),
}

/// The writes of an implicit transaction, each as the state that it replaced.
#[derive(Debug, Default)]
pub(super) struct UndoLog(Vec<Undo>);

impl UndoLog {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn push(&mut self, undo: Undo) {
        self.0.push(undo);
    }

    /// Undoes everything after the first `length` writes, newest first.
    pub(super) fn undo_to(&mut self, length: usize, values: &mut Values, alarm: &mut AlarmTime) {
        for undo in self.0.drain(length..).rev() {
            match undo {
                Undo::Key(key, Some(value)) => {
                    values.insert(key, value);
                }
                Undo::Key(key, None) => {
                    values.remove(&key);
                }
                Undo::Alarm(before) => *alarm = before,
            }
        }
    }

    /// Keeps the writes.
    pub(super) fn forget(&mut self) {
        // Freed and not just emptied, so that an idle object costs little.
        self.0 = Vec::new();
    }
}

//! An object's storage: a key-value map, a SQL database if SQL is used, and an alarm, under one implicit transaction.
//!
//! All writes that one turn of the event loop makes become durable together, or none does: the first write of a turn
//! opens an implicit transaction, [`commit`](Storage::commit) ends it, [`roll_back`](Storage::roll_back) undoes it.
//! Explicit transactions are savepoints inside it.
//!
//! Keys and values live in an ordered map and cost no database; production keeps them in a hidden SQLite table, so they
//! are billed as rows of one (DOPRICE 2026-06-19). The SQL database is opened when SQL is first used. Values are
//! opaque bytes here: the façade writes structured clones.

#[cfg(test)]
mod tests;
mod undo;
mod values;

pub use values::ListOptions;

use super::alarm::AlarmTime;
use crate::exception::Exception;
use crate::kernel::time::Instant;
use crate::limits;
use bytes::Bytes;
use edgeproof_sqlite::{Database, Dialect, Outcome, SqlError, Value};
use std::path::PathBuf;
use undo::{Undo, UndoLog};
use values::Values;

/// What an operation cost, in billed rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rows {
    /// Rows read.
    pub read: u64,
    /// Rows written.
    pub written: u64,
}

/// A place in an object's implicit transaction to which it can go back.
#[derive(Debug, Clone, Copy)]
pub struct Savepoint {
    undo: usize,
    depth: u32,
}

/// Everything that one object stores.
#[derive(Debug, Default)]
pub struct Storage {
    values: Values,
    sql: Option<Box<Database>>,
    /// File of the database; `None`: it is in memory.
    sql_file: Option<PathBuf>,
    sql_transaction: bool,
    alarm: AlarmTime,
    undo: UndoLog,
    savepoints: u32,
    /// The implicit transaction is open.
    dirty: bool,
    /// The implicit transaction has writes.
    written: bool,
    /// When the writes made so far are durable. The output gate holds messages back until then.
    pub durable_at: Instant,
}

impl Storage {
    /// Keeps the SQL database in this file.
    pub fn keep_sql_in(&mut self, file: PathBuf) {
        self.sql_file = Some(file);
    }

    /// The keys and values, in order of the keys' bytes.
    pub fn values(&self) -> impl Iterator<Item = (&str, &Bytes)> {
        self.values.iter()
    }

    /// Loads what an earlier run stored.
    pub fn restore<'a>(
        &mut self,
        values: impl IntoIterator<Item = (&'a str, Vec<u8>)>,
        alarm_ms: Option<u64>,
    ) {
        for (key, value) in values {
            self.values.insert(key.into(), value.into());
        }
        self.alarm = alarm_ms.map_or(AlarmTime::Unset, AlarmTime::Pending);
    }

    /// Whether a commit is due at the end of this turn.
    pub fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// Whether writes wait for that commit.
    pub fn has_written(&self) -> bool {
        self.written
    }

    /// Explicit transactions that are open.
    pub fn savepoints(&self) -> u32 {
        self.savepoints
    }

    /// Bytes of keys and values, and of the database if there is one.
    pub fn stored_bytes(&self) -> u64 {
        self.values.bytes() + self.sql.as_ref().map_or(0, |sql| sql.size_bytes())
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> (Option<Bytes>, Rows) {
        // A miss is billed like a hit: KV-style reads are rows of a hidden table.
        (
            self.values.get(key).cloned(),
            Rows {
                read: 1,
                written: 0,
            },
        )
    }

    /// Checks a value's size.
    ///
    /// # Errors
    /// A key and value of more than 2 MB together (DOLIM); workerd itself does not enforce this, production does.
    pub fn check(key: &str, value: &Bytes) -> Result<(), Exception> {
        if key.len() + value.len() > limits::durable::KEY_AND_VALUE_BYTES {
            return Err(Exception::error(limits::durable::VALUE_TOO_LARGE));
        }
        Ok(())
    }

    /// Writes a value.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn put(&mut self, key: &str, value: Bytes) -> Result<Rows, Exception> {
        Self::check(key, &value)?;
        let old = self.values.insert(key.into(), value);
        self.undo.push(Undo::Key(key.into(), old));
        self.wrote();
        Ok(Rows {
            read: 0,
            written: 1,
        })
    }

    /// Deletes a key. True if it was there.
    pub fn delete(&mut self, key: &str) -> (bool, Rows) {
        let old = self.values.remove(key);
        let found = old.is_some();
        if found {
            self.undo.push(Undo::Key(key.into(), old));
            self.wrote();
        }
        (
            found,
            Rows {
                read: 0,
                written: u64::from(found),
            },
        )
    }

    /// Deletes every key and the whole database; the alarm stays.
    ///
    /// # Errors
    /// Inside an explicit transaction (workerd actor-storage).
    pub fn delete_all(&mut self) -> Result<Rows, Exception> {
        if self.savepoints > 0 {
            return Err(Exception::error(limits::durable::DELETE_ALL_IN_TRANSACTION));
        }
        let deleted = self.values.len() as u64;
        for (key, value) in self.values.take() {
            self.undo.push(Undo::Key(key, Some(value)));
        }
        // The database file goes as a whole; its rows are not billed one by one.
        self.sql = None;
        self.sql_transaction = false;
        if let Some(file) = &self.sql_file
            && let Err(problem) = std::fs::remove_file(file)
            && problem.kind() != std::io::ErrorKind::NotFound
        {
            return Err(Exception::error(format!(
                "the object's database could not be deleted: {problem}"
            )));
        }
        self.wrote();
        Ok(Rows {
            read: 0,
            written: deleted,
        })
    }

    /// The keys and values in a range, in order of the keys' bytes.
    pub fn list(&self, options: &ListOptions) -> (Vec<(Box<str>, Bytes)>, Rows) {
        let found = self.values.list(options);
        let read = found.len().max(1) as u64;
        (found, Rows { read, written: 0 })
    }

    /// The alarm.
    pub fn alarm(&self) -> AlarmTime {
        self.alarm
    }

    /// The alarm, for the platform to take it out before its handler runs and to put it back after a failure. Neither is
    /// part of a transaction.
    pub(super) fn alarm_mut(&mut self) -> &mut AlarmTime {
        &mut self.alarm
    }

    /// Sets or deletes the alarm. Setting one is billed as a row written (DOPRICE).
    pub fn set_alarm(&mut self, alarm_ms: Option<u64>) -> Rows {
        self.undo.push(Undo::Alarm(self.alarm));
        self.alarm = alarm_ms.map_or(AlarmTime::Unset, AlarmTime::Pending);
        self.wrote();
        Rows {
            read: 0,
            written: u64::from(alarm_ms.is_some()),
        }
    }

    /// Runs SQL.
    ///
    /// # Errors
    /// SQLite's, with the platform's texts.
    pub fn execute(
        &mut self,
        seed: u64,
        statements: &str,
        parameters: &[Value],
    ) -> (Result<Outcome, SqlError>, Rows) {
        let before = self.total_rows();
        let result = self.run_sql(seed, statements, parameters);
        let after = self.total_rows();
        // All statements of the text count, and also those before one that failed: they are part of the turn.
        let rows = Rows {
            read: after.0 - before.0,
            written: after.1 - before.1,
        };
        self.written |= rows.written > 0;
        (result, rows)
    }

    fn total_rows(&self) -> (u64, u64) {
        self.sql.as_ref().map_or((0, 0), |sql| sql.total_rows())
    }

    fn run_sql(
        &mut self,
        seed: u64,
        statements: &str,
        parameters: &[Value],
    ) -> Result<Outcome, SqlError> {
        let database = match &mut self.sql {
            Some(database) => database,
            empty => {
                let mut database = match &self.sql_file {
                    None => Database::in_memory(Dialect::DurableObject)?,
                    Some(file) => Database::open(file, Dialect::DurableObject)?,
                };
                database.seed_random(seed);
                empty.insert(Box::new(database))
            }
        };
        if !self.sql_transaction {
            database.begin()?;
            self.sql_transaction = true;
            for depth in 0..self.savepoints {
                database.savepoint(&format!("t{depth}"))?;
            }
        }
        // Even a read keeps the implicit transaction open until the end of the turn; it is closed with the writes.
        self.dirty = true;
        database.execute_script(statements, parameters)
    }

    /// Size of the database in bytes, 0 before SQL is used.
    pub fn database_bytes(&self) -> u64 {
        self.sql.as_ref().map_or(0, |sql| sql.size_bytes())
    }

    /// Opens an explicit transaction.
    ///
    /// # Errors
    /// SQLite's, if the database is broken.
    pub fn savepoint(&mut self) -> Result<Savepoint, SqlError> {
        let savepoint = Savepoint {
            undo: self.undo.len(),
            depth: self.savepoints,
        };
        if let Some(database) = self.sql.as_mut().filter(|_| self.sql_transaction) {
            database.savepoint(&format!("t{}", self.savepoints))?;
        }
        self.savepoints += 1;
        Ok(savepoint)
    }

    /// Ends an explicit transaction, keeping or undoing what it did.
    ///
    /// # Errors
    /// SQLite's, if the database is broken.
    pub fn end_savepoint(&mut self, savepoint: Savepoint, keep: bool) -> Result<(), SqlError> {
        self.savepoints = savepoint.depth;
        if !keep {
            self.undo_to(savepoint.undo);
        }
        let name = format!("t{}", savepoint.depth);
        if let Some(database) = self.sql.as_mut().filter(|_| self.sql_transaction) {
            if !keep {
                database.rollback_to(&name)?;
            }
            database.release(&name)?;
        }
        Ok(())
    }

    /// Ends the turn's implicit transaction: what it wrote is on its way to the followers. An open explicit
    /// transaction continues across turns, and so does the implicit one.
    ///
    /// # Errors
    /// SQLite's, if the database cannot commit.
    pub fn commit(&mut self) -> Result<(), SqlError> {
        if self.savepoints > 0 {
            return Ok(());
        }
        // First, because it may fail; then everything is still there to be undone.
        if self.sql_transaction
            && let Some(database) = &mut self.sql
        {
            database.commit()?;
        }
        self.sql_transaction = false;
        self.dirty = false;
        self.written = false;
        self.undo.forget();
        Ok(())
    }

    /// Undoes the implicit transaction, explicit ones included.
    pub fn roll_back(&mut self) {
        self.savepoints = 0;
        self.dirty = false;
        self.written = false;
        self.undo_to(0);
        if std::mem::take(&mut self.sql_transaction)
            && let Some(database) = &mut self.sql
        {
            // A database that cannot even roll back lost its transaction already: nothing of it is left to undo.
            let _ = database.rollback();
        }
    }

    fn undo_to(&mut self, length: usize) {
        self.undo.undo_to(length, &mut self.values, &mut self.alarm);
    }

    fn wrote(&mut self) {
        self.dirty = true;
        self.written = true;
    }
}

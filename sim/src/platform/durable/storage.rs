//! An object's storage: a key-value map, a SQL database if SQL is used, and an alarm, under one implicit transaction.
//!
//! All writes that one turn of the event loop makes become durable together, or none does: the first write of a turn
//! opens an implicit transaction, [`commit`](Storage::commit) ends it, [`roll_back`](Storage::roll_back) undoes it.
//! Explicit transactions are savepoints inside it.
//!
//! Keys and values live in an ordered map and cost no database; production keeps them in a hidden SQLite table, so they
//! are billed as rows of one (DOPRICE 2026-06-19). The SQL database is opened when SQL is first used. Values are
//! opaque bytes here: the façade writes structured clones.

use crate::exception::Exception;
use crate::kernel::time::Instant;
use crate::limits;
use bytes::Bytes;
use edgeproof_sqlite::{Database, Dialect, Outcome, SqlError, Value};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::PathBuf;

/// What an operation cost, in billed rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rows {
    /// Rows read.
    pub read: u64,
    /// Rows written.
    pub written: u64,
}

/// Which keys a `list` wants.
#[derive(Debug, Clone, Default)]
pub struct ListOptions {
    /// First key, inclusive.
    pub start: Option<String>,
    /// First key, exclusive.
    pub start_after: Option<String>,
    /// End, exclusive.
    pub end: Option<String>,
    /// Keys must begin with this.
    pub prefix: Option<String>,
    /// From the last to the first.
    pub reverse: bool,
    /// At most so many.
    pub limit: Option<usize>,
}

#[derive(Debug)]
enum Undo {
    Key(Box<str>, Option<Bytes>),
    Alarm {
        pending_ms: Option<u64>,
        failed_ms: Option<u64>,
    },
}

/// A place in an object's implicit transaction to which it can go back.
#[derive(Debug, Clone, Copy)]
pub struct Savepoint {
    undo: usize,
    depth: u32,
}

/// Everything one object keeps.
#[derive(Debug, Default)]
pub struct Storage {
    values: BTreeMap<Box<str>, Bytes>,
    value_bytes: u64,
    sql: Option<Box<Database>>,
    /// Where the database lives; in memory if nowhere.
    sql_file: Option<PathBuf>,
    sql_transaction: bool,
    alarm_ms: Option<u64>,
    /// The alarm whose handler failed and is to run again.
    failed_alarm_ms: Option<u64>,
    /// Grows with every change of the alarm, so that a timer knows whether it still means it.
    alarm_epoch: u32,
    undo: Vec<Undo>,
    savepoints: u32,
    /// The implicit transaction is open.
    dirty: bool,
    /// The implicit transaction has writes.
    written: bool,
    /// When the writes made so far are durable: the output gate holds messages until then.
    pub durable_at: Instant,
}

impl Storage {
    /// Keeps the SQL database in this file.
    pub fn keep_sql_in(&mut self, file: PathBuf) {
        self.sql_file = Some(file);
    }

    /// The keys and values, in order of the keys' bytes.
    pub fn values(&self) -> impl Iterator<Item = (&str, &Bytes)> {
        self.values.iter().map(|(key, value)| (&**key, value))
    }

    /// Takes up what an earlier run stored.
    pub fn restore<'a>(
        &mut self,
        values: impl IntoIterator<Item = (&'a str, Vec<u8>)>,
        alarm_ms: Option<u64>,
    ) {
        for (key, value) in values {
            self.value_bytes += (key.len() + value.len()) as u64;
            self.values.insert(key.into(), value.into());
        }
        self.alarm_ms = alarm_ms;
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
        self.value_bytes + self.sql.as_ref().map_or(0, |sql| sql.size_bytes())
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
        self.value_bytes += (key.len() + value.len()) as u64;
        let old = self.values.insert(key.into(), value);
        self.forget_bytes(key, old.as_ref());
        self.undo.push(Undo::Key(key.into(), old));
        self.wrote();
        Ok(Rows {
            read: 0,
            written: 1,
        })
    }

    /// Deletes a key; whether it was there.
    pub fn delete(&mut self, key: &str) -> (bool, Rows) {
        let old = self.values.remove(key);
        self.forget_bytes(key, old.as_ref());
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
            return Err(Exception::error(
                "Cannot call deleteAll() within a transaction",
            ));
        }
        let deleted = self.values.len() as u64;
        for (key, value) in std::mem::take(&mut self.values) {
            self.value_bytes -= (key.len() + value.len()) as u64;
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
        let prefix = options.prefix.as_deref().unwrap_or("");
        let mut start = Bound::Included(prefix);
        if let Some(first) = options.start.as_deref()
            && first > prefix
        {
            start = Bound::Included(first);
        }
        if let Some(last) = options.start_after.as_deref()
            && last >= prefix
        {
            start = Bound::Excluded(last);
        }
        let end = options.end.as_deref();
        let wanted = |key: &str| key.starts_with(prefix) && end.is_none_or(|end| key < end);
        let limit = options.limit.unwrap_or(usize::MAX);
        let pairs = self.values.range::<str, _>((start, Bound::Unbounded));
        let pairs = pairs
            .take_while(|(key, _)| key.starts_with(prefix))
            .filter(|(key, _)| wanted(key));
        let mut found: Vec<_> = pairs
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        if options.reverse {
            found.reverse();
        }
        found.truncate(limit);
        let read = found.len().max(1) as u64;
        (found, Rows { read, written: 0 })
    }

    /// When the alarm is to run for the first time, in milliseconds since the Unix epoch.
    pub fn pending_alarm_ms(&self) -> Option<u64> {
        self.alarm_ms
    }

    /// The alarm as `getAlarm()` sees it: pending, or failed and to be retried.
    pub fn alarm_ms(&self) -> Option<u64> {
        self.alarm_ms.or(self.failed_alarm_ms)
    }

    /// The alarm that failed, if nobody has set or deleted one since.
    pub fn failed_alarm_ms(&self) -> Option<u64> {
        self.failed_alarm_ms
    }

    /// Number of the alarm's last change.
    pub fn alarm_epoch(&self) -> u32 {
        self.alarm_epoch
    }

    /// Sets or deletes the alarm. Setting one is billed as a row written (DOPRICE).
    pub fn set_alarm(&mut self, alarm_ms: Option<u64>) -> Rows {
        self.undo.push(Undo::Alarm {
            pending_ms: self.alarm_ms,
            failed_ms: self.failed_alarm_ms.take(),
        });
        self.alarm_ms = alarm_ms;
        self.alarm_epoch = self.alarm_epoch.wrapping_add(1);
        self.wrote();
        Rows {
            read: 0,
            written: u64::from(alarm_ms.is_some()),
        }
    }

    /// Takes the alarm that is about to run, or to run again: `getAlarm()` is null inside its handler (DOALARM).
    pub fn take_alarm(&mut self) -> Option<u64> {
        self.alarm_epoch = self.alarm_epoch.wrapping_add(1);
        self.alarm_ms.take().or(self.failed_alarm_ms.take())
    }

    /// Puts an alarm back whose handler failed: it is gone for good only when the handler has succeeded (workerd
    /// actor-sqlite). Its retry is nobody's timer but the one of whoever ran it.
    pub fn put_back_alarm(&mut self, alarm_ms: Option<u64>) {
        self.failed_alarm_ms = alarm_ms;
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
    /// transaction goes on across turns, and the implicit one with it.
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
        // Not just emptied: an idle object is to cost little.
        self.undo = Vec::new();
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
        for undo in self.undo.drain(length..).rev() {
            match undo {
                Undo::Key(key, old) => {
                    if let Some(value) = &old {
                        self.value_bytes += (key.len() + value.len()) as u64;
                    }
                    let current = match old {
                        Some(value) => self.values.insert(key.clone(), value),
                        None => self.values.remove(&key),
                    };
                    if let Some(value) = current {
                        self.value_bytes -= (key.len() + value.len()) as u64;
                    }
                }
                Undo::Alarm {
                    pending_ms,
                    failed_ms,
                } => {
                    self.alarm_ms = pending_ms;
                    self.failed_alarm_ms = failed_ms;
                    self.alarm_epoch = self.alarm_epoch.wrapping_add(1);
                }
            }
        }
    }

    fn wrote(&mut self) {
        self.dirty = true;
        self.written = true;
    }

    fn forget_bytes(&mut self, key: &str, old: Option<&Bytes>) {
        if let Some(old) = old {
            self.value_bytes -= (key.len() + old.len()) as u64;
        }
    }
}

//! An object's storage, as its own code calls it, and the commit at the end of each turn.

use crate::bill::usage::Meter;
use crate::exception::Exception;
use crate::kernel::time::nanos;
use crate::limits;
use crate::platform::durable::ObjectRef;
use crate::platform::durable::storage::{ListOptions, Rows, Savepoint, Storage};
use crate::sql;
use crate::world::{Operation, World};
use bytes::Bytes;

impl World {
    /// Reads a value.
    ///
    /// # Errors
    /// The calling instance has ended.
    pub fn storage_get(&self, object: ObjectRef, key: &str) -> Result<Option<Bytes>, Exception> {
        self.read(object, |storage| storage.get(key))
    }

    /// Lists keys and values.
    ///
    /// # Errors
    /// The calling instance has ended.
    pub fn storage_list(
        &self,
        object: ObjectRef,
        options: &ListOptions,
    ) -> Result<Vec<(Box<str>, Bytes)>, Exception> {
        self.read(object, |storage| storage.list(options))
    }

    /// Writes a value.
    ///
    /// # Errors
    /// Too large, the storage is full, or the calling instance has ended.
    pub fn storage_put(&self, object: ObjectRef, key: &str, value: Bytes) -> Result<(), Exception> {
        self.room(object)?;
        self.write(object, |storage| {
            storage.put(key, value).map(|rows| ((), rows))
        })
    }

    /// Whether a value may be written.
    ///
    /// # Errors
    /// Too large.
    pub fn storage_check(&self, key: &str, value: &Bytes) -> Result<(), Exception> {
        Storage::check(key, value)
    }

    /// Deletes a key; whether it was there.
    ///
    /// # Errors
    /// The calling instance has ended.
    pub fn storage_delete(&self, object: ObjectRef, key: &str) -> Result<bool, Exception> {
        self.write(object, |storage| Ok(storage.delete(key)))
    }

    /// Deletes everything but the alarm.
    ///
    /// # Errors
    /// Inside a transaction, or the calling instance has ended.
    pub fn storage_delete_all(&self, object: ObjectRef) -> Result<(), Exception> {
        self.write(object, |storage| {
            let rows = storage.delete_all()?;
            if self.0.delete_all_deletes_alarm {
                storage.set_alarm(None);
            }
            Ok(((), rows))
        })
    }

    /// Runs SQL.
    ///
    /// # Errors
    /// SQLite's, the storage is full, or the calling instance has ended.
    pub fn storage_sql(
        &self,
        object: ObjectRef,
        statements: &str,
        parameters: &[sql::Value],
    ) -> Result<sql::Outcome, Exception> {
        let now = i64::try_from(self.now().unix_ms()).expect("virtual time ends in 2554");
        sql::set_clock_unix_ms(now);
        let seed = self.seed() ^ self.with_object(object, |object| object.id.short());
        let full = self.room(object).err();
        self.write(object, |storage| {
            let broken = |failure: edgeproof_sqlite::SqlError| Exception::error(failure.message);
            let Some(full) = full.filter(|_| !only_deletes(statements)) else {
                let (result, rows) = storage.execute(seed, statements, parameters);
                return Ok((result.map_err(broken), rows));
            };
            // Only SQLite knows which statements write: they run, and what they wrote is undone.
            let savepoint = storage.savepoint().map_err(broken)?;
            let (result, mut rows) = storage.execute(seed, statements, parameters);
            let wrote = std::mem::take(&mut rows.written) > 0;
            storage.end_savepoint(savepoint, !wrote).map_err(broken)?;
            let result = result.map_err(broken);
            Ok((if wrote { Err(full) } else { result }, rows))
        })?
    }

    /// Size of the object's database in bytes.
    ///
    /// # Errors
    /// The calling instance has ended.
    pub fn storage_database_bytes(&self, object: ObjectRef) -> Result<u64, Exception> {
        self.read(object, |storage| {
            (storage.database_bytes(), Rows::default())
        })
    }

    /// Waits until everything written so far is durable.
    pub fn storage_sync(&self, object: ObjectRef) -> Operation<Result<(), Exception>> {
        let world = self.handle();
        Operation::new(async move {
            let durable_at = world.read(object, |storage| (storage.durable_at, Rows::default()))?;
            if durable_at > world.now() {
                world
                    .sleep_until(durable_at, "object.sync", u64::from(object.index))
                    .await;
            }
            world.deliver().await;
            Ok(())
        })
    }

    /// The alarm, in milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// The calling instance has ended.
    pub fn storage_alarm(&self, object: ObjectRef) -> Result<Option<u64>, Exception> {
        self.read(object, |storage| {
            (
                storage.alarm().visible_ms(),
                Rows {
                    read: 1,
                    written: 0,
                },
            )
        })
    }

    /// Sets or deletes the alarm.
    ///
    /// # Errors
    /// A time of 0, the storage is full, or the calling instance has ended.
    pub fn storage_set_alarm(
        &self,
        object: ObjectRef,
        alarm_ms: Option<u64>,
    ) -> Result<(), Exception> {
        if alarm_ms == Some(0) {
            return Err(Exception::type_error(
                limits::durable::ALARM_TIME_NOT_POSITIVE,
            ));
        }
        if alarm_ms.is_some() {
            self.room(object)?;
        }
        self.write(object, |storage| Ok(((), storage.set_alarm(alarm_ms))))?;
        if alarm_ms.is_some() {
            self.arm_alarm(object.class, object.index);
        }
        Ok(())
    }

    /// Whether an object may store more.
    fn room(&self, object: ObjectRef) -> Result<(), Exception> {
        let faults = self.0.faults.borrow();
        if faults.is_empty() {
            return Ok(());
        }
        let classes = self.0.classes.borrow();
        if faults.object_storage_full(self.now(), &classes[usize::from(object.class)].name) {
            return Err(Exception::error(limits::durable::DATABASE_FULL));
        }
        Ok(())
    }

    pub(super) fn savepoint(&self, object: ObjectRef) -> Result<Savepoint, Exception> {
        let opened = self.read(object, |storage| (storage.savepoint(), Rows::default()))?;
        opened.map_err(|failure| Exception::error(failure.message))
    }

    pub(super) fn end_savepoint(
        &self,
        object: ObjectRef,
        savepoint: Savepoint,
        keep: bool,
    ) -> Result<(), Exception> {
        let durable_at = self.now().after(nanos(self.0.options.object_commit));
        let ended = self.write(object, |storage| {
            let ended = storage.end_savepoint(savepoint, keep);
            if storage.savepoints() == 0 && storage.has_written() {
                // Until now nothing of the transaction was committed.
                storage.durable_at = durable_at;
            }
            Ok((ended, Rows::default()))
        })?;
        ended.map_err(|failure| Exception::error(failure.message))
    }

    fn read<T>(
        &self,
        object: ObjectRef,
        act: impl FnOnce(&mut Storage) -> (T, Rows),
    ) -> Result<T, Exception> {
        self.write(object, |storage| Ok(act(storage)))
    }

    /// Acts on an object's storage, bills the rows, and notes the object for the commit at the end of the turn.
    fn write<T>(
        &self,
        object: ObjectRef,
        act: impl FnOnce(&mut Storage) -> Result<(T, Rows), Exception>,
    ) -> Result<T, Exception> {
        let durable_at = self.now().after(nanos(self.0.options.object_commit));
        let (value, rows, newly_dirty) = self.with_object(object, |entry| {
            if !entry.is_live(object.generation) {
                return Err(Exception::error(limits::durable::STORAGE_GONE));
            }
            let storage = &mut entry.storage;
            let was_dirty = storage.is_dirty();
            let result = act(storage);
            if result.as_ref().is_ok_and(|(_, rows)| rows.written > 0) {
                storage.durable_at = durable_at;
            }
            // An explicit transaction that ends in a later turn is committed with that turn.
            let newly_dirty = storage.is_dirty() && (!was_dirty || storage.savepoints() == 0);
            result.map(|(value, rows)| (value, rows, newly_dirty))
        })?;
        if rows.read > 0 {
            self.count(Meter::ObjectRowsRead, rows.read);
        }
        if rows.written > 0 {
            self.count(Meter::ObjectRowsWritten, rows.written);
        }
        if newly_dirty {
            let mut dirty = self.0.dirty.borrow_mut();
            let place = (object.class, object.index);
            if dirty.last() != Some(&place) {
                dirty.push(place);
            }
        }
        Ok(value)
    }

    /// Ends the turn: everything that objects wrote in it is committed, or, if it cannot be, undone with its object.
    /// True when that woke a task.
    pub(in crate::world) fn commit_turn(&self) -> bool {
        if self.0.dirty.borrow().is_empty() {
            return false;
        }
        self.0.object_commits.update(|commits| commits + 1);
        let dirty = std::mem::take(&mut *self.0.dirty.borrow_mut());
        let mut failed = Vec::new();
        for &(class, index) in &dirty {
            let failing = {
                let faults = self.0.faults.borrow();
                let classes = self.0.classes.borrow();
                !faults.is_empty()
                    && faults.object_storage_failing(self.now(), &classes[usize::from(class)].name)
            };
            let committed = self.with(class, index, |object| {
                if failing && object.storage.has_written() && object.storage.savepoints() == 0 {
                    return Err(limits::durable::RESET_STORAGE_TIMEOUT.to_owned());
                }
                object.storage.commit().map_err(|failure| failure.message)
            });
            if let Err(reason) = committed {
                failed.push((class, index, reason));
            }
        }
        // The emptied list is put back, so that the next turn fills it without allocating.
        let mut dirty = dirty;
        dirty.clear();
        *self.0.dirty.borrow_mut() = dirty;
        for (class, index, reason) in &failed {
            self.reset_object(*class, *index, reason);
        }
        !failed.is_empty()
    }
}

/// Whether each statement begins with DELETE. A semicolon inside a string splits a statement in two, and then the answer
/// is no.
fn only_deletes(statements: &str) -> bool {
    let mut statements = statements
        .split(';')
        .map(str::trim)
        .filter(|text| !text.is_empty());
    statements.all(|text| {
        text.get(..6)
            .is_some_and(|verb| verb.eq_ignore_ascii_case("delete"))
    })
}

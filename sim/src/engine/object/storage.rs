//! An object's storage, as its own code calls it, and the commit at the end of each turn.

use crate::bill::usage::Meter;
use crate::engine::record::{Begun, failed};
use crate::engine::{Engine, Operation, digest};
use crate::exception::Exception;
use crate::history::{Op, Outcome, StorageCall};
use crate::kernel::fingerprint::Fingerprint;
use crate::kernel::time::nanos;
use crate::limits;
use crate::name;
use crate::platform::durable::ObjectRef;
use crate::platform::durable::storage::{ListOptions, Rows, Savepoint, Storage};
use crate::sql;
use bytes::Bytes;

impl Engine {
    /// Reads a value.
    ///
    /// # Errors
    /// The calling instance has ended.
    pub(crate) fn storage_get(
        &self,
        object: ObjectRef,
        key: &str,
    ) -> Result<Option<Bytes>, Exception> {
        let begun = self.begin_storage(object, || StorageCall::Get {
            key: key.to_owned(),
        });
        let read = self.read(object, |storage| {
            let (value, rows) = storage.get(key);
            ((value, rows), rows)
        });
        self.mix(name!("storage.get"), |fingerprint| {
            fingerprint.mix_bytes(key.as_bytes());
            match &read {
                Ok((value, _)) => digest::optional(fingerprint, value.as_deref()),
                Err(exception) => fingerprint.mix_bytes(exception.message.as_bytes()),
            }
        });
        self.finish_storage(begun, &read, |(value, rows)| Outcome::Stored {
            value: value.as_deref().map(Fingerprint::of),
            entries: Vec::new(),
            rows: None,
            rows_read: rows.read,
            rows_written: rows.written,
        });
        read.map(|(value, _)| value)
    }

    /// Lists keys and values.
    ///
    /// # Errors
    /// The calling instance has ended.
    pub(crate) fn storage_list(
        &self,
        object: ObjectRef,
        options: &ListOptions,
    ) -> Result<Vec<(Box<str>, Bytes)>, Exception> {
        let begun = self.begin_storage(object, || StorageCall::List {
            prefix: options.prefix.clone().unwrap_or_default(),
        });
        let read = self.read(object, |storage| {
            let (entries, rows) = storage.list(options);
            ((entries, rows), rows)
        });
        self.mix(name!("storage.list"), |fingerprint| {
            digest::list_options(fingerprint, options);
            match &read {
                Ok((entries, _)) => {
                    fingerprint.mix(entries.len() as u64);
                    for (key, value) in entries {
                        fingerprint.mix_bytes(key.as_bytes());
                        fingerprint.mix_bytes(value);
                    }
                }
                Err(exception) => fingerprint.mix_bytes(exception.message.as_bytes()),
            }
        });
        self.finish_storage(begun, &read, |(entries, rows)| {
            let entries = entries.iter();
            Outcome::Stored {
                value: None,
                entries: entries
                    .map(|(key, value)| (key.to_string(), Fingerprint::of(value)))
                    .collect(),
                rows: None,
                rows_read: rows.read,
                rows_written: rows.written,
            }
        });
        read.map(|(entries, _)| entries)
    }

    /// Writes a value.
    ///
    /// # Errors
    /// Too large, the storage is full, or the calling instance has ended.
    pub(crate) fn storage_put(
        &self,
        object: ObjectRef,
        key: &str,
        value: Bytes,
    ) -> Result<(), Exception> {
        let digest = Fingerprint::of(&value);
        let begun = self.begin_storage(object, || StorageCall::Put {
            key: key.to_owned(),
            bytes: value.len() as u64,
            value_digest: digest,
        });
        let written = self.room(object).and_then(|()| {
            self.write(object, |storage| {
                storage.put(key, value).map(|rows| (rows, rows))
            })
        });
        self.mix(name!("storage.put"), |fingerprint| {
            fingerprint.mix_bytes(key.as_bytes());
            fingerprint.mix(digest.value());
            digest::failure(fingerprint, &written);
        });
        self.finish_rows(begun, &written);
        written.map(drop)
    }

    /// Whether a value may be written.
    ///
    /// # Errors
    /// Too large.
    pub(crate) fn storage_check(&self, key: &str, value: &Bytes) -> Result<(), Exception> {
        Storage::check(key, value)
    }

    /// Deletes a key; returns whether it was there.
    ///
    /// # Errors
    /// The calling instance has ended.
    pub(crate) fn storage_delete(&self, object: ObjectRef, key: &str) -> Result<bool, Exception> {
        let begun = self.begin_storage(object, || StorageCall::Delete {
            key: key.to_owned(),
        });
        let written = self.write(object, |storage| {
            let (_, rows) = storage.delete(key);
            Ok((rows, rows))
        });
        self.mix(name!("storage.delete"), |fingerprint| {
            fingerprint.mix_bytes(key.as_bytes());
            fingerprint.mix(written.as_ref().map_or(2, |rows| rows.written));
            digest::failure(fingerprint, &written);
        });
        self.finish_rows(begun, &written);
        written.map(|rows| rows.written > 0)
    }

    /// Deletes everything but the alarm.
    ///
    /// # Errors
    /// Inside a transaction, or the calling instance has ended.
    pub(crate) fn storage_delete_all(&self, object: ObjectRef) -> Result<(), Exception> {
        let begun = self.begin_storage(object, || StorageCall::DeleteAll);
        let deployments = &self.0.deployments;
        let deployment = deployments.get(deployments.class(object.class).deployment);
        let written = self.write(object, |storage| {
            let rows = storage.delete_all()?;
            if deployment.delete_all_deletes_alarm {
                storage.set_alarm(None);
            }
            Ok((rows, rows))
        });
        self.mix(name!("storage.delete_all"), |fingerprint| {
            fingerprint.mix(written.as_ref().map_or(u64::MAX, |rows| rows.written));
            digest::failure(fingerprint, &written);
        });
        self.finish_rows(begun, &written);
        written.map(drop)
    }

    /// Runs SQL.
    ///
    /// # Errors
    /// SQLite's, the storage is full, or the calling instance has ended.
    pub(crate) fn storage_sql(
        &self,
        object: ObjectRef,
        statements: &str,
        parameters: &[sql::Value],
    ) -> Result<sql::Outcome, Exception> {
        let begun = self.begin_storage(object, || StorageCall::Sql {
            call: digest::sql_call(statements, parameters),
        });
        let result = self.run_sql(object, statements, parameters);
        self.mix(name!("storage.sql"), |fingerprint| {
            fingerprint.mix_bytes(statements.as_bytes());
            digest::values(fingerprint, parameters);
            match &result {
                Ok((outcome, _)) => digest::outcome(fingerprint, outcome),
                Err(exception) => fingerprint.mix_bytes(exception.message.as_bytes()),
            }
        });
        self.finish_storage(begun, &result, |(outcome, rows)| Outcome::Stored {
            value: None,
            entries: Vec::new(),
            rows: Some(digest::sql_rows(outcome)),
            rows_read: rows.read,
            rows_written: rows.written,
        });
        result.map(|(outcome, _)| outcome)
    }

    fn run_sql(
        &self,
        object: ObjectRef,
        statements: &str,
        parameters: &[sql::Value],
    ) -> Result<(sql::Outcome, Rows), Exception> {
        let now = i64::try_from(self.now().unix_ms()).expect("virtual time ends in 2554");
        sql::set_clock_unix_ms(now);
        let seed = self.0.settings.seed ^ self.with_object(object, |object| object.id.short());
        let full = self.room(object).err();
        self.write(object, |storage| {
            let broken = |failure: edgeproof_sqlite::SqlError| Exception::error(failure.message);
            let Some(full) = full.filter(|_| !only_deletes(statements)) else {
                let (result, rows) = storage.execute(seed, statements, parameters);
                let result = result.map(|outcome| (outcome, rows)).map_err(broken);
                return Ok((result, rows));
            };
            // Only SQLite knows which statements write: they run, and their writes are undone.
            let savepoint = storage.savepoint().map_err(broken)?;
            let (result, mut rows) = storage.execute(seed, statements, parameters);
            let wrote = std::mem::take(&mut rows.written) > 0;
            storage.end_savepoint(savepoint, !wrote).map_err(broken)?;
            let result = result.map(|outcome| (outcome, rows)).map_err(broken);
            Ok((if wrote { Err(full) } else { result }, rows))
        })?
    }

    /// Size of the object's database in bytes.
    ///
    /// # Errors
    /// The calling instance has ended.
    pub(crate) fn storage_database_bytes(&self, object: ObjectRef) -> Result<u64, Exception> {
        self.read(object, |storage| {
            (storage.database_bytes(), Rows::default())
        })
    }

    /// Waits until everything written so far is durable.
    pub(crate) fn storage_sync(&self, object: ObjectRef) -> Operation<Result<(), Exception>> {
        let engine = self.clone();
        Operation::new(async move {
            let durable_at =
                engine.read(object, |storage| (storage.durable_at, Rows::default()))?;
            if durable_at > engine.now() {
                engine
                    .sleep_until(durable_at, name!("object.sync"), u64::from(object.index))
                    .await;
            }
            engine.deliver().await;
            Ok(())
        })
    }

    /// The alarm, in milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// The calling instance has ended.
    pub(crate) fn storage_alarm(&self, object: ObjectRef) -> Result<Option<u64>, Exception> {
        let begun = self.begin_storage(object, || StorageCall::GetAlarm);
        let read = self.read(object, |storage| {
            let rows = Rows {
                read: 1,
                written: 0,
            };
            (storage.alarm().visible_ms(), rows)
        });
        self.mix(name!("storage.get_alarm"), |fingerprint| {
            fingerprint.mix(read.as_ref().map_or(1, |alarm_ms| alarm_ms.unwrap_or(0)));
        });
        self.finish_storage(begun, &read, |alarm_ms| Outcome::Stored {
            value: alarm_ms.map(|alarm_ms| Fingerprint::of(&alarm_ms.to_le_bytes())),
            entries: Vec::new(),
            rows: None,
            rows_read: 1,
            rows_written: 0,
        });
        read
    }

    /// Sets or deletes the alarm.
    ///
    /// # Errors
    /// A time of 0, the storage is full, or the calling instance has ended.
    pub(crate) fn storage_set_alarm(
        &self,
        object: ObjectRef,
        alarm_ms: Option<u64>,
    ) -> Result<(), Exception> {
        let begun = self.begin_storage(object, || StorageCall::SetAlarm { alarm_ms });
        let written = self.write_alarm(object, alarm_ms);
        self.mix(name!("storage.set_alarm"), |fingerprint| {
            fingerprint.mix(alarm_ms.map_or(0, |alarm_ms| alarm_ms << 1 | 1));
            digest::failure(fingerprint, &written);
        });
        self.finish_rows(begun, &written);
        written?;
        if alarm_ms.is_some() {
            self.alarm_set_by(object.class, object.index, begun);
            self.arm_alarm(object.class, object.index);
        }
        Ok(())
    }

    fn write_alarm(&self, object: ObjectRef, alarm_ms: Option<u64>) -> Result<Rows, Exception> {
        if alarm_ms == Some(0) {
            return Err(Exception::type_error(
                limits::durable::ALARM_TIME_NOT_POSITIVE,
            ));
        }
        if alarm_ms.is_some() {
            self.room(object)?;
        }
        self.write(object, |storage| {
            let rows = storage.set_alarm(alarm_ms);
            Ok((rows, rows))
        })
    }

    /// Begins the record of a call of an object's storage.
    fn begin_storage(&self, object: ObjectRef, call: impl FnOnce() -> StorageCall) -> Begun {
        self.begin(|| {
            let (class, id) = self.object_name(object.class, object.index);
            let call = call();
            Op::Storage { class, id, call }
        })
    }

    fn finish_storage<T>(
        &self,
        begun: Begun,
        result: &Result<T, Exception>,
        outcome: impl FnOnce(&T) -> Outcome,
    ) {
        self.finish(begun, || result.as_ref().map_or_else(failed, outcome));
    }

    /// Ends the record of a call that returns nothing.
    fn finish_rows(&self, begun: Begun, result: &Result<Rows, Exception>) {
        self.finish_storage(begun, result, |rows| Outcome::Stored {
            value: None,
            entries: Vec::new(),
            rows: None,
            rows_read: rows.read,
            rows_written: rows.written,
        });
    }

    /// Whether an object may store more.
    fn room(&self, object: ObjectRef) -> Result<(), Exception> {
        let faults = self.0.faults.borrow();
        if faults.is_empty() {
            return Ok(());
        }
        if faults.object_storage_full(self.now(), object.class) {
            return Err(Exception::error(limits::durable::DATABASE_FULL));
        }
        Ok(())
    }

    pub(super) fn savepoint(&self, object: ObjectRef) -> Result<Savepoint, Exception> {
        let begun = self.begin_storage(object, || StorageCall::Begin);
        self.finish(begun, || Outcome::Done);
        let opened = self.read(object, |storage| (storage.savepoint(), Rows::default()))?;
        opened.map_err(|failure| Exception::error(failure.message))
    }

    pub(super) fn end_savepoint(
        &self,
        object: ObjectRef,
        savepoint: Savepoint,
        keep: bool,
    ) -> Result<(), Exception> {
        let begun = self.begin_storage(object, || StorageCall::End { keep });
        self.finish(begun, || Outcome::Done);
        self.mix(name!("storage.end"), |fingerprint| {
            fingerprint.mix(u64::from(keep));
        });
        let durable_at = self.now().after(nanos(self.options().object_commit));
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
        let durable_at = self.now().after(nanos(self.options().object_commit));
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
    pub(crate) fn commit_turn(&self) -> bool {
        if self.0.dirty.borrow().is_empty() {
            return false;
        }
        self.0.object_commits.update(|commits| commits + 1);
        let dirty = std::mem::take(&mut *self.0.dirty.borrow_mut());
        let mut failed = Vec::new();
        for &(class, index) in &dirty {
            let failing = {
                let faults = self.0.faults.borrow();
                !faults.is_empty() && faults.object_storage_failing(self.now(), class)
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
            self.reset_object(*class, *index, reason, None);
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

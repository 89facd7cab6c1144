//! An object's own storage. Every call fails once the instance that makes it is gone.

use super::{Bindings, Operation};
use crate::exception::Exception;
use crate::platform::durable::ObjectRef;
use crate::platform::durable::storage::ListOptions;
use crate::sql;
use bytes::Bytes;

impl Bindings {
    /// Reads a value.
    ///
    /// # Errors
    /// The instance that asks is gone.
    pub fn storage_get(&self, object: ObjectRef, key: &str) -> Result<Option<Bytes>, Exception> {
        self.0.storage_get(object, key)
    }

    /// Lists keys and values.
    ///
    /// # Errors
    /// The instance that asks is gone.
    pub fn storage_list(
        &self,
        object: ObjectRef,
        options: &ListOptions,
    ) -> Result<Vec<(Box<str>, Bytes)>, Exception> {
        self.0.storage_list(object, options)
    }

    /// Writes a value.
    ///
    /// # Errors
    /// Too large, the storage is full, or the instance that asks is gone.
    pub fn storage_put(&self, object: ObjectRef, key: &str, value: Bytes) -> Result<(), Exception> {
        self.0.storage_put(object, key, value)
    }

    /// Whether a value may be written.
    ///
    /// # Errors
    /// Too large.
    pub fn storage_check(&self, key: &str, value: &Bytes) -> Result<(), Exception> {
        self.0.storage_check(key, value)
    }

    /// Deletes a key; returns whether it was there.
    ///
    /// # Errors
    /// The instance that asks is gone.
    pub fn storage_delete(&self, object: ObjectRef, key: &str) -> Result<bool, Exception> {
        self.0.storage_delete(object, key)
    }

    /// Deletes everything; the alarm too, if the Worker's compatibility date says so.
    ///
    /// # Errors
    /// Inside a transaction, or the instance that asks is gone.
    pub fn storage_delete_all(&self, object: ObjectRef) -> Result<(), Exception> {
        self.0.storage_delete_all(object)
    }

    /// Runs SQL.
    ///
    /// # Errors
    /// SQLite's, the storage is full, or the instance that asks is gone.
    pub fn storage_sql(
        &self,
        object: ObjectRef,
        statements: &str,
        parameters: &[sql::Value],
    ) -> Result<sql::Outcome, Exception> {
        self.0.storage_sql(object, statements, parameters)
    }

    /// Size of the object's database in bytes.
    ///
    /// # Errors
    /// The instance that asks is gone.
    pub fn storage_database_bytes(&self, object: ObjectRef) -> Result<u64, Exception> {
        self.0.storage_database_bytes(object)
    }

    /// Waits until everything written so far is durable.
    pub fn storage_sync(&self, object: ObjectRef) -> Operation<Result<(), Exception>> {
        self.0.storage_sync(object)
    }

    /// The alarm, in milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// The instance that asks is gone.
    pub fn storage_alarm(&self, object: ObjectRef) -> Result<Option<u64>, Exception> {
        self.0.storage_alarm(object)
    }

    /// Sets or deletes the alarm, in milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// A time of 0, the storage is full, or the instance that asks is gone.
    pub fn storage_set_alarm(
        &self,
        object: ObjectRef,
        alarm_ms: Option<u64>,
    ) -> Result<(), Exception> {
        self.0.storage_set_alarm(object, alarm_ms)
    }
}

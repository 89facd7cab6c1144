//! [`Storage`]: what an object stores.

use super::alarm::{GetAlarmOptions, ScheduledTime, SetAlarmOptions, confirmed};
use super::list::ListOptions;
use super::transaction::Transaction;
use super::values;
use crate::Result;
use crate::js::{exception, thrown};
use crate::js_sys::{Map, Object};
use crate::sql::SqlStorage;
use crate::wasm_bindgen::JsValue;
use edgeproof_sim::Bindings;
use edgeproof_sim::exception::Exception;
use edgeproof_sim::host::CriticalSection;
use edgeproof_sim::platform::durable::ObjectRef;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::cell::RefCell;
use std::fmt;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What an object stores: keys and values, a SQL database, an alarm.
pub struct Storage {
    object: ObjectRef,
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Storage").finish()
    }
}

impl Storage {
    pub(super) fn new(object: ObjectRef) -> Self {
        Self { object }
    }

    /// The value of a key.
    ///
    /// # Errors
    /// The value has another shape, or the instance was reset.
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        let value = values::get(self.object, key)?;
        if value.is_undefined() {
            return Ok(None);
        }
        serde_wasm_bindgen::from_value(value)
            .map_err(|error| JsValue::from(error.to_string()).into())
    }

    /// The values of many keys; missing keys are left out.
    ///
    /// # Errors
    /// The instance was reset.
    pub async fn get_multiple(&self, keys: Vec<impl Deref<Target = str>>) -> Result<Map> {
        values::get_multiple(self.object, keys)
    }

    /// Writes a value.
    ///
    /// # Errors
    /// The value cannot be cloned or is too large, or the instance was reset.
    pub async fn put<T: Serialize>(&self, key: &str, value: T) -> Result<()> {
        values::put(self.object, key, &serde_wasm_bindgen::to_value(&value)?)
    }

    /// Writes a JavaScript value.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub async fn put_raw(&self, key: &str, value: impl Into<JsValue>) -> Result<()> {
        values::put(self.object, key, &value.into())
    }

    /// Writes every field of a struct as a key.
    ///
    /// # Errors
    /// As [`put`](Self::put); the value is not a struct.
    pub async fn put_multiple<T: Serialize>(&self, values: T) -> Result<()> {
        values::put_fields(self.object, &values)
    }

    /// Writes every property of an object as a key.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub async fn put_multiple_raw(&self, values: Object) -> Result<()> {
        values::put_multiple(self.object, &values)
    }

    /// Deletes a key. Gives whether it was there.
    ///
    /// # Errors
    /// The instance was reset.
    pub async fn delete(&self, key: &str) -> Result<bool> {
        values::delete(self.object, key)
    }

    /// Deletes keys. Gives how many were there.
    ///
    /// # Errors
    /// The instance was reset.
    pub async fn delete_multiple(&self, keys: Vec<impl Deref<Target = str>>) -> Result<usize> {
        values::delete_multiple(self.object, &keys)
    }

    /// Deletes everything but the alarm.
    ///
    /// # Errors
    /// A transaction is open, or the instance was reset.
    pub async fn delete_all(&self) -> Result<()> {
        values::delete_all(self.object)
    }

    /// All keys and values.
    ///
    /// # Errors
    /// The instance was reset.
    pub async fn list(&self) -> Result<Map> {
        values::list(self.object, &ListOptions::new())
    }

    /// The keys and values that the options select.
    ///
    /// # Errors
    /// The limit is 0, or the instance was reset.
    pub async fn list_with_options(&self, opts: ListOptions<'_>) -> Result<Map> {
        values::list(self.object, &opts)
    }

    /// The alarm, in milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// The instance was reset.
    pub async fn get_alarm(&self) -> Result<Option<i64>> {
        let alarm = Bindings::current()
            .storage_alarm(self.object)
            .map_err(thrown)?;
        Ok(alarm.and_then(|ms| i64::try_from(ms).ok()))
    }

    /// The alarm, in milliseconds since the Unix epoch. The options change nothing: reads never block here.
    ///
    /// # Errors
    /// The instance was reset.
    pub async fn get_alarm_with_options(&self, options: GetAlarmOptions) -> Result<Option<i64>> {
        let _ = options;
        self.get_alarm().await
    }

    /// Sets the alarm.
    ///
    /// # Errors
    /// The time is 1970 or earlier, or the instance was reset.
    pub async fn set_alarm(&self, scheduled_time: impl Into<ScheduledTime>) -> Result<()> {
        let at_ms = scheduled_time.into().unix_ms();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "times before 1970 become 0 and are refused"
        )]
        let at_ms = at_ms.max(0.0) as u64;
        Bindings::current()
            .storage_set_alarm(self.object, Some(at_ms))
            .map_err(|failure| thrown(failure).into())
    }

    /// Sets the alarm.
    ///
    /// # Errors
    /// As [`set_alarm`](Self::set_alarm); `allow_unconfirmed` is set, which is not simulated.
    pub async fn set_alarm_with_options(
        &self,
        scheduled_time: impl Into<ScheduledTime>,
        options: SetAlarmOptions,
    ) -> Result<()> {
        confirmed(&options)?;
        self.set_alarm(scheduled_time).await
    }

    /// Deletes the alarm.
    ///
    /// # Errors
    /// The instance was reset.
    pub async fn delete_alarm(&self) -> Result<()> {
        Bindings::current()
            .storage_set_alarm(self.object, None)
            .map_err(|failure| thrown(failure).into())
    }

    /// Deletes the alarm.
    ///
    /// # Errors
    /// As [`delete_alarm`](Self::delete_alarm); `allow_unconfirmed` is set, which is not simulated.
    pub async fn delete_alarm_with_options(&self, options: SetAlarmOptions) -> Result<()> {
        confirmed(&options)?;
        self.delete_alarm().await
    }

    /// Runs `closure` as one transaction, while no other event is delivered; an error undoes what it wrote.
    ///
    /// # Errors
    /// What `closure` failed with.
    pub async fn transaction<F, Fut>(&self, closure: F) -> Result<()>
    where
        F: FnOnce(Transaction) -> Fut + 'static,
        Fut: Future<Output = Result<()>> + 'static,
    {
        let (transaction, rolled_back) = Transaction::begin(self.object);
        let asked = Arc::clone(&rolled_back);
        // What the closure failed with comes back as JavaScript throws it; the storage only has to see that it failed.
        let own = Rc::new(RefCell::new(None));
        let failed = Rc::clone(&own);
        let section = Box::pin(async move {
            if let Err(error) = closure(transaction).await {
                let failure = exception(&error);
                failed.replace(Some(error));
                return Err(failure);
            }
            // A rollback that the Worker asked for is no failure, but the storage undoes only what failed.
            if asked.load(Ordering::Relaxed) {
                Err(Exception::error("rolled back"))
            } else {
                Ok(())
            }
        });
        let done = Bindings::current()
            .critical_section(self.object, CriticalSection::Transaction, section)
            .await;
        match done {
            Err(failure) => match own.take() {
                Some(error) => Err(JsValue::from(error).into()),
                None if rolled_back.load(Ordering::Relaxed) => Ok(()),
                None => Err(thrown(failure).into()),
            },
            Ok(()) => Ok(()),
        }
    }

    /// The object's SQL database.
    pub fn sql(&self) -> SqlStorage {
        SqlStorage::new(self.object)
    }

    /// Waits until everything written so far is durable.
    ///
    /// # Errors
    /// The instance was reset.
    pub async fn sync(&self) -> Result<()> {
        Bindings::current()
            .storage_sync(self.object)
            .await
            .map_err(|failure| thrown(failure).into())
    }
}

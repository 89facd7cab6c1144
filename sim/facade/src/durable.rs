//! Durable Objects: namespaces, ids and stubs for callers; state, storage and alarms for the objects themselves.

use crate::js::{exception, thrown};
use crate::js_sys::{Map, Object};
use crate::sql::SqlStorage;
use crate::wasm_bindgen::{JsCast, JsValue};
use crate::{Date, Env, Error, Request, Response, Result, js_sys};
use chrono::{DateTime, Utc};
use edgeproof_sim::World;
use edgeproof_sim::exception::Exception;
use edgeproof_sim::platform::durable::storage::ListOptions as RawListOptions;
use edgeproof_sim::platform::durable::{ObjectId as RawId, ObjectRef};
use edgeproof_sim::topology::LocationHint;
use edgeproof_sim::world::{CriticalSection, StubState};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use url::Url;
use worker_native_js::{clone, serde_wasm_bindgen};

/// A way to one object.
#[derive(Debug)]
pub struct Stub {
    state: Arc<StubState>,
}

impl Stub {
    /// Calls the object's `fetch`.
    ///
    /// # Errors
    /// The object cannot be reached, is overloaded, was reset, or threw.
    pub async fn fetch_with_request(&self, req: Request) -> Result<Response> {
        let answer = World::current()
            .object_call(Arc::clone(&self.state), req.to_raw()?)
            .await
            .map_err(thrown)?;
        Ok(Response::from_parts_native(
            answer.status,
            answer.headers,
            answer.body,
        ))
    }

    /// Calls the object's `fetch` with GET.
    ///
    /// # Errors
    /// As [`fetch_with_request`](Self::fetch_with_request); a text that is no URL.
    pub async fn fetch_with_str(&self, url: &str) -> Result<Response> {
        let url =
            Url::parse(url).map_err(|_| crate::js::type_error(&format!("Invalid URL: {url}")))?;
        let request = edgeproof_sim::http::Request::new(http::Method::GET, url);
        let answer = World::current()
            .object_call(Arc::clone(&self.state), request)
            .await
            .map_err(thrown)?;
        Ok(Response::from_parts_native(
            answer.status,
            answer.headers,
            answer.body,
        ))
    }
}

/// The objects of one class.
#[derive(Debug, Clone)]
pub struct ObjectNamespace {
    class: u16,
}

impl ObjectNamespace {
    pub(crate) fn new(class: u16) -> Self {
        Self { class }
    }

    /// The id that always goes with this name.
    ///
    /// # Errors
    /// Never; upstream's signature.
    pub fn id_from_name(&self, name: &str) -> Result<ObjectId<'_>> {
        let id = World::current().object_id_from_name(self.class, name);
        Ok(ObjectId {
            id,
            name: Some(name.into()),
            namespace: Some(self),
        })
    }

    /// Reads an id that was printed.
    ///
    /// # Errors
    /// Not 64 hexadecimal digits, or another namespace's id.
    pub fn id_from_string(&self, hex_id: &str) -> Result<ObjectId<'_>> {
        let id = World::current()
            .object_id_from_string(self.class, hex_id)
            .map_err(thrown)?;
        Ok(ObjectId {
            id,
            name: None,
            namespace: Some(self),
        })
    }

    /// A new random id.
    ///
    /// # Errors
    /// Never; upstream's signature.
    pub fn unique_id(&self) -> Result<ObjectId<'_>> {
        let id = World::current().object_unique_id(self.class);
        Ok(ObjectId {
            id,
            name: None,
            namespace: Some(self),
        })
    }

    /// A stub for the object of this name.
    ///
    /// # Errors
    /// Never; upstream's signature.
    pub fn get_by_name(&self, name: &str) -> Result<Stub> {
        self.id_from_name(name)?.get_stub()
    }

    /// A stub for the object of this name, to be placed where `location_hint` says if it is new.
    ///
    /// # Errors
    /// A hint that is none.
    pub fn get_by_name_with_location_hint(&self, name: &str, location_hint: &str) -> Result<Stub> {
        self.id_from_name(name)?
            .get_stub_with_location_hint(location_hint)
    }
}

/// The id of an object.
#[derive(Debug)]
pub struct ObjectId<'a> {
    id: RawId,
    name: Option<Arc<str>>,
    namespace: Option<&'a ObjectNamespace>,
}

impl ObjectId<'_> {
    /// A stub for this object.
    ///
    /// # Errors
    /// For the id that an object has of itself: it names no namespace.
    pub fn get_stub(&self) -> Result<Stub> {
        self.stub(None)
    }

    /// A stub for this object, to be placed where `location_hint` says if it is new.
    ///
    /// # Errors
    /// As [`get_stub`](Self::get_stub); a hint that is none.
    pub fn get_stub_with_location_hint(&self, location_hint: &str) -> Result<Stub> {
        let hint = LocationHint::from_name(location_hint);
        let hint =
            hint.ok_or_else(|| Error::from(format!("`{location_hint}` is no location hint")))?;
        self.stub(Some(hint))
    }

    fn stub(&self, hint: Option<LocationHint>) -> Result<Stub> {
        let none = || {
            Error::from(JsValue::from_str(
                "Cannot get stub from within a Durable Object",
            ))
        };
        let namespace = self.namespace.ok_or_else(none)?;
        Ok(Stub {
            state: World::current().object_stub(namespace.class, self.id, self.name.clone(), hint),
        })
    }

    /// The name it was made from, if it was made from one.
    pub fn name(&self) -> Option<String> {
        self.name.as_deref().map(str::to_owned)
    }
}

impl PartialEq for ObjectId<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl fmt::Display for ObjectId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id.to_hex())
    }
}

/// What an object is given of itself.
#[derive(Debug)]
pub struct State {
    object: ObjectRef,
}

impl State {
    pub(crate) fn new(object: ObjectRef) -> Self {
        Self { object }
    }

    /// The object's id.
    pub fn id(&self) -> ObjectId<'_> {
        let (id, name) = World::current().object_identity(self.object);
        ObjectId {
            id,
            name: name.map(|name| Arc::from(&*name)),
            namespace: None,
        }
    }

    /// What it stores.
    pub fn storage(&self) -> Storage {
        Storage {
            object: self.object,
        }
    }

    /// Keeps `future` running after the answer was sent; the object stays live meanwhile.
    pub fn wait_until<F>(&self, future: F)
    where
        F: Future<Output = ()> + 'static,
    {
        World::current().wait_until(Box::pin(future));
    }

    /// Runs `future` while no other event is delivered to the object. The gate is closed by the call; the future that is
    /// returned may be dropped.
    ///
    /// # Errors
    /// What `future` failed with; the object is reset then, as it is after 30 seconds.
    pub fn block_concurrency_while<F, T>(&self, future: F) -> impl Future<Output = Result<T>>
    where
        F: Future<Output = Result<T>> + 'static,
        T: 'static,
    {
        let section = Box::pin(async move { future.await.map_err(|error| exception(&error)) });
        let done = World::current().critical_section(
            self.object,
            CriticalSection::BlockConcurrency,
            section,
        );
        async move { done.await.map_err(|failure| thrown(failure).into()) }
    }
}

/// What an object stores: keys and values, a SQL database, an alarm.
pub struct Storage {
    object: ObjectRef,
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Storage").finish()
    }
}

/// Text of a `put` of nothing (observed on workerd).
const UNDEFINED_VALUE: &str = "put() called with undefined value.";

/// The calls that [`Storage`] and [`Transaction`] share.
mod calls {
    use super::*;

    /// A value as `put` wrote it; anything else is damage, and said so.
    fn decoded(bytes: &[u8]) -> Result<JsValue> {
        clone::from_bytes(bytes)
            .map_err(|damage| Error::from(format!("stored value is damaged: {damage}")))
    }

    pub(super) fn get(object: ObjectRef, key: &str) -> Result<JsValue> {
        match World::current().storage_get(object, key).map_err(thrown)? {
            Some(bytes) => decoded(&bytes),
            None => Ok(JsValue::undefined()),
        }
    }

    pub(super) fn get_multiple(
        object: ObjectRef,
        keys: Vec<impl Deref<Target = str>>,
    ) -> Result<Map> {
        let map = Map::new();
        let mut keys: Vec<&str> = keys.iter().map(|key| &**key).collect();
        // The result is in order of the keys (workerd actor-cache).
        keys.sort_unstable();
        for key in keys {
            let value = get(object, key)?;
            if !value.is_undefined() {
                map.set(&JsValue::from_str(key), &value);
            }
        }
        Ok(map)
    }

    fn encoded(value: &JsValue) -> Result<bytes::Bytes> {
        if value.is_undefined() {
            return Err(crate::js::type_error(UNDEFINED_VALUE));
        }
        Ok(clone::to_bytes(value)?.into())
    }

    pub(super) fn put(object: ObjectRef, key: &str, value: &JsValue) -> Result<()> {
        World::current()
            .storage_put(object, key, encoded(value)?)
            .map_err(|failure| thrown(failure).into())
    }

    pub(super) fn put_multiple(object: ObjectRef, values: &Object) -> Result<()> {
        // All or nothing: whatever may be refused is refused before the first is written.
        if values.is_instance_of::<js_sys::Array>() {
            // The platform takes a list for the key of a single value that was not given (observed on workerd).
            return Err(crate::js::type_error(UNDEFINED_VALUE));
        }
        let mut pairs = Vec::new();
        for pair in Object::entries(values).iter() {
            let pair: js_sys::Array = pair.dyn_into().map_err(Error::from)?;
            // Only a single value has to be there; of many, those that are undefined are passed over (observed on workerd).
            if pair.get(1).is_undefined() {
                continue;
            }
            let key = pair.get(0).as_string().unwrap_or_default();
            let bytes = encoded(&pair.get(1))?;
            World::current()
                .storage_check(&key, &bytes)
                .map_err(thrown)?;
            pairs.push((key, bytes));
        }
        for (key, bytes) in pairs {
            World::current()
                .storage_put(object, &key, bytes)
                .map_err(thrown)?;
        }
        Ok(())
    }

    pub(super) fn put_fields<T: Serialize>(object: ObjectRef, values: &T) -> Result<()> {
        let values = serde_wasm_bindgen::to_value(values)?;
        match values.dyn_into::<Object>() {
            Ok(values) => put_multiple(object, &values),
            Err(_) => Err(Error::from("Must pass in a struct type")),
        }
    }

    pub(super) fn delete(object: ObjectRef, key: &str) -> Result<bool> {
        World::current()
            .storage_delete(object, key)
            .map_err(|failure| thrown(failure).into())
    }

    pub(super) fn delete_multiple(
        object: ObjectRef,
        keys: &[impl Deref<Target = str>],
    ) -> Result<usize> {
        let mut deleted = 0;
        for key in keys {
            deleted += usize::from(delete(object, key)?);
        }
        Ok(deleted)
    }

    pub(super) fn delete_all(object: ObjectRef) -> Result<()> {
        World::current()
            .storage_delete_all(object)
            .map_err(|failure| thrown(failure).into())
    }

    pub(super) fn list(object: ObjectRef, options: &ListOptions<'_>) -> Result<Map> {
        if options.limit == Some(0) {
            return Err(crate::js::type_error("List limit must be positive."));
        }
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let options = RawListOptions {
            start: owned(options.start),
            start_after: None,
            end: owned(options.end),
            prefix: owned(options.prefix),
            reverse: options.reverse.unwrap_or(false),
            limit: options.limit,
        };
        let pairs = World::current()
            .storage_list(object, &options)
            .map_err(thrown)?;
        let map = Map::new();
        for (key, value) in pairs {
            map.set(&JsValue::from_str(&key), &decoded(&value)?);
        }
        Ok(map)
    }
}

impl Storage {
    /// The value of a key.
    ///
    /// # Errors
    /// A value of another shape; an instance that was reset.
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        let value = calls::get(self.object, key)?;
        if value.is_undefined() {
            return Ok(None);
        }
        serde_wasm_bindgen::from_value(value)
            .map_err(|error| JsValue::from(error.to_string()).into())
    }

    /// The values of many keys; those that are not there are left out.
    ///
    /// # Errors
    /// An instance that was reset.
    pub async fn get_multiple(&self, keys: Vec<impl Deref<Target = str>>) -> Result<Map> {
        calls::get_multiple(self.object, keys)
    }

    /// Writes a value.
    ///
    /// # Errors
    /// A value that cannot be cloned or is too large; an instance that was reset.
    pub async fn put<T: Serialize>(&self, key: &str, value: T) -> Result<()> {
        calls::put(self.object, key, &serde_wasm_bindgen::to_value(&value)?)
    }

    /// Writes a JavaScript value.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub async fn put_raw(&self, key: &str, value: impl Into<JsValue>) -> Result<()> {
        calls::put(self.object, key, &value.into())
    }

    /// Writes every field of a struct as a key.
    ///
    /// # Errors
    /// As [`put`](Self::put); anything but a struct.
    pub async fn put_multiple<T: Serialize>(&self, values: T) -> Result<()> {
        calls::put_fields(self.object, &values)
    }

    /// Writes every property of an object as a key.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub async fn put_multiple_raw(&self, values: Object) -> Result<()> {
        calls::put_multiple(self.object, &values)
    }

    /// Deletes a key; whether it was there.
    ///
    /// # Errors
    /// An instance that was reset.
    pub async fn delete(&self, key: &str) -> Result<bool> {
        calls::delete(self.object, key)
    }

    /// Deletes keys; how many were there.
    ///
    /// # Errors
    /// An instance that was reset.
    pub async fn delete_multiple(&self, keys: Vec<impl Deref<Target = str>>) -> Result<usize> {
        calls::delete_multiple(self.object, &keys)
    }

    /// Deletes everything but the alarm.
    ///
    /// # Errors
    /// Inside a transaction; an instance that was reset.
    pub async fn delete_all(&self) -> Result<()> {
        calls::delete_all(self.object)
    }

    /// All keys and values.
    ///
    /// # Errors
    /// An instance that was reset.
    pub async fn list(&self) -> Result<Map> {
        calls::list(self.object, &ListOptions::new())
    }

    /// The keys and values that the options want.
    ///
    /// # Errors
    /// A limit of 0; an instance that was reset.
    pub async fn list_with_options(&self, opts: ListOptions<'_>) -> Result<Map> {
        calls::list(self.object, &opts)
    }

    /// The alarm, in milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// An instance that was reset.
    pub async fn get_alarm(&self) -> Result<Option<i64>> {
        let alarm = World::current()
            .storage_alarm(self.object)
            .map_err(thrown)?;
        Ok(alarm.and_then(|ms| i64::try_from(ms).ok()))
    }

    /// The alarm, in milliseconds since the Unix epoch. The options change nothing: reads never block here.
    ///
    /// # Errors
    /// An instance that was reset.
    pub async fn get_alarm_with_options(&self, options: GetAlarmOptions) -> Result<Option<i64>> {
        let _ = options;
        self.get_alarm().await
    }

    /// Sets the alarm.
    ///
    /// # Errors
    /// A time of 0 or before; an instance that was reset.
    pub async fn set_alarm(&self, scheduled_time: impl Into<ScheduledTime>) -> Result<()> {
        let at_ms = scheduled_time.into().unix_ms();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "times before 1970 become 0 and are refused"
        )]
        let at_ms = at_ms.max(0.0) as u64;
        World::current()
            .storage_set_alarm(self.object, Some(at_ms))
            .map_err(|failure| thrown(failure).into())
    }

    /// Sets the alarm.
    ///
    /// # Errors
    /// As [`set_alarm`](Self::set_alarm); `allow_unconfirmed`, which the simulator does not know.
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
    /// An instance that was reset.
    pub async fn delete_alarm(&self) -> Result<()> {
        World::current()
            .storage_set_alarm(self.object, None)
            .map_err(|failure| thrown(failure).into())
    }

    /// Deletes the alarm.
    ///
    /// # Errors
    /// As [`delete_alarm`](Self::delete_alarm); `allow_unconfirmed`, which the simulator does not know.
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
        let rolled_back = Rc::new(Cell::new(false));
        let transaction = Transaction {
            object: self.object,
            rolled_back: Rc::clone(&rolled_back),
        };
        let asked = Rc::clone(&rolled_back);
        // What the closure failed with comes back as JavaScript throws it; the storage only has to see that it failed.
        let own = Rc::new(RefCell::new(None));
        let failed = Rc::clone(&own);
        let section = Box::pin(async move {
            if let Err(error) = closure(transaction).await {
                let failure = exception(&error);
                failed.replace(Some(error));
                return Err(failure);
            }
            // A rollback that was asked for is no failure; it only has to look like one to the storage.
            if asked.get() {
                Err(Exception::error("rolled back"))
            } else {
                Ok(())
            }
        });
        let done = World::current()
            .critical_section(self.object, CriticalSection::Transaction, section)
            .await;
        match done {
            Err(failure) => match own.take() {
                Some(error) => Err(JsValue::from(error).into()),
                None if rolled_back.get() => Ok(()),
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
    /// An instance that was reset.
    pub async fn sync(&self) -> Result<()> {
        World::current()
            .storage_sync(self.object)
            .await
            .map_err(|failure| thrown(failure).into())
    }
}

fn confirmed(options: &SetAlarmOptions) -> Result<()> {
    if options.allow_unconfirmed == Some(true) {
        return Err(Error::from(
            "allow_unconfirmed is not simulated: every write is confirmed",
        ));
    }
    Ok(())
}

/// A transaction that is open.
#[derive(Debug)]
pub struct Transaction {
    object: ObjectRef,
    rolled_back: Rc<Cell<bool>>,
}

impl Transaction {
    /// A transaction that was rolled back does nothing more (workerd actor-state.c++).
    fn open(&self, call: &str) -> Result<()> {
        if self.rolled_back.get() {
            let text = format!("Cannot {call}() on rolled back transaction");
            return Err(thrown(Exception::error(text)).into());
        }
        Ok(())
    }

    /// The value of a key.
    ///
    /// # Errors
    /// No such key; a value of another shape.
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<T> {
        self.open("get")?;
        let value = calls::get(self.object, key)?;
        if value.is_undefined() {
            return Err(JsValue::from_str("No such value in storage.").into());
        }
        Ok(serde_wasm_bindgen::from_value(value)?)
    }

    /// As [`Storage::get_multiple`].
    ///
    /// # Errors
    /// An instance that was reset.
    pub async fn get_multiple(&self, keys: Vec<impl Deref<Target = str>>) -> Result<Map> {
        self.open("get")?;
        calls::get_multiple(self.object, keys)
    }

    /// As [`Storage::put`].
    ///
    /// # Errors
    /// As [`Storage::put`].
    pub async fn put<T: Serialize>(&self, key: &str, value: T) -> Result<()> {
        self.open("put")?;
        calls::put(self.object, key, &serde_wasm_bindgen::to_value(&value)?)
    }

    /// As [`Storage::put_multiple`].
    ///
    /// # Errors
    /// As [`Storage::put_multiple`].
    pub async fn put_multiple<T: Serialize>(&self, values: T) -> Result<()> {
        self.open("put")?;
        calls::put_fields(self.object, &values)
    }

    /// As [`Storage::delete`].
    ///
    /// # Errors
    /// An instance that was reset.
    pub async fn delete(&self, key: &str) -> Result<bool> {
        self.open("delete")?;
        calls::delete(self.object, key)
    }

    /// As [`Storage::delete_multiple`].
    ///
    /// # Errors
    /// An instance that was reset.
    pub async fn delete_multiple(&self, keys: Vec<impl Deref<Target = str>>) -> Result<usize> {
        self.open("delete")?;
        calls::delete_multiple(self.object, &keys)
    }

    /// As [`Storage::delete_all`], which is not allowed here.
    ///
    /// # Errors
    /// Always.
    pub async fn delete_all(&self) -> Result<()> {
        calls::delete_all(self.object)
    }

    /// As [`Storage::list`].
    ///
    /// # Errors
    /// An instance that was reset.
    pub async fn list(&self) -> Result<Map> {
        self.open("list")?;
        calls::list(self.object, &ListOptions::new())
    }

    /// As [`Storage::list_with_options`].
    ///
    /// # Errors
    /// A limit of 0; an instance that was reset.
    pub async fn list_with_options(&self, opts: ListOptions<'_>) -> Result<Map> {
        self.open("list")?;
        calls::list(self.object, &opts)
    }

    /// Undoes what the transaction wrote, once it ends.
    ///
    /// # Errors
    /// Never; upstream's signature.
    pub fn rollback(&self) -> Result<()> {
        self.rolled_back.set(true);
        Ok(())
    }
}

/// Which keys a list wants.
#[derive(Default, Serialize, Debug)]
pub struct ListOptions<'a> {
    start: Option<&'a str>,
    end: Option<&'a str>,
    prefix: Option<&'a str>,
    reverse: Option<bool>,
    limit: Option<usize>,
}

impl<'a> ListOptions<'a> {
    /// All of them.
    pub fn new() -> Self {
        Self::default()
    }

    /// From this key on.
    pub fn start(mut self, val: &'a str) -> Self {
        self.start = Some(val);
        self
    }

    /// Up to this key, exclusive.
    pub fn end(mut self, val: &'a str) -> Self {
        self.end = Some(val);
        self
    }

    /// Those that begin with this.
    pub fn prefix(mut self, val: &'a str) -> Self {
        self.prefix = Some(val);
        self
    }

    /// From the last to the first.
    pub fn reverse(mut self, val: bool) -> Self {
        self.reverse = Some(val);
        self
    }

    /// At most so many.
    pub fn limit(mut self, val: usize) -> Self {
        self.limit = Some(val);
        self
    }
}

#[derive(Debug)]
enum Scheduled {
    Date(js_sys::Date),
    OffsetMs(f64),
}

/// When an alarm is to run: a date, or a time from now.
#[derive(Debug)]
pub struct ScheduledTime {
    scheduled: Scheduled,
}

impl ScheduledTime {
    /// At this date.
    pub fn new(date: js_sys::Date) -> Self {
        Self {
            scheduled: Scheduled::Date(date),
        }
    }

    fn unix_ms(self) -> f64 {
        match self.scheduled {
            Scheduled::Date(date) => date.get_time(),
            #[expect(
                clippy::cast_precision_loss,
                reason = "milliseconds since 1970 stay below 2^53"
            )]
            Scheduled::OffsetMs(offset) => Date::now().as_millis() as f64 + offset,
        }
    }
}

impl From<i64> for ScheduledTime {
    /// Milliseconds from now.
    fn from(offset_ms: i64) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "as upstream")]
        let offset = offset_ms as f64;
        Self {
            scheduled: Scheduled::OffsetMs(offset),
        }
    }
}

impl From<DateTime<Utc>> for ScheduledTime {
    fn from(date: DateTime<Utc>) -> Self {
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds since 1970 stay below 2^53"
        )]
        let ms = date.timestamp_millis() as f64;
        Self::new(js_sys::Date::new(&JsValue::from_f64(ms)))
    }
}

impl From<Duration> for ScheduledTime {
    /// From now.
    fn from(offset: Duration) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "as upstream")]
        let offset = offset.as_millis() as f64;
        Self {
            scheduled: Scheduled::OffsetMs(offset),
        }
    }
}

/// Options of a read of the alarm.
#[derive(Debug, Clone, Default, Serialize)]
pub struct GetAlarmOptions {
    /// Let other events in while it is read.
    pub allow_concurrency: Option<bool>,
}

/// Options of a write of the alarm.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SetAlarmOptions {
    /// Let other events in while it is written.
    pub allow_concurrency: Option<bool>,
    /// Do not wait until it is durable. Not simulated.
    pub allow_unconfirmed: Option<bool>,
}

/// A Durable Object class; put `#[durable_object]` on the struct.
#[allow(async_fn_in_trait, reason = "objects run on one thread")]
pub trait DurableObject: has_durable_object_attribute {
    /// The constructor: runs whenever the object is started, memory being lost in between.
    fn new(state: State, env: Env) -> Self;

    /// Answers a request.
    async fn fetch(&self, req: Request) -> Result<Response>;

    /// Runs the alarm.
    async fn alarm(&self) -> Result<Response> {
        crate::console_error!("alarm() handler not implemented");
        Err(Error::from("alarm() handler not implemented"))
    }
}

#[doc(hidden)]
#[allow(
    non_camel_case_types,
    reason = "upstream's name, which the macro implements"
)]
pub trait has_durable_object_attribute {}

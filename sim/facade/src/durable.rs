//! Durable Objects: the trait that a class implements, and what an object is given of itself.
//!
//! Callers use `durable/namespace.rs`. Objects store through `durable/storage.rs`, with transactions, lists and alarms beside it.

mod alarm;
mod list;
mod namespace;
mod storage;
mod transaction;
mod values;

pub use alarm::{GetAlarmOptions, ScheduledTime, SetAlarmOptions};
pub use list::ListOptions;
pub use namespace::{ObjectId, ObjectNamespace, Stub};
pub use storage::Storage;
pub use transaction::Transaction;

use crate::js::{exception, thrown};
use crate::{Env, Error, Request, Response, Result};
use edgeproof_sim::Bindings;
use edgeproof_sim::host::CriticalSection;
use edgeproof_sim::platform::durable::ObjectRef;
use std::sync::Arc;

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
        let (id, name) = Bindings::current().object_identity(self.object);
        ObjectId::of_itself(id, name.map(|name| Arc::from(&*name)))
    }

    /// What it stores.
    pub fn storage(&self) -> Storage {
        Storage::new(self.object)
    }

    /// Keeps `future` running after the answer was sent; the object stays live meanwhile.
    pub fn wait_until<F>(&self, future: F)
    where
        F: Future<Output = ()> + 'static,
    {
        Bindings::current().wait_until(Box::pin(future));
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
        let done = Bindings::current().critical_section(
            self.object,
            CriticalSection::BlockConcurrency,
            section,
        );
        async move { done.await.map_err(|failure| thrown(failure).into()) }
    }
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

//! The host's side of a Worker: the calls that the façade makes for the running code, and those that guests make.
//!
//! A *guest* is code that runs elsewhere, in a real workerd say, and uses this world's KV, D1 and limiters from one of its
//! PoPs. Everything here acts for the invocation that is running: its PoP, its isolate, its object, its limits.

mod objects;
mod storage;

pub use crate::engine::d1::D1Reply;
pub use crate::engine::deployment::{Binding, Secret};
pub use crate::engine::kv::{KvAnswer, KvListOptions, KvPutOptions, KvRead, KvReads};
pub use crate::engine::object::{CriticalSection, StubState};
pub use crate::engine::operation::Operation;

use crate::bill::usage::Meter;
use crate::engine::scope::Place;
use crate::engine::{Engine, scope};
use crate::exception::Exception;
use crate::http::{Body, Request, Response};
use crate::kernel::time::Instant;
use crate::platform::d1::Call;
use crate::platform::kv::Page;
use crate::platform::rate_limit::Taking;
use crate::script::LocalBoxFuture;
use crate::topology::Pop;
use bytes::Bytes;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

/// The platform as the running code may call it. Cheap to clone.
#[derive(Clone)]
pub struct Bindings(pub(crate) Engine);

impl std::fmt::Debug for Bindings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bindings")
            .field("now", &self.now())
            .finish_non_exhaustive()
    }
}

impl Bindings {
    /// The bindings of the world that runs on this thread.
    ///
    /// # Panics
    /// Outside of a run: a handle of the façade works only inside a Worker.
    pub fn current() -> Self {
        Self::try_current().expect("bindings of a Worker are used inside World::run only")
    }

    /// The bindings of the world that runs on this thread, if one does.
    pub fn try_current() -> Option<Self> {
        scope::try_engine().map(Self)
    }

    /// What a binding's name stands for in the running Worker.
    pub fn binding(&self, name: &str) -> Option<&Binding> {
        self.0.binding(name)
    }

    // --- time, chance, tasks ---------------------------------------------------------------------------------------

    /// Virtual time.
    pub fn now(&self) -> Instant {
        self.0.now()
    }

    /// Number of events so far: as long as it stays the same, no I/O has come to an end.
    pub fn events(&self) -> u64 {
        self.0.0.clock.events()
    }

    /// A draw from the stream of the Worker's own code, as `Math.random()`.
    pub fn random(&self) -> f64 {
        self.0.0.chance.user.borrow_mut().unit()
    }

    /// Sleeps for a while. Inside an object the wake-up waits for the input gate.
    pub fn sleep(&self, duration: Duration) -> Operation<()> {
        self.0.sleep(duration)
    }

    /// A timer that stops when it is dropped, as `clearTimeout` does.
    pub fn timer(&self, duration: Duration) -> LocalBoxFuture<()> {
        self.0.timer(duration)
    }

    /// Adds a task that runs as the invocation that spawns it.
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.0.spawn(task);
    }

    /// Keeps `task` running after the answer, for up to 30 s (LIM).
    pub fn wait_until(&self, task: LocalBoxFuture<()>) {
        self.0.wait_until(task);
    }

    /// A console line.
    pub fn console(&self, level: &str, text: &str) {
        self.0.console(level, text);
    }

    // --- KV --------------------------------------------------------------------------------------------------------

    /// Reads a key. `None`: no such key, as far as this PoP knows.
    ///
    /// # Errors
    /// A bad key or `cacheTtl`, too many calls, a failing store: with the platform's texts.
    pub fn kv_get(
        &self,
        namespace: u32,
        key: Rc<str>,
        cache_ttl_seconds: Option<u64>,
    ) -> Operation<Result<Option<KvRead>, Exception>> {
        self.0.kv_get(namespace, key, cache_ttl_seconds)
    }

    /// Reads a key, and tells where the answer came from.
    ///
    /// # Errors
    /// As [`kv_get`](Self::kv_get).
    pub fn kv_answer(
        &self,
        namespace: u32,
        key: Rc<str>,
        cache_ttl_seconds: Option<u64>,
    ) -> Operation<Result<KvAnswer, Exception>> {
        self.0.kv_answer(namespace, key, cache_ttl_seconds)
    }

    /// Reads up to 100 keys in one call; billed per key (KVPRICE).
    ///
    /// # Errors
    /// As [`kv_get`](Self::kv_get); a number of keys outside 1…100.
    pub fn kv_get_bulk(
        &self,
        namespace: u32,
        keys: Vec<Rc<str>>,
        cache_ttl_seconds: Option<u64>,
    ) -> Operation<Result<KvReads, Exception>> {
        self.0.kv_get_bulk(namespace, keys, cache_ttl_seconds)
    }

    /// Writes a key.
    ///
    /// # Errors
    /// A bad key, size or time; 429 for a second write within a second; too many calls; a failing store.
    pub fn kv_put(
        &self,
        namespace: u32,
        key: Rc<str>,
        value: Bytes,
        options: KvPutOptions,
    ) -> Operation<Result<(), Exception>> {
        self.0.kv_put(namespace, key, value, options)
    }

    /// Deletes a key; deleting one that is not there is no error.
    ///
    /// # Errors
    /// As [`kv_put`](Self::kv_put).
    pub fn kv_delete(&self, namespace: u32, key: Rc<str>) -> Operation<Result<(), Exception>> {
        self.0.kv_delete(namespace, key)
    }

    /// Lists keys at the central store.
    ///
    /// # Errors
    /// A limit outside 1…1000, too many calls, a failing store.
    pub fn kv_list(
        &self,
        namespace: u32,
        options: KvListOptions,
    ) -> Operation<Result<Page, Exception>> {
        self.0.kv_list(namespace, options)
    }

    // --- D1, outbound fetch, rate limiting -------------------------------------------------------------------------

    /// Sends a call to a database.
    ///
    /// # Errors
    /// SQL's and the service's, as `D1_ERROR: …`; too many queries in one invocation.
    pub fn d1_call(&self, database: u32, call: Call) -> Operation<Result<D1Reply, Exception>> {
        self.0.d1_call(database, call)
    }

    /// Where a database lives, and the bookmark of its present state.
    pub fn d1_place(&self, database: u32) -> (Pop, String) {
        self.0.d1_place(database)
    }

    /// Sends a request to an origin.
    ///
    /// # Errors
    /// Too many subrequests; a broken connection. An unknown host is an answer of 530, not an error.
    pub fn fetch(&self, request: Request<Body>) -> Operation<Result<Response<Body>, Exception>> {
        self.0.fetch(request)
    }

    /// Asks the rate limiter that a binding means: whether a call for this key is within the limit.
    ///
    /// # Errors
    /// Outside of a Worker.
    pub fn rate_limit(&self, limiter: u32, key: Rc<str>) -> Operation<Result<bool, Exception>> {
        self.0.limit(limiter, key)
    }

    /// The same for a guest, which knows its limiter by the settings; see
    /// [`RateLimits::take`](crate::platform::rate_limit::RateLimits::take).
    pub fn rate_limit_of_guest(&self, call: Taking<'_>) -> bool {
        self.0.take_of_limit(call)
    }

    // --- guests ----------------------------------------------------------------------------------------------------

    /// Runs a task of a guest as an event of its own at a PoP: bindings work in it, and the limits of one invocation hold for
    /// it.
    ///
    /// The world does not know which calls of a guest belong to one invocation, so each task counts as one. The answer
    /// is `None` if the world ended first.
    pub fn guest<T: 'static>(
        &self,
        pop: Pop,
        task: impl Future<Output = T> + 'static,
    ) -> impl Future<Output = Option<T>> + 'static {
        let (sender, receiver) = futures_channel::oneshot::channel();
        let invocation = self.0.new_invocation(Place {
            deployment: 0,
            pop,
            isolate: 0,
            host: None,
            object: None,
            cause: None,
        });
        self.0.spawn_in(
            Some(invocation),
            Box::pin(async move {
                // The caller may be gone by then; the task has run all the same.
                let _ = sender.send(task.await);
            }),
        );
        async move { receiver.await.ok() }
    }

    /// Counts a request that a Worker outside of the simulator answers.
    pub fn count_guest_request(&self) {
        self.0.count(Meter::WorkersRequests, 1);
    }
}

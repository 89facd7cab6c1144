//! What one isolate keeps in memory between requests.
//!
//! An isolate is started and evicted as the platform likes, several run side by side, and nothing here is shared between them
//! or outlives them. So this holds only what can be made anew (configuration, a prepared key, handles of bindings), what may be
//! lost (caches, counters), and what serves while a store is away (limits, dedupe).

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use edgeproof_isolate::IsolateLocal;
use worker::kv::KvStore;
use worker::{D1Database, Delay, Env, ObjectNamespace};

use crate::cache::memory::Memory;
use crate::core::config::Config;
use crate::core::dedupe::Dedupe;
use crate::core::{jwt, request_id};
use crate::headers::Prepared;
use crate::health::state::Health;
use crate::limiter::denials::Denials;
use crate::limiter::ledgers::Ledgers;
use crate::metrics::Metrics;

static APP: IsolateLocal<RefCell<Option<Rc<App>>>> = IsolateLocal::new(|| RefCell::new(None));

/// One isolate's state. Shared by everything that runs in it, also by the Durable Objects that live there.
pub(crate) struct App {
    pub(crate) config: Config,
    /// Absent without `AUTH_JWT_SECRET`: then no token is accepted.
    pub(crate) key: Option<jwt::Key>,
    pub(crate) prepared: Prepared,
    pub(crate) kv: Option<KvStore>,
    pub(crate) namespace: Option<ObjectNamespace>,
    pub(crate) db: Option<D1Database>,
    pub(crate) metrics: Metrics,
    pub(crate) health: Health,
    pub(crate) memory: RefCell<Memory>,
    pub(crate) ledgers: RefCell<Ledgers>,
    pub(crate) denials: RefCell<Denials>,
    /// What was alerted and logged lately, by a key of its own for each.
    pub(crate) said: RefCell<Dedupe>,
    /// Whether this isolate has already told of absent bindings.
    pub(crate) announced: Cell<bool>,
}

/// This isolate's state, made from `env` on first use.
pub(crate) fn app(env: &Env) -> Rc<App> {
    APP.with(|slot| {
        if let Some(app) = slot.borrow().as_ref() {
            return Rc::clone(app);
        }
        let app = Rc::new(App::new(env));
        slot.replace(Some(Rc::clone(&app)));
        app
    })
}

impl App {
    fn new(env: &Env) -> Self {
        let text = |name: &str| {
            env.var(name)
                .or_else(|_| env.secret(name))
                .ok()
                .map(|value| value.to_string())
        };
        let config = Config::from_lookup(text);
        Self {
            key: config
                .jwt_secret
                .as_ref()
                .map(|secret| jwt::Key::new(secret.expose())),
            prepared: Prepared::new(),
            kv: env.kv("CACHE_KV").ok(),
            namespace: env.durable_object("RATE_LIMITER").ok(),
            db: env.d1("DB").ok(),
            metrics: Metrics::default(),
            health: Health::default(),
            memory: RefCell::default(),
            ledgers: RefCell::default(),
            denials: RefCell::default(),
            said: RefCell::default(),
            announced: Cell::new(false),
            config,
        }
    }
}

/// Milliseconds since the Unix epoch by the platform's clock, which stands still between I/O operations.
pub(crate) fn now_ms() -> u64 {
    worker::js_sys::Date::now() as u64
}

/// A new id for a request or a webhook message. `Math.random()` is enough: the id has to be unique, not secret.
pub(crate) fn new_id() -> String {
    request_id::from_random(
        worker::js_sys::Math::random(),
        worker::js_sys::Math::random(),
    )
}

/// What `work` gives, or `None` if it has not come to an end after `timeout_ms`; then it is dropped.
///
/// Boxed, because an asynchronous function that pins an argument has room for it twice, and that room is copied with every
/// future around it.
pub(crate) fn within<T>(
    timeout_ms: u64,
    work: impl Future<Output = T>,
) -> impl Future<Output = Option<T>> {
    let mut work = Box::pin(work);
    let mut end = Delay::from(Duration::from_millis(timeout_ms));
    poll_fn(move |context| match work.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Pin::new(&mut end).poll(context).map(|()| None),
    })
}

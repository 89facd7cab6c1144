//! Code inside the platform: a Worker and a Durable Object class whose handlers run what a test hands them.
//!
//! [`at`] runs a closure as one invocation of the Worker at a client's PoP, [`within`] as one event of an object. What
//! the closure returns comes back to the test as it is; an error and a panic take the handler's way. Every test runs on
//! a thread of its own, so the closures that wait are kept per thread.

use edgeproof_sim::World;
use edgeproof_sim::http;
use edgeproof_sim::world::builder::Builder;
use edgeproof_sim::world::client::Client;
use edgeproof_sim::world::options::Options;
use edgeproof_sim::wrangler::WorkerConfig;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::*;

/// The configuration of the Worker below.
const CONFIG: &str = r#"
name = "inside"
main = "build/index.js"
compatibility_date = "2026-08-20"

[exports.Thing]
type = "durable-object"
storage = "sqlite"

[exports.Other]
type = "durable-object"
storage = "sqlite"

[[kv_namespaces]]
binding = "KV"

[[d1_databases]]
binding = "DB"
database_name = "db"

[[d1_databases]]
binding = "SPARE"
database_name = "spare"

[[durable_objects.bindings]]
name = "THING"
class_name = "Thing"

[[durable_objects.bindings]]
name = "OTHER"
class_name = "Other"
"#;

type LocalBoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;
type WorkerJob = Box<dyn FnOnce(Env, Context) -> LocalBoxFuture<'static, Result<Response>>>;
type ObjectJob = Box<dyn for<'a> FnOnce(&'a Thing) -> LocalBoxFuture<'a, Result<Response>>>;
type Constructor = Rc<dyn Fn(&State)>;
type Alarm = Rc<dyn for<'a> Fn(&'a Thing) -> LocalBoxFuture<'a, Result<()>>>;

#[derive(Default)]
struct Waiting {
    next: u64,
    worker: BTreeMap<u64, WorkerJob>,
    object: BTreeMap<u64, ObjectJob>,
    constructor: Option<Constructor>,
    alarm: Option<Alarm>,
}

thread_local! {
    static WAITING: RefCell<Waiting> = RefCell::default();
}

/// Says which closure a request is for; a header, because paths stand in histories.
const JOB: &str = "x-job";

/// Forgets closures of an earlier run, and numbers those of the next one anew: the numbers are part of its requests.
pub fn begin() {
    WAITING.take();
}

/// A world with the Worker of this file, a history, and clients at these PoPs.
pub fn platform(pops: &[&str]) -> Builder {
    begin();
    World::builder()
        .script(worker::native::script(env!("CARGO_PKG_NAME")))
        .config(WorkerConfig::parse(CONFIG, "wrangler.toml", None).expect("it is supported"))
        .pops(pops.iter().copied())
        .history(true)
}

/// Options under which no message and no start takes any time: things happen when the test says.
pub fn instant() -> Options {
    let mut options = Options {
        client_to_pop: Duration::ZERO,
        network_jitter: 0.0,
        kv_cached_read: Duration::ZERO,
        kv_central: Duration::ZERO,
        object_start: Duration::ZERO,
        object_commit: Duration::ZERO,
        ..Options::default()
    };
    options.latency.path_factor = 0.0;
    options.latency.metro_rtt = Duration::ZERO;
    options.isolates.cold_start = Duration::ZERO;
    options
}

/// Runs `code` as one invocation of the Worker and gives what it returned.
///
/// # Panics
/// If it fails or panics.
pub async fn at<T: 'static>(
    client: &Client,
    code: impl AsyncFnOnce(Env, Context) -> Result<T> + 'static,
) -> T {
    match answer(client, code).await {
        (_, Some(Ok(value))) => value,
        (_, Some(Err(text))) => panic!("the handler failed: {text}"),
        (answer, None) => panic!(
            "the handler did not end: {} {:?}",
            answer.status, answer.body
        ),
    }
}

/// Runs `code` as one invocation of the Worker and gives the client's answer, and what the handler returned.
pub async fn answer<T: 'static>(
    client: &Client,
    code: impl AsyncFnOnce(Env, Context) -> Result<T> + 'static,
) -> (http::Response, Option<Result<T, String>>) {
    let result = Rc::new(RefCell::new(None));
    let slot = Rc::clone(&result);
    let job: WorkerJob = Box::new(move |env, context| {
        Box::pin(async move { keep(code(env, context).await, &slot) })
    });
    let number = WAITING.with_borrow_mut(|waiting| {
        waiting.next += 1;
        waiting.worker.insert(waiting.next, job);
        waiting.next
    });
    let answer = client
        .get("/")
        .header(JOB, &number.to_string())
        .send()
        .await;
    let result = result.take();
    (answer, result)
}

/// Runs `code` as one event of an object, from within an invocation.
pub async fn within<T: 'static>(
    stub: &Stub,
    code: impl for<'a> AsyncFnOnce(&'a Thing) -> Result<T> + 'static,
) -> Result<T> {
    let result = Rc::new(RefCell::new(None));
    let slot = Rc::clone(&result);
    let job = object_job(move |thing| Box::pin(async move { keep(code(thing).await, &slot) }));
    let number = WAITING.with_borrow_mut(|waiting| {
        waiting.next += 1;
        waiting.object.insert(waiting.next, job);
        waiting.next
    });
    let init = RequestInit::new();
    init.headers.set(JOB, &number.to_string())?;
    stub.fetch_with_request(Request::new_with_init("https://object/", &init)?)
        .await?;
    let value = result.take().expect("an object that answered has ended");
    value.map_err(Error::from)
}

/// Runs `code` in every constructor of [`Thing`] from now on.
pub fn on_construct(code: impl Fn(&State) + 'static) {
    WAITING.with_borrow_mut(|waiting| waiting.constructor = Some(Rc::new(code)));
}

/// Runs `code` in every alarm of [`Thing`] from now on.
pub fn on_alarm(code: impl for<'a> AsyncFn(&'a Thing) -> Result<()> + 'static) {
    let code = Rc::new(code);
    let alarm = alarm_job(move |thing| {
        let code = Rc::clone(&code);
        Box::pin(async move { code(thing).await })
    });
    WAITING.with_borrow_mut(|waiting| waiting.alarm = Some(alarm));
}

// These two only tell the compiler that the closure takes a reference of any lifetime.
fn object_job(
    job: impl for<'a> FnOnce(&'a Thing) -> LocalBoxFuture<'a, Result<Response>> + 'static,
) -> ObjectJob {
    Box::new(job)
}

fn alarm_job(job: impl for<'a> Fn(&'a Thing) -> LocalBoxFuture<'a, Result<()>> + 'static) -> Alarm {
    Rc::new(job)
}

/// Puts what a handler returned where the test finds it; a failure still is the handler's.
fn keep<T>(result: Result<T>, slot: &RefCell<Option<Result<T, String>>>) -> Result<Response> {
    match result {
        Ok(value) => {
            slot.replace(Some(Ok(value)));
            Response::ok("done")
        }
        Err(error) => {
            slot.replace(Some(Err(message(&error))));
            Err(error)
        }
    }
}

/// The message of what the platform threw, or the error's text.
pub fn message(error: &Error) -> String {
    let value = match error {
        Error::KvError(KvError::JavaScript(thrown)) => thrown.clone(),
        Error::D1(thrown) => AsRef::<JsValue>::as_ref(thrown).clone(),
        other => other.to_js_value(),
    };
    match value.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => error.to_string(),
    }
}

/// The message that a call failed with.
///
/// # Panics
/// If it did not fail.
pub fn failure<T>(result: Result<T, impl Into<Error>>) -> String {
    match result {
        Ok(_) => panic!("this should have failed"),
        Err(error) => message(&error.into()),
    }
}

/// Whether an error has one of the platform's flags, such as `retryable`.
pub fn flag(error: &Error, name: &str) -> bool {
    js_sys::Reflect::get(&error.to_js_value(), &JsValue::from_str(name))
        .is_ok_and(|flag| flag.is_truthy())
}

/// Sleeps in virtual time, inside a handler.
pub async fn pause(ms: u64) {
    Delay::from(Duration::from_millis(ms)).await;
}

fn number(request: &Request) -> u64 {
    let number = request
        .headers()
        .get(JOB)
        .expect("a header's name")
        .expect("only closures are sent here");
    number.parse().expect("a number")
}

#[event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> Result<Response> {
    let job = WAITING.with_borrow_mut(|waiting| waiting.worker.remove(&number(&request)));
    job.expect("a closure runs once")(env, context).await
}

/// An object whose handlers run the test's closures.
#[durable_object]
pub struct Thing {
    /// Its state.
    pub state: State,
    /// Its bindings.
    pub env: Env,
    /// Something in memory, lost with the instance.
    pub memory: Cell<u64>,
    /// A JavaScript value in memory.
    pub value: RefCell<JsValue>,
}

impl DurableObject for Thing {
    fn new(state: State, env: Env) -> Self {
        if let Some(constructor) = WAITING.with_borrow(|waiting| waiting.constructor.clone()) {
            constructor(&state);
        }
        Self {
            state,
            env,
            memory: Cell::new(0),
            value: RefCell::default(),
        }
    }

    async fn fetch(&self, request: Request) -> Result<Response> {
        let job = WAITING.with_borrow_mut(|waiting| waiting.object.remove(&number(&request)));
        job.expect("a closure runs once")(self).await
    }

    async fn alarm(&self) -> Result<Response> {
        if let Some(alarm) = WAITING.with_borrow(|waiting| waiting.alarm.clone()) {
            alarm(self).await?;
        }
        Response::empty()
    }
}

/// A class with nothing in it.
#[durable_object]
pub struct Other;

impl DurableObject for Other {
    fn new(_: State, _: Env) -> Self {
        Self
    }

    async fn fetch(&self, _: Request) -> Result<Response> {
        Response::empty()
    }
}

//! What the macros register can be found and called.
//!
//! The crate under test writes paths that begin with `::worker`; here that is this file, with the smallest
//! façade that the generated code compiles against.

extern crate self as worker;

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::rc::Rc;

use futures_util::FutureExt;
use worker_macros::{durable_object, event, send};

/// The path of the request.
pub struct Request(pub &'static str);
/// An environment.
pub struct Env;
/// The context of a request.
pub struct Context;
/// A cron event.
pub struct ScheduledEvent(pub &'static str);
/// The context of a cron event.
pub struct ScheduleContext;
/// The state of an object.
pub struct State(pub u32);
pub use durable::DurableObject;

/// A response of status and body.
#[derive(Debug, PartialEq)]
pub struct Response(pub u16, pub String);

impl Response {
    /// A response that tells of an error.
    pub fn error(message: impl Into<String>, status: u16) -> Result<Self> {
        Ok(Self(status, message.into()))
    }
}

/// What a handler may take.
pub trait FromRequest: Sized {
    /// Makes it.
    fn from_raw(
        request: Request,
    ) -> std::result::Result<Self, impl Into<Box<dyn std::error::Error>>>;
}

impl FromRequest for Request {
    fn from_raw(
        request: Request,
    ) -> std::result::Result<Self, impl Into<Box<dyn std::error::Error>>> {
        Ok::<_, Error>(request)
    }
}

/// What a handler may answer.
pub trait IntoResponse {
    /// Makes the response.
    fn into_raw(self) -> std::result::Result<Response, impl Into<Box<dyn std::error::Error>>>;
}

impl IntoResponse for Response {
    fn into_raw(self) -> std::result::Result<Response, impl Into<Box<dyn std::error::Error>>> {
        Ok::<_, Error>(self)
    }
}

/// A path that is short enough.
pub struct Short(&'static str);

impl FromRequest for Short {
    fn from_raw(
        request: Request,
    ) -> std::result::Result<Self, impl Into<Box<dyn std::error::Error>>> {
        if request.0.len() > 4 {
            Err(Error("too long"))
        } else {
            Ok(Self(request.0))
        }
    }
}

/// An answer that is sent only if it is short enough.
pub struct ShortAnswer(&'static str);

impl IntoResponse for ShortAnswer {
    fn into_raw(self) -> std::result::Result<Response, impl Into<Box<dyn std::error::Error>>> {
        if self.0.len() > 3 {
            Err(Error("too long"))
        } else {
            Ok(Response(200, self.0.into()))
        }
    }
}

/// An error.
#[derive(Debug)]
pub struct Error(pub &'static str);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Error {}

/// A result with the façade's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

thread_local! {
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Keeps a line of the console.
pub fn console(line: String) {
    LINES.with_borrow_mut(|lines| lines.push(line));
}

fn lines() -> Vec<String> {
    LINES.take()
}

/// Prints an error line.
#[macro_export]
macro_rules! console_error {
    ($($t:tt)*) => { $crate::console(::std::format!($($t)*)) };
}

/// Throwing.
pub mod wasm_bindgen {
    /// Unwraps or throws.
    pub trait UnwrapThrowExt<T> {
        /// The value.
        fn unwrap_throw(self) -> T;
    }

    impl<T, E: std::fmt::Debug> UnwrapThrowExt<T> for Result<T, E> {
        fn unwrap_throw(self) -> T {
            self.expect("a start function that succeeds")
        }
    }
}

/// Durable Objects.
pub mod durable {
    use super::{Env, Request, Response, Result, State};

    /// Says that a struct has the attribute.
    #[allow(non_camel_case_types, reason = "the name is that of workers-rs")]
    pub trait has_durable_object_attribute {}

    /// A class of objects.
    #[allow(async_fn_in_trait, reason = "as in workers-rs")]
    pub trait DurableObject: has_durable_object_attribute {
        /// Constructs one.
        fn new(state: State, env: Env) -> Self;
        /// Answers a request.
        async fn fetch(&self, request: Request) -> Result<Response>;
    }
}

/// Futures that claim to be `Send`.
pub mod send {
    use std::future::Future;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    /// A wrapper that here claims nothing and only shows that it was used.
    pub struct SendFuture<F>(Pin<Box<F>>);

    impl<F> SendFuture<F> {
        /// Wraps a future.
        pub fn new(future: F) -> Self {
            Self(Box::pin(future))
        }
    }

    impl<F: Future> Future for SendFuture<F> {
        type Output = F::Output;

        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
            crate::console("polled".to_owned());
            self.0.as_mut().poll(cx)
        }
    }
}

/// The registry.
pub mod __native {
    pub use inventory;

    /// A request as it reaches the Worker.
    pub type RawRequest = Request;

    use super::{Context, Env, Request, Response, Result, ScheduleContext, ScheduledEvent, State};
    use std::future::Future;
    use std::pin::Pin;
    use std::rc::Rc;

    /// A boxed future.
    pub type LocalBoxFuture<T> = Pin<Box<dyn Future<Output = T>>>;

    /// What becomes of an event.
    pub type Handled = LocalBoxFuture<Result<Response>>;

    /// What a handler returned, as it leaves the Worker.
    pub fn finish(answer: Result<Response>) -> Result<Response> {
        answer.map(|Response(status, body)| Response(status, body + ", sent"))
    }

    /// A fetch handler.
    pub struct FetchEntry {
        /// Package of the handler.
        pub package: &'static str,
        /// The handler.
        pub handler: fn(Box<RawRequest>, Env, Context) -> Handled,
    }

    /// A scheduled handler.
    pub struct ScheduledEntry {
        /// Package of the handler.
        pub package: &'static str,
        /// The handler.
        pub handler: fn(ScheduledEvent, Env, ScheduleContext) -> LocalBoxFuture<()>,
    }

    /// A start function.
    pub struct StartEntry {
        /// Package of the function.
        pub package: &'static str,
        /// The function.
        pub handler: fn(),
        /// File, line and column of the function.
        pub place: (&'static str, u32, u32),
    }

    /// A class of objects.
    pub struct ClassEntry {
        /// Package of the class.
        pub package: &'static str,
        /// Its name.
        pub class: &'static str,
        /// Its constructor.
        pub construct: fn(State, Env) -> Rc<dyn ErasedObject>,
    }

    inventory::collect!(FetchEntry);
    inventory::collect!(ScheduledEntry);
    inventory::collect!(StartEntry);
    inventory::collect!(ClassEntry);

    /// An object of any class.
    pub trait ErasedObject {
        /// Answers a request.
        fn fetch(self: Rc<Self>, request: Request) -> LocalBoxFuture<Result<Response>>;
    }

    impl<T: super::DurableObject + 'static> ErasedObject for T {
        fn fetch(self: Rc<Self>, request: Request) -> LocalBoxFuture<Result<Response>> {
            Box::pin(async move { super::DurableObject::fetch(&*self, request).await })
        }
    }
}

mod quiet {
    use super::*;

    #[event(fetch)]
    pub(super) async fn quiet(request: Request, _env: Env, _context: Context) -> Result<Response> {
        match request.0 {
            "/ok" => Ok(Response(200, "fine".into())),
            _ => Err(Error("no such row")),
        }
    }
}

mod open {
    use super::*;

    // The error may be of any type that is one.
    #[event(fetch, respond_with_errors)]
    async fn open(_: Request, _: Env, _: Context) -> Result<Response, fmt::Error> {
        Err(fmt::Error)
    }
}

mod short {
    use super::*;

    #[event(fetch, respond_with_errors)]
    async fn short(path: Short, _: Env, _: Context) -> Result<ShortAnswer> {
        Ok(ShortAnswer(path.0))
    }
}

#[event(scheduled)]
async fn tick(event: ScheduledEvent, _env: Env, _context: ScheduleContext) {
    console(format!("cron {}", event.0));
}

#[event(start)]
fn start() -> Result<()> {
    console("started".to_owned());
    Ok(())
}

#[event(start)]
fn start_more() {
    console("started more".to_owned());
}

#[durable_object]
struct Counter {
    state: State,
}

impl DurableObject for Counter {
    fn new(state: State, _env: Env) -> Self {
        Self { state }
    }

    async fn fetch(&self, request: Request) -> Result<Response> {
        Ok(Response(200, format!("{} {}", self.state.0, request.0)))
    }
}

#[durable_object(fetch)]
struct Other;

impl DurableObject for Other {
    fn new(_: State, _: Env) -> Self {
        Self
    }

    async fn fetch(&self, _: Request) -> Result<Response> {
        Err(Error("other"))
    }
}

#[send]
async fn sent(text: &str) -> usize {
    text.len()
}

fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("nothing here waits")
}

/// Answers of the registered fetch handlers to one path, sorted.
fn answers(path: &'static str) -> Vec<(u16, String)> {
    let mut answers: Vec<_> = inventory::iter::<__native::FetchEntry>
        .into_iter()
        .map(|entry| {
            assert_eq!(entry.package, "worker-native-macros");
            let Response(status, body) =
                now((entry.handler)(Box::new(Request(path)), Env, Context)).unwrap();
            (status, body)
        })
        .collect();
    answers.sort();
    answers
}

#[test]
fn fetch_handlers_are_found_and_answer() {
    let shown = format!("{}, sent", fmt::Error);
    assert_eq!(
        answers("/ok"),
        [
            (200, "/ok, sent".into()),
            (200, "fine, sent".into()),
            (500, shown)
        ]
    );
}

#[test]
fn an_error_is_logged_and_shown_only_where_asked_for() {
    lines();
    let shown = fmt::Error.to_string();
    assert_eq!(
        answers("/gone"),
        [
            (500, "INTERNAL SERVER ERROR, sent".into()),
            (500, format!("{shown}, sent")),
            (500, "too long, sent".into())
        ]
    );
    let mut logged = lines();
    logged.sort();
    let no_request = "Error converting request: too long";
    assert_eq!(logged, [no_request, &shown, "no such row"]);
}

#[test]
fn an_answer_that_cannot_be_sent_is_an_error() {
    lines();
    let answers = answers("/abc");
    assert!(
        answers.contains(&(500, "too long, sent".into())),
        "{answers:?}"
    );
    let logged = lines();
    let no_response = "Error converting response: too long".to_owned();
    assert!(logged.contains(&no_response), "{logged:?}");
}

#[test]
fn the_annotated_function_can_still_be_called() {
    assert!(now(quiet::quiet(Request("/gone"), Env, Context)).is_err());
    lines();
}

#[test]
fn the_cron_handler_is_found() {
    lines();
    let entries: Vec<_> = inventory::iter::<__native::ScheduledEntry>
        .into_iter()
        .collect();
    assert_eq!(entries.len(), 1);
    now((entries[0].handler)(
        ScheduledEvent("*/5 * * * *"),
        Env,
        ScheduleContext,
    ));
    assert_eq!(lines(), ["cron */5 * * * *"]);
}

#[test]
fn every_start_function_is_found_with_its_place() {
    lines();
    let mut entries: Vec<_> = inventory::iter::<__native::StartEntry>
        .into_iter()
        .collect();
    entries.sort_by_key(|entry| entry.place);
    for entry in entries {
        assert!(entry.place.0.ends_with("registry.rs"), "{}", entry.place.0);
        (entry.handler)();
    }
    assert_eq!(lines(), ["started", "started more"]);
}

#[test]
fn classes_are_found_by_name_and_make_objects() {
    let mut classes: Vec<_> = inventory::iter::<__native::ClassEntry>
        .into_iter()
        .map(|entry| (entry.class, entry.construct))
        .collect();
    classes.sort_by_key(|(class, _)| *class);
    let names: Vec<_> = classes.iter().map(|(class, _)| *class).collect();
    assert_eq!(names, ["Counter", "Other"]);
    let object = (classes[0].1)(State(7), Env);
    let answer = now(Rc::clone(&object).fetch(Request("/hit"))).unwrap();
    assert_eq!(answer, Response(200, "7 /hit".into()));
    assert!(now((classes[1].1)(State(0), Env).fetch(Request("/"))).is_err());
}

#[test]
fn a_sent_function_runs_inside_the_wrapper() {
    lines();
    assert_eq!(now(sent("four")), 4);
    assert_eq!(lines(), ["polled"]);
}

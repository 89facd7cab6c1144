//! How the simulator runs a Worker that was compiled against this crate.
//!
//! The macros register what they annotate, under the name of the package that they were used in; [`script`] puts one
//! package's handlers and classes together as the simulator's [`Script`].

pub use crate::request::RawRequest;
pub use inventory;

use crate::durable::{DurableObject, State};
use crate::js::exception;
use crate::schedule::{ScheduleContext, ScheduledEvent};
use crate::{Context, Env, Error, Request, Response, Result};
use edgeproof_sim::Bindings;
use edgeproof_sim::exception::Exception;
use edgeproof_sim::platform::durable::ObjectRef;
pub use edgeproof_sim::script::Handled;
use edgeproof_sim::script::{Event, ObjectClass, ObjectInstance, Reply, Script};
use std::pin::Pin;
use std::rc::Rc;
use worker_native_js::host::{self, Host};

/// A boxed future of this thread.
pub type LocalBoxFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// `#[event(fetch)]`.
#[derive(Debug)]
pub struct FetchEntry {
    /// Cargo package of the handler.
    pub package: &'static str,
    /// The handler.
    pub handler: fn(Box<RawRequest>, Env, Context) -> Handled,
}

/// `#[event(scheduled)]`.
#[derive(Debug)]
pub struct ScheduledEntry {
    /// Cargo package of the handler.
    pub package: &'static str,
    /// The handler.
    pub handler: fn(ScheduledEvent, Env, ScheduleContext) -> LocalBoxFuture<()>,
}

/// `#[event(start)]`.
#[derive(Debug)]
pub struct StartEntry {
    /// Cargo package of the handler.
    pub package: &'static str,
    /// The handler.
    pub handler: fn(),
    /// File, line and column of the handler.
    pub place: (&'static str, u32, u32),
}

/// `#[durable_object]`.
#[derive(Debug)]
pub struct ClassEntry {
    /// Cargo package of the class.
    pub package: &'static str,
    /// Name of the struct.
    pub class: &'static str,
    /// The constructor.
    pub construct: fn(State, Env) -> Rc<dyn ErasedObject>,
}

inventory::collect!(FetchEntry);
inventory::collect!(ScheduledEntry);
inventory::collect!(StartEntry);
inventory::collect!(ClassEntry);

/// A [`DurableObject`] whose type is erased.
pub trait ErasedObject {
    /// See [`DurableObject::fetch`]. The answer has left the object: one future does both, so that a call allocates one.
    fn fetch(self: Rc<Self>, request: Request) -> Handled;
    /// See [`DurableObject::alarm`].
    fn alarm(self: Rc<Self>) -> LocalBoxFuture<Result<Response>>;
}

impl<T: DurableObject + 'static> ErasedObject for T {
    fn fetch(self: Rc<Self>, request: Request) -> Handled {
        Box::pin(async move {
            let answer = DurableObject::fetch(&*self, request).await;
            finish(answer)
        })
    }

    fn alarm(self: Rc<Self>) -> LocalBoxFuture<Result<Response>> {
        Box::pin(async move { DurableObject::alarm(&*self).await })
    }
}

/// The Worker in the Cargo package of this name, as the simulator runs it.
///
/// A program that uses nothing else of the package has to name it with `extern crate`; otherwise the linker drops its handlers.
///
/// # Panics
/// If the package has no `#[event(fetch)]` handler, or more than one, or is not linked.
pub fn script(package: &str) -> Rc<dyn Script> {
    // JavaScript's clock and dice on this thread are the world's.
    host::install(Host {
        now_ms: || {
            #[expect(
                clippy::cast_precision_loss,
                reason = "milliseconds since 1970 stay below 2^53"
            )]
            let now_ms = Bindings::current().now().unix_ms() as f64;
            now_ms
        },
        random: || Bindings::current().random(),
        spawn_local: |task| Bindings::current().spawn(task),
        console,
    });
    let mut fetch = inventory::iter::<FetchEntry>
        .into_iter()
        .filter(|entry| entry.package == package);
    let handler = fetch.next();
    let handler = handler
        .unwrap_or_else(|| panic!("no #[event(fetch)] handler is linked from a package {package}"));
    assert!(
        fetch.next().is_none(),
        "package {package} has two #[event(fetch)] handlers"
    );
    let scheduled = inventory::iter::<ScheduledEntry>
        .into_iter()
        .find(|entry| entry.package == package);
    let mut start: Vec<_> = inventory::iter::<StartEntry>
        .into_iter()
        .filter(|entry| entry.package == package)
        .collect();
    // The linker's order is not the same in every build.
    start.sort_by_key(|entry| entry.place);
    let classes = inventory::iter::<ClassEntry>
        .into_iter()
        .filter(|entry| entry.package == package)
        .collect();
    Rc::new(Package {
        fetch: handler,
        scheduled,
        start,
        classes,
    })
}

struct Package {
    fetch: &'static FetchEntry,
    scheduled: Option<&'static ScheduledEntry>,
    start: Vec<&'static StartEntry>,
    classes: Vec<&'static ClassEntry>,
}

impl Script for Package {
    fn start(&self) {
        for entry in &self.start {
            (entry.handler)();
        }
    }

    fn handle(&self, event: Event) -> Handled {
        match event {
            Event::Fetch(request) => (self.fetch.handler)(request, Env::new(), Context::new()),
            Event::Scheduled { cron, scheduled_ms } => {
                let Some(entry) = self.scheduled else {
                    return no_handler("scheduled");
                };
                let event = ScheduledEvent::new(&cron, scheduled_ms);
                let done = (entry.handler)(event, Env::new(), ScheduleContext::new());
                Box::pin(async move {
                    done.await;
                    Ok(Reply::Done)
                })
            }
            Event::Alarm => no_handler("alarm"),
        }
    }

    fn world_ended(&self) {
        host::collect_garbage();
    }

    fn class(&self, name: &str) -> Option<Rc<dyn ObjectClass>> {
        let entry = *self.classes.iter().find(|entry| entry.class == name)?;
        Some(Rc::new(Class(entry)))
    }
}

struct Class(&'static ClassEntry);

impl ObjectClass for Class {
    fn construct(&self, object: ObjectRef) -> Rc<dyn ObjectInstance> {
        Rc::new(Instance((self.0.construct)(State::new(object), Env::new())))
    }
}

struct Instance(Rc<dyn ErasedObject>);

impl ObjectInstance for Instance {
    fn handle(self: Rc<Self>, event: Event) -> Handled {
        match event {
            Event::Fetch(request) => Rc::clone(&self.0).fetch(Request::from(*request)),
            Event::Alarm => {
                let done = Rc::clone(&self.0).alarm();
                Box::pin(async move {
                    let done = done.await.map_err(|error| exception(&error));
                    done.map(|_| Reply::Done)
                })
            }
            Event::Scheduled { .. } => no_handler("scheduled"),
        }
    }
}

/// What the platform throws for an event that the code has no handler for.
fn no_handler(name: &str) -> Handled {
    let message = format!("Handler does not export a {name}() function");
    Box::pin(async move { Err(Exception::error(message)) })
}

/// What a handler returned, as it leaves the Worker; the macros call it, so that one future does both.
///
/// # Errors
/// The handler's; that of an answer which the platform refuses.
pub fn finish(result: Result<Response>) -> Result<Reply, Exception> {
    let raw = result.and_then(Response::into_parts_native);
    raw.map(Reply::Response)
        .map_err(|error: Error| exception(&error))
}

/// A console line; the macros call it.
pub fn console(level: &str, text: &str) {
    match Bindings::try_current() {
        Some(bindings) => bindings.console(level, text),
        None => eprintln!("{level}: {text}"),
    }
}

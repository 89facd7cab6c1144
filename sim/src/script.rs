//! A deployed Worker, as the simulator sees it: code that answers requests and classes that make objects.
//!
//! The façade implements these traits for a Worker written against workers-rs; the simulator itself knows no more of a
//! Worker than this.

use crate::exception::Exception;
use crate::http::{Request, Response};
use crate::platform::durable::ObjectRef;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

/// A boxed future of this thread.
pub type LocalBoxFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// The code of a Worker.
pub trait Script {
    /// Whether it is not the simulator that runs this Worker.
    fn runs_elsewhere(&self) -> bool {
        false
    }

    /// Runs once when an isolate starts, before its first event.
    fn start(&self) {}

    /// Answers a request.
    fn fetch(&self, request: Request) -> LocalBoxFuture<Result<Response, Exception>>;

    /// Runs a cron trigger. `scheduled_ms` is the scheduled time in milliseconds since the Unix epoch.
    fn scheduled(&self, cron: Rc<str>, scheduled_ms: u64) -> LocalBoxFuture<Result<(), Exception>>;

    /// The exported class of this name, if there is one.
    fn class(&self, name: &str) -> Option<Rc<dyn ObjectClass>>;
}

/// No Worker at all: for a world whose Worker runs elsewhere, in a real workerd say.
#[derive(Debug, Clone, Copy)]
pub struct Elsewhere;

impl Elsewhere {
    fn error<T: 'static>() -> LocalBoxFuture<Result<T, Exception>> {
        Box::pin(async { Err(Exception::error("This world's Worker runs elsewhere.")) })
    }
}

impl Script for Elsewhere {
    fn runs_elsewhere(&self) -> bool {
        true
    }

    fn fetch(&self, _request: Request) -> LocalBoxFuture<Result<Response, Exception>> {
        Self::error()
    }

    fn scheduled(&self, _cron: Rc<str>, _at: u64) -> LocalBoxFuture<Result<(), Exception>> {
        Self::error()
    }

    fn class(&self, _name: &str) -> Option<Rc<dyn ObjectClass>> {
        None
    }
}

/// A Durable Object class.
pub trait ObjectClass {
    /// Runs the constructor.
    fn construct(&self, object: ObjectRef) -> Rc<dyn ObjectInstance>;
}

/// A live instance of a Durable Object.
pub trait ObjectInstance {
    /// Answers a request.
    fn fetch(self: Rc<Self>, request: Request) -> LocalBoxFuture<Result<Response, Exception>>;

    /// Runs the alarm handler.
    fn alarm(self: Rc<Self>) -> LocalBoxFuture<Result<(), Exception>>;
}

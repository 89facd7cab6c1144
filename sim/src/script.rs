//! A deployed Worker, as the simulator sees it: code that handles events and classes that make objects.
//!
//! The façade implements these traits for a Worker written against workers-rs; the simulator knows nothing else of a
//! Worker.

use crate::exception::Exception;
use crate::http::{Body, Request, Response};
use crate::limits;
use crate::platform::durable::ObjectRef;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

/// A boxed future of this thread.
pub type LocalBoxFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// What happens to a Worker or to one of its objects. Exhaustive on purpose: each implementation of [`Script`] must
/// decide on each new event.
#[derive(Debug)]
pub enum Event {
    /// A request, to be answered with [`Reply::Response`].
    Fetch(Box<Request<Body>>),
    /// A cron trigger fires.
    Scheduled {
        /// The expression, as in the configuration.
        cron: Rc<str>,
        /// The scheduled time, in milliseconds since the Unix epoch.
        scheduled_ms: u64,
    },
    /// An object's alarm is due.
    Alarm,
}

/// The result of a handler.
#[derive(Debug)]
pub enum Reply {
    /// The answer to a request.
    Response(Response<Body>),
    /// The event was handled; it asks for no answer.
    Done,
}

impl<B> From<Response<B>> for Reply
where
    Response<B>: Into<Response<Body>>,
{
    fn from(response: Response<B>) -> Self {
        Self::Response(response.into())
    }
}

impl Reply {
    /// The answer to a request.
    ///
    /// # Errors
    /// The handler returned none, which the platform reports as an exception of the Worker.
    pub(crate) fn into_response(self) -> Result<Response<Body>, Exception> {
        match self {
            Self::Response(response) => Ok(response),
            Self::Done => Err(Exception::type_error(limits::workers::NO_RESPONSE)),
        }
    }
}

/// The result of an event.
pub type Handled = LocalBoxFuture<Result<Reply, Exception>>;

/// The code of a Worker.
pub trait Script {
    /// True if the Worker runs in workerd and not in the simulator.
    fn runs_elsewhere(&self) -> bool {
        false
    }

    /// Runs once when an isolate starts, before its first event.
    fn start(&self) {}

    /// Handles an event. One that the Worker has no handler for is an exception with the platform's text.
    fn handle(&self, event: Event) -> Handled;

    /// A world that ran this code has ended, and nothing of it runs any more: frees what only the code's own objects still hold.
    fn world_ended(&self) {}

    /// The exported class of this name, if there is one.
    fn class(&self, name: &str) -> Option<Rc<dyn ObjectClass>>;
}

/// No Worker at all: for a world whose Worker runs elsewhere, in a real workerd say.
#[derive(Debug, Clone, Copy)]
pub struct Elsewhere;

impl Script for Elsewhere {
    fn runs_elsewhere(&self) -> bool {
        true
    }

    fn handle(&self, _event: Event) -> Handled {
        Box::pin(async { Err(Exception::error("This world's Worker runs elsewhere.")) })
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
    /// Handles an event.
    fn handle(self: Rc<Self>, event: Event) -> Handled;
}

//! A call of the platform, as its caller awaits it.

use super::Engine;
use super::scope;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A call of the platform. It begins with its first poll. From then on it continues even if its caller stops waiting,
/// as a promise does.
pub struct Operation<T: 'static> {
    future: Option<Pin<Box<dyn Future<Output = T>>>>,
    begun: bool,
    /// Dropping it ends it: its effect has happened, and only its answer is outstanding.
    ends_when_dropped: bool,
}

impl<T: 'static> Operation<T> {
    pub(crate) fn new(future: impl Future<Output = T> + 'static) -> Self {
        Self {
            future: Some(Box::pin(future)),
            begun: false,
            ends_when_dropped: false,
        }
    }

    /// The same, but dropping it ends it.
    pub(crate) fn ending_when_dropped(mut self) -> Self {
        self.ends_when_dropped = true;
        self
    }
}

impl<T: 'static> Future for Operation<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        self.begun = true;
        let future = self
            .future
            .as_mut()
            .expect("an operation is not polled after it has ended");
        let poll = future.as_mut().poll(context);
        if poll.is_ready() {
            self.future = None;
        }
        poll
    }
}

impl<T: 'static> Drop for Operation<T> {
    fn drop(&mut self) {
        if self.begun
            && !self.ends_when_dropped
            && let Some(future) = self.future.take()
            && let Some(engine) = scope::try_engine()
        {
            Engine::spawn(&engine, async move {
                future.await;
            });
        }
    }
}

impl<T: 'static> std::fmt::Debug for Operation<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operation")
            .field("begun", &self.begun)
            .finish_non_exhaustive()
    }
}

//! [`Context`]: what a handler may ask of the runtime.

use edgeproof_sim::Bindings;

/// The context of an invocation.
#[derive(Debug)]
pub struct Context {
    _private: (),
}

impl Context {
    pub(crate) fn new() -> Self {
        Self { _private: () }
    }

    /// Keeps `future` running after the answer was sent, for up to 30 seconds.
    pub fn wait_until<F>(&self, future: F)
    where
        F: Future<Output = ()> + 'static,
    {
        Bindings::current().wait_until(Box::pin(future));
    }
}

//! [`Context`]: what a handler may ask of the runtime.

use crate::Result;
use crate::js_sys::Object;
use edgeproof_sim::Bindings;
use serde::de::DeserializeOwned;

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

    /// What the caller's service binding passes on. There are no service bindings here, so it is an empty object, as for every
    /// Worker that is called by a client.
    ///
    /// # Errors
    /// [`crate::Error`] when a `T` needs a property.
    pub fn props<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(serde_wasm_bindgen::from_value(Object::new().into())?)
    }
}

//! [`Cf`]: what the platform tells of the client, as `request.cf`.
//!
//! The simulator attaches clients to PoPs and knows which one, its city and the HTTP version. Its
//! clients are no bots and ask for no priority. Everything else the platform knows (country,
//! network, TLS, time zone, certificates…) is not simulated, and those calls are absent: a Worker
//! that decides by them does not compile here, which is better than an answer that is always
//! `None`.

use crate::Result;
use crate::js_sys::Object;
use send_wrapper::SendWrapper;
use serde::de::DeserializeOwned;
use std::rc::Rc;

/// What is known of the client of a request.
#[derive(Debug, Clone)]
pub struct Cf {
    // Shared with the simulator's own request; `Send` is upstream's promise, kept by a check of the thread.
    inner: SendWrapper<Rc<edgeproof_sim::http::Cf>>,
}

impl Cf {
    /// The IATA code of the PoP that took the request, as `LUX`.
    pub fn colo(&self) -> String {
        self.inner.colo.clone()
    }

    /// The HTTP version, as `HTTP/2`.
    pub fn http_protocol(&self) -> String {
        self.inner.http_protocol.clone()
    }

    /// The client's city: that of the PoP.
    pub fn city(&self) -> Option<String> {
        self.inner.city.clone()
    }

    /// The category of a verified bot; no client of the simulator is one.
    pub fn verified_bot_category(&self) -> Option<String> {
        None
    }

    /// The priority a browser asked for; the simulator's clients ask for none.
    pub fn request_priority(&self) -> Option<RequestPriority> {
        None
    }

    /// What the simulator holds, to pass it on.
    pub(crate) fn shared(&self) -> Rc<edgeproof_sim::http::Cf> {
        Rc::clone(&self.inner)
    }
}

impl From<Rc<edgeproof_sim::http::Cf>> for Cf {
    fn from(inner: Rc<edgeproof_sim::http::Cf>) -> Self {
        Self {
            inner: SendWrapper::new(inner),
        }
    }
}

/// The `cf` object of a response, as an extension of a response of the crate `http`.
#[derive(Clone, Debug)]
pub struct CfResponseProperties(Object);

impl CfResponseProperties {
    /// The object.
    pub fn into_raw(self) -> Object {
        self.0
    }

    /// The object as a `T`.
    ///
    /// # Errors
    /// [`crate::Error`] when it has another shape.
    pub fn try_into<T: DeserializeOwned>(self) -> Result<T> {
        Ok(serde_wasm_bindgen::from_value(self.into_raw().into())?)
    }
}

impl From<Object> for CfResponseProperties {
    fn from(object: Object) -> Self {
        Self(object)
    }
}

/// The priority a browser asked for.
#[derive(Debug, Clone, Copy)]
pub struct RequestPriority {
    /// HTTP/2 weight.
    pub weight: usize,
    /// HTTP/2 exclusive flag.
    pub exclusive: bool,
    /// HTTP/2 stream of the request's group.
    pub group: usize,
    /// HTTP/2 weight of that group.
    pub group_weight: usize,
}

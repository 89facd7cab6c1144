//! Service bindings and static assets.

use super::Never;
use crate::wasm_bindgen::JsCast;
use crate::{Error, Request, RequestInit, Result};

/// Another Worker, or the Worker's assets.
#[derive(Debug, Clone)]
pub struct Fetcher(Never);

#[cfg(not(feature = "http"))]
type Answer = crate::Response;
#[cfg(feature = "http")]
type Answer = crate::HttpResponse;

impl Fetcher {
    /// Calls its `fetch`. With the feature `http` the answer is one of the crate `http`.
    ///
    /// # Errors
    /// There is no such binding in the simulator.
    pub async fn fetch(
        &self,
        _url: impl Into<String>,
        _init: Option<RequestInit>,
    ) -> Result<Answer> {
        match self.0 {}
    }

    /// Calls its `fetch` with a request.
    ///
    /// # Errors
    /// There is no such binding in the simulator.
    pub async fn fetch_request<T, E>(&self, _request: T) -> Result<Answer>
    where
        T: TryInto<Request, Error = E>,
        Error: From<E>,
    {
        match self.0 {}
    }

    /// The interface that another Worker offers.
    pub fn into_rpc<T: JsCast>(self) -> T {
        match self.0 {}
    }
}

//! The API of workers-rs 0.8.7, answered by the simulator.
//!
//! The library of this crate is called `worker`, as the real one is. A Worker names the real crate for wasm and this one for every
//! other target, and compiles unchanged for both: `use worker::*`, `#[event(fetch)]`, `Router`, bindings and all.
//!
//! The files carry upstream's names, and so does what they export. Three kinds:
//!
//! - plain HTTP, which needs no simulator: [`Request`], [`Response`], [`Headers`], [`Method`], [`Cors`], [`Router`], [`FormData`],
//!   streams, [`AbortController`], [`Error`];
//! - bindings, thin handles onto the simulator's state machines: [`Env`], [`kv`], [`d1`] and the like;
//! - [`wasm_bindgen`], [`js_sys`] and [`web_sys`], JavaScript values without an engine. They are crates of their own below this
//!   one (`sim/js`), so that a Worker which depends on them directly sees the same types.
//!
//! One circle of modules is upstream's and stays: [`Error`] has a variant for the errors of [`kv`] and [`d1`], whose calls return
//! [`Error`]s made in `js`. Taking it apart would move public names.
//!
//! What the simulator does not know is absent, so that using it does not compile; where a type has to exist and a call cannot be
//! answered, it answers an error that says so. `sim/parity` holds the signatures of both crates against each other.

#[doc(hidden)]
pub use async_trait;
pub use js_sys;
pub use url;
pub use url::Url;
pub use wasm_bindgen;
pub use wasm_bindgen_futures;
pub use web_sys;

pub use crate::abort::*;
pub use crate::absent::*;
pub use crate::cf::{BotManagement, Cf, CfResponseProperties, JsDetection, TlsClientAuth};
pub use crate::context::Context;
pub use crate::cors::Cors;
#[cfg(feature = "d1")]
pub use crate::d1::*;
pub use crate::date::{Date, DateInit};
pub use crate::delay::Delay;
pub use crate::durable::*;
pub use crate::env::{Env, Secret, Var};
pub use crate::error::Error;
pub use crate::formdata::*;
pub use crate::global::Fetch;
pub use crate::headers::Headers;
#[cfg(feature = "http")]
pub use crate::http::{
    body::Body, request::from_wasm as request_from_wasm, request::to_wasm as request_to_wasm,
    response::from_wasm as response_from_wasm, response::to_wasm as response_to_wasm,
};
pub use crate::kv::{KvError, KvStore};
pub use crate::method::Method;
pub use crate::rate_limit::*;
pub use crate::request::{FromRequest, Request};
pub use crate::request_init::*;
pub use crate::response::{EncodeBody, IntoResponse, Response, ResponseBody, ResponseBuilder};
pub use crate::router::{RouteContext, RouteParams, Router};
pub use crate::schedule::*;
pub use crate::sql::*;
pub use crate::streams::*;
pub use worker_macros::{durable_object, event, send};

#[doc(hidden)]
pub use crate::native as __native;

mod abort;
mod absent;
mod cf;
mod console;
mod context;
mod cors;
#[cfg(feature = "d1")]
pub mod d1;
mod date;
mod delay;
pub mod durable;
mod env;
mod error;
mod formdata;
mod global;
mod headers;
#[cfg(feature = "http")]
mod http;
mod js;
pub mod kv;
mod method;
pub mod native;
mod rate_limit;
mod request;
mod request_init;
mod response;
mod router;
mod schedule;
pub mod send;
pub mod signal;
mod sql;
mod streams;

/// What upstream's bindings to the runtime re-export.
#[doc(hidden)]
pub mod worker_sys {
    pub use crate::{console_debug, console_error, console_log, console_warn};
    pub use web_sys;
}

/// A request of the crate `http`.
#[cfg(feature = "http")]
pub type HttpRequest = ::http::Request<Body>;

/// An answer of the crate `http`.
#[cfg(feature = "http")]
pub type HttpResponse = ::http::Response<Body>;

/// A `Result` whose error is [`Error`] unless another is named.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// `ok::Ok(value)` is `Result::<_, Error>::Ok(value)`, where the type of the error cannot be inferred.
///
/// A module of its own, because a function called `Ok` at the root would hide the variant from everyone who writes `use worker::*`.
pub mod ok {
    use super::Result;

    /// The value as a [`Result`] of this crate.
    ///
    /// # Errors
    /// Never.
    #[allow(non_snake_case, reason = "it stands for the variant")]
    pub fn Ok<T>(value: T) -> Result<T> {
        Result::Ok(value)
    }
}

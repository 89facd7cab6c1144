//! Requests and answers as the crate `http` has them, for axum and whatever else is built on it. Needs the feature `http`.
//!
//! `HttpRequest` and `HttpResponse` are what a `fetch` handler may take and answer; they convert from and to [`Request`] and
//! [`Response`]. What `http` has no place for travels in extensions, as upstream: [`Cf`], [`AbortSignal`] and the redirect mode of a
//! request; [`EncodeBody`] and [`CfResponseProperties`] of a response.
//!
//! Absent: WebSockets. The four functions `…_wasm` take and give this crate's own types in place of those of `web_sys`.
//!
//! [`Request`]: crate::Request
//! [`Response`]: crate::Response
//! [`Cf`]: crate::Cf
//! [`AbortSignal`]: crate::AbortSignal
//! [`EncodeBody`]: crate::EncodeBody
//! [`CfResponseProperties`]: crate::CfResponseProperties

pub(crate) mod body;
mod headers;
pub(crate) mod request;
pub(crate) mod response;

#[cfg(test)]
mod tests;

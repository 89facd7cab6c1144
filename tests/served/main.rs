//! The Worker as it is served: over real sockets, under the wall clock, with real receivers of its webhooks.

#![expect(
    clippy::disallowed_methods,
    reason = "servers and their clients run under the wall clock, on threads of their own"
)]

#[path = "../support/mod.rs"]
mod support;

mod client;
mod echo;
mod receiver;
mod server;

mod endless;
mod gateway;
mod routing;
mod socket;
mod stopping;
mod webhooks;
mod workerd;

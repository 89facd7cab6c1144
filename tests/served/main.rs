//! The Worker as it is served: over real sockets, under the wall clock, with real receivers of its webhooks. Then the REST
//! API of the command `sim api`, and the parsers of both.

#![expect(
    clippy::disallowed_methods,
    reason = "servers and their clients run under the wall clock, on threads of their own"
)]

mod echo;

mod endless;
mod gateway;
mod rest_api;
mod routing;
mod socket;
mod stopping;
mod streams;
mod webhooks;
mod wire_fuzz;
mod workerd;

//! The REST API that wrangler's KV and D1 commands use, over real sockets.

#![expect(
    clippy::disallowed_methods,
    reason = "servers and their clients run under the wall clock, on threads of their own"
)]

#[path = "../support/mod.rs"]
mod support;

#[path = "../served/client.rs"]
mod client;
#[path = "../served/server.rs"]
mod server;

mod api;

mod databases;
mod garbage;
mod import_export;
mod keys;
mod live;
mod namespaces;
mod state;
mod token;

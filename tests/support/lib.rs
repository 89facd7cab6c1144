//! What the suites share. Each suite is a program of its own; this is compiled once for all of them.
//!
//! - [`production`]: the production Worker in a simulated world. [`inside`]: closures that run inside the platform.
//! - [`server`]: a world served on a loopback port. [`client`]: sends it bytes. [`receiver`]: takes its webhooks.
//! - [`command`]: the command `sim`. [`process`]: a server that runs as a process.

pub mod client;
pub mod command;
pub mod inside;
pub mod process;
pub mod production;
pub mod receiver;
pub mod server;

/// The workspace's folder.
pub const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

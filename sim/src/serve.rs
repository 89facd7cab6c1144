//! A world under the wall clock: the same simulated platform, over HTTP.
//!
//! - [`socket`]: takes connections, and moves the world's time by the wall clock.
//! - [`http`]: hands requests to the world's own Worker, as a client's.
//! - [`workerd`]: KV and D1 for a Worker that runs in a real workerd, over the protocols that workerd speaks.
//! - [`api`]: the calls of Cloudflare's REST API that wrangler makes for KV and D1.
//! - [`gateway`]: lets the Worker's outbound fetches reach loopback addresses, and hosts that the user allowed by name.
//!
//! A body is either read whole up to a bound, or passed on as it comes (`body`).
//!
//! This module may use the real clock and the real network; no other module of this crate may.

pub mod api;
mod body;
pub mod gateway;
pub mod http;
mod percent;
pub mod socket;
pub mod workerd;

//! A world under the wall clock: the same Worker on the same simulated platform, over HTTP.
//!
//! - [`http`]: takes requests from a socket, hands them to the world as a client's, and moves the world's time along.
//! - [`gateway`]: lets the Worker's outbound fetches reach loopback addresses, and hosts that the user allowed by name.
//!
//! Everything here may look at the real clock and the real network; nothing else in this crate may.

pub mod gateway;
pub mod http;

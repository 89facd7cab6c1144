//! Time, random numbers and order: the deterministic machine under the simulator. It knows nothing of Cloudflare.
//!
//! - [`time`]: [`Instant`](time::Instant), nanoseconds of virtual time.
//! - [`seed`]: named random streams, so that a draw in one never moves another.
//! - [`queue`]: timers in order of (instant, sequence number).
//! - [`exec`]: tasks, first woken first polled, on one thread.
//! - [`fingerprint`]: a chained hash over everything that happened.

pub mod exec;
pub mod fingerprint;
pub mod queue;
pub mod seed;
pub mod time;

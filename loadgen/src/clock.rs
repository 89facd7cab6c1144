//! The one place that reads the wall clock: how long a run takes on this machine.
//!
//! Nothing inside the simulated world uses it; there time is the target's own ([`crate::driver::Target::now`]).

use std::time::{Duration, Instant};

/// A running stopwatch of the wall clock.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    #[allow(
        clippy::disallowed_methods,
        reason = "a load generator measures real time, outside every world"
    )]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the start.
    #[allow(
        clippy::disallowed_methods,
        reason = "a load generator measures real time, outside every world"
    )]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

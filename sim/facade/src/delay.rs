//! [`Delay`]: `setTimeout` as a future, on virtual time.

use edgeproof_sim::Bindings;
use edgeproof_sim::script::LocalBoxFuture;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// A future that is ready after a while: whole milliseconds, counted from its first poll. Dropping it stops the timer.
pub struct Delay {
    duration: Duration,
    timer: Option<LocalBoxFuture<()>>,
}

impl From<Duration> for Delay {
    fn from(duration: Duration) -> Self {
        Self {
            duration,
            timer: None,
        }
    }
}

impl Future for Delay {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        // setTimeout takes milliseconds.
        let whole =
            Duration::from_millis(u64::try_from(self.duration.as_millis()).unwrap_or(u64::MAX));
        let timer = self
            .timer
            .get_or_insert_with(|| Bindings::current().timer(whole));
        timer.as_mut().poll(context)
    }
}

impl fmt::Debug for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delay")
            .field("duration", &self.duration)
            .finish_non_exhaustive()
    }
}

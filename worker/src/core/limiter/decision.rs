//! What a limiter answers.

/// What a limiter says to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Whether it goes through.
    pub allowed: bool,
    /// How many more would go through right now.
    pub remaining: u32,
    /// Whole seconds until quota comes back: for a denied request the `Retry-After` that is kept, from 1 to the window; for an
    /// admitted one how long until the oldest admission is over (`sliding-log`), the window ends (`sliding-counter`,
    /// `fixed-window`) or the bucket is full (`token-bucket`).
    pub reset_seconds: u64,
    /// The same in milliseconds, not rounded.
    pub reset_ms: u64,
}

impl Decision {
    pub(crate) fn admitted(remaining: u32, reset_ms: u64) -> Self {
        Self {
            allowed: true,
            remaining,
            reset_seconds: reset_ms.div_ceil(1_000),
            reset_ms,
        }
    }

    pub(crate) fn denied(wait_ms: u64) -> Self {
        // A wait of 0 cannot be: it would have been admitted. The lower end guards against a client that takes 0 for "at once".
        Self {
            allowed: false,
            remaining: 0,
            reset_seconds: wait_ms.div_ceil(1_000).max(1),
            reset_ms: wait_ms,
        }
    }
}

//! [`RateLimiter`]: the rate limiting binding.

use crate::Result;
use crate::js::thrown;
use edgeproof_sim::Bindings;
use serde::{Deserialize, Serialize};

/// A rate limiter, with the limit and the period of its `[[ratelimits]]`. It counts per location.
#[derive(Debug)]
pub struct RateLimiter {
    limiter: u32,
}

/// What a rate limiter answers.
#[derive(Debug, Serialize, Deserialize)]
pub struct RateLimitOutcome {
    /// Whether the call is within the limit.
    pub success: bool,
}

impl RateLimiter {
    pub(crate) fn new(limiter: u32) -> Self {
        Self { limiter }
    }

    /// Counts a call for a key, if it is within the limit.
    ///
    /// # Errors
    /// Used outside of an invocation of the Worker.
    pub async fn limit(&self, key: String) -> Result<RateLimitOutcome> {
        let asked = Bindings::current().rate_limit(self.limiter, key.into());
        let success = asked.await.map_err(thrown)?;
        Ok(RateLimitOutcome { success })
    }
}

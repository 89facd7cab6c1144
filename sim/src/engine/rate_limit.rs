//! Calls of the rate limiting binding.
//!
//! A call takes no time and sends no message: the counters are cached on the machine that runs the Worker (RL). So it
//! counts neither as a subrequest nor as a call of an internal service; no page says that it does.

use super::{Engine, Operation, scope};
use crate::exception::Exception;
use crate::history::{Op, Outcome};
use crate::name;
use crate::platform::rate_limit::Taking;
use std::rc::Rc;

impl Engine {
    /// Asks the limiter of a binding for a key: whether the call is within the limit.
    ///
    /// # Errors
    /// Outside of a Worker.
    pub(crate) fn limit(&self, limiter: u32, key: Rc<str>) -> Operation<Result<bool, Exception>> {
        let engine = self.clone();
        Operation::new(async move {
            let invocation = scope::invocation()?;
            let bound = &engine.0.deployments.limiters[limiter as usize];
            let begun = engine.begin(|| Op::RateLimit {
                limiter: bound.name.to_string(),
                key: key.to_string(),
            });
            let within = engine.take_of_limit(Taking {
                pop: invocation.pop,
                isolate: invocation.isolate,
                namespace: &bound.namespace,
                key: &key,
                limit: bound.limit,
                period_seconds: bound.period_seconds,
            });
            engine.mix(name!("rate_limit"), |fingerprint| {
                fingerprint.mix_pair(u64::from(limiter), u64::from(within));
                fingerprint.mix_bytes(key.as_bytes());
            });
            engine.finish(begun, || Outcome::RateLimited { within });
            Ok(within)
        })
    }

    /// Counts a call, if it is within its limit.
    pub(crate) fn take_of_limit(&self, call: Taking<'_>) -> bool {
        let lag = self.options().unsettled.rate_limit_lag;
        let mut limits = self.0.rate_limits.borrow_mut();
        limits.take(self.now(), call, lag)
    }
}

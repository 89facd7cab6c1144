//! `RateLimiter`, `RateLimitOutcome`.

both! {
    use serde::Serialize;
    use serde::de::DeserializeOwned;
    use worker::{Env, RateLimitOutcome, RateLimiter, Result, RouteContext};

    const _: fn(&Env, &str) -> Result<RateLimiter> = Env::rate_limiter;

    fn limit<D>(limiter: &RateLimiter, context: &RouteContext<D>, key: String) {
        let _: Is<Result<RateLimitOutcome>> = output(limiter.limit(key));
        let _: Is<Result<RateLimiter>> = of(context.rate_limiter(""));
    }

    fn outcome(success: bool) -> RateLimitOutcome {
        RateLimitOutcome { success }
    }

    fn written<T: Serialize + DeserializeOwned>() {}

    fn traits() {
        debug::<RateLimiter>();
        send_sync::<RateLimiter>();
        debug::<RateLimitOutcome>();
        written::<RateLimitOutcome>();
    }
}

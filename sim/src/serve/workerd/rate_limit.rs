//! The rate limiter behind workerd: a small protocol of our own, used by a module of the generated configuration.
//!
//! workerd has no such binding of its own. `POST /limit` takes `{"key","limit","period"}` and answers `{"success"}`; the texts of
//! refusals are miniflare's (SDK 2026-08-22).

use super::refusal::refusal;
use crate::platform::rate_limit::{PERIODS_SECONDS, Taking};
use crate::serve::body::drained;
use crate::serve::socket::{Body, Response};
use crate::topology::Pop;
use crate::world::World;
use http::StatusCode;
use http::request::Parts;
use hyper::body::Incoming;
use serde::Deserialize;

/// Most bytes of a request. An assumption: practical keys are far shorter.
const REQUEST_BYTES: usize = 64 * 1024;

/// A call of `limit()`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Call {
    /// The key that is counted.
    pub key: String,
    /// Calls allowed in a window.
    pub limit: u64,
    /// The window in seconds.
    pub period: u64,
}

/// Reads a request's body.
///
/// # Errors
/// A text for a request that is no call of `limit()`.
pub fn parse(body: &[u8]) -> Result<Call, String> {
    let call: Call =
        serde_json::from_slice(body).map_err(|_| "invalid rate limit options".to_owned())?;
    if !PERIODS_SECONDS.contains(&call.period) {
        return Err(format!("unsupported period: {}", call.period));
    }
    Ok(call)
}

/// Answers one request for the counters of a namespace, at a PoP.
pub(super) async fn answer(
    world: &World,
    pop: Pop,
    namespace: &str,
    _head: &Parts,
    body: Incoming,
) -> Response {
    let body = match drained(body, REQUEST_BYTES).await {
        Ok(body) => body,
        Err(_) => return refusal(StatusCode::BAD_REQUEST, "invalid rate limit options"),
    };
    match parse(&body) {
        Ok(call) => {
            let success = world.bindings().rate_limit_of_guest(Taking {
                pop,
                // One for all, because isolates of workerd are not told apart: each sees what every other did.
                isolate: 0,
                namespace: &namespace.into(),
                key: &call.key.into(),
                limit: call.limit,
                period_seconds: call.period,
            });
            Response::new(Body::from(format!("{{\"success\":{success}}}")))
        }
        Err(text) => refusal(StatusCode::BAD_REQUEST, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_calls_with_a_known_period_are_taken() {
        assert!(parse(br#"{"key":"a","limit":3,"period":60}"#).is_ok());
        assert_eq!(
            parse(br#"{"key":"a","limit":3,"period":1}"#),
            Err("unsupported period: 1".to_owned())
        );
        for body in [
            "",
            "{}",
            r#"{"key":1,"limit":3,"period":60}"#,
            r#"{"key":"a","limit":-1,"period":60}"#,
        ] {
            assert_eq!(
                parse(body.as_bytes()),
                Err("invalid rate limit options".to_owned()),
                "{body}"
            );
        }
    }
}

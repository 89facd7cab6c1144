//! Alerts: what is said to whom, and the signature by which a receiver knows it is ours (Standard Webhooks).
//!
//! Deciding *whether* to send is [`Dedupe`](crate::core::dedupe::Dedupe) and the limiter's object; sending is
//! [`alerts`](crate::alerts).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use serde::Serialize;
use sha2::Sha256;

use crate::core::config::WebhookKey;
use crate::core::decimal;
use crate::core::route::Route;
use crate::core::time::rfc3339;

/// How often one alert is sent at most: the first time and two retries.
pub const TRIES_MAX: u32 = 3;

/// How long a receiver may take for one try, in milliseconds.
pub const TRY_TIMEOUT_MS: u64 = 5_000;

/// The pauses before the second and the third try, in milliseconds. With three tries of five seconds all is over after 18 s,
/// within the 30 s that `waitUntil` has after the answer (LIM 2026-07-28).
pub const RETRY_PAUSES_MS: [u64; 2] = [1_000, 2_000];

/// Which receiver an alert is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// `ERROR_ALERT_WEBHOOK`
    Error,
    /// `SECURITY_ALERT_WEBHOOK`
    Security,
}

impl Channel {
    /// The name in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Security => "security",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Error => "🚨 Error Alert",
            Self::Security => "🔒 Security Alert",
        }
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// For information; the test alert.
    Low,
    /// Somebody should look within a day.
    Medium,
    /// Somebody should look now.
    High,
    /// The service is down or unsafe.
    Critical,
}

/// Where it happened and to whom.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Details {
    /// The route's path without `/api/`, as in the original design: `transactions`; see [`endpoint`].
    pub endpoint: String,
    /// The method.
    pub method: String,
    /// The user, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The client address that was charged, where there is no user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The policy that was exceeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<&'static str>,
    /// `X-Request-Id` of the request.
    pub request_id: String,
}

/// One alert, ready to be sent.
#[derive(Debug, Clone)]
pub struct Alert {
    /// Its receiver.
    pub channel: Channel,
    /// How bad it is.
    pub severity: Severity,
    /// One sentence without secrets.
    pub message: String,
    /// Where it happened.
    pub details: Details,
}

#[derive(Serialize)]
struct Payload<'a> {
    title: &'static str,
    severity: Severity,
    message: &'a str,
    timestamp: String,
    environment: &'static str,
    details: &'a Details,
}

impl Alert {
    /// The JSON body, with the members and names of the original design.
    pub fn body(&self, environment: &'static str, now_ms: u64) -> String {
        serde_json::to_string(&Payload {
            title: self.channel.title(),
            severity: self.severity,
            message: &self.message,
            timestamp: rfc3339(now_ms),
            environment,
            details: &self.details,
        })
        .expect("text and names are always JSON")
    }
}

/// The path without `/api/` if it is a route's, else `unknown`: any other path is whatever a client sent, a token by mistake perhaps,
/// and what is said here is stored and sent.
pub fn endpoint(path: &str) -> String {
    match Route::of(path) {
        Some(_) => path.strip_prefix("/api/").unwrap_or(path),
        None => "unknown",
    }
    .to_owned()
}

/// The value of `webhook-signature`: `v1,` and the base64 of HMAC-SHA-256 over `id.timestamp.body`.
pub fn signature(key: &WebhookKey, id: &str, timestamp_seconds: u64, body: &str) -> String {
    let mut prefix = String::with_capacity(id.len() + 12);
    prefix.push_str(id);
    prefix.push('.');
    decimal::push(&mut prefix, timestamp_seconds);
    prefix.push('.');
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key.expose()).expect("HMAC takes a key of any length");
    mac.update(prefix.as_bytes());
    mac.update(body.as_bytes());
    let mut signature = String::from("v1,");
    STANDARD.encode_string(mac.finalize().into_bytes(), &mut signature);
    signature
}

/// Whether a receiver that answered with `status` may be asked again: only when the fault is its own or passing.
pub fn worth_a_retry(status: u16) -> bool {
    matches!(status, 408 | 429 | 500..=599)
}

#[cfg(test)]
mod tests {
    use super::{
        Alert, Channel, Details, RETRY_PAUSES_MS, Severity, TRIES_MAX, TRY_TIMEOUT_MS, endpoint,
        signature, worth_a_retry,
    };
    use crate::core::config::WebhookKey;

    #[test]
    fn the_signature_is_that_of_the_specification() {
        // The example of the Standard Webhooks specification.
        let key = WebhookKey::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        assert_eq!(
            signature(
                &key,
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                r#"{"test": 2432232314}"#
            ),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn a_change_of_any_signed_part_changes_the_signature() {
        let key = WebhookKey::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = signature(&key, "msg_1", 1, "{}");
        assert_ne!(signed, signature(&key, "msg_2", 1, "{}"));
        assert_ne!(signed, signature(&key, "msg_1", 2, "{}"));
        assert_ne!(signed, signature(&key, "msg_1", 1, "{} "));
        assert_ne!(
            signed,
            signature(&WebhookKey::parse("whsec_AAAA").unwrap(), "msg_1", 1, "{}")
        );
    }

    #[test]
    fn the_body_has_the_names_of_the_original_design_and_real_characters() {
        let alert = Alert {
            channel: Channel::Error,
            severity: Severity::High,
            message: "Database query failed".to_owned(),
            details: Details {
                endpoint: endpoint("/api/transactions"),
                method: "POST".to_owned(),
                user_id: Some("user-123".to_owned()),
                request_id: "r".to_owned(),
                ..Details::default()
            },
        };
        assert_eq!(
            alert.body("production", 1_760_920_061_281),
            "{\"title\":\"\u{1F6A8} Error Alert\",\"severity\":\"high\",\"message\":\"Database query failed\",\
             \"timestamp\":\"2025-10-20T00:27:41.281Z\",\"environment\":\"production\",\
             \"details\":{\"endpoint\":\"transactions\",\"method\":\"POST\",\"userId\":\"user-123\",\"requestId\":\"r\"}}"
        );
        let security = Alert {
            channel: Channel::Security,
            ..alert
        };
        assert!(
            security
                .body("preview", 0)
                .starts_with("{\"title\":\"\u{1F512} Security Alert\"")
        );
    }

    #[test]
    fn all_tries_end_before_the_platform_ends_them() {
        let all_ms = u64::from(TRIES_MAX) * TRY_TIMEOUT_MS + RETRY_PAUSES_MS.iter().sum::<u64>();
        assert_eq!(RETRY_PAUSES_MS.len() as u32 + 1, TRIES_MAX);
        assert!(all_ms < 30_000);
    }

    #[test]
    fn only_the_receivers_own_faults_are_retried() {
        for retried in [500, 502, 503, 599, 429, 408] {
            assert!(worth_a_retry(retried), "{retried}");
        }
        for last in [200, 204, 301, 400, 401, 404, 410, 422] {
            assert!(!worth_a_retry(last), "{last}");
        }
    }

    #[test]
    fn only_the_paths_of_routes_are_told() {
        assert_eq!(endpoint("/api/transactions"), "transactions");
        assert_eq!(endpoint("/api/transactions/17"), "transactions/17");
        assert_eq!(endpoint("/api/admin/alerts/test"), "admin/alerts/test");
        for other in [
            "",
            "/",
            "/api/",
            "/api/reset/a-token",
            "/api/transactions/a-token",
            "/transactions",
        ] {
            assert_eq!(endpoint(other), "unknown", "{other}");
        }
    }
}

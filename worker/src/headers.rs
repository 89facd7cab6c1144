//! What every answer carries, and how a [`Reply`] becomes a response.
//!
//! The headers that never change are built once per isolate and copied, which is a good deal cheaper than setting eleven
//! headers one by one for each answer.

use worker::{Headers, Response, ResponseBody, Result};

use crate::core::decimal;
use crate::core::limiter::Decision;
use crate::core::policy::Policy;

/// On every answer. Values after the OWASP Secure Headers Project, for an API that serves no document and no file:
/// nothing may be loaded, framed or kept, and the server's own cache (KV) is not visible to HTTP.
const ALWAYS: [(&str, &str); 11] = [
    (
        "Strict-Transport-Security",
        "max-age=31536000; includeSubDomains",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    (
        "Content-Security-Policy",
        "default-src 'none'; frame-ancestors 'none'",
    ),
    ("Referrer-Policy", "no-referrer"),
    (
        "Permissions-Policy",
        "geolocation=(), camera=(), microphone=()",
    ),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("X-Permitted-Cross-Domain-Policies", "none"),
    ("Cache-Control", "no-store"),
    // Always, and not only where an origin is allowed: a cache must know that the answer depends on it.
    ("Vary", "Origin"),
];

/// What a page of an allowed origin may read besides the body.
const EXPOSED: &str = "RateLimit, RateLimit-Policy, Retry-After, X-Request-Id, X-Cache";

/// How a body is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Json,
    Problem,
    /// Prometheus text.
    Text,
    Empty,
}

/// An answer before its headers.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) form: Form,
    pub(crate) body: Vec<u8>,
    /// Headers of this answer alone.
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Reply {
    /// A JSON answer.
    pub(crate) fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            form: Form::Json,
            body: body.into(),
            headers: Vec::new(),
        }
    }

    /// An answer without a body.
    pub(crate) fn empty(status: u16) -> Self {
        Self {
            status,
            form: Form::Empty,
            body: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// With a header of its own.
    pub(crate) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// The unchanging headers, one set for each form of body.
#[derive(Debug)]
pub(crate) struct Prepared([Headers; 4]);

impl Prepared {
    pub(crate) fn new() -> Self {
        Self(
            [
                Some("application/json"),
                Some("application/problem+json"),
                Some("text/plain; version=0.0.4; charset=utf-8"),
                None,
            ]
            .map(|content_type| {
                let always = ALWAYS.into_iter();
                always
                    .chain(content_type.map(|value| ("Content-Type", value)))
                    .collect()
            }),
        )
    }

    fn of(&self, form: Form) -> Headers {
        self.0[form as usize].clone()
    }
}

/// What the headers of one answer depend on besides the reply.
pub(crate) struct Sent<'a> {
    pub(crate) request_id: &'a str,
    /// `Origin`, if it is an allowed one.
    pub(crate) origin: Option<&'a str>,
    /// The policy that the request was charged to, and what the limiter said.
    pub(crate) charge: Option<(&'a Policy, Decision)>,
}

/// The response for a reply.
pub(crate) fn response(prepared: &Prepared, reply: Reply, sent: &Sent<'_>) -> Result<Response> {
    let headers = prepared.of(reply.form);
    headers.set("X-Request-Id", sent.request_id)?;
    if let Some((policy, decision)) = sent.charge {
        headers.set("RateLimit-Policy", &policy.field)?;
        headers.set("RateLimit", &rate_limit(policy, decision))?;
        if !decision.allowed {
            let mut seconds = String::new();
            decimal::push(&mut seconds, decision.reset_seconds);
            headers.set("Retry-After", &seconds)?;
        }
    }
    if let Some(origin) = sent.origin {
        headers.set("Access-Control-Allow-Origin", origin)?;
        headers.set("Access-Control-Expose-Headers", EXPOSED)?;
    }
    for (name, value) in &reply.headers {
        headers.set(name, value)?;
    }
    let body = match reply.form {
        Form::Empty => ResponseBody::Empty,
        _ => ResponseBody::Body(reply.body),
    };
    Ok(Response::from_body(body)?
        .with_status(reply.status)
        .with_headers(headers))
}

/// `"write";r=49;t=60`: what is left, and for how long.
fn rate_limit(policy: &Policy, decision: Decision) -> String {
    let mut field = String::with_capacity(32);
    field.push('"');
    field.push_str(policy.name.as_str());
    field.push_str("\";r=");
    decimal::push(&mut field, decision.remaining.into());
    field.push_str(";t=");
    decimal::push(&mut field, decision.reset_seconds);
    field
}

#[cfg(test)]
mod tests {
    use super::{ALWAYS, rate_limit};
    use crate::core::limiter::Decision;
    use crate::core::policy::{Policies, PolicyName};

    #[test]
    fn the_field_says_what_is_left_and_for_how_long() {
        let policies = Policies::new(100, 5, 50, 60_000);
        let denied = Decision {
            allowed: false,
            remaining: 0,
            reset_seconds: 37,
            reset_ms: 36_001,
        };
        assert_eq!(
            rate_limit(policies.get(PolicyName::Write), denied),
            "\"write\";r=0;t=37"
        );
    }

    #[test]
    fn no_header_is_set_twice() {
        for (place, (name, _)) in ALWAYS.iter().enumerate() {
            assert!(
                !ALWAYS[..place]
                    .iter()
                    .any(|(other, _)| other.eq_ignore_ascii_case(name)),
                "{name}"
            );
        }
    }
}

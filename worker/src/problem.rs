//! Failures, and how they are told: problem details (RFC 9457), `application/problem+json`.
//!
//! A body says what the client can do about it and never what broke inside: no SQL, no engine text, no file name. That goes to
//! the error log.

use serde::Serialize;

use crate::core::validate::{BodyError, Fault};
use crate::headers::{Form, Reply};

/// Type of a 429 of ours, from the IANA registry of problem types (draft-ietf-httpapi-ratelimit-headers-10): by this a client
/// tells it from a 429 of the platform.
const QUOTA_EXCEEDED: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";

/// Seconds after which a client may try again when a store was away.
const STORE_RETRY_SECONDS: u64 = 30;

/// Why a request gets no success.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The request is at fault, or it comes too often: nothing to log as an error.
    Refused(Box<Problem>),
    /// A store that the route cannot do without is absent or failing: 503. The text is for the log.
    Store(String),
    /// A fault of this program: 500. The text is for the log.
    Unexpected(String),
}

/// A problem before it has a request id.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) status: u16,
    pub(crate) detail: &'static str,
    errors: Vec<Fault>,
    violated: Option<&'static str>,
    headers: Vec<(&'static str, String)>,
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    title: &'static str,
    status: u16,
    detail: &'static str,
    #[serde(rename = "requestId")]
    request_id: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [Fault],
    #[serde(rename = "violated-policies", skip_serializing_if = "Option::is_none")]
    violated: Option<[&'static str; 1]>,
}

impl Problem {
    /// A problem with a status and a sentence for the client.
    pub(crate) fn new(status: u16, detail: &'static str) -> Self {
        Self {
            status,
            detail,
            errors: Vec::new(),
            violated: None,
            headers: Vec::new(),
        }
    }

    /// With a header of its own.
    pub(crate) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// 429 for a quota that is used up; `Retry-After` is added with the `RateLimit` fields, from the same decision.
    pub(crate) fn quota_exceeded(policy: &'static str) -> Self {
        let mut problem = Self::new(
            429,
            "The quota is used up. Try again after the time in Retry-After.",
        );
        problem.violated = Some(policy);
        problem
    }

    /// 401, with the challenge that RFC 6750 asks for; it names an error only if there was a token.
    pub(crate) fn unauthorized(had_token: bool) -> Self {
        if had_token {
            Self::new(401, "The bearer token is not valid.").with_header(
                "WWW-Authenticate",
                "Bearer realm=\"edgeproof\", error=\"invalid_token\"",
            )
        } else {
            Self::new(401, "A bearer token is needed.")
                .with_header("WWW-Authenticate", "Bearer realm=\"edgeproof\"")
        }
    }

    /// 503 that asks to come again later.
    pub(crate) fn unavailable(detail: &'static str) -> Self {
        Self::new(503, detail).with_header("Retry-After", STORE_RETRY_SECONDS.to_string())
    }

    /// The answer.
    pub(crate) fn reply(self, request_id: &str) -> Reply {
        let body = Body {
            kind: self.violated.map(|_| QUOTA_EXCEEDED),
            title: title(self.status),
            status: self.status,
            detail: self.detail,
            request_id,
            errors: &self.errors,
            violated: self.violated.map(|policy| [policy]),
        };
        let body = serde_json::to_vec(&body).expect("text and numbers are always JSON");
        Reply {
            status: self.status,
            form: Form::Problem,
            body,
            headers: self.headers,
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Refused(Box::new(problem))
    }
}

impl From<BodyError> for Failure {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Malformed(detail) => Problem::new(400, detail).into(),
            BodyError::Invalid(errors) => {
                let mut problem =
                    Problem::new(422, "The body does not have the form that is asked for.");
                problem.errors = errors;
                problem.into()
            }
        }
    }
}

/// A query failed. What the client should do is the same whatever the engine says: come again later.
impl From<worker::Error> for Failure {
    fn from(error: worker::Error) -> Self {
        Self::Store(error.to_string())
    }
}

/// The reason phrase (RFC 9110 §15).
fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    }
}

#[cfg(test)]
mod tests {
    use super::{Failure, Problem};
    use crate::core::validate::transaction;

    fn json(problem: Problem) -> serde_json::Value {
        serde_json::from_slice(&problem.reply("req-1").body).unwrap()
    }

    #[test]
    fn a_problem_has_its_status_and_the_request_id() {
        let body = json(Problem::new(404, "There is nothing here."));
        assert_eq!(
            body,
            serde_json::json!({"title": "Not Found", "status": 404, "detail": "There is nothing here.", "requestId": "req-1"})
        );
    }

    #[test]
    fn a_used_up_quota_has_the_registered_type_and_names_the_policy() {
        let body = json(Problem::quota_exceeded("write"));
        assert_eq!(
            body["type"],
            "https://iana.org/assignments/http-problem-types#quota-exceeded"
        );
        assert_eq!(body["violated-policies"], serde_json::json!(["write"]));
        assert_eq!(body["status"], 429);
    }

    #[test]
    fn the_faults_of_a_body_are_listed_with_their_places() {
        let Err(error) = transaction(br#"{"test":"data"}"#) else {
            panic!("the body has faults")
        };
        let Failure::Refused(problem) = Failure::from(error) else {
            panic!("a fault of the client")
        };
        let body = json(*problem);
        assert_eq!(body["status"], 422);
        assert_eq!(body["errors"][0]["pointer"], "/type");
        assert_eq!(body["errors"].as_array().map(Vec::len), Some(4));
    }
}

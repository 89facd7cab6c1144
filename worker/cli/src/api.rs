//! The contract of the API: routes, policies, statuses, denials and the login.

use bytes::Bytes;
use edgeproof_loadgen::USER_AGENT as LOADGEN;
use edgeproof_loadgen::answer::Answer;
use edgeproof_loadgen::contract::problem::{Problem, QUOTA_EXCEEDED};
use edgeproof_loadgen::contract::{Charge, Contract, Denial, Sample, Words};
use edgeproof_loadgen::plan::{Auth, Plan, Template};
use edgeproof_loadgen::secret::Secret;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};
use http::{HeaderMap, Method};
use serde::Deserialize;

/// The policy for reads and for requests without a valid token.
pub const GENERAL: Charge = Charge::Policy("general");
/// The policy for writes.
pub const WRITE: Charge = Charge::Policy("write");
/// The policy for logins.
pub const AUTH: Charge = Charge::Policy("auth");

const HEALTH: &str = "/api/health";
const LOGIN: &str = "/api/auth/login";
const TRANSACTIONS: &str = "/api/transactions";

/// A transaction that the Worker accepts.
const TRANSACTION: &str =
    r#"{"type":"expense","amount":12.34,"description":"burst","date":"2026-01-15"}"#;

/// Statuses that the contract gives to requests that passed the limiter.
const EXPECTED_STATUSES: [u16; 12] = [200, 201, 202, 204, 400, 401, 403, 404, 405, 413, 415, 422];

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The API of this Worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Api;

impl Contract for Api {
    fn sample(&self) -> Sample {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, JSON);
        headers.insert(ACCEPT, JSON);
        headers.insert(USER_AGENT, HeaderValue::from_static(LOADGEN));
        Sample {
            template: Template {
                method: Method::POST,
                path_and_query: TRANSACTIONS.into(),
                headers,
                body: Bytes::from_static(TRANSACTION.as_bytes()),
            },
            needs_token: true,
        }
    }

    fn charge(&self, plan: &Plan) -> Charge {
        let method = &plan.template.method;
        match plan.template.path() {
            _ if method == Method::OPTIONS => Charge::Free,
            HEALTH => Charge::Free,
            LOGIN if method == Method::POST => AUTH,
            // Without a valid token a request is charged to its address, on every route.
            _ if plan.auth == Auth::None => GENERAL,
            TRANSACTIONS | "/api/admin/alerts/test" if method == Method::POST => WRITE,
            TRANSACTIONS
            | "/api/dashboard"
            | "/api/reports"
            | "/api/admin/audit-logs"
            | "/api/admin/error-logs"
            | "/api/admin/metrics"
                if method == Method::GET =>
            {
                GENERAL
            }
            _ => Charge::Unknown,
        }
    }

    fn wrong_status(&self, plan: &Plan, charge: Charge, answer: &Answer) -> Option<&'static str> {
        let status = answer.status;
        match charge {
            // Without rate-limit fields only the status can be judged on a route free of charge.
            Charge::Free if !(200..300).contains(&status) => Some("on a route free of charge"),
            Charge::Free if is_health(plan) && status != 200 => Some("of the health route"),
            Charge::Free
                if is_health(plan)
                    && !answer
                        .media_type()
                        .eq_ignore_ascii_case(b"application/json") =>
            {
                Some("without the Content-Type application/json of the health route")
            }
            _ if !EXPECTED_STATUSES.contains(&status) => Some(""),
            _ => None,
        }
    }

    fn denial<'a>(&self, answer: &'a Answer) -> Option<Denial<'a>> {
        if !answer.headers.contains_key(X_REQUEST_ID) {
            return None;
        }
        let problem = Problem::of(answer)?;
        (problem.kind.as_deref() == Some(QUOTA_EXCEEDED)).then_some(Denial {
            problem: Some(problem),
            retry_after_required: true,
        })
    }

    fn judges_fields(&self) -> bool {
        true
    }

    fn login(&self, user: &str, password: &Secret) -> Option<Template> {
        let body = serde_json::json!({ "username": user, "password": password.expose() });
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, JSON);
        Some(Template {
            method: Method::POST,
            path_and_query: LOGIN.into(),
            headers,
            body: body.to_string().into(),
        })
    }

    fn token(&self, answer: &Answer) -> Option<Secret> {
        #[derive(Deserialize)]
        struct Login {
            token: String,
        }
        if answer.status != 200 {
            return None;
        }
        let login: Login = serde_json::from_slice(&answer.body).ok()?;
        Some(Secret::new(login.token))
    }

    fn words(&self) -> Words {
        Words {
            examples: "
  loadgen burst
  loadgen burst -n 200000 --clients 1000 --users 5000 --json -
  loadgen burst -- curl -X POST https://your-app.pages.dev/api/transactions \\
      -H 'Authorization: Bearer YOUR_TOKEN' -H 'Content-Type: application/json' -d '{\"test\":\"data\"}'
  loadgen burst http://127.0.0.1:8787 --login demo:demo-pass-9137",
            sample: "a valid transaction is posted",
            mark: "the Worker's problem type and X-Request-Id",
            own_denials: "every 429 carries the Worker's own mark",
        }
    }
}

fn is_health(plan: &Plan) -> bool {
    plan.template.method != Method::OPTIONS && plan.template.path() == HEALTH
}

#[cfg(test)]
mod tests;

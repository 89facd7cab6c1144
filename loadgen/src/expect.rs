//! What the burst should show: stated by `--expect`, or computed from the plan and the quotas in force.
//!
//! The computation is the contract of an exact limiter: in a burst shorter than the window, the first `q` requests of
//! every identity are admitted and the others are denied. Where no table says which quota a request is charged to, or
//! no quota is known, there is no expectation, and the run cannot be measured without `--expect`.

use std::str::FromStr;

use http::Method;
use serde::Serialize;
use thiserror::Error;

use crate::plan::{Auth, Plan};

/// The limits a Worker is configured with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quotas {
    /// Requests per window of the policy for reads and unauthenticated requests.
    pub general: u64,
    /// Requests per window of the policy for writes.
    pub write: u64,
    /// Requests per window of the policy for logins.
    pub auth: u64,
    /// The window of every policy.
    pub window_seconds: u64,
    /// Whether the limiter is on.
    pub enabled: bool,
}

/// The quota that the requests of a plan are charged to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// `q`: requests per window and identity.
    pub requests: u64,
    /// `w`: the window in seconds.
    pub window_seconds: u64,
}

/// Which quota a request is charged to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charge {
    /// None: every request is admitted.
    Free,
    /// The policy for reads and for requests without a valid token.
    General,
    /// The policy for writes.
    Write,
    /// The policy for logins.
    Auth,
    /// The table of routes does not say.
    Unknown,
}

impl Charge {
    /// The charge of the plan's request, by the Worker's table of routes.
    pub fn of(plan: &Plan) -> Self {
        let method = &plan.template.method;
        match plan.template.path() {
            _ if method == Method::OPTIONS => Self::Free,
            "/api/health" => Self::Free,
            "/api/auth/login" if method == Method::POST => Self::Auth,
            // Without a valid token a request is charged to its address, whatever it asks for.
            _ if plan.auth == Auth::None => Self::General,
            "/api/transactions" | "/api/admin/alerts/test" if method == Method::POST => Self::Write,
            "/api/transactions"
            | "/api/dashboard"
            | "/api/reports"
            | "/api/admin/audit-logs"
            | "/api/admin/error-logs"
            | "/api/admin/metrics"
                if method == Method::GET =>
            {
                Self::General
            }
            _ => Self::Unknown,
        }
    }

    /// The quota of this charge under `quotas`; `None` if nothing is limited or nothing is known.
    pub fn quota(self, quotas: &Quotas) -> Option<Quota> {
        let requests = match self {
            _ if !quotas.enabled => return None,
            Self::Free | Self::Unknown => return None,
            Self::General => quotas.general,
            Self::Write => quotas.write,
            Self::Auth => quotas.auth,
        };
        Some(Quota {
            requests,
            window_seconds: quotas.window_seconds,
        })
    }
}

/// How many requests should be admitted and how many denied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Expectation {
    /// `None`: not stated.
    pub admitted: Option<u64>,
    /// `None`: not stated.
    pub denied: Option<u64>,
    /// Where the numbers come from.
    pub basis: String,
}

impl Expectation {
    /// The first `q` of each identity are admitted; without a quota all are.
    pub fn computed(plan: &Plan, quota: Option<Quota>, basis: impl Into<String>) -> Self {
        let admitted = match quota {
            Some(quota) => (0..plan.identity_count())
                .map(|identity| plan.requests_of(identity).min(quota.requests))
                .sum(),
            None => plan.requests,
        };
        Self {
            admitted: Some(admitted),
            denied: Some(plan.requests - admitted),
            basis: basis.into(),
        }
    }

    /// Whether the counts are the expected ones.
    pub fn holds(&self, admitted: u64, denied: u64) -> bool {
        self.admitted.is_none_or(|expected| expected == admitted)
            && self.denied.is_none_or(|expected| expected == denied)
    }
}

/// Why an `--expect` is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ExpectError {
    /// Not `name=number`.
    #[error("counts are of the form admitted=N or denied=N, with a comma between them")]
    Form,
    /// Not a whole number.
    #[error("a count is a whole number")]
    Number,
    /// The same name twice.
    #[error("{0} is given twice")]
    Twice(&'static str),
}

impl FromStr for Expectation {
    type Err = ExpectError;

    /// `admitted=50,denied=100`, or one of the two.
    fn from_str(text: &str) -> Result<Self, ExpectError> {
        let mut expectation = Self {
            admitted: None,
            denied: None,
            basis: "--expect".into(),
        };
        for part in text.split(',') {
            let (name, number) = part.split_once('=').ok_or(ExpectError::Form)?;
            let (slot, name) = match name.trim() {
                "admitted" => (&mut expectation.admitted, "admitted"),
                "denied" => (&mut expectation.denied, "denied"),
                _ => return Err(ExpectError::Form),
            };
            // `u64::from_str` would take a leading `+`.
            let number = number.trim();
            let value =
                Some(number).filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
            let value = value
                .and_then(|number| number.parse().ok())
                .ok_or(ExpectError::Number)?;
            if slot.replace(value).is_some() {
                return Err(ExpectError::Twice(name));
            }
        }
        Ok(expectation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::plan;

    const QUOTAS: Quotas = Quotas {
        general: 100,
        write: 50,
        auth: 5,
        window_seconds: 60,
        enabled: true,
    };

    fn expected(plan: &Plan, quotas: &Quotas) -> (u64, u64) {
        let expectation = Expectation::computed(plan, Charge::of(plan).quota(quotas), "test");
        (
            expectation.admitted.expect("computed"),
            expectation.denied.expect("computed"),
        )
    }

    #[test]
    fn the_first_q_of_each_identity_are_expected() {
        assert_eq!(expected(&plan(150, 1), &QUOTAS), (50, 100));
        assert_eq!(expected(&plan(150, 4), &QUOTAS), (150, 0));
        assert_eq!(expected(&plan(110, 2), &QUOTAS), (100, 10));
        assert_eq!(expected(&plan(101, 2), &QUOTAS), (100, 1));
        assert_eq!(
            expected(
                &plan(150, 1),
                &Quotas {
                    enabled: false,
                    ..QUOTAS
                }
            ),
            (150, 0)
        );
    }

    #[test]
    fn each_route_has_its_charge() {
        let charge = |method: Method, path: &str, auth| {
            let mut plan = plan(1, 1);
            plan.template.method = method;
            plan.template.path_and_query = path.into();
            plan.auth = auth;
            Charge::of(&plan)
        };
        assert_eq!(
            charge(Method::GET, "/api/transactions?limit=3", Auth::PerUser),
            Charge::General
        );
        assert_eq!(
            charge(Method::POST, "/api/transactions", Auth::None),
            Charge::General
        );
        assert_eq!(
            charge(Method::POST, "/api/auth/login", Auth::None),
            Charge::Auth
        );
        assert_eq!(
            charge(Method::POST, "/api/auth/login", Auth::Given),
            Charge::Auth
        );
        assert_eq!(charge(Method::GET, "/api/health", Auth::None), Charge::Free);
        assert_eq!(
            charge(Method::DELETE, "/api/transactions", Auth::PerUser),
            Charge::Unknown
        );
        assert_eq!(
            charge(Method::GET, "/elsewhere", Auth::Given),
            Charge::Unknown
        );
    }

    #[test]
    fn an_expectation_is_read_strictly() {
        let both: Expectation = "admitted=50, denied=100".parse().expect("valid");
        assert!(both.holds(50, 100) && !both.holds(100, 50) && !both.holds(50, 99));
        let one: Expectation = "denied=0".parse().expect("valid");
        assert!(one.holds(7, 0) && !one.holds(7, 1));
        for text in [
            "",
            "admitted",
            "admitted=",
            "admitted=+5",
            "admitted=-1",
            "allowed=5",
            "admitted=1,admitted=1",
            "admitted=1,",
        ] {
            assert!(text.parse::<Expectation>().is_err(), "{text}");
        }
    }
}

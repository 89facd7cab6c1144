//! The expected counts of a burst: stated by `--expect`, or computed from the plan and the quotas in force.
//!
//! The computation is the contract of an exact limiter: in a burst shorter than the window, the first `q` requests of
//! every identity are admitted and the others are denied. Where the contract does not say which quota a request is charged
//! to, or no quota is known, there is no expectation, and the run cannot be measured without `--expect`.

use std::str::FromStr;

use serde::Serialize;
use thiserror::Error;

use crate::contract::Quota;
use crate::plan::Plan;

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

    fn expected(plan: &Plan, quota: Option<u64>) -> (u64, u64) {
        let quota = quota.map(|requests| Quota {
            requests,
            window_seconds: 60,
        });
        let expectation = Expectation::computed(plan, quota, "test");
        (
            expectation.admitted.expect("computed"),
            expectation.denied.expect("computed"),
        )
    }

    #[test]
    fn the_first_q_of_each_identity_are_expected() {
        assert_eq!(expected(&plan(150, 1), Some(50)), (50, 100));
        assert_eq!(expected(&plan(150, 4), Some(50)), (150, 0));
        assert_eq!(expected(&plan(110, 2), Some(50)), (100, 10));
        assert_eq!(expected(&plan(101, 2), Some(50)), (100, 1));
        assert_eq!(expected(&plan(150, 1), None), (150, 0));
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

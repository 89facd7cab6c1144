//! From counts and checks to one verdict.
//!
//! *Unmeasured* takes precedence over the two others: a run whose conditions were not met proves nothing, whatever its
//! counts are. Its reasons name the condition.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::contract::{Charge, Quota};
use crate::counted;
use crate::expect::Expectation;
use crate::observe::{Check, Outcome, Stop, Tally};
use crate::plan::{Auth, Plan};

/// Whether the contract was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The counts are the expected ones and no check failed.
    Pass,
    /// The contract was broken.
    Fail,
    /// The run cannot tell.
    Unmeasured,
}

impl Verdict {
    /// The exit code of the program: 0 kept, 1 broken, 3 could not measure (2 is a wrong command line).
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Fail => 1,
            Self::Unmeasured => 3,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Unmeasured => "unmeasured",
        })
    }
}

/// The inputs of a verdict, beside the tally.
#[derive(Debug)]
pub struct Evidence<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// What its requests are charged to.
    pub charge: Charge,
    /// The quota in force, configured or learned.
    pub quota: Option<Quota>,
    /// `--expect`, if given.
    pub stated: Option<&'a Expectation>,
    /// The expectation that holds: the stated or the computed one.
    pub expected: Option<&'a Expectation>,
    /// The algorithm in force, where its counts cannot be computed.
    pub inexact: Option<&'static str>,
    /// Whether every identity is known to be unused before the run (a world of its own).
    pub fresh: bool,
    /// What the target could not do (log in, connect).
    pub target_trouble: &'a [String],
}

/// The conditions of a measurement that this run did not meet.
pub fn unmeasured(tally: &Tally, evidence: &Evidence<'_>) -> Vec<String> {
    let mut reasons = evidence.target_trouble.to_vec();
    match &tally.stopped {
        Some(Stop::Platform(platform)) => reasons.push(format!("the platform refused: {platform}")),
        Some(Stop::Unreachable) => {
            reasons.push(
                tally
                    .first_error
                    .clone()
                    .unwrap_or_else(|| "the target cannot be reached".into()),
            );
        }
        Some(Stop::Interrupted) => reasons.push("interrupted".into()),
        None => {}
    }
    if tally.foreign > 0 {
        reasons.push(format!(
            "{}: somebody else than the Worker denied requests",
            counted(tally.foreign, "foreign 429")
        ));
    }
    if tally.timeouts > 0 {
        reasons.push(format!(
            "{} timed out, so nobody knows whether it was admitted",
            counted(tally.timeouts, "request")
        ));
    }
    if !reasons.is_empty() {
        return reasons;
    }
    if tally.sent < evidence.plan.requests {
        reasons.push(format!(
            "no more than {} of {} went out",
            tally.sent,
            counted(evidence.plan.requests, "request")
        ));
    }
    if evidence.expected.is_none() {
        reasons.push(match (evidence.charge, evidence.inexact) {
            (_, Some(algorithm)) => format!(
                "no counts are computed for the algorithm {algorithm}, only for the exact one: state them with --expect"
            ),
            (Charge::Unknown, None) => {
                "no quota is known for this method and path: state the counts with --expect".into()
            }
            (_, None) => {
                "no answer told its quota (RateLimit-Policy): state the counts with --expect".into()
            }
        });
    }
    if let Some(quota) = evidence.quota {
        // Within one window the first q are admitted, whenever they come. Beyond it quota comes back and the counts
        // depend on timing; except where no identity ever asks for more than q, because then nothing is denied anyway.
        let duration = tally.duration();
        let most = (0..evidence.plan.identity_count())
            .map(|identity| evidence.plan.requests_of(identity))
            .max();
        let window = Duration::from_secs(quota.window_seconds);
        if duration >= window && most.is_some_and(|most| most > quota.requests) {
            reasons.push(format!(
                "the burst took {:.1} s, longer than the limiter's window of {} s: send fewer requests or use more --clients",
                duration.as_secs_f64(),
                quota.window_seconds
            ));
        }
        if let Some(used) = tally.checks.used_before(quota)
            && !evidence.fresh
            && evidence.stated.is_none()
            && tally.errors() == 0
        {
            reasons.push(format!(
                "{used} of {} of this window were used before the burst: wait {} s, or use another user",
                counted(quota.requests, "request"), quota.window_seconds
            ));
        }
    }
    let refused = tally.admitted > 0 && tally.checks.unauthorized() == tally.admitted;
    if refused && evidence.plan.auth != Auth::None && evidence.stated.is_none() {
        reasons.push(
            "every admitted request was answered 401: the credential is not valid here".into(),
        );
    }
    reasons
}

/// The verdict: `unmeasured` are the reasons of [`unmeasured`], `checks` those of the whole run.
pub fn verdict(unmeasured: &[String], checks: &[Check]) -> Verdict {
    if !unmeasured.is_empty() {
        Verdict::Unmeasured
    } else if checks.iter().any(|check| check.verdict == Outcome::Fail) {
        Verdict::Fail
    } else {
        Verdict::Pass
    }
}

/// The two checks on the run rather than on single answers: the counts, and the connections.
pub fn run_checks(tally: &Tally, expected: Option<&Expectation>) -> Vec<Check> {
    let mut checks = Vec::new();
    if let Some(expected) = expected {
        let number =
            |number: Option<u64>| number.map_or("any".to_owned(), |number| number.to_string());
        checks.push(Check::of_run(
            "counts",
            expected.holds(tally.admitted, tally.denied),
            format!(
                "{} admitted and {} denied, expected {} and {} ({})",
                tally.admitted,
                tally.denied,
                number(expected.admitted),
                number(expected.denied),
                expected.basis
            ),
        ));
    }
    let dropped = tally.resets + tally.protocol_errors;
    let mut detail = match (tally.resets, tally.protocol_errors) {
        _ if tally.sent == 0 => "nothing was sent".to_owned(),
        (0, 0) => "every answer came whole".to_owned(),
        (resets, 0) => format!("{} reset before the answer", counted(resets, "connection")),
        (resets, broken) => {
            format!(
                "{} reset, {} unreadable",
                counted(resets, "connection"),
                counted(broken, "answer")
            )
        }
    };
    if let (true, Some(error)) = (tally.protocol_errors > 0, &tally.first_error) {
        detail = format!("{detail}: {error}");
    }
    checks.push(Check {
        name: "connections",
        verdict: match dropped {
            _ if tally.sent == 0 => Outcome::Skipped,
            0 => Outcome::Pass,
            _ => Outcome::Fail,
        },
        detail,
        passed: tally.sent - dropped,
        failed: dropped,
    });
    checks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::{Answer, SendError};
    use crate::contract::generic::Generic;
    use crate::observe::Checks;
    use crate::plan::tests::plan;
    use bytes::Bytes;
    use http::HeaderMap;
    use std::rc::Rc;

    fn tally(plan: &Plan, outcomes: Vec<Result<Answer, SendError>>, seconds: u64) -> Tally {
        let mut tally = Tally::new(Checks::new(Rc::new(Generic), plan, Charge::Free, None));
        for (index, outcome) in (0..).zip(&outcomes) {
            tally.record(
                plan,
                &plan.request(index, 0),
                outcome,
                Duration::ZERO,
                Duration::from_secs(seconds),
            );
        }
        tally.sent = outcomes.len() as u64;
        tally
    }

    fn ok() -> Result<Answer, SendError> {
        Ok(Answer {
            status: 201,
            headers: HeaderMap::new(),
            body: Bytes::new(),
        })
    }

    fn reasons(plan: &Plan, tally: &Tally, quota: u64) -> Vec<String> {
        let expected = Expectation {
            admitted: None,
            denied: None,
            basis: String::new(),
        };
        unmeasured(
            tally,
            &Evidence {
                plan,
                charge: Charge::Policy("write"),
                quota: Some(Quota {
                    requests: quota,
                    window_seconds: 60,
                }),
                stated: None,
                expected: Some(&expected),
                inexact: None,
                fresh: true,
                target_trouble: &[],
            },
        )
    }

    #[test]
    fn a_burst_longer_than_the_window_has_no_verdict_where_time_matters() {
        let plan = plan(2, 1);
        let at = |seconds| tally(&plan, vec![ok(), ok()], seconds);
        assert!(reasons(&plan, &at(59), 1).is_empty());
        assert_eq!(reasons(&plan, &at(60), 1).len(), 1);
        assert!(
            reasons(&plan, &at(60), 2).is_empty(),
            "no identity asks for more than the quota"
        );
    }

    #[test]
    fn a_reset_breaks_the_contract_and_a_time_out_cannot_be_measured() {
        let plan = plan(1, 1);
        let reset = tally(&plan, vec![Err(SendError::Reset)], 1);
        assert!(reasons(&plan, &reset, 50).is_empty());
        assert_eq!(verdict(&[], &run_checks(&reset, None)), Verdict::Fail);
        for error in [SendError::TimedOut, SendError::Connect("refused".into())] {
            assert_eq!(
                reasons(&plan, &tally(&plan, vec![Err(error)], 1), 50).len(),
                1
            );
        }
    }

    #[test]
    fn unmeasured_wins_over_a_failed_check() {
        let broken = Check::of_run("counts", false, String::new());
        assert_eq!(
            verdict(&["reason".into()], std::slice::from_ref(&broken)),
            Verdict::Unmeasured
        );
        assert_eq!(verdict(&[], &[broken]), Verdict::Fail);
        assert_eq!(
            verdict(&[], &[Check::of_run("counts", true, String::new())]),
            Verdict::Pass
        );
    }
}

//! Checks on every answer as it arrives.
//!
//! [`Checks::observe`] classifies an answer (admitted, denied by the Worker, a 429 from elsewhere, an error) and holds
//! it against the contract: status, `Retry-After`, the `RateLimit` fields, problem details. Each check keeps two counts
//! and the first violation in words, so memory grows with the number of identities, not of requests.
//!
//! Checks that need the whole run (whether the remainders fell one by one) are judged in [`Checks::finish`].
//! Deliberately not checked: bodies of admitted answers, and security headers, which do not depend on a burst.

use std::rc::Rc;
use std::time::Duration;

use http::header::{HeaderName, RETRY_AFTER};

use super::check::{Check, Count};
use super::class::Class;
use super::fields;
use super::remainders::{Remainders, remaining};
use crate::answer::Answer;
use crate::contract::problem::Problem;
use crate::contract::{Charge, Contract, Quota};
use crate::plan::Plan;
use crate::refusal::Platform429;
use crate::schedule::Planned;

const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The checks of a run.
#[derive(Debug)]
pub struct Checks {
    contract: Rc<dyn Contract>,
    charge: Charge,
    /// The quota known before the run (the Worker's configuration).
    configured: Option<Quota>,
    /// Whether the rate-limit fields are read at all.
    judges_fields: bool,
    /// Whether charged answers must carry the fields.
    fields_required: bool,
    one_client: bool,
    /// The algorithm, where its remainders do not fall one by one.
    inexact: Option<&'static str>,
    /// The last `RateLimit-Policy` seen, so that an unchanged one is not parsed again.
    policy_raw: Vec<u8>,
    policy_name: String,
    learned: Option<Quota>,
    statuses: Count,
    admitted_status: Option<u16>,
    uniform: Count,
    retry_after: Count,
    policy: Count,
    limit: Count,
    problem: Count,
    own: Count,
    remainders: Vec<Remainders>,
    /// Identities that were denied before any of their requests was admitted.
    denied_first: bool,
    unauthorized: u64,
}

impl Checks {
    /// Checks for `plan`. `configured`: the quota in force where it is known (`None` over HTTP, and where the limiter
    /// is off).
    pub fn new(
        contract: Rc<dyn Contract>,
        plan: &Plan,
        charge: Charge,
        configured: Option<Quota>,
    ) -> Self {
        let judges_fields = contract.judges_fields();
        Self {
            contract,
            charge,
            configured,
            judges_fields,
            fields_required: judges_fields && configured.is_some(),
            one_client: plan.clients == 1,
            inexact: None,
            policy_raw: Vec::new(),
            policy_name: String::new(),
            learned: None,
            statuses: Count::default(),
            admitted_status: None,
            uniform: Count::default(),
            retry_after: Count::default(),
            policy: Count::default(),
            limit: Count::default(),
            problem: Count::default(),
            own: Count::default(),
            remainders: vec![Remainders::default(); plan.identity_count()],
            denied_first: false,
            unauthorized: 0,
        }
    }

    /// Demands the rate-limit fields on every charged answer, although no quota is configured here: for a server whose
    /// quotas are learned from these very fields.
    #[must_use]
    pub fn require_fields(mut self) -> Self {
        self.fields_required = self.judges_fields && matches!(self.charge, Charge::Policy(_));
        self
    }

    /// Does not judge the remainders where the limiter runs another algorithm than the exact one.
    #[must_use]
    pub fn inexact(mut self, algorithm: Option<&'static str>) -> Self {
        self.inexact = algorithm;
        self
    }

    /// The quota in force: the configured one, else the one learned from `RateLimit-Policy`.
    pub fn quota(&self) -> Option<Quota> {
        self.configured.or(self.learned)
    }

    /// The quota learned from the answers, if any carried one.
    pub fn learned(&self) -> Option<Quota> {
        self.learned
    }

    /// Admitted answers with the status 401.
    pub fn unauthorized(&self) -> u64 {
        self.unauthorized
    }

    /// How much of its quota an identity had used before the run, judged by the highest remainder seen.
    pub fn used_before(&self, quota: Quota) -> Option<u64> {
        if self.denied_first && self.remainders.iter().all(|seen| seen.count == 0) {
            return Some(quota.requests);
        }
        self.remainders
            .iter()
            .filter(|seen| seen.count > 0 && seen.highest + 1 < quota.requests)
            .map(|seen| quota.requests - 1 - seen.highest)
            .max()
    }

    /// Classifies an answer and holds it against the contract.
    pub fn observe(&mut self, plan: &Plan, request: &Planned, answer: &Answer) -> Class {
        let index = request.index;
        let status = answer.status;
        let wrong = match status {
            429 => None,
            _ => self.contract.wrong_status(plan, self.charge, answer),
        };
        self.statuses.judge(match wrong {
            None => Ok(()),
            Some(why) => Err(move || {
                format!("request {index}: status {status} {why}")
                    .trim_end()
                    .to_owned()
            }),
        });
        match status {
            429 => self.denied(plan, request, answer),
            500.. => Class::ServerError,
            200..300 | 400..500 => {
                self.admitted(plan, request, answer);
                Class::Admitted
            }
            _ => Class::Redirect,
        }
    }

    fn admitted(&mut self, plan: &Plan, request: &Planned, answer: &Answer) {
        let (index, status) = (request.index, answer.status);
        self.unauthorized += u64::from(status == 401);
        let first = *self.admitted_status.get_or_insert(status);
        self.uniform.judge(if first == status {
            Ok(())
        } else {
            Err(move || format!("request {index}: status {status}, where the first was {first}"))
        });
        if let Some(remaining) = self.observe_fields(index, answer, None) {
            self.remainders[plan.identity(request)].see(remaining);
        }
    }

    fn denied(&mut self, plan: &Plan, request: &Planned, answer: &Answer) -> Class {
        let index = request.index;
        let contract = Rc::clone(&self.contract);
        let Some(denial) = contract.denial(answer) else {
            let mark = contract.words().mark;
            let platform = Platform429::recognise(&answer.body);
            self.own.judge(Err(|| match platform {
                Some(platform) => format!("request {index}: {platform}"),
                None => format!("request {index}: a 429 without {mark}"),
            }));
            return Class::Foreign(platform);
        };
        self.own.judge(Ok::<(), fn() -> String>(()));
        if self.remainders[plan.identity(request)].count == 0 {
            self.denied_first = true;
        }
        let retry_after = whole_seconds(answer);
        // The policy of this very answer is read first: it may be the first to tell the window.
        self.observe_fields(index, answer, Some(retry_after));
        if denial.retry_after_required {
            self.observe_retry_after(index, answer, retry_after);
        }
        if let Some(problem) = &denial.problem {
            self.observe_problem(index, problem);
        }
        Class::Denied
    }

    fn observe_retry_after(&mut self, index: u64, answer: &Answer, seconds: Option<u64>) {
        let window_seconds = self.quota().map(|quota| quota.window_seconds);
        self.retry_after.judge(match seconds {
            Some(seconds)
                if seconds >= 1 && window_seconds.is_none_or(|window| seconds <= window) =>
            {
                Ok(())
            }
            _ => Err(|| {
                let bound = window_seconds
                    .map_or("1 or more".to_owned(), |window| format!("1 to {window}"));
                match answer.headers.get(RETRY_AFTER) {
                    None => format!("request {index}: no Retry-After"),
                    Some(value) => format!(
                        "request {index}: Retry-After {value:?} is not whole seconds from {bound}"
                    ),
                }
            }),
        });
    }

    fn observe_problem(&mut self, index: u64, problem: &Problem<'_>) {
        let names_policy = self.policy_name.is_empty()
            || problem
                .violated
                .as_ref()
                .is_some_and(|names| names.iter().any(|name| *name == self.policy_name));
        self.problem.judge(
            if problem.status != Some(429) {
                Err("status is not 429")
            } else if !names_policy {
                Err("violated-policies does not name the policy")
            } else {
                Ok(())
            }
            .map_err(|what| move || format!("request {index}: {what}")),
        );
    }

    /// Reads `RateLimit-Policy` and `RateLimit`; returns what remains. `denied`: the `Retry-After` of a denial.
    fn observe_fields(
        &mut self,
        index: u64,
        answer: &Answer,
        denied: Option<Option<u64>>,
    ) -> Option<u64> {
        let policy = answer.headers.get(RATELIMIT_POLICY);
        let limit = answer.headers.get(RATELIMIT);
        let absent = policy.is_none() && limit.is_none();
        if !self.judges_fields || (absent && !self.fields_required) {
            return None;
        }
        let policy_result = match policy {
            None => Err("no RateLimit-Policy".to_owned()),
            Some(value) if value.as_bytes() == self.policy_raw => Ok(()),
            Some(value) => self.learn(value.as_bytes()),
        };
        self.policy
            .judge(policy_result.map_err(|what| move || format!("request {index}: {what}")));
        let quota = self.quota();
        let item = limit.map(|value| fields::limit(value.as_bytes(), &self.policy_name));
        let result = match item {
            None => Err("no RateLimit".to_owned()),
            Some(Err(error)) => Err(format!("RateLimit: {error}")),
            Some(Ok(item)) => match denied {
                _ if !self.policy_name.is_empty() && item.name != self.policy_name => {
                    Err("RateLimit names a policy that RateLimit-Policy does not".to_owned())
                }
                Some(_) if item.remaining != 0 => {
                    Err(format!("RateLimit: r={} on a denial", item.remaining))
                }
                Some(retry_after)
                    if item.reset_seconds.is_none() || item.reset_seconds != retry_after =>
                {
                    Err("RateLimit: t is not the Retry-After of the same answer".to_owned())
                }
                None if quota.is_some_and(|quota| item.remaining >= quota.requests) => Err(
                    format!("RateLimit: r={} is not below the quota", item.remaining),
                ),
                _ => Ok(()),
            },
        };
        self.limit
            .judge(result.map_err(|what| move || format!("request {index}: {what}")));
        item?.ok().map(|item| item.remaining)
    }

    /// A `RateLimit-Policy` that differs from the last one.
    fn learn(&mut self, raw: &[u8]) -> Result<(), String> {
        let items = fields::policies(raw).map_err(|error| format!("RateLimit-Policy: {error}"))?;
        // The charged policy is the configured one, found by its quota; unknown, it is the tightest.
        let item = match self.configured {
            Some(quota) => items
                .into_iter()
                .find(|item| item.quota == quota.requests)
                .ok_or_else(|| {
                    format!(
                        "RateLimit-Policy: none with q={}, the configured quota",
                        quota.requests
                    )
                })?,
            None => items
                .into_iter()
                .min_by_key(|item| item.quota)
                .ok_or("RateLimit-Policy: the list is empty")?,
        };
        let Some(window_seconds) = item.window_seconds.filter(|window| *window > 0) else {
            return Err("RateLimit-Policy: no window (w)".into());
        };
        if item.quota == 0 {
            return Err("RateLimit-Policy: q=0 admits nothing".into());
        }
        let quota = Quota {
            requests: item.quota,
            window_seconds,
        };
        match self.configured.or(self.learned) {
            Some(known) if known != quota => Err(format!(
                "RateLimit-Policy says q={};w={}, where it is q={};w={}",
                quota.requests, quota.window_seconds, known.requests, known.window_seconds
            )),
            _ => {
                self.policy_raw = raw.to_vec();
                self.policy_name = item.name;
                self.learned = Some(quota);
                Ok(())
            }
        }
    }

    /// The checks of the finished run. `duration`: from the first request to the last answer; `complete`: whether every
    /// request was answered.
    pub fn finish(self, duration: Duration, complete: bool) -> Vec<Check> {
        let quota = self.quota();
        let own_denials = self.contract.words().own_denials;
        let remaining = match self.inexact {
            Some(algorithm) => Check::skipped(
                "remaining",
                format!("remainders of the algorithm {algorithm} need not fall one by one"),
            ),
            None => remaining(&self.remainders, quota, self.one_client, duration, complete),
        };
        let none_denied = "no request was denied";
        let no_fields = "no answer carried the field";
        vec![
            self.statuses.finish(
                "status",
                "every answer has a status of the contract",
                "no answer",
            ),
            self.uniform.finish(
                "uniform",
                "all admitted requests were answered alike",
                "no request was admitted",
            ),
            self.own.finish("own-429", own_denials, none_denied),
            self.retry_after.finish(
                "retry-after",
                "whole seconds within the window on every denial",
                none_denied,
            ),
            self.policy.finish(
                "ratelimit-policy",
                "valid, and the same quota and window on every answer",
                no_fields,
            ),
            self.limit.finish(
                "ratelimit",
                "valid on every answer; r=0 and t=Retry-After on every denial",
                no_fields,
            ),
            remaining,
            self.problem.finish(
                "problem-details",
                "every denial names its status and policy",
                none_denied,
            ),
        ]
    }
}

/// `Retry-After` as whole seconds; `None` if it is missing or anything else.
fn whole_seconds(answer: &Answer) -> Option<u64> {
    answer
        .headers
        .get(RETRY_AFTER)
        .map(|value| value.as_bytes())
        .filter(|digits| {
            !digits.is_empty() && digits.len() < 10 && digits.iter().all(u8::is_ascii_digit)
        })
        .map(|digits| {
            digits
                .iter()
                .fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'))
        })
}

#[cfg(test)]
mod tests;

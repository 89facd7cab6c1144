//! Checks on every answer as it arrives.
//!
//! [`Checks::observe`] classifies an answer (admitted, denied by the Worker, denied by somebody else, an error) and holds
//! it against the contract: status, `Retry-After`, the `RateLimit` fields, problem details. Each check keeps two counts
//! and the first violation in words, so memory grows with the number of identities, not of requests.
//!
//! What needs the whole run (the counts, whether the remainders fell one by one) is judged in [`Checks::finish`].
//! Deliberately not checked: bodies of admitted answers, and security headers, which do not depend on a burst.

use std::fmt;
use std::time::Duration;

use http::Method;
use http::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER};
use serde::{Deserialize, Serialize};

use crate::expect::{Charge, Quota};
use crate::fields;
use crate::plan::{Plan, Planned};
use crate::run::Answer;

const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The problem type of a 429 of the Worker's own (IANA, HTTP Problem Types, "quota-exceeded").
pub const QUOTA_EXCEEDED: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";

/// Statuses the contract gives to requests that passed the limiter.
const EXPECTED_STATUSES: [u16; 12] = [200, 201, 202, 204, 400, 401, 403, 404, 405, 413, 415, 422];

/// What an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The limiter let the request through.
    Admitted,
    /// The Worker's own 429.
    Denied,
    /// A 429 without the Worker's mark; of the platform, if its body says so.
    Foreign(Option<Platform429>),
    /// A status from 500.
    ServerError,
    /// A status below 200 or from 300 to 399.
    Redirect,
}

/// A 429 of the platform itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform429 {
    /// `error code: 1027`: the day's requests of the Free plan are used up (observed as 429; ERR, LIM 2026-10-08).
    DailyLimit,
    /// `error code: 1015`: rate limited at the edge (old copies of LIM, 2024, and rate limiting rules).
    EdgeLimit,
}

impl Platform429 {
    fn recognise(body: &[u8]) -> Option<Self> {
        // The page may be HTML; the code stands near its beginning.
        let text = String::from_utf8_lossy(&body[..body.len().min(4096)]).to_ascii_lowercase();
        let says = |code: &str| {
            text.contains(&format!("error code: {code}")) || text.contains(&format!("error {code}"))
        };
        if says("1027") {
            Some(Self::DailyLimit)
        } else if says("1015") {
            Some(Self::EdgeLimit)
        } else {
            None
        }
    }
}

impl fmt::Display for Platform429 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DailyLimit => {
                "error 1027: the plan's daily requests are used up, until midnight UTC"
            }
            Self::EdgeLimit => "error 1015: the platform limits this client at its edge",
        })
    }
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Nothing seen against it.
    Pass,
    /// Violated at least once.
    Fail,
    /// Not applicable to this run; the detail says why.
    Skipped,
}

/// One check of a finished run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its name: stable, for programs.
    pub name: &'static str,
    /// How it ended.
    pub verdict: Outcome,
    /// What was checked, or the first violation.
    pub detail: String,
    /// Answers (or identities, or runs) that passed.
    pub passed: u64,
    /// Those that did not.
    pub failed: u64,
}

impl Check {
    fn skipped(name: &'static str, detail: String) -> Self {
        Self {
            name,
            verdict: Outcome::Skipped,
            detail,
            passed: 0,
            failed: 0,
        }
    }

    /// A check that the run itself decides.
    pub fn of_run(name: &'static str, held: bool, detail: String) -> Self {
        let verdict = if held { Outcome::Pass } else { Outcome::Fail };
        Self {
            name,
            verdict,
            detail,
            passed: held.into(),
            failed: (!held).into(),
        }
    }
}

/// Counts of one check while the run goes on.
#[derive(Debug, Default)]
struct Count {
    passed: u64,
    failed: u64,
    first: Option<String>,
}

impl Count {
    fn judge(&mut self, result: Result<(), impl FnOnce() -> String>) {
        match result {
            Ok(()) => self.passed += 1,
            Err(detail) => {
                self.failed += 1;
                self.first.get_or_insert_with(detail);
            }
        }
    }

    fn finish(self, name: &'static str, claim: &str, nothing: &str) -> Check {
        let (verdict, detail) = match (self.failed, self.passed) {
            (0, 0) => (Outcome::Skipped, nothing.to_owned()),
            (0, _) => (Outcome::Pass, claim.to_owned()),
            _ => (
                Outcome::Fail,
                self.first.expect("a failure leaves its detail"),
            ),
        };
        Check {
            name,
            verdict,
            detail,
            passed: self.passed,
            failed: self.failed,
        }
    }
}

/// What the admitted answers of one identity said of their remainders.
#[derive(Debug, Clone, Default)]
struct Remainders {
    count: u64,
    sum: u64,
    highest: u64,
    last: Option<u64>,
    /// The first step that was not by one, in the order of arrival.
    broken: Option<(u64, u64)>,
}

/// The checks of a run.
#[derive(Debug)]
pub struct Checks {
    charge: Charge,
    /// The quota known before the run (the Worker's configuration).
    configured: Option<Quota>,
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

/// The members of a problem document that are checked.
#[derive(Deserialize)]
struct Problem<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<std::borrow::Cow<'a, str>>,
    status: Option<u16>,
    #[serde(borrow, rename = "violated-policies")]
    violated: Option<Vec<std::borrow::Cow<'a, str>>>,
}

impl Checks {
    /// Checks for `plan`. `configured`: the quota in force where it is known (`None` over HTTP, and where the limiter
    /// is off).
    pub fn new(plan: &Plan, charge: Charge, configured: Option<Quota>) -> Self {
        Self {
            charge,
            configured,
            fields_required: configured.is_some(),
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
        self.fields_required =
            matches!(self.charge, Charge::General | Charge::Write | Charge::Auth);
        self
    }

    /// Leaves the remainders unjudged where the limiter runs another algorithm than the exact one.
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

    /// How much of its quota an identity had evidently used before the run, judged by the highest remainder seen.
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
        let wrong = match self.charge {
            _ if status == 429 => None,
            // Without rate-limit fields the status is all there is to see of a route free of charge.
            Charge::Free if !(200..300).contains(&status) => Some("on a route free of charge"),
            Charge::Free if is_health(plan) && status != 200 => Some("of the health route"),
            Charge::Free if is_health(plan) && !is_json(answer) => {
                Some("without the Content-Type application/json of the health route")
            }
            _ if !EXPECTED_STATUSES.contains(&status) => Some(""),
            _ => None,
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
            let seen = &mut self.remainders[plan.identity(request)];
            match seen.last {
                Some(last) if remaining + 1 != last && seen.broken.is_none() => {
                    seen.broken = Some((last, remaining))
                }
                _ => {}
            }
            seen.count += 1;
            seen.sum += remaining;
            seen.highest = seen.highest.max(remaining);
            seen.last = Some(remaining);
        }
    }

    fn denied(&mut self, plan: &Plan, request: &Planned, answer: &Answer) -> Class {
        let index = request.index;
        let problem = own_problem(answer);
        let Some(problem) = problem else {
            let platform = Platform429::recognise(&answer.body);
            self.own.judge(Err(|| match platform {
                Some(platform) => format!("request {index}: {platform}"),
                None => format!(
                    "request {index}: a 429 without the Worker's problem type and X-Request-Id"
                ),
            }));
            return Class::Foreign(platform);
        };
        self.own.judge(Ok::<(), fn() -> String>(()));
        if self.remainders[plan.identity(request)].count == 0 {
            self.denied_first = true;
        }
        let retry_after = answer
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
            });
        // The policy of this very answer is read first: it may be the first to tell the window.
        self.observe_fields(index, answer, Some(retry_after));
        let window_seconds = self.quota().map(|quota| quota.window_seconds);
        self.retry_after.judge(match retry_after {
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
        Class::Denied
    }

    /// `RateLimit-Policy` and `RateLimit`; gives what remains. `denied`: the `Retry-After` of a denial.
    fn observe_fields(
        &mut self,
        index: u64,
        answer: &Answer,
        denied: Option<Option<u64>>,
    ) -> Option<u64> {
        let policy = answer.headers.get(RATELIMIT_POLICY);
        let limit = answer.headers.get(RATELIMIT);
        if policy.is_none() && limit.is_none() && !self.fields_required {
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
            self.own.finish(
                "own-429",
                "every 429 carries the Worker's own mark",
                none_denied,
            ),
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

/// Whether the remainders of every identity fell from q-1 by one each.
///
/// In the order of arrival this can be seen with one client only. With several, answers overtake each other, but an
/// exact limiter still hands out each remainder once: their sum is that of q-1, q-2, … whatever the order.
fn is_health(plan: &Plan) -> bool {
    plan.template.method != Method::OPTIONS && plan.template.path() == "/api/health"
}

fn is_json(answer: &Answer) -> bool {
    let value = answer.headers.get(CONTENT_TYPE);
    let value = value.and_then(|value| value.to_str().ok()).unwrap_or("");
    let media_type = value.split(';').next().unwrap_or("").trim();
    media_type.eq_ignore_ascii_case("application/json")
}

fn remaining(
    seen: &[Remainders],
    quota: Option<Quota>,
    one_client: bool,
    duration: Duration,
    complete: bool,
) -> Check {
    let name = "remaining";
    let skipped = |detail: &str| Check::skipped(name, detail.to_owned());
    let Some(quota) = quota else {
        return skipped("no quota is known");
    };
    if seen.iter().all(|seen| seen.count == 0) {
        return skipped("no admitted answer carried a remainder");
    }
    if !complete {
        return skipped("some requests had no answer");
    }
    if duration >= Duration::from_secs(quota.window_seconds) {
        return skipped("the run was longer than the window, so that quota came back meanwhile");
    }
    let mut count = Count::default();
    for (identity, seen) in seen.iter().enumerate().filter(|(_, seen)| seen.count > 0) {
        // 128 bits: a server may claim any remainder.
        let (k, q) = (u128::from(seen.count), u128::from(quota.requests));
        let right_sum = u128::from(seen.sum) + k * (k + 1) / 2 == k * q;
        count.judge(
            match seen.broken {
                Some((last, next)) if one_client => Err(format!(
                    "identity {}: r went from {last} to {next}",
                    identity + 1
                )),
                _ if !right_sum => Err(format!(
                    "identity {}: the remainders of {k} admitted requests are not q-1, q-2, …",
                    identity + 1
                )),
                _ => Ok(()),
            }
            .map_err(|what| move || what),
        );
    }
    let claim = if one_client {
        "r fell by one with every admitted request"
    } else {
        "each remainder was handed out once"
    };
    count.finish(name, claim, "")
}

/// The problem document of the Worker's own 429, if this is one.
fn own_problem(answer: &Answer) -> Option<Problem<'_>> {
    let media = answer.headers.get(CONTENT_TYPE)?.as_bytes();
    let media = media
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default()
        .trim_ascii();
    if !media.eq_ignore_ascii_case(b"application/problem+json")
        || !answer.headers.contains_key(X_REQUEST_ID)
    {
        return None;
    }
    let problem: Problem<'_> = serde_json::from_slice(&answer.body).ok()?;
    (problem.kind.as_deref() == Some(QUOTA_EXCEEDED)).then_some(problem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::plan;

    const QUOTA: Quota = Quota {
        requests: 3,
        window_seconds: 60,
    };

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Answer {
        Answer {
            status,
            headers: headers
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), value.parse().expect("valid")))
                .collect(),
            body: body.to_owned().into(),
        }
    }

    fn admitted(remaining: u64) -> Answer {
        answer(
            201,
            &[
                ("ratelimit-policy", "\"write\";q=3;w=60"),
                ("ratelimit", &format!("\"write\";r={remaining};t=60")),
            ],
            "{}",
        )
    }

    fn problem() -> String {
        format!(
            "{{\"type\":\"{QUOTA_EXCEEDED}\",\"status\":429,\"violated-policies\":[\"write\"]}}"
        )
    }

    /// A correct denial, with one header or the body replaced (`None` removes the header).
    fn denied(change: Option<(&'static str, Option<&str>)>, body: Option<&str>) -> Answer {
        let mut headers = vec![
            ("content-type", Some("application/problem+json")),
            ("x-request-id", Some("r1")),
            ("retry-after", Some("12")),
            ("ratelimit-policy", Some("\"write\";q=3;w=60")),
            ("ratelimit", Some("\"write\";r=0;t=12")),
        ];
        if let Some((name, value)) = change {
            headers.retain(|(known, _)| *known != name);
            headers.push((name, value));
        }
        let headers: Vec<(&'static str, &str)> = headers
            .into_iter()
            .filter_map(|(name, value)| value.map(|value| (name, value)))
            .collect();
        answer(429, &headers, body.unwrap_or(&problem()))
    }

    fn run(answers: &[Answer], clients: u32, seconds: u64) -> (Vec<Class>, Vec<Check>) {
        let mut plan = plan(answers.len() as u64, 1);
        plan.clients = clients;
        let mut checks = Checks::new(&plan, Charge::Write, Some(QUOTA));
        let classes = (0..)
            .zip(answers)
            .map(|(index, answer)| checks.observe(&plan, &plan.request(index, 0), answer))
            .collect();
        (classes, checks.finish(Duration::from_secs(seconds), true))
    }

    fn failed(checks: &[Check]) -> Vec<&'static str> {
        checks
            .iter()
            .filter(|check| check.verdict == Outcome::Fail)
            .map(|check| check.name)
            .collect()
    }

    #[test]
    fn a_correct_run_passes_every_check() {
        let answers = [
            admitted(2),
            admitted(1),
            admitted(0),
            denied(None, None),
            denied(None, None),
        ];
        let (classes, checks) = run(&answers, 1, 1);
        assert_eq!(classes[2..4], [Class::Admitted, Class::Denied]);
        assert!(
            checks.iter().all(|check| check.verdict == Outcome::Pass),
            "{checks:#?}"
        );
    }

    #[test]
    fn each_broken_denial_is_rejected_by_its_check() {
        let other_type = problem().replace("quota-exceeded", "other");
        let no_policy = problem().replace("[\"write\"]", "[\"general\"]");
        let wrong_status = problem().replace("429", "428");
        for (broken, checks_that_fail) in [
            (
                denied(Some(("retry-after", None)), None),
                vec!["retry-after", "ratelimit"],
            ),
            (
                denied(Some(("retry-after", Some("0"))), None),
                vec!["retry-after", "ratelimit"],
            ),
            (
                denied(Some(("retry-after", Some("61"))), None),
                vec!["retry-after", "ratelimit"],
            ),
            (
                denied(Some(("retry-after", Some("1.5"))), None),
                vec!["retry-after", "ratelimit"],
            ),
            (
                denied(
                    Some(("retry-after", Some("Fri, 31 Dec 1999 23:59:59 GMT"))),
                    None,
                ),
                vec!["retry-after", "ratelimit"],
            ),
            (denied(Some(("ratelimit", None)), None), vec!["ratelimit"]),
            (
                denied(Some(("ratelimit", Some("\"write\";r=1;t=12"))), None),
                vec!["ratelimit"],
            ),
            (
                denied(Some(("ratelimit", Some("\"write\";r=0;t=11"))), None),
                vec!["ratelimit"],
            ),
            (
                denied(Some(("ratelimit", Some("\"write\";r=0"))), None),
                vec!["ratelimit"],
            ),
            (
                denied(Some(("ratelimit", Some("write;r=0;t=12"))), None),
                vec!["ratelimit"],
            ),
            (
                denied(Some(("ratelimit", Some("\"other\";r=0;t=12"))), None),
                vec!["ratelimit"],
            ),
            (
                denied(Some(("ratelimit-policy", None)), None),
                vec!["ratelimit-policy"],
            ),
            (
                denied(Some(("ratelimit-policy", Some("\"write\";q=4;w=60"))), None),
                vec!["ratelimit-policy"],
            ),
            (
                denied(Some(("ratelimit-policy", Some("\"write\";q=3;w=30"))), None),
                vec!["ratelimit-policy"],
            ),
            (
                denied(Some(("ratelimit-policy", Some("\"write\";q=3"))), None),
                vec!["ratelimit-policy"],
            ),
            (denied(None, Some(&no_policy)), vec!["problem-details"]),
            (denied(None, Some(&wrong_status)), vec!["problem-details"]),
            (denied(None, Some(&other_type)), vec!["own-429"]),
            (denied(Some(("x-request-id", None)), None), vec!["own-429"]),
            (
                denied(Some(("content-type", Some("application/json"))), None),
                vec!["own-429"],
            ),
            (denied(None, Some("not json")), vec!["own-429"]),
        ] {
            let (classes, checks) = run(&[admitted(2), broken.clone()], 1, 1);
            assert_eq!(failed(&checks), checks_that_fail, "{broken:?}");
            let foreign = checks_that_fail == ["own-429"];
            assert_eq!(classes[1] == Class::Foreign(None), foreign, "{broken:?}");
        }
    }

    #[test]
    fn each_broken_admission_is_rejected_by_its_check() {
        let with = |policy, limit| {
            answer(
                201,
                &[("ratelimit-policy", policy), ("ratelimit", limit)],
                "{}",
            )
        };
        for (broken, checks_that_fail) in [
            (
                answer(201, &[], "{}"),
                vec!["ratelimit-policy", "ratelimit"],
            ),
            (
                with("\"write\";q=3;w=60", "\"write\";r=3"),
                vec!["ratelimit", "remaining"],
            ),
            (
                with("\"write\";q=3;w=60", "\"write\";r=2"),
                vec!["remaining"],
            ),
            (
                with("\"write\";q=3;w=60", "\"write\";r=0"),
                vec!["remaining"],
            ),
            (
                with("write;q=3;w=60", "\"write\";r=1"),
                vec!["ratelimit-policy"],
            ),
            (
                answer(
                    200,
                    &[
                        ("ratelimit-policy", "\"write\";q=3;w=60"),
                        ("ratelimit", "\"write\";r=1"),
                    ],
                    "{}",
                ),
                vec!["uniform"],
            ),
        ] {
            let (_, checks) = run(&[admitted(2), broken.clone()], 1, 1);
            assert_eq!(failed(&checks), checks_that_fail, "{broken:?}");
        }
    }

    #[test]
    fn an_unexpected_status_is_rejected_and_counted_apart() {
        for (status, class) in [
            (500, Class::ServerError),
            (503, Class::ServerError),
            (302, Class::Redirect),
            (418, Class::Admitted),
        ] {
            let mut odd = admitted(2);
            odd.status = status;
            let (classes, checks) = run(&[odd], 1, 1);
            assert_eq!(
                (classes[0], failed(&checks)),
                (class, vec!["status"]),
                "{status}"
            );
        }
    }

    #[test]
    fn the_platforms_own_429s_are_recognised() {
        for (body, platform) in [
            ("error code: 1027", Some(Platform429::DailyLimit)),
            ("error code: 1015", Some(Platform429::EdgeLimit)),
            (
                "<html><title>Error 1027</title>",
                Some(Platform429::DailyLimit),
            ),
            ("Too many requests", None),
        ] {
            assert_eq!(
                run(&[answer(429, &[], body)], 1, 1).0,
                [Class::Foreign(platform)],
                "{body}"
            );
        }
    }

    #[test]
    fn parallel_remainders_may_arrive_in_any_order_but_only_once() {
        let (_, checks) = run(&[admitted(1), admitted(2), admitted(0)], 4, 1);
        assert!(failed(&checks).is_empty(), "{checks:#?}");
        let (_, checks) = run(&[admitted(2), admitted(1), admitted(1)], 4, 1);
        assert_eq!(failed(&checks), ["remaining"]);
        let (_, checks) = run(&[admitted(1), admitted(2), admitted(0)], 1, 1);
        assert_eq!(failed(&checks), ["remaining"]);
    }

    #[test]
    fn remainders_are_not_judged_beyond_the_window() {
        let (_, checks) = run(&[admitted(2), admitted(2)], 1, 60);
        let check = checks
            .iter()
            .find(|check| check.name == "remaining")
            .expect("listed");
        assert_eq!(check.verdict, Outcome::Skipped);
    }

    #[test]
    fn a_quota_is_learned_from_the_tightest_policy() {
        let plan = plan(2, 1);
        let mut checks = Checks::new(&plan, Charge::Write, None).require_fields();
        let two = answer(
            201,
            &[
                (
                    "ratelimit-policy",
                    "\"general\";q=100;w=60, \"write\";q=50;w=30",
                ),
                ("ratelimit", "\"general\";r=99, \"write\";r=40"),
            ],
            "{}",
        );
        checks.observe(&plan, &plan.request(0, 0), &two);
        let quota = Quota {
            requests: 50,
            window_seconds: 30,
        };
        assert_eq!(checks.quota(), Some(quota));
        assert_eq!(checks.used_before(quota), Some(9));
    }
}

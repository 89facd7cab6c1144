//! What the sequences reach: counted from the simulator's answers, printed as a table, and asserted.
//!
//! A generator that never gets past the quota compares nothing, however many requests it makes. So for every kind of request it
//! is asserted that it was *judged* as such at least once: a body too long got its 413, a forged token its 401.

use crate::Run;
use crate::arm::Answer;
use crate::generate::{ALLOWED_ORIGIN, METHODS, PATHS};
use crate::step::{Credential, Request, Step};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Statuses of the contract's overview that can be had while nothing fails.
const STATUSES: [u16; 13] = [
    200, 201, 202, 204, 400, 401, 403, 404, 405, 413, 415, 422, 429,
];

/// Routes with the method and the status of their success.
const SUCCESSES: [(&str, &str, u16); 11] = [
    ("/api/health", "GET", 200),
    ("/api/auth/login", "POST", 200),
    ("/api/transactions", "GET", 200),
    ("/api/transactions", "POST", 201),
    ("/api/transactions/{id}", "GET", 200),
    ("/api/dashboard", "GET", 200),
    ("/api/reports", "GET", 200),
    ("/api/admin/audit-logs", "GET", 200),
    ("/api/admin/error-logs", "GET", 200),
    ("/api/admin/alerts/test", "POST", 202),
    ("/api/admin/metrics", "GET", 200),
];

/// What must have been judged as what it is: the beginning of a step's label, and the status.
const JUDGED: [(&str, u16); 45] = [
    ("Post: valid", 201),
    ("Post: exactly the limit", 201),
    ("Post: members that are ignored", 201),
    ("Post: white space", 201),
    ("Post: escapes", 201),
    ("Post: 500 characters", 201),
    ("Post: amounts spelled otherwise", 201),
    ("Post: ", 429),
    ("BadPost: breaks the schema", 422),
    ("BadPost: no media type", 415),
    ("BadPost: another media type", 415),
    ("BadPost: empty", 400),
    ("BadPost: cut off", 400),
    ("BadPost: trailing bytes", 400),
    ("BadPost: not UTF-8", 400),
    ("BadPost: a byte order mark", 400),
    ("BadPost: NaN", 400),
    ("BadPost: a lone surrogate", 422),
    ("BadPost: a member twice", 422),
    ("BadPost: not an object", 422),
    ("BadPost: deep nesting", 400),
    ("BadPost: deep nesting, closed", 400),
    ("BadPost: one byte over the limit", 413),
    ("BadPost: far over the limit", 413),
    ("BadPost: {\"test\":\"data\"}", 422),
    ("BadPost: an empty object", 422),
    ("BadPost: control characters", 400),
    ("BadPost: ", 429),
    ("Login: right", 200),
    ("Login: right", 429),
    ("BadLogin: wrong password", 401),
    ("BadLogin: unknown user", 401),
    ("BadLogin: SQL", 401),
    ("BadLogin: empty password", 422),
    ("BadLogin: wrong kinds", 422),
    ("BadLogin: long password", 422),
    ("BadLogin: long name", 401),
    ("BadLogin: one byte over the limit", 413),
    ("BadLogin: ", 429),
    ("List", 400),
    ("Audit", 400),
    ("Audit", 403),
    ("Metrics", 403),
    ("One", 404),
    ("Dashboard", 429),
];

/// What is wrong with tokens; each must have got a 401.
const BAD_TOKENS: [&str; 24] = [
    "expired",
    "forged",
    "alg none",
    "alg none, unsigned",
    "alg HS512",
    "crit",
    "not yet valid",
    "no exp",
    "exp is text",
    "no sub",
    "empty sub",
    "no role",
    "an array",
    "no signature",
    "short signature",
    "padded",
    "four parts",
    "not base64",
    "no token",
    "another scheme",
    "no scheme",
    "a tab",
    "not ASCII",
    "very long",
];

/// What was counted.
#[derive(Default)]
pub(crate) struct Coverage {
    /// By route and method, how often each status was answered.
    routes: BTreeMap<(String, &'static str), BTreeMap<u16, usize>>,
    labels: BTreeMap<(String, u16), usize>,
    /// Everything else that must occur, by a name.
    others: BTreeMap<String, usize>,
}

impl Coverage {
    pub(crate) fn of(runs: &[Run]) -> Self {
        let mut coverage = Self::default();
        for run in runs {
            for (step, (request, answer)) in run.steps.iter().zip(&run.exchanges) {
                coverage.count(step, request, answer);
            }
        }
        coverage
    }

    fn count(&mut self, step: &Step, request: &Request, answer: &Answer) {
        let statuses = self
            .routes
            .entry((route(request), request.method))
            .or_default();
        *statuses.entry(answer.status).or_default() += 1;
        *self
            .labels
            .entry((step.label.clone(), answer.status))
            .or_default() += 1;
        let mut other = |name: String| *self.others.entry(name).or_default() += 1;
        let header = |name| answer.header(name).map(String::from_utf8_lossy);
        if let Some(cache) = header("x-cache") {
            other(format!("{} {cache}", route(request)));
        }
        if answer.status == 429
            && let Some(field) = header("ratelimit")
        {
            other(format!(
                "denied by {}",
                field.split(';').next().unwrap_or_default()
            ));
        }
        match (origin(request), header("access-control-allow-origin")) {
            (Some(ALLOWED_ORIGIN), Some(_)) => other("allowed origin".to_owned()),
            (Some(ALLOWED_ORIGIN), None) | (_, Some(_)) => {
                other("wrong about an origin".to_owned())
            }
            (Some(_), None) => other("refused origin".to_owned()),
            (None, None) => {}
        }
        if matches!(step.credential, Credential::Issued)
            && request
                .headers
                .iter()
                .any(|(name, _)| *name == "authorization")
            && matches!(answer.status, 200..300)
        {
            other("a token from a login served".to_owned());
        }
        if request.chunked {
            other(format!("chunked, {}", answer.status));
        }
        for alert in &answer.alerts {
            other(format!("alert to {}", alert.path));
        }
    }

    /// What was not reached, one thing per line.
    pub(crate) fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        let mut needs = |reached: bool, what: String| {
            if !reached {
                missing.push(what);
            }
        };
        let status = |status: u16| {
            self.routes
                .values()
                .any(|statuses| statuses.contains_key(&status))
        };
        for wanted in STATUSES {
            needs(status(wanted), format!("status {wanted}"));
        }
        let answered =
            |path: &str, method: &'static str| self.routes.get(&(path.to_owned(), method));
        for path in PATHS {
            let path = path.replace("/1", "/{id}");
            for method in METHODS {
                needs(
                    answered(&path, method).is_some(),
                    format!("{method} {path}"),
                );
            }
        }
        for (path, method, success) in SUCCESSES {
            let reached =
                answered(path, method).is_some_and(|statuses| statuses.contains_key(&success));
            needs(reached, format!("{success} of {method} {path}"));
        }
        for (label, wanted) in JUDGED {
            let reached =
                |(known, status): &(String, u16)| known.starts_with(label) && *status == wanted;
            needs(
                self.labels.keys().any(reached),
                format!("{wanted} for {label}"),
            );
        }
        for token in BAD_TOKENS {
            let end = format!(", token: {token}");
            let reached = |(known, status): &(String, u16)| known.ends_with(&end) && *status == 401;
            needs(
                self.labels.keys().any(reached),
                format!("401 for a token: {token}"),
            );
        }
        for name in [
            "/api/dashboard HIT",
            "/api/dashboard MISS",
            "/api/reports HIT",
            "/api/reports MISS",
            "denied by \"general\"",
            "denied by \"auth\"",
            "denied by \"write\"",
            "allowed origin",
            "refused origin",
            "a token from a login served",
            "chunked, 201",
            "chunked, 413",
            "alert to /error",
            "alert to /security",
        ] {
            needs(self.others.contains_key(name), name.to_owned());
        }
        needs(
            !self.others.contains_key("wrong about an origin"),
            "right about every origin".to_owned(),
        );
        missing
    }

    /// How often each route gave each status, and the rest.
    pub(crate) fn table(&self) -> String {
        let seen: BTreeSet<u16> = self
            .routes
            .values()
            .flat_map(BTreeMap::keys)
            .copied()
            .collect();
        let mut table = format!("{:<8} {:<26}", "method", "route");
        let mut add = |text: String| table += &text;
        for status in &seen {
            add(format!("{status:>6}"));
        }
        for ((path, method), statuses) in &self.routes {
            add(format!("\n{method:<8} {path:<26}"));
            for status in &seen {
                let count = statuses
                    .get(status)
                    .map_or("·".to_owned(), usize::to_string);
                add(format!("{count:>6}"));
            }
        }
        table.push('\n');
        for (name, count) in &self.others {
            writeln!(table, "{count:>6}  {name}").expect("a String takes anything");
        }
        table
    }
}

/// The route that a request is for, as the contract writes it.
fn route(request: &Request) -> String {
    let path = request.target.split('?').next().unwrap_or_default();
    if PATHS.contains(&path) && path != "/api/transactions/1" {
        return path.to_owned();
    }
    match path
        .strip_prefix("/api/transactions/")
        .map(str::parse::<u64>)
    {
        Some(Ok(_)) => "/api/transactions/{id}".to_owned(),
        _ => "any other".to_owned(),
    }
}

/// The one `Origin` of a request; more than one are no origin.
fn origin(request: &Request) -> Option<&str> {
    let mut origins = request.headers.iter().filter(|(name, _)| *name == "origin");
    match (origins.next(), origins.next()) {
        (Some((_, value)), None) => std::str::from_utf8(value).ok(),
        _ => None,
    }
}

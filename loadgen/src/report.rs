//! The report of a run: for people as text, for programs as JSON with a published schema (`report/schema.json`).
//!
//! Both are the same data. Every free text passes the [`Redactor`] before it is printed; names, numbers and verdicts are
//! the program's own and cannot hold a credential.

mod file;
mod latency;
mod text;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::expect::Expectation;
use crate::observe::Check;
use crate::secret::Redactor;
use crate::target::{BudgetRow, Measured, Staleness};
use crate::verdict::Verdict;

pub use latency::{Latencies, Percentiles};

/// The JSON schema of [`Report::json`].
pub const SCHEMA: &str = include_str!("report/schema.json");

/// The name of the schema, in every report.
const SCHEMA_NAME: &str = "urn:edgeproof:loadgen:burst:1";

/// What was measured, and how it was asked for.
#[derive(Debug)]
pub struct Subject {
    /// `embedded`, or scheme, host and port.
    pub target: String,
    /// The plan's seed.
    pub seed: u64,
    /// The command that repeats the run.
    pub command: String,
    /// The expected counts, where there are any.
    pub expected: Option<Expectation>,
    /// What the reader should know.
    pub notes: Vec<String>,
}

/// A finished run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The name of the schema that this follows.
    pub schema: &'static str,
    /// Whether the contract was kept.
    pub verdict: Verdict,
    /// Why the run could not be measured; empty otherwise.
    pub reasons: Vec<String>,
    /// `embedded`, or scheme, host and port.
    pub target: String,
    /// The seed of the simulated world.
    pub seed: u64,
    /// The hash over every event of the simulated world; `null` over HTTP.
    pub fingerprint: Option<String>,
    /// The command that repeats the run, credentials blanked.
    pub command: String,
    /// Counts of requests.
    pub requests: Requests,
    /// The expected counts, where there are any.
    pub expected: Option<Expectation>,
    /// Latencies of admitted and denied requests, in milliseconds of the target's time.
    pub latency_ms: Latencies,
    /// Connections that ended before their answer.
    pub connection_resets: u64,
    /// Connections made again because the server had closed them between two requests.
    pub reconnects: u64,
    /// Every check and how it ended.
    pub checks: Vec<Check>,
    /// Staleness of the KV reads that happened (simulator only).
    pub staleness: Option<Staleness>,
    /// Billable events by name (simulator only).
    pub usage: BTreeMap<String, f64>,
    /// Allowances of the plan and what the run used of them (simulator only).
    pub budget: Vec<BudgetRow>,
    /// The allowance that ends first if the traffic goes on like this (simulator only).
    pub first_to_end: Option<String>,
    /// What the reader should know.
    pub notes: Vec<String>,
    /// Real time that the burst took.
    pub wall_seconds: f64,
    /// Virtual time that it took; `null` over HTTP.
    pub virtual_seconds: Option<f64>,
}

/// Counts of requests: `sent = admitted + denied + errors`.
#[derive(Debug, Clone, Serialize)]
pub struct Requests {
    /// Requests sent.
    pub sent: u64,
    /// Let through by the limiter.
    pub admitted: u64,
    /// Denied by the Worker itself.
    pub denied: u64,
    /// Neither: `errors_by_kind` says what.
    pub errors: u64,
    /// Errors by kind; kinds that did not happen are left out.
    pub errors_by_kind: BTreeMap<&'static str, u64>,
    /// Answers by status.
    pub by_status: BTreeMap<String, u64>,
}

impl Report {
    /// Puts a report together. `run_checks` are those of the whole run, `reasons` why it could not be measured; `judge`
    /// turns both and the checks on answers into the verdict.
    pub fn new(
        subject: Subject,
        measured: Measured,
        run_checks: Vec<Check>,
        reasons: Vec<String>,
        judge: fn(&[String], &[Check]) -> Verdict,
    ) -> Self {
        let tally = measured.tally;
        let errors = tally.errors();
        let mut errors_by_kind = BTreeMap::from([
            ("connection_resets", tally.resets),
            ("timeouts", tally.timeouts),
            ("connect_failures", tally.connect_failures),
            ("protocol_errors", tally.protocol_errors),
            ("foreign_429s", tally.foreign),
            ("server_errors", tally.server_errors),
            ("redirects", tally.redirects),
        ]);
        let named: u64 = errors_by_kind.values().sum();
        errors_by_kind.insert("unanswered", errors - named);
        errors_by_kind.retain(|_, count| *count > 0);
        let requests = Requests {
            sent: tally.sent,
            admitted: tally.admitted,
            denied: tally.denied,
            errors,
            errors_by_kind,
            by_status: tally
                .by_status()
                .map(|(status, count)| (status.to_string(), count))
                .collect(),
        };
        let latency_ms = Latencies {
            admitted: Percentiles::of(&tally.admitted_ns),
            denied: Percentiles::of(&tally.denied_ns),
        };
        let connection_resets = tally.resets;
        let duration = tally.duration();
        let mut checks = run_checks;
        checks.extend(tally.checks.finish(duration, errors == 0));
        let verdict = judge(&reasons, &checks);
        let platform = measured.platform;
        Self {
            schema: SCHEMA_NAME,
            verdict,
            reasons,
            target: subject.target,
            seed: subject.seed,
            fingerprint: platform
                .as_ref()
                .map(|platform| platform.fingerprint.clone()),
            command: subject.command,
            requests,
            expected: subject.expected,
            latency_ms,
            connection_resets,
            reconnects: measured.reconnects,
            checks,
            staleness: platform.as_ref().and_then(|platform| platform.staleness),
            usage: platform
                .as_ref()
                .map(|platform| platform.usage.clone())
                .unwrap_or_default(),
            budget: platform
                .as_ref()
                .map(|platform| platform.budget.clone())
                .unwrap_or_default(),
            first_to_end: platform
                .as_ref()
                .and_then(|platform| platform.first_to_end.clone()),
            notes: subject.notes,
            wall_seconds: measured.wall_seconds,
            virtual_seconds: platform.map(|platform| platform.virtual_seconds),
        }
    }

    /// Blanks the credentials of this run in every free text.
    pub fn redact(&mut self, redactor: &Redactor) {
        let texts = [&mut self.target, &mut self.command].into_iter();
        let texts = texts.chain(&mut self.reasons).chain(&mut self.notes);
        let texts = texts.chain(self.checks.iter_mut().map(|check| &mut check.detail));
        texts.for_each(|text| *text = redactor.apply(text));
    }

    /// The report as JSON, indented, with a newline at its end.
    pub fn json(&self) -> String {
        let mut json = serde_json::to_string_pretty(self)
            .expect("numbers, strings and maps of strings serialise");
        json.push('\n');
        json
    }
}

#[cfg(test)]
mod tests;

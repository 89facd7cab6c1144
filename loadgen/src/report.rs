//! The report of a run: for people as text, for programs as JSON with a published schema (`report/schema.json`).
//!
//! Both are the same data. Every free text passes the [`Redactor`] before it is printed; names, numbers and verdicts are
//! the program's own and cannot hold a credential.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::check::{Check, Outcome};
use crate::counted;
use crate::expect::Expectation;
use crate::secret::Redactor;
use crate::target::{BudgetRow, Measured, Staleness};
use crate::verdict::Verdict;

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

/// Latencies by what became of the request; `null` where none did.
#[derive(Debug, Clone, Serialize)]
pub struct Latencies {
    /// Of admitted requests.
    pub admitted: Option<Percentiles>,
    /// Of denied requests.
    pub denied: Option<Percentiles>,
}

/// Percentiles of a histogram with three significant digits, in milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Percentiles {
    /// How many requests.
    pub count: u64,
    /// Median.
    pub p50: f64,
    /// 90 %.
    pub p90: f64,
    /// 99 %.
    pub p99: f64,
    /// 99.9 %.
    #[serde(rename = "p99.9")]
    pub p99_9: f64,
    /// The slowest.
    pub max: f64,
}

impl Percentiles {
    fn of(nanoseconds: &Histogram<u64>) -> Option<Self> {
        if nanoseconds.is_empty() {
            return None;
        }
        let at = |quantile| nanoseconds.value_at_quantile(quantile) as f64 / 1e6;
        Some(Self {
            count: nanoseconds.len(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            max: nanoseconds.max() as f64 / 1e6,
        })
    }
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

    /// Writes the JSON to `path`, which is either the old file or the whole new one, never a part.
    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        // A device or a pipe is written to, never replaced.
        if std::fs::metadata(path).is_ok_and(|known| !known.is_file()) {
            let mut file = std::fs::OpenOptions::new().write(true).open(path)?;
            return file.write_all(self.json().as_bytes());
        }
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            // The umask still applies, as for any new file.
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let mut file = builder.prefix(".loadgen-").tempfile_in(folder)?;
        file.write_all(self.json().as_bytes())?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }

    /// The report for people, several lines.
    pub fn text(&self) -> String {
        let mut text = String::new();
        self.write_text(&mut text)
            .expect("a String takes every write");
        text
    }

    fn write_text(&self, out: &mut String) -> std::fmt::Result {
        let Requests {
            sent,
            admitted,
            denied,
            errors,
            ..
        } = self.requests;
        write!(
            out,
            "{}: {} to {} in {:.3} s",
            self.verdict,
            counted(sent, "request"),
            self.target,
            self.wall_seconds
        )?;
        match self.virtual_seconds {
            Some(seconds) => writeln!(out, " ({seconds:.3} s of virtual time)")?,
            None => writeln!(out)?,
        }
        for reason in &self.reasons {
            writeln!(out, "  could not measure: {reason}")?;
        }

        let expected = |count: Option<u64>| {
            count
                .map(|count| format!("   expected {count}"))
                .unwrap_or_default()
        };
        let expectation = self.expected.as_ref();
        writeln!(out)?;
        writeln!(
            out,
            "  admitted {admitted:>10}{}",
            expected(expectation.and_then(|it| it.admitted))
        )?;
        writeln!(
            out,
            "  denied   {denied:>10}{}",
            expected(expectation.and_then(|it| it.denied))
        )?;
        writeln!(out, "  errors   {errors:>10}{}", self.error_kinds())?;
        if let Some(expectation) = expectation {
            writeln!(out, "  expected by: {}", expectation.basis)?;
        }
        let statuses: Vec<String> = self
            .requests
            .by_status
            .iter()
            .map(|(status, count)| format!("{status} × {count}"))
            .collect();
        writeln!(
            out,
            "  by status: {}",
            if statuses.is_empty() {
                "no answer".into()
            } else {
                statuses.join(", ")
            }
        )?;
        writeln!(
            out,
            "  connection resets: {}, reconnects: {}",
            self.connection_resets, self.reconnects
        )?;

        if admitted + denied > 0 {
            writeln!(out)?;
            writeln!(
                out,
                "  {:<12}{:>10}{:>10}{:>10}{:>10}{:>10}",
                "latency ms", "p50", "p90", "p99", "p99.9", "max"
            )?;
        }
        for (name, latency) in [
            ("admitted", self.latency_ms.admitted),
            ("denied", self.latency_ms.denied),
        ] {
            if let Some(Percentiles {
                p50,
                p90,
                p99,
                p99_9,
                max,
                ..
            }) = latency
            {
                writeln!(
                    out,
                    "  {name:<12}{p50:>10.3}{p90:>10.3}{p99:>10.3}{p99_9:>10.3}{max:>10.3}"
                )?;
            }
        }

        writeln!(out, "\n  checks")?;
        for check in &self.checks {
            let verdict = match check.verdict {
                Outcome::Pass => "pass",
                Outcome::Fail => "FAIL",
                Outcome::Skipped => "skip",
            };
            let counts = match (check.verdict, check.failed) {
                (Outcome::Fail, failed) => format!(" ({failed} of {})", failed + check.passed),
                _ => String::new(),
            };
            writeln!(
                out,
                "    {verdict}  {:<17}{}{counts}",
                check.name, check.detail
            )?;
        }

        if let Some(Staleness {
            reads,
            stale,
            p50_ms,
            p99_ms,
            max_ms,
        }) = self.staleness
        {
            writeln!(out, "\n  KV reads: {reads}, of them {stale} stale")?;
            if stale > 0 {
                writeln!(
                    out,
                    "    staleness ms: p50 {p50_ms:.0}, p99 {p99_ms:.0}, max {max_ms:.0}"
                )?;
            }
        }
        if !self.budget.is_empty() {
            writeln!(
                out,
                "\n  {:<32}{:>14}{:>16}{:>10}",
                "budget", "used", "per day", "share"
            )?;
            for BudgetRow {
                allowance,
                used,
                per_day,
                share,
            } in &self.budget
            {
                let (used, per_day, share) = (number(*used), number(*per_day), share * 100.0);
                writeln!(out, "  {allowance:<32}{used:>14}{per_day:>16}{share:>9.3}%")?;
            }
        }
        if let Some(first) = &self.first_to_end {
            writeln!(out, "  first to end: {first}")?;
        }

        if !self.notes.is_empty() {
            writeln!(out)?;
        }
        for note in &self.notes {
            writeln!(out, "  note: {note}")?;
        }
        writeln!(out)?;
        if let Some(fingerprint) = &self.fingerprint {
            writeln!(out, "  seed {}, fingerprint {fingerprint}", self.seed)?;
        }
        writeln!(out, "  again: {}", self.command)
    }

    fn error_kinds(&self) -> String {
        let kinds: Vec<String> = self
            .requests
            .errors_by_kind
            .iter()
            .map(|(kind, count)| format!("{count} {}", kind.replace('_', " ")))
            .collect();
        if kinds.is_empty() {
            String::new()
        } else {
            format!("   {}", kinds.join(", "))
        }
    }
}

/// A whole number without a fraction, any other with three digits.
fn number(value: f64) -> String {
    if value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.3}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Checks;
    use crate::expect::Charge;
    use crate::plan::tests::plan;
    use crate::run::{Answer, SendError, Tally};
    use crate::target::Platform;
    use std::time::Duration;

    fn report(platform: Option<Platform>) -> Report {
        let plan = plan(2, 1);
        let mut tally = Tally::new(Checks::new(&plan, Charge::Free, None));
        let answer = Answer {
            status: 201,
            headers: http::HeaderMap::new(),
            body: bytes::Bytes::new(),
        };
        for (index, outcome) in [(0, Ok(answer)), (1, Err(SendError::Reset))] {
            tally.record(
                &plan,
                &plan.request(index, 0),
                &outcome,
                Duration::ZERO,
                Duration::from_millis(3),
            );
        }
        tally.sent = 2;
        let expected = Some(Expectation {
            admitted: Some(2),
            denied: None,
            basis: "--expect".into(),
        });
        let checks = crate::verdict::run_checks(&tally, expected.as_ref());
        let subject = Subject {
            target: "embedded".into(),
            seed: 7,
            command: "cargo loadgen burst".into(),
            expected,
            notes: vec!["planted-token".into()],
        };
        let measured = Measured {
            tally,
            charge: Charge::Free,
            quotas: None,
            inexact: None,
            fresh: true,
            trouble: Vec::new(),
            notes: Vec::new(),
            reconnects: 0,
            wall_seconds: 0.5,
            platform,
            secrets: Vec::new(),
        };
        Report::new(
            subject,
            measured,
            checks,
            Vec::new(),
            crate::verdict::verdict,
        )
    }

    fn platform() -> Platform {
        Platform {
            usage: BTreeMap::from([("workers_requests".into(), 150.0)]),
            budget: vec![BudgetRow {
                allowance: "Workers requests".into(),
                used: 150.0,
                per_day: 100_000.0,
                share: 0.0015,
            }],
            first_to_end: Some("KV writes".into()),
            staleness: Some(Staleness {
                reads: 3,
                stale: 1,
                p50_ms: 5.0,
                p99_ms: 5.0,
                max_ms: 5.0,
            }),
            fingerprint: "abc".into(),
            virtual_seconds: 3.0,
        }
    }

    #[test]
    fn every_report_follows_the_published_schema() {
        let schema: serde_json::Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
        let validator = jsonschema::validator_for(&schema).expect("the schema is a schema");
        for report in [report(None), report(Some(platform()))] {
            let value: serde_json::Value = serde_json::from_str(&report.json()).expect("JSON");
            let errors: Vec<String> = validator
                .iter_errors(&value)
                .map(|error| error.to_string())
                .collect();
            assert!(errors.is_empty(), "{errors:?}");
            // The schema admits no other key, and misses none.
            let mut more = value.clone();
            more["extra"] = true.into();
            assert!(!validator.is_valid(&more));
            for key in value.as_object().expect("an object").keys() {
                let mut less = value.clone();
                less.as_object_mut().expect("an object").remove(key);
                assert!(!validator.is_valid(&less), "{key} is not required");
            }
        }
    }

    #[test]
    fn the_text_begins_with_the_verdict_and_ends_with_the_command() {
        let text = report(Some(platform())).text();
        assert!(text.starts_with("fail: 2 requests to embedded"), "{text}");
        assert!(text.ends_with("again: cargo loadgen burst\n"), "{text}");
        for part in [
            "expected 2",
            "1 connection resets",
            "Workers requests",
            "0.150%",
            "fingerprint abc",
            "1 stale",
            "p99.9",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn a_credential_in_a_free_text_is_blanked_in_both_forms() {
        let mut report = report(None);
        report.checks[0].detail = "saw planted-token".into();
        let mut redactor = Redactor::default();
        redactor.add("planted-token");
        report.redact(&redactor);
        assert!(
            !report.text().contains("planted-token") && !report.json().contains("planted-token")
        );
    }

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("report.json");
        std::fs::write(&path, "old").expect("written");
        report(None).write(&path).expect("written");
        let value: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&path).expect("read")).expect("JSON");
        assert_eq!(value["seed"], 7);
        assert_eq!(
            std::fs::read_dir(folder.path()).expect("listed").count(),
            1,
            "no temporary file is left"
        );
    }
}

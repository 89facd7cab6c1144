//! The report for people.

use std::fmt::Write as _;

use super::{Percentiles, Report, Requests};
use crate::counted;
use crate::observe::Outcome;
use crate::target::{BudgetRow, Staleness};

impl Report {
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

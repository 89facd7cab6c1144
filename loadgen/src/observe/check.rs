//! One check of a run: its name, how it ended, and how often it held.

use serde::Serialize;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// No violation was seen.
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
    /// A check that does not apply to the run.
    pub(crate) fn skipped(name: &'static str, detail: String) -> Self {
        Self {
            name,
            verdict: Outcome::Skipped,
            detail,
            passed: 0,
            failed: 0,
        }
    }

    /// A check whose result the run itself decides.
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

/// Counts of one check during the run, and its first violation in words.
#[derive(Debug, Default)]
pub(super) struct Count {
    passed: u64,
    failed: u64,
    first: Option<String>,
}

impl Count {
    pub(super) fn judge(&mut self, result: Result<(), impl FnOnce() -> String>) {
        match result {
            Ok(()) => self.passed += 1,
            Err(detail) => {
                self.failed += 1;
                self.first.get_or_insert_with(detail);
            }
        }
    }

    pub(super) fn finish(self, name: &'static str, claim: &str, nothing: &str) -> Check {
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

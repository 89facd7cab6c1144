//! One burst from the command line to the report: the order of the steps, and the meaning of each one's failure.

mod credentials;
mod prepare;

use std::rc::Rc;
use std::time::Duration;

use miette::miette;

use self::prepare::{Prepared, no_worker, prepare};
use crate::args::BurstArgs;
use crate::contract::{Charge, Quota};
use crate::expect::Expectation;
use crate::plan::Plan;
use crate::program::{Program, Trouble, usage};
use crate::report::{Report, Subject};
use crate::target::Measured;
use crate::target::embedded;
use crate::target::http as http_target;
use crate::verdict::{Evidence, run_checks, unmeasured, verdict};

/// How long a server may take to answer, unless `--timeout` says otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// Runs a burst as `args` say. `environment` gives variables of the process (for `--token-env`).
pub fn run(
    program: &Program,
    args: &BurstArgs,
    environment: &dyn Fn(&str) -> Option<String>,
    progress: &dyn Fn(u64),
) -> Result<Report, Trouble> {
    let mut prepared = prepare(program, args, environment)?;
    let contract = Rc::clone(&program.contract);
    let timeout = args
        .timeout
        .map_or(DEFAULT_TIMEOUT, Duration::from_secs_f64);
    let measured = match &prepared.origin {
        Some(origin) => {
            let options = http_target::Options {
                origin: origin.clone(),
                login: prepared.login.clone(),
                timeout,
            };
            http_target::run(contract, &prepared.plan, &options, progress).map_err(|error| {
                Trouble::Unable(miette!("cannot start the HTTP client: {error}"))
            })?
        }
        None => {
            let options = embedded::Options {
                env: args.env.clone(),
                vars: prepared.vars.clone(),
            };
            let worker = program.worker.as_ref().ok_or_else(|| no_worker(program))?;
            embedded::run(contract, worker, &prepared.plan, &options, progress).map_err(usage)?
        }
    };
    measured
        .secrets
        .iter()
        .for_each(|secret| prepared.redactor.add(secret.expose()));
    Ok(judge(program, args, prepared, measured))
}

fn judge(program: &Program, args: &BurstArgs, prepared: Prepared, measured: Measured) -> Report {
    let Prepared {
        plan,
        origin,
        shown_curl,
        mut notes,
        redactor,
        ..
    } = prepared;
    let quota = measured.tally.checks.quota();
    let expected = args.expect.clone().or_else(|| computed(&plan, &measured));
    let reasons = unmeasured(
        &measured.tally,
        &Evidence {
            plan: &plan,
            charge: measured.charge,
            quota,
            stated: args.expect.as_ref(),
            expected: expected.as_ref(),
            inexact: measured
                .configured
                .and_then(|configured| configured.inexact),
            fresh: measured.fresh,
            target_trouble: &measured.trouble,
        },
    );
    notes.extend(measured.notes.iter().cloned());
    let checks = run_checks(&measured.tally, expected.as_ref());
    let subject = Subject {
        target: origin.map_or_else(
            || "embedded".to_owned(),
            |origin| origin.origin().ascii_serialization(),
        ),
        seed: plan.seed,
        command: args.repeat(
            program.command,
            &|name| program.is_plain(name),
            shown_curl.as_deref(),
        ),
        expected,
        notes,
    };
    let mut report = Report::new(subject, measured, checks, reasons, verdict);
    report.redact(&redactor);
    report
}

/// The expectation from the plan and the quotas in force, where both are known.
fn computed(plan: &Plan, measured: &Measured) -> Option<Expectation> {
    let by = |quota: Quota, source: &str| {
        format!(
            "the first {} of each identity in {} s, {} {}, {source}",
            quota.requests,
            quota.window_seconds,
            plan.identity_count(),
            if plan.identity_count() == 1 {
                "identity"
            } else {
                "identities"
            },
        )
    };
    match (
        measured.charge,
        measured.configured,
        measured.tally.checks.learned(),
    ) {
        (Charge::Free, _, None) => Some(Expectation::computed(
            plan,
            None,
            "this route is free of charge",
        )),
        (_, Some(configured), _) if !configured.enabled => {
            Some(Expectation::computed(plan, None, "the limiter is off"))
        }
        (_, Some(configured), _) if configured.inexact.is_some() => None,
        (_, Some(configured), _) => {
            let quota = configured.quota?;
            Some(Expectation::computed(
                plan,
                Some(quota),
                by(quota, "by the Worker's configuration"),
            ))
        }
        (_, None, Some(quota)) => Some(Expectation::computed(
            plan,
            Some(quota),
            by(quota, "as RateLimit-Policy says"),
        )),
        (_, None, None) => None,
    }
}

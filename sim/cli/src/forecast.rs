//! `sim forecast`: what a day of traffic uses of each allowance, and which one ends first.

mod day;
mod report;
mod traffic;

use std::io::Write as _;
use std::path::Path;

use clap::{Args, ValueEnum};
use edgeproof_sim::limits::Plan;
use miette::{Context as _, IntoDiagnostic as _, Result, miette};

use crate::own::Project;
use crate::server::{Pair, check_given, pair};

/// Options of `sim forecast`.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 done, 1 the forecast could not be made, 2 usage.")]
pub(crate) struct Arguments {
    /// The traffic.
    #[arg(long, value_enum, value_name = "NAME")]
    traffic: TrafficName,
    /// The plan whose allowances count.
    #[arg(long, value_enum, default_value_t = PlanName::Free)]
    plan: PlanName,
    /// Seed of the traffic and of the platform's chance.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Requests of a day; a multiple of 1,000, so that the mix is exact.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = requests)]
    requests: u64,
    /// How many days, one after the other; the report is about the worst.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=366))]
    days: u32,
    /// Set a variable of the Worker, over what wrangler.toml says.
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    var: Vec<Pair>,
    /// Write the report as JSON to this file; `-` prints it, and nothing else.
    #[arg(long, value_name = "FILE")]
    json: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum TrafficName {
    /// 500 users at 20 PoPs: 45 % dashboard, 15 % reports, 20 % transactions, 15 % new transactions, 3 % logins, 2 % refused.
    Reference,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum PlanName {
    /// Workers Free: what is used up is refused until midnight UTC.
    Free,
    /// Workers Paid: what goes beyond a month's amounts costs money.
    Paid,
}

impl From<PlanName> for Plan {
    fn from(name: PlanName) -> Self {
        match name {
            PlanName::Free => Self::Free,
            PlanName::Paid => Self::Paid,
        }
    }
}

/// The most requests of a day; a schedule of more would not be wise to keep in memory.
const REQUESTS_MAX: u64 = 1_000_000;

fn requests(text: &str) -> Result<u64, String> {
    let number = text.parse().ok();
    number
        .filter(|number: &u64| {
            (1..=REQUESTS_MAX).contains(number) && number.is_multiple_of(traffic::MIX_OF)
        })
        .ok_or_else(|| {
            format!(
                "expected a multiple of {}, at most {REQUESTS_MAX}",
                traffic::MIX_OF
            )
        })
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let TrafficName::Reference = arguments.traffic;
    let Project { config, .. } = Project::load(None, None)?;
    check_given(&config, &arguments.var, &[])?;
    let plan = Plan::from(arguments.plan);
    let outcome = day::run(day::Plans {
        config,
        vars: &arguments.var,
        plan,
        seed: arguments.seed,
        days: arguments.days,
        requests: arguments.requests,
    })?;
    for day in &outcome.days {
        let answered = day.answers.total();
        if answered != arguments.requests {
            return Err(miette!(
                "{} of the {} requests of {} were never answered: the simulator or the Worker has a fault",
                arguments.requests.abs_diff(answered),
                arguments.requests,
                day.date
            ));
        }
    }
    let report = report::Report::new(&outcome, plan, arguments.seed, arguments.requests);
    if arguments.json.as_deref() == Some("-") {
        return print(&report.json());
    }
    if let Some(path) = &arguments.json {
        write(Path::new(path), &report.json())
            .into_diagnostic()
            .wrap_err_with(|| format!("the report could not be written to {path}"))?;
    }
    print(&report.text())
}

/// Prints the report; that a reader has gone, as `head` does, is no failure.
fn print(text: &str) -> Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(problem) if problem.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(problem).into_diagnostic()
        }
        _ => Ok(()),
    }
}

/// Writes a file, which is then either the old one or the whole new one, never a part.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    // A device or a pipe is written to, never replaced.
    if std::fs::metadata(path).is_ok_and(|known| !known.is_file()) {
        let mut file = std::fs::OpenOptions::new().write(true).open(path)?;
        return file.write_all(text.as_bytes());
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
    let mut file = builder.prefix(".sim-").tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

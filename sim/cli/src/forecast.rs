//! `forecast`: what a day of traffic uses of each allowance, and which one ends first.
//!
//! [`Traffic`] says who asks for what, where and when. It is that of a file, or traffic that the linked Worker has under a
//! name ([`Named`](crate::Named)). `day` plays it in a world of its own, and `report` tells the result.

mod day;
mod file;
pub mod people;
mod report;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use clap::{Args, ValueEnum};
use edgeproof_sim::limits::Plan;
use miette::{Context as _, IntoDiagnostic as _, Result, miette};

use crate::linked::Linked;
use crate::project::Project;
use crate::server::{Hidden, Pair, check_given, hidden, hidden_usage_error, pair};
use crate::traffic::Traffic;
use file::FileTraffic;

/// Options of `forecast`.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 done, 1 the forecast could not be made, 2 usage.")]
pub(crate) struct Arguments {
    /// The traffic.
    #[arg(long, value_name = "NAME|FILE")]
    traffic: String,
    /// The plan whose allowances count.
    #[arg(long, value_enum, default_value_t = PlanName::Free)]
    plan: PlanName,
    /// Seed of the traffic and of the platform's chance.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Requests of a day [default: as the traffic says].
    #[arg(long, value_name = "N")]
    requests: Option<u64>,
    /// How many days, one after the other; the report is about the worst.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=366))]
    days: u32,
    /// Set a variable of the Worker, over what its configuration says.
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    var: Vec<Pair>,
    /// Set a secret of the Worker.
    #[arg(long, value_name = "KEY=VALUE", value_parser = hidden)]
    secret: Vec<Hidden>,
    /// Write the report as JSON to this file; `-` prints it, and nothing else.
    #[arg(long, value_name = "FILE")]
    json: Option<String>,
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
pub(crate) const REQUESTS_MAX: u64 = 1_000_000;

/// The help of `--traffic`: the names that the Worker has, and what stands in a file.
pub(crate) fn describe(command: clap::Command, linked: &Linked) -> clap::Command {
    let mut help = "The traffic: a TOML file with routes and weights".to_owned();
    if let Some(named) = &linked.traffic {
        help = format!(
            "{help}, or\n{}: {}\n[possible values: {}, a file]",
            named.name, named.help, named.name
        );
    }
    command
        .mut_arg("traffic", |argument| argument.help(help))
        .after_long_help(file::FORMAT)
}

/// Where the traffic comes from.
enum Source {
    Named(crate::Named),
    File(PathBuf),
}

impl Arguments {
    fn source(&self, linked: &Linked) -> Source {
        match linked.traffic {
            Some(named) if named.name == self.traffic => Source::Named(named),
            _ => Source::File(PathBuf::from(&self.traffic)),
        }
    }

    /// What is wrong with the arguments that the parser took, without repeating what may be a secret.
    pub(crate) fn usage_error(&self, linked: &Linked) -> Option<String> {
        let multiple = match self.source(linked) {
            Source::Named(named) => (named.of_seed)(self.seed).multiple(),
            Source::File(path) if !path.exists() => {
                let names = linked.traffic.map_or("a file".to_owned(), |named| {
                    format!("{}, a file", named.name)
                });
                return Some(format!(
                    "invalid value '{}' for '--traffic <NAME|FILE>': there is no such file\n  [possible values: {names}]\n",
                    self.traffic
                ));
            }
            Source::File(_) => 1,
        };
        let allowed =
            |number: u64| (1..=REQUESTS_MAX).contains(&number) && number.is_multiple_of(multiple);
        if let Some(number) = self.requests.filter(|number| !allowed(*number)) {
            let expected = match multiple {
                1 => format!("a number from 1 to {REQUESTS_MAX}"),
                _ => format!("a multiple of {multiple}, at most {REQUESTS_MAX}"),
            };
            return Some(format!(
                "invalid value '{number}' for '--requests <N>': expected {expected}\n"
            ));
        }
        hidden_usage_error(&self.secret)
    }
}

pub(crate) fn run(linked: &Linked, arguments: &Arguments) -> Result<()> {
    let traffic: Rc<dyn Traffic> = match arguments.source(linked) {
        Source::Named(named) => (named.of_seed)(arguments.seed),
        Source::File(path) => Rc::new(FileTraffic::read(&path, arguments.seed)?),
    };
    let requests = arguments.requests.unwrap_or_else(|| traffic.requests());
    let Project { config, .. } = Project::load(linked, None, None)?;
    check_given(&config, &arguments.var, &arguments.secret)?;
    let secrets = arguments.secret.iter();
    let secrets: Vec<Pair> = secrets.filter_map(|Hidden(text)| pair(text).ok()).collect();
    let plan = Plan::from(arguments.plan);
    let outcome = day::run(day::Plans {
        script: linked.script(),
        traffic: &*traffic,
        config,
        vars: &arguments.var,
        secrets: &secrets,
        plan,
        seed: arguments.seed,
        days: arguments.days,
        requests,
    })?;
    for day in &outcome.days {
        let answered = day.answers.total();
        if answered != requests {
            return Err(miette!(
                "{} of the {requests} requests of {} were never answered: the simulator or the Worker has a fault",
                requests.abs_diff(answered),
                day.date
            ));
        }
    }
    let report = report::Report::new(&outcome, &*traffic, plan, arguments.seed, requests);
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

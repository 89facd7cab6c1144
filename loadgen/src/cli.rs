//! The command line: `loadgen burst …` and `loadgen schema`.
//!
//! Only reads arguments, prints results and turns verdicts into exit codes; [`crate::burst`] does the work.

use std::ffi::OsString;
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, Parser, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::burst::{self, Trouble};
use crate::curl::words::quote;
use crate::expect::Expectation;
use crate::report;
use crate::secret::{HIDDEN, Secret};
use crate::variables;

const EXIT_CODES: &str = "Exit codes:
  0  the contract was kept
  1  the contract was broken
  2  the command line is wrong
  3  could not measure: the burst took longer than the limiter's window, somebody else than the Worker
     denied requests, requests timed out, or the target could not be reached";

const EXAMPLES: &str = "Examples:
  loadgen burst
  loadgen burst -n 200000 --clients 1000 --users 5000 --json -
  loadgen burst -- curl -X POST https://your-app.pages.dev/api/transactions \\
      -H 'Authorization: Bearer YOUR_TOKEN' -H 'Content-Type: application/json' -d '{\"test\":\"data\"}'
  loadgen burst http://127.0.0.1:8787 --login demo:demo-pass-9137";

#[derive(Debug, Parser)]
#[command(
    name = "loadgen",
    version,
    about = "Bursts at a Worker, and whether it kept its contract"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Send one request many times and judge the answers.
    ///
    /// Without a TARGET the Worker runs in the embedded simulator, in virtual time. With a URL the burst goes there over
    /// HTTP/1.1. A curl command after `--` says what is sent (of its URL only path and query are used); without one a
    /// valid transaction is posted.
    #[command(after_help = EXIT_CODES, after_long_help = format!("{EXIT_CODES}\n\n{EXAMPLES}"))]
    Burst(Box<BurstArgs>),
    /// Print the JSON schema of the report that `--json` writes.
    Schema,
}

/// The arguments of `loadgen burst`.
#[derive(Debug, Clone, Args)]
pub struct BurstArgs {
    /// How many requests to send in all.
    #[arg(short = 'n', long = "requests", default_value_t = 150, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub requests: u64,
    /// How many clients send at once, each waiting for its answer before its next request.
    #[arg(long, default_value_t = 1, value_name = "C", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub clients: u32,
    /// How many users the requests are spread over (embedded simulator only).
    #[arg(long, default_value_t = 1, value_name = "U", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub users: u32,
    /// PoPs at which the requests enter, in turn (airport codes); over HTTP as the header x-sim-pop.
    #[arg(long, value_name = "MEX,…", value_delimiter = ',', value_parser = parse_pop)]
    pub pop: Vec<String>,
    /// Seed of the simulated world.
    #[arg(long, default_value_t = 0, value_name = "S")]
    pub seed: u64,
    /// Environment of wrangler.toml (embedded simulator only).
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Replaces a variable of wrangler.toml; may be repeated (embedded simulator only).
    #[arg(long, value_name = "K=V", value_parser = parse_secret)]
    pub var: Vec<Secret>,
    /// The counts to hold the run against, such as admitted=50,denied=100; computed from the quotas if not given.
    #[arg(long, value_name = "COUNTS")]
    pub expect: Option<Expectation>,
    /// Write the report as JSON: to a file, or with `-` to standard output (and then nothing else).
    #[arg(long, value_name = "FILE|-")]
    pub json: Option<PathBuf>,
    /// Log in before the burst and use the token (needs a TARGET).
    #[arg(long, value_name = "USER:PASSWORD", value_parser = parse_secret, conflicts_with = "token_env")]
    pub login: Option<Secret>,
    /// Take the token from this environment variable (needs a TARGET).
    #[arg(long, value_name = "NAME")]
    pub token_env: Option<String>,
    /// Allow a host that is not loopback, by its exact name; needs --max-requests. May be repeated.
    #[arg(long, value_name = "NAME")]
    pub allow_host: Vec<String>,
    /// Refuse to send more requests than this, a login included.
    #[arg(long, value_name = "N")]
    pub max_requests: Option<u64>,
    /// How long to wait for a connection, and for an answer [default: 30] (needs a TARGET).
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    pub timeout: Option<f64>,
    /// Scheme, host and port of a server; without it, the embedded simulator.
    #[arg(value_name = "TARGET")]
    pub target: Option<String>,
    /// A curl command, as pasted (or as one quoted string).
    #[arg(last = true, value_name = "curl …")]
    pub curl: Vec<OsString>,
}

impl BurstArgs {
    /// The command that repeats this run, without credentials.
    pub fn repeat(&self, shown_curl: Option<&str>) -> String {
        let mut words = vec![
            "cargo loadgen burst".to_owned(),
            format!("-n {}", self.requests),
        ];
        let mut option = |name: &str, value: &str| words.push(format!("{name} {}", quote(value)));
        if self.clients != 1 {
            option("--clients", &self.clients.to_string());
        }
        if self.users != 1 {
            option("--users", &self.users.to_string());
        }
        if !self.pop.is_empty() {
            option("--pop", &self.pop.join(","));
        }
        if self.target.is_none() {
            option("--seed", &self.seed.to_string());
        }
        if let Some(env) = &self.env {
            option("--env", env);
        }
        for var in &self.var {
            let (name, value) = var.expose().split_once('=').unwrap_or_default();
            let value = if variables::is_plain(name) {
                value
            } else {
                HIDDEN
            };
            option("--var", &format!("{name}={value}"));
        }
        if let Some(expect) = &self.expect {
            let part =
                |name: &str, count: Option<u64>| count.map(|count| format!("{name}={count}"));
            let parts = [
                part("admitted", expect.admitted),
                part("denied", expect.denied),
            ];
            option(
                "--expect",
                &parts.into_iter().flatten().collect::<Vec<_>>().join(","),
            );
        }
        if let Some(login) = &self.login {
            let user = login.expose().split_once(':').map_or("", |(user, _)| user);
            option("--login", &format!("{user}:{HIDDEN}"));
        }
        if let Some(name) = &self.token_env {
            option("--token-env", name);
        }
        for host in &self.allow_host {
            option("--allow-host", host);
        }
        if let Some(cap) = self.max_requests {
            option("--max-requests", &cap.to_string());
        }
        if let Some(seconds) = self.timeout {
            option("--timeout", &seconds.to_string());
        }
        if let Some(target) = &self.target {
            words.push(quote(&crate::secret::shown_url(target)));
        }
        if let Some(curl) = shown_curl {
            words.push(format!("-- {curl}"));
        }
        words.join(" ")
    }
}

fn parse_pop(text: &str) -> Result<String, String> {
    if text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        Ok(text.to_ascii_uppercase())
    } else {
        Err("a PoP is an airport code of three letters, such as MEX".into())
    }
}

// Takes anything, so that clap has no reason to print the value in an error.
fn parse_secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}

fn parse_seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.001..=86_400.0).contains(&seconds) => Ok(seconds),
        _ => Err("a number of seconds from 0.001 to 86400".into()),
    }
}

/// The program: reads the process's arguments, prints, and gives the exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are printed the same way and are no errors.
            if !error.use_stderr()
                || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
            {
                drop(error.print());
                return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
            }
            eprintln!(
                "error: {}\n\nFor more information, try '--help'.",
                explain(&error)
            );
            return ExitCode::from(2);
        }
    };
    match cli.command {
        Command::Schema if !print(report::SCHEMA) => return ExitCode::from(3),
        Command::Schema => {}
        Command::Burst(args) => return ExitCode::from(burst(&args)),
    }
    ExitCode::SUCCESS
}

/// A usage error in words of our own: clap repeats what it did not understand, and that may be a credential.
fn explain(error: &clap::Error) -> String {
    let named = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(", ")),
        _ => None,
    };
    let argument = named(ContextKind::InvalidArg);
    match error.kind() {
        ErrorKind::UnknownArgument => match argument.filter(|text| is_option_name(text)) {
            Some(name) => format!("{name} is not an option of loadgen"),
            None => "an argument is not understood; a curl command stands after `--`: loadgen burst -- curl …".into(),
        },
        ErrorKind::InvalidSubcommand => "the commands are `burst` and `schema`".into(),
        // The other errors name arguments as they stand in the help, and the reasons are those of our own parsers.
        ErrorKind::ValueValidation => {
            let reason = std::error::Error::source(error).map(ToString::to_string);
            let argument = argument.unwrap_or_else(|| "an argument".into());
            format!("{argument}: {}", reason.as_deref().unwrap_or("the value is not valid"))
        }
        ErrorKind::ArgumentConflict => format!(
            "{} cannot be used with {}",
            argument.as_deref().unwrap_or("an argument"),
            named(ContextKind::PriorArg).as_deref().unwrap_or("itself, twice")
        ),
        kind => {
            let problem = kind.as_str().unwrap_or("the command line is wrong");
            argument.map_or(problem.to_owned(), |argument| format!("{argument}: {problem}"))
        }
    }
}

fn is_option_name(text: &str) -> bool {
    text.strip_prefix("--").is_some_and(|name| {
        !name.is_empty()
            && name.len() <= 24
            && name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
    })
}

fn burst(args: &BurstArgs) -> u8 {
    let bar = progress_bar(args.requests);
    let environment = |name: &str| std::env::var(name).ok();
    let outcome = burst::run(args, &environment, &|sent| {
        if let Some(bar) = &bar {
            bar.set_position(sent);
        }
    });
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    let report = match outcome {
        Ok(report) => report,
        Err(Trouble::Usage(error)) => {
            eprintln!("{error:?}");
            return 2;
        }
        Err(Trouble::Unable(error)) => {
            eprintln!("{error:?}");
            return 3;
        }
    };
    let written = match &args.json {
        Some(path) if path.as_os_str() == "-" => print(&report.json()),
        Some(path) => {
            let printed = print(&report.text());
            if let Err(error) = report.write(path) {
                eprintln!("cannot write {}: {error}", path.display());
                // The verdict is printed, but whoever reads the file would read an old one.
                return 3;
            }
            printed
        }
        None => print(&report.text()),
    };
    if !written {
        return 3;
    }
    report.verdict.exit_code()
}

/// Prints to standard output. A reader that has gone away (`| head`) is no reason to fail or to panic.
/// Gives whether the text was written.
fn print(text: &str) -> bool {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            eprintln!("cannot write to standard output: {error}");
            false
        }
        _ => true,
    }
}

/// A bar on a terminal, nothing elsewhere.
fn progress_bar(requests: u64) -> Option<ProgressBar> {
    if !std::io::stderr().is_terminal() {
        return None;
    }
    let bar = ProgressBar::with_draw_target(Some(requests), ProgressDrawTarget::stderr_with_hz(8));
    let style =
        ProgressStyle::with_template("{bar:40} {pos}/{len} requests, {per_sec}, {eta} left");
    bar.set_style(style.expect("the template is valid"));
    Some(bar)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(words: &[&str]) -> BurstArgs {
        let words = ["loadgen", "burst"]
            .into_iter()
            .chain(words.iter().copied());
        match Cli::try_parse_from(words).expect("valid").command {
            Command::Burst(args) => *args,
            Command::Schema => unreachable!("burst was asked for"),
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn the_repeated_command_is_the_same_run() {
        let words = [
            "-n",
            "7",
            "--clients",
            "3",
            "--users",
            "2",
            "--pop",
            "MEX,lhr",
            "--seed",
            "9",
            "--env",
            "preview",
            "--var",
            "ALLOWED_ORIGINS=b c",
            "--expect",
            "admitted=5,denied=2",
            "--timeout",
            "2.5",
        ];
        let first = args(&words);
        let repeated = first.repeat(None);
        let line = crate::curl::words::split(&repeated).expect("quoted for a shell");
        let line: Vec<String> = line
            .into_iter()
            .map(|word| String::from_utf8(word).expect("text"))
            .collect();
        let second = args(&line[3..].iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(format!("{first:?}"), format!("{second:?}"));
        assert!(first.var == second.var);
    }

    #[test]
    fn neither_debug_nor_repeat_shows_the_password() {
        let args = args(&["http://127.0.0.1:1", "--login", "demo:planted-pass"]);
        assert!(!format!("{args:?} {}", args.repeat(None)).contains("planted-pass"));
    }
}

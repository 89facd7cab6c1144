//! The command line: `loadgen burst …` and `loadgen schema`.
//!
//! It only reads arguments, prints results and turns verdicts into exit codes; [`crate::burst`] does the work. The
//! contract supplies the help's text about the API.

use std::ffi::OsString;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::args::BurstArgs;
use crate::burst;
use crate::program::{Program, Trouble};
use crate::report;

const EXIT_CODES: &str = "Exit codes:
  0  the contract was kept
  1  the contract was broken
  2  the command line is wrong
  3  could not measure: the burst took longer than the limiter's window, somebody else than the Worker
     denied requests, requests timed out, or the target could not be reached";

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
    Burst(Box<BurstArgs>),
    /// Print the JSON schema of the report that `--json` writes.
    Schema,
}

/// The command line, with what the contract and the Worker add to its help.
pub fn command(program: &Program) -> clap::Command {
    let words = program.contract.words();
    let no_target = match program.worker {
        Some(_) => "the Worker runs in the embedded simulator, in virtual time",
        None => "nothing is sent: this program has no Worker of its own",
    };
    let about = format!(
        "Send one request many times and judge the answers.\n\nWithout a TARGET {no_target}. With a URL the burst goes there \
         over HTTP/1.1. A curl command after `--` says what is sent (of its URL only path and query are used); without \
         one {}.",
        words.sample
    );
    Cli::command()
        .name(program.name)
        .bin_name(program.name)
        .mut_subcommand("burst", |burst| {
            burst
                .long_about(about)
                .after_help(EXIT_CODES)
                .after_long_help(format!("{EXIT_CODES}\n\nExamples:{}", words.examples))
        })
}

/// The program: reads the process's arguments, prints, and gives the exit code.
pub fn main(program: &Program) -> ExitCode {
    run(program, std::env::args_os().skip(1))
}

/// The same with arguments that a program of several commands has read already.
pub fn run(program: &Program, arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let words = std::iter::once(program.name.into()).chain(arguments);
    let matches = command(program).try_get_matches_from(words);
    let cli = match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
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
                explain(program, &error)
            );
            return ExitCode::from(2);
        }
    };
    match cli.command {
        Command::Schema if !print(report::SCHEMA) => return ExitCode::from(3),
        Command::Schema => {}
        Command::Burst(args) => return ExitCode::from(burst(program, &args)),
    }
    ExitCode::SUCCESS
}

/// A usage error with a text of our own: clap repeats what it did not understand, and that may be a credential.
fn explain(program: &Program, error: &clap::Error) -> String {
    let name = program.name;
    let named = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(", ")),
        _ => None,
    };
    let argument = named(ContextKind::InvalidArg);
    match error.kind() {
        ErrorKind::UnknownArgument => match argument.filter(|text| is_option_name(text)) {
            Some(option) => format!("{option} is not an option of {name}"),
            None => format!(
                "an argument is not understood; a curl command stands after `--`: {name} burst -- curl …"
            ),
        },
        ErrorKind::InvalidSubcommand => "the commands are `burst` and `schema`".into(),
        // The other errors name arguments as the help does, and their reasons are those of our own parsers.
        ErrorKind::ValueValidation => {
            let reason = std::error::Error::source(error).map(ToString::to_string);
            let argument = argument.unwrap_or_else(|| "an argument".into());
            format!(
                "{argument}: {}",
                reason.as_deref().unwrap_or("the value is not valid")
            )
        }
        ErrorKind::ArgumentConflict => format!(
            "{} cannot be used with {}",
            argument.as_deref().unwrap_or("an argument"),
            named(ContextKind::PriorArg)
                .as_deref()
                .unwrap_or("itself, twice")
        ),
        kind => {
            let problem = kind.as_str().unwrap_or("the command line is wrong");
            argument.map_or(problem.to_owned(), |argument| {
                format!("{argument}: {problem}")
            })
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

fn burst(program: &Program, args: &BurstArgs) -> u8 {
    let bar = progress_bar(args.requests);
    let environment = |name: &str| std::env::var(name).ok();
    let outcome = burst::run(program, args, &environment, &|sent| {
        if let Some(bar) = &bar {
            // It is drawn some times in a second of the host's, whatever time it is in the world.
            edgeproof_sim::world::as_host(|| bar.set_position(sent));
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
                // The verdict is printed, but the file still holds an older one.
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

/// Prints to standard output. A reader that has gone away (`| head`) is no reason to fail or to panic. Returns whether
/// the text was written.
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
    use crate::contract::generic::Generic;
    use std::rc::Rc;

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
        let program = Program {
            name: "loadgen",
            command: "loadgen",
            contract: Rc::new(Generic),
            worker: None,
        };
        command(&program).debug_assert();
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
            "GREETING=b c",
            "--expect",
            "admitted=5,denied=2",
            "--timeout",
            "2.5",
        ];
        let first = args(&words);
        let repeated = first.repeat("cargo loadgen", &|_| true, None);
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
        let args = args(&["http://127.0.0.1:1", "--login", "ann:planted-pass"]);
        let repeated = args.repeat("loadgen", &|_| false, None);
        assert!(!format!("{args:?} {repeated}").contains("planted-pass"));
    }
}

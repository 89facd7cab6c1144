//! The words of a command line: which command they mean, and what is wrong with them.

use crate::linked::Linked;
use crate::{api, build, forecast, serve, tools, workerd};
use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use std::ffi::OsString;
use std::process::ExitCode;

#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the Worker over HTTP, under the wall clock, until Ctrl-C.
    Serve(serve::Arguments),
    /// Install the pinned tools of `build`, `workerd` and the tests, and print where they are, as JSON.
    Tools(tools::Arguments),
    /// Build the Worker for deployment: wasm and its JavaScript glue.
    Build(build::Arguments),
    /// Run a Worker in a real workerd, with this simulator as its KV and D1.
    Workerd(workerd::Arguments),
    /// Answer wrangler's KV and D1 commands in place of Cloudflare's REST API.
    Api(api::Arguments),
    /// Simulate a day of traffic and tell which allowance of the plan ends first.
    Forecast(forecast::Arguments),
}

/// The commands of the load generator, which reads its arguments itself: its errors repeat no credential.
const LOADGEN: [&str; 2] = ["burst", "schema"];

/// Runs the command that `words` name, without the name of the program; prints, and gives the exit code.
pub fn run(linked: &Linked, words: impl IntoIterator<Item = OsString>) -> ExitCode {
    let words: Vec<OsString> = words.into_iter().collect();
    if words
        .first()
        .is_some_and(|word| LOADGEN.iter().any(|command| word == command))
    {
        return edgeproof_loadgen::cli::run(&linked.program(), words);
    }
    // Lines stay whole, so that a command in a message can be copied.
    let whole = |_: &_| -> Box<dyn miette::ReportHandler> {
        Box::new(miette::MietteHandlerOpts::new().wrap_lines(false).build())
    };
    // One that is there already stays.
    let _ = miette::set_hook(Box::new(whole));
    let words = std::iter::once(linked.name.into()).chain(words);
    let read = command(linked).try_get_matches_from(words);
    let cli = read.and_then(|matches| Cli::from_arg_matches(&matches));
    match cli.and_then(|cli| cli.command.checked(linked)) {
        Ok(command) => match command.run(linked) {
            Ok(()) => ExitCode::SUCCESS,
            Err(problem) => {
                eprintln!("Error: {problem:?}");
                ExitCode::FAILURE
            }
        },
        Err(error) => {
            // Help and version are printed the same way and are no errors.
            let _ = error.print();
            u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
        }
    }
}

/// The command line for a Worker.
fn command(linked: &Linked) -> clap::Command {
    let loadgen = edgeproof_loadgen::cli::command(&linked.described());
    let loadgen = loadgen.get_subcommands().cloned();
    Cli::command()
        .name(linked.name)
        .bin_name(linked.name)
        .about(linked.about)
        .mut_subcommand("forecast", |command| forecast::describe(command, linked))
        // For the help; these words never come here.
        .subcommands(loadgen)
}

impl Command {
    /// Refuses what the parser cannot, with the exit code of a wrong usage.
    fn checked(self, linked: &Linked) -> Result<Self, clap::Error> {
        let problem = match &self {
            Self::Serve(arguments) => arguments.usage_error(),
            Self::Workerd(arguments) => arguments.usage_error(),
            Self::Forecast(arguments) => arguments.usage_error(linked),
            Self::Tools(_) | Self::Build(_) | Self::Api(_) => None,
        };
        match problem {
            None => Ok(self),
            Some(problem) => Err(command(linked).error(ErrorKind::ValueValidation, problem)),
        }
    }

    fn run(self, linked: &Linked) -> miette::Result<()> {
        match self {
            Self::Serve(arguments) => serve::run(linked, arguments),
            Self::Tools(arguments) => tools::run(linked, &arguments),
            Self::Build(arguments) => build::run(linked, &arguments),
            Self::Workerd(arguments) => workerd::run(linked, arguments),
            Self::Api(arguments) => api::run(linked, arguments),
            Self::Forecast(arguments) => forecast::run(linked, &arguments),
        }
    }
}

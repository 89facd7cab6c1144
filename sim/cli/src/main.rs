//! The `sim` command: the production Worker on the simulated platform.
//!
//! Exit codes: 0 done, 1 the Worker or its configuration cannot be simulated, 2 usage.

mod api;
mod build;
mod forecast;
mod number;
mod own;
mod serve;
mod server;
mod state;
mod tools;
mod workerd;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};

// Nothing here names the Worker; without this its handlers would not be linked.
extern crate edgeproof_worker as _;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The production Worker on a simulated Cloudflare.
#[derive(Debug, Parser)]
#[command(name = "sim", version, about)]
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

fn main() -> miette::Result<()> {
    // Lines stay whole, so that a command in a message can be copied.
    let whole = |_: &_| -> Box<dyn miette::ReportHandler> {
        Box::new(miette::MietteHandlerOpts::new().wrap_lines(false).build())
    };
    miette::set_hook(Box::new(whole))?;
    match Cli::parse().command {
        Command::Serve(arguments) => {
            refuse(arguments.usage_error());
            serve::run(arguments)
        }
        Command::Tools(arguments) => tools::run(&arguments),
        Command::Build(arguments) => build::run(&arguments),
        Command::Workerd(arguments) => {
            refuse(arguments.usage_error());
            workerd::run(arguments)
        }
        Command::Api(arguments) => api::run(arguments),
        Command::Forecast(arguments) => forecast::run(&arguments),
    }
}

/// Ends with the exit code of a wrong usage, if there is a problem.
fn refuse(problem: Option<String>) {
    if let Some(problem) = problem {
        Cli::command()
            .error(ErrorKind::ValueValidation, problem)
            .exit();
    }
}

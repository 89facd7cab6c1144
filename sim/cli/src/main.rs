//! The `sim` command: the production Worker on the simulated platform.
//!
//! Exit codes: 0 done, 1 the Worker or its configuration cannot be simulated, 2 usage.

mod serve;

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
}

fn main() -> miette::Result<()> {
    match Cli::parse().command {
        Command::Serve(arguments) => match arguments.usage_error() {
            None => serve::run(arguments),
            Some(problem) => Cli::command()
                .error(ErrorKind::ValueValidation, problem)
                .exit(),
        },
    }
}

//! `cargo edgeproof`: what edgeproof does for the Worker in this folder.
//!
//! `init` prepares a Worker's package. Every other command runs in a program that links the Worker ([`runner`]): it is built
//! under the Worker's target folder, and its arguments are passed on as they are.
//!
//! Exit codes: 0 done, 1 the Worker or its configuration cannot be used, 2 usage; the burst has those of its own, which its help
//! tells.

mod failure;
mod init;
mod project;
mod runner;
mod source;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use std::ffi::OsString;
use std::process::ExitCode;

/// Cargo starts `cargo-edgeproof edgeproof …` for `cargo edgeproof …`.
#[derive(Debug, Parser)]
#[command(name = "cargo", bin_name = "cargo")]
enum Cargo {
    Edgeproof(Cli),
}

/// Proves the Cloudflare Worker in this folder before it is deployed.
#[derive(Debug, clap::Args)]
#[command(version, after_help = COMMANDS)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const COMMANDS: &str = "With the Worker of this folder or one above it, each with a --help of its own:
  serve     Serve it over HTTP, under the wall clock
  burst     Send one request many times and judge the answers (schema: of its report)
  forecast  Simulate a day of traffic and tell which allowance of the plan ends first
  workerd   Run what `build` made in a real workerd, with the simulator as its KV and D1
  build     Build it for deployment: wasm and its JavaScript glue
  api       Answer wrangler's KV and D1 commands in place of Cloudflare's REST API
  tools     Install the pinned tools of `build` and `workerd`

Exit codes: 0 done, 1 the Worker or its configuration cannot be used, 2 usage. `burst` has codes of its own.";

/// What the program that links the Worker understands: a wrong word should not wait for it to be built.
const LINKED: [&str; 8] = [
    "serve", "burst", "schema", "forecast", "workerd", "build", "api", "tools",
];

#[derive(Debug, Subcommand)]
enum Command {
    /// Prepare the Worker's package for tests: shows every change and asks.
    Init(init::Arguments),
    #[command(external_subcommand)]
    Run(Vec<OsString>),
}

fn main() -> ExitCode {
    let Cargo::Edgeproof(cli) = Cargo::parse();
    let done = match cli.command {
        Command::Init(arguments) => init::run(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Run(words) => {
            let name = words.first().map(|word| word.to_string_lossy());
            let name = name.unwrap_or_default();
            if !LINKED.contains(&&*name) {
                let problem = format!(
                    "there is no command '{name}'; the commands are init, {}\n",
                    LINKED.join(", ")
                );
                Cargo::command()
                    .error(ErrorKind::InvalidSubcommand, problem)
                    .exit();
            }
            runner::run(&words)
        }
    };
    done.unwrap_or_else(|failure| {
        eprintln!("error: {failure}");
        ExitCode::FAILURE
    })
}

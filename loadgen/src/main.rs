//! Bursts at a server whose API is unknown; see [`edgeproof_loadgen::contract::generic`].

use std::process::ExitCode;
use std::rc::Rc;

use edgeproof_loadgen::cli;
use edgeproof_loadgen::contract::generic::Generic;
use edgeproof_loadgen::program::Program;

fn main() -> ExitCode {
    cli::main(&Program {
        name: "edgeproof-loadgen",
        command: "edgeproof-loadgen",
        contract: Rc::new(Generic),
        worker: None,
    })
}

//! The program `sim`: every command of edgeproof with the production Worker.
//!
//! `sim loadgen …` is its load generator under its own name; `cargo sim` and `cargo loadgen` are aliases of the two.

use std::process::ExitCode;

// The handlers of the Worker are found by its package's name; without this they would not be linked.
extern crate edgeproof_worker as _;

/// A simulated request makes about a hundred small allocations; this allocator takes a third less time in all for them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1).peekable();
    if words.next_if(|word| word == "loadgen").is_some() {
        let program = edgeproof_worker_cli::loadgen().program();
        return edgeproof_cli::loadgen::cli::run(&program, words);
    }
    edgeproof_cli::run(&edgeproof_worker_cli::linked(), words)
}

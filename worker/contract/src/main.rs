//! The program `loadgen`: the load generator with this Worker and its contract.

use std::process::ExitCode;

/// A simulated request makes about a hundred small allocations; this allocator takes a third less time in all for them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    edgeproof_loadgen::cli::main(&edgeproof_worker_contract::program())
}

//! The program `loadgen`; all of it is in the library, see [`edgeproof_loadgen::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    edgeproof_loadgen::cli::main()
}

//! The command `sim`, as suites with the real runtime run it.

use serde_json::Value;
use std::process::{Command, Stdio};

/// `cargo sim`, which becomes the program itself; or the built program that `EDGEPROOF_SIM` names.
pub fn sim_command() -> Command {
    let mut command = match std::env::var_os("EDGEPROOF_SIM") {
        Some(program) => Command::new(program),
        None => {
            let mut command = Command::new(env!("CARGO"));
            command.arg("sim");
            command
        }
    };
    command.current_dir(crate::ROOT);
    command
}

/// Runs it to its end; gives what it printed.
///
/// # Panics
/// If it fails.
pub fn sim(arguments: &[&str]) -> Vec<u8> {
    let output = sim_command()
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "`cargo sim {}` failed",
        arguments.join(" ")
    );
    output.stdout
}

/// Where the pinned tools are: `node`, `npm_folder` and so on. They are installed if need be.
pub fn tools() -> Value {
    serde_json::from_slice(&sim(&["tools", "--yes"])).expect("`sim tools` prints JSON")
}

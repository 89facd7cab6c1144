//! What the real arms need: the pinned tools and the Worker as wasm, both from `sim`.

use crate::case::folder;
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

/// Where the pinned tools are: `node`, `npm_folder` and so on. They are installed if need be.
pub(crate) fn tools() -> Value {
    serde_json::from_slice(&sim(&["tools", "--yes"])).expect("`sim tools` prints JSON")
}

/// Builds the Worker for wasm: the folder of `index.js` and `index_bg.wasm`.
pub(crate) fn bundle() -> PathBuf {
    let crate_folder = folder().join("worker");
    let shown = crate_folder.to_str().expect("the checkout's path is UTF-8");
    sim(&["build", "--yes", "--crate", shown]);
    crate_folder.join("build")
}

/// `cargo sim`, which becomes the program itself; or the built program that `EDGEPROOF_SIM` names.
pub(crate) fn sim_command() -> Command {
    let mut command = match std::env::var_os("EDGEPROOF_SIM") {
        Some(program) => Command::new(program),
        None => {
            let mut command = Command::new(env!("CARGO"));
            command.arg("sim");
            command
        }
    };
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

fn sim(arguments: &[&str]) -> Vec<u8> {
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

/// Runs a program until its input ends, whoever ends it: so nothing is left running when a test is cut off in the middle.
const GUARD: &str = r#""$@" & cat > /dev/null; kill $! 2> /dev/null; wait"#;

/// A running server. It ends when this is dropped, or with this process.
pub(crate) struct Server {
    guard: Child,
    // Kept open: who prints into a closed pipe is ended by it.
    output: BufReader<ChildStdout>,
}

impl Server {
    /// Starts it and reads the first line that it prints.
    ///
    /// # Panics
    /// If it ends instead.
    pub(crate) fn start(command: &Command) -> (Self, String) {
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "sh"])
            .arg(command.get_program())
            .args(command.get_args())
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("there is a shell");
        let output = guard.stdout.take().expect("it was asked for");
        let mut output = BufReader::new(output);
        let mut line = String::new();
        output.read_line(&mut line).expect("servers print text");
        assert!(!line.is_empty(), "it ended at once, see above");
        (Self { guard, output }, line.trim().to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        // It has ended when its output has; what it still said and how it ended are nobody's concern.
        let _ = self.output.read_to_end(&mut Vec::new());
        let _ = self.guard.wait();
    }
}

//! What the real arms need: the Worker as wasm, and servers that end with this process.

use crate::case::folder;
use crate::command::sim;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

/// Builds the Worker for wasm: the folder of `index.js` and `index_bg.wasm`.
pub(crate) fn bundle() -> PathBuf {
    let crate_folder = folder().join("worker");
    let shown = crate_folder.to_str().expect("the checkout's path is UTF-8");
    sim(&["build", "--yes", "--crate", shown]);
    crate_folder.join("build")
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

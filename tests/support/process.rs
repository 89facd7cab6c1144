//! A server that a suite runs as a process.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, Stdio};

/// Runs a program until the input ends. The input also ends when the test's process is killed, so no server outlives it.
const GUARD: &str = r#""$@" & cat > /dev/null; kill $! 2> /dev/null; wait"#;

/// A running server. It ends when this is dropped, or with this process.
pub struct Process {
    guard: Child,
    // Kept open: a program that prints into a closed pipe dies of it.
    output: BufReader<ChildStdout>,
}

impl Process {
    /// Starts a command in the workspace's folder.
    pub fn start(command: &Command) -> Self {
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "sh"])
            .arg(command.get_program())
            .args(command.get_args())
            .current_dir(crate::ROOT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("there is a shell");
        let output = guard.stdout.take().expect("it was asked for");
        Self {
            guard,
            output: BufReader::new(output),
        }
    }

    /// What it prints next.
    ///
    /// # Panics
    /// If it ended instead.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        let read = self.output.read_line(&mut line);
        read.expect("a server prints text");
        assert!(
            !line.is_empty(),
            "the server ended at once; what it said stands above"
        );
        line
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.output.read_to_end(&mut Vec::new());
        let _ = self.guard.wait();
    }
}

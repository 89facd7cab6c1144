//! A command of `sim` that serves until it is told to stop, for tests.

#![allow(dead_code, reason = "no suite needs all of it")]

use std::fs::File;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use support::client::eventually;
use tempfile::TempDir;

/// The command, running.
pub(crate) struct Server {
    child: Child,
    output: TempDir,
    /// Where it listens first of all.
    pub(crate) address: SocketAddr,
}

fn sim(arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sim"));
    command
        .args(arguments)
        .env("NO_COLOR", "1")
        .env_remove("EDGEPROOF_API_TOKEN")
        .envs(variables.iter().copied())
        .stdin(Stdio::null());
    command
}

impl Server {
    /// Starts a command, such as `api`, on a free port, and waits until it serves.
    pub(crate) fn start(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let output = TempDir::new().expect("a folder");
        let file = |name| File::create(output.path().join(name)).expect("a file");
        let mut child = sim(&[arguments, &["--port", "0"]].concat(), variables)
            .stdout(file("out"))
            .stderr(file("err"))
            .spawn()
            .expect("it starts");
        let address = eventually("the server serves", || {
            if let Some(status) = child.try_wait().expect("a child") {
                panic!("it ended: {status}: {}", read(&output, "err"));
            }
            let out = read(&output, "out");
            let (_, rest) = out.split_once("listening on http://")?;
            // What comes after the address has been said too by then.
            out.contains("Ctrl-C ends").then_some(())?;
            rest.split_once('\n')?.0.parse().ok()
        });
        Self {
            child,
            output,
            address,
        }
    }

    /// The value that the server asks a shell to export under this name.
    pub(crate) fn exported(&self, name: &str) -> Option<String> {
        let printed = self.printed();
        let words = printed
            .lines()
            .filter_map(|line| line.strip_prefix("export "));
        let mut pairs = words.flat_map(str::split_whitespace);
        let found = pairs.find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        found.map(str::to_owned)
    }

    /// All that it has said.
    pub(crate) fn printed(&self) -> String {
        read(&self.output, "out") + &read(&self.output, "err")
    }

    /// Ends it as Ctrl-C does; gives the exit code and what was printed.
    pub(crate) fn stop(mut self) -> (Option<i32>, String) {
        let pid = self.child.id().to_string();
        let killed = Command::new("kill").args(["-INT", &pid]).status();
        assert!(killed.expect("kill is there").success());
        let status = eventually("the server ends", || {
            self.child.try_wait().expect("a child")
        });
        (status.code(), self.printed())
    }

    /// Ends it without a chance to do anything.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(folder: &TempDir, name: &str) -> String {
    String::from_utf8_lossy(&std::fs::read(folder.path().join(name)).expect("a file")).into_owned()
}

/// A child that ends with its value, however a test does.
struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a command where it cannot run; gives the exit code and the message without its line breaks.
///
/// # Panics
/// If it runs all the same.
pub(crate) fn refused(arguments: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let output = TempDir::new().expect("a folder");
    let file = File::create(output.path().join("err")).expect("a file");
    let mut command = sim(arguments, variables);
    command.stdout(Stdio::null()).stderr(file);
    let mut child = Reaped(command.spawn().expect("it starts"));
    let status = eventually("it refuses to run", || child.0.try_wait().expect("a child"));
    let message = read(&output, "err");
    let words: Vec<&str> = message
        .split_whitespace()
        .filter(|word| *word != "│")
        .collect();
    (status.code(), words.join(" "))
}

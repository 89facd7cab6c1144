//! A `sim workerd` that runs, for tests.

#![allow(dead_code, reason = "no suite needs all of it")]

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use support::client::eventually;
use tempfile::TempDir;

/// The command, running; dropped, it is ended as by Ctrl-C.
pub(crate) struct Workerd {
    child: Child,
    output: TempDir,
    pops: Vec<(String, SocketAddr)>,
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sim"));
    command
        .arg("workerd")
        .args(arguments)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null());
    command
}

impl Workerd {
    /// Starts it on free ports and waits until it serves.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let output = TempDir::new().expect("a folder");
        let file = |name| File::create(output.path().join(name)).expect("a file");
        let mut child = command(&[&["--port", "0"], arguments].concat())
            .stdout(file("out"))
            .stderr(file("err"))
            .spawn()
            .expect("it starts");
        let pops = eventually("the runtime serves", || {
            if let Some(status) = child.try_wait().expect("a child") {
                panic!("it ended: {status}: {}", read(&output, "err"));
            }
            let out = read(&output, "out");
            out.contains("Ctrl-C ends\n").then(|| {
                let pop = |line: &str| {
                    let (code, address) = line.split_once(" on http://")?;
                    Some((code.to_owned(), address.parse().ok()?))
                };
                out.lines().filter_map(pop).collect()
            })
        });
        Self {
            child,
            output,
            pops,
        }
    }

    /// Where a PoP's requests are taken.
    pub(crate) fn address(&self, pop: &str) -> SocketAddr {
        let found = self.pops.iter().find(|(code, _)| code == pop);
        found
            .unwrap_or_else(|| panic!("no PoP {pop}: {:?}", self.pops))
            .1
    }

    /// The command's own process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The id of its child process of that name.
    pub(crate) fn child_of(&self, name: &str) -> u32 {
        let children = format!("/proc/{0}/task/{0}/children", self.child.id());
        let children = std::fs::read_to_string(children).expect("its children");
        let ids = children
            .split_whitespace()
            .map(|id| id.parse().expect("a number"));
        ids.into_iter()
            .find(|id: &u32| {
                let comm = std::fs::read_to_string(format!("/proc/{id}/comm"));
                comm.is_ok_and(|comm| comm.trim() == name)
            })
            .unwrap_or_else(|| panic!("no child {name}: {children}"))
    }

    /// The configuration that the runtime was started with.
    pub(crate) fn configuration(&self) -> PathBuf {
        let line = format!("/proc/{}/cmdline", self.child_of("workerd"));
        let line = std::fs::read(line).expect("its command line");
        let argument = line
            .split(|byte| *byte == 0)
            .map(|argument| String::from_utf8_lossy(argument).into_owned())
            .find(|argument| argument.ends_with(".capnp"));
        PathBuf::from(argument.expect("a configuration"))
    }

    /// What it printed so far.
    pub(crate) fn printed(&self) -> String {
        read(&self.output, "out") + &read(&self.output, "err")
    }

    /// Ends it as Ctrl-C does; gives the exit code and what was printed.
    pub(crate) fn stop(self) -> (Option<i32>, String, String) {
        self.interrupt();
        self.ended()
    }

    /// Waits for the end; gives the exit code and what was printed.
    pub(crate) fn ended(mut self) -> (Option<i32>, String, String) {
        let status = eventually("the command ends", || {
            self.child.try_wait().expect("a child")
        });
        (
            status.code(),
            read(&self.output, "out"),
            read(&self.output, "err"),
        )
    }

    fn interrupt(&self) {
        self.signal("INT");
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let _ = Command::new("kill")
            .args([&format!("-{name}"), &pid])
            .status();
    }
}

impl Drop for Workerd {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.interrupt();
            let _ = self.child.wait();
        }
    }
}

fn read(folder: &TempDir, name: &str) -> String {
    String::from_utf8_lossy(&std::fs::read(folder.path().join(name)).expect("a file")).into_owned()
}

/// Runs it where it cannot run; gives the exit code and the message without its line breaks.
pub(crate) fn refused(arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = command(arguments).output().expect("it starts");
    let message = String::from_utf8_lossy(&stderr).into_owned();
    let words: Vec<&str> = message
        .split_whitespace()
        .filter(|word| *word != "│")
        .collect();
    (status.code(), words.join(" "))
}

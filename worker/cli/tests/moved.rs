//! The program elsewhere: what it simulates is in it, and what it builds is looked for where it was started.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use support::client::ask;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_sim");

/// A copy of the program, and an empty folder to run it in.
struct Moved {
    program: TempDir,
    folder: TempDir,
}

impl Moved {
    fn new() -> Self {
        let program = TempDir::new().expect("a folder");
        copy(program.path().join("sim"));
        let folder = TempDir::new().expect("a folder");
        Self { program, folder }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.program.path().join("sim"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        command
    }

    fn is_empty(&self) -> bool {
        let mut left = std::fs::read_dir(self.folder.path()).expect("listed");
        left.next().is_none()
    }
}

/// Copies the program. Another process writes the copy: one that this process has open for writing would be open in every child
/// that a test beside this one starts meanwhile, and the system runs no file that is open for writing.
fn copy(to: PathBuf) {
    let copied = Command::new("cp").arg(PROGRAM).arg(to).status();
    assert!(copied.expect("cp is there").success());
}

/// A child that ends with its value, however a test does.
struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a command that serves; gives its address.
fn start(moved: &Moved, arguments: &[&str]) -> (Reaped, SocketAddr) {
    let mut command = moved.command(arguments);
    command.stdout(Stdio::piped());
    let mut child = Reaped(command.spawn().expect("it starts"));
    let lines = BufReader::new(child.0.stdout.take().expect("piped")).lines();
    let mut lines = lines.map(|line| line.expect("text"));
    let address = lines.find_map(|line| {
        let (_, address) = line.split_once("listening on http://")?;
        address.parse().ok()
    });
    (child, address.expect("it serves"))
}

#[test]
fn a_moved_program_serves_its_worker_with_migrations_and_seeds() {
    let moved = Moved::new();
    let (_child, address) = start(&moved, &["serve", "--port", "0"]);
    let demo = r#"{"username":"demo","password":"demo-pass-9137"}"#;
    let answer = ask(address, "POST", "/api/auth/login", &[], demo);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(moved.is_empty(), "nothing is left behind");
}

#[test]
fn a_moved_program_serves_the_account_of_its_worker() {
    let moved = Moved::new();
    let (_child, address) = start(&moved, &["api", "--port", "0", "--token", "t"]);
    let path = "/client/v4/accounts/local/d1/database";
    let answer = ask(address, "GET", path, &[("authorization", "Bearer t")], "");
    let text = answer.text();
    assert_eq!(answer.status, 200, "{text}");
    assert!(text.contains("\"uuid\""), "its database is there: {text}");
}

#[test]
fn a_moved_program_forecasts() {
    let moved = Moved::new();
    let arguments = ["forecast", "--traffic", "reference", "--requests", "1000"];
    let output = moved.command(&arguments).output().expect("it starts");
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{message}");
    assert!(moved.is_empty(), "nothing is left behind");
}

#[test]
fn what_a_moved_program_cannot_find_it_asks_for() {
    let moved = Moved::new();
    for arguments in [&["build"][..], &["tools"], &["workerd"]] {
        let output = moved.command(arguments).output().expect("it starts");
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {message}");
        for part in [
            "the crate of edgeproof's Worker is neither in",
            "run it inside a checkout of edgeproof",
        ] {
            assert!(message.contains(part), "{arguments:?}: {message}");
        }
    }
}

/// The source tree is there while this test runs, so a file read by its absolute path would be found: the program must not
/// hold such a path. Paths of Rust sources stand in the debug information.
#[test]
fn the_program_holds_no_path_of_the_workers_files() {
    let program = std::fs::read(PROGRAM).expect("the program");
    // As the compiler wrote it, not as the file system resolves it.
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = package.ancestors().nth(2).expect("the workspace");
    let root = root.to_str().expect("text").as_bytes();
    let mut seen = 0;
    for start in 0..program.len() - root.len() {
        if program[start] != b'/' || !program[start..].starts_with(root) {
            continue;
        }
        seen += 1;
        let text = &program[start..];
        let end = text.iter().take(400);
        let end = end.into_iter().position(|byte| !byte.is_ascii_graphic());
        let path = String::from_utf8_lossy(&text[..end.unwrap_or(400)]);
        for part in ["wrangler.toml", "migrations", "seeds", ".sql"] {
            assert!(!path.contains(part), "{path}");
        }
    }
    println!("{seen} paths below the workspace, none of the Worker's files");
}

//! The program elsewhere: it carries its Worker with it and reads nothing of the source tree.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_loadgen");

/// In the empty folder nothing can be found by a relative path.
#[test]
fn a_moved_program_runs_in_an_empty_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let elsewhere = tempfile::tempdir().expect("a folder");
    let moved = elsewhere.path().join("loadgen");
    std::fs::copy(PROGRAM, &moved).expect("copied");
    for environment in [None, Some("preview"), Some("production")] {
        let mut command = Command::new(&moved);
        command.args(["burst", "--json", "-"]);
        if let Some(environment) = environment {
            command.args(["--env", environment]);
        }
        let output = command
            .current_dir(folder.path())
            .env_clear()
            .stdin(Stdio::null())
            .output()
            .expect("the program starts");
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{environment:?}: {message}");
        let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
        assert_eq!(
            report["requests"]["by_status"],
            serde_json::json!({ "201": 50, "429": 100 })
        );
    }
    let left = std::fs::read_dir(folder.path()).expect("listed");
    assert_eq!(left.count(), 0, "nothing is left behind");
}

/// The source tree is there while this test runs, so a file read by its absolute path would be found: the program must not
/// hold such a path. Paths of Rust sources stand in the debug information.
#[test]
fn the_program_holds_no_path_of_the_workers_files() {
    let program = std::fs::read(PROGRAM).expect("the program");
    // As the compiler wrote it, not as the file system resolves it.
    let contract = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = contract.ancestors().nth(2).expect("the workspace");
    let root = root.to_str().expect("text").as_bytes();
    let mut seen = 0;
    for start in 0..program.len() - root.len() {
        if program[start] != b'/' || !program[start..].starts_with(root) {
            continue;
        }
        seen += 1;
        let text = &program[start..];
        let end = text
            .iter()
            .take(400)
            .position(|byte| !byte.is_ascii_graphic());
        let path = String::from_utf8_lossy(&text[..end.unwrap_or(400)]);
        for part in ["wrangler.toml", "migrations", "seeds", ".sql"] {
            assert!(!path.contains(part), "{path}");
        }
    }
    println!("{seen} paths below the workspace, none of the Worker's files");
}

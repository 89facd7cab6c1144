//! The program elsewhere: it carries its Worker with it and reads nothing of the source tree.

use std::process::{Command, Stdio};

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_sim");

/// In the empty folder nothing can be found by a relative path.
#[test]
fn a_moved_program_runs_in_an_empty_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let elsewhere = tempfile::tempdir().expect("a folder");
    let moved = elsewhere.path().join("moved");
    // By another process: a copy that this process has open for writing would be open in the children of other tests, too, and
    // could not be run.
    let copied = Command::new("cp").arg(PROGRAM).arg(&moved).status();
    assert!(copied.expect("cp is there").success());
    for environment in [None, Some("preview"), Some("production")] {
        let mut command = Command::new(&moved);
        command.args(["loadgen", "burst", "--json", "-"]);
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

//! What is refused before anything is built.

use std::process::Command;
use tempfile::TempDir;

/// `cargo edgeproof` in an empty folder: exit code and message.
fn refused(arguments: &[&str]) -> (Option<i32>, String) {
    let folder = TempDir::new().expect("a folder");
    let output = Command::new(env!("CARGO_BIN_EXE_cargo-edgeproof"))
        .arg("edgeproof")
        .args(arguments)
        .current_dir(folder.path())
        .output()
        .expect("it starts");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    let message = String::from_utf8(output.stderr).expect("text");
    (output.status.code(), message)
}

#[test]
fn a_word_that_is_no_command_is_a_wrong_usage() {
    for words in [&["frobnicate"][..], &["--frobnicate"], &[]] {
        let (code, message) = refused(words);
        assert_eq!(code, Some(2), "{words:?}: {message}");
    }
    let (_, message) = refused(&["frobnicate"]);
    let commands =
        "the commands are init, serve, burst, schema, forecast, workerd, build, api, tools";
    assert!(message.contains(commands), "{message}");
}

#[test]
fn a_folder_without_a_package_is_told_with_what_to_do() {
    for command in ["init", "serve", "tools"] {
        let (code, message) = refused(&[command]);
        assert_eq!(code, Some(1), "{message}");
        assert!(message.contains("is in no Cargo package"), "{message}");
        assert!(message.contains("go to your Worker's folder"), "{message}");
    }
}

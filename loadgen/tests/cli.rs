//! The command line through the program itself: what is refused, with which exit code, and what the error shows.

use std::process::{Command, Output, Stdio};

fn loadgen(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_loadgen"))
        .args(arguments)
        .env_remove("ABSENT_TOKEN")
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .output()
        .expect("the program starts")
}

/// Asserts that `loadgen burst ARGUMENTS` is a usage error whose message holds `part`, and gives the message.
fn refused(arguments: &[&str], part: &str) -> String {
    let output = loadgen(&[["burst"].as_slice(), arguments].concat());
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    // The message may be wrapped to the width of a terminal.
    let flat: String = message
        .split_whitespace()
        .filter(|word| *word != "│")
        .collect::<Vec<_>>()
        .join(" ");
    assert!(flat.contains(part), "{arguments:?}: {message}");
    message
}

#[test]
fn impossible_command_lines_are_refused_before_anything_is_sent() {
    let local = "http://127.0.0.1:9";
    for (arguments, part) in [
        (vec!["--frobnicate"], "--frobnicate"),
        (vec!["-n", "0"], "0"),
        (vec!["--clients", "0"], "0"),
        (vec!["--pop", "MEXICO"], "airport code"),
        (vec!["--var", "novalue"], "NAME=VALUE"),
        (vec!["--expect", "allowed=5"], "admitted=N"),
        (vec!["--expect", "admitted=100,denied=51"], "150 requests"),
        (vec!["--timeout", "0"], "seconds"),
        (vec!["--login", "demo:x"], "needs a TARGET"),
        (vec!["--token-env", "HOME"], "needs a TARGET"),
        (vec!["--timeout", "5"], "needs a TARGET"),
        (vec!["--allow-host", "h"], "needs a TARGET"),
        (vec!["--max-requests", "100"], "--max-requests allows 100"),
        (vec![local], "needs a token"),
        (vec![local, "--login", "demo"], "USER:PASSWORD"),
        (
            vec![local, "--login", "a:b", "--token-env", "HOME"],
            "cannot be used with",
        ),
        (
            vec![local, "--token-env", "ABSENT_TOKEN"],
            "ABSENT_TOKEN is not set",
        ),
        (
            vec![local, "--token-env", "HOME", "--users", "2"],
            "--users",
        ),
        (
            vec![local, "--token-env", "HOME", "--env", "preview"],
            "--env",
        ),
        (vec![local, "--token-env", "HOME", "--var", "A=b"], "--var"),
        (
            vec!["http://127.0.0.1:9/api/x", "--token-env", "HOME"],
            "scheme, host and port",
        ),
        (
            vec!["http://u:p@127.0.0.1:9", "--token-env", "HOME"],
            "--login",
        ),
        (vec!["ftp://127.0.0.1", "--token-env", "HOME"], "only http"),
        (
            vec!["https://preview.example.com", "--token-env", "HOME"],
            "--allow-host preview.example.com",
        ),
        (
            vec![
                "https://preview.example.com",
                "--token-env",
                "HOME",
                "--allow-host",
                "preview.example.com",
            ],
            "--max-requests",
        ),
        (
            vec![
                "https://preview.example.com",
                "--login",
                "a:b",
                "--allow-host",
                "preview.example.com",
                "--max-requests",
                "150",
            ],
            "151 requests",
        ),
        (
            vec![
                local,
                "--",
                "curl",
                "http://h/x",
                "-H",
                "Authorization: Bearer YOUR_TOKEN",
            ],
            "--token-env NAME",
        ),
        (
            vec![
                local,
                "--login",
                "a:b",
                "--",
                "curl",
                "http://h/x",
                "-H",
                "Authorization: Bearer abc",
            ],
            "a credential already",
        ),
        (vec!["--", "curl", "-X", "POST"], "no URL"),
        (
            vec!["--", "curl", "http://h/x", "--frobnicate"],
            "--frobnicate is not an option",
        ),
        (vec!["--", "curl http://h/x -H 'open"], "never closed"),
        (
            vec![
                "--",
                "curl",
                "http://h/x",
                "-H",
                "Authorization: Bearer $TOKEN",
            ],
            "$TOKEN was not replaced",
        ),
        (vec!["curl"], "-- curl"),
    ] {
        refused(&arguments, part);
    }
}

#[test]
fn a_curl_error_points_at_the_place_without_showing_credentials() {
    let message = refused(
        &[
            "--",
            "curl -H 'Authorization: Bearer planted-token' -u me:planted-pass http://h/x --frobnicate planted-value",
        ],
        "unknown option",
    );
    let lines: Vec<&str> = message.lines().collect();
    let source = lines
        .iter()
        .position(|line| line.contains("--frobnicate …"))
        .expect("the command is shown");
    let column = |line: &str, part: char| line.chars().position(|c| c == part).expect("marked");
    let at = lines[source].chars().collect::<String>();
    let flag = at[..at.find("--frobnicate").expect("shown")]
        .chars()
        .count();
    assert_eq!(
        column(lines[source + 1], '─').min(column(lines[source + 1], '┬')),
        flag,
        "{message}"
    );
    assert!(!message.contains("planted"), "{message}");
}

#[test]
fn usage_errors_do_not_show_credentials() {
    for arguments in [
        vec!["--login", "demo:planted-pass"],
        vec!["http://127.0.0.1:9", "--login", "planted-pass"],
        vec!["http://u:planted-pass@127.0.0.1:9"],
        vec!["http://127.0.0.1:9/x?token=planted-pass"],
        vec![
            "http://127.0.0.1:9",
            "--login",
            "demo:planted-pass",
            "--users",
            "3",
        ],
    ] {
        let message = refused(&arguments, "");
        assert!(!message.contains("planted"), "{message}");
    }
}

#[test]
fn help_names_the_exit_codes_and_the_schema_is_printed() {
    let help = loadgen(&["burst", "--help"]);
    let text = String::from_utf8_lossy(&help.stdout);
    assert_eq!(help.status.code(), Some(0));
    for part in [
        "0  the contract was kept",
        "1  the contract was broken",
        "2  the command line",
        "3  could not measure",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let schema = loadgen(&["schema"]);
    assert_eq!(schema.status.code(), Some(0));
    assert_eq!(
        String::from_utf8_lossy(&schema.stdout),
        edgeproof_loadgen::report::SCHEMA
    );
}

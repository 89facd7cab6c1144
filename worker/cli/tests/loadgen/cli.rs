//! The command line through the program itself: what is refused, with which exit code, and what the error shows.

use std::process::{Command, Output, Stdio};

fn loadgen(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sim"))
        .arg("loadgen")
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
fn misplaced_words_are_not_repeated() {
    let bearer = "Authorization: Bearer hunter2zz";
    let url = "https://a.dev/api/transactions";
    for arguments in [
        vec![
            "--",
            "curl",
            "-H",
            "Authorization:",
            "Bearer",
            "hunter2zz",
            url,
        ],
        vec![
            "--",
            "curl -H Authorization: Bearer hunter2zz https://a.dev/x",
        ],
        vec!["--", "curl", "-H", "Authorization:", "hunter2zz", url],
        vec!["--", "curl", "-H", "Authorization:", "Bearer", "hunter2zz"],
        vec!["--", "curl", url, bearer],
        vec!["--", "curl", bearer],
        vec!["--", "curl", url, "-X", bearer],
        vec!["curl", bearer],
        vec![bearer],
        vec!["--hunter2zz"],
        vec!["-n", "hunter2zz"],
        vec!["--expect", "hunter2zz"],
        vec!["--pop", "hunter2zz"],
        vec!["--var", "hunter2zz"],
        vec!["--var", "hunter2zz=x"],
        vec!["--var", "AUTH=hunter2zz"],
        vec!["http://127.0.0.1:9", "--token-env", "hunter2zz"],
    ] {
        let message = refused(&arguments, "");
        assert!(!message.contains("hunter2zz"), "{arguments:?}: {message}");
    }
    refused(&["--var", "A=b"], "RATE_LIMIT_ALGORITHM");
}

#[test]
fn only_plain_variables_are_shown() {
    let output = loadgen(&[
        "burst",
        "-n",
        "1",
        "--var",
        "WEBHOOK_SECRET=hunter2zz",
        "--var",
        "RATE_LIMIT_WRITE_REQUESTS=7",
        "--json",
        "-",
    ]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("WEBHOOK_SECRET=[hidden]"), "{text}");
    assert!(text.contains("RATE_LIMIT_WRITE_REQUESTS=7"), "{text}");
    assert!(!text.contains("hunter2zz"), "{text}");
}

#[test]
fn counts_of_other_algorithms_are_stated_or_unmeasured() {
    for algorithm in ["token-bucket", "sliding-counter", "fixed-window"] {
        let var = format!("RATE_LIMIT_ALGORITHM={algorithm}");
        let output = loadgen(&["burst", "--var", &var]);
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(3), "{text}");
        assert!(
            text.contains(algorithm) && text.contains("--expect"),
            "{text}"
        );
        let stated = loadgen(&[
            "burst",
            "-n",
            "10",
            "--var",
            &var,
            "--expect",
            "admitted=10,denied=0",
        ]);
        let text = String::from_utf8_lossy(&stated.stdout);
        assert_eq!(stated.status.code(), Some(0), "{text}");
        let wrong = loadgen(&[
            "burst",
            "-n",
            "10",
            "--var",
            &var,
            "--expect",
            "admitted=9,denied=1",
        ]);
        assert_eq!(wrong.status.code(), Some(1));
    }
}

#[test]
fn the_demo_user_can_log_in_where_the_seed_is_applied() {
    let login = r#"{"username":"demo","password":"demo-pass-9137"}"#;
    let curl = [
        "--",
        "curl",
        "https://a.dev/api/auth/login",
        "--json",
        login,
    ];
    for (environment, status) in [("development", "\"200\": 1"), ("preview", "\"401\": 1")] {
        let var = format!("ENVIRONMENT={environment}");
        let arguments = [
            &["burst", "-n", "1", "--json", "-", "--var", &var][..],
            &curl[..],
        ]
        .concat();
        let text = String::from_utf8_lossy(&loadgen(&arguments).stdout).into_owned();
        assert!(text.contains(status), "{environment}: {text}");
    }
}

#[test]
fn a_free_route_passes_only_with_its_answer() {
    let good = loadgen(&["burst", "-n", "1", "--", "curl", "https://a.dev/api/health"]);
    let text = String::from_utf8_lossy(&good.stdout);
    assert_eq!(good.status.code(), Some(0), "{text}");
    assert!(text.contains("1 request to"), "{text}");
    let bad = loadgen(&[
        "burst",
        "-n",
        "1",
        "--",
        "curl",
        "-X",
        "POST",
        "https://a.dev/api/health",
    ]);
    let text = String::from_utf8_lossy(&bad.stdout);
    assert_eq!(bad.status.code(), Some(1), "{text}");
    assert!(text.contains("free of charge"), "{text}");
}

/// `/dev/full` refuses every byte.
#[cfg(target_os = "linux")]
#[test]
fn a_report_that_cannot_be_written_is_no_success() {
    use std::os::unix::fs::FileTypeExt as _;
    let kind = std::fs::metadata("/dev/full")
        .expect("Linux has it")
        .file_type();
    assert!(
        kind.is_char_device(),
        "/dev/full of this machine is not the device it should be"
    );
    let full = || {
        std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .expect("Linux has it")
    };
    for (arguments, stdout) in [
        (
            vec!["burst", "-n", "1", "--json", "/dev/full"],
            Stdio::null(),
        ),
        (vec!["burst", "-n", "1", "--json", "-"], full().into()),
        (vec!["burst", "-n", "1"], full().into()),
        (vec!["schema"], full().into()),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_sim"))
            .arg("loadgen")
            .args(&arguments)
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(Stdio::piped())
            .output()
            .expect("the program starts");
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{arguments:?}: {message}");
        assert!(message.contains("cannot write"), "{arguments:?}: {message}");
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

#[test]
fn the_program_has_one_burst_under_two_names() {
    let report = |words: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_sim"))
            .args(words)
            .args(["burst", "-n", "60", "--json", "-"])
            .stdin(Stdio::null())
            .output()
            .expect("the program starts");
        assert_eq!(output.status.code(), Some(0), "{words:?}");
        let report = serde_json::from_slice(&output.stdout);
        let mut report: serde_json::Value = report.expect("a report");
        ["fingerprint", "requests", "command"].map(|name| report[name].take())
    };
    let [fingerprint, requests, command] = report(&["loadgen"]);
    assert_eq!(command, "cargo loadgen burst -n 60 --seed 0");
    let command = "cargo sim burst -n 60 --seed 0".into();
    assert_eq!(report(&[]), [fingerprint, requests, command]);
}

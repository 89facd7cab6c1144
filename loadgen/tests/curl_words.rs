//! A curl command as a shell hands it over: our word splitting against bash's, on random words in random quotations, and
//! the files that the command names.

use std::process::Command;

use edgeproof_loadgen::curl::words::{quote, split};
use proptest::prelude::*;

/// What bash makes of `line`: its words, each ended by a zero byte.
fn bash(line: &str) -> Vec<Vec<u8>> {
    let output = Command::new("bash")
        .args([
            "--norc",
            "--noprofile",
            "-c",
            &format!("printf '%s\\0' {line}"),
        ])
        .env("LC_ALL", "C.UTF-8")
        .output()
        .expect("this test compares with bash, which is not installed");
    assert!(
        output.status.success(),
        "bash: {}: {line:?}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut words: Vec<Vec<u8>> = output
        .stdout
        .split(|byte| *byte == 0)
        .map(<[u8]>::to_vec)
        .collect();
    assert_eq!(
        words.pop(),
        Some(Vec::new()),
        "each word ends with a zero byte"
    );
    words
}

/// A piece of a word in one of the ways a shell offers to write it.
fn piece() -> impl Strategy<Value = String> {
    let text = "[ -~\n\té😀]{0,6}";
    prop_oneof![
        // Bare: every character that may mean something is escaped; a newline cannot be.
        "[ -~é😀]{1,6}".prop_map(|text| {
            text.chars()
                .map(|c| match c {
                    c if c.is_ascii_alphanumeric() || "-_./:=@%+".contains(c) => c.to_string(),
                    c => format!("\\{c}"),
                })
                .collect()
        }),
        // Bare and unescaped, where that means nothing.
        "[a-z0-9_./:=@%+-]{1,6}#?",
        text.prop_map(|text| format!("'{}'", text.replace('\'', "'\\''"))),
        text.prop_map(|text| {
            let escaped: String = text
                .chars()
                .map(|c| match c {
                    '$' | '`' | '"' | '\\' => format!("\\{c}"),
                    c => c.to_string(),
                })
                .collect();
            format!("\"{escaped}\"")
        }),
        // In double quotes a backslash before any other character, and a dollar before a blank, stay.
        "\"(\\\\[a-z '\n]|\\$ |[a-z])*\"",
        // `$'…'` with every escape of the manual that gives no zero byte.
        prop::collection::vec(ansi_c_item(), 0..6)
            .prop_map(|items| format!("$'{}'", items.concat())),
        Just("\\\n".to_owned()),
        Just("a{b}c".to_owned()),
        Just("'{a,b}'".to_owned()),
    ]
}

fn ansi_c_item() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9 \"$`é😀\n]",
        prop::sample::select(vec![
            "\\a", "\\b", "\\e", "\\E", "\\f", "\\n", "\\r", "\\t", "\\v", "\\\\", "\\'", "\\\"",
            "\\?", "\\q", "\\z",
        ])
        .prop_map(str::to_owned),
        "\\\\x[1-7][0-9a-fA-F]",
        "\\\\x[1-9a-f]g",
        "\\\\xc3\\\\xa9",
        // One digit more than the escape takes.
        "\\\\(x[1-7][0-9a-f]|[1-3][0-7]{2}|u00[2-7][0-9a-f]|U0001f60[0-9a-f])[0-7a-f]",
        "\\\\x[89a-f][0-9a-f]",
        "\\\\[1-3][0-7]{2}",
        "\\\\[1-7][0-7]?[89a-z]",
        "\\\\u00[2-7][0-9a-f]",
        "\\\\u0[1-9][0-9a-f]{2}",
        "\\\\u20ac",
        "\\\\u[1-9]g",
        "\\\\U0001f6[0-4][0-9a-f]",
        "\\\\c[A-Za-z?\\[]",
    ]
}

fn line() -> impl Strategy<Value = String> {
    let word = prop::collection::vec(piece(), 1..4).prop_map(|pieces| pieces.concat());
    let blank = prop::sample::select(vec![" ", "  ", "\t", " \\\n", " \\\n  "]);
    (
        prop::collection::vec((word, blank), 1..5),
        prop::sample::select(vec!["", " # a 'comment"]),
    )
        .prop_map(|(words, comment)| {
            let line: String = words
                .into_iter()
                .flat_map(|(word, blank)| [word, blank.to_owned()])
                .collect();
            line + comment
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn words_are_those_of_bash(line in line()) {
        // Of no words at all `printf` makes one empty word.
        let ours = split(&line).map_err(|error| TestCaseError::fail(format!("{error:?}")))?;
        let ours = if ours.is_empty() { vec![Vec::new()] } else { ours };
        prop_assert_eq!(ours, bash(&line));
    }

    #[test]
    fn what_is_quoted_is_read_back_by_bash_and_by_us(words in prop::collection::vec("[ -~\n\té😀]{0,8}", 1..5)) {
        let line = words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ");
        let words: Vec<Vec<u8>> = words.into_iter().map(String::into_bytes).collect();
        prop_assert_eq!(&split(&line).expect("complete"), &words);
        prop_assert_eq!(&bash(&line), &words);
    }

    #[test]
    fn no_line_makes_the_splitter_panic(line in "[ -~\n\té\\$'\"]{0,40}") {
        drop(split(&line));
    }
}

/// The files are read by the program itself. `timeout` ends it if it waits for a fifo's writer.
#[test]
fn a_data_file_that_is_no_regular_file_is_refused_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = Command::new("mkfifo")
        .arg(folder.path().join("fifo"))
        .status();
    assert!(made.expect("mkfifo starts").success());
    for (option, value, file) in [
        ("-d", "@fifo", "fifo"),
        ("--json", "@fifo", "fifo"),
        ("--data-binary", "@/dev/null", "/dev/null"),
        ("--data-urlencode", "a@/dev/null", "/dev/null"),
    ] {
        let output = Command::new("timeout")
            .args(["20", env!("CARGO_BIN_EXE_edgeproof-loadgen"), "burst"])
            .args(["http://127.0.0.1:9", "--"])
            .args(["curl", "http://h/", option, value])
            .current_dir(&folder)
            .env("NO_COLOR", "1")
            .output()
            .expect("timeout starts");
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{option}: {message}");
        // The message may be wrapped to the width of a terminal.
        let words: Vec<&str> = message
            .split_whitespace()
            .filter(|word| *word != "│")
            .collect();
        let refusal = format!("{option} cannot read {file}: it is not a regular file");
        assert!(words.join(" ").contains(&refusal), "{option}: {message}");
    }
}

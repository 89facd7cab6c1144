//! The commands with a Worker of which they know nothing but its configuration.

use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use support::client::ask;
use tempfile::TempDir;

/// The Worker counts visits at this path, and has no other.
const COUNT: [&str; 3] = ["--", "curl", "https://visits.example/count"];

fn visits(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_visits"));
    command
        .args(arguments)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null());
    command
}

/// Exit code, standard output, standard error.
fn ran(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = visits(arguments).output().expect("it starts");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (status.code(), text(stdout), text(stderr))
}

fn json_of(arguments: &[&str]) -> Value {
    let (code, printed, errors) = ran(arguments);
    assert_eq!(code, Some(0), "{errors}");
    serde_json::from_str(&printed).expect("nothing but JSON is printed")
}

fn written(folder: &TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    std::fs::write(&path, text).expect("written");
    path.to_str().expect("text").to_owned()
}

#[test]
fn help_names_every_command() {
    let (code, help, _) = ran(&["--help"]);
    assert_eq!(code, Some(0));
    assert!(help.contains("Usage: cargo edgeproof <COMMAND>"), "{help}");
    for command in [
        "serve", "burst", "schema", "forecast", "workerd", "build", "api", "tools",
    ] {
        let line = help
            .lines()
            .any(|line| line.trim_start().starts_with(command));
        assert!(line, "{command}: {help}");
    }
    for command in ["burst", "forecast", "serve"] {
        let (code, help, _) = ran(&[command, "--help"]);
        assert_eq!(code, Some(0), "{command}");
        assert!(
            help.contains(&format!("Usage: cargo edgeproof {command}")),
            "{help}"
        );
    }
    assert_eq!(ran(&["frobnicate"]).0, Some(2));
}

#[test]
fn a_burst_is_held_against_the_counts_that_are_stated() {
    let burst = |expected: &[&str]| ran(&[&["burst"], expected, &COUNT].concat());
    let (code, report, errors) = burst(&["--expect", "admitted=150"]);
    assert_eq!(code, Some(0), "{report}{errors}");
    assert!(
        report.starts_with("pass: 150 requests to embedded"),
        "{report}"
    );
    let again = "again: cargo edgeproof burst -n 150 --seed 0 --expect admitted=150 -- curl";
    assert!(report.contains(again), "{report}");

    assert_eq!(burst(&["--expect", "admitted=149"]).0, Some(1));
    let (code, report, _) = burst(&[]);
    assert_eq!(code, Some(3));
    assert!(
        report.contains("state the counts with --expect"),
        "{report}"
    );
    // Nothing answers the front page.
    let front = ["burst", "-n", "1", "--expect", "admitted=1"];
    assert_eq!(ran(&front).0, Some(1));
}

#[test]
fn any_variable_can_be_given_to_a_burst_and_is_not_repeated() {
    let given = [
        "burst",
        "-n",
        "1",
        "--var",
        "KEY=planted",
        "--expect",
        "admitted=1",
    ];
    let (code, report, errors) = ran(&[&given[..], &COUNT].concat());
    assert_eq!(code, Some(0), "{errors}");
    assert!(report.contains("KEY="), "{report}");
    assert!(!report.contains("planted"), "{report}");
}

/// A child that ends with its value, however a test does.
struct Served {
    child: Child,
    output: BufReader<ChildStdout>,
    address: SocketAddr,
}

impl Served {
    fn start(arguments: &[&str]) -> Self {
        let mut command = visits(arguments);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        output.read_line(&mut line).expect("text");
        let address = line.trim_end().strip_prefix("listening on http://");
        let address = address.unwrap_or_else(|| panic!("it serves: {line:?}"));
        Self {
            address: address.parse().expect("an address"),
            child,
            output,
        }
    }

    /// Ends it as Ctrl-C does; the exit code and what was printed.
    fn stop(mut self) -> (Option<i32>, String) {
        let id = self.child.id().to_string();
        let told = Command::new("kill").args(["-INT", &id]).status();
        assert!(told.expect("kill is there").success());
        let mut printed = String::new();
        self.output.read_to_string(&mut printed).expect("text");
        (self.child.wait().expect("it ends").code(), printed)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_serves_until_it_is_told_to_stop() {
    let served = Served::start(&["serve", "--port", "0"]);
    let answer = ask(served.address, "POST", "/count", &[], "");
    assert_eq!((answer.status, answer.text()), (200, "1".into()));
    let (code, printed) = served.stop();
    assert_eq!(code, Some(0), "{printed}");
    assert!(!printed.contains("demo user"), "{printed}");
    assert!(printed.contains("kv.writes"), "{printed}");
}

#[test]
fn the_configuration_of_another_worker_is_refused() {
    let folder = TempDir::new().expect("a folder");
    let other = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../worker/wrangler.toml");
    let (code, _, errors) = ran(&["serve", "--port", "0", "--config", other]);
    assert_eq!(code, Some(1), "{errors}");
    for part in [
        "worker/wrangler.toml configures the Worker \"edgeproof-worker\"",
        "the Worker of this command is \"foreign-visits\"",
        "run the command in that Worker's folder, or leave out --config",
    ] {
        assert!(errors.contains(part), "{part}: {errors}");
    }
    // Another file of the same Worker is taken, with the bindings that it has; so is an environment's name.
    let head = "compatibility_date = '2026-08-20'\nkv_namespaces = [{ binding = 'VISITS' }]\n";
    let same = format!(
        "name = 'foreign-visits'\n{head}[env.staging]\nkv_namespaces = [{{ binding = 'VISITS' }}]\n"
    );
    let same = written(&folder, "wrangler.toml", &same);
    for environment in [&[][..], &["--env", "staging"]] {
        let arguments = ["serve", "--port", "0", "--config", &same];
        let served = Served::start(&[&arguments, environment].concat());
        assert_eq!(ask(served.address, "GET", "/count", &[], "").text(), "0");
        assert_eq!(served.stop().0, Some(0));
    }
}

const TRAFFIC: &str = r#"
requests_per_day = 600
users = 20
pops = ["MEX", "FRA"]
day = "flat"

[[routes]]
path = "/count"
weight = 4

[[routes]]
name = "count one more"
method = "POST"
path = "/count?user={user}"
"#;

#[test]
fn a_day_of_a_file_is_forecast() {
    let folder = TempDir::new().expect("a folder");
    let path = written(&folder, "readers.toml", TRAFFIC);
    let forecast = ["forecast", "--traffic", &path, "--json", "-"];
    let report = json_of(&forecast);
    assert_eq!(report["traffic"], "readers");
    assert_eq!(
        report["mix"],
        json!({"GET /count": {"200": 480}, "count one more": {"200": 120}})
    );
    assert_eq!(report["usage"]["kv.writes"], 120.0);
    assert_eq!(report["usage"]["workers.requests"], 600.0);
    assert_eq!(report, json_of(&forecast), "a seed has one forecast");
    let fewer = json_of(&[&forecast[..], &["--requests", "7"]].concat());
    assert_eq!(fewer["usage"]["workers.requests"], 7.0);

    let (code, text, _) = ran(&["forecast", "--traffic", &path]);
    assert_eq!(code, Some(0));
    let head = "readers traffic on 2026-01-01: 600 requests of 20 users at 2 PoPs, free plan";
    assert!(text.starts_with(head), "{text}");
    assert!(text.contains("the same in every hour"), "{text}");
}

#[test]
fn a_wrong_traffic_file_is_refused_with_its_line() {
    let folder = TempDir::new().expect("a folder");
    let wrong = written(&folder, "wrong.toml", &TRAFFIC.replace("FRA", "PAR"));
    let (code, _, errors) = ran(&["forecast", "--traffic", &wrong]);
    assert_eq!(code, Some(1), "{errors}");
    assert!(
        errors.contains("wrong.toml:4: no PoP has the code \"PAR\""),
        "{errors}"
    );
    // The names that another Worker has are none here.
    for name in ["reference", "absent.toml"] {
        let (code, _, errors) = ran(&["forecast", "--traffic", name]);
        assert_eq!(code, Some(2), "{errors}");
        assert!(errors.contains("there is no such file"), "{errors}");
    }
    let right = written(&folder, "right.toml", TRAFFIC);
    let (code, _, errors) = ran(&["forecast", "--traffic", &right, "--requests", "0"]);
    assert_eq!(code, Some(2), "{errors}");
    assert!(errors.contains("from 1 to 1000000"), "{errors}");
}

/// While it lives, the Worker's bundle, if there is one, is out of the way.
struct Unbuilt {
    build: PathBuf,
    aside: PathBuf,
}

impl Unbuilt {
    fn new() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../visits");
        let (build, aside) = (folder.join("build"), folder.join("build.aside"));
        if build.exists() {
            std::fs::rename(&build, &aside).expect("it can be moved");
        }
        Self { build, aside }
    }
}

impl Drop for Unbuilt {
    fn drop(&mut self) {
        if self.aside.exists() {
            std::fs::rename(&self.aside, &self.build).expect("it can be moved back");
        }
    }
}

#[test]
fn a_worker_that_is_not_built_does_not_run_in_workerd() {
    let _unbuilt = Unbuilt::new();
    let (code, _, errors) = ran(&["workerd", "--port", "0"]);
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.contains("run `cargo edgeproof build`"), "{errors}");
}

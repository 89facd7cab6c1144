//! `sim serve` as a process: what it prints and keeps to itself, how it ends, what it keeps, and what it refuses.

#![cfg(unix)]

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use support::client::{Answer, Connection, DEMO, TEA, ask, eventually};
use tempfile::TempDir;

const JWT: &str = "AUTH_JWT_SECRET=planted-jwt-secret-of-32-bytes-or-more";

fn sim(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sim"));
    command
        .arg("serve")
        .args(arguments)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null());
    command
}

/// A server that is running.
struct Sim {
    child: Child,
    address: SocketAddr,
    output: TempDir,
}

impl Sim {
    fn start(arguments: &[&str]) -> Self {
        let output = TempDir::new().expect("a folder");
        let file = |name| File::create(output.path().join(name)).expect("a file");
        let mut command = sim(&[&["--port", "0"], arguments].concat());
        let mut child = command
            .stdout(file("out"))
            .stderr(file("err"))
            .spawn()
            .expect("it starts");
        let address = eventually("the server listens", || {
            if let Some(status) = child.try_wait().expect("a child") {
                panic!("it ended: {status}: {}", read(&output, "err"));
            }
            let out = read(&output, "out");
            let (_, rest) = out.split_once("listening on http://")?;
            // Only a whole line has the whole port.
            rest.split_once('\n')?.0.parse().ok()
        });
        Self {
            child,
            address,
            output,
        }
    }

    fn interrupt(&self) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-INT", &pid])
                .status()
                .expect("kill is there")
                .success()
        );
    }

    /// Waits for the end; gives the exit code and what was printed.
    fn ended(mut self) -> (Option<i32>, String, String) {
        let status = eventually("the server ends", || {
            self.child.try_wait().expect("a child")
        });
        (
            status.code(),
            read(&self.output, "out"),
            read(&self.output, "err"),
        )
    }

    /// Ends it as Ctrl-C does.
    fn stop(self) -> (Option<i32>, String, String) {
        self.interrupt();
        self.ended()
    }

    fn login(&self, body: &str) -> Answer {
        ask(self.address, "POST", "/api/auth/login", &[], body)
    }

    /// The demo user's `Authorization`.
    fn bearer(&self) -> String {
        let login = self.login(DEMO);
        assert_eq!(login.status, 200, "{login:?}");
        format!("Bearer {}", login.json()["token"].as_str().expect("text"))
    }

    fn printed(&self) -> String {
        read(&self.output, "out") + &read(&self.output, "err")
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(folder: &TempDir, name: &str) -> String {
    String::from_utf8_lossy(&std::fs::read(folder.path().join(name)).expect("a file")).into_owned()
}

/// Runs it where it cannot run; gives the exit code and the message without its line breaks.
fn refused(arguments: &[&str]) -> (Option<i32>, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = sim(arguments).output().expect("it starts");
    assert!(
        stdout.is_empty(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&stdout)
    );
    let message = String::from_utf8_lossy(&stderr).into_owned();
    let words: Vec<&str> = message
        .split_whitespace()
        .filter(|word| *word != "│")
        .collect();
    (status.code(), words.join(" "))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    entries
        .map(|entry| entry.expect("readable").path())
        .collect()
}

#[test]
fn ctrl_c_right_after_the_start_is_an_orderly_end_with_a_budget() {
    for _ in 0..5 {
        let (code, out, err) = Sim::start(&[]).stop();
        assert_eq!(code, Some(0), "{err}");
        assert!(out.contains("allowance"), "{out}");
    }
}

#[test]
fn ctrl_c_lets_a_request_under_way_finish_and_counts_it() {
    let sim = Sim::start(&[]);
    let length = TEA.len().to_string();
    let head = [
        ("Authorization", &*sim.bearer()),
        ("Content-Type", "application/json"),
        ("Content-Length", &length),
        ("Expect", "100-continue"),
    ];
    let mut idle = Connection::open(sim.address);
    assert_eq!(idle.ask("GET", "/api/health", &[], "").status, 200);
    let mut busy = Connection::open(sim.address);
    assert_eq!(busy.ask("POST", "/api/transactions", &head, "").status, 100);
    sim.interrupt();
    assert!(idle.ends(), "by then the signal has arrived");
    busy.send(TEA);
    assert_eq!(busy.answer().status, 201);
    let (code, out, err) = sim.ended();
    assert_eq!(code, Some(0), "{err}");
    let row = out
        .lines()
        .find(|line| line.contains("workers.requests"))
        .expect("a budget");
    assert_eq!(
        row.split_whitespace().nth(3),
        Some("3"),
        "login, health, transaction: {row}"
    );
}

#[test]
fn an_output_that_nobody_reads_is_no_reason_to_stop_or_to_fail() {
    let mut child = sim(&["--port", "0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    out.read_line(&mut line).expect("text");
    drop(out);
    let address = line
        .trim()
        .strip_prefix("listening on http://")
        .expect("the first line")
        .parse()
        .expect("an address");
    assert_eq!(ask(address, "GET", "/api/health", &[], "").status, 200);
    assert!(
        Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status()
            .expect("kill is there")
            .success()
    );
    assert_eq!(child.wait().expect("a child").code(), Some(0));
}

#[test]
fn the_demo_user_exists_in_development_and_nowhere_else() {
    let sim = Sim::start(&[]);
    let bearer = sim.bearer();
    assert_eq!(
        ask(
            sim.address,
            "GET",
            "/api/transactions",
            &[("Authorization", &bearer)],
            ""
        )
        .status,
        200
    );
    assert!(sim.printed().contains("demo-pass-9137"));
    for (arguments, status) in [
        (["--env", "production", "--secret", JWT].as_slice(), 401),
        (&["--env", "preview", "--secret", JWT], 401),
        (&["--var", "ENVIRONMENT=production", "--secret", JWT], 401),
        (&["--env", "production"], 503),
    ] {
        let sim = Sim::start(arguments);
        assert_eq!(sim.login(DEMO).status, status, "{arguments:?}");
        assert!(
            !sim.printed().contains("demo"),
            "{arguments:?}: {}",
            sim.printed()
        );
    }
}

#[test]
fn no_secret_is_printed_or_kept() {
    let folder = TempDir::new().expect("a folder");
    let closed = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a port");
    let webhook = format!(
        "SECURITY_ALERT_WEBHOOK=http://planted-user:planted-pass@{closed}/planted-path?planted-query"
    );
    // "planted-key-of-the-webhooks" in base64.
    let key = "cGxhbnRlZC1rZXktb2YtdGhlLXdlYmhvb2tz";
    let sim = Sim::start(&[
        "--secret",
        JWT,
        "--secret",
        &webhook,
        "--secret",
        &format!("WEBHOOK_SECRET=whsec_{key}"),
        "--var",
        "ENABLE_DEBUG_LOGS=true",
        "--var",
        "RATE_LIMIT_WRITE_REQUESTS=1",
        "--persist",
        folder.path().to_str().expect("text"),
    ]);
    assert_eq!(
        sim.login(r#"{"username":"demo","password":"planted-wrong-password"}"#)
            .status,
        401
    );
    let bearer = sim.bearer();
    for (token, status) in [
        (&*bearer, 201),
        (&bearer, 429),
        ("Bearer planted.token.here", 401),
    ] {
        let headers = [("Authorization", token), ("Cookie", "planted-cookie=1")];
        assert_eq!(
            ask(
                sim.address,
                "POST",
                "/api/transactions?access_token=planted-token",
                &headers,
                TEA
            )
            .status,
            status
        );
    }
    eventually("the alert is given up", || {
        sim.printed()
            .contains("webhook delivery failed")
            .then_some(())
    });
    let (code, out, err) = sim.stop();
    assert_eq!(code, Some(0), "{err}");
    let token = bearer.strip_prefix("Bearer ").expect("as made");
    let mut seen = vec![("output".to_owned(), format!("{out}{err}"))];
    for file in files(folder.path()) {
        let bytes = std::fs::read(&file).expect("readable");
        seen.push((
            file.display().to_string(),
            String::from_utf8_lossy(&bytes).into_owned(),
        ));
    }
    assert!(seen.len() > 2, "state and D1 are there: {seen:?}");
    for (place, text) in seen {
        for secret in ["planted", key, token] {
            assert!(!text.contains(secret), "{secret} in {place}");
        }
    }
}

#[test]
fn state_survives_a_restart() {
    let folder = TempDir::new().expect("a folder");
    let arguments = [
        "--persist",
        folder.path().to_str().expect("text"),
        "--secret",
        JWT,
        "--var",
        "RATE_LIMIT_WRITE_REQUESTS=3",
    ];
    let sim = Sim::start(&arguments);
    let bearer = sim.bearer();
    let headers = [("Authorization", bearer.as_str())];
    let ask = |sim: &Sim, method, path, body| ask(sim.address, method, path, &headers, body);
    for status in [201, 201, 201, 429] {
        assert_eq!(ask(&sim, "POST", "/api/transactions", TEA).status, status);
    }
    let dashboard = ask(&sim, "GET", "/api/dashboard", "");
    assert_eq!(dashboard.header("x-cache"), "MISS");
    // Put into KV after the answer: there once it is found.
    eventually("KV has it", || {
        (ask(&sim, "GET", "/api/dashboard", "").header("x-cache") == "HIT").then_some(())
    });
    assert_eq!(sim.stop().0, Some(0));

    let sim = Sim::start(&arguments);
    assert_eq!(
        ask(&sim, "POST", "/api/transactions", TEA).status,
        429,
        "the limiter remembers"
    );
    let list = ask(&sim, "GET", "/api/transactions", "").json();
    assert_eq!(list["data"].as_array().map(Vec::len), Some(3), "D1: {list}");
    let again = ask(&sim, "GET", "/api/dashboard", "");
    assert_eq!(
        (again.header("x-cache"), &again.body),
        ("HIT", &dashboard.body),
        "KV"
    );
    assert_eq!(sim.login(DEMO).status, 200, "seeding twice is no fault");
    assert_eq!(sim.stop().0, Some(0));
}

#[test]
fn a_damaged_state_is_refused_and_left_as_it_is() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().to_str().expect("text");
    let sim = Sim::start(&["--persist", path]);
    assert_eq!(sim.login(DEMO).status, 200);
    assert_eq!(sim.stop().0, Some(0));
    let state = folder.path().join("state.json");
    let whole = std::fs::read(&state).expect("it was saved");
    let other_form = String::from_utf8_lossy(&whole)
        .replacen("\"form\":2", "\"form\":3", 1)
        .into_bytes();
    assert_ne!(other_form, whole);
    for (damaged, reason) in [
        (&whole[..whole.len() / 2], "EOF"),
        (b"", "EOF"),
        (b"\0\0\0\0", "expected value"),
        (b"{}", "missing field"),
        (&other_form, "form 3"),
    ] {
        std::fs::write(&state, damaged).expect("writable");
        let (code, message) = refused(&["--port", "0", "--persist", path]);
        assert_eq!(code, Some(1), "{message}");
        assert!(
            message.contains("state.json") && message.contains(reason),
            "{reason}: {message}"
        );
        assert_eq!(
            std::fs::read(&state).expect("there"),
            damaged,
            "left as it is"
        );
    }
    std::fs::write(&state, &whole).expect("writable");
    assert_eq!(
        Sim::start(&["--persist", path]).stop().0,
        Some(0),
        "put right, it starts again"
    );
}

#[test]
fn what_cannot_run_says_why_and_exits_with_1() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("bound").port().to_string();
    let file = tempfile::NamedTempFile::new().expect("a file");
    let file = file.path().to_str().expect("text");
    for (arguments, parts) in [
        (
            ["--port", &port],
            [&*format!("cannot listen on 127.0.0.1:{port}"), "--port"],
        ),
        (["--env", "staging"], ["staging", "wrangler.toml"]),
        (
            ["--config", "/absent/wrangler.toml"],
            ["/absent/wrangler.toml", "No such file"],
        ),
        (["--persist", file], ["exists", ""]),
    ] {
        let (code, message) = refused(&arguments);
        assert_eq!(code, Some(1), "{arguments:?}: {message}");
        for part in parts {
            assert!(message.contains(part), "{arguments:?}: {part}: {message}");
        }
    }
}

#[test]
fn a_name_stands_for_one_thing_as_it_does_for_workerd() {
    for (arguments, part) in [
        (
            ["--var", "DB=1"].as_slice(),
            "--var DB: that is the name of a binding",
        ),
        (
            &["--secret", "RATE_LIMITER=planted"],
            "--secret RATE_LIMITER: that is the name of a binding",
        ),
        (
            &["--secret", "A=planted", "--secret", "A=planted"],
            "--secret A: that name is given twice",
        ),
        (
            &["--var", "A=1", "--secret", "A=planted"],
            "--secret A: that name is given twice",
        ),
    ] {
        let (code, message) = refused(&[&["--port", "0"], arguments].concat());
        assert_eq!(code, Some(1), "{arguments:?}: {message}");
        assert!(message.contains(part), "{arguments:?}: {message}");
        assert!(!message.contains("planted"), "{message}");
    }
}

#[test]
fn a_wrong_command_line_says_why_and_exits_with_2() {
    for (arguments, part) in [
        (
            ["--pop", "XXX"].as_slice(),
            "no PoP has this code; the known ones are",
        ),
        (&["--pop", ""], "no PoP has this code"),
        (&["--var", "NOVALUE"], "expected KEY=VALUE"),
        (&["--var", "=value"], "expected KEY=VALUE"),
        (&["--secret", "planted-value"], "expected KEY=VALUE"),
        (
            &["--secret", JWT, "--secret", "=planted-value"],
            "2. '--secret <KEY=VALUE>'",
        ),
        (
            &["--allow-host", "https://hooks.example"],
            "expected a host",
        ),
        (&["--allow-host", "hooks.example:443"], "expected a host"),
        (&["--port", "70000"], "70000"),
        (&["--seed", "-1"], "-1"),
        (&["--frobnicate"], "--frobnicate"),
    ] {
        let (code, message) = refused(arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {message}");
        assert!(message.contains(part), "{arguments:?}: {message}");
        assert!(!message.contains("planted"), "{message}");
    }
}

//! A package that somebody begins: `cargo new`, thirty lines of a Worker, and the commands of edgeproof in its folder.
//!
//! The package is outside of the workspace, as a user's is. What it compiles is kept in the workspace's target folder, so that
//! only the first run takes minutes.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

const WORKER: &str = r#"use worker::*;

#[event(fetch)]
async fn fetch(request: Request, env: Env, _context: Context) -> Result<Response> {
    Router::new()
        .get_async("/", |_, context| async move {
            Response::ok(format!("{} visits", count(&context.kv("VISITS")?).await?))
        })
        .post_async("/", |_, context| async move {
            let kv = context.kv("VISITS")?;
            let next = count(&kv).await? + 1;
            kv.put("count", next.to_string())?.execute().await?;
            Response::ok(next.to_string())
        })
        .run(request, env)
        .await
}

async fn count(kv: &KvStore) -> Result<u32> {
    let text = kv.get("count").text().await?;
    Ok(text.and_then(|text| text.parse().ok()).unwrap_or(0))
}
"#;

const CONFIGURATION: &str = r#"name = "mine"
main = "build/worker/shim.mjs"
compatibility_date = "2026-08-20"
kv_namespaces = [{ binding = "VISITS", id = "1" }]
"#;

const TRAFFIC: &str = "requests_per_day = 300\npops = ['MEX', 'FRA']\n[[routes]]\npath = '/'\nweight = 2\n\
                       [[routes]]\npath = '/'\nmethod = 'POST'\n";

/// The package, in a folder of its own.
struct Mine(TempDir);

impl Mine {
    /// What `cargo new` makes, with the dependency on the platform.
    fn new() -> Self {
        let mine = Self(TempDir::new().expect("a folder"));
        let created = mine.cargo(
            &["new", "--lib", "--vcs", "none", "--name", "mine", "mine"],
            "",
        );
        assert!(created.status.success(), "{}", text(&created));
        let manifest = std::fs::read_to_string(mine.path("Cargo.toml")).expect("a manifest");
        let worker = "worker = { version = \"0.8.7\", features = [] }\n";
        mine.write("Cargo.toml", &format!("{manifest}{worker}"));
        mine.write("src/lib.rs", WORKER);
        mine.write("wrangler.toml", CONFIGURATION);
        mine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join("mine").join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("written");
    }

    /// cargo in a folder of the temporary one.
    fn cargo(&self, arguments: &[&str], folder: &str) -> Output {
        let mut command = Command::new(env!("CARGO"));
        command
            .args(arguments)
            .current_dir(self.0.path().join(folder));
        environment(&mut command);
        command.output().expect("cargo starts")
    }

    /// `cargo edgeproof`, as cargo starts it.
    fn edgeproof(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-edgeproof"));
        command
            .arg("edgeproof")
            .args(arguments)
            .current_dir(self.path(""));
        environment(&mut command);
        command
    }

    /// What it printed, and its exit code.
    fn ran(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.edgeproof(arguments).output().expect("it starts");
        (output.status.code(), text(&output))
    }

    fn refused(&self, arguments: &[&str], parts: &[&str]) {
        let (code, said) = self.ran(arguments);
        assert_eq!(code, Some(1), "{arguments:?}: {said}");
        for part in parts {
            assert!(said.contains(part), "{arguments:?}: {part}: {said}");
        }
    }
}

/// Where everything is compiled to.
fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("anyone")
}

fn environment(command: &mut Command) {
    command
        .env("CARGO_TARGET_DIR", target())
        .env("NO_COLOR", "1")
        .stdin(Stdio::null());
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

/// `init`, and the first test that it writes, which must pass unchanged; then the commands.
#[test]
fn a_fresh_package_is_tested_and_run_after_init() {
    let mine = Mine::new();
    mine.refused(
        &["burst"],
        &["does not depend on edgeproof", "cargo edgeproof init"],
    );

    let (code, said) = mine.ran(&["init", "--yes"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("+crate-type = [\"cdylib\", \"rlib\"]"),
        "{said}"
    );
    let (code, said) = mine.ran(&["init", "--yes"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.starts_with("nothing to do"), "{said}");

    let tested = mine.cargo(&["test"], "mine");
    assert!(tested.status.success(), "{}", text(&tested));
    assert!(text(&tested).contains("the_front_page_answers ... ok"));

    let (code, said) = mine.ran(&["burst", "-n", "150", "--expect", "admitted=150"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("pass: 150 requests to embedded"), "{said}");
    assert!(
        said.contains("again: cargo edgeproof burst -n 150"),
        "{said}"
    );
    assert_eq!(mine.ran(&["burst", "--expect", "admitted=1"]).0, Some(1));
    assert_eq!(mine.ran(&["burst", "--frobnicate"]).0, Some(2));

    mine.write("traffic.toml", TRAFFIC);
    let (code, said) = mine.ran(&["forecast", "--traffic", "traffic.toml"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("traffic traffic on 2026-01-01: 300 requests"),
        "{said}"
    );

    serves(&mine, "serve", "listening on http://");

    mine.refused(&["workerd"], &["run `cargo edgeproof build`"]);
    let (code, said) = mine.ran(&["build", "--yes", "--dev"]);
    assert_eq!(code, Some(0), "{said}");
    serves(&mine, "workerd", "IAD on http://");

    mine.write("other.toml", &CONFIGURATION.replace("mine", "other"));
    let arguments = ["serve", "--port", "0", "--config", "other.toml"];
    mine.refused(
        &arguments,
        &["the Worker \"other\"", "of this command is \"mine\""],
    );

    has_a_program_of_its_own(&mine);
}

/// The same commands in a program of the package itself.
fn has_a_program_of_its_own(mine: &Mine) {
    let manifest = std::fs::read_to_string(mine.path("Cargo.toml")).expect("a manifest");
    let (before, edgeproof) = manifest
        .split_once("[dev-dependencies]\n")
        .expect("init wrote it");
    let edgeproof = edgeproof
        .trim_end()
        .replace(" }", ", features = [\"cli\"] }");
    // Below the native dependencies, which stand before.
    mine.write(
        "Cargo.toml",
        &format!("{}\n{edgeproof}\n", before.trim_end()),
    );
    mine.write("src/main.rs", "edgeproof::main!(mine);\n");
    // Where the program of `cargo edgeproof` was compiled, almost all of it is there.
    let target = target().join("edgeproof");
    let target = target.to_str().expect("text");
    let ran = mine.cargo(
        &[
            "run",
            "--release",
            "--target-dir",
            target,
            "--",
            "burst",
            "-n",
            "3",
            "--expect",
            "admitted=3",
        ],
        "mine",
    );
    let said = text(&ran);
    assert_eq!(ran.status.code(), Some(0), "{said}");
    assert!(
        said.contains("again: cargo run --release -- burst -n 3"),
        "{said}"
    );
}

/// A command that serves answers, and ends in order when it is told to.
fn serves(mine: &Mine, command: &str, mark: &str) {
    let mut command = mine.edgeproof(&[command, "--port", "0"]);
    let mut server = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let mut output = BufReader::new(server.stdout.take().expect("piped"));
    let mut line = String::new();
    output.read_line(&mut line).expect("text");
    let address = line.trim_end().strip_prefix(mark);
    let address = address.unwrap_or_else(|| panic!("it serves: {line:?}"));

    let mut stream = TcpStream::connect(address).expect("it listens");
    let request = "GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("0 visits"), "{answer}");

    // The signal goes to the process that was started, which is the Worker's program by now.
    let id = server.id().to_string();
    let told = Command::new("kill").args(["-INT", &id]).status();
    assert!(told.expect("kill is there").success());
    assert_eq!(server.wait().expect("it ends").code(), Some(0));
    let mut rest = String::new();
    output.read_to_string(&mut rest).expect("text");
    assert!(rest.contains("kv.reads"), "{rest}");
}

#[test]
fn what_keeps_a_package_from_running_is_told_with_file_and_line() {
    let mine = Mine::new();
    let (code, said) = mine.ran(&["init", "--yes"]);
    assert_eq!(code, Some(0), "{said}");
    let prepared = std::fs::read_to_string(mine.path("Cargo.toml")).expect("a manifest");

    mine.write("Cargo.toml", &prepared.replace(", \"rlib\"", ""));
    let line = 1 + prepared
        .lines()
        .position(|line| line.starts_with("crate-type"))
        .expect("it has one");
    let place = format!("Cargo.toml:{line}: the library is a cdylib only");
    mine.refused(&["serve"], &[&place, "cargo edgeproof init"]);

    let native = prepared.find("[target.'cfg(not(").expect("it has one");
    let dev = prepared.find("[dev-dependencies]").expect("it has one");
    let without = format!("{}{}", &prepared[..native], &prepared[dev..]);
    mine.write("Cargo.toml", &without);
    mine.refused(
        &["serve"],
        &["and not worker-native", "cargo edgeproof init"],
    );

    mine.write("Cargo.toml", &prepared);
    std::fs::remove_file(mine.path("wrangler.toml")).expect("removed");
    let none = "there is no wrangler.toml, wrangler.json or wrangler.jsonc";
    for command in ["init", "serve", "burst"] {
        mine.refused(&[command], &[none, "beside Cargo.toml"]);
    }
}

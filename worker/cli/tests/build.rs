//! `sim build` and `sim tools` where they cannot do their work: what they say, and what they leave alone.
//!
//! Nothing is installed here. The programs that would install something are stood in for by scripts, which come first in
//! `PATH`; what the real ones do is in `real_build.rs`.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A folder of scripts that stand in for programs, and an empty cache of tools.
struct Stage {
    folder: TempDir,
}

impl Stage {
    fn new() -> Stage {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("bin")).unwrap();
        Stage { folder }
    }

    /// Makes `program` this shell script. `$STAGE` is the stage's folder.
    fn program(self, program: &str, script: &str) -> Stage {
        let file = self.folder.path().join("bin").join(program);
        fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    /// Makes `rustc` this script where it is asked for wasm, and leaves the rest to the real one.
    fn wasm_rustc(self, script: &str) -> Stage {
        let script = format!(
            "case $* in *wasm32-unknown-unknown*probe.rs) {script};; esac\nexec {}/bin/rustc \"$@\"",
            sysroot()
        );
        self.program("rustc", &script)
    }

    /// A crate with this much in its manifest, and an empty library.
    fn a_crate(&self, manifest: &str) -> PathBuf {
        let folder = self.folder.path().join("crate");
        fs::create_dir_all(folder.join("src")).unwrap();
        fs::write(
            folder.join("Cargo.toml"),
            format!("{manifest}\n[workspace]\n"),
        )
        .unwrap();
        fs::write(folder.join("src/lib.rs"), "").unwrap();
        folder
    }

    fn sim(&self, arguments: &[&str]) -> Command {
        let mut path = vec![self.folder.path().join("bin")];
        path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
        let mut command = Command::new(env!("CARGO_BIN_EXE_sim"));
        command
            .args(arguments)
            .env("PATH", std::env::join_paths(path).unwrap())
            .env("STAGE", self.folder.path())
            .env("EDGEPROOF_TOOLS", self.cache())
            .env("CLOUDFLARE_API_TOKEN", "token-9137-never-shown")
            .stdin(Stdio::null());
        command
    }

    fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    /// What is in the cache and is not hidden.
    fn installed(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.cache()) else {
            return Vec::new();
        };
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !name.ends_with(".lock"))
            .collect();
        names.sort();
        names
    }

    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }
}

/// All that a run said, without blanks: miette breaks lines where it likes.
struct Said(String);

impl Said {
    fn has(&self, phrase: &str) -> bool {
        self.0.contains(&without_blanks(phrase))
    }
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

fn without_blanks(text: &str) -> String {
    text.chars()
        .filter(|letter| !letter.is_whitespace() && *letter != '│')
        .collect()
}

/// Checks how a run ended, and gives what it said.
fn said(output: &Output, code: i32) -> Said {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    let text = String::from_utf8(text).unwrap();
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(!text.contains("never-shown"), "a secret was shown:\n{text}");
    assert!(!text.contains("panicked"), "{text}");
    Said(without_blanks(&text))
}

fn run(command: &mut Command, code: i32) -> Said {
    said(&command.output().unwrap(), code)
}

#[test]
fn a_folder_without_a_crate_is_named_with_what_to_do() {
    let stage = Stage::new();
    let text = run(
        &mut stage.sim(&["build", "--crate", "/nonexistent-9137"]),
        1,
    );
    assert!(
        text.has("/nonexistent-9137/Cargo.toml cannot be read"),
        "{text}"
    );
    assert!(text.has("--crate DIR"), "{text}");
    assert!(stage.installed().is_empty(), "{:?}", stage.installed());
}

#[test]
fn a_crate_that_makes_no_wasm_is_refused_before_anything_is_installed() {
    let stage = Stage::new();
    let plain = stage.a_crate("[package]\nname = \"plain\"");
    let text = run(
        &mut stage.sim(&["build", "--crate", plain.to_str().unwrap()]),
        1,
    );
    assert!(text.has("has no library of the type cdylib"), "{text}");
    assert!(text.has("crate-type = [\"cdylib\", \"rlib\"]"), "{text}");

    let unbound = stage.a_crate("[package]\nname = \"unbound\"\n[lib]\ncrate-type = [\"cdylib\"]");
    let text = run(
        &mut stage.sim(&["build", "--crate", unbound.to_str().unwrap()]),
        1,
    );
    assert!(text.has("does not depend on wasm-bindgen"), "{text}");

    // A workspace around the crate.
    fs::write(unbound.join("Cargo.toml"), "[package]\nname = \"member\"\n").unwrap();
    let workspace = stage.folder.path();
    fs::write(
        workspace.join("Cargo.toml"),
        "[workspace]\nmembers = [\"crate\"]\nresolver = \"3\"\n",
    )
    .unwrap();
    let text = run(
        &mut stage.sim(&["build", "--crate", workspace.to_str().unwrap()]),
        1,
    );
    assert!(text.has("describes no package"), "{text}");
    assert!(stage.installed().is_empty(), "{:?}", stage.installed());
    assert!(!unbound.join("build").exists());
}

#[test]
fn a_wrong_usage_is_exit_code_2() {
    let stage = Stage::new();
    for wrong in [
        &["build", "--frobnicate"][..],
        &["build", "--max-gzipped", "many"],
        &["build", "--crate"],
        &["build", "stray"],
        &["tools", "--frobnicate"],
        &["tools", "stray"],
    ] {
        run(&mut stage.sim(wrong), 2);
    }
    let help = run(&mut stage.sim(&["build", "--help"]), 0);
    assert!(
        help.has("Exit codes: 0 built, 1 the build failed or the bundle is too large, 2 usage."),
        "{help}"
    );
}

#[test]
fn an_installation_that_fails_is_explained_and_leaves_nothing() {
    let stage = Stage::new().wasm_rustc("exit 0").program(
        "npm",
        "echo half > half; echo 'npm error code E404' >&2; exit 7",
    );
    let text = run(&mut stage.sim(&["tools"]), 1);
    assert!(
        text.has("wrangler, workerd and the rest from npm could not be installed"),
        "{text}"
    );
    assert!(text.has("`npm ci --ignore-scripts"), "{text}");
    assert!(text.has("ended with exit status: 7"), "{text}");
    assert!(text.has("install Node with npm"), "{text}");
    assert!(
        text.has("npm error code E404"),
        "what npm said is not hidden: {text}"
    );
    assert!(stage.installed().is_empty(), "{:?}", stage.installed());
}

#[test]
fn without_npm_the_error_says_so() {
    // The only folder in PATH: cargo, and a rustc that seems to know wasm.
    let stage = Stage::new().wasm_rustc("exit 0");
    std::os::unix::fs::symlink(cargo(), stage.folder.path().join("bin/cargo")).unwrap();
    let mut sim = stage.sim(&["tools"]);
    sim.env("PATH", stage.folder.path().join("bin"))
        .env("RUSTC", "rustc");
    let text = run(&mut sim, 1);
    assert!(text.has("there is no program `npm`"), "{text}");
    assert!(text.has("install Node with npm"), "{text}");
}

/// Where the compiler in use is installed: `rustc` itself may be rustup's stand-in.
fn sysroot() -> String {
    let output = Command::new("rustc")
        .args(["--print", "sysroot"])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The cargo itself, not rustup's stand-in, which looks at its own name.
fn cargo() -> String {
    std::env::var("CARGO").expect("cargo sets it for tests")
}

/// A stage on which every installation succeeds at once and is written down in `log`.
fn obliging() -> Stage {
    let install = format!(
        "case $1 in install)\n\
         echo \"cargo install $3\" >> $STAGE/log; sleep 0.2\n\
         for word; do last=$word; case $before in --root) root=$word;; esac; before=$word; done\n\
         mkdir -p $root/bin; exit 0;; esac\n\
         exec {} \"$@\"",
        cargo()
    );
    Stage::new()
        .wasm_rustc("exit 0")
        .program("node", "echo v22.12.0 /opt/node")
        .program(
            "npm",
            "echo npm >> $STAGE/log; sleep 0.5; mkdir node_modules",
        )
        .program("cargo", &install)
}

#[test]
fn two_processes_at_once_install_each_tool_once() {
    let stage = obliging();
    let both = [stage.sim(&["tools"]), stage.sim(&["tools"])];
    let both = both.map(|mut sim| {
        sim.stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    });
    let both = both.map(|child| child.wait_with_output().unwrap());
    for output in &both {
        said(output, 0);
        let paths: serde_json::Value =
            serde_json::from_slice(&output.stdout).expect("standard output is JSON alone");
        let npm = paths["npm_folder"].as_str().unwrap();
        assert!(Path::new(npm).join("node_modules").is_dir(), "{npm}");
        assert_eq!(
            paths["node"], "/opt/node",
            "the system's Node is new enough"
        );
    }
    let log = stage.file("log");
    let mut lines: Vec<&str> = log.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "cargo install wasm-bindgen-cli",
            "cargo install worker-build",
            "npm"
        ]
    );
}

#[test]
fn an_old_node_is_replaced_by_one_from_npm() {
    let stage = obliging().program("node", "echo v20.20.2 /opt/node");
    let output = stage.sim(&["tools"]).output().unwrap();
    said(&output, 0);
    let paths: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let node = paths["node"].as_str().unwrap();
    assert!(node.starts_with(stage.cache().to_str().unwrap()), "{node}");
    assert_eq!(
        stage.file("log").matches("npm").count(),
        2,
        "the tools and Node"
    );
}

/// A stage whose compiler knows no wasm, with a rustup that cannot help and a Debian without Rust.
fn without_wasm() -> Stage {
    obliging()
        .wasm_rustc("echo 'error[E0463]: cannot find crate for `std`' >&2; exit 1")
        .program("rustup", "echo 'error: could not download' >&2; exit 1")
        .program("dpkg-query", "exit 1")
        .program("id", "echo 0")
        .program(
            "apt-get",
            "case $1 in --version) exit 0;; esac; echo \"apt-get $*\" >> $STAGE/log; exit 100",
        )
}

#[test]
fn system_packages_are_not_installed_without_a_yes() {
    let stage = without_wasm();
    let text = run(&mut stage.sim(&["tools"]), 1);
    assert!(
        text.has("apt-get install --yes --no-remove"),
        "the plan is told: {text}"
    );
    assert!(text.has("rustc-web cargo-web rust-web-src"), "{text}");
    assert!(text.has("pass --yes"), "{text}");
    assert!(text.has("error[E0463]"), "why it is needed is told: {text}");
    assert_eq!(stage.file("log"), "", "nothing was run");
}

#[test]
fn a_yes_runs_what_was_announced_and_a_failure_of_it_is_told() {
    let stage = without_wasm();
    let text = run(&mut stage.sim(&["tools", "--yes"]), 1);
    assert_eq!(
        stage.file("log"),
        "apt-get update\n",
        "the first step failed, so there is no second"
    );
    assert!(
        text.has("`apt-get update` ended with exit status: 100"),
        "{text}"
    );
    assert!(!text.has("pass --yes"), "{text}");
}

#[test]
fn who_is_not_root_is_told_of_sudo() {
    let stage = without_wasm().program("id", "echo 1000");
    let text = run(&mut stage.sim(&["tools"]), 1);
    assert!(text.has("sudo apt-get update"), "{text}");
    assert!(text.has("sudo apt-get install"), "{text}");
}

#[test]
fn a_machine_that_is_no_debian_gets_a_list_of_ways() {
    let stage = without_wasm().program("apt-get", "exit 127");
    let text = run(&mut stage.sim(&["tools", "--yes"]), 1);
    assert!(text.has("this is no Debian"), "{text}");
    assert!(
        text.has("`rustup target add wasm32-unknown-unknown`"),
        "{text}"
    );
}

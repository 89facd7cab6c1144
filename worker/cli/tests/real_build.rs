//! `sim build` with the real tools, and wrangler with what it built.
//!
//! Needs npm and a Rust that compiles for wasm, or a Debian that can be given one: the tools are installed on the way.

use flate2::Compression;
use flate2::write::GzEncoder;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{LazyLock, Mutex, MutexGuard};
use std::time::{Duration, Instant};

const WORKER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The bundle of this repository's Worker, once it is built. All tests share its folder, so a test holds the lock while it uses it.
fn bundle() -> MutexGuard<'static, PathBuf> {
    static BUNDLE: LazyLock<Mutex<PathBuf>> = LazyLock::new(|| {
        succeed(sim(&["build", "--yes"]));
        Mutex::new(Path::new(WORKER).join("build"))
    });
    // A test that failed broke no invariant of the folder: the next build puts it right.
    BUNDLE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The command, with variables of an outer cargo that would break a build which heeded them.
fn sim(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sim"));
    command
        .args(arguments)
        .env("CARGO", "/nonexistent-9137/cargo")
        .env("RUSTC", "/nonexistent-9137/rustc")
        .env("LD_LIBRARY_PATH", "/nonexistent-9137/toolchains/x/lib")
        .stdin(Stdio::null());
    command
}

/// All that a run said.
fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], b"\n", &output.stderr[..]].concat()).into_owned()
}

fn succeed(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}",
        output.status,
        said(&output)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a command that must fail with exit code 1, and gives all that it said, on one line: miette breaks lines where it likes.
fn fail(mut command: Command) -> String {
    let output = command.output().unwrap();
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{command:?}\n{text}");
    let words: Vec<&str> = text
        .split_whitespace()
        .filter(|word| *word != "│")
        .collect();
    words.join(" ")
}

fn gzipped(content: &[u8]) -> usize {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap().len()
}

/// The files of a bundle that are deployed.
fn files(bundle: &Path) -> BTreeMap<&'static str, Vec<u8>> {
    ["index.js", "glue.js", "index_bg.wasm"]
        .map(|name| (name, fs::read(bundle.join(name)).unwrap()))
        .into()
}

#[test]
fn the_bundle_is_a_worker_of_plausible_size() {
    let bundle = bundle();
    let files = files(&bundle);
    let (glue, wasm) = (&files["glue.js"], &files["index_bg.wasm"]);
    assert!(wasm.starts_with(b"\0asm"), "{:?}", &wasm[..8]);
    let entry = fs::read(Path::new(WORKER).join("entry.js")).unwrap();
    assert!(
        files["index.js"] == entry,
        "the crate's own main module is the bundle's"
    );
    let glue = String::from_utf8(glue.clone()).unwrap();
    assert!(
        glue.contains("from\"./index_bg.wasm\""),
        "the glue imports the wasm"
    );
    let (_, exports) = glue.rsplit_once("export{").expect("an ES module");
    assert!(
        exports.contains("as RateLimiter"),
        "the object's class is exported: {exports}"
    );
    assert!(
        exports.contains("as default"),
        "the handlers are exported: {exports}"
    );
    let weight: usize = files.values().map(|content| gzipped(content)).sum();
    assert!(
        (100_000..1_000_000).contains(&weight),
        "{weight} bytes compressed"
    );
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a real build takes real time")]
fn a_second_build_is_quick_and_leaves_the_files_alone() {
    let bundle = bundle();
    let before = files(&bundle);
    let written = |name| fs::metadata(bundle.join(name)).unwrap().modified().unwrap();
    let times = ["index.js", "glue.js", "index_bg.wasm"].map(written);
    let start = Instant::now();
    let text = succeed(sim(&["build"]));
    let took = start.elapsed();
    assert!(text.contains("(nothing had changed)"), "{text}");
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert!(files(&bundle) == before, "the files changed");
    assert_eq!(
        ["index.js", "glue.js", "index_bg.wasm"].map(written),
        times,
        "they were not written again"
    );
    println!("a build without changes took {took:?}");
}

#[test]
fn a_damaged_bundle_is_made_again_byte_for_byte() {
    let bundle = bundle();
    let before = files(&bundle);
    fs::write(bundle.join("glue.js"), "// half a file").unwrap();
    let text = succeed(sim(&["build"]));
    assert!(!text.contains("(nothing had changed)"), "{text}");
    assert!(
        files(&bundle) == before,
        "the same sources gave another bundle"
    );
}

#[test]
fn a_bundle_over_the_limit_is_refused_and_does_not_replace_the_old_one() {
    let bundle = bundle();
    let text = fail(sim(&["build", "--max-gzipped", "1000"]));
    assert!(text.contains("the limit is 1,000"), "{text}");

    fs::write(bundle.join("index.js"), "// the old one").unwrap();
    let text = fail(sim(&["build", "--max-gzipped", "1000"]));
    assert!(text.contains("the limit is 1,000"), "{text}");
    assert_eq!(
        fs::read_to_string(bundle.join("index.js")).unwrap(),
        "// the old one"
    );
    assert!(
        !bundle.join(".new").exists(),
        "what was refused is cleared away"
    );
    succeed(sim(&["build"]));
}

#[test]
fn a_crate_that_does_not_compile_leaves_its_old_bundle() {
    let folder = tempfile::tempdir().unwrap();
    let version = wasm_bindgen();
    let manifest = format!(
        "[package]\nname = \"broken\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[lib]\ncrate-type = [\"cdylib\"]\n\
         [dependencies]\nwasm-bindgen = \"={version}\"\n[workspace]\n"
    );
    fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
    for made in ["src", "build"] {
        fs::create_dir(folder.path().join(made)).unwrap();
    }
    fs::write(folder.path().join("build/index.js"), "// the old one").unwrap();

    let build = || sim(&["build", "--dev", "--crate", folder.path().to_str().unwrap()]);
    fs::write(folder.path().join("src/lib.rs"), "fn half(").unwrap();
    let text = fail(build());
    assert!(
        text.contains("this file contains an unclosed delimiter"),
        "{text}"
    );
    // It compiles now, and is no Worker: worker-build refuses it.
    fs::write(folder.path().join("src/lib.rs"), "").unwrap();
    let text = fail(build());
    assert!(text.contains("Ensure that you have dependency"), "{text}");
    let left = fs::read_to_string(folder.path().join("build/index.js")).unwrap();
    assert_eq!(left, "// the old one");
}

/// The version of wasm-bindgen in our lock file.
fn wasm_bindgen() -> String {
    let lock = fs::read_to_string(Path::new(WORKER).join("../Cargo.lock")).unwrap();
    let (_, rest) = lock
        .split_once("name = \"wasm-bindgen\"\nversion = \"")
        .unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

/// What `wrangler deploy --dry-run` says that the Worker is bound to: name in `env` and kind of resource.
fn bindings(environment: Option<&str>) -> BTreeMap<String, String> {
    let bundle = bundle();
    let tools: serde_json::Value =
        serde_json::from_str(&succeed(sim(&["tools", "--yes"]))).unwrap();
    let tool = |name: &str| tools[name].as_str().unwrap().to_owned();
    let scratch = tempfile::tempdir().unwrap();
    let out = scratch.path().join("out");
    let mut command = Command::new(tool("node"));
    command
        .args([&tool("wrangler"), "deploy", "--dry-run", "--outdir"])
        .arg(&out)
        // An empty name means the top level, without a warning that one was perhaps forgotten.
        .args(["--env", environment.unwrap_or_default()])
        .current_dir(WORKER)
        .env("XDG_CONFIG_HOME", scratch.path())
        .env("WRANGLER_SEND_METRICS", "false")
        .env("CLOUDFLARE_API_BASE_URL", "http://127.0.0.1:9/client/v4")
        .env("CI", "true")
        .env("NO_COLOR", "1")
        .stdin(Stdio::null());
    let output = command.output().unwrap();
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    assert!(
        text.contains("[custom build] Running: cargo sim build"),
        "{text}"
    );
    assert!(!text.contains("WARNING"), "{text}");
    let wasm = fs::read_dir(&out)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let wasm = wasm.filter(|path| {
        path.extension()
            .is_some_and(|extension| extension == "wasm")
    });
    let wasm: Vec<Vec<u8>> = wasm.map(|path| fs::read(path).unwrap()).collect();
    assert!(
        wasm == [files(&bundle)["index_bg.wasm"].clone()],
        "what is uploaded is what was built"
    );
    // "env.DB (edgeproof-preview)      D1 Database"
    let bound = text
        .lines()
        .filter_map(|line| line.strip_prefix("env.")?.split_once("  "));
    bound
        .map(|(name, kind)| (name.to_owned(), kind.trim().to_owned()))
        .collect()
}

#[test]
fn wrangler_lists_the_bindings_of_every_environment() {
    for (environment, name, database) in [
        (None, "development", "edgeproof"),
        (Some("preview"), "preview", "edgeproof-preview"),
        (Some("production"), "production", "edgeproof-production"),
    ] {
        let bound = bindings(environment);
        let kind = |name: &str| bound.get(name).map(String::as_str);
        assert_eq!(kind("CACHE_KV"), Some("KV Namespace"), "{bound:#?}");
        assert_eq!(
            kind("RATE_LIMITER (RateLimiter)"),
            Some("Durable Object"),
            "{bound:#?}"
        );
        assert_eq!(
            kind(&format!("DB ({database})")),
            Some("D1 Database"),
            "{bound:#?}"
        );
        assert_eq!(
            kind(&format!("ENVIRONMENT (\"{name}\")")),
            Some("Environment Variable"),
            "{bound:#?}"
        );
        assert_eq!(
            kind("RATE_LIMIT_ALGORITHM (\"sliding-log\")"),
            Some("Environment Variable"),
            "{bound:#?}"
        );
    }
}

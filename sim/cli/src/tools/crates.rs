//! Programs from crates.io, built once.

use super::cache::Cache;
use super::command::Tool;
use super::rust::WasmRust;
use miette::Result;
use std::path::{Path, PathBuf};

/// The version of worker-build: the one that was released with the `worker` that the workspace pins.
pub(crate) const WORKER_BUILD: &str = "0.8.7";

/// The program `worker-build`.
pub(super) fn worker_build(cache: &Cache, rust: &WasmRust) -> Result<PathBuf> {
    let name = format!("worker-build-{WORKER_BUILD}");
    let folder = cache.provide(&name, &format!("worker-build {WORKER_BUILD}"), |fresh| {
        install(rust, fresh, "worker-build", WORKER_BUILD)
            .args(["--locked"])
            .help("on Linux it needs OpenSSL's headers: `apt-get install libssl-dev pkg-config` on Debian")
            .run()
    })?;
    Ok(program(&folder, "worker-build"))
}

/// The program `wasm-bindgen` of that version.
pub(super) fn wasm_bindgen(cache: &Cache, rust: &WasmRust, version: &str) -> Result<PathBuf> {
    let name = format!("wasm-bindgen-{version}");
    let folder = cache.provide(&name, &format!("wasm-bindgen {version}"), |fresh| {
        // Not `--locked`: the lock file it was published with has named releases that were withdrawn.
        install(rust, fresh, "wasm-bindgen-cli", version)
            .args(["--bin", "wasm-bindgen"])
            .run()
    })?;
    Ok(program(&folder, "wasm-bindgen"))
}

fn install(rust: &WasmRust, root: &Path, package: &str, version: &str) -> Tool {
    Tool::new("cargo")
        .path(rust.bin())
        // Away from the workspace: its configuration is not meant for these.
        .folder(root)
        .args([
            "install",
            "--quiet",
            package,
            "--version",
            &format!("={version}"),
            "--root",
        ])
        .args([root])
        // They run for a second; optimising them well takes minutes.
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "0")
}

fn program(folder: &Path, name: &str) -> PathBuf {
    folder
        .join("bin")
        .join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

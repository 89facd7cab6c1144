//! `tools`: the pinned tools that building and running a wasm Worker needs, found or installed once.
//!
//! | what | from | where it is pinned |
//! |---|---|---|
//! | wrangler, workerd, miniflare, esbuild, wasm-opt | npm | `sim/cli/tools/package-lock.json` |
//! | Node, where the system's is too old for wrangler | npm | `sim/cli/tools/node/package-lock.json` |
//! | worker-build | crates.io | [`crates::WORKER_BUILD`] |
//! | wasm-bindgen | crates.io | the Worker's own `Cargo.lock`: the program must fit the library |
//! | std for wasm | rustup, or Debian's sources | the toolchain in use |
//!
//! All of it goes into a cache of the user's ([`Cache`]); a checkout stays as it is. Only Debian's packages are installed for
//! the whole system, and only after a yes ([`Consent`]).

mod cache;
mod command;
mod consent;
mod crates;
mod debian;
mod metadata;
mod npm;
mod rust;

use crate::linked::Linked;
use clap::Args;
use miette::{IntoDiagnostic, Result};
use std::path::PathBuf;

pub(crate) use cache::{Cache, digest, lock};
pub(crate) use command::Tool;
pub(crate) use consent::Consent;
pub(crate) use metadata::Metadata;
pub(crate) use npm::Npm;
pub(crate) use rust::WasmRust;

/// Options of `tools`.
#[derive(Debug, Args)]
#[command(
    after_help = "The tools are kept in $EDGEPROOF_TOOLS, else in $XDG_CACHE_HOME/edgeproof, else in ~/.cache/edgeproof.\n\
    Exit codes: 0 all are there, 1 one could not be installed, 2 usage."
)]
pub(crate) struct Arguments {
    /// Install what is missing, system packages too, without asking.
    #[arg(long)]
    yes: bool,
}

/// What a build needs.
#[derive(Debug)]
pub(crate) struct Tools {
    pub(crate) rust: WasmRust,
    pub(crate) npm: Npm,
    pub(crate) worker_build: PathBuf,
    pub(crate) wasm_bindgen: PathBuf,
}

impl Tools {
    /// Finds or installs everything that the build of a crate needs.
    pub(crate) fn provide(metadata: &Metadata, consent: Consent) -> Result<Tools> {
        let bindgen = metadata.wasm_bindgen()?;
        let cache = Cache::of_user()?;
        let rust = WasmRust::provide(&cache, consent)?;
        let npm = Npm::provide(&cache)?;
        let worker_build = crates::worker_build(&cache, &rust)?;
        let wasm_bindgen = crates::wasm_bindgen(&cache, &rust, bindgen)?;
        Ok(Tools {
            rust,
            npm,
            worker_build,
            wasm_bindgen,
        })
    }
}

/// Prints where each tool is, as one JSON object on standard output; what it does on the way goes to standard error.
pub(crate) fn run(linked: &Linked, arguments: &Arguments) -> Result<()> {
    let metadata = Metadata::of(&linked.folder.find()?)?;
    let tools = Tools::provide(&metadata, Consent { yes: arguments.yes })?;
    let npm = &tools.npm;
    let paths = serde_json::json!({
        "node": npm.node(),
        "npm_folder": npm.folder(),
        "wrangler": npm.wrangler(),
        "workerd": npm.workerd()?,
        "esbuild": npm.esbuild(),
        "wasm_opt": npm.wasm_opt(),
        "worker_build": tools.worker_build,
        "wasm_bindgen": tools.wasm_bindgen,
        "wasm_rust": tools.rust.bin(),
    });
    println!(
        "{}",
        serde_json::to_string_pretty(&paths).into_diagnostic()?
    );
    Ok(())
}

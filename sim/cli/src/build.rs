//! `build`: the Worker's bundle, ready to deploy.
//!
//! worker-build makes it: cargo compiles to wasm, wasm-bindgen writes the JavaScript glue, wasm-opt shrinks the one and esbuild
//! the other. A crate may have a main module of its own, `entry.js`, which imports what worker-build made as `glue.js`.
//! Here its programs are provided ([`super::tools`]), so that it downloads nothing; the bundle is built aside and
//! takes the place of the old one when it is complete and small enough; and where nothing changed, nothing is done.

mod bundle;

use crate::linked::Linked;
use crate::tools::{Consent, Metadata, Tool, Tools, lock};
use bundle::{Bundle, Entry, Stamp};
use clap::Args;
use miette::{IntoDiagnostic, Result, miette};
use std::fs;
use std::path::{Path, PathBuf};

/// What a Worker's parts may weigh together when they are compressed, in bytes. A rule of this project: Cloudflare takes
/// 3 MB on the free plan and 10 MB on the paid one, but what is larger starts later.
/// (developers.cloudflare.com/workers/platform/limits, "Worker size", 2026-09.)
const GZIPPED_MAX: usize = 1_000_000;

/// Options of `build`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 built, 1 the build failed or the bundle is too large, 2 usage."
)]
pub(crate) struct Arguments {
    /// Install what is missing, system packages too, without asking.
    #[arg(long)]
    yes: bool,
    /// Folder of the Worker's crate; if absent, that of this command's Worker. The bundle is DIR/build.
    #[arg(long = "crate", value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Link faster, for tests: no optimisation across crates. The bundle is larger.
    #[arg(long)]
    dev: bool,
    /// Refuse a bundle that weighs more than this when compressed.
    #[arg(long, value_name = "BYTES", default_value_t = GZIPPED_MAX)]
    max_gzipped: usize,
}

pub(crate) fn run(linked: &Linked, arguments: &Arguments) -> Result<()> {
    let metadata = match &arguments.folder {
        Some(folder) => Metadata::of(folder)?,
        None => Metadata::of(&linked.folder.find()?)?,
    };
    let tools = Tools::provide(&metadata, Consent { yes: arguments.yes })?;
    let build = Build {
        dev: arguments.dev,
        target: metadata.target_folder.join("wasm"),
        metadata,
        tools,
    };
    fs::create_dir_all(&build.target).into_diagnostic()?;
    let out = build.metadata.folder.join("build");
    fs::create_dir_all(&out).into_diagnostic()?;
    let _lock = lock(&build.target.join(".sim-build.lock"), "it builds a bundle")?;

    let entry = Entry::of(&build.metadata.folder)?;
    let stamp = Stamp::new(&build.compile()?, entry.as_ref(), &build.tools)?;
    if stamp.is_of(&out) {
        let bundle = Bundle::read(&out)?;
        bundle.check(arguments.max_gzipped)?;
        println!("{bundle}(nothing had changed)");
        return Ok(());
    }
    let fresh = out.join(".new");
    if fresh.exists() {
        fs::remove_dir_all(&fresh).into_diagnostic()?;
    }
    let bundle = build.bundle(&fresh, entry.as_ref()).and_then(|bundle| {
        bundle.check(arguments.max_gzipped)?;
        stamp.write(&fresh)?;
        put(&fresh, &out)
    });
    let _ = fs::remove_dir_all(&fresh);
    bundle?;
    println!("{}", Bundle::read(&out)?);
    Ok(())
}

/// One build.
struct Build {
    metadata: Metadata,
    tools: Tools,
    /// Apart from the native builds, which another compiler may have made.
    target: PathBuf,
    dev: bool,
}

impl Build {
    /// A program that sees the tools and the profile of wasm.
    fn tool(&self, program: impl AsRef<std::ffi::OsStr>) -> Tool {
        let npm = &self.tools.npm;
        let (lto, units) = if self.dev {
            ("off", "16")
        } else {
            ("fat", "1")
        };
        Tool::new(program)
            .path(self.tools.rust.bin())
            // wasm-opt is a script for Node.
            .path(npm.node().parent())
            .folder(&self.metadata.folder)
            .env("CARGO_TARGET_DIR", &self.target)
            // The release profile of the workspace is that of native programs, which are small and slow like this.
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "s")
            .env("CARGO_PROFILE_RELEASE_LTO", lto)
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", units)
            .env("CARGO_PROFILE_RELEASE_DEBUG", "0")
            .env("WASM_BINDGEN_BIN", &self.tools.wasm_bindgen)
            .env("WASM_OPT_BIN", npm.wasm_opt())
            .env("ESBUILD_BIN", npm.esbuild())
    }

    /// Compiles the crate, as worker-build is going to: its own call then has nothing to do. Gives the wasm's path.
    fn compile(&self) -> Result<PathBuf> {
        self.tool("cargo")
            .args([
                "build",
                "--lib",
                "--release",
                "--target",
                "wasm32-unknown-unknown",
            ])
            .run()?;
        let name = format!("{}.wasm", self.metadata.library);
        Ok(self
            .target
            .join("wasm32-unknown-unknown/release")
            .join(name))
    }

    /// Makes the bundle in a folder that does not exist yet.
    fn bundle(&self, folder: &Path, entry: Option<&Entry>) -> Result<Bundle> {
        self.tool(&self.tools.worker_build)
            .args([
                "--release".as_ref(),
                "--out-dir".as_ref(),
                folder.as_os_str(),
            ])
            .run()?;
        if let Some(entry) = entry {
            entry.put_before(folder)?;
        }
        Bundle::read(folder)
    }
}

/// Moves everything in `fresh` to its place in `out`, file by file: each is the old one or the new one, whole.
fn put(fresh: &Path, out: &Path) -> Result<()> {
    for entry in fs::read_dir(fresh).into_diagnostic()? {
        let entry = entry.into_diagnostic()?;
        let place = out.join(entry.file_name());
        if entry.file_type().into_diagnostic()?.is_dir() {
            fs::create_dir_all(&place).into_diagnostic()?;
            put(&entry.path(), &place)?;
        } else {
            fs::rename(entry.path(), &place)
                .map_err(|problem| miette!("{} cannot be replaced: {problem}", place.display()))?;
        }
    }
    Ok(())
}

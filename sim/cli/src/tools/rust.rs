//! A Rust toolchain that compiles for wasm.
//!
//! The one in use if it can; else it is given its standard library for wasm by rustup; else Debian's compiler gets one built from
//! Debian's sources ([`super::debian`]), which from then on is taken without asking rustup again. Whether a toolchain can is found out by compiling something: a folder that exists
//! says neither that it is whole nor that there is a linker.

use super::cache::Cache;
use super::command::Tool;
use super::consent::Consent;
use super::debian;
use super::metadata::TARGET;
use miette::{Context, IntoDiagnostic, Result};
use std::path::{Path, PathBuf};

/// A compiler with the wasm target.
#[derive(Debug)]
pub(crate) struct WasmRust {
    bin: Option<PathBuf>,
}

impl WasmRust {
    /// Finds or installs one.
    pub(super) fn provide(cache: &Cache, consent: Consent) -> Result<WasmRust> {
        let Err(in_use) = compiles(None) else {
            return Ok(WasmRust { bin: None });
        };
        if let Some(bin) = debian::provided(cache)
            && compiles(Some(&bin)).is_ok()
        {
            return Ok(WasmRust { bin: Some(bin) });
        }
        eprintln!("the compiler in use has no {TARGET}: asking rustup for it");
        let added = Tool::new("rustup").args(["target", "add", TARGET]).output();
        let rustup = match added.and_then(|_| compiles(None)) {
            Ok(()) => return Ok(WasmRust { bin: None }),
            Err(problem) => problem,
        };
        eprintln!(
            "rustup did not help ({}): trying Debian's compiler",
            first_line(&rustup)
        );
        let bin = debian::provide(cache, consent).wrap_err_with(|| {
            format!(
                "no Rust here compiles for {TARGET}: {}; {}; and Debian's compiler was not set up",
                first_line(&in_use),
                first_line(&rustup)
            )
        })?;
        compiles(Some(&bin)).wrap_err("Debian's compiler was set up and does not work")?;
        Ok(WasmRust { bin: Some(bin) })
    }

    /// The folder to put first in `PATH`, if it is not the toolchain in use.
    pub(crate) fn bin(&self) -> Option<&Path> {
        self.bin.as_deref()
    }
}

/// Compiles and links a library that needs std, with the `rustc` of that folder or the one in use.
pub(super) fn compiles(bin: Option<&Path>) -> Result<()> {
    let folder = tempfile::tempdir().into_diagnostic()?;
    let source = folder.path().join("probe.rs");
    let code =
        "#[unsafe(no_mangle)] pub extern \"C\" fn probe() -> usize { std::env::args().count() }\n";
    std::fs::write(&source, code).into_diagnostic()?;
    Tool::new("rustc")
        .path(bin)
        .folder(folder.path())
        .args([
            "--edition=2024",
            "--crate-type=cdylib",
            "--target",
            TARGET,
            "probe.rs",
        ])
        .output()
        .map(drop)
}

fn first_line(problem: &miette::Report) -> String {
    let text = problem.to_string();
    // The compiler's own words, where it was started; the line before them only repeats the command.
    let line = text
        .lines()
        .find(|line| line.starts_with("error"))
        .or_else(|| text.lines().next());
    line.unwrap_or_default().to_owned()
}

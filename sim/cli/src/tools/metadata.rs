//! What cargo knows of the crate that is built.

use super::command::Tool;
use miette::{Context, IntoDiagnostic, Result, miette};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The target of a deployable Worker.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// A crate, its workspace and what it depends on.
#[derive(Debug)]
pub(crate) struct Metadata {
    /// The folder with the crate's `Cargo.toml`.
    pub(crate) folder: PathBuf,
    /// Where its workspace is compiled to.
    pub(crate) target_folder: PathBuf,
    /// Name of its library's file, without prefix and extension.
    pub(crate) library: String,
    wasm_bindgen: Option<String>,
}

impl Metadata {
    /// Reads the crate in `folder`.
    pub(crate) fn of(folder: &Path) -> Result<Metadata> {
        let manifest = folder.join("Cargo.toml");
        let manifest = manifest.canonicalize().map_err(|problem| {
            miette!(
                help = "name the folder of the Worker's crate: --crate DIR",
                "{} cannot be read: {problem}",
                manifest.display()
            )
        })?;
        let text = Tool::new("cargo")
            .args([
                "metadata",
                "--format-version",
                "1",
                "--filter-platform",
                TARGET,
                "--manifest-path",
            ])
            .args([&manifest])
            .folder(manifest.parent().unwrap_or(folder))
            .output()
            .wrap_err_with(|| format!("cargo cannot read {}", manifest.display()))?;
        let read: Value = serde_json::from_str(&text).into_diagnostic()?;
        Metadata::read(&read, &manifest)
    }

    fn read(read: &Value, manifest: &Path) -> Result<Metadata> {
        let none = Vec::new();
        let packages = read["packages"].as_array().unwrap_or(&none);
        let package = packages
            .iter()
            .find(|package| {
                package["manifest_path"]
                    .as_str()
                    .is_some_and(|path| Path::new(path) == manifest)
            })
            .ok_or_else(|| {
                miette!(
                    help = "name the folder of a crate, not that of a workspace: --crate DIR",
                    "{} describes no package",
                    manifest.display()
                )
            })?;
        let library = package["targets"]
            .as_array()
            .unwrap_or(&none)
            .iter()
            .find(|target| {
                target["crate_types"]
                    .as_array()
                    .is_some_and(|kinds| kinds.iter().any(|kind| kind == "cdylib"))
            });
        let library = library
            .and_then(|target| target["name"].as_str())
            .ok_or_else(|| {
                miette!(
                    help = "add to it:\n[lib]\ncrate-type = [\"cdylib\", \"rlib\"]",
                    "{} has no library of the type cdylib, so there is no wasm to build",
                    manifest.display()
                )
            })?;
        let wasm_bindgen = packages
            .iter()
            .find(|package| package["name"] == "wasm-bindgen")
            .and_then(|package| package["version"].as_str());
        let target = read["target_directory"]
            .as_str()
            .ok_or_else(|| miette!("cargo named no target directory"))?;
        Ok(Metadata {
            folder: manifest.parent().unwrap_or(Path::new(".")).to_owned(),
            target_folder: PathBuf::from(target),
            library: library.replace('-', "_"),
            wasm_bindgen: wasm_bindgen.map(str::to_owned),
        })
    }

    /// The version of wasm-bindgen that the crate is locked to.
    pub(crate) fn wasm_bindgen(&self) -> Result<&str> {
        self.wasm_bindgen.as_deref().ok_or_else(|| {
            miette!(
                help = "a Worker depends on the crate `worker`, which brings wasm-bindgen",
                "{} does not depend on wasm-bindgen",
                self.folder.join("Cargo.toml").display()
            )
        })
    }
}

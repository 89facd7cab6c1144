//! The Worker's package, as Cargo knows it.

use crate::failure::Failure;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The files in which wrangler looks for a configuration, in its order.
pub(crate) const CONFIGURATIONS: [&str; 3] = ["wrangler.json", "wrangler.jsonc", "wrangler.toml"];

/// A package with a Worker.
#[derive(Debug)]
pub(crate) struct Project {
    /// The package's name.
    pub(crate) name: String,
    /// Its Cargo.toml.
    pub(crate) manifest: PathBuf,
    /// The name of its library, as Rust code writes it.
    pub(crate) library: Option<String>,
    /// The root of its workspace; its own folder if it is in none.
    pub(crate) workspace: PathBuf,
    /// The target folder.
    pub(crate) target: PathBuf,
    /// Whether another crate can link that library.
    pub(crate) is_linkable: bool,
    /// Whether it depends on `worker-native`, which stands in for the crate `worker` natively.
    pub(crate) has_facade: bool,
    /// The package `edgeproof` that it depends on: its folder.
    pub(crate) edgeproof: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_root: PathBuf,
    target_directory: PathBuf,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    targets: Vec<Target>,
    dependencies: Vec<Dependency>,
    /// `None` for a package at a path.
    source: Option<String>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    crate_types: Vec<String>,
}

impl Package {
    fn depends_on(&self, name: &str) -> bool {
        let mut names = self.dependencies.iter();
        names.any(|dependency| dependency.name == name)
    }
}

impl Target {
    fn is_linkable(&self) -> bool {
        let mut kinds = self.crate_types.iter();
        kinds.any(|kind| kind == "lib" || kind == "rlib")
    }
}

impl Project {
    /// The package in `folder`, or in the nearest folder above it.
    pub(crate) fn find(folder: &Path) -> Result<Self, Failure> {
        let manifest = folder
            .ancestors()
            .map(|folder| folder.join("Cargo.toml"))
            .find(|path| path.is_file());
        let manifest = manifest.ok_or_else(|| {
            Failure::new(format!("{} is in no Cargo package", folder.display()))
                .help("go to your Worker's folder")
        })?;
        Self::at(&manifest)
    }

    /// The package with this Cargo.toml.
    pub(crate) fn at(manifest: &Path) -> Result<Self, Failure> {
        let manifest = manifest
            .canonicalize()
            .map_err(|error| Failure::io("read", manifest, &error))?;
        let metadata = metadata(&manifest)?;
        let same = |package: &&Package| {
            package.source.is_none()
                && package.manifest_path.canonicalize().ok().as_deref() == Some(&manifest)
        };
        let package = metadata.packages.iter().find(same).ok_or_else(|| {
            Failure::new("this is a workspace and no package")
                .at(&manifest, None)
                .help("go to the folder of the Worker's package")
        })?;
        let edgeproof = metadata
            .packages
            .iter()
            .find(|found| found.name == "edgeproof" && package.depends_on("edgeproof"))
            .and_then(|package| package.manifest_path.parent());
        let is_library = |target: &&Target| {
            let kinds = ["lib", "rlib", "cdylib", "dylib", "staticlib"];
            target
                .crate_types
                .iter()
                .any(|kind| kinds.contains(&kind.as_str()))
        };
        let library = package.targets.iter().find(is_library);
        Ok(Self {
            name: package.name.clone(),
            is_linkable: library.is_some_and(Target::is_linkable),
            has_facade: package.depends_on("worker-native"),
            library: library.map(|target| target.name.replace('-', "_")),
            workspace: metadata.workspace_root.clone(),
            target: metadata.target_directory.clone(),
            edgeproof: edgeproof.map(Path::to_owned),
            manifest,
        })
    }

    /// The package's folder.
    pub(crate) fn folder(&self) -> &Path {
        self.manifest.parent().expect("a file is in a folder")
    }

    /// The Worker's configuration.
    pub(crate) fn configuration(&self) -> Result<PathBuf, Failure> {
        let mut paths = CONFIGURATIONS
            .map(|name| self.folder().join(name))
            .into_iter();
        paths.find(|path| path.is_file()).ok_or_else(|| {
            Failure::new("there is no wrangler.toml, wrangler.json or wrangler.jsonc")
                .at(self.folder(), None)
                .help("a Worker's package has its configuration beside Cargo.toml, as wrangler wants it")
        })
    }
}

fn metadata(manifest: &Path) -> Result<Metadata, Failure> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--manifest-path"])
        .arg(manifest)
        .output()
        .map_err(|error| Failure::new(format!("cannot start cargo: {error}")))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(Failure::new(format!(
            "cargo cannot read this package\n{}",
            text.trim_end()
        ))
        .at(manifest, None));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| {
        Failure::new(format!(
            "cargo metadata printed what is not understood: {error}"
        ))
    })
}

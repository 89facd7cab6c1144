//! What a package says of a dependency, with what it takes from its workspace.

use super::{Twin, WASM, parse};
use crate::failure::Failure;
use crate::project::Project;
use semver::{Op, VersionReq};
use std::fs;
use std::path::{Path, PathBuf};
use toml_edit::{Document, DocumentMut, Item, TableLike, Value};

/// A dependency on a crate.
pub(super) struct Dependency {
    pub(super) features: Vec<String>,
    pub(super) optional: bool,
    version: Option<String>,
    /// Whether it comes from a repository.
    git: bool,
    /// Where its version stands.
    place: (PathBuf, Option<usize>),
}

impl Dependency {
    /// Reads the dependency on a crate from the Cargo.toml at `path`, if that has one.
    pub(super) fn read(
        project: &Project,
        path: &Path,
        text: &str,
        manifest: &DocumentMut,
        name: &str,
    ) -> Result<Option<Self>, Failure> {
        let found = tables(manifest).into_iter().find_map(|(at, table)| {
            let item = table.get(name)?;
            Some((at, item))
        });
        let Some((at, item)) = found else {
            return Ok(None);
        };
        let mut read = Self::of(item);
        read.place = (path.to_owned(), line(text, &[&at[..], &[name]].concat()));
        if inherits(item) {
            let root = project.workspace.join("Cargo.toml");
            let text = read_file(&root)?;
            let manifest = parse(&root, &text)?;
            if let Some(shared) = shared(&manifest, name).map(Self::of) {
                read.version = shared.version;
                read.git = shared.git;
                read.features.extend(shared.features);
                let line = line(&text, &["workspace", "dependencies", name]);
                read.place = (root, line);
            }
        }
        Ok(Some(read))
    }

    fn of(item: &Item) -> Self {
        let version = item
            .as_str()
            .or_else(|| item.get("version").and_then(Item::as_str));
        let features = item.get("features").and_then(Item::as_array);
        let features = features.into_iter().flatten().filter_map(Value::as_str);
        Self {
            features: features.map(str::to_owned).collect(),
            optional: item.get("optional").and_then(Item::as_bool) == Some(true),
            version: version.map(str::to_owned),
            git: item.get("git").is_some(),
            place: Default::default(),
        }
    }

    /// Whether it works together with the façade's version of workers-rs.
    pub(super) fn check(&self, twin: &Twin) -> Result<(), Failure> {
        let name = twin.name;
        let failed = |failure: Failure| Err(failure.at(&self.place.0, self.place.1));
        let raise = format!("{name} = \"{}\"", twin.oldest);
        if self.git {
            return failed(
                Failure::new(format!(
                    "{name} from a repository: edgeproof has the API of releases alone"
                ))
                .help(format!("depend on {raise}")),
            );
        }
        // A dependency on a path names no version.
        let Some(version) = &self.version else {
            return Ok(());
        };
        let wanted = match VersionReq::parse(version) {
            Ok(wanted) => wanted,
            Err(error) => return failed(Failure::new(format!("{name} {version}: {error}"))),
        };
        if name.starts_with("worker") {
            if wanted.matches(&twin.oldest) {
                return Ok(());
            }
            return failed(
                Failure::new(format!(
                    "{name} {version}: edgeproof has the API of {}",
                    twin.oldest
                ))
                .help(format!(
                    "raise the dependency to {raise}; the releases of workers-rs say what changes"
                )),
            );
        }
        // Anything but an exact version is Cargo's to resolve.
        let pinned = |comparator: &semver::Comparator| {
            let (minor, patch) = (comparator.minor, comparator.patch);
            let exact = (
                comparator.major,
                minor.unwrap_or(0),
                patch.unwrap_or(u64::MAX),
            );
            let oldest = &twin.oldest;
            comparator.op == Op::Exact && exact < (oldest.major, oldest.minor, oldest.patch)
        };
        if wanted.comparators.iter().any(pinned) {
            return failed(
                Failure::new(format!(
                    "{name} {version}: the crate worker needs at least {}",
                    twin.oldest
                ))
                .help(format!("raise the dependency to {raise}")),
            );
        }
        Ok(())
    }
}

/// The Cargo.toml of each package that a package depends on by its path, for any target.
pub(super) fn paths(
    project: &Project,
    path: &Path,
    manifest: &DocumentMut,
) -> Result<Vec<PathBuf>, Failure> {
    let folder = path.parent().expect("a file is in a folder");
    let mut root = None;
    let mut found = Vec::new();
    for (name, item) in tables(manifest)
        .into_iter()
        .flat_map(|(_, table)| table.iter())
    {
        if let Some(path) = item.get("path").and_then(Item::as_str) {
            found.push(folder.join(path).join("Cargo.toml"));
        } else if inherits(item) {
            if root.is_none() {
                let path = project.workspace.join("Cargo.toml");
                root = Some(parse(&path, &read_file(&path)?)?);
            }
            let shared = root.as_ref().and_then(|root| shared(root, name));
            let path = shared.and_then(|item| item.get("path")?.as_str());
            found.extend(path.map(|path| project.workspace.join(path).join("Cargo.toml")));
        }
    }
    Ok(found)
}

/// The tables of dependencies that a package's own code has, each with its path in the file.
fn tables(manifest: &DocumentMut) -> Vec<(Vec<&str>, &dyn TableLike)> {
    let mut paths = vec![vec!["dependencies"]];
    for target in [WASM, "cfg(target_arch = \"wasm32\")"] {
        paths.push(vec!["target", target, "dependencies"]);
    }
    let at = |path: Vec<&'static str>| {
        let mut item = manifest.as_item();
        for name in &path {
            item = item.get(name)?;
        }
        Some((path.clone(), item.as_table_like()?))
    };
    paths.into_iter().filter_map(at).collect()
}

fn inherits(item: &Item) -> bool {
    item.get("workspace").and_then(Item::as_bool) == Some(true)
}

fn shared<'a>(root: &'a DocumentMut, name: &str) -> Option<&'a Item> {
    root.get("workspace")?.get("dependencies")?.get(name)
}

fn read_file(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| Failure::io("read", path, &error))
}

/// The line at which a key stands in a text, from 1.
fn line(text: &str, path: &[&str]) -> Option<usize> {
    let document = Document::parse(text).ok()?;
    let mut item = document.as_item();
    for name in path {
        item = item.get(name)?;
    }
    let span = item.span()?;
    Some(text[..span.start].matches('\n').count() + 1)
}

//! What Cargo.toml says after `init`: for wasm the crates that deploy, for every other target edgeproof's in their place.
//!
//! A stand-in is a dependency under its own name, whose library has the name of the crate that it stands in for. The two cannot
//! share a key: Cargo refuses a key with two sources, such as the registry and a path, whatever the target.

mod dependency;
mod features;
#[cfg(test)]
mod tests;

use crate::failure::Failure;
use crate::project::Project;
use crate::source::Source;
use dependency::Dependency;
use semver::Version;
use std::path::{Path, PathBuf};
use toml_edit::{Array, DocumentMut, Item, Table, Value};

const WASM: &str = "cfg(target_family = \"wasm\")";
const NATIVE: &str = "cfg(not(target_family = \"wasm\"))";

/// A crate that runs on wasm only, and the one that stands in for it natively.
struct Twin {
    name: &'static str,
    native: &'static str,
    /// The oldest version that works with the façade's version of workers-rs on wasm.
    oldest: Version,
}

impl Twin {
    /// Whether the stand-in has the features of the crate.
    fn has_features(&self) -> bool {
        self.name == "worker"
    }
}

const fn twin(name: &'static str, native: &'static str, oldest: [u64; 3]) -> Twin {
    let [major, minor, patch] = oldest;
    Twin {
        name,
        native,
        oldest: Version::new(major, minor, patch),
    }
}

/// The version of workers-rs whose API the façade has.
const WORKER: [u64; 3] = [0, 8, 7];

// The oldest versions are those that worker 0.8.7 asks for in its Cargo.toml.
static TWINS: [Twin; 8] = [
    twin("worker", "worker-native", WORKER),
    twin("worker-macros", "worker-native-macros", WORKER),
    twin("wasm-bindgen", "edgeproof-wasm-bindgen", [0, 2, 129]),
    twin("js-sys", "edgeproof-js-sys", [0, 3, 106]),
    twin("web-sys", "edgeproof-web-sys", [0, 3, 106]),
    twin(
        "wasm-bindgen-futures",
        "edgeproof-wasm-bindgen-futures",
        [0, 4, 79],
    ),
    twin(
        "serde-wasm-bindgen",
        "edgeproof-serde-wasm-bindgen",
        [0, 6, 5],
    ),
    twin("console_log", "edgeproof-console-log", [1, 0, 0]),
];

/// The text of a Worker's Cargo.toml, prepared for tests. One that is prepared already stays as it is.
///
/// # Errors
/// What cannot be prepared, with its line.
pub(super) fn prepared(project: &Project, text: &str, source: &Source) -> Result<String, Failure> {
    let failed = |failure: Failure| failure.at(&project.manifest, None);
    let mut manifest = parse(&project.manifest, text)?;
    library(&mut manifest).map_err(failed)?;
    let found = stand_ins(project, &project.manifest, text, &mut manifest, source)?;
    if !found.contains(&"worker") {
        return Err(failed(
            Failure::new("this package does not depend on the crate worker")
                .help("edgeproof tests Workers that are written against workers-rs"),
        ));
    }
    let dev = table(manifest.as_table_mut(), &["dev-dependencies"]).map_err(failed)?;
    if !dev.contains_key("edgeproof") {
        dev.insert("edgeproof", source.dependency("edgeproof").into());
    }
    Ok(manifest.to_string())
}

/// The text of the Cargo.toml of a package that the Worker's depends on by its path: the stand-ins alone.
///
/// # Errors
/// What cannot be prepared, with its line.
pub(super) fn prepared_library(
    project: &Project,
    path: &Path,
    text: &str,
    source: &Source,
) -> Result<String, Failure> {
    let mut manifest = parse(path, text)?;
    stand_ins(project, path, text, &mut manifest, source)?;
    Ok(manifest.to_string())
}

/// The Cargo.toml of each package that the one at `path` depends on by its path.
pub(super) fn path_dependencies(
    project: &Project,
    path: &Path,
    text: &str,
) -> Result<Vec<PathBuf>, Failure> {
    dependency::paths(project, path, &parse(path, text)?)
}

fn parse(path: &Path, text: &str) -> Result<DocumentMut, Failure> {
    text.parse()
        .map_err(|error| Failure::new(format!("this is not TOML: {error}")).at(path, None))
}

/// Adds the stand-ins of what a package depends on; the names of the crates that have one.
fn stand_ins(
    project: &Project,
    path: &Path,
    text: &str,
    manifest: &mut DocumentMut,
    source: &Source,
) -> Result<Vec<&'static str>, Failure> {
    let mut found = Vec::new();
    for twin in &TWINS {
        let Some(dependency) = Dependency::read(project, path, text, manifest, twin.name)? else {
            continue;
        };
        found.push(twin.name);
        dependency.check(twin)?;
        separate(manifest, twin, &dependency, source)
            .and_then(|()| features::forward(manifest, twin))
            .map_err(|failure| failure.at(path, None))?;
    }
    Ok(found)
}

/// A Worker deploys as a `cdylib`; tests link it as an `rlib`.
fn library(manifest: &mut DocumentMut) -> Result<(), Failure> {
    let lib = table(manifest.as_table_mut(), &["lib"])?;
    let key = ["crate-type", "crate_type"]
        .into_iter()
        .find(|key| lib.contains_key(key))
        .unwrap_or("crate-type");
    let kinds = lib.entry(key).or_insert_with(|| Array::new().into());
    let kinds = kinds
        .as_array_mut()
        .ok_or_else(|| Failure::new(format!("lib.{key} is no list")))?;
    for kind in ["cdylib", "rlib"] {
        let names = |given: &Value, kind| given.as_str() == Some(kind);
        let linked = kind == "rlib" && kinds.iter().any(|given| names(given, "lib"));
        if !linked && !kinds.iter().any(|given| names(given, kind)) {
            kinds.push(kind);
        }
    }
    Ok(())
}

/// Moves a dependency to wasm, and has another crate stand in for it natively.
fn separate(
    manifest: &mut DocumentMut,
    twin: &Twin,
    dependency: &Dependency,
    source: &Source,
) -> Result<(), Failure> {
    let root = manifest.as_table_mut();
    let direct = root
        .get_mut("dependencies")
        .and_then(Item::as_table_mut)
        .and_then(|dependencies| dependencies.remove_entry(twin.name));
    if let Some((key, dependency)) = direct {
        // With its key, which carries the comment above it.
        table(root, &["target", WASM, "dependencies"])?.insert_formatted(&key, dependency);
    }
    let natively = table(root, &["target", NATIVE, "dependencies"])?;
    if natively.contains_key(twin.native) {
        return Ok(());
    }
    let mut stand_in = source.dependency(twin.native);
    if twin.has_features() && !dependency.features.is_empty() {
        let features: Array = dependency.features.iter().map(String::as_str).collect();
        stand_in.insert("features", Value::from(features));
    }
    if dependency.optional {
        stand_in.insert("optional", Value::from(true));
    }
    natively.insert(twin.native, stand_in.into());
    Ok(())
}

/// The table at a path; a new one is written as `[a.b.c]`, at the end of the file.
fn table<'a>(root: &'a mut Table, path: &[&str]) -> Result<&'a mut Table, Failure> {
    let mut at = root;
    for (depth, name) in path.iter().enumerate() {
        let fresh = || {
            let mut table = Table::new();
            table.set_implicit(depth + 1 < path.len());
            Item::Table(table)
        };
        let item = at.entry(name).or_insert_with(fresh);
        at = item.as_table_mut().ok_or_else(|| {
            Failure::new(format!("{name} is no table of its own"))
                .help(format!("write it as [{}]", path.join(".")))
        })?;
    }
    Ok(at)
}

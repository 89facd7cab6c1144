//! What Cargo.toml says after `init`: for wasm the crates that deploy, for every other target edgeproof's in their place.

use crate::failure::Failure;
use crate::project::Project;
use crate::source::Source;
use semver::{Version, VersionReq};
use std::fs;
use toml_edit::{Array, Document, DocumentMut, Item, Table, Value};

const WASM: &str = "cfg(target_family = \"wasm\")";
const NATIVE: &str = "cfg(not(target_family = \"wasm\"))";

/// The crates that run on wasm only, and those that stand in for them natively.
const TWINS: [(&str, &str); 1] = [("worker", "worker-native")];

/// The version of workers-rs whose API the façade has.
const WORKER: Version = Version::new(0, 8, 7);

/// The text of a package's Cargo.toml, prepared for tests. One that is prepared already stays as it is.
///
/// # Errors
/// What cannot be prepared, with its line.
pub(super) fn prepared(project: &Project, text: &str, source: &Source) -> Result<String, Failure> {
    let failed = |failure: Failure| failure.at(&project.manifest, None);
    let mut manifest: DocumentMut = text
        .parse()
        .map_err(|error| failed(Failure::new(format!("this is not TOML: {error}"))))?;
    library(&mut manifest).map_err(failed)?;
    let mut found = false;
    for (name, native) in TWINS {
        let Some(dependency) = dependency(&manifest, name) else {
            continue;
        };
        found = true;
        let dependency = Dependency::read(project, name, &dependency)?;
        if name == "worker" {
            check_worker(&dependency)
                .map_err(|failure| failure.at(&project.manifest, line_of_dependency(text, name)))?;
        }
        separate(&mut manifest, name, native, &dependency, source).map_err(failed)?;
    }
    if !found {
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

/// A dependency on a crate, where a Worker's package has it.
fn dependency(manifest: &DocumentMut, name: &str) -> Option<Item> {
    let direct = manifest.get("dependencies").and_then(|all| all.get(name));
    let of_target = |target: &str| {
        let dependencies = manifest.get("target")?.get(target)?.get("dependencies")?;
        dependencies.get(name)
    };
    let found = direct
        .or_else(|| of_target(WASM))
        .or_else(|| of_target("cfg(target_arch = \"wasm32\")"));
    found.cloned()
}

/// What a dependency says, with what it takes from its workspace.
struct Dependency {
    version: Option<String>,
    features: Vec<String>,
}

impl Dependency {
    fn read(project: &Project, name: &str, item: &Item) -> Result<Self, Failure> {
        let mut read = Self::of(item);
        let inherits = item.get("workspace").and_then(Item::as_bool);
        if inherits == Some(true) {
            let root = project.workspace.join("Cargo.toml");
            let text =
                fs::read_to_string(&root).map_err(|error| Failure::io("read", &root, &error))?;
            let manifest: DocumentMut = text.parse().map_err(|error| {
                Failure::new(format!("this is not TOML: {error}")).at(&root, None)
            })?;
            let shared = manifest
                .get("workspace")
                .and_then(|workspace| workspace.get("dependencies")?.get(name));
            if let Some(shared) = shared.map(Self::of) {
                read.version = shared.version;
                read.features.extend(shared.features);
            }
        }
        Ok(read)
    }

    fn of(item: &Item) -> Self {
        let version = item
            .as_str()
            .or_else(|| item.get("version").and_then(Item::as_str));
        let features = item.get("features").and_then(Item::as_array);
        let features = features.into_iter().flatten().filter_map(Value::as_str);
        Self {
            version: version.map(str::to_owned),
            features: features.map(str::to_owned).collect(),
        }
    }
}

fn check_worker(dependency: &Dependency) -> Result<(), Failure> {
    // A dependency on a path or a repository names no version.
    let Some(version) = &dependency.version else {
        return Ok(());
    };
    let wanted = VersionReq::parse(version)
        .map_err(|error| Failure::new(format!("worker {version}: {error}")))?;
    if wanted.matches(&WORKER) {
        return Ok(());
    }
    Err(Failure::new(format!(
        "worker {version}: edgeproof has the API of {WORKER}"
    ))
    .help(format!(
        "raise the dependency to worker = \"{WORKER}\"; the releases of workers-rs say what changes"
    )))
}

/// Moves a dependency to wasm, and has another crate stand in for it natively.
fn separate(
    manifest: &mut DocumentMut,
    name: &str,
    native: &str,
    dependency: &Dependency,
    source: &Source,
) -> Result<(), Failure> {
    let root = manifest.as_table_mut();
    let direct = root
        .get_mut("dependencies")
        .and_then(Item::as_table_mut)
        .and_then(|dependencies| dependencies.remove_entry(name));
    if let Some((key, dependency)) = direct {
        // With its key, which carries the comment above it.
        table(root, &["target", WASM, "dependencies"])?.insert_formatted(&key, dependency);
    }
    let natively = table(root, &["target", NATIVE, "dependencies"])?;
    if natively.contains_key(native) {
        return Ok(());
    }
    // Under its own name, although its library has the name of the other: Cargo takes no dependency that has one source for
    // wasm and another natively.
    let mut stand_in = source.dependency(native);
    if !dependency.features.is_empty() {
        let features: Array = dependency.features.iter().map(String::as_str).collect();
        stand_in.insert("features", Value::from(features));
    }
    natively.insert(native, stand_in.into());
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

/// The line of a dependency in a text, from 1.
fn line_of_dependency(text: &str, name: &str) -> Option<usize> {
    let document = Document::parse(text).ok()?;
    let span = document.get("dependencies")?.get(name)?.span()?;
    Some(text[..span.start].matches('\n').count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn project(folder: &Path) -> Project {
        Project {
            name: "mine".to_owned(),
            manifest: folder.join("Cargo.toml"),
            library: Some("mine".to_owned()),
            workspace: folder.to_owned(),
            target: folder.join("target"),
            is_linkable: false,
            has_facade: false,
            edgeproof: None,
        }
    }

    const FRESH: &str = r#"[package]
name = "mine"
version = "0.1.0"
edition = "2024"

[lib]
crate-type = ["cdylib"] # for worker-build

[dependencies]
# The platform.
worker = { version = "0.8.7", features = ["d1"] }
serde = "1"
"#;

    const PREPARED: &str = r#"[package]
name = "mine"
version = "0.1.0"
edition = "2024"

[lib]
crate-type = ["cdylib", "rlib"] # for worker-build

[dependencies]
serde = "1"

[target.'cfg(target_family = "wasm")'.dependencies]
# The platform.
worker = { version = "0.8.7", features = ["d1"] }

[target.'cfg(not(target_family = "wasm"))'.dependencies]
worker-native = { version = "0.1.0", features = ["d1"] }

[dev-dependencies]
edgeproof = { version = "0.1.0" }
"#;

    fn prepare(text: &str) -> Result<String, String> {
        let project = project(Path::new("/w"));
        prepared(&project, text, &Source::Registry).map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_fresh_package_is_prepared_and_stays_so() {
        assert_eq!(prepare(FRESH).as_deref(), Ok(PREPARED));
        assert_eq!(prepare(PREPARED).as_deref(), Ok(PREPARED));
    }

    #[test]
    fn a_package_from_the_template_is_prepared() {
        let template = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../templates/worker/Cargo.toml"
        );
        let template = fs::read_to_string(template).expect("the template");
        assert_eq!(prepare(&template).as_ref(), Ok(&template));
    }

    #[test]
    fn what_deploys_keeps_its_features_and_what_links_already_is_left_alone() {
        let text = prepare(
            "[dependencies]\nworker = \"0.8\"\n[lib]\ncrate-type = [\"cdylib\", \"lib\"]\n",
        );
        let text = text.expect("it is right");
        assert!(
            text.contains("worker-native = { version = \"0.1.0\" }"),
            "{text}"
        );
        assert!(
            text.contains("crate-type = [\"cdylib\", \"lib\"]"),
            "{text}"
        );
    }

    #[test]
    fn a_package_of_a_workspace_takes_its_versions_from_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let project = project(folder.path());
        let root =
            "[workspace.dependencies]\nworker = { version = \"0.8\", features = [\"d1\"] }\n";
        fs::write(folder.path().join("Cargo.toml"), root).expect("written");
        let text = "[dependencies]\nworker.workspace = true\n";
        let text = prepared(&project, text, &Source::Registry).expect("it is right");
        let native = "worker-native = { version = \"0.1.0\", features = [\"d1\"] }";
        assert!(text.contains(native), "{text}");
        let wasm = "[target.'cfg(target_family = \"wasm\")'.dependencies]\nworker.workspace = true";
        assert!(text.contains(wasm), "{text}");
    }

    #[test]
    fn what_cannot_be_prepared_is_told_with_its_line() {
        let old = "[package]\nname = \"mine\"\n\n[dependencies]\nserde = \"1\"\nworker = \"0.6\"\n";
        assert_eq!(
            prepare(old).expect_err("too old"),
            "/w/Cargo.toml:6: worker 0.6: edgeproof has the API of 0.8.7\n  help: raise the dependency to worker = \"0.8.7\"; \
             the releases of workers-rs say what changes"
        );
        let none = prepare("[dependencies]\nserde = \"1\"\n").expect_err("no Worker");
        assert!(
            none.starts_with("/w/Cargo.toml: this package does not depend on the crate worker"),
            "{none}"
        );
        let broken = prepare("[dependencies").expect_err("no TOML");
        assert!(broken.contains("this is not TOML"), "{broken}");
    }
}

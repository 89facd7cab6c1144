use super::*;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

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
    let text =
        prepare("[dependencies]\nworker = \"0.8\"\n[lib]\ncrate-type = [\"cdylib\", \"lib\"]\n");
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
    let root = "[workspace.dependencies]\nworker = { version = \"0.8\", features = [\"d1\"] }\n";
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

#[test]
fn a_feature_that_names_a_crate_names_its_stand_in_as_well() {
    let text = prepare(
        "[dependencies]\nworker = { version = \"0.8\", optional = true }\njs-sys = { version = \"0.3\", optional = true }\n\
         [features]\nedge = [\"dep:worker\", \"js-sys\", \"worker?/d1\", \"worker/http\", \"js-sys/std\"]\n",
    )
    .expect("it is right");
    let edge = "edge = [\"dep:worker\", \"js-sys\", \"worker?/d1\", \"worker/http\", \"js-sys/std\", \"dep:worker-native\", \
                \"worker-native?/d1\", \"worker-native/http\", \"edgeproof-js-sys\"]";
    assert!(text.contains(edge), "{text}");
    let native = "worker-native = { version = \"0.1.0\", optional = true }";
    assert!(text.contains(native), "{text}");
    assert_eq!(prepare(&text), Ok(text));
}

#[test]
fn only_the_crate_worker_hands_its_features_on() {
    let text = prepare(
        "[dependencies]\nworker = { version = \"0.8\", features = [\"http\"] }\n\
         worker-macros = { version = \"0.8\", features = [\"http\"] }\nweb-sys = { version = \"0.3\", features = [\"Crypto\"] }\n",
    )
    .expect("it is right");
    let native = "worker-native = { version = \"0.1.0\", features = [\"http\"] }\n\
                  worker-native-macros = { version = \"0.1.0\" }\nedgeproof-web-sys = { version = \"0.1.0\" }\n";
    assert!(text.contains(native), "{text}");
}

#[test]
fn a_version_that_cannot_work_is_told_with_its_line() {
    let refusal = |dependency: &str| {
        let text = format!("[dependencies]\nworker = \"0.8.7\"\n{dependency}\n");
        prepare(&text).expect_err(dependency)
    };
    assert_eq!(
        refusal("wasm-bindgen = \"=0.2.106\""),
        "/w/Cargo.toml:3: wasm-bindgen =0.2.106: the crate worker needs at least 0.2.129\n  help: raise the dependency to \
         wasm-bindgen = \"0.2.129\""
    );
    let macros = refusal("worker-macros = \"0.7\"");
    assert!(
        macros.starts_with("/w/Cargo.toml:3: worker-macros 0.7: edgeproof has the API of 0.8.7"),
        "{macros}"
    );
    let git = "[dependencies]\nworker = { git = \"https://github.com/cloudflare/workers-rs.git\", version = \"0.8.7\" }\n";
    assert_eq!(
        prepare(git).expect_err("from a repository"),
        "/w/Cargo.toml:2: worker from a repository: edgeproof has the API of releases alone\n  help: depend on worker = \"0.8.7\""
    );
    let old = "[target.'cfg(target_arch = \"wasm32\")'.dependencies]\nworker = \"0.6\"\n";
    let old = prepare(old).expect_err("too old");
    assert!(old.starts_with("/w/Cargo.toml:2: worker 0.6"), "{old}");
    for fine in [
        "wasm-bindgen = \"=0.2.130\"",
        "wasm-bindgen = \"0.2\"",
        "wasm-bindgen = \"=0.2\"",
    ] {
        let text = format!("[dependencies]\nworker = \"0.8.7\"\n{fine}\n");
        assert!(prepare(&text).is_ok(), "{fine}");
    }
}

/// The packages that a package links for a target: the name of each library, with the package that has it.
fn linked(manifest: &Path, target: &str) -> BTreeMap<String, String> {
    let cargo = std::env::var_os("CARGO").expect("Cargo runs the tests");
    let output = Command::new(cargo)
        .args(["metadata", "--offline", "--format-version", "1"])
        .args(["--filter-platform", target, "--manifest-path"])
        .arg(manifest)
        .output()
        .expect("Cargo starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let root = &metadata["resolve"]["root"];
    let nodes = metadata["resolve"]["nodes"].as_array().expect("nodes");
    let node = nodes
        .iter()
        .find(|node| node["id"] == *root)
        .expect("the package");
    let dependencies = node["deps"].as_array().expect("dependencies").iter();
    dependencies
        .map(|dependency| {
            let packages = metadata["packages"].as_array().expect("packages");
            let package = packages
                .iter()
                .find(|package| package["id"] == dependency["pkg"]);
            let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
            let package = package.expect("a package of the list");
            (text(&dependency["name"]), text(&package["name"]))
        })
        .collect()
}

#[test]
fn cargo_resolves_what_is_written_for_a_checkout() {
    let checkout = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let source = Source::find(Some(checkout)).expect("this repository");
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("src")).expect("a folder");
    fs::write(folder.path().join("src/lib.rs"), "").expect("written");
    // The versions that this workspace uses are on this machine.
    fs::copy(
        checkout.join("Cargo.lock"),
        folder.path().join("Cargo.lock"),
    )
    .expect("copied");
    let text = "[package]\nname = \"mine\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n[features]\n\
                d1 = [\"worker/d1\"]\n[dependencies]\n\
                worker = { version = \"0.8.7\", features = [\"http\", \"axum\", \"queue\", \"timezone\"] }\n\
                worker-macros = { version = \"0.8.7\", features = [\"http\"] }\nwasm-bindgen = \"0.2\"\njs-sys = \"0.3\"\n\
                web-sys = { version = \"0.3\", features = [\"Request\"] }\nwasm-bindgen-futures = \"0.4\"\n\
                serde-wasm-bindgen = \"0.6\"\n";
    let project = project(folder.path());
    let text = prepared(&project, text, &source).expect("it is right");
    fs::write(&project.manifest, text).expect("written");

    let wasm = linked(&project.manifest, "wasm32-unknown-unknown");
    let native = linked(&project.manifest, "x86_64-unknown-linux-gnu");
    for twin in TWINS.iter().filter(|twin| twin.name != "console_log") {
        let library = twin.name.replace('-', "_");
        assert_eq!(
            wasm.get(&library).map(String::as_str),
            Some(twin.name),
            "{wasm:?}"
        );
        assert_eq!(
            native.get(&library).map(String::as_str),
            Some(twin.native),
            "{native:?}"
        );
    }
}

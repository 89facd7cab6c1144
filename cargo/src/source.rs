//! Where a Worker's package gets the crates of edgeproof from.

use crate::failure::Failure;
use std::path::{Path, PathBuf};
use toml_edit::{InlineTable, Value};

/// The crates of edgeproof, by name, and the folder of each in the repository.
const FOLDERS: [(&str, &str); 9] = [
    ("edgeproof", "."),
    ("worker-native", "sim/facade"),
    ("worker-native-macros", "sim/facade-macros"),
    (WASM_BINDGEN, "sim/js/wasm-bindgen"),
    ("edgeproof-js-sys", "sim/js/js-sys"),
    ("edgeproof-web-sys", "sim/js/web-sys"),
    (
        "edgeproof-wasm-bindgen-futures",
        "sim/js/wasm-bindgen-futures",
    ),
    ("edgeproof-serde-wasm-bindgen", "sim/js/serde-wasm-bindgen"),
    ("edgeproof-console-log", "sim/js/console-log"),
];

const WASM_BINDGEN: &str = "edgeproof-wasm-bindgen";

/// The version of [`WASM_BINDGEN`], which is that of the API it mirrors.
const WASM_BINDGEN_VERSION: &str = "0.2.130";

/// A place that has edgeproof's crates.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// The registry, in the version of this program.
    Registry,
    /// A checkout of the repository.
    Checkout(PathBuf),
}

impl Source {
    /// The checkout that is named, or the one that this program was built from if it is still there, or else the registry.
    pub(crate) fn find(named: Option<&Path>) -> Result<Self, Failure> {
        let built_from = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        let Some(named) = named else {
            let here = is_checkout(built_from).then(|| canonical(built_from));
            return Ok(here.map_or(Self::Registry, Self::Checkout));
        };
        if is_checkout(named) {
            return Ok(Self::Checkout(canonical(named)));
        }
        Err(
            Failure::new(format!("{} is no checkout of edgeproof", named.display()))
                .help("name the folder that has sim/facade in it"),
        )
    }

    /// The dependency on a crate: its version, or the path to it.
    pub(crate) fn dependency(&self, name: &str) -> InlineTable {
        let mut table = InlineTable::new();
        match self {
            Self::Registry => {
                let version = match name {
                    WASM_BINDGEN => WASM_BINDGEN_VERSION,
                    _ => env!("CARGO_PKG_VERSION"),
                };
                table.insert("version", Value::from(version))
            }
            Self::Checkout(root) => {
                let folder = FOLDERS.iter().find(|(known, _)| *known == name);
                let (_, folder) = folder.expect("every crate that is depended on has a folder");
                let path = canonical(&root.join(folder));
                table.insert("path", Value::from(path.to_string_lossy().into_owned()))
            }
        };
        table
    }
}

fn is_checkout(folder: &Path) -> bool {
    folder.join("sim/facade/Cargo.toml").is_file()
}

fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

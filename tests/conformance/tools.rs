//! What the real arms need: the pinned tools and the Worker as wasm, both from `sim`.

use crate::case::folder;
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// What a run against the real runtime needs.
pub(crate) struct Tools {
    /// Where the pinned tools are: `node`, `npm_folder` and so on.
    paths: Value,
    /// The folder of the Worker's `index.js` and `index_bg.wasm`.
    pub(crate) bundle: PathBuf,
}

impl Tools {
    /// Installs what is missing and builds the Worker; or takes what `EDGEPROOF_CONFORMANCE_TOOLS` names, a file with the output
    /// of `sim tools` and a field `bundle`, which spares both while one works on the cases.
    pub(crate) fn provide() -> Self {
        if let Some(file) = std::env::var_os("EDGEPROOF_CONFORMANCE_TOOLS") {
            let text = std::fs::read_to_string(file).expect("the file that the variable names");
            let paths: Value = serde_json::from_str(&text).expect("the output of `sim tools`");
            let bundle = paths["bundle"].as_str().expect("a field `bundle`").into();
            return Self { paths, bundle };
        }
        let crate_folder = folder().join("worker");
        let shown = crate_folder.to_str().expect("the checkout's path is UTF-8");
        let output = sim(&["tools", "--yes"]);
        let paths = serde_json::from_slice(&output).expect("`sim tools` prints JSON");
        sim(&["build", "--yes", "--crate", shown]);
        let bundle = crate_folder.join("build");
        Self { paths, bundle }
    }

    /// Where a tool is.
    pub(crate) fn path(&self, tool: &str) -> &str {
        let path = self.paths[tool].as_str();
        path.unwrap_or_else(|| panic!("`sim tools` names no {tool}"))
    }
}

fn sim(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .arg("sim")
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "`cargo sim {}` failed",
        arguments.join(" ")
    );
    output.stdout
}

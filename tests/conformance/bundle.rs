//! The Worker as wasm, which both real arms run.

use crate::case::folder;
use std::path::PathBuf;
use support::command::sim;

/// Builds the Worker for wasm: the folder of `index.js` and `index_bg.wasm`.
pub(crate) fn bundle() -> PathBuf {
    let crate_folder = folder().join("worker");
    let shown = crate_folder.to_str().expect("the checkout's path is UTF-8");
    sim(&["build", "--yes", "--crate", shown]);
    crate_folder.join("build")
}

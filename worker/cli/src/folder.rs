//! The folder of the Worker's crate: it is looked for where the program was started, because a program may be moved.

use edgeproof_cli::miette::{IntoDiagnostic, Result, miette};
use edgeproof_sim::wrangler::file;
use std::path::{Path, PathBuf};

/// Longest manifest of a crate in bytes; the Worker's has a hundredth of that.
const MANIFEST_BYTES_MAX: u64 = 1 << 20;

/// The folder of the Worker's crate: `worker` in the working directory, or in one above it.
///
/// # Errors
/// There is none: the command was started outside of a checkout.
pub fn find() -> Result<PathBuf> {
    let here = std::env::current_dir().into_diagnostic()?;
    found_from(&here).ok_or_else(|| {
        miette!(
            help = "run it inside a checkout of edgeproof, or name the Worker: `sim build --crate DIR`, `sim workerd --script FILE`",
            "the crate of edgeproof's Worker is neither in {} nor above it",
            here.display()
        )
    })
}

fn found_from(here: &Path) -> Option<PathBuf> {
    let mut folders = here.ancestors().map(|folder| folder.join("worker"));
    folders.find(|folder| {
        file::text(&folder.join("Cargo.toml"), MANIFEST_BYTES_MAX)
            .is_ok_and(|manifest| manifest.contains("name = \"edgeproof-worker\""))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crate_is_found_from_below_and_no_other_is_taken_for_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let below = folder.path().join("a/worker/b");
        std::fs::create_dir_all(&below).expect("made");
        let foreign = folder.path().join("a/worker/Cargo.toml");
        std::fs::write(foreign, "[package]\nname = \"mine\"\n").expect("written");
        assert_eq!(found_from(&below), None);
        let own = folder.path().join("worker");
        std::fs::create_dir(&own).expect("made");
        let manifest = "[package]\nname = \"edgeproof-worker\"\n";
        std::fs::write(own.join("Cargo.toml"), manifest).expect("written");
        assert_eq!(found_from(&below), Some(own.clone()));
        assert_eq!(found_from(&own), Some(own));
    }
}

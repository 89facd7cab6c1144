//! The folder of the user's that holds what was installed.
//!
//! Each thing is one folder, named by what it is and by its version or the hash of its lock file: changed pins make a new
//! folder beside the old one. It is filled under another name and renamed when it is complete, so a folder that is there is
//! whole; a lock file keeps two processes from filling the same one.

use miette::{Context, IntoDiagnostic, Result, miette};
use sha2::{Digest, Sha256};
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

/// Names the folder, over every default.
const VARIABLE: &str = "EDGEPROOF_TOOLS";

/// The user's cache.
#[derive(Debug, Clone)]
pub(crate) struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// `$EDGEPROOF_TOOLS`, else `edgeproof` in the user's cache folder.
    pub(crate) fn of_user() -> Result<Cache> {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let folder = if let Some(folder) = set(VARIABLE) {
            PathBuf::from(folder)
        } else if let Some(folder) = set("XDG_CACHE_HOME") {
            PathBuf::from(folder).join("edgeproof")
        } else if let Some(home) = std::env::home_dir() {
            home.join(".cache/edgeproof")
        } else {
            return Err(miette!(
                help = format!("set {VARIABLE} to a folder for the tools"),
                "there is no home directory to keep the tools in"
            ));
        };
        // Scripts run in other folders, so that a relative name would mean another place to them.
        let folder = std::path::absolute(folder).into_diagnostic()?;
        Ok(Cache { folder })
    }

    /// The folder `name`, if it is there.
    pub(crate) fn find(&self, name: &str) -> Option<PathBuf> {
        let folder = self.folder.join(name);
        folder.is_dir().then_some(folder)
    }

    /// The folder `name`; where it is missing, `fill` is given an empty one to fill. `what` tells the user what that is.
    pub(crate) fn provide(
        &self,
        name: &str,
        what: &str,
        fill: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        if let Some(folder) = self.find(name) {
            return Ok(folder);
        }
        let folder = self.folder.join(name);
        fs::create_dir_all(&self.folder)
            .into_diagnostic()
            .wrap_err_with(|| {
                format!(
                    "cannot create {}: set {VARIABLE} to a folder that can be written",
                    self.folder.display()
                )
            })?;
        let _lock = lock(&self.folder.join(format!(".{name}.lock")), what)?;
        if folder.is_dir() {
            return Ok(folder);
        }
        eprintln!("installing {what} into {}", folder.display());
        // What an interrupted process left: nobody else fills it while the lock is held.
        let fresh = self.folder.join(format!(".{name}.new"));
        if fresh.exists() {
            fs::remove_dir_all(&fresh).into_diagnostic()?;
        }
        fs::create_dir(&fresh).into_diagnostic()?;
        let filled = fill(&fresh).wrap_err_with(|| format!("{what} could not be installed"));
        if filled.is_err() {
            let _ = fs::remove_dir_all(&fresh);
        }
        filled?;
        fs::rename(&fresh, &folder).into_diagnostic()?;
        Ok(folder)
    }
}

/// Holds the lock of that file until the answer is dropped; says so when it has to wait for another process.
pub(crate) fn lock(file: &Path, what: &str) -> Result<File> {
    let named = || format!("cannot lock {}", file.display());
    let opened = File::create(file).into_diagnostic().wrap_err_with(named)?;
    match opened.try_lock() {
        Ok(()) => return Ok(opened),
        Err(TryLockError::WouldBlock) => eprintln!("waiting for another process: {what}"),
        Err(TryLockError::Error(problem)) => {
            return Err(problem).into_diagnostic().wrap_err_with(named);
        }
    }
    opened.lock().into_diagnostic().wrap_err_with(named)?;
    Ok(opened)
}

/// The first 12 hexadecimal digits of the SHA-256 of a text: a name for its content.
pub(crate) fn digest(content: impl AsRef<[u8]>) -> String {
    let hash = Sha256::digest(content);
    hash.iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

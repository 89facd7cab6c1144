//! Changes of files that are shown first and made together.

use crate::failure::Failure;
use similar::TextDiff;
use std::fmt;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Texts that replace files, or make new ones.
#[derive(Debug, Default)]
pub(super) struct Changes(Vec<Change>);

#[derive(Debug)]
struct Change {
    path: PathBuf,
    /// `None`: there is no such file yet.
    before: Option<String>,
    after: String,
}

impl Changes {
    pub(super) fn read(&self, path: &Path) -> Result<String, Failure> {
        fs::read_to_string(path).map_err(|error| Failure::io("read", path, &error))
    }

    /// A file gets another text, if it is another.
    pub(super) fn change(&mut self, path: &Path, before: String, after: String) {
        if before != after {
            self.0.push(Change {
                path: path.to_owned(),
                before: Some(before),
                after,
            });
        }
    }

    pub(super) fn add(&mut self, path: &Path, after: String) {
        self.0.push(Change {
            path: path.to_owned(),
            before: None,
            after,
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes every file: each is written beside its place and then put there.
    pub(super) fn write(&self) -> Result<(), Failure> {
        for Change { path, after, .. } in &self.0 {
            let failed = |error: &std::io::Error| Failure::io("write", path, error);
            let folder = path.parent().expect("a file is in a folder");
            fs::create_dir_all(folder).map_err(|error| failed(&error))?;
            let mut file =
                tempfile::NamedTempFile::new_in(folder).map_err(|error| failed(&error))?;
            file.write_all(after.as_bytes())
                .map_err(|error| failed(&error))?;
            if let Ok(metadata) = fs::metadata(path) {
                fs::set_permissions(file.path(), metadata.permissions())
                    .map_err(|error| failed(&error))?;
            } else {
                readable(file.path()).map_err(|error| failed(&error))?;
            }
            file.persist(path).map_err(|error| failed(&error.error))?;
        }
        Ok(())
    }
}

/// A temporary file is for its owner alone; a source file is for everybody.
#[cfg(unix)]
fn readable(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable(_: &Path) -> std::io::Result<()> {
    Ok(())
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Change {
            path,
            before,
            after,
        } in &self.0
        {
            let name = path.display().to_string();
            let old = before.as_ref().map_or("/dev/null", |_| name.as_str());
            let diff = TextDiff::from_lines(before.as_deref().unwrap_or_default(), after);
            write!(f, "{}", diff.unified_diff().header(old, &name))?;
        }
        Ok(())
    }
}

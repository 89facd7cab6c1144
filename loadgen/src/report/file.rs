//! The report as a file.

use std::io::Write as _;
use std::path::Path;

use super::Report;

impl Report {
    /// Writes the JSON to `path`, which is either the old file or the whole new one, never a part.
    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        // A device or a pipe is written to, never replaced.
        if std::fs::metadata(path).is_ok_and(|known| !known.is_file()) {
            let mut file = std::fs::OpenOptions::new().write(true).open(path)?;
            return file.write_all(self.json().as_bytes());
        }
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            // The umask still applies, as for any new file.
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let mut file = builder.prefix(".loadgen-").tempfile_in(folder)?;
        file.write_all(self.json().as_bytes())?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }
}

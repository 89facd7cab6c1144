//! Files of a Worker's project, read up to a bound: a path may name a device or a pipe that never ends.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Largest file of SQL in bytes: as much as the largest database of the Free plan holds (D1LIM 2026-04-21: 500 MB). It is read
/// whole, so the 10 GB of a Paid one are out of reach.
pub const SQL_BYTES_MAX: u64 = crate::limits::Plan::Free.limits().d1_database_bytes;

/// Reads a file of at most `bytes_max` bytes.
///
/// # Errors
/// It cannot be read, or it is longer ([`ErrorKind::FileTooLarge`]).
pub fn bytes(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let read = File::open(path)?
        .take(bytes_max.saturating_add(1))
        .read_to_end(&mut content)?;
    if read as u64 > bytes_max {
        let text = format!("it is longer than {bytes_max} bytes");
        return Err(io::Error::new(ErrorKind::FileTooLarge, text));
    }
    Ok(content)
}

/// Reads a text of at most `bytes_max` bytes.
///
/// # Errors
/// As [`bytes()`], and for what is not UTF-8.
pub fn text(path: &Path, bytes_max: u64) -> io::Result<String> {
    String::from_utf8(bytes(path, bytes_max)?)
        .map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_at_the_bound_is_read_and_one_byte_more_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.sql");
        std::fs::write(&path, "ten bytes.").expect("written");
        assert_eq!(text(&path, 10).expect("read"), "ten bytes.");
        let refused = text(&path, 9).expect_err("too long");
        assert_eq!(refused.kind(), ErrorKind::FileTooLarge);
        assert_eq!(refused.to_string(), "it is longer than 9 bytes");
    }

    #[cfg(unix)]
    #[test]
    fn a_device_without_an_end_is_refused() {
        let refused = bytes(Path::new("/dev/zero"), 1 << 20).expect_err("it never ends");
        assert_eq!(refused.kind(), ErrorKind::FileTooLarge);
    }
}

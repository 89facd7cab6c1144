//! Reads the files of curl's data options (`-d @FILE`, `--data-binary @FILE`, `--json @FILE`, `--data-urlencode
//! name@FILE`), with a bound.
//!
//! curl itself reads anything to its end. Here only regular files are read: a device may never end, and opening a fifo
//! waits for a writer.

use std::fs::File;
use std::io::{self, ErrorKind, Read};

use edgeproof_sim::limits::workers;

/// The longest file that is read, and the longest body that data options may add up to, in bytes: the platform takes no
/// longer request.
pub const DATA_BYTES_MAX: u64 = workers::REQUEST_BODY_BYTES;

/// Reads the file `name` whole.
///
/// Fails for what is not a regular file (links are followed), and for a file above [`DATA_BYTES_MAX`], of which no more
/// than one byte over that limit is read.
pub fn read(name: &str) -> io::Result<Vec<u8>> {
    // Asked before the file is opened, because opening a fifo would wait.
    if !std::fs::metadata(name)?.is_file() {
        return Err(io::Error::new(
            ErrorKind::InvalidInput,
            "it is not a regular file",
        ));
    }
    up_to(File::open(name)?, DATA_BYTES_MAX)
}

/// All of `source`, or an error if that is more than `most` bytes.
fn up_to(source: impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let message = format!("it is longer than {most} bytes, the most that a request may hold");
        return Err(io::Error::new(ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;

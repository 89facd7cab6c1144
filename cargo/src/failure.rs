//! Why a command could not do what it was asked for: what is wrong, where, and what to do.

use std::fmt;
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    place: Option<(PathBuf, Option<usize>)>,
    help: Option<String>,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            place: None,
            help: None,
        }
    }

    /// In this file; the line counts from 1.
    pub(crate) fn at(mut self, file: &Path, line: Option<usize>) -> Self {
        self.place = Some((file.to_owned(), line));
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// A file that could not be read or written.
    pub(crate) fn io(action: &str, file: &Path, error: &std::io::Error) -> Self {
        Self::new(format!("cannot {action} {}: {error}", file.display()))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some((file, Some(line))) => write!(f, "{}:{line}: ", file.display())?,
            Some((file, None)) => write!(f, "{}: ", file.display())?,
            None => {}
        }
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

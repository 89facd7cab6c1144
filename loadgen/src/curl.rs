//! A pasted `curl` command, read the way a shell and curl would read it.
//!
//! [`words`] splits a line as a POSIX shell does (with the `$'…'` strings of Chrome's "Copy as cURL"); [`command`] reads
//! the words as curl's options, whose table is `options`. Both are strict: what is not understood is an error that points at the place, never
//! skipped, because a burst that silently left out a header measures something else than what was asked.
//!
//! What an error shows of the command is rebuilt from the parsed words with every credential blanked, so that a typing
//! mistake does not print a token.

pub mod command;
mod options;
pub mod words;

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use miette::{Diagnostic, SourceSpan};
use thiserror::Error;

pub use command::{Bearer, Command};

/// What is wrong with a curl command, and where.
///
/// The text shown is a reconstruction without credentials, cut after the faulty word; the label points into it.
#[derive(Debug, Error, Diagnostic)]
#[error("{message}")]
pub struct CurlError {
    message: String,
    label: String,
    #[help]
    help: Option<String>,
    #[source_code]
    shown: String,
    #[label("{label}")]
    span: SourceSpan,
}

impl CurlError {
    /// `shown` is the reconstruction, `start..end` the byte range of it that is at fault.
    pub(crate) fn new(
        shown: String,
        (start, end): (usize, usize),
        message: impl Into<String>,
        label: impl Into<String>,
        help: Option<String>,
    ) -> Self {
        let end = end.min(shown.len());
        let start = start.min(end);
        Self {
            message: message.into(),
            label: label.into(),
            help,
            span: (start, end - start).into(),
            shown,
        }
    }

    /// The part of the shown command that the label points at.
    pub fn pointed_at(&self) -> &str {
        let start = self.span.offset();
        &self.shown[start..start + self.span.len()]
    }
}

/// Reads what stands after `--` on the command line.
///
/// A shell has usually split the command already; a single word that is a whole command (it was quoted as one string)
/// is split here. `read_file` gives the content of `-d @FILE`.
pub fn parse(
    words: Vec<OsString>,
    read_file: &dyn Fn(&str) -> std::io::Result<Vec<u8>>,
) -> Result<Command, CurlError> {
    let words: Vec<Vec<u8>> = words.into_iter().map(OsStringExt::into_vec).collect();
    if let [line] = words.as_slice()
        && line.trim_ascii().iter().any(u8::is_ascii_whitespace)
    {
        return parse_line(&String::from_utf8_lossy(line), read_file);
    }
    command::parse(&words, read_file)
}

/// Reads a whole command from one string, splitting it as a shell would.
pub fn parse_line(
    line: &str,
    read_file: &dyn Fn(&str) -> std::io::Result<Vec<u8>>,
) -> Result<Command, CurlError> {
    match words::split(line) {
        Ok(words) => command::parse(&words, read_file),
        Err(error) => {
            let mut shown = command::show(&error.before);
            if !shown.is_empty() {
                shown.push(' ');
            }
            let start = shown.len();
            shown.push_str(&error.shown);
            let span = (start, shown.len());
            shown.push_str(" …");
            Err(CurlError::new(
                shown,
                span,
                error.fault.to_string(),
                error.fault.label(),
                error.fault.help(),
            ))
        }
    }
}

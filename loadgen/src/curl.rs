//! A pasted `curl` command, read the way a shell and curl would read it.
//!
//! [`words`] splits a line as a shell does, with the `$'…'` strings of Chrome's "Copy as cURL". `parse` reads the words
//! as curl's options, whose table is `options`. The outcome is the [`Command`] of `request`. [`file`](mod@file) reads the
//! files that data options name.
//!
//! Splitter and parser are strict: what they do not understand is an error that points at the place. A burst that
//! silently left out a header would measure a different request from the one that was asked for.
//!
//! Errors and reports show the command in the form that `show` makes: from the parsed words, with every credential
//! blanked. So a typing mistake does not print a token.

mod error;
pub mod file;
mod options;
mod parse;
mod request;
mod show;
pub mod words;

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

pub use error::CurlError;
pub use request::{Bearer, Command};

/// Reads the arguments after `--` on the command line.
///
/// A shell has usually split the command already. A single word with blanks in it is a whole command that was quoted as
/// one string; it is split here. `read_file` returns the content of `-d @FILE`; [`file::read`] is the one with a bound.
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
    parse::parse(&words, read_file)
}

/// Reads a whole command from one string, splitting it as a shell would.
pub fn parse_line(
    line: &str,
    read_file: &dyn Fn(&str) -> std::io::Result<Vec<u8>>,
) -> Result<Command, CurlError> {
    match words::split(line) {
        Ok(words) => parse::parse(&words, read_file),
        Err(error) => {
            let mut shown = parse::shown(&error.before);
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

#[cfg(test)]
mod tests;

//! A curl command written down again without its credentials, for the report and for errors.

use super::error::CurlError;
use super::words::quote;
use crate::secret::{HIDDEN, body_may_be_shown};

/// The words that were read so far, as they may be shown. An option and its value are one entry.
#[derive(Default)]
pub(super) struct Shown {
    words: Vec<String>,
    /// Whether the command continues after the words that were read.
    pub(super) more: bool,
}

impl Shown {
    /// How many entries there are: the position of the next one.
    pub(super) fn len(&self) -> usize {
        self.words.len()
    }

    pub(super) fn push(&mut self, word: impl Into<String>) {
        self.words.push(word.into());
    }

    /// Adds an option and its value, which is quoted for a shell.
    pub(super) fn push_value(&mut self, before: &str, value: &str) {
        self.push(match value {
            HIDDEN => format!("{before}{HIDDEN}"),
            value => format!("{before}{}", quote(value)),
        });
    }

    pub(super) fn replace(&mut self, position: usize, word: String) {
        self.words[position] = word;
    }

    /// The whole command.
    pub(super) fn line(&self) -> String {
        self.words.join(" ")
    }

    /// The bytes of [`Self::line`] that hold an entry.
    pub(super) fn span(&self, position: usize) -> (usize, usize) {
        let start: usize = self.words[..position]
            .iter()
            .map(|word| word.len() + 1)
            .sum();
        (start, start + self.words[position].len())
    }

    /// An error at the end of what was read so far. `word` is the faulty word as it may be shown; the label points at
    /// `part` of it.
    pub(super) fn fault(
        &self,
        word: &str,
        part: &str,
        message: impl Into<String>,
        label: &str,
        help: Option<String>,
    ) -> CurlError {
        let mut shown = self.line();
        if !shown.is_empty() && !word.is_empty() {
            shown.push(' ');
        }
        let start = shown.len() + word.find(part).unwrap_or(0);
        shown.push_str(word);
        let span = (start, start + part.len());
        if self.more {
            shown.push_str(" …");
        }
        CurlError::new(shown, span, message, label, help)
    }
}

/// An option's value, with the option as it was written.
#[derive(Clone, Copy)]
pub(super) struct Given<'a> {
    /// The text before the value in the shown command: `-d `, or `-sSd` if the value follows in the same word.
    pub(super) before: &'a str,
    /// The option alone, for messages: `-d`.
    pub(super) option: &'a str,
    /// The value.
    pub(super) value: &'a [u8],
}

impl Given<'_> {
    /// An error about this value, which is not shown.
    pub(super) fn fault(
        &self,
        shown: &Shown,
        message: impl Into<String>,
        label: &str,
        help: Option<String>,
    ) -> CurlError {
        shown.fault(&format!("{}…", self.before), "…", message, label, help)
    }

    /// The value as text.
    pub(super) fn text(&self, shown: &Shown) -> Result<String, CurlError> {
        String::from_utf8(self.value.to_vec())
            .map_err(|_| self.fault(shown, "this value is not UTF-8", "here", None))
    }
}

/// A body as it may be shown in the command.
pub(super) fn shown_data(data: &[u8]) -> String {
    match std::str::from_utf8(data) {
        Ok(text) if body_may_be_shown(text) => text.to_owned(),
        _ => HIDDEN.to_owned(),
    }
}

/// Whether an error may repeat a word in the place of a URL: an address with its scheme, an address of this machine, or
/// a word of a header or a method that is no credential itself.
pub(super) fn may_stand_in_an_error(text: &str) -> bool {
    const HARMLESS: [&str; 7] = ["Bearer", "Basic", "GET", "POST", "PUT", "PATCH", "DELETE"];
    let address = ["http://", "https://", "ftp://", "localhost", "127.0.0.1"]
        .iter()
        .any(|start| {
            text.strip_prefix(start)
                .is_some_and(|rest| !rest.is_empty())
        });
    let one_word = !text
        .bytes()
        .any(|byte| byte.is_ascii_whitespace() || byte.is_ascii_control());
    (address && one_word) || HARMLESS.contains(&text)
}

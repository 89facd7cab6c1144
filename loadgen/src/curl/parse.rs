//! Reads curl's options from words that a shell has already split.
//!
//! The forms are those of curl 7.88: clustered short options (`-sSXPOST`); a value in the same word or the next one for
//! short options, only in the next one for long options (`--request=POST` is unknown to curl, too). What an option means
//! is defined in the table of [`super::options`].
//!
//! While the parser reads, it also writes the command in the form in which it may be shown.

mod credentials;
mod data;
mod headers;
mod url;
mod variable;

use std::io;

use http::Method;
use http::header;

use super::error::CurlError;
use super::options::{Act, OPTIONS, Opt};
use super::request::{Command, Draft};
use super::show::Given;
use crate::secret::HIDDEN;

/// Reads `words`, the first of which is `curl`. `read_file` returns the content of `@FILE`.
pub(super) fn parse(
    words: &[Vec<u8>],
    read_file: &dyn Fn(&str) -> io::Result<Vec<u8>>,
) -> Result<Command, CurlError> {
    let mut parser = Parser::new(words, read_file);
    parser.read()?;
    parser.draft.finish()
}

/// The words as they may be shown, up to the first that cannot be understood; for errors that lie after them.
pub(super) fn shown(words: &[Vec<u8>]) -> String {
    let no_files = |_: &str| Ok(Vec::new());
    let mut parser = Parser::new(words, &no_files);
    match parser.read() {
        Ok(()) => parser.draft.shown.line(),
        Err(error) => error.into_shown(),
    }
}

struct Parser<'a> {
    /// The words that were not read yet.
    rest: &'a [Vec<u8>],
    read_file: &'a dyn Fn(&str) -> io::Result<Vec<u8>>,
    draft: Draft,
}

impl<'a> Parser<'a> {
    fn new(words: &'a [Vec<u8>], read_file: &'a dyn Fn(&str) -> io::Result<Vec<u8>>) -> Self {
        Self {
            rest: words,
            read_file,
            draft: Draft::default(),
        }
    }

    fn next(&mut self) -> Option<&'a [u8]> {
        let (word, rest) = self.rest.split_first()?;
        self.rest = rest;
        self.draft.shown.more = !rest.is_empty();
        Some(word)
    }

    fn fault(
        &self,
        word: &str,
        part: &str,
        message: impl Into<String>,
        label: &str,
        help: Option<String>,
    ) -> CurlError {
        self.draft.shown.fault(word, part, message, label, help)
    }

    fn read(&mut self) -> Result<(), CurlError> {
        let first = String::from_utf8_lossy(self.next().unwrap_or_default());
        if !matches!(first.rsplit(['/', '\\']).next(), Some("curl" | "curl.exe")) {
            let shown = if first.is_empty() { "(nothing)" } else { "…" };
            let message = "this is not a curl command";
            let help = "write `burst -- curl …`".to_owned();
            return Err(self.fault(shown, shown, message, "expected `curl`", Some(help)));
        }
        self.draft.shown.push("curl");
        let mut options_ended = false;
        while let Some(word) = self.next() {
            if options_ended || !word.starts_with(b"-") || word == b"-" {
                let given = Given {
                    before: "",
                    option: "",
                    value: word,
                };
                url::take(&mut self.draft, given)?;
            } else if word == b"--" {
                options_ended = true;
                self.draft.shown.push("--");
            } else if word.starts_with(b"--") {
                self.long(word)?;
            } else {
                self.cluster(word)?;
            }
        }
        let globoff = self.draft.globoff;
        match &mut self.draft.url {
            Some(given) if !globoff => given.brackets.take().map_or(Ok(()), Err),
            _ => Ok(()),
        }
    }

    /// `--request POST`.
    fn long(&mut self, word: &[u8]) -> Result<(), CurlError> {
        let text = String::from_utf8_lossy(word);
        let (written, attached) = match text.split_once('=') {
            Some((written, _)) => (written, true),
            None => (text.as_ref(), false),
        };
        let shown = if attached {
            format!("{written}=…")
        } else {
            written.to_owned()
        };
        let name = &written[2..];
        let Some(option) = OPTIONS.iter().find(|option| option.long == name) else {
            let near = OPTIONS
                .iter()
                .find(|option| !name.is_empty() && option.long.starts_with(name));
            let help = near.map(|option| format!("did you mean --{}?", option.long));
            let message = format!("{written} is not an option that is understood here");
            return Err(self.fault(&shown, written, message, "unknown option", help));
        };
        if attached {
            let help = option
                .takes_value
                .then(|| format!("write the value as the next word: {written} VALUE"));
            let message = "curl does not take a value after `=`";
            let label = "unknown option to curl as well";
            return Err(self.fault(&shown, &shown, message, label, help));
        }
        if !option.takes_value {
            return self.apply_flag(option, written, written);
        }
        let Some(value) = self.next() else {
            let message = format!("{written} needs a value");
            return Err(self.fault(written, written, message, "nothing follows", None));
        };
        let given = Given {
            before: &format!("{written} "),
            option: written,
            value,
        };
        self.apply(option, given)
    }

    /// `-sSXPOST`: options until one takes a value, which is the rest of the word or the next word.
    fn cluster(&mut self, word: &[u8]) -> Result<(), CurlError> {
        let mut before = "-".to_owned();
        let mut rest = &word[1..];
        while let Some((&letter, after)) = rest.split_first() {
            rest = after;
            let letter_shown = if letter.is_ascii_graphic() {
                letter as char
            } else {
                '?'
            };
            let written = format!("-{letter_shown}");
            let Some(option) = OPTIONS.iter().find(|option| option.short == Some(letter)) else {
                let more = if rest.is_empty() { "" } else { "…" };
                let shown = format!("{before}{letter_shown}{more}");
                let part = if before == "-" {
                    written.as_str()
                } else {
                    &shown[before.len()..before.len() + letter_shown.len_utf8()]
                };
                let message = format!("{written} is not an option that is understood here");
                return Err(self.fault(&shown, part, message, "unknown option", None));
            };
            before.push(letter_shown);
            if !option.takes_value {
                // The cluster is shown as one word when its last letter has been read.
                let shown = if rest.is_empty() { &before } else { "" };
                self.apply_flag(option, shown, &written)?;
                continue;
            }
            let (before, value) = if !rest.is_empty() {
                (before, rest)
            } else if let Some(value) = self.next() {
                (before + " ", value)
            } else {
                let message = format!("{written} needs a value");
                return Err(self.fault(&before, &before, message, "nothing follows", None));
            };
            let given = Given {
                before: &before,
                option: &written,
                value,
            };
            return self.apply(option, given);
        }
        Ok(())
    }

    /// Applies an option without a value. `shown` is its word, empty inside a cluster that goes on.
    fn apply_flag(&mut self, option: &Opt, shown: &str, written: &str) -> Result<(), CurlError> {
        let position = self.draft.shown.len();
        match option.act {
            Act::Refuse(reason) => {
                let shown = if shown.is_empty() { written } else { shown };
                return Err(self.refused(shown, written, reason));
            }
            Act::Get => self.draft.get = true,
            Act::Globoff => self.draft.globoff = true,
            Act::Head => self.draft.head = Some(position),
            Act::Ignore(reason) => self.draft.ignore(written, reason),
            _ => unreachable!("the table gives every other act a value"),
        }
        if !shown.is_empty() {
            self.draft.shown.push(shown);
        }
        Ok(())
    }

    /// Applies an option with its value.
    fn apply(&mut self, option: &Opt, given: Given<'_>) -> Result<(), CurlError> {
        let draft = &mut self.draft;
        match option.act {
            Act::Request => take_method(draft, given),
            Act::Header => headers::take(draft, given),
            Act::Data(kind) => data::take(draft, given, kind, self.read_file),
            Act::User => credentials::user(draft, given),
            Act::Bearer => credentials::bearer(draft, given),
            Act::Cookie => credentials::cookie(draft, given),
            Act::UserAgent => headers::take_named(draft, given, header::USER_AGENT),
            Act::Referer => headers::take_named(draft, given, header::REFERER),
            Act::Url => url::take(draft, given),
            Act::Ignore(reason) => {
                draft.ignore(given.option, reason);
                let shown = String::from_utf8_lossy(given.value);
                draft.shown.push_value(given.before, &shown);
                Ok(())
            }
            Act::Refuse(reason) => Err(self.refused(given.before.trim_end(), given.option, reason)),
            Act::Get | Act::Globoff | Act::Head => {
                unreachable!("the table gives these acts no value")
            }
        }
    }

    fn refused(&self, shown: &str, written: &str, reason: &str) -> CurlError {
        let message = format!("{written} is not offered: {reason}");
        self.fault(shown, shown, message, "refused", None)
    }
}

fn take_method(draft: &mut Draft, given: Given<'_>) -> Result<(), CurlError> {
    let Ok(method) = Method::from_bytes(given.value) else {
        let shown = format!("{}{HIDDEN}", given.before);
        let message = "this is not a method";
        return Err(draft.shown.fault(&shown, HIDDEN, message, "here", None));
    };
    draft.shown.push_value(given.before, method.as_str());
    draft.method = Some(method);
    Ok(())
}

//! Variables of a shell (`$NAME`, `${…}`) in values that a shell should have filled in.

use http::header::HeaderName;

use crate::curl::error::CurlError;
use crate::curl::show::{Given, Shown};
use crate::curl::words::Fault;

/// Which names count as variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    /// Only those in capitals: `$filter` may be meant literally.
    Capitals,
    /// All: a dollar has no other use in this value.
    All,
}

/// Fails if a variable is left in `text`, which is the value or a part of it.
pub(super) fn refuse(
    shown: &Shown,
    given: Given<'_>,
    text: &str,
    names: Names,
) -> Result<(), CurlError> {
    let Some(variable) = find(text, names) else {
        return Ok(());
    };
    let before = given.before;
    let header = text
        .split_once(':')
        .map(|(name, _)| name)
        .filter(|_| matches!(given.option, "-H" | "--header"))
        .filter(|name| HeaderName::from_bytes(name.as_bytes()).is_ok());
    let word = match header {
        Some(name) => format!("{before}'{name}: …{variable}…'"),
        None => format!("{before}'…{variable}…'"),
    };
    let fault = Fault::Substitution(variable.to_owned());
    let message = fault.to_string();
    Err(shown.fault(&word, variable, message, fault.label(), fault.help()))
}

/// The first variable in `text`.
fn find(text: &str, names: Names) -> Option<&str> {
    for (at, _) in text.match_indices('$') {
        let rest = &text[at + 1..];
        if let Some(inner) = rest.strip_prefix('{')
            && let Some(end) = inner.find('}')
        {
            return Some(&text[at..at + end + 3]);
        }
        let name = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .map_or(rest, |end| &rest[..end]);
        let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let capitals = !name.contains(|c: char| c.is_ascii_lowercase());
        if begins && (names == Names::All || capitals) {
            return Some(&text[at..at + 1 + name.len()]);
        }
    }
    None
}

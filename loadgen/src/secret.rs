//! Keeping credentials out of every output.
//!
//! Three lines of defence: a [`Secret`] cannot be printed; what a report shows of a request passes an *allow* list of
//! header names and a check for secret-looking member names; and the finished text goes through a [`Redactor`] that
//! knows the credentials of this run, so that a server that echoes a token back does not get it into the report.

use std::fmt;

/// The text that replaces a credential.
pub const HIDDEN: &str = "[hidden]";

/// A token or a password: no `Display`, and a `Debug` that does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a credential.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The credential itself, for the request that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// Whether a header's value may be shown. Only names on this list are; an unknown header may be an API key.
pub fn header_may_be_shown(name: &str) -> bool {
    const SHOWN: [&str; 14] = [
        "accept",
        "accept-language",
        "cache-control",
        "cf-connecting-ip",
        "content-type",
        "dnt",
        "host",
        "if-none-match",
        "origin",
        "pragma",
        "range",
        "user-agent",
        "x-requested-with",
        "x-sim-pop",
    ];
    SHOWN.iter().any(|shown| name.eq_ignore_ascii_case(shown))
        || name.to_ascii_lowercase().starts_with("sec-fetch-")
}

/// Whether a body may be shown: not when anything in it looks like the name of a credential.
pub fn body_may_be_shown(body: &str) -> bool {
    !looks_secret(body)
}

/// A URL without user, password and fragment, and with secret-looking query values blanked.
pub fn shown_url(url: &str) -> String {
    let url = url
        .split('#')
        .next()
        .expect("split yields at least one piece");
    let (scheme, rest) = url
        .split_once("://")
        .map_or(("", url), |(scheme, rest)| (&url[..scheme.len() + 3], rest));
    let authority_end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(authority_end);
    let host = match authority.rsplit_once('@') {
        Some((_, host)) => format!("{HIDDEN}@{host}"),
        None => authority.to_owned(),
    };
    let Some((path, query)) = path.split_once('?') else {
        return format!("{scheme}{host}{path}");
    };
    let query: Vec<String> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((name, _)) if looks_secret(name) => format!("{name}={HIDDEN}"),
            _ => pair.to_owned(),
        })
        .collect();
    format!("{scheme}{host}{path}?{}", query.join("&"))
}

fn looks_secret(text: &str) -> bool {
    const MARKS: [&str; 12] = [
        "pass",
        "secret",
        "token",
        "key",
        "auth",
        "bearer",
        "session",
        "sig",
        "code",
        "credential",
        "jwt",
        "pin",
    ];
    let text = text.to_ascii_lowercase();
    MARKS.iter().any(|mark| text.contains(mark))
}

/// Blanks the credentials of this run wherever they appear.
#[derive(Default, Clone)]
pub struct Redactor {
    secrets: Vec<String>,
}

impl Redactor {
    /// Adds a credential. One or two characters are not blanked: that would blank half of the report and hide nothing.
    pub fn add(&mut self, secret: &str) {
        if secret.len() > 2 && !self.secrets.iter().any(|known| known == secret) {
            self.secrets.push(secret.to_owned());
            // Longest first, so that a secret inside another does not leave the rest of the longer one visible.
            self.secrets
                .sort_by_key(|known| std::cmp::Reverse(known.len()));
        }
    }

    /// `text` without any of the credentials.
    pub fn apply(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.secrets {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), HIDDEN);
            }
        }
        text
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} secrets)", self.secrets.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_no_printable_form() {
        assert_eq!(format!("{:?}", Secret::new("hunter2-hunter2")), HIDDEN);
    }

    #[test]
    fn a_url_is_shown_without_user_and_secret_query() {
        assert_eq!(
            shown_url("https://u:p@h.example/a?limit=5&api_key=xyz#frag"),
            "https://[hidden]@h.example/a?limit=5&api_key=[hidden]"
        );
        assert_eq!(shown_url("localhost:8787/a"), "localhost:8787/a");
    }

    #[test]
    fn the_longer_secret_is_blanked_first() {
        let mut redactor = Redactor::default();
        redactor.add("abcd");
        redactor.add("abcdefgh");
        assert_eq!(redactor.apply("x abcdefgh y abcd"), "x [hidden] y [hidden]");
    }
}

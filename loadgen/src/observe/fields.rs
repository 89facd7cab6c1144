//! The structured fields `RateLimit` and `RateLimit-Policy`.
//!
//! draft-ietf-httpapi-ratelimit-headers-10 (2025-09): both are lists (RFC 9651) of strings with parameters; `q` is the
//! quota, `w` the window in seconds, `r` what remains, `t` the seconds until more is available. The parser is strict in
//! the grammar and allocates nothing per answer; parameters it does not know are skipped, as the draft asks.

use thiserror::Error;

/// What breaks the syntax of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FieldError {
    /// The grammar of RFC 9651.
    #[error("not a list of strings with parameters (RFC 9651)")]
    Grammar,
    /// A parameter that the draft requires, or one of the wrong type or sign.
    #[error("parameter {0} is missing or not a whole number from 0")]
    Parameter(char),
    /// No member at all.
    #[error("the list is empty")]
    Empty,
}

/// One member of `RateLimit-Policy`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyItem {
    /// The policy's name, as written between the quotes.
    pub name: String,
    /// `q`: requests per window.
    pub quota: u64,
    /// `w`: the window in seconds.
    pub window_seconds: Option<u64>,
}

/// One member of `RateLimit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitItem<'a> {
    /// The policy's name, as written between the quotes.
    pub name: &'a str,
    /// `r`: what remains of the quota.
    pub remaining: u64,
    /// `t`: seconds until more of it is available.
    pub reset_seconds: Option<u64>,
}

/// Parses `RateLimit-Policy`.
pub fn policies(field: &[u8]) -> Result<Vec<PolicyItem>, FieldError> {
    let mut items: Vec<(String, Option<u64>, Option<u64>)> = Vec::new();
    members(field, |part| {
        match part {
            Part::Member(name) => items.push((name.to_owned(), None, None)),
            Part::Parameter(key, value) => {
                let item = items.last_mut().expect("a parameter follows its member");
                match key {
                    "q" => item.1 = Some(value.whole().ok_or(FieldError::Parameter('q'))?),
                    "w" => item.2 = Some(value.whole().ok_or(FieldError::Parameter('w'))?),
                    _ => {}
                }
            }
        }
        Ok(())
    })?;
    items
        .into_iter()
        .map(|(name, quota, window_seconds)| {
            Ok(PolicyItem {
                name,
                quota: quota.ok_or(FieldError::Parameter('q'))?,
                window_seconds,
            })
        })
        .collect()
}

/// Parses `RateLimit` and picks the member of the policy called `name`, else the first one.
pub fn limit<'a>(field: &'a [u8], name: &str) -> Result<LimitItem<'a>, FieldError> {
    type Open<'a> = (&'a str, Option<u64>, Option<u64>);
    fn close(open: Open<'_>) -> Result<LimitItem<'_>, FieldError> {
        let (name, remaining, reset_seconds) = open;
        Ok(LimitItem {
            name,
            remaining: remaining.ok_or(FieldError::Parameter('r'))?,
            reset_seconds,
        })
    }
    fn keep<'a>(chosen: &mut Option<LimitItem<'a>>, item: LimitItem<'a>, name: &str) {
        if chosen.is_none_or(|chosen| chosen.name != name && item.name == name) {
            *chosen = Some(item);
        }
    }
    let mut chosen: Option<LimitItem<'a>> = None;
    let mut open: Option<Open<'a>> = None;
    members(field, |part| {
        match part {
            Part::Member(next) => {
                if let Some(item) = open.replace((next, None, None)) {
                    keep(&mut chosen, close(item)?, name);
                }
            }
            Part::Parameter(key, value) => {
                let item = open.as_mut().expect("a parameter follows its member");
                match key {
                    "r" => item.1 = Some(value.whole().ok_or(FieldError::Parameter('r'))?),
                    "t" => item.2 = Some(value.whole().ok_or(FieldError::Parameter('t'))?),
                    _ => {}
                }
            }
        }
        Ok(())
    })?;
    if let Some(item) = open {
        keep(&mut chosen, close(item)?, name);
    }
    chosen.ok_or(FieldError::Empty)
}

enum Part<'a> {
    Member(&'a str),
    Parameter(&'a str, Value),
}

#[derive(Clone, Copy)]
enum Value {
    Integer(i64),
    Other,
}

impl Value {
    fn whole(self) -> Option<u64> {
        match self {
            Self::Integer(value) => u64::try_from(value).ok(),
            Self::Other => None,
        }
    }
}

/// RFC 9651 §4.2.1: members separated by commas, each a string with parameters.
fn members<'a>(
    field: &'a [u8],
    mut each: impl FnMut(Part<'a>) -> Result<(), FieldError>,
) -> Result<(), FieldError> {
    let text = std::str::from_utf8(field).map_err(|_| FieldError::Grammar)?;
    let mut rest = text.trim_matches(' ');
    if rest.is_empty() {
        return Err(FieldError::Empty);
    }
    loop {
        let (name, after) = string(rest)?;
        rest = after;
        each(Part::Member(name))?;
        while let Some(after) = rest.strip_prefix(';') {
            let after = after.trim_start_matches(' ');
            let end = after
                .find(|c: char| {
                    !(c.is_ascii_lowercase() || c.is_ascii_digit() || "_-.*".contains(c))
                })
                .unwrap_or(after.len());
            let key = &after[..end];
            if !key.starts_with(|c: char| c.is_ascii_lowercase() || c == '*') {
                return Err(FieldError::Grammar);
            }
            let (value, after) = match after[end..].strip_prefix('=') {
                Some(after) => bare(after)?,
                // A key alone is the boolean true.
                None => (Value::Other, &after[end..]),
            };
            rest = after;
            each(Part::Parameter(key, value))?;
        }
        rest = rest.trim_start_matches([' ', '\t']);
        if rest.is_empty() {
            return Ok(());
        }
        // A comma must be followed by another member.
        rest = rest
            .strip_prefix(',')
            .ok_or(FieldError::Grammar)?
            .trim_start_matches([' ', '\t']);
    }
}

/// A quoted string; returns the text between the quotes, escapes untouched.
fn string(text: &str) -> Result<(&str, &str), FieldError> {
    let inner = text.strip_prefix('"').ok_or(FieldError::Grammar)?;
    let mut escaped = false;
    for (at, byte) in inner.bytes().enumerate() {
        match byte {
            b'"' | b'\\' if escaped => escaped = false,
            _ if escaped => return Err(FieldError::Grammar),
            b'\\' => escaped = true,
            b'"' => return Ok((&inner[..at], &inner[at + 1..])),
            0x20..=0x7e => {}
            _ => return Err(FieldError::Grammar),
        }
    }
    Err(FieldError::Grammar)
}

/// A bare item: integers are read, every other type is only skipped.
fn bare(text: &str) -> Result<(Value, &str), FieldError> {
    let first = text.bytes().next().ok_or(FieldError::Grammar)?;
    let take = |allowed: fn(u8) -> bool| {
        let end = text
            .bytes()
            .position(|byte| !allowed(byte))
            .unwrap_or(text.len());
        text.split_at(end)
    };
    match first {
        b'-' | b'0'..=b'9' => {
            let (number, rest) = take(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'.'));
            let digits = number.strip_prefix('-').unwrap_or(number);
            match digits.split_once('.') {
                Some((whole, part))
                    if (1..=12).contains(&whole.len())
                        && (1..=3).contains(&part.len())
                        && whole
                            .bytes()
                            .chain(part.bytes())
                            .all(|byte| byte.is_ascii_digit()) =>
                {
                    Ok((Value::Other, rest))
                }
                None if (1..=15).contains(&digits.len())
                    && digits.bytes().all(|byte| byte.is_ascii_digit()) =>
                {
                    Ok((
                        Value::Integer(number.parse().map_err(|_| FieldError::Grammar)?),
                        rest,
                    ))
                }
                _ => Err(FieldError::Grammar),
            }
        }
        b'"' => string(text).map(|(_, rest)| (Value::Other, rest)),
        b':' => {
            let end = text[1..].find(':').ok_or(FieldError::Grammar)? + 1;
            let inner = &text[1..end];
            let base64 =
                |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
            if !inner.bytes().all(base64) {
                return Err(FieldError::Grammar);
            }
            Ok((Value::Other, &text[end + 1..]))
        }
        b'?' => match text.as_bytes().get(1) {
            Some(b'0' | b'1') => Ok((Value::Other, &text[2..])),
            _ => Err(FieldError::Grammar),
        },
        b'*' | b'A'..=b'Z' | b'a'..=b'z' => {
            let (_, rest) =
                take(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&byte));
            Ok((Value::Other, rest))
        }
        _ => Err(FieldError::Grammar),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_the_draft_are_read() {
        let policy = policies(br#""write";q=50;w=60"#).expect("valid");
        assert_eq!(
            policy,
            [PolicyItem {
                name: "write".into(),
                quota: 50,
                window_seconds: Some(60)
            }]
        );
        let item = limit(br#""write";r=0;t=12"#, "write").expect("valid");
        assert_eq!(
            (item.name, item.remaining, item.reset_seconds),
            ("write", 0, Some(12))
        );
    }

    #[test]
    fn several_members_and_foreign_parameters_are_read() {
        let policy = policies(br#""burst";q=100;w=60 , "daily"; q=1000;qu="content-bytes";pk=:cHsdsRa894==:;x;w=86400"#);
        assert_eq!(
            policy
                .expect("valid")
                .iter()
                .map(|item| item.quota)
                .collect::<Vec<_>>(),
            [100, 1000]
        );
        let item = limit(br#""general";r=7, "write";r=3"#, "write").expect("valid");
        assert_eq!(item.remaining, 3);
        assert_eq!(
            limit(br#""a";r=7, "b";r=3"#, "write").expect("valid").name,
            "a"
        );
    }

    #[test]
    fn what_breaks_the_grammar_is_refused() {
        for field in [
            "write;r=0",
            "\"write\";r=0,",
            "\"write\";r=0 t=1",
            "\"write;r=0",
            "\"write\";R=0",
            "\"write\";r=",
            "\"write\";r=1.2.3",
            "\"write\";r=1234567890123456",
            "50",
            "\"write\",;r=1",
            "\"write\" ;r=1",
        ] {
            assert_eq!(
                limit(field.as_bytes(), "write"),
                Err(FieldError::Grammar),
                "{field}"
            );
        }
        assert_eq!(limit(b"", "write"), Err(FieldError::Empty));
        assert_eq!(
            limit(br#""write""#, "write"),
            Err(FieldError::Parameter('r'))
        );
        assert_eq!(
            limit(br#""write";r=-1"#, "write"),
            Err(FieldError::Parameter('r'))
        );
        assert_eq!(
            limit(br#""write";r=1.5"#, "write"),
            Err(FieldError::Parameter('r'))
        );
        assert_eq!(
            limit(br#""write";r=1;t="x""#, "write"),
            Err(FieldError::Parameter('t'))
        );
        assert_eq!(
            policies(br#""write";w=60"#),
            Err(FieldError::Parameter('q'))
        );
    }
}

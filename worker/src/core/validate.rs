//! What a request body must look like.
//!
//! Text is taken byte for byte: nothing is escaped, stripped or searched for suspicious words, because everything it later
//! meets (bound SQL parameters, JSON with its content type) treats it as data. Amounts are read as decimals, digit by digit,
//! and kept as whole cents.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::core::time::is_real_date;

/// The longest body, in bytes; exactly this many still pass.
pub const BODY_MAX_BYTES: usize = 65_536;

/// Objects and arrays may be nested this deep. A transaction needs one level.
const DEPTH_MAX: usize = 32;

const DESCRIPTION_MAX_CHARACTERS: usize = 500;

/// The longest user name and the longest password.
const CREDENTIAL_MAX_CHARACTERS: usize = 256;

/// 10^12 currency units in cents.
const AMOUNT_MAX_CENTS: u64 = 100_000_000_000_000;

/// What is wrong with a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyError {
    /// It is no JSON: 400, with a sentence for the client.
    Malformed(&'static str),
    /// It is JSON but not what is asked for: 422, with every fault.
    Invalid(Vec<Fault>),
}

/// One fault of a body.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Fault {
    /// Where: a JSON pointer (RFC 6901), empty for the whole body.
    pub pointer: &'static str,
    /// What would be right.
    pub detail: &'static str,
}

/// Money in or money out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionType {
    /// Money in.
    Income,
    /// Money out.
    Expense,
}

impl TransactionType {
    /// The name in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Income => "income",
            Self::Expense => "expense",
        }
    }
}

/// A transaction that may be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTransaction {
    /// `type`
    pub kind: TransactionType,
    /// `amount`, in cents: 1 to 10^14.
    pub amount_cents: u64,
    /// `description`, byte for byte.
    pub description: String,
    /// `date`, as it was written.
    pub date: String,
}

/// User name and password of a login.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// `username`
    pub username: String,
    /// `password`
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials(hidden)")
    }
}

#[derive(Deserialize)]
struct TransactionIn<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    amount: Option<&'a RawValue>,
    #[serde(borrow)]
    description: Option<&'a RawValue>,
    #[serde(borrow)]
    date: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct CredentialsIn<'a> {
    #[serde(borrow)]
    username: Option<&'a RawValue>,
    #[serde(borrow)]
    password: Option<&'a RawValue>,
}

/// Whether a `Content-Type` says `application/json`, in any case and with any parameters.
pub fn is_json_media_type(header: Option<&str>) -> bool {
    let essence = header.unwrap_or("").split(';').next().unwrap_or("");
    essence.trim().eq_ignore_ascii_case("application/json")
}

/// Reads the body of `POST /api/transactions`. Members that are not asked for are ignored: an owner, an id or a role never comes
/// from a body.
pub fn transaction(body: &[u8]) -> Result<NewTransaction, BodyError> {
    let body: TransactionIn<'_> = object(body)?;
    let kind = match text(body.kind).as_deref() {
        Some("income") => Some(TransactionType::Income),
        Some("expense") => Some(TransactionType::Expense),
        _ => None,
    };
    let amount_cents = body
        .amount
        .and_then(|number| cents(number.get()))
        .filter(|cents| (1..=AMOUNT_MAX_CENTS).contains(cents));
    let description = text(body.description).filter(|text| {
        is_storable(text) && (1..=DESCRIPTION_MAX_CHARACTERS).contains(&text.chars().count())
    });
    let date = text(body.date).filter(|text| is_real_date(text));
    match (kind, amount_cents, description, date) {
        (Some(kind), Some(amount_cents), Some(description), Some(date)) => Ok(NewTransaction {
            kind,
            amount_cents,
            description: description.into_owned(),
            date: date.into_owned(),
        }),
        (kind, amount_cents, description, date) => Err(faults(&[
            (kind.is_some(), "/type", "must be \"income\" or \"expense\""),
            (
                amount_cents.is_some(),
                "/amount",
                "must be a number above 0 and up to 1000000000000, with at most 2 decimals",
            ),
            (
                description.is_some(),
                "/description",
                "must be text of 1 to 500 characters, without U+0000",
            ),
            (
                date.is_some(),
                "/date",
                "must be a date that exists, written YYYY-MM-DD",
            ),
        ])),
    }
}

/// Reads the body of `POST /api/auth/login`.
pub fn credentials(body: &[u8]) -> Result<Credentials, BodyError> {
    let body: CredentialsIn<'_> = object(body)?;
    let short = |text: &Cow<'_, str>| {
        is_storable(text) && (1..=CREDENTIAL_MAX_CHARACTERS).contains(&text.chars().count())
    };
    match (
        text(body.username).filter(short),
        text(body.password).filter(short),
    ) {
        (Some(username), Some(password)) => Ok(Credentials {
            username: username.into_owned(),
            password: password.into_owned(),
        }),
        (username, password) => Err(faults(&[
            (
                username.is_some(),
                "/username",
                "must be text of 1 to 256 characters, without U+0000",
            ),
            (
                password.is_some(),
                "/password",
                "must be text of 1 to 256 characters, without U+0000",
            ),
        ])),
    }
}

/// SQLite's text functions end at U+0000, so such text would not come back from every query as it went in.
fn is_storable(text: &str) -> bool {
    !text.contains('\0')
}

fn faults(checks: &[(bool, &'static str, &'static str)]) -> BodyError {
    let faults = checks.iter().filter(|(right, ..)| !right);
    BodyError::Invalid(
        faults
            .map(|(_, pointer, detail)| Fault { pointer, detail })
            .collect(),
    )
}

/// The text of a JSON string; `None` for anything else, also for a string that is no Unicode (a lone surrogate).
fn text(value: Option<&RawValue>) -> Option<Cow<'_, str>> {
    // A JSON string without escapes is borrowed as it stands.
    let raw = value?.get();
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        serde_json::from_str(raw).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

/// A JSON object read as `T`, told apart from what is no JSON at all.
fn object<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, BodyError> {
    let body =
        std::str::from_utf8(body).map_err(|_| BodyError::Malformed("The body is not UTF-8."))?;
    if depth(body) > DEPTH_MAX {
        return Err(BodyError::Malformed("The body is nested too deeply."));
    }
    let not_an_object = || faults(&[(false, "", "must be an object")]);
    // Read as text first: a struct would also be read from an array, and would stop at the first fault.
    let value = serde_json::from_str::<&RawValue>(body)
        .map_err(|_| BodyError::Malformed("The body is not JSON."))?;
    if !value.get().starts_with('{') {
        return Err(not_an_object());
    }
    serde_json::from_str(value.get()).map_err(|error| match error.classify() {
        Category::Data => faults(&[(false, "", "must not have a member twice")]),
        _ => BodyError::Malformed("The body is not JSON."),
    })
}

/// How deep brackets are nested outside of strings; exact for JSON, and an upper bound for anything else.
fn depth(body: &str) -> usize {
    let (mut deepest, mut depth, mut in_string, mut escaped) = (0, 0usize, false, false);
    for byte in body.bytes() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// A JSON number as whole cents, read from its digits: `None` if it is no number, negative, has more than two decimals that
/// are not zero, or is far too large.
fn cents(number: &str) -> Option<u64> {
    let first = number.bytes().next()?;
    // RawValue has been checked to be JSON, so what begins with a digit is a number; the rest here is its meaning.
    if !first.is_ascii_digit() {
        return None;
    }
    let (mantissa, exponent) = match number.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.strip_prefix('+').unwrap_or(exponent)),
        None => (number, "0"),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    // An exponent with many digits makes the number zero or far too large; zero is refused as well.
    let exponent: i64 = exponent
        .parse()
        .ok()
        .filter(|exponent: &i64| exponent.abs() <= 100_000)?;
    // value = digits * 10^(exponent - decimals), and cents are 100 times that.
    let mut shift = exponent + 2 - fraction.len() as i64;
    let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
    let significant = digits
        .iter()
        .rposition(|digit| *digit != b'0')
        .map_or(0, |last| last + 1);
    shift += (digits.len() - significant) as i64;
    if significant == 0 {
        return Some(0);
    }
    if shift < 0 {
        return None;
    }
    let mut value = 0u64;
    for digit in &digits[..significant] {
        value = value
            .checked_mul(10)?
            .checked_add(u64::from(digit - b'0'))?;
    }
    for _ in 0..shift {
        value = value.checked_mul(10)?;
    }
    Some(value)
}

#[cfg(test)]
mod tests;

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
mod tests {
    use super::{
        BodyError, Fault, TransactionType, cents, credentials, is_json_media_type, transaction,
    };
    use proptest::prelude::*;

    fn with(member: &str, value: &str) -> Result<super::NewTransaction, BodyError> {
        let mut body =
            r#"{"type":"income","amount":12.34,"description":"Tea","date":"2025-10-20"}"#
                .to_owned();
        let members = [
            ("type", r#""income""#),
            ("amount", "12.34"),
            ("description", r#""Tea""#),
            ("date", r#""2025-10-20""#),
        ];
        let (_, old) = members
            .iter()
            .find(|(name, _)| *name == member)
            .expect("a member of the body");
        body = body.replace(
            &format!("\"{member}\":{old}"),
            &format!("\"{member}\":{value}"),
        );
        transaction(body.as_bytes())
    }

    fn pointers(error: Result<super::NewTransaction, BodyError>) -> Vec<&'static str> {
        match error {
            Err(BodyError::Invalid(faults)) => {
                faults.iter().map(|fault: &Fault| fault.pointer).collect()
            }
            other => panic!("expected faults, got {other:?}"),
        }
    }

    #[test]
    fn a_right_transaction_is_taken_as_it_stands() {
        let taken = with("type", r#""expense""#).unwrap();
        assert_eq!(
            (taken.kind, taken.amount_cents),
            (TransactionType::Expense, 1_234)
        );
        assert_eq!(
            (taken.description.as_str(), taken.date.as_str()),
            ("Tea", "2025-10-20")
        );
    }

    #[test]
    fn the_body_of_the_original_test_is_json_with_four_faults() {
        assert_eq!(
            pointers(transaction(br#"{"test":"data"}"#)),
            ["/type", "/amount", "/description", "/date"]
        );
    }

    #[test]
    fn every_fault_is_listed() {
        let body = br#"{"type":"gift","amount":-1,"description":"ok","date":"2025-02-30"}"#;
        assert_eq!(pointers(transaction(body)), ["/type", "/amount", "/date"]);
    }

    #[test]
    fn amounts_are_decimals_with_two_places_and_a_largest_value() {
        for (number, expected) in [
            ("0.01", 1),
            ("0.29", 29),
            ("1", 100),
            ("1.1", 110),
            ("1.10", 110),
            ("1.100", 110),
            ("1e2", 10_000),
            ("1.5E+1", 1_500),
            ("150e-1", 1_500),
            ("1000000000000", 100_000_000_000_000),
            ("1e12", 100_000_000_000_000),
            ("999999999999.99", 99_999_999_999_999),
            ("9007199254740.93", 900_719_925_474_093),
        ] {
            let taken = with("amount", number).map(|taken| taken.amount_cents);
            if expected <= 100_000_000_000_000 {
                assert_eq!(taken, Ok(expected), "{number}");
            } else {
                assert!(taken.is_err(), "{number}");
            }
        }
        for wrong in [
            "0",
            "0.0",
            "-0",
            "-1",
            "0.001",
            "1.005",
            "1e-3",
            "1000000000000.01",
            "1e13",
            "1e400",
            "1e-400",
            "1e99999999999999999999",
            "\"1\"",
            "null",
            "true",
            "[1]",
            "{}",
            "123456789012345678901234567890",
        ] {
            assert_eq!(pointers(with("amount", wrong)), ["/amount"], "{wrong}");
        }
    }

    #[test]
    fn text_is_kept_byte_for_byte() {
        for text in [
            "SELECT a gift",
            "O'Brien",
            "'; DROP TABLE transactions; --",
            "<script>alert(1)</script>",
            "é",
            "e\u{301}",
            " padded ",
            "\u{202e}right to left",
            "👩‍👩‍👧",
            "line\nbreak",
            "\"quoted\" \\ back",
            "\u{7f}\u{1}",
            &"🚨".repeat(500),
        ] {
            let taken = with("description", &serde_json::to_string(text).unwrap()).unwrap();
            assert_eq!(taken.description, *text);
        }
        for wrong in [
            r#""""#,
            "null",
            "7",
            &format!("\"{}\"", "x".repeat(501)),
            r#""a\u0000b""#,
            r#""\ud800""#,
        ] {
            assert_eq!(
                pointers(with("description", wrong)),
                ["/description"],
                "{wrong}"
            );
        }
    }

    #[test]
    fn what_is_not_json_is_malformed() {
        for wrong in [
            &b""[..],
            b" ",
            b"{",
            b"nul",
            b"NaN",
            b"{\"amount\":NaN}",
            b"{}{}",
            b"{} x",
            b"{'a':1}",
            b"{\"a\":1,}",
            b"[1,2",
            b"\xff",
            b"{\"description\":\"\xc3\"}",
            b"\xef\xbb\xbf{}",
            b"{\"a\":01}",
            b"{\"a\":\"\n\"}",
            b"test=data",
        ] {
            assert!(
                matches!(transaction(wrong), Err(BodyError::Malformed(_))),
                "{:?}",
                String::from_utf8_lossy(wrong)
            );
        }
    }

    #[test]
    fn json_that_is_no_object_has_one_fault() {
        for wrong in [
            "[]",
            "null",
            "1",
            "\"text\"",
            "true",
            r#"["income",1,"Tea","2025-10-20"]"#,
        ] {
            assert_eq!(pointers(transaction(wrong.as_bytes())), [""], "{wrong}");
        }
        assert_eq!(
            pointers(transaction(br#"{"type":"income","type":"expense"}"#)),
            [""]
        );
    }

    #[test]
    fn deep_nesting_is_refused_wherever_it_is() {
        let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
        assert!(transaction(deep.as_bytes()).is_err());
        let mut right =
            br#"{"type":"income","amount":1,"description":"[[[[[[","date":"2025-10-20","x":"#
                .to_vec();
        let shallow = [&right[..], b"[[1]]}"].concat();
        assert!(transaction(&shallow).is_ok());
        right.extend_from_slice(deep.as_bytes());
        right.push(b'}');
        assert!(matches!(transaction(&right), Err(BodyError::Malformed(_))));
    }

    #[test]
    fn owner_id_and_role_in_a_body_are_ignored() {
        let body = br#"{"type":"income","amount":1,"description":"x","date":"2025-10-20","user_id":"other","id":7,"role":"admin","__proto__":{}}"#;
        assert!(transaction(body).is_ok());
    }

    #[test]
    fn media_types_are_compared_without_case_and_parameters() {
        for right in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            " application/json ;x=y",
        ] {
            assert!(is_json_media_type(Some(right)), "{right}");
        }
        for wrong in [
            None,
            Some(""),
            Some("text/plain"),
            Some("application/jsonp"),
            Some("application/problem+json"),
            Some("text/plain; application/json"),
        ] {
            assert!(!is_json_media_type(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn a_login_needs_both_texts_and_hides_them() {
        let right = credentials(br#"{"username":"demo","password":"demo-pass"}"#).unwrap();
        assert_eq!(
            (right.username.as_str(), right.password.as_str()),
            ("demo", "demo-pass")
        );
        assert_eq!(format!("{right:?}"), "Credentials(hidden)");
        for wrong in [
            r#"{}"#,
            r#"{"username":"demo"}"#,
            r#"{"username":"","password":"x"}"#,
            r#"{"username":1,"password":"x"}"#,
        ] {
            assert!(
                matches!(credentials(wrong.as_bytes()), Err(BodyError::Invalid(_))),
                "{wrong}"
            );
        }
        for (letter, length, taken) in [
            ("x", 256, true),
            ("🚨", 256, true),
            ("x", 257, false),
            ("x\\u0000", 1, false),
        ] {
            let password = letter.repeat(length);
            let body = format!(r#"{{"username":"demo","password":"{password}"}}"#);
            assert_eq!(
                credentials(body.as_bytes()).is_ok(),
                taken,
                "{length} of {letter}"
            );
        }
    }

    proptest! {
        #[test]
        fn cents_come_back_from_any_way_to_write_them(value in 0u64..100_000_000_000_000, zeros in 0usize..4) {
            let plain = format!("{}.{:02}{}", value / 100, value % 100, "0".repeat(zeros));
            prop_assert_eq!(cents(&plain), Some(value));
            let scientific = format!("{value}e-2");
            prop_assert_eq!(cents(&scientific), Some(value));
        }

        #[test]
        fn no_bytes_make_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "[\\[\\]{}\",:0-9a-z\\\\ ]{0,80}") {
            let _ = transaction(&bytes);
            let _ = transaction(text.as_bytes());
            let _ = credentials(text.as_bytes());
        }
    }
}

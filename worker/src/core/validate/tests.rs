//! Bodies that are taken, and every way not to be.

use super::{
    BodyError, Fault, TransactionType, cents, credentials, is_json_media_type, transaction,
};
use proptest::prelude::*;

fn with(member: &str, value: &str) -> Result<super::NewTransaction, BodyError> {
    let mut body =
        r#"{"type":"income","amount":12.34,"description":"Tea","date":"2025-10-20"}"#.to_owned();
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
        br#"{"type":"income","amount":1,"description":"[[[[[[","date":"2025-10-20","x":"#.to_vec();
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

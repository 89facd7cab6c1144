//! Numbers as text and back, by the rules of ECMAScript.

use std::fmt::Write as _;

/// `Number.MAX_SAFE_INTEGER`: 2^53 - 1, up to which a double holds every whole number.
pub(crate) const MAX_SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;

/// `Number.isSafeInteger(n)`.
pub(crate) fn is_safe_integer(n: f64) -> bool {
    n.abs() <= MAX_SAFE_INTEGER && n.trunc() == n
}

/// Appends `Number::toString(n)`: the shortest digits that read back as `n`, plain from 1e-6 up to 1e21.
pub(crate) fn push_number(out: &mut String, n: f64) {
    // Writing to a String cannot fail.
    if n.is_nan() {
        out.push_str("NaN");
    } else if n == 0.0 {
        out.push('0');
    } else if n.is_infinite() {
        out.push_str(if n < 0.0 { "-Infinity" } else { "Infinity" });
    } else if is_safe_integer(n) {
        let _ = write!(out, "{}", n as i64);
    } else if (1e-6..1e21).contains(&n.abs()) {
        let _ = write!(out, "{n}");
    } else {
        let start = out.len();
        let _ = write!(out, "{n:e}");
        if let Some(e) = out[start..].find('e') {
            let exponent = start + e + 1;
            if !out[exponent..].starts_with('-') {
                out.insert(exponent, '+');
            }
        }
    }
}

/// `String(n)`.
pub(crate) fn number_to_string(n: f64) -> String {
    let mut out = String::new();
    push_number(&mut out, n);
    out
}

/// `Number(text)`: the empty string is 0, text that is no number is `NaN`.
pub(crate) fn string_to_number(text: &str) -> f64 {
    let text = text.trim();
    if text.is_empty() {
        return 0.0;
    }
    for (prefix, radix) in [
        ("0x", 16),
        ("0X", 16),
        ("0o", 8),
        ("0O", 8),
        ("0b", 2),
        ("0B", 2),
    ] {
        if let Some(digits) = text.strip_prefix(prefix) {
            if digits.is_empty() || digits.starts_with('+') {
                return f64::NAN;
            }
            return u128::from_str_radix(digits, radix).map_or(f64::NAN, |n| n as f64);
        }
    }
    match text {
        "Infinity" | "+Infinity" => f64::INFINITY,
        "-Infinity" => f64::NEG_INFINITY,
        // Rust also reads "inf" and "nan", which JavaScript does not.
        _ if text
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-')) =>
        {
            text.parse().unwrap_or(f64::NAN)
        }
        _ => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_print_as_in_v8() {
        // Each line was printed by `String(n)` of Node 20.
        for (n, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (1.5, "1.5"),
            (-123456.0, "-123456"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e21, "1e+21"),
            (1e20, "100000000000000000000"),
            (123456789012345680000.0, "123456789012345680000"),
            (0.000001, "0.000001"),
            (0.0000001, "1e-7"),
            (-1.5e-9, "-1.5e-9"),
            (9_007_199_254_740_992.0, "9007199254740992"),
            (f64::MAX, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(number_to_string(n), text);
        }
    }

    #[test]
    fn text_reads_as_in_javascript() {
        assert_eq!(string_to_number(" 12.5 "), 12.5);
        assert_eq!(string_to_number(""), 0.0);
        assert_eq!(string_to_number("0x1F"), 31.0);
        assert_eq!(string_to_number("-Infinity"), f64::NEG_INFINITY);
        for text in ["nan", "inf", "1_000", "12px", "0x", "--1"] {
            assert!(string_to_number(text).is_nan(), "{text}");
        }
    }

    #[test]
    fn two_to_the_53_is_not_a_safe_integer() {
        assert!(is_safe_integer(9_007_199_254_740_991.0));
        assert!(!is_safe_integer(9_007_199_254_740_992.0));
        assert!(!is_safe_integer(0.5));
        assert!(!is_safe_integer(f64::NAN));
        assert!(!is_safe_integer(f64::INFINITY));
    }
}

//! Decimal text without the formatting machinery, for the few places that every request passes.

/// Appends `value` in decimal digits.
///
/// ```
/// let mut text = String::from("q=");
/// edgeproof_worker::core::decimal::push(&mut text, 1050);
/// assert_eq!(text, "q=1050");
/// ```
pub fn push(text: &mut String, value: u64) {
    // 20 digits hold the largest u64.
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = value;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    for digit in &digits[at..] {
        text.push(char::from(*digit));
    }
}

/// Reads a whole number made of ASCII digits only: no sign, no space, no separator, no exponent.
pub fn parse(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{parse, push};

    #[test]
    fn what_is_written_reads_back() {
        for value in [0, 7, 10, 99, 1_000, 1_765_000_000_000, u64::MAX] {
            let mut text = String::new();
            push(&mut text, value);
            assert_eq!(text, value.to_string());
            assert_eq!(parse(&text), Some(value));
        }
    }

    #[test]
    fn only_digits_are_a_number() {
        for wrong in [
            "",
            " 5",
            "5 ",
            "+5",
            "-5",
            "1e3",
            "1_000",
            "0x10",
            "5.0",
            "٥",
            "99999999999999999999",
        ] {
            assert_eq!(parse(wrong), None, "{wrong:?}");
        }
    }
}

//! `BigInt`, as wide as Rust's integers: from `i128::MIN` to `u128::MAX`.
//!
//! Nothing in a Worker's bindings makes a wider one, so there is no arithmetic here.

use std::fmt;

/// A whole number of sign and magnitude. Zero is never negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BigInt {
    negative: bool,
    magnitude: u128,
}

impl BigInt {
    pub(crate) fn new(negative: bool, magnitude: u128) -> Self {
        Self {
            negative: negative && magnitude != 0,
            magnitude,
        }
    }

    pub(crate) fn is_negative(&self) -> bool {
        self.negative
    }

    pub(crate) fn magnitude(&self) -> u128 {
        self.magnitude
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.magnitude == 0
    }

    pub(crate) fn as_u128(&self) -> Option<u128> {
        (!self.negative).then_some(self.magnitude)
    }

    pub(crate) fn as_i128(&self) -> Option<i128> {
        if self.negative {
            0_i128.checked_sub_unsigned(self.magnitude)
        } else {
            i128::try_from(self.magnitude).ok()
        }
    }

    /// `BigInt(text)` for decimal text; `None` where JavaScript throws a `SyntaxError`, and beyond 128 bits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() {
            return Some(Self::new(false, 0));
        }
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        Some(Self::new(negative, digits.parse().ok()?))
    }
}

impl From<i128> for BigInt {
    fn from(n: i128) -> Self {
        Self::new(n < 0, n.unsigned_abs())
    }
}

impl From<u128> for BigInt {
    fn from(n: u128) -> Self {
        Self::new(false, n)
    }
}

impl fmt::Display for BigInt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.negative {
            f.write_str("-")?;
        }
        write!(f, "{}", self.magnitude)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bigint_holds_every_integer_of_rust_and_refuses_what_does_not_fit() {
        for n in [i128::MIN, -1, 0, 1, i128::MAX] {
            assert_eq!(BigInt::from(n).as_i128(), Some(n));
            assert_eq!(BigInt::parse(&n.to_string()), Some(BigInt::from(n)));
        }
        assert_eq!(BigInt::from(u128::MAX).as_i128(), None);
        assert_eq!(BigInt::from(u128::MAX).as_u128(), Some(u128::MAX));
        assert_eq!(BigInt::from(-1_i128).as_u128(), None);
        assert_eq!(BigInt::from(-12_i128).to_string(), "-12");
        assert_eq!(BigInt::new(true, 0), BigInt::new(false, 0));
        assert!(BigInt::parse("1.5").is_none());
        assert!(BigInt::parse("-").is_none());
    }
}

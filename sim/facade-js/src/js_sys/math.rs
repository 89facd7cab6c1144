//! `Math`: `random`, which Rust's standard library lacks, and the usual rounding.

use crate::host;

/// `Math.random()`: at least 0, below 1, from the host.
///
/// # Panics
/// Without a host on this thread.
#[must_use]
pub fn random() -> f64 {
    (host::current("Math.random()").random)()
}

/// `Math.abs(x)`.
#[must_use]
pub fn abs(x: f64) -> f64 {
    x.abs()
}

/// `Math.ceil(x)`.
#[must_use]
pub fn ceil(x: f64) -> f64 {
    x.ceil()
}

/// `Math.floor(x)`.
#[must_use]
pub fn floor(x: f64) -> f64 {
    x.floor()
}

/// `Math.round(x)`: halves go up, also below zero.
#[must_use]
pub fn round(x: f64) -> f64 {
    let down = x.floor();
    // Adding a half first would be wrong just below it, where the sum rounds to the next whole number.
    if x - down >= 0.5 { down + 1.0 } else { down }
}

/// `Math.trunc(x)`.
#[must_use]
pub fn trunc(x: f64) -> f64 {
    x.trunc()
}

/// `Math.max(x, y)`: NaN if either is.
#[must_use]
pub fn max(x: f64, y: f64) -> f64 {
    if x.is_nan() || y.is_nan() {
        f64::NAN
    } else {
        x.max(y)
    }
}

/// `Math.min(x, y)`: NaN if either is.
#[must_use]
pub fn min(x: f64, y: f64) -> f64 {
    if x.is_nan() || y.is_nan() {
        f64::NAN
    } else {
        x.min(y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_round_up() {
        assert_eq!(round(2.5), 3.0);
        assert_eq!(round(-2.5), -2.0);
        assert_eq!(round(0.499_999_999_999_999_94), 0.0);
    }

    #[test]
    fn nan_spreads_through_max_and_min() {
        assert!(max(1.0, f64::NAN).is_nan());
        assert!(min(f64::NAN, 1.0).is_nan());
        assert_eq!(max(1.0, 2.0), 2.0);
    }
}

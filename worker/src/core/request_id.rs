//! Request ids: unique, short, without secrets.

use crate::core::identity::push_hex;

/// An id of 24 hexadecimal digits from two random numbers in `0..1`.
///
/// 48 bits are taken from each number: `Math.random()` gives 52 or more. The id tells requests apart, nothing depends on its
/// being hard to guess; an id sent by the client is never taken over, so ids are unique whatever clients send.
pub fn from_random(first: f64, second: f64) -> String {
    let mut text = String::with_capacity(24);
    for random in [first, second] {
        let bits = (random.clamp(0.0, 1.0) * (1u64 << 48) as f64) as u64;
        push_hex(&mut text, &bits.min((1 << 48) - 1).to_be_bytes()[2..]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::from_random;

    #[test]
    fn ids_have_one_shape_and_keep_the_randomness() {
        assert_eq!(from_random(0.0, 0.5), "000000000000800000000000");
        assert_eq!(
            from_random(0.999_999_999_999_999_9, 1.0),
            "ffffffffffffffffffffffff"
        );
        assert_ne!(from_random(0.25, 0.75), from_random(0.75, 0.25));
    }
}

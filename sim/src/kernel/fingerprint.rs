//! A run's fingerprint: a chained 64-bit hash over every event, in order.
//!
//! Two runs with one seed must end with one fingerprint; the first step at which their chains differ is the first
//! difference in behaviour. A [`Trace`] keeps the chain's steps, to find it.

use super::time::Instant;
use serde::{Deserialize, Serialize};

/// The name of a kind of event, with its hash: computed when the program is compiled, so that the whole name counts in the
/// fingerprint and costs nothing. [`name!`](crate::name) makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name {
    /// The text, for people.
    pub text: &'static str,
    /// The hash, for the fingerprint.
    pub hash: u64,
}

impl Name {
    /// The name and its hash (FNV-1a, 64 bits).
    pub const fn new(text: &'static str) -> Self {
        let bytes = text.as_bytes();
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let mut place = 0;
        while place < bytes.len() {
            hash = (hash ^ bytes[place] as u64).wrapping_mul(0x0000_0100_0000_01b3);
            place += 1;
        }
        Self { text, hash }
    }
}

/// A [`Name`](crate::kernel::fingerprint::Name), hashed when the program is compiled.
#[macro_export]
macro_rules! name {
    ($text:literal) => {
        const { $crate::kernel::fingerprint::Name::new($text) }
    };
}

/// The chain's state after some number of steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(u64);

impl Fingerprint {
    /// The fingerprint of these bytes alone.
    pub fn of(bytes: &[u8]) -> Self {
        let mut fingerprint = Self::default();
        fingerprint.mix_bytes(bytes);
        fingerprint
    }

    /// Mixes one word in; order matters.
    #[inline]
    pub fn mix(&mut self, word: u64) {
        self.0 = fold(self.0 ^ SECRETS[0], word ^ SECRETS[1]) ^ word.rotate_left(23);
    }

    /// Mixes two words in, for the price of one.
    #[inline]
    pub fn mix_pair(&mut self, one: u64, two: u64) {
        self.0 = absorb(self.0, one, two);
    }

    /// Mixes bytes in, their number included.
    #[inline]
    pub fn mix_bytes(&mut self, bytes: &[u8]) {
        // By value, so that the chain stays in a register from one call to the next.
        self.0 = absorb_bytes(self.0, bytes);
    }

    /// The hash so far.
    pub fn value(self) -> u64 {
        self.0
    }
}

/// Odd words without a pattern (digits of the square roots of 2, 3 and 5).
const SECRETS: [u64; 3] = [
    0x6a09_e667_f3bc_c909,
    0xbb67_ae85_84ca_a73b,
    0x3c6e_f372_fe94_f82b,
];

/// A 64x64 -> 128 bit multiplication folded onto itself: cheap, and every bit of both words reaches every bit of the result.
fn fold(one: u64, two: u64) -> u64 {
    let product = u128::from(one) * u128::from(two);
    product as u64 ^ (product >> 64) as u64
}

/// The hash after two more words.
fn absorb(hash: u64, one: u64, two: u64) -> u64 {
    fold(one ^ SECRETS[0] ^ hash, two ^ SECRETS[1]) ^ one.rotate_left(23)
}

/// The hash after these bytes and their number.
fn absorb_bytes(hash: u64, bytes: &[u8]) -> u64 {
    // Two words at a time. The last two words are the last 16 bytes, which may overlap those before: so nothing is copied,
    // and the number of bytes tells how far. What is shorter than 16 bytes is two overlapping words as well.
    let length = bytes.len();
    let mut hash = hash ^ (length as u64).wrapping_mul(SECRETS[2]);
    let (one, two) = match length {
        0 => (0, 0),
        1..=3 => {
            let [first, middle, last] = [0, length / 2, length - 1].map(|at| bytes[at]);
            (u64::from_le_bytes([first, middle, last, 0, 0, 0, 0, 0]), 0)
        }
        4..=7 => (half(bytes, 0), half(bytes, length - 4)),
        8..=16 => (word(bytes, 0), word(bytes, length - 8)),
        _ => {
            let (pairs, _) = bytes.as_chunks::<16>();
            for pair in &pairs[..(length - 1) / 16] {
                hash = absorb(hash, word(pair, 0), word(pair, 8));
            }
            (word(bytes, length - 16), word(bytes, length - 8))
        }
    };
    absorb(hash, one, two)
}

fn word(bytes: &[u8], at: usize) -> u64 {
    let word = bytes[at..at + 8].try_into();
    u64::from_le_bytes(word.expect("8 bytes"))
}

fn half(bytes: &[u8], at: usize) -> u64 {
    let half = bytes[at..at + 4].try_into();
    u64::from(u32::from_le_bytes(half.expect("4 bytes")))
}

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// One step of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// When it happened.
    pub at: Instant,
    /// What happened.
    pub event: &'static str,
    /// The chain after it.
    pub fingerprint: Fingerprint,
}

/// The steps of a run, in order.
pub type Trace = Vec<Step>;

/// The index of the first step in which two runs differ, if any.
pub fn first_difference(one: &[Step], other: &[Step]) -> Option<usize> {
    let differs = one.iter().zip(other).position(|(a, b)| a != b);
    differs.or_else(|| (one.len() != other.len()).then_some(one.len().min(other.len())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_byte_and_the_length_count() {
        let mut seen = BTreeSet::new();
        for length in 0..70 {
            let zeros = vec![0; length];
            assert!(
                seen.insert(Fingerprint::of(&zeros).value()),
                "{length} zeros"
            );
            for place in 0..length {
                for bit in 0..8 {
                    let mut bytes = zeros.clone();
                    bytes[place] ^= 1 << bit;
                    let value = Fingerprint::of(&bytes).value();
                    assert!(seen.insert(value), "bit {bit} of byte {place} of {length}");
                }
            }
        }
    }

    #[test]
    fn order_counts() {
        let of = |parts: [&[u8]; 2]| {
            let mut fingerprint = Fingerprint::default();
            for part in parts {
                fingerprint.mix_bytes(part);
            }
            fingerprint
        };
        assert_ne!(of([b"a", b"b"]), of([b"b", b"a"]));
        assert_ne!(of([b"ab", b""]), of([b"a", b"b"]));
        let words = |one, two| {
            let mut fingerprint = Fingerprint::default();
            fingerprint.mix(one);
            fingerprint.mix(two);
            fingerprint
        };
        assert_ne!(words(1, 2), words(2, 1));
    }

    #[test]
    fn both_words_of_a_pair_count_and_so_does_what_came_before() {
        let mut seen = BTreeSet::new();
        for before in 0..3 {
            let mut mix = |one, two| {
                let mut fingerprint = Fingerprint::default();
                fingerprint.mix(before);
                fingerprint.mix_pair(one, two);
                assert!(seen.insert(fingerprint.value()), "{before}: {one} {two}");
            };
            mix(0, 0);
            for bit in 0..64 {
                mix(1 << bit, 0);
                mix(0, 1 << bit);
            }
        }
    }
}

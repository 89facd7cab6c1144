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
    pub fn mix(&mut self, word: u64) {
        self.0 = fold(self.0 ^ SECRETS[0], word ^ SECRETS[1]) ^ word.rotate_left(23);
    }

    /// Mixes bytes in, and how many there are.
    pub fn mix_bytes(&mut self, bytes: &[u8]) {
        // Two words at a time, so that an operation costs few multiplications. The number of bytes tells a short tail from one
        // that ends in zeros.
        let mut hash = self.0 ^ (bytes.len() as u64).wrapping_mul(SECRETS[2]);
        let (pairs, tail) = bytes.as_chunks::<16>();
        for pair in pairs {
            let (one, two) = words(pair);
            hash = fold(one ^ SECRETS[0] ^ hash, two ^ SECRETS[1]) ^ one.rotate_left(23);
        }
        let mut last = [0; 16];
        last[..tail.len()].copy_from_slice(tail);
        let (one, two) = words(&last);
        self.0 = fold(one ^ SECRETS[0] ^ hash, two ^ SECRETS[1]) ^ one.rotate_left(23);
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

fn words(pair: &[u8; 16]) -> (u64, u64) {
    let (words, _) = pair.as_chunks::<8>();
    (u64::from_le_bytes(words[0]), u64::from_le_bytes(words[1]))
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

//! A run's fingerprint: a chained 64-bit hash over every event, in order.
//!
//! Two runs with one seed must end with one fingerprint; the first step at which their chains differ is the first
//! difference in behaviour. A [`Trace`] keeps the chain's steps, to find it.

use super::time::Instant;
use serde::Serialize;

/// The chain's state after some number of steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Fingerprint(u64);

impl Fingerprint {
    /// Mixes one word in; order matters.
    pub fn mix(&mut self, word: u64) {
        // A 64x64 -> 128 bit multiplication folded onto itself: cheap, and every input bit reaches every output bit.
        let product =
            u128::from(self.0 ^ 0x2d35_8dcc_aa6c_78a5) * u128::from(word ^ 0x8bb8_4b93_962e_acc9);
        let [low, high] = [product as u64, (product >> 64) as u64];
        self.0 = low ^ high ^ word.rotate_left(23);
    }

    /// Mixes a string in, its length included.
    pub fn mix_bytes(&mut self, bytes: &[u8]) {
        self.mix(bytes.len() as u64);
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word));
        }
    }

    /// The hash so far.
    pub fn value(self) -> u64 {
        self.0
    }
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

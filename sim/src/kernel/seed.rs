//! Random numbers, in named streams.
//!
//! Every random choice of a world draws from a named stream: removing a fault, or adding a user's draw, must not
//! reshuffle the network's jitter. A stream depends only on the world's seed and its own name.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// A deterministic source of random numbers (xoshiro256++), seeded by a world's seed and the stream's name.
#[derive(Debug, Clone)]
pub struct Stream(Xoshiro256PlusPlus);

impl Stream {
    /// The stream `name` of the world with this `seed`.
    pub fn new(seed: u64, name: &str) -> Self {
        // FNV-1a tells the names apart; seed_from_u64 spreads the sum over the whole state.
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for byte in name.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        Self(Xoshiro256PlusPlus::seed_from_u64(
            seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ hash,
        ))
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Random bytes.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }

    /// A number below `bound`, by multiplication (bias below 2^-32 for the small bounds used here); 0 for a bound of 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.next_u64()) * u128::from(bound);
        u64::try_from(wide >> 64).expect("a 128-bit number shifted by 64 fits")
    }

    /// A number in `[0, 1)` with 53 random bits, as JavaScript's `Math.random()`.
    pub fn unit(&mut self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits are exact in an f64")]
        let numerator = (self.next_u64() >> 11) as f64;
        numerator / 9_007_199_254_740_992.0
    }

    /// True with probability `ratio`.
    pub fn chance(&mut self, ratio: f64) -> bool {
        ratio > 0.0 && self.unit() < ratio
    }
}

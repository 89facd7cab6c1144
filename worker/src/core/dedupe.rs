//! "Not again within this long": what one isolate remembers of what it has already said.

use std::collections::BTreeMap;

/// Keys said lately, with the instant of each. Bounded: beyond [`CAPACITY`](Dedupe::CAPACITY) keys the oldest is forgotten,
/// which can only repeat something, never swallow it.
#[derive(Debug, Default)]
pub struct Dedupe {
    said: BTreeMap<String, u64>,
}

impl Dedupe {
    /// How many keys are remembered.
    pub const CAPACITY: usize = 1_024;

    /// Whether `key` may be said at `now_ms`, having not been said in the `window_ms` before; if so it counts as said.
    ///
    /// A clock that went back counts as "said just now": the key waits for one window at most.
    pub fn claim(&mut self, key: &str, now_ms: u64, window_ms: u64) -> bool {
        if let Some(said_ms) = self.said.get_mut(key) {
            *said_ms = (*said_ms).min(now_ms);
            if now_ms - *said_ms < window_ms {
                return false;
            }
            *said_ms = now_ms;
            return true;
        }
        if self.said.len() >= Self::CAPACITY {
            let oldest = self
                .said
                .iter()
                .min_by_key(|(_, said_ms)| **said_ms)
                .map(|(key, _)| key.clone());
            if let Some(oldest) = oldest {
                self.said.remove(&oldest);
            }
        }
        self.said.insert(key.to_owned(), now_ms);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::Dedupe;

    #[test]
    fn a_key_is_said_once_per_window_and_others_are_not_swallowed() {
        let mut dedupe = Dedupe::default();
        assert!(dedupe.claim("a", 1_000, 300));
        assert!(!dedupe.claim("a", 1_299, 300));
        assert!(dedupe.claim("b", 1_299, 300));
        assert!(dedupe.claim("a", 1_300, 300));
        assert!(!dedupe.claim("a", 1_301, 300));
    }

    #[test]
    fn a_clock_that_goes_back_blocks_a_key_for_one_window_at_most() {
        let mut dedupe = Dedupe::default();
        assert!(dedupe.claim("a", 1_000_000, 300));
        assert!(!dedupe.claim("a", 5_000, 300));
        assert!(dedupe.claim("a", 5_300, 300));
    }

    #[test]
    fn memory_stays_bounded_and_new_keys_are_always_said() {
        let mut dedupe = Dedupe::default();
        for i in 0..3 * Dedupe::CAPACITY {
            assert!(dedupe.claim(&i.to_string(), i as u64, 1_000_000));
        }
        assert_eq!(dedupe.said.len(), Dedupe::CAPACITY);
    }
}

//! The first level of the cache: values in one isolate's memory.

use std::collections::BTreeMap;
use std::rc::Rc;

/// How many values an isolate keeps.
const MEMORY_MAX: usize = 512;

/// How long a request waits for another that computes the same value, in milliseconds.
pub(super) const WAIT_MAX_MS: u64 = 2_000;

/// Values in this isolate's memory.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(super) slots: BTreeMap<String, Slot>,
    /// Until then nothing is put into KV: the allowance was found used up.
    pub(super) no_put_before_ms: u64,
}

#[derive(Debug, Clone)]
pub(super) enum Slot {
    /// Somebody computes it, since this instant.
    Computing(u64),
    Ready {
        body: Rc<str>,
        until_ms: u64,
    },
}

impl Memory {
    /// Whether KV may not be written to at the moment.
    pub(crate) fn is_alone(&self, now_ms: u64) -> bool {
        now_ms < self.no_put_before_ms
    }

    pub(super) fn get(&self, key: &str, now_ms: u64) -> Option<Slot> {
        self.slots
            .get(key)
            .filter(|slot| slot.lives(now_ms))
            .cloned()
    }

    pub(super) fn put(&mut self, key: String, slot: Slot, now_ms: u64) {
        if self.slots.len() >= MEMORY_MAX {
            self.slots.retain(|_, slot| slot.lives(now_ms));
            if self.slots.len() >= MEMORY_MAX {
                self.slots.pop_first();
            }
        }
        self.slots.insert(key, slot);
    }
}

impl Slot {
    pub(super) fn lives(&self, now_ms: u64) -> bool {
        match self {
            Self::Computing(since_ms) => now_ms < since_ms + WAIT_MAX_MS,
            Self::Ready { until_ms, .. } => now_ms < *until_ms,
        }
    }
}

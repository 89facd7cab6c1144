//! The ledgers of an isolate, for as long as the object is away.

use crate::core::limiter::{Algorithm, Decision, Ledger};
use crate::core::policy::Policy;
use std::collections::BTreeMap;

/// How many ledgers an isolate keeps while the object is away.
const LEDGERS_MAX: usize = 10_000;

/// One ledger for each policy and object name.
#[derive(Debug, Default)]
pub(crate) struct Ledgers(BTreeMap<String, Ledger>);

impl Ledgers {
    /// Charges one request to the ledger of that policy and object name.
    pub(super) fn charge(
        &mut self,
        algorithm: Algorithm,
        policy: &Policy,
        name: &str,
        now_ms: u64,
    ) -> Decision {
        let ledgers = &mut self.0;
        let key = [policy.name.as_str(), ":", name].concat();
        if ledgers.len() >= LEDGERS_MAX && !ledgers.contains_key(&key) {
            ledgers.retain(|_, ledger| ledger.expires_at_ms(policy.quota) > now_ms);
            if ledgers.len() >= LEDGERS_MAX {
                ledgers.pop_first();
            }
        }
        let ledger = ledgers.entry(key).or_insert_with(|| Ledger::new(algorithm));
        ledger.charge(policy.quota, now_ms)
    }
}

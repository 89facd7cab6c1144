//! What an object keeps for one policy, in memory and under its key.

use super::charge::Charge;
use crate::core::config::Config;
use crate::core::decimal;
use crate::core::limiter::{Algorithm, Ledger};
use crate::core::policy::Quota;

/// What an object keeps for one policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) ledger: Ledger,
    /// When the last alert was claimed; 0 is never.
    pub(super) alerted_ms: u64,
    /// When the last denial was claimed for the log; 0 is never. Stored with the next write only: losing it costs a row at most.
    pub(super) denied_ms: u64,
}

impl Held {
    pub(super) fn new(algorithm: Algorithm) -> Self {
        Self {
            ledger: Ledger::new(algorithm),
            alerted_ms: 0,
            denied_ms: 0,
        }
    }

    /// Takes what would lie in the future as just now, if the clock went back; true if there was any. Then it must be stored even
    /// if the request is denied, or it would be settled anew whenever it is read.
    pub(super) fn settle(&mut self, quota: Quota, now_ms: u64) -> bool {
        let ahead = self.alerted_ms > now_ms || self.denied_ms > now_ms;
        self.alerted_ms = self.alerted_ms.min(now_ms);
        self.denied_ms = self.denied_ms.min(now_ms);
        self.ledger.settle(quota, now_ms) | ahead
    }

    /// After [`settle`](Self::settle).
    pub(super) fn charge(&mut self, quota: Quota, dedupe_ms: u64, now_ms: u64) -> Charge {
        let decision = self.ledger.charge(quota, now_ms);
        let claim = |mark_ms: &mut u64, window_ms: u64| {
            let free = !decision.allowed
                && (*mark_ms == 0 || now_ms.saturating_sub(*mark_ms) >= window_ms);
            if free {
                *mark_ms = now_ms;
            }
            free
        };
        let first_denial = claim(&mut self.denied_ms, quota.window_ms);
        let alert = claim(&mut self.alerted_ms, dedupe_ms);
        let quiet_until_ms = (self.denied_ms + quota.window_ms).min(self.alerted_ms + dedupe_ms);
        Charge {
            decision,
            first_denial,
            alert,
            quiet_ms: quiet_until_ms.saturating_sub(now_ms),
            alone: false,
        }
    }

    pub(super) fn matters_until_ms(&self, quota: Quota, config: &Config) -> u64 {
        let alerted = if self.alerted_ms == 0 {
            0
        } else {
            self.alerted_ms + config.alert_dedupe_ms
        };
        self.ledger.expires_at_ms(quota).max(alerted)
    }

    pub(super) fn encode(&self) -> String {
        let mut text = String::with_capacity(256);
        decimal::push(&mut text, self.alerted_ms);
        text.push(' ');
        decimal::push(&mut text, self.denied_ms);
        text.push(' ');
        self.ledger.encode(&mut text);
        text
    }

    pub(super) fn decode(algorithm: Algorithm, text: &str) -> Option<Self> {
        let (alerted, rest) = text.split_once(' ')?;
        let (denied, ledger) = rest.split_once(' ')?;
        let mark = |text| decimal::parse(text).filter(|mark_ms| *mark_ms < 1 << 60);
        Some(Self {
            ledger: Ledger::decode(algorithm, ledger)?,
            alerted_ms: mark(alerted)?,
            denied_ms: mark(denied)?,
        })
    }
}

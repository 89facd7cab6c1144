//! What charging a request gave, and how the object says it to an isolate.

use crate::core::decimal;
use crate::core::limiter::Decision;

/// The header in which the object answers. A body would have to be read as a stream, which takes several turns of the event loop.
pub(super) const CHARGE_HEADER: &str = "charge";

/// What charging a request gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Charge {
    pub(crate) decision: Decision,
    /// The first denial of this identity and policy in one window: worth a row in the log.
    pub(crate) first_denial: bool,
    /// Nobody has been told in the dedupe window.
    pub(crate) alert: bool,
    /// For how long, in milliseconds, a further denial would be neither.
    pub(crate) quiet_ms: u64,
    /// This isolate decided by itself, from its memory: others may be about to tell the same.
    pub(crate) alone: bool,
}

impl Charge {
    /// Six numbers: allowed, remaining, milliseconds until it comes back, first denial, alert, quiet.
    pub(super) fn encode(self) -> String {
        let mut text = String::with_capacity(32);
        let flags = [u64::from(self.first_denial), u64::from(self.alert)];
        for number in [
            u64::from(self.decision.allowed),
            self.decision.remaining.into(),
            self.decision.reset_ms,
        ]
        .into_iter()
        .chain(flags)
        .chain([self.quiet_ms])
        {
            decimal::push(&mut text, number);
            text.push(' ');
        }
        text
    }

    pub(super) fn decode(text: &str) -> Option<Self> {
        let mut numbers = text.split_ascii_whitespace().map(decimal::parse);
        let mut next = || numbers.next().flatten();
        let (allowed, remaining, reset_ms) = (next()? == 1, next()?.try_into().ok()?, next()?);
        Some(Self {
            decision: if allowed {
                Decision::admitted(remaining, reset_ms)
            } else {
                Decision::denied(reset_ms)
            },
            first_denial: next()? == 1,
            alert: next()? == 1,
            quiet_ms: next()?,
            alone: false,
        })
    }
}

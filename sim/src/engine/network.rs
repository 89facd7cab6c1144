//! Messages between PoPs: how long they travel, and how faults change that.

use super::Engine;
use crate::exception::Exception;
use crate::fault::Fate;
use crate::kernel::time::nanos;
use crate::platform::outbound::NETWORK_CONNECTION_LOST;
use crate::topology::Pop;

/// A message on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Passage {
    /// How long it travels, in nanoseconds.
    pub(crate) nanos: u64,
    /// How long a second copy of it travels, if a fault duplicates it; it does not overtake the first.
    pub(crate) copy_nanos: Option<u64>,
}

impl Engine {
    /// Sends a message from one PoP to another.
    ///
    /// # Errors
    /// The message is lost: a partition between the two PoPs, or a fault that drops it.
    pub(crate) fn send(&self, from: Pop, to: Pop) -> Result<Passage, Exception> {
        let nanos = self.travel_nanos(from, to);
        let mut faults = self.0.faults.borrow_mut();
        if faults.is_empty() {
            return Ok(Passage {
                nanos,
                copy_nanos: None,
            });
        }
        let now = self.now();
        let lost = || Exception::error(NETWORK_CONNECTION_LOST).retryable();
        if faults.partitioned(now, from, to) {
            return Err(lost());
        }
        let extra = self::nanos(faults.extra_latency(now, from, to));
        let nanos = nanos.saturating_add(extra);
        match faults.fate(now, from, to) {
            Fate::Delivered => Ok(Passage {
                nanos,
                copy_nanos: None,
            }),
            Fate::Dropped => Err(lost()),
            Fate::Duplicated => {
                let again = self.travel_nanos(from, to).saturating_add(extra);
                // The sender sees the answer to the copy that arrives first.
                Ok(Passage {
                    nanos: nanos.min(again),
                    copy_nanos: Some(nanos.max(again)),
                })
            }
        }
    }

    /// Time that an answer takes from one PoP to another. A duplicated answer has no effect: its receiver has the first
    /// copy.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub(crate) fn travel(&self, from: Pop, to: Pop) -> Result<u64, Exception> {
        self.send(from, to).map(|passage| passage.nanos)
    }

    /// Time until a PoP learns that nothing answers in another one. No message travels, so none is counted, lost or doubled.
    pub(crate) fn silence_nanos(&self, from: Pop, to: Pop) -> u64 {
        let extra = self.0.faults.borrow().extra_latency(self.now(), from, to);
        self.travel_nanos(from, to).saturating_add(nanos(extra))
    }

    fn travel_nanos(&self, from: Pop, to: Pop) -> u64 {
        let time = self.0.network.topology.one_way(from, to);
        let jitter = self.options().network_jitter;
        if jitter <= 0.0 {
            return time;
        }
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a few ns"
        )]
        let extra = (time as f64 * jitter * self.0.chance.network.borrow_mut().unit()) as u64;
        time + extra
    }
}

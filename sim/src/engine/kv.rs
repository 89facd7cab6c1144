//! KV as a Worker awaits it: check, count, travel to the central store if the PoP's cache cannot answer.

mod list;
mod read;
mod write;

use super::Engine;
use crate::exception::Exception;
use crate::fault::KvOperation;
use crate::kernel::fingerprint::Name;
use crate::kernel::time::{Instant, nanos};
use crate::platform::kv;
use crate::topology::Pop;
use bytes::Bytes;
use std::rc::Rc;

/// In the outage of 2025-06-12, calls that needed a store out of reach were answered 503 (or 500).
const UNREACHABLE: u16 = 503;

/// How long a written value is kept, and what is kept with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KvPutOptions {
    /// Metadata as JSON text.
    pub metadata: Option<Rc<str>>,
    /// When the value expires, in seconds since the Unix epoch.
    pub expiration_seconds: Option<u64>,
    /// How long until it expires, in seconds; takes precedence over `expiration_seconds`.
    pub expiration_ttl_seconds: Option<u64>,
}

/// Which keys a list wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KvListOptions {
    /// Keys begin with this.
    pub prefix: Option<String>,
    /// Where an earlier page ended.
    pub cursor: Option<String>,
    /// The maximum number of keys; 1000 by default.
    pub limit: Option<u64>,
}

/// What a KV read returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvRead {
    /// The value.
    pub value: Bytes,
    /// Metadata as JSON text.
    pub metadata: Option<Rc<str>>,
}

/// What a KV read returned, and whether the PoP's own cache knew it (`cacheStatus` in JavaScript: `HIT` or `MISS`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvAnswer {
    /// The value, if there is one as far as this PoP knows.
    pub read: Option<KvRead>,
    /// The PoP's cache answered.
    pub from_cache: bool,
}

/// What a read of many keys returned: each key with its value, in the order asked for.
pub type KvReads = Vec<(Rc<str>, Option<KvRead>)>;

impl Engine {
    /// The status of a fault that meets this call, if one does.
    pub(crate) fn kv_error(&self, now: Instant, operation: KvOperation) -> Option<u16> {
        let faults = self.0.faults.borrow();
        let mut dice = self.0.chance.fault.borrow_mut();
        faults
            .kv_errors(now, operation)
            .find(|(_, ratio)| *ratio >= 1.0 || dice.chance(*ratio))
            .map(|(status, _)| status)
    }

    pub(crate) fn with_kv<T>(
        &self,
        namespace: u32,
        act: impl FnOnce(&mut kv::Namespace) -> T,
    ) -> T {
        act(&mut self.0.namespaces.borrow_mut()[namespace as usize])
    }

    pub(crate) fn kv_name(&self, namespace: u32) -> String {
        self.0.namespaces.borrow()[namespace as usize]
            .binding
            .to_string()
    }

    /// The central store that a PoP asks.
    pub(super) fn kv_site(&self, pop: Pop) -> Pop {
        self.0.network.kv_sites[pop.index()]
    }

    /// Sends a request to the central store. `act` runs when it arrives, and what it returns travels back; so does the
    /// error of a store under a fault. `copied` is told how long a second copy of the request travels, if there is one.
    /// Returns the time of arrival too.
    ///
    /// # Errors
    /// A message is lost, or the store answers with an error.
    pub(super) async fn kv_exchange<T>(
        &self,
        exchange: &Exchange,
        copied: impl FnOnce(u64),
        act: impl FnOnce(Instant) -> Answered<T>,
    ) -> Result<(Instant, T), Exception> {
        let &Exchange { verb, pop, .. } = exchange;
        let site = self.kv_site(pop);
        let lost = |_| kv_status(verb, UNREACHABLE);
        let passage = self.send(pop, site).map_err(lost)?;
        if let Some(nanos) = passage.copy_nanos {
            copied(nanos);
        }
        let arrives = self.now().after(passage.nanos);
        self.sleep_until(arrives, exchange.there, 0).await;
        let arrived = self.now();
        let answer = match self.kv_error(arrived, exchange.operation) {
            None => Ok(act(arrived)),
            Some(status) => Err(kv_status(verb, status)),
        };
        let way_back = self.travel(site, pop).map_err(lost)? + nanos(self.options().kv_central);
        let detail = answer.as_ref().map_or(0, |answer| answer.detail);
        self.sleep_until(arrived.after(way_back), exchange.back, detail)
            .await;
        answer.map(|answer| (arrived, answer.value))
    }
}

/// A request to the central store: who asks for what, and the names of the two events.
pub(super) struct Exchange {
    pub(super) verb: &'static str,
    pub(super) pop: Pop,
    pub(super) operation: KvOperation,
    pub(super) there: Name,
    pub(super) back: Name,
}

/// What the central store answers.
pub(super) struct Answered<T> {
    pub(super) value: T,
    /// The detail of the answer's event.
    pub(super) detail: u64,
}

pub(crate) fn kv_status(verb: &str, status: u16) -> Exception {
    let reason = http::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or_default();
    kv::failed(verb, status, reason)
}

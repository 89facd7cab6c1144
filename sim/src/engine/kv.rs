//! KV as a Worker awaits it: check, count, travel to the central store if the PoP's cache cannot answer.

mod list;
mod read;
mod write;

use super::Engine;
use crate::exception::Exception;
use crate::fault::KvOperation;
use crate::kernel::time::Instant;
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

    pub(super) fn kv_travel(&self, verb: &str, from: Pop, to: Pop) -> Result<u64, Exception> {
        self.travel(from, to)
            .map_err(|_| kv_status(verb, UNREACHABLE))
    }
}

pub(crate) fn kv_status(verb: &str, status: u16) -> Exception {
    let reason = http::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or_default();
    kv::failed(verb, status, reason)
}

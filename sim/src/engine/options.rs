//! Assumptions about time, as options.
//!
//! Cloudflare publishes next to no latencies. The values here are assumptions, in round numbers of a plausible order,
//! and each world can set them. They do not change what is *right*, only when things happen.

use crate::limits::Unsettled;
use crate::platform::{d1, isolate};
use crate::topology::LatencyModel;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The assumptions about a world that no source settles.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Between a client and the PoP it is attached to, each way.
    pub client_to_pop: Duration,
    /// Between PoPs.
    pub latency: LatencyModel,
    /// Every message between PoPs takes up to this ratio longer, drawn from the stream `network`.
    pub network_jitter: f64,
    /// A KV read that the PoP's cache answers.
    pub kv_cached_read: Duration,
    /// The central KV store's own time for a read or a write; the way there and back comes on top.
    pub kv_central: Duration,
    /// Where the central KV stores are: a PoP asks the nearest. All are one store here (KVHOW speaks of "a small number").
    pub kv_sites: Vec<String>,
    /// Start of an object's instance: from its first event's arrival to the constructor.
    pub object_start: Duration,
    /// From an object's write to its being durable with a quorum of its followers: what the output gate waits for.
    pub object_commit: Duration,
    /// Where D1 databases live; `None`: in the first PoP of the world.
    pub d1_home: Option<String>,
    /// How long D1 works on statements.
    pub d1_service: d1::ServiceTime,
    /// From the minute of a cron trigger to its run. Not published; the Worker is told the minute in any case.
    pub cron_delay: Duration,
    /// How isolates are started and evicted.
    pub isolates: isolate::Options,
    /// Points that Cloudflare's own pages leave open.
    pub unsettled: Unsettled,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            client_to_pop: Duration::from_millis(5),
            latency: LatencyModel::default(),
            network_jitter: 0.05,
            kv_cached_read: Duration::from_millis(1),
            kv_central: Duration::from_millis(5),
            kv_sites: vec!["IAD".into(), "AMS".into()],
            object_start: Duration::from_millis(5),
            object_commit: Duration::from_millis(5),
            d1_home: None,
            d1_service: d1::ServiceTime::default(),
            cron_delay: Duration::ZERO,
            isolates: isolate::Options::default(),
            unsettled: Unsettled::default(),
        }
    }
}

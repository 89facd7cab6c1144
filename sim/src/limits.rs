//! The platform's limits and error texts, as data.
//!
//! One file per product; every constant stands under the source it comes from, as `TAG date`. The tags name pages of
//! Cloudflare's documentation (`LIM` Workers limits, `KVLIM` KV limits, `DOLIM` Durable Objects limits, `D1LIM` D1
//! limits, `ERR` Workers errors, …), `WD` the source of workerd, `SDK` the source of miniflare, and `OBS` texts seen in
//! several unrelated public repositories but in no page. Figures that differ by plan are in [`PlanLimits`]; points that
//! the sources leave open, or where they contradict each other, are in [`Unsettled`] with both values.
//!
//! A constant is the most that is allowed, unless its name ends in `MIN` or `DEFAULT`; it is a [`Duration`] or has its
//! unit in its name. A text that several parts of the simulator use is a constant or a function here.
//!
//! Nothing is enforced here: the platform's state machines and the world compare and refuse. No code compares the sizes
//! of databases and of an object's storage, or [`Unsettled::sqlite`], yet.

pub mod api;
pub mod d1;
pub mod durable;
pub mod kv;
pub mod workers;

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The account's plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Plan {
    /// Workers Free: daily allowances, and refusals once they are used up.
    #[default]
    Free,
    /// Workers Paid: monthly allowances, and a price for what goes beyond.
    Paid,
}

/// The limits that differ between the plans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanLimits {
    /// CPU time of one HTTP request. LIM 2026-07-28: 10 ms on Free; 30 s by default on Paid. The limit is soft: an
    /// isolate may exceed it now and then.
    pub cpu: Duration,
    /// The most that `limits.cpu_ms` may ask for. LIM 2026-07-28; on Free the setting itself is refused
    /// ([`workers::CPU_LIMIT_ON_FREE`]).
    pub cpu_configurable: Option<Duration>,
    /// Outbound fetches of one invocation. LIM 2026-07-28 (changelog 2026-02-11): 50 and 10,000.
    pub subrequests: u32,
    /// The most that `limits.subrequests` may ask for. LIM 2026-07-28: 10 million on Paid.
    pub subrequests_configurable: Option<u32>,
    /// Calls of internal services (KV, Durable Objects, other bindings) of one invocation. LIM 2026-07-28: 1,000 on
    /// Free, as many as subrequests on Paid. See [`BindingCalls`].
    pub internal_subrequests: u32,
    /// D1 queries of one invocation. D1LIM 2026-04-21: 50 and 1,000.
    pub d1_queries: u32,
    /// Size of one D1 database in bytes. D1LIM 2026-04-21: 500 MB and 10 GB.
    pub d1_database_bytes: u64,
    /// D1 databases of an account. D1LIM 2026-04-21.
    pub d1_databases: u32,
    /// D1 storage of an account in bytes. D1LIM 2026-04-21: 5 GB and 1 TB.
    pub d1_account_bytes: u64,
    /// SQLite storage of one Durable Object in bytes. DOLIM 2026-06-01: 1 GB and 10 GB.
    pub object_storage_bytes: u64,
    /// SQLite storage of all of an account's Durable Objects in bytes; `None` is unlimited. DOLIM 2026-06-01.
    pub object_account_bytes: Option<u64>,
    /// Durable Object classes of an account. DOLIM 2026-06-01.
    pub object_classes: u32,
    /// KV storage of an account (and of a namespace) in bytes; `None` is unlimited. KVLIM 2026-10-08.
    pub kv_account_bytes: Option<u64>,
    /// Environment variables of a Worker, secrets included. LIM 2026-07-28.
    pub variables: u32,
    /// Cron Triggers of an account. LIM 2026-07-28.
    pub cron_triggers: u32,
    /// Cache API calls of one invocation. LIM 2026-07-28.
    pub cache_calls: u32,
}

/// Free: LIM 2026-07-28, KVLIM 2026-10-08, DOLIM 2026-06-01, D1LIM 2026-04-21.
const FREE: PlanLimits = PlanLimits {
    cpu: Duration::from_millis(10),
    cpu_configurable: None,
    subrequests: 50,
    subrequests_configurable: None,
    internal_subrequests: 1_000,
    d1_queries: 50,
    d1_database_bytes: 500_000_000,
    d1_databases: 10,
    d1_account_bytes: 5_000_000_000,
    object_storage_bytes: 1_000_000_000,
    object_account_bytes: Some(5_000_000_000),
    object_classes: 100,
    kv_account_bytes: Some(1_000_000_000),
    variables: 64,
    cron_triggers: 5,
    cache_calls: 50,
};

/// Paid: the same pages.
const PAID: PlanLimits = PlanLimits {
    cpu: Duration::from_secs(30),
    cpu_configurable: Some(Duration::from_millis(workers::CPU_MS_CONFIGURABLE)),
    subrequests: 10_000,
    subrequests_configurable: Some(workers::SUBREQUESTS_CONFIGURABLE),
    internal_subrequests: 10_000,
    d1_queries: 1_000,
    d1_database_bytes: 10_000_000_000,
    d1_databases: 50_000,
    d1_account_bytes: 1_000_000_000_000,
    object_storage_bytes: 10_000_000_000,
    object_account_bytes: None,
    object_classes: 500,
    kv_account_bytes: None,
    variables: 128,
    cron_triggers: 250,
    cache_calls: 1_000,
};

impl Plan {
    /// The plan's own limits.
    pub const fn limits(self) -> &'static PlanLimits {
        match self {
            Self::Free => &FREE,
            Self::Paid => &PAID,
        }
    }
}

/// The points that the sources leave open. Each field's documentation names its default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Unsettled {
    /// The limit against which calls of bindings count.
    pub binding_calls: BindingCalls,
    /// How many of the D1 queries of an invocation a batch uses up.
    pub d1_batch: D1BatchCount,
    /// Which SQLite bounds apply.
    pub sqlite: SqliteBounds,
    /// HTTP statuses of the platform's own error pages.
    pub error_status: ErrorStatus,
    /// How long the rate limiter of a location counts a call for the isolate alone that made it. RL (2026) calls the counters
    /// "permissive, eventually consistent" and says that calls count within their location "very quickly, but not
    /// immediately". The default, zero, counts exactly: a Worker that must hold its limit under it may still admit more in
    /// production.
    pub rate_limit_lag: Duration,
}

/// The limit of an invocation against which a call of KV or of a Durable Object counts.
///
/// LIM 2026-07-28 contradicts itself: it defines a subrequest as a fetch *or* a call of R2, KV or D1 (so Free would have
/// 50 of all of them together), and then gives "internal services" 1,000 of their own; KVLIM 2026-10-08 says 1,000
/// operations on both plans.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BindingCalls {
    /// They have a limit of their own, [`PlanLimits::internal_subrequests`]; D1 has [`PlanLimits::d1_queries`]. The
    /// default, because two pages agree on it.
    #[default]
    OfTheirOwn,
    /// They and the fetches share [`PlanLimits::subrequests`].
    SharedWithFetch,
}

/// How many queries of [`PlanLimits::d1_queries`] a batch of n statements is. D1LIM 2026-04-21 does not say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum D1BatchCount {
    /// One: a batch is one call. The default, an assumption.
    #[default]
    One,
    /// n: every statement is a query.
    PerStatement,
}

/// Which bounds SQLite is held to. The documentation is stricter than workerd's source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SqliteBounds {
    /// DOLIM 2026-06-01 and D1LIM 2026-04-21: rows, strings and BLOBs of 2 MB, 32 arguments of a function. The default:
    /// what passes here passes in production.
    #[default]
    Documented,
    /// WD 2026-08-22: 4 MiB and 127 arguments, as the local runtime has them.
    Workerd,
}

impl SqliteBounds {
    /// Largest row, string or BLOB in bytes.
    pub const fn length_bytes(self) -> u32 {
        match self {
            Self::Documented => 2_000_000,
            Self::Workerd => 4 * 1024 * 1024,
        }
    }

    /// Most arguments of an SQL function.
    pub const fn function_arguments(self) -> u32 {
        match self {
            Self::Documented => 32,
            Self::Workerd => 127,
        }
    }
}

/// HTTP statuses of error pages for which no page of the documentation names one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ErrorStatus {
    /// Of error 1101, an uncaught exception. ERR 2026-10-08 names none; commonly 500.
    pub exception_1101: u16,
    /// Of error 1102, resource limits exceeded. ERR 2026-10-08 names none; commonly 503.
    pub exceeded_1102: u16,
}

impl Default for ErrorStatus {
    fn default() -> Self {
        Self {
            exception_1101: 500,
            exceeded_1102: 503,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paid_never_allows_less_than_free() {
        let (free, paid) = (Plan::Free.limits(), Plan::Paid.limits());
        assert!(
            paid.cpu > free.cpu
                && paid.subrequests > free.subrequests
                && paid.d1_queries > free.d1_queries
        );
        assert!(
            paid.internal_subrequests >= free.internal_subrequests
                && paid.d1_database_bytes > free.d1_database_bytes
        );
        assert!(
            paid.object_storage_bytes > free.object_storage_bytes
                && paid.variables > free.variables
        );
    }

    #[test]
    fn alarms_are_retried_after_two_seconds_doubled_each_time() {
        let delays: Vec<u64> = (0..durable::ALARM_RETRIES)
            .map(|retry| durable::alarm_retry_delay(retry).as_secs())
            .collect();
        assert_eq!(delays, [2, 4, 8, 16, 32, 64]);
    }

    #[test]
    fn the_backoff_of_internal_failures_stops_growing() {
        assert_eq!(durable::alarm_retry_delay(9), Duration::from_secs(1024));
        assert_eq!(durable::alarm_retry_delay(40), Duration::from_secs(1024));
    }

    #[test]
    fn error_texts_carry_the_figures_they_speak_of() {
        assert_eq!(
            kv::key_too_long("PUT", 600),
            "KV PUT failed: 414 UTF-8 encoded length of 600 exceeds key length limit of 512."
        );
        assert_eq!(
            kv::cache_ttl_too_short(10),
            "Invalid cache_ttl of 10. Cache TTL must be at least 30."
        );
        assert_eq!(
            d1::error(d1::OVERLOADED_QUEUE),
            "D1_ERROR: D1 DB is overloaded. Too many requests queued."
        );
    }
}

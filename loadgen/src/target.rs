//! Where a burst can be sent, and what a target reports of a run.

pub mod embedded;
pub mod http;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::contract::{Charge, Configured};
use crate::observe::Tally;
use crate::secret::Secret;

/// What a target measured in a run.
#[derive(Debug)]
pub struct Measured {
    /// Counters, histograms and checks.
    pub tally: Tally,
    /// What the requests were charged to.
    pub charge: Charge,
    /// The limit that the Worker's variables configure; `None` over HTTP, where it is learned from the answers.
    pub configured: Option<Configured>,
    /// Whether no identity had used any quota before the run.
    pub fresh: bool,
    /// Why nothing (or not everything) could be sent; each makes the run unmeasured.
    pub trouble: Vec<String>,
    /// What the reader should know.
    pub notes: Vec<String>,
    /// Connections made again during the run because the server had closed them between two requests.
    pub reconnects: u64,
    /// Real time that the burst took on this machine.
    pub wall_seconds: f64,
    /// Results that only the simulated platform has.
    pub platform: Option<Platform>,
    /// Credentials obtained on the way.
    pub secrets: Vec<Secret>,
}

/// The simulated platform's results of a run.
#[derive(Debug, Clone, Default)]
pub struct Platform {
    /// Billable events by name.
    pub usage: BTreeMap<String, f64>,
    /// Each allowance of the plan and what the run used of it.
    pub budget: Vec<BudgetRow>,
    /// The allowance that ends first if the traffic goes on like this.
    pub first_to_end: Option<String>,
    /// How old the values were that KV reads returned; `None` if nothing was read.
    pub staleness: Option<Staleness>,
    /// The hash over every event of the world.
    pub fingerprint: String,
    /// Virtual time that the burst took.
    pub virtual_seconds: f64,
}

/// One allowance of a plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BudgetRow {
    /// What is allowed, for example `Workers requests`.
    pub allowance: String,
    /// How much of it the run used.
    pub used: f64,
    /// How much a UTC day allows.
    pub per_day: f64,
    /// `used / per_day`.
    pub share: f64,
}

/// How stale the KV reads of a run were.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Staleness {
    /// Reads that were served.
    pub reads: u64,
    /// Reads that returned a value already overwritten elsewhere.
    pub stale: u64,
    /// Median age of the stale ones, in milliseconds since they were overwritten.
    pub p50_ms: f64,
    /// 99th percentile of the same.
    pub p99_ms: f64,
    /// The oldest.
    pub max_ms: f64,
}

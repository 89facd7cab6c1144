//! Percentiles of latencies.

use hdrhistogram::Histogram;
use serde::Serialize;

/// Latencies of admitted and denied requests; `null` where there were none.
#[derive(Debug, Clone, Serialize)]
pub struct Latencies {
    /// Of admitted requests.
    pub admitted: Option<Percentiles>,
    /// Of denied requests.
    pub denied: Option<Percentiles>,
}

/// Percentiles of a histogram with three significant digits, in milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Percentiles {
    /// How many requests.
    pub count: u64,
    /// Median.
    pub p50: f64,
    /// 90 %.
    pub p90: f64,
    /// 99 %.
    pub p99: f64,
    /// 99.9 %.
    #[serde(rename = "p99.9")]
    pub p99_9: f64,
    /// The slowest.
    pub max: f64,
}

impl Percentiles {
    pub(super) fn of(nanoseconds: &Histogram<u64>) -> Option<Self> {
        if nanoseconds.is_empty() {
            return None;
        }
        let at = |quantile| nanoseconds.value_at_quantile(quantile) as f64 / 1e6;
        Some(Self {
            count: nanoseconds.len(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            max: nanoseconds.max() as f64 / 1e6,
        })
    }
}

//! Counters of one isolate: rate-limit hits, cache hit ratio, error rate, security events, response times.
//!
//! They count what this isolate did since it started and are lost with it; several isolates each have their own. For totals,
//! scrape often and add up, or use the platform's analytics. No third party is needed to read them.

use std::cell::Cell;
use std::fmt::Write as _;

use serde::Serialize;

/// Upper ends of the response-time buckets, in milliseconds.
const BUCKETS_MS: [u64; 10] = [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000];

/// What was counted.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    /// Answers by class: 2xx, 3xx, 4xx, 5xx.
    answers: [Cell<u64>; 4],
    pub(crate) rate_limit_hits: Cell<u64>,
    /// Charges that the memory of this isolate had to decide.
    pub(crate) rate_limit_fallbacks: Cell<u64>,
    pub(crate) cache_hits: Cell<u64>,
    pub(crate) cache_misses: Cell<u64>,
    pub(crate) logins_failed: Cell<u64>,
    pub(crate) tokens_rejected: Cell<u64>,
    pub(crate) alerts_sent: Cell<u64>,
    pub(crate) alerts_failed: Cell<u64>,
    /// One more than [`BUCKETS_MS`]: the last is everything longer.
    times: [Cell<u64>; BUCKETS_MS.len() + 1],
    time_sum_ms: Cell<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct View {
    scope: &'static str,
    requests: u64,
    client_errors: u64,
    server_errors: u64,
    error_rate: f64,
    rate_limit_hits: u64,
    rate_limit_fallbacks: u64,
    cache_hits: u64,
    cache_misses: u64,
    cache_hit_ratio: f64,
    security_events: u64,
    logins_failed: u64,
    tokens_rejected: u64,
    alerts_sent: u64,
    alerts_failed: u64,
    response_time_ms: Times,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Times {
    count: u64,
    sum: u64,
    mean: f64,
    /// `[upper end or null, count]`, not cumulative.
    buckets: Vec<(Option<u64>, u64)>,
}

/// Adds one.
pub(crate) fn count(counter: &Cell<u64>) {
    counter.set(counter.get() + 1);
}

impl Metrics {
    /// Counts one answer and the time it took by the platform's clock, which moves only with I/O: CPU time is not in it.
    pub(crate) fn answered(&self, status: u16, took_ms: u64) {
        let class = usize::from(status / 100).clamp(2, 5) - 2;
        count(&self.answers[class]);
        count(&self.times[BUCKETS_MS.partition_point(|upper| *upper < took_ms)]);
        self.time_sum_ms.set(self.time_sum_ms.get() + took_ms);
    }

    /// `{"data":{…}}`
    pub(crate) fn json(&self) -> Vec<u8> {
        let requests = self.requests();
        let (hits, misses) = (self.cache_hits.get(), self.cache_misses.get());
        let view = View {
            scope: "isolate",
            requests,
            client_errors: self.answers[2].get(),
            server_errors: self.answers[3].get(),
            error_rate: ratio(self.answers[3].get(), requests),
            rate_limit_hits: self.rate_limit_hits.get(),
            rate_limit_fallbacks: self.rate_limit_fallbacks.get(),
            cache_hits: hits,
            cache_misses: misses,
            cache_hit_ratio: ratio(hits, hits + misses),
            security_events: self.security_events(),
            logins_failed: self.logins_failed.get(),
            tokens_rejected: self.tokens_rejected.get(),
            alerts_sent: self.alerts_sent.get(),
            alerts_failed: self.alerts_failed.get(),
            response_time_ms: Times {
                count: requests,
                sum: self.time_sum_ms.get(),
                mean: ratio(self.time_sum_ms.get(), requests),
                buckets: BUCKETS_MS
                    .into_iter()
                    .map(Some)
                    .chain([None])
                    .zip(self.times.iter().map(Cell::get))
                    .collect(),
            },
        };
        crate::envelope::data(&view)
    }

    /// The text format of Prometheus, version 0.0.4.
    pub(crate) fn prometheus(&self) -> String {
        let mut text = String::new();
        for (name, help, value) in [
            (
                "rate_limit_hits_total",
                "Requests denied by a quota.",
                self.rate_limit_hits.get(),
            ),
            (
                "rate_limit_fallbacks_total",
                "Charges decided by the isolate's memory.",
                self.rate_limit_fallbacks.get(),
            ),
            (
                "cache_hits_total",
                "Cached values served.",
                self.cache_hits.get(),
            ),
            (
                "cache_misses_total",
                "Cached values computed.",
                self.cache_misses.get(),
            ),
            (
                "security_events_total",
                "Denials, failed logins and rejected tokens.",
                self.security_events(),
            ),
            (
                "alerts_sent_total",
                "Alerts that a receiver took.",
                self.alerts_sent.get(),
            ),
            (
                "alerts_failed_total",
                "Alerts that no receiver took.",
                self.alerts_failed.get(),
            ),
        ] {
            push(
                &mut text,
                format_args!(
                    "# HELP edgeproof_{name} {help}\n# TYPE edgeproof_{name} counter\nedgeproof_{name} {value}\n"
                ),
            );
        }
        push(
            &mut text,
            format_args!(
                "# HELP edgeproof_requests_total Answers by class.\n# TYPE edgeproof_requests_total counter\n"
            ),
        );
        for (class, answers) in self.answers.iter().enumerate() {
            push(
                &mut text,
                format_args!(
                    "edgeproof_requests_total{{class=\"{}xx\"}} {}\n",
                    class + 2,
                    answers.get()
                ),
            );
        }
        let name = "edgeproof_response_time_seconds";
        push(
            &mut text,
            format_args!(
                "# HELP {name} Time to answer, by a clock that moves only with I/O.\n# TYPE {name} histogram\n"
            ),
        );
        let mut cumulative = 0;
        for (upper_ms, times) in BUCKETS_MS.iter().zip(&self.times) {
            cumulative += times.get();
            push(
                &mut text,
                format_args!(
                    "{name}_bucket{{le=\"{}\"}} {cumulative}\n",
                    *upper_ms as f64 / 1_000.0
                ),
            );
        }
        let requests = self.requests();
        push(
            &mut text,
            format_args!("{name}_bucket{{le=\"+Inf\"}} {requests}\n"),
        );
        push(
            &mut text,
            format_args!(
                "{name}_sum {}\n{name}_count {requests}\n",
                self.time_sum_ms.get() as f64 / 1_000.0
            ),
        );
        text
    }

    fn requests(&self) -> u64 {
        self.answers.iter().map(Cell::get).sum()
    }

    fn security_events(&self) -> u64 {
        self.rate_limit_hits.get() + self.logins_failed.get() + self.tokens_rejected.get()
    }
}

fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments)
        .expect("writing to a String does not fail");
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

#[cfg(test)]
mod tests {
    use super::{Metrics, count};

    #[test]
    fn the_five_measures_come_from_what_was_counted() {
        let metrics = Metrics::default();
        for (status, took_ms) in [(200, 3), (201, 5), (429, 6), (503, 9_999)] {
            metrics.answered(status, took_ms);
        }
        count(&metrics.rate_limit_hits);
        count(&metrics.cache_hits);
        count(&metrics.logins_failed);
        let json: serde_json::Value = serde_json::from_slice(&metrics.json()).unwrap();
        let data = &json["data"];
        assert_eq!(
            (data["requests"].as_u64(), data["errorRate"].as_f64()),
            (Some(4), Some(0.25))
        );
        assert_eq!(
            (
                data["cacheHitRatio"].as_f64(),
                data["securityEvents"].as_u64()
            ),
            (Some(1.0), Some(2))
        );
        assert_eq!(
            data["responseTimeMs"]["buckets"][0],
            serde_json::json!([5, 2])
        );
        assert_eq!(
            data["responseTimeMs"]["buckets"][10],
            serde_json::json!([null, 1])
        );
    }

    #[test]
    fn the_histogram_of_prometheus_is_cumulative() {
        let metrics = Metrics::default();
        for took_ms in [1, 7, 30_000] {
            metrics.answered(200, took_ms);
        }
        let text = metrics.prometheus();
        for line in [
            "edgeproof_requests_total{class=\"2xx\"} 3",
            "edgeproof_response_time_seconds_bucket{le=\"0.005\"} 1",
            "edgeproof_response_time_seconds_bucket{le=\"5\"} 2",
            "edgeproof_response_time_seconds_bucket{le=\"+Inf\"} 3",
            "edgeproof_response_time_seconds_sum 30.008",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}

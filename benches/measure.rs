//! What the benches of real processes measure with: a clock, the kernel's count of CPU time, tokens of today, medians.

#![allow(dead_code, reason = "no bench needs all of it")]

use edgeproof_worker::core::jwt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What the Workers under measurement check tokens with.
pub(crate) const SECRET: &str = "a secret for benches, 32 bytes or more";

#[expect(clippy::disallowed_methods, reason = "a bench measures the wall clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// `Authorization` for a user, valid for an hour from now.
#[expect(
    clippy::disallowed_methods,
    reason = "tokens for a real runtime are of today"
)]
pub(crate) fn token(user: &str) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    format!(
        "Bearer {}",
        jwt::mint(SECRET, user, "user", now.as_secs(), 3600)
    )
}

/// CPU time of a process so far: user and system, from /proc/PID/stat.
pub(crate) fn cpu(process: u32) -> Duration {
    let stat =
        std::fs::read_to_string(format!("/proc/{process}/stat")).expect("the process is there");
    // The name, in parentheses, may hold anything.
    let fields = stat.rsplit_once(')').expect("a name").1;
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks
        .map(|ticks| ticks.parse::<u64>().expect("a number"))
        .sum();
    // USER_HZ is 100 on every Linux that Rust runs on.
    Duration::from_millis(ticks * 10)
}

/// Microseconds of each of `requests`.
#[expect(clippy::cast_precision_loss, reason = "thousands")]
pub(crate) fn micros(time: Duration, requests: usize) -> f64 {
    time.as_secs_f64() * 1e6 / requests as f64
}

/// The values in order: the first is the smallest, the one in the middle the median.
pub(crate) fn sorted(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values
}

pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let values = sorted(values);
    values[values.len() / 2]
}

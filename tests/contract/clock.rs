//! The wall clock, which is a served Worker's.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Seconds since 1970.
pub(crate) fn unix_seconds() -> u64 {
    unix_ms() / 1_000
}

/// Milliseconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "a served Worker has the wall clock"
)]
pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since.expect("it is later than 1970").as_millis()).expect("it fits for ages")
}

/// For what lies between two moments.
#[expect(
    clippy::disallowed_methods,
    reason = "how long a real server takes is the claim"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a window on the wall clock is waited for"
)]
pub(crate) fn wait(time: Duration) {
    std::thread::sleep(time);
}

/// Asks again until there is a value.
///
/// # Panics
/// If there is none within `limit`.
pub(crate) fn within<T>(limit: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begin = now();
    loop {
        if let Some(value) = ask() {
            return value;
        }
        assert!(begin.elapsed() < limit, "not within {limit:?}: {what}");
        wait(Duration::from_millis(150));
    }
}

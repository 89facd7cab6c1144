//! The headers that the configuration of workerd injects, so that each request names its binding.

use http::{HeaderMap, HeaderName};

/// Header that names a KV namespace by its binding.
pub const NAMESPACE_HEADER: &str = "x-sim-namespace";
/// Header that names a D1 database by its binding.
pub const DATABASE_HEADER: &str = "x-sim-database";
/// Header that names the counters of a rate limiter by its `namespace_id`.
pub const RATE_LIMIT_HEADER: &str = "x-sim-ratelimit";
/// Header that marks an outbound fetch of the Worker.
pub const OUTBOUND_HEADER: &str = "x-sim-outbound";

/// A header as text; `None` when it is absent or not ASCII.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Drops the headers that the configuration injects, and every other whose name begins like theirs.
pub(super) fn strip_own_headers(headers: &mut HeaderMap) {
    let ours = |name: &&HeaderName| name.as_str().starts_with("x-sim-");
    let names: Vec<HeaderName> = headers.keys().filter(ours).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

//! Limits and errors of Workers KV (the classic store, not KV Instant).

use std::time::Duration;

/// Length of a key in bytes of UTF-8. KVLIM 2026-10-08.
pub const KEY_BYTES: usize = 512;
/// Length of a key's metadata in bytes of JSON. KVLIM 2026-10-08.
pub const METADATA_BYTES: usize = 1_024;
/// Size of a value in bytes. KVLIM 2026-10-08: 25 MiB.
pub const VALUE_BYTES: usize = 25 * 1024 * 1024;
/// How far ahead `expirationTtl` and `expiration` must lie at least, in seconds. KVLIM 2026-10-08.
pub const EXPIRATION_TTL_SECONDS: u64 = 60;
/// How long a PoP serves a cached value, or a cached miss, unless a read asks otherwise. KVGET (2026-09): 60 s.
pub const CACHE_TTL_DEFAULT: Duration = Duration::from_secs(60);
/// Smallest `cacheTtl`, in seconds. KVLIM 2026-10-08: 30 (60 in older pages).
pub const CACHE_TTL_MIN_SECONDS: u64 = 30;
/// Keys on one page of a list. SDK 2026-08-22.
pub const LIST_KEYS: usize = 1_000;
/// Keys of one bulk get. KVLIM 2026-10-08.
pub const BULK_GET_KEYS: usize = 100;
/// Operations of one invocation; a bulk get is one. KVLIM 2026-10-08, both plans.
pub const OPERATIONS: u32 = 1_000;
/// One write per key in this time. KVLIM 2026-10-08. Window and place of the real limiter are not published: here it is
/// the central store that refuses a write less than this after the last one it took for the key.
pub const WRITE_INTERVAL: Duration = Duration::from_secs(1);

/// Refusal of a write too soon after the last one. KVPUT 2026-06-22.
pub const PUT_TOO_SOON: &str = "KV PUT failed: 429 Too Many Requests";
/// TypeError of an empty key. WD 2026-08-22.
pub const KEY_EMPTY: &str = "Key name cannot be empty.";
/// TypeError of the key `.`. WD 2026-08-22.
pub const KEY_DOT: &str = "\".\" is not allowed as a key name.";
/// TypeError of the key `..`. WD 2026-08-22.
pub const KEY_DOT_DOT: &str = "\"..\" is not allowed as a key name.";
/// Refusal of an empty key by the service, which the runtime does not ask first in a bulk read. SDK 2026-08-22.
pub const SERVICE_KEY_EMPTY: &str = "Key names must not be empty";
/// TypeError of a list limit that is no number of 32 bits. Observed on workerd 1.20261117.1.
pub const LIST_LIMIT_OUT_OF_RANGE: &str =
    "Value out of range. Must be between -2147483648 and 2147483647 (inclusive).";
/// Error of a write beyond the free daily allowance. OBS 2025-2026. Forms for reads and deletes were not seen.
pub const PUT_DAY_LIMIT: &str = "KV put() limit exceeded for the day.";
/// Error of a list beyond the free daily allowance. OBS 2025-2026.
pub const LIST_DAY_LIMIT: &str = "KV list() limit exceeded for the day.";

/// The general form of an error: `KV PUT failed: 500 Internal Server Error`. WD 2026-08-22; a list says `GET`.
pub fn failed(operation: &str, status: u16, status_text: &str) -> String {
    format!("KV {operation} failed: {status} {status_text}")
}

/// A key longer than [`KEY_BYTES`]. WD 2026-08-22.
pub fn key_too_long(operation: &str, bytes: usize) -> String {
    format!(
        "KV {operation} failed: 414 UTF-8 encoded length of {bytes} exceeds key length limit of {KEY_BYTES}."
    )
}

/// The keys `.` and `..`, refused by the service. SDK 2026-08-22.
pub fn service_key_illegal(key: &str) -> String {
    format!("Illegal key name \"{key}\". Please use a different name.")
}

/// A `cacheTtl` below [`CACHE_TTL_MIN_SECONDS`]. SDK 2026-08-22.
pub fn cache_ttl_too_short(seconds: u64) -> String {
    format!("Invalid cache_ttl of {seconds}. Cache TTL must be at least {CACHE_TTL_MIN_SECONDS}.")
}

/// An `expirationTtl` below [`EXPIRATION_TTL_SECONDS`]. SDK 2026-08-22, status 400.
pub fn expiration_ttl_too_short(seconds: u64) -> String {
    format!(
        "Invalid expiration_ttl of {seconds}. Expiration TTL must be at least {EXPIRATION_TTL_SECONDS}."
    )
}

/// Metadata longer than [`METADATA_BYTES`]. SDK 2026-08-22, status 413.
pub fn metadata_too_long(bytes: usize) -> String {
    format!("Metadata length of {bytes} exceeds limit of {METADATA_BYTES}.")
}

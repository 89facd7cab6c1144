//! Limits and errors of Workers KV (the classic store, not KV Instant).

use std::fmt::Display;
use std::time::Duration;

/// Length of a key in bytes of UTF-8. KVLIM 2026-10-08.
pub const KEY_BYTES: usize = 512;
/// Length of a key's metadata in bytes of JSON. KVLIM 2026-10-08.
pub const METADATA_BYTES: usize = 1_024;
/// Size of a value in bytes. KVLIM 2026-10-08: 25 MiB.
pub const VALUE_BYTES: usize = 25 * 1024 * 1024;
/// How far ahead `expirationTtl` and `expiration` must lie at least. KVLIM 2026-10-08.
pub const EXPIRATION_TTL_MIN: Duration = Duration::from_secs(60);
/// How long a PoP serves a cached value, or a cached miss, unless a read asks otherwise. KVGET (2026-09): 60 s.
pub const CACHE_TTL_DEFAULT: Duration = Duration::from_secs(60);
/// Smallest `cacheTtl`. KVLIM 2026-10-08: 30 s (60 in older pages).
pub const CACHE_TTL_MIN: Duration = Duration::from_secs(30);
/// Keys on one page of a list. SDK 2026-08-22.
pub const LIST_KEYS: usize = 1_000;
/// Keys of one bulk get. KVLIM 2026-10-08.
pub const BULK_GET_KEYS: usize = 100;
/// Operations of one invocation; a bulk get is one. KVLIM 2026-10-08, both plans.
pub const OPERATIONS: u32 = 1_000;
/// One write per key in this time. KVLIM 2026-10-08. Window and place of the real limiter are not published: here it is
/// the central store that refuses a write less than this after the last one it took for the key.
pub const WRITE_INTERVAL: Duration = Duration::from_secs(1);

/// TypeError of an empty key. WD 2026-08-22.
pub const KEY_EMPTY: &str = "Key name cannot be empty.";
/// TypeError of the key `.`. WD 2026-08-22.
pub const KEY_DOT: &str = "\".\" is not allowed as a key name.";
/// TypeError of the key `..`. WD 2026-08-22.
pub const KEY_DOT_DOT: &str = "\"..\" is not allowed as a key name.";
/// Refusal of an empty key by the service, which the runtime does not ask first in a bulk read. SDK 2026-08-22.
pub const SERVICE_KEY_EMPTY: &str = "Key names must not be empty";
/// Refusal of a key whose percent-encoding is broken, or stands for no UTF-8. SDK 2026-08-22, status 400.
pub const SERVICE_KEY_UNDECODABLE: &str = "Could not URL-decode key name";
/// Refusal of a bulk get without keys. SDK 2026-08-22, status 400.
pub const BULK_GET_NO_KEYS: &str = "You must request a minimum of 1 key";
/// Refusal of a bulk get of JSON that finds something else. SDK 2026-08-22, status 400.
pub const BULK_GET_NO_JSON: &str =
    "At least one of the requested keys corresponds to a non-json value";
/// Refusal of a bulk get whose values are too long together. SDK 2026-08-22, status 413.
pub const BULK_GET_TOO_LARGE: &str = "Total size of request exceeds the limit of 25MB";
/// Reason phrase of a write too soon after the last one to its key, with status 429. KVPUT 2026-06-22.
pub const WRITE_TOO_SOON: &str = "Too Many Requests";
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

/// A `cacheTtl` below [`CACHE_TTL_MIN`], or no number at all. SDK 2026-08-22, status 400.
pub fn cache_ttl_too_short(given: impl Display) -> String {
    let min = CACHE_TTL_MIN.as_secs();
    format!("Invalid cache_ttl of {given}. Cache TTL must be at least {min}.")
}

/// An `expirationTtl` that is no positive number. SDK 2026-08-22, status 400.
pub fn expiration_ttl_not_positive(given: impl Display) -> String {
    format!("Invalid expiration_ttl of {given}. Please specify integer greater than 0.")
}

/// An `expirationTtl` below [`EXPIRATION_TTL_MIN`]. SDK 2026-08-22, status 400.
pub fn expiration_ttl_too_short(seconds: u64) -> String {
    let min = EXPIRATION_TTL_MIN.as_secs();
    format!("Invalid expiration_ttl of {seconds}. Expiration TTL must be at least {min}.")
}

/// An `expiration` that has passed, or is no number at all. SDK 2026-08-22, status 400.
pub fn expiration_passed(given: impl Display) -> String {
    format!(
        "Invalid expiration of {given}. Please specify integer greater than the current number of seconds since the UNIX epoch."
    )
}

/// An `expiration` less than [`EXPIRATION_TTL_MIN`] ahead. SDK 2026-08-22, status 400.
pub fn expiration_too_soon(seconds: u64) -> String {
    let min = EXPIRATION_TTL_MIN.as_secs();
    format!(
        "Invalid expiration of {seconds}. Expiration times must be at least {min} seconds in the future."
    )
}

/// A value longer than [`VALUE_BYTES`]. SDK 2026-08-22, status 413.
pub fn value_too_long(bytes: impl Display) -> String {
    format!("Value length of {bytes} exceeds limit of {VALUE_BYTES}.")
}

/// A list's limit that is no positive number. SDK 2026-08-22, status 400.
pub fn list_limit_not_positive(given: impl Display) -> String {
    format!("Invalid key_count_limit of {given}. Please specify an integer greater than 0.")
}

/// A list's limit above [`LIST_KEYS`]. SDK 2026-08-22, status 400.
pub fn list_limit_too_large(given: u64) -> String {
    format!("Invalid key_count_limit of {given}. Please specify an integer less than {LIST_KEYS}.")
}

/// A bulk get of more than [`BULK_GET_KEYS`] keys. SDK 2026-08-22, status 400.
pub fn bulk_get_too_many() -> String {
    format!("You can request a maximum of {BULK_GET_KEYS} keys")
}

/// A bulk get of another type than text or JSON. SDK 2026-08-22, status 400.
pub fn bulk_get_type(given: &str) -> String {
    format!("\"{given}\" is not a valid type. Use \"json\" or \"text\"")
}

/// Metadata longer than [`METADATA_BYTES`]. SDK 2026-08-22, status 413.
pub fn metadata_too_long(bytes: usize) -> String {
    format!("Metadata length of {bytes} exceeds limit of {METADATA_BYTES}.")
}

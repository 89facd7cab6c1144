//! What is refused of a call before it reaches a store, and the texts of the refusals.

use crate::exception::Exception;
use crate::kernel::time::Instant;
use crate::limits;
use std::time::Duration;

/// `KV <verb> failed: <status> <reason>` (workerd kv.c++).
pub fn failed(verb: &str, status: u16, reason: &str) -> Exception {
    Exception::error(limits::kv::failed(verb, status, reason))
}

/// Checks a key as the runtime does before it sends anything (workerd kv.c++).
///
/// # Errors
/// An empty key, `.` or `..`: a `TypeError`. More than 512 bytes: 414.
pub fn check_key(verb: &str, key: &str) -> Result<(), Exception> {
    match key {
        "" => Err(Exception::type_error(limits::kv::KEY_EMPTY)),
        "." => Err(Exception::type_error(limits::kv::KEY_DOT)),
        ".." => Err(Exception::type_error(limits::kv::KEY_DOT_DOT)),
        _ if key.len() > limits::kv::KEY_BYTES => {
            Err(Exception::error(limits::kv::key_too_long(verb, key.len())))
        }
        _ => Ok(()),
    }
}

/// Checks a key of a bulk read: the runtime leaves that to the service, which uses other texts (miniflare's validator).
///
/// # Errors
/// An empty key, `.` or `..`: 400. More than 512 bytes: 414.
pub fn check_bulk_key(key: &str) -> Result<(), Exception> {
    let reason = match key {
        "" => limits::kv::SERVICE_KEY_EMPTY.to_owned(),
        "." | ".." => limits::kv::service_key_illegal(key),
        _ => return check_key("GET_BULK", key),
    };
    Err(failed("GET_BULK", 400, &reason))
}

/// Checks a `cacheTtl` as the service does.
///
/// # Errors
/// Below 30 seconds: 400 (KVLIM 2026-10-08; it was 60).
pub fn check_cache_ttl(verb: &str, cache_ttl_seconds: Option<u64>) -> Result<Duration, Exception> {
    match cache_ttl_seconds {
        None => Ok(limits::kv::CACHE_TTL_DEFAULT),
        Some(seconds) if seconds < limits::kv::CACHE_TTL_MIN.as_secs() => {
            Err(failed(verb, 400, &limits::kv::cache_ttl_too_short(seconds)))
        }
        Some(seconds) => Ok(Duration::from_secs(seconds)),
    }
}

/// Checks a write and gives its expiration in seconds since the Unix epoch.
///
/// # Errors
/// The service's own answers for sizes and times (miniflare's validator; KVLIM).
pub fn check_put(
    now: Instant,
    value_bytes: usize,
    metadata_bytes: usize,
    expiration: Option<u64>,
    expiration_ttl: Option<u64>,
) -> Result<Option<u64>, Exception> {
    let min = limits::kv::EXPIRATION_TTL_MIN.as_secs();
    let now_seconds = now.unix_seconds();
    // With both given, the time-to-live counts.
    let expires = match (expiration_ttl, expiration) {
        (Some(0), _) => {
            return Err(failed(
                "PUT",
                400,
                &limits::kv::expiration_ttl_not_positive(0),
            ));
        }
        (Some(ttl), _) if ttl < min => {
            return Err(failed(
                "PUT",
                400,
                &limits::kv::expiration_ttl_too_short(ttl),
            ));
        }
        (Some(ttl), _) => Some(now_seconds.saturating_add(ttl)),
        (None, Some(at)) if at <= now_seconds => {
            return Err(failed("PUT", 400, &limits::kv::expiration_passed(at)));
        }
        (None, Some(at)) if at < now_seconds + min => {
            return Err(failed("PUT", 400, &limits::kv::expiration_too_soon(at)));
        }
        (None, at) => at,
    };
    if metadata_bytes > limits::kv::METADATA_BYTES {
        return Err(failed(
            "PUT",
            413,
            &limits::kv::metadata_too_long(metadata_bytes),
        ));
    }
    if value_bytes > limits::kv::VALUE_BYTES {
        return Err(failed("PUT", 413, &limits::kv::value_too_long(value_bytes)));
    }
    Ok(expires)
}

/// Checks the options of a list and gives the page size.
///
/// # Errors
/// A limit outside 1…1000, or no number of 32 bits at all, or a prefix longer than a key may be.
pub fn check_list(prefix: &str, limit: Option<u64>) -> Result<usize, Exception> {
    if prefix.len() > limits::kv::KEY_BYTES {
        check_key("GET", prefix)?;
    }
    let most = limits::kv::LIST_KEYS;
    match limit {
        // Before anything is sent: JavaScript hands the runtime a number of 32 bits.
        Some(limit) if i32::try_from(limit).is_err() => {
            Err(Exception::type_error(limits::kv::LIST_LIMIT_OUT_OF_RANGE))
        }
        // The runtime leaves a limit of 0 out of the request (workerd kv.c++), so the page has its default size.
        None | Some(0) => Ok(most),
        Some(limit) if limit > most as u64 => {
            Err(failed("GET", 400, &limits::kv::list_limit_too_large(limit)))
        }
        Some(limit) => Ok(usize::try_from(limit).expect("at most 1000")),
    }
}

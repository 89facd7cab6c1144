//! Limits and errors of Durable Objects with SQLite storage.

use std::time::Duration;

/// Size of a key and its value together, in bytes. DOLIM 2026-06-01: 2 MB.
pub const KEY_AND_VALUE_BYTES: usize = 2_000_000;
/// Keys of one multi-key get, put or delete. WD 2026-08-22; stated for the legacy backend, not for SQLite.
pub const MULTI_KEYS: usize = 128;
/// Length of an SQL statement in bytes. DOLIM 2026-06-01: 100 KB.
pub const STATEMENT_BYTES: usize = 100_000;
/// Bound parameters of a statement. DOLIM 2026-06-01.
pub const PARAMETERS: usize = 100;
/// Columns of a table. DOLIM 2026-06-01.
pub const COLUMNS: usize = 100;
/// Length of a LIKE or GLOB pattern in bytes. DOLIM 2026-06-01.
pub const LIKE_PATTERN_BYTES: usize = 50;
/// Depth of an expression. WD 2026-08-22 (`SQLITE_LIMIT_EXPR_DEPTH`).
pub const EXPRESSION_DEPTH: u32 = 100;
/// Terms of a compound SELECT. WD 2026-08-22.
pub const COMPOUND_SELECT: u32 = 5;
/// Opcodes of one statement's program. WD 2026-08-22.
pub const VDBE_OPCODES: u32 = 25_000;
/// Depth of triggers. WD 2026-08-22.
pub const TRIGGER_DEPTH: u32 = 10;
/// Size of an empty database in bytes. DOPRICE 2026-06-19: about 12 KB.
pub const EMPTY_DATABASE_BYTES: u64 = 12_288;
/// Requests per second that one object can serve. DOLIM 2026-06-01: a soft limit.
pub const REQUESTS_PER_SECOND_SOFT: u32 = 1_000;
/// Idle time after which an object that may hibernate does. DOLIFE 2026-09-30.
pub const HIBERNATE_AFTER_IDLE: Duration = Duration::from_secs(10);
/// Shortest idle time after which an object that may not hibernate is evicted. DOLIFE 2026-09-30.
pub const EVICT_AFTER_IDLE_MIN: Duration = Duration::from_secs(70);
/// Longest such time. DOLIFE 2026-09-30.
pub const EVICT_AFTER_IDLE_MAX: Duration = Duration::from_secs(140);
/// CPU time of one request. DOLIM 2026-06-01: 30 s by default; refilled by every incoming request.
pub const CPU: Duration = Duration::from_secs(30);
/// Retries of an alarm whose handler failed, before it is dropped. DOALARM (2026-09).
pub const ALARM_RETRIES: u32 = 6;
/// Delay of the first retry; it doubles with each. DOALARM (2026-09).
pub const ALARM_RETRY_BASE: Duration = Duration::from_secs(2);
/// Largest exponent of the doubling, which only failures of the platform itself can reach. WD 2026-08-22.
pub const ALARM_RETRY_EXPONENT_MAX: u32 = 9;
/// Share of the delay that jitter adds at most. WD 2026-08-22 (`RETRY_JITTER_FACTOR`).
pub const ALARM_RETRY_JITTER: f64 = 0.25;

/// Delay before retry number `retry` (0 is the first), without jitter.
pub fn alarm_retry_delay(retry: u32) -> Duration {
    ALARM_RETRY_BASE * (1 << retry.min(ALARM_RETRY_EXPONENT_MAX))
}

/// A full database: writes fail, reads and DELETE work. DOLIM 2026-06-01.
pub const DATABASE_FULL: &str = "database or disk is full: SQLITE_FULL";
/// A row, string or BLOB beyond the bound. WD 2026-08-22, as observed; whether production words a key-value pair of more
/// than [`KEY_AND_VALUE_BYTES`] the same is not published.
pub const VALUE_TOO_LARGE: &str = "string or blob too big: SQLITE_TOOBIG";
/// Too many queued requests. DOTRBL 2026-05-15; `overloaded` is set. Thresholds are not published.
pub const OVERLOADED_QUEUE: &str = "Durable Object is overloaded. Too many requests queued.";
/// Too much queued data. DOTRBL 2026-05-15; `overloaded` is set.
pub const OVERLOADED_DATA: &str = "Durable Object is overloaded. Too much data queued.";
/// A request waited too long. DOTRBL 2026-05-15; `overloaded` is set.
pub const OVERLOADED_WAIT: &str = "Durable Object is overloaded. Requests queued for too long.";
/// Too many requests in ten seconds. DOTRBL 2026-05-15; `overloaded` is set.
pub const OVERLOADED_RATE: &str = "Durable Object is overloaded. Too many requests for the same object within a 10 second window.";
/// Reset by a deployment. DOTRBL 2026-05-15.
pub const RESET_CODE_UPDATED: &str = "Durable Object reset because its code was updated.";
/// Reset by storage that hung. DOTRBL 2026-05-15.
pub const RESET_STORAGE_TIMEOUT: &str =
    "Durable Object storage operation exceeded timeout which caused object to be reset.";
/// Too many stub look-ups of the account. DOTRBL 2026-05-15.
pub const ACCOUNT_OVERLOADED: &str = "Your account is generating too much load on Durable Objects. Please back off and try again later.";
/// Free daily requests used up. OBS 2025-2026, eight repositories; likewise the next three.
pub const DAY_REQUESTS: &str = "Exceeded allowed volume of requests in Durable Objects free tier.";
/// Free daily duration used up.
pub const DAY_DURATION: &str = "Exceeded allowed duration in Durable Objects free tier.";
/// Free daily rows read used up.
pub const DAY_ROWS_READ: &str = "Exceeded allowed rows read in Durable Objects free tier.";
/// Free daily rows written used up.
pub const DAY_ROWS_WRITTEN: &str = "Exceeded allowed rows written in Durable Objects free tier.";
/// How long one critical section (`blockConcurrencyWhile`, `transaction`) may take. WD 2026-08-22 (`io-context.h`): 30 s.
pub const CRITICAL_SECTION: Duration = Duration::from_secs(30);
/// A critical section that took longer than [`CRITICAL_SECTION`]; it resets the object. WD 2026-08-22.
pub const CRITICAL_SECTION_TIMEOUT: &str = "A call to blockConcurrencyWhile() in a Durable Object waited for too long. The call was canceled and the Durable Object was reset.";
/// A storage call by an instance that has ended. WD 2026-08-22.
pub const STORAGE_GONE: &str = "Durable Object storage is no longer accessible.";
/// `setAlarm()` with a time of 0 or before the Unix epoch. Observed on workerd 1.20261117.1.
pub const ALARM_TIME_NOT_POSITIVE: &str = "setAlarm() cannot be called with an alarm time <= 0";
/// `deleteAll()` inside a transaction. WD 2026-08-22 (`actor-storage`).
pub const DELETE_ALL_IN_TRANSACTION: &str = "Cannot call deleteAll() within a transaction";
/// `idFromString()` of anything but 64 hexadecimal digits. Observed on workerd 1.20261117.1.
pub const INVALID_ID: &str = "Invalid Durable Object ID: must be 64 hex digits";
/// `idFromString()` of another namespace's id. Observed on workerd 1.20261117.1.
pub const FOREIGN_ID: &str = "Durable Object ID is not valid for this namespace.";

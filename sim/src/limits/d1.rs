//! Limits and errors of D1.

use std::time::Duration;

/// Bound parameters of a statement. D1LIM 2026-04-21.
pub const PARAMETERS: usize = 100;
/// Length of a statement in bytes; in a batch each one by itself. D1LIM 2026-04-21: 100 KB.
pub const STATEMENT_BYTES: usize = 100_000;
/// Size of a row, string or BLOB in bytes. D1LIM 2026-04-21: 2 MB.
pub const ROW_BYTES: usize = 2_000_000;
/// Columns of a table. D1LIM 2026-04-21.
pub const COLUMNS: usize = 100;
/// Arguments of an SQL function. D1LIM 2026-04-21.
pub const FUNCTION_ARGUMENTS: usize = 32;
/// Length of a LIKE or GLOB pattern in bytes. D1LIM 2026-04-21.
pub const LIKE_PATTERN_BYTES: usize = 50;
/// Time of one query, or of one whole batch. D1LIM 2026-04-21.
pub const QUERY: Duration = Duration::from_secs(30);
/// Size of an empty database in bytes. D1PRICE 2026-04-21: about 12 KB.
pub const EMPTY_DATABASE_BYTES: u64 = 12_288;
/// How often a read-only query is retried by the platform. D1DBG 2026-08-11.
pub const READ_RETRIES: u32 = 2;

/// The prefix of every error's text. D1DBG 2026-08-11.
pub const ERROR_PREFIX: &str = "D1_ERROR: ";
/// A query waited too long. D1DBG 2026-08-11, as all the following texts.
pub const OVERLOADED_WAIT: &str = "D1 DB is overloaded. Requests queued for too long.";
/// Too many queued queries; how many is not published.
pub const OVERLOADED_QUEUE: &str = "D1 DB is overloaded. Too many requests queued.";
/// Free daily rows read used up: every query fails.
pub const DAY_ROWS_READ: &str = "Your account has exceeded D1's free tier daily row read limit. Upgrade to a paid plan or wait until tomorrow (midnight UTC) to continue. See https://developers.cloudflare.com/d1/platform/limits/ for more details.";
/// Free daily rows written used up: every query fails.
pub const DAY_ROWS_WRITTEN: &str = "Your account has exceeded D1's free tier daily row write limit. Upgrade to a paid plan or wait until tomorrow (midnight UTC) to continue. See https://developers.cloudflare.com/d1/platform/limits/ for more details.";
/// The database is as large as the plan allows.
pub const DATABASE_FULL: &str = "Exceeded maximum DB size.";
/// The account's databases are as large as the plan allows.
pub const ACCOUNT_FULL: &str = "Your account has exceeded D1's maximum account storage limit, please contact Cloudflare to raise your limit";
/// Reset by a deployment; may be retried.
pub const RESET_CODE_UPDATED: &str = "D1 DB reset because its code was updated.";
/// Storage did not start; may be retried.
pub const RESET_STARTING: &str =
    "Internal error while starting up D1 DB storage caused object to be reset.";
/// Storage failed; may be retried.
pub const RESET_STORAGE: &str = "Internal error in D1 DB storage caused object to be reset.";
/// The network failed; may be retried.
pub const NETWORK_LOST: &str = "Network connection lost.";
/// The node could not be found; may be retried.
pub const UNRESOLVED: &str = "Cannot resolve D1 DB due to transient issue on remote node.";
/// Nothing to run.
pub const NO_STATEMENTS: &str = "No SQL statements detected.";
/// Storage hung.
pub const STORAGE_TIMEOUT: &str =
    "D1 DB storage operation exceeded timeout which caused object to be reset.";
/// The database's isolate ran out of memory.
pub const MEMORY_EXCEEDED: &str = "D1 DB's isolate exceeded its memory limit and was reset.";
/// The query ran out of CPU time.
pub const CPU_EXCEEDED: &str = "D1 DB exceeded its CPU time limit and was reset.";

/// Status with which a database answers `dump()`, which only databases of D1's alpha had (D1API 2026). OBS 2026: a public
/// project's probe of a hosted database.
pub const DUMP_STATUS: u16 = 400;

/// The error of `dump()` as the Worker sees it, and its cause. WD 2026-08-22: the shim makes this text of any status but 200,
/// whatever the body says.
pub fn dump_refused() -> (String, String) {
    (
        format!("D1_DUMP_ERROR: Status + {DUMP_STATUS}"),
        format!("Status {DUMP_STATUS}"),
    )
}

/// An error as the Worker sees it: [`ERROR_PREFIX`] and `text`.
pub fn error(text: &str) -> String {
    format!("{ERROR_PREFIX}{text}")
}

//! Every SQL statement of the Worker. Values are bound, never written into the text.
//!
//! D1 bills rows read and rows written, and an index adds a row to every insert: so there are few indexes, and each query
//! says here what it reads.

/// One row, one in the index on `user_id`, and one in the totals of the month, which a trigger keeps.
pub(crate) const INSERT_TRANSACTION: &str = "INSERT INTO transactions (user_id, type, amount_cents, description, date, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

/// One row, and one in the index on `user_id`. Goes into one batch with [`INSERT_TRANSACTION`], whose row is the last one inserted:
/// no second round trip for the id.
pub(crate) const INSERT_TRANSACTION_AUDIT: &str = "INSERT INTO audit_logs (timestamp, category, action, user_id, metadata) VALUES (?1, 'transaction', 'create', ?2, json_object('transactionId', last_insert_rowid(), 'requestId', ?3))";

/// Reads as many rows as it returns: the index ends with the row id.
pub(crate) const LIST_TRANSACTIONS: &str = "SELECT id, type, amount_cents, description, date, created_at FROM transactions WHERE user_id = ?1 ORDER BY id DESC LIMIT ?2";

/// Reads one row.
pub(crate) const ONE_TRANSACTION: &str = "SELECT id, type, amount_cents, description, date, created_at FROM transactions WHERE id = ?1 AND user_id = ?2";

/// The version of a user's data. Reads one row.
pub(crate) const VERSION: &str =
    "SELECT id FROM transactions WHERE user_id = ?1 ORDER BY id DESC LIMIT 1";

/// Totals, and the version they belong to. Reads one row for each month that has any, and one for the version.
pub(crate) const SUMMARY: &str = "SELECT COALESCE(SUM(count), 0) AS count, COALESCE((SELECT MAX(id) FROM transactions WHERE user_id = ?1), 0) AS version, COALESCE(SUM(income_millions), 0) AS income_millions, COALESCE(SUM(income_rest), 0) AS income_rest, COALESCE(SUM(expense_millions), 0) AS expense_millions, COALESCE(SUM(expense_rest), 0) AS expense_rest FROM transaction_months WHERE user_id = ?1";

/// Reads as many rows as it returns, the latest months that have any.
pub(crate) const MONTHS: &str = "SELECT month, count, income_millions, income_rest, expense_millions, expense_rest FROM transaction_months WHERE user_id = ?1 ORDER BY month DESC LIMIT 24";

/// Reads one row, by the unique index on the name.
pub(crate) const USER_BY_NAME: &str =
    "SELECT id, password_hash, role FROM users WHERE username = ?1";

/// One row, one in the index on the category (two if it is `security`), and if it belongs to a user one in the index on `user_id`.
pub(crate) const INSERT_AUDIT: &str = "INSERT INTO audit_logs (timestamp, category, action, user_id, metadata) VALUES (?1, ?2, ?3, ?4, ?5)";

/// One row, one in the index, and the counter of AUTOINCREMENT.
pub(crate) const INSERT_ERROR: &str = "INSERT INTO error_logs (timestamp, level, message, stack, metadata) VALUES (?1, ?2, ?3, NULL, ?4)";

/// Start of a query of audit rows; conditions and [`NEWEST_FIRST`] follow.
pub(crate) const SELECT_AUDIT: &str =
    "SELECT id, timestamp, category, action, user_id, metadata FROM audit_logs";

/// Start of a query of error rows.
pub(crate) const SELECT_ERRORS: &str =
    "SELECT id, timestamp, level, message, metadata FROM error_logs";

/// Repeats the condition of the partial index on the category, so that SQLite may use it. Rows of created transactions, by far
/// the most, are not in that index and cost nothing there; asked for, they are found quickly from the newest end.
pub(crate) const NOT_A_TRANSACTION: &str = "category <> 'transaction'";

/// As [`NOT_A_TRANSACTION`], of the levels of errors: the Worker itself writes no other than this one.
pub(crate) const NOT_AN_ERROR: &str = "level <> 'error'";

/// End of a query by an index that holds the time: every index ends with the id, so nothing has to be sorted.
pub(crate) const LATEST_FIRST: &str = " ORDER BY timestamp DESC, id DESC LIMIT ";

/// End of a query of a whole table. Ids grow with time.
pub(crate) const NEWEST_FIRST: &str = " ORDER BY id DESC LIMIT ";

/// End of a query of all that is no transaction: the plus keeps SQLite from walking the whole table in the order of its ids.
pub(crate) const FEW_NEWEST_FIRST: &str = " ORDER BY +id DESC LIMIT ";

/// Deletes those of the 1,000 oldest rows that are older than ?1: larger statements are advised against (D1LIM 2026-04-21). Goes by
/// the id, which grows with time, so that no index on the time has to be paid for with every row.
pub(crate) const RETAIN_AUDIT: &str = "DELETE FROM audit_logs WHERE id IN (SELECT id FROM (SELECT id, timestamp FROM audit_logs ORDER BY id LIMIT 1000) WHERE timestamp < ?1)";

/// As [`RETAIN_AUDIT`].
pub(crate) const RETAIN_ERRORS: &str = "DELETE FROM error_logs WHERE id IN (SELECT id FROM (SELECT id, timestamp FROM error_logs ORDER BY id LIMIT 1000) WHERE timestamp < ?1)";

/// Takes the right to send the alert ?1 at ?2 (ms) if nobody did in the ?3 ms before: exactly one of all isolates changes a row.
/// A mark from far in the future (a clock that went back) does not block; one from a little ahead is of somebody who asked later and
/// came first.
pub(crate) const CLAIM_ALERT: &str = "INSERT INTO alert_marks (key, sent_at_ms) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET sent_at_ms = excluded.sent_at_ms WHERE sent_at_ms <= excluded.sent_at_ms - ?3 OR sent_at_ms > excluded.sent_at_ms + ?3";

/// Deletes the marks from before ?1 (ms).
pub(crate) const RETAIN_MARKS: &str = "DELETE FROM alert_marks WHERE sent_at_ms < ?1";

/// Takes one of the allowance ?1 at ?2 (ms), if there is one left: one comes back every ?3 ms, and what comes back in ?4 ms can be saved
/// up (GCRA). Of all isolates exactly as many calls change a row as may.
pub(crate) const TAKE_ALLOWANCE: &str = "INSERT INTO allowances (name, free_at_ms) VALUES (?1, ?2 + ?3) ON CONFLICT (name) DO UPDATE SET free_at_ms = MAX(free_at_ms, ?2) + ?3 WHERE free_at_ms + ?3 <= ?2 + ?4";

/// Whether the database answers.
pub(crate) const PING: &str = "SELECT 1 AS one";

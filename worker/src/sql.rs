//! Every SQL statement of the Worker. Values are bound, never written into the text.
//!
//! D1 bills rows read and rows written, and an index adds a row to every insert: so there are few indexes, and each query
//! says here what it reads.

/// One row, and one in the index on `user_id`.
pub(crate) const INSERT_TRANSACTION: &str = "INSERT INTO transactions (user_id, type, amount_cents, description, date, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

/// Goes into one batch with [`INSERT_TRANSACTION`], whose row is the last one inserted: no second round trip for the id.
pub(crate) const INSERT_TRANSACTION_AUDIT: &str = "INSERT INTO audit_logs (timestamp, category, action, user_id, metadata) VALUES (?1, 'transaction', 'create', ?2, json_object('transactionId', last_insert_rowid(), 'requestId', ?3))";

/// Reads as many rows as it returns: the index ends with the row id.
pub(crate) const LIST_TRANSACTIONS: &str = "SELECT id, type, amount_cents, description, date, created_at FROM transactions WHERE user_id = ?1 ORDER BY id DESC LIMIT ?2";

/// Reads one row.
pub(crate) const ONE_TRANSACTION: &str = "SELECT id, type, amount_cents, description, date, created_at FROM transactions WHERE id = ?1 AND user_id = ?2";

/// The version of a user's data. Reads one row.
pub(crate) const VERSION: &str =
    "SELECT id FROM transactions WHERE user_id = ?1 ORDER BY id DESC LIMIT 1";

/// Reads all rows of one user.
///
/// Sums are taken of millions and of what is left below a million apart: one sum of large amounts could pass 2^53, where a
/// JavaScript number is no longer exact, or even 2^63, where SQLite fails.
pub(crate) const SUMMARY: &str = "SELECT COUNT(*) AS count, COALESCE(MAX(id), 0) AS version, COALESCE(SUM(CASE type WHEN 'income' THEN amount_cents / 1000000 END), 0) AS income_millions, COALESCE(SUM(CASE type WHEN 'income' THEN amount_cents % 1000000 END), 0) AS income_rest, COALESCE(SUM(CASE type WHEN 'expense' THEN amount_cents / 1000000 END), 0) AS expense_millions, COALESCE(SUM(CASE type WHEN 'expense' THEN amount_cents % 1000000 END), 0) AS expense_rest FROM transactions WHERE user_id = ?1";

/// Reads all rows of one user; returns the latest months that have any.
pub(crate) const MONTHS: &str = "SELECT substr(date, 1, 7) AS month, COUNT(*) AS count, COALESCE(SUM(CASE type WHEN 'income' THEN amount_cents / 1000000 END), 0) AS income_millions, COALESCE(SUM(CASE type WHEN 'income' THEN amount_cents % 1000000 END), 0) AS income_rest, COALESCE(SUM(CASE type WHEN 'expense' THEN amount_cents / 1000000 END), 0) AS expense_millions, COALESCE(SUM(CASE type WHEN 'expense' THEN amount_cents % 1000000 END), 0) AS expense_rest FROM transactions WHERE user_id = ?1 GROUP BY month ORDER BY month DESC LIMIT 24";

/// Reads one row, by the unique index on the name.
pub(crate) const USER_BY_NAME: &str =
    "SELECT id, password_hash, role FROM users WHERE username = ?1";

/// One row, one in each of the document's two indexes, and the counter of AUTOINCREMENT.
pub(crate) const INSERT_AUDIT: &str = "INSERT INTO audit_logs (timestamp, category, action, user_id, metadata) VALUES (?1, ?2, ?3, ?4, ?5)";

/// One row, one in the index, and the counter of AUTOINCREMENT.
pub(crate) const INSERT_ERROR: &str = "INSERT INTO error_logs (timestamp, level, message, stack, metadata) VALUES (?1, ?2, ?3, NULL, ?4)";

/// Start of a query of audit rows; conditions and [`NEWEST_FIRST`] follow.
pub(crate) const SELECT_AUDIT: &str =
    "SELECT id, timestamp, category, action, user_id, metadata FROM audit_logs";

/// Start of a query of error rows.
pub(crate) const SELECT_ERRORS: &str =
    "SELECT id, timestamp, level, message, metadata FROM error_logs";

/// End of a query of log rows. Ids grow with time, and every index ends with the id, so nothing has to be sorted.
pub(crate) const NEWEST_FIRST: &str = " ORDER BY id DESC LIMIT ";

/// Repeats the condition of the partial index on the category, so that SQLite may use it. Rows of created transactions, by far
/// the most, are not in that index and cost nothing there; asked for, they are found quickly from the newest end.
pub(crate) const NOT_A_TRANSACTION: &str = "category <> 'transaction'";

/// Deletes at most 1,000 rows that are older than ?1: larger statements are advised against (D1LIM 2026-04-21).
pub(crate) const RETAIN_AUDIT: &str = "DELETE FROM audit_logs WHERE id IN (SELECT id FROM audit_logs WHERE timestamp < ?1 ORDER BY timestamp LIMIT 1000)";

/// Deletes at most 1,000 rows that are older than ?1.
pub(crate) const RETAIN_ERRORS: &str = "DELETE FROM error_logs WHERE id IN (SELECT id FROM error_logs WHERE timestamp < ?1 ORDER BY timestamp LIMIT 1000)";

/// Takes the right to send the alert ?1 at ?2 (ms) if nobody did in the ?3 ms before: exactly one of all isolates changes a row.
/// A mark from the future (a clock that went back) does not block.
pub(crate) const CLAIM_ALERT: &str = "INSERT INTO alert_marks (key, sent_at_ms) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET sent_at_ms = excluded.sent_at_ms WHERE sent_at_ms <= excluded.sent_at_ms - ?3 OR sent_at_ms > excluded.sent_at_ms";

/// Whether the database answers.
pub(crate) const PING: &str = "SELECT 1 AS one";

//! The result of a statement: its rows, and what they cost.

use std::rc::Rc;

use crate::value::Value;

/// What a statement gave and what it cost. Of several statements it is the last one's, as in D1's `meta` and on a cursor.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The names of the columns, in order; duplicates stay. Shared by all outcomes of one compiled statement.
    pub columns: Rc<[String]>,
    /// The rows.
    pub rows: Vec<Vec<Value>>,
    /// Rows read, as billed: rows scanned, not rows returned.
    pub rows_read: u64,
    /// Rows written, as billed: one per table row and one per index entry.
    pub rows_written: u64,
    /// Rows inserted, updated or deleted, triggers included.
    pub changes: u64,
    /// The rowid of the connection's latest insert, whichever statement made it; 0 before the first.
    pub last_row_id: i64,
}

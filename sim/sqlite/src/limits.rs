//! How long, how many, how deep: the limits SQL runs under, with where each number comes from.
#![allow(unsafe_code)]

use libsql_ffi as ffi;

/// The limits of one connection. Documentation and runtime disagree in two places; [`Limits::DOCUMENTED`] is what a database has
/// unless told otherwise, [`Limits::RUNTIME`] is for comparing with a local `workerd`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a row, a string or a BLOB: beyond it `string or blob too big: SQLITE_TOOBIG`.
    pub length_bytes: u32,
    /// Bytes of SQL text: beyond it `statement too long: SQLITE_TOOBIG`.
    pub sql_length_bytes: u32,
    /// Columns of a table, a result or an index.
    pub columns: u32,
    /// Depth of an expression's tree.
    pub expression_depth: u32,
    /// Terms of a compound `SELECT`.
    pub compound_select_terms: u32,
    /// Instructions of a compiled statement.
    pub program_ops: u32,
    /// Arguments of a function.
    pub function_args: u32,
    /// Bytes of a `LIKE` or `GLOB` pattern.
    pub like_pattern_bytes: u32,
    /// Bound parameters, and the largest `?N`.
    pub variables: u32,
    /// Triggers set off by triggers.
    pub trigger_depth: u32,
    /// Instructions a statement may *execute* before it ends like a statement that used up its CPU time. No source states
    /// such a number (production counts CPU time): it only keeps an endless query from stopping the simulation.
    pub executed_ops: u64,
    /// Bytes of result a statement may gather before it ends like one that used up the isolate's memory.
    pub result_bytes: u64,
}

impl Limits {
    /// What Cloudflare documents: 2,000,000 bytes per row, string or BLOB, 32 function arguments, 100 columns, 100 parameters,
    /// 100,000 bytes of SQL, 50 bytes of pattern (D1LIM 2026-04-21, DOLIM); 128 MB of memory per isolate. What the pages leave out is as in
    /// [`Limits::RUNTIME`].
    pub const DOCUMENTED: Self = Self {
        length_bytes: 2_000_000,
        function_args: 32,
        ..Self::RUNTIME
    };

    /// What the open source runtime sets (WORKERD 2026-08-22, `util/sqlite.c++`): 4 MiB and 127 arguments. A `workerd` binary of
    /// 2026-11 was even seen to take values of 8 MiB and to refuse 16 MB.
    pub const RUNTIME: Self = Self {
        length_bytes: 4 * 1024 * 1024,
        sql_length_bytes: 100_000,
        columns: 100,
        expression_depth: 100,
        compound_select_terms: 5,
        program_ops: 25_000,
        function_args: 127,
        like_pattern_bytes: 50,
        variables: 100,
        trigger_depth: 10,
        executed_ops: 2_000_000_000,
        result_bytes: 128_000_000,
    };

    /// Applies the limits SQLite itself enforces.
    ///
    /// # Safety
    /// `db` must be open.
    pub(crate) unsafe fn apply(&self, db: *mut ffi::sqlite3) {
        for (id, value) in [
            (ffi::SQLITE_LIMIT_LENGTH, self.length_bytes),
            (ffi::SQLITE_LIMIT_SQL_LENGTH, self.sql_length_bytes),
            (ffi::SQLITE_LIMIT_COLUMN, self.columns),
            (ffi::SQLITE_LIMIT_EXPR_DEPTH, self.expression_depth),
            (
                ffi::SQLITE_LIMIT_COMPOUND_SELECT,
                self.compound_select_terms,
            ),
            (ffi::SQLITE_LIMIT_VDBE_OP, self.program_ops),
            (ffi::SQLITE_LIMIT_FUNCTION_ARG, self.function_args),
            (ffi::SQLITE_LIMIT_ATTACHED, 0),
            (
                ffi::SQLITE_LIMIT_LIKE_PATTERN_LENGTH,
                self.like_pattern_bytes,
            ),
            (ffi::SQLITE_LIMIT_VARIABLE_NUMBER, self.variables),
            (ffi::SQLITE_LIMIT_TRIGGER_DEPTH, self.trigger_depth),
            (ffi::SQLITE_LIMIT_WORKER_THREADS, 0),
        ] {
            let value = i32::try_from(value).unwrap_or(i32::MAX);
            // SAFETY: the caller vouches for the connection; unknown ids and too large values are clamped by SQLite.
            unsafe { ffi::sqlite3_limit(db, id, value) };
        }
    }
}

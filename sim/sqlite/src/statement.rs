//! One compiled statement: compiling, binding, stepping, reading rows and counters.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_int};
use std::ptr::NonNull;
use std::rc::Rc;

use libsql_ffi as ffi;

use crate::connection::Connection;
use crate::error::SqlError;
use crate::limits::Limits;
use crate::value::Value;

/// A compiled statement, finalized when dropped. It must not outlive its connection; `Database` orders its fields for that.
pub(crate) struct Statement(NonNull<ffi::sqlite3_stmt>);

impl Statement {
    /// Compiles the first statement of `sql`; `keep` says that it will be used many times. Gives `None` if there is none before the next
    /// semicolon or the end, and the position in `sql` after what was compiled.
    pub(crate) fn prepare(
        connection: &Connection,
        sql: &str,
        keep: bool,
    ) -> Result<(Option<Self>, usize), SqlError> {
        let (raw, used) = connection.compile(sql, keep)?;
        Ok((raw.map(Self), used))
    }

    /// Compiles one statement of our own, which may do what untrusted SQL may not.
    pub(crate) fn own(connection: &Connection, sql: &str) -> Result<Self, SqlError> {
        let _trusted = connection.trust();
        let (statement, _) = Self::prepare(connection, sql, true)?;
        Ok(statement.expect("our own SQL is a statement"))
    }

    pub(crate) fn as_ptr(&self) -> *mut ffi::sqlite3_stmt {
        self.0.as_ptr()
    }

    pub(crate) fn parameter_count(&self) -> usize {
        // SAFETY: a live statement.
        let count = unsafe { ffi::sqlite3_bind_parameter_count(self.as_ptr()) };
        usize::try_from(count).expect("a count is not negative")
    }

    /// Runs to the first row and no further, as the platform does with the statements before the last of a script.
    pub(crate) fn step_once(
        &self,
        connection: &Connection,
        limits: &Limits,
    ) -> Result<(), SqlError> {
        connection.start(limits);
        // SAFETY: a live statement of this connection.
        match unsafe { ffi::sqlite3_step(self.as_ptr()) } {
            ffi::SQLITE_DONE | ffi::SQLITE_ROW => Ok(()),
            code => Err(connection.error(code)),
        }
    }

    /// Runs a statement of our own and gives the first column of its first row, if there is one. Leaves it ready to run again.
    pub(crate) fn scalar(&self, connection: &Connection) -> Result<Option<i64>, SqlError> {
        let _trusted = connection.trust();
        connection.start_unbounded();
        let running = Running { statement: self };
        // SAFETY: a live statement of this connection; the column is read only when there is a row.
        unsafe {
            match ffi::sqlite3_step(self.as_ptr()) {
                ffi::SQLITE_ROW => {
                    let value = ffi::sqlite3_column_int64(self.as_ptr(), 0);
                    drop(running);
                    Ok(Some(value))
                }
                ffi::SQLITE_DONE => Ok(None),
                code => Err(connection.error(code)),
            }
        }
    }

    /// Binds, runs to the end and gathers the rows. Leaves the statement ready to run again.
    pub(crate) fn run(
        &self,
        connection: &Connection,
        limits: &Limits,
        params: &[Value],
    ) -> Result<Run, SqlError> {
        let _running = Running { statement: self };
        for (index, value) in params.iter().enumerate() {
            bind(connection, self, index as c_int + 1, value)?;
        }
        connection.start(limits);
        let mut rows = Vec::new();
        let mut room = limits.result_bytes;
        loop {
            // SAFETY: a live statement of this connection whose parameters outlive `_running`.
            match unsafe { ffi::sqlite3_step(self.as_ptr()) } {
                ffi::SQLITE_DONE => break,
                ffi::SQLITE_ROW => {
                    // SAFETY: the statement is on a row.
                    let row = unsafe { read_row(self.as_ptr(), &mut room) };
                    rows.push(row.ok_or_else(|| connection.memory_overrun())?);
                }
                code => return Err(connection.error(code)),
            }
        }
        Ok(Run {
            rows,
            rows_read: self.rows_read(),
            rows_written: self.rows_written(),
        })
    }

    /// Runs a `SELECT count(*)`. Gives its value, and the rows that libSQL counted for it.
    pub(crate) fn count(&self, connection: &Connection) -> Result<(i64, u64), SqlError> {
        let _running = Running { statement: self };
        // SAFETY: a live statement of this connection; `count(*)` always has one row of one integer.
        let entries = unsafe {
            match ffi::sqlite3_step(self.as_ptr()) {
                ffi::SQLITE_ROW => ffi::sqlite3_column_int64(self.as_ptr(), 0),
                code => return Err(connection.error(code)),
            }
        };
        Ok((entries, self.rows_read()))
    }

    /// Whether the statement is an `EXPLAIN`.
    pub(crate) fn explains(&self) -> bool {
        // SAFETY: a live statement.
        unsafe { ffi::sqlite3_stmt_isexplain(self.as_ptr()) != 0 }
    }

    pub(crate) fn column_count(&self) -> usize {
        // SAFETY: a live statement.
        let count = unsafe { ffi::sqlite3_column_count(self.as_ptr()) };
        usize::try_from(count).expect("a count is not negative")
    }

    fn counter(&self, which: c_int, reset: bool) -> u64 {
        // SAFETY: a live statement; the counters are unsigned 32-bit numbers that saturate, returned through an int.
        u64::from(
            unsafe { ffi::sqlite3_stmt_status(self.as_ptr(), which, c_int::from(reset)) } as u32,
        )
    }

    pub(crate) fn rows_read(&self) -> u64 {
        self.counter(ffi::LIBSQL_STMTSTATUS_ROWS_READ, false)
    }

    pub(crate) fn rows_written(&self) -> u64 {
        self.counter(ffi::LIBSQL_STMTSTATUS_ROWS_WRITTEN, false)
    }

    pub(crate) fn column_names(&self) -> Rc<[String]> {
        // SAFETY: a live statement; each index is below the column count, and a name is copied at once.
        unsafe {
            (0..ffi::sqlite3_column_count(self.as_ptr()))
                .map(|index| {
                    let name = ffi::sqlite3_column_name(self.as_ptr(), index);
                    assert!(!name.is_null(), "SQLite had no memory for a column's name");
                    CStr::from_ptr(name).to_string_lossy().into_owned()
                })
                .collect()
        }
    }
}

impl Drop for Statement {
    fn drop(&mut self) {
        // SAFETY: finalized once, here; the code is that of the last step, already reported.
        unsafe { ffi::sqlite3_finalize(self.as_ptr()) };
    }
}

/// What one run of a statement gave, with libSQL's own counts.
pub(crate) struct Run {
    pub(crate) rows: Vec<Vec<Value>>,
    pub(crate) rows_read: u64,
    pub(crate) rows_written: u64,
}

/// While it lives the statement may hold pointers to bound parameters; dropping it makes the statement ready to run again.
struct Running<'a> {
    statement: &'a Statement,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // SAFETY: a live statement. Clearing the bindings drops the pointers into the caller's parameters.
        unsafe {
            ffi::sqlite3_reset(self.statement.as_ptr());
            ffi::sqlite3_clear_bindings(self.statement.as_ptr());
        }
        self.statement
            .counter(ffi::LIBSQL_STMTSTATUS_ROWS_READ, true);
        self.statement
            .counter(ffi::LIBSQL_STMTSTATUS_ROWS_WRITTEN, true);
    }
}

fn bind(
    connection: &Connection,
    statement: &Statement,
    index: c_int,
    value: &Value,
) -> Result<(), SqlError> {
    let too_big = || SqlError::from_code("string or blob too big", ffi::SQLITE_TOOBIG);
    let raw = statement.as_ptr();
    // SAFETY: a live, reset statement; text and blobs are borrowed (SQLITE_STATIC) until `Running` clears the bindings, which the
    // caller does before the parameters can go away. Empty slices have a non-null pointer, so they stay empty and are not NULL.
    let code = unsafe {
        match value {
            Value::Null => ffi::sqlite3_bind_null(raw, index),
            Value::Integer(number) => ffi::sqlite3_bind_int64(raw, index, *number),
            Value::Real(number) => ffi::sqlite3_bind_double(raw, index, *number),
            Value::Text(text) => {
                let len = c_int::try_from(text.len()).map_err(|_| too_big())?;
                ffi::sqlite3_bind_text(raw, index, text.as_ptr().cast(), len, ffi::SQLITE_STATIC())
            }
            Value::Blob(bytes) => {
                let len = c_int::try_from(bytes.len()).map_err(|_| too_big())?;
                ffi::sqlite3_bind_blob(raw, index, bytes.as_ptr().cast(), len, ffi::SQLITE_STATIC())
            }
        }
    };
    match code {
        ffi::SQLITE_OK => Ok(()),
        code => Err(connection.error(code)),
    }
}

/// The current row, or `None` when it does not fit into the `room` bytes left.
///
/// # Safety
/// The statement must be on a row.
unsafe fn read_row(raw: *mut ffi::sqlite3_stmt, room: &mut u64) -> Option<Vec<Value>> {
    // SAFETY: the caller vouches for the row; each index is below the count; a text or blob is copied before the next call, and its
    // length is asked after its pointer, as SQLite demands. A null pointer comes with an empty blob.
    unsafe {
        let count = ffi::sqlite3_data_count(raw);
        let mut row = Vec::with_capacity(usize::try_from(count).unwrap_or(0));
        let bytes = |start: *const u8, index| match usize::try_from(ffi::sqlite3_column_bytes(
            raw, index,
        )) {
            Ok(len) if !start.is_null() => std::slice::from_raw_parts(start, len),
            _ => &[],
        };
        let mut size = size_of::<Value>() as u64 * u64::from(count.unsigned_abs());
        for index in 0..count {
            row.push(match ffi::sqlite3_column_type(raw, index) {
                ffi::SQLITE_INTEGER => Value::Integer(ffi::sqlite3_column_int64(raw, index)),
                ffi::SQLITE_FLOAT => Value::Real(ffi::sqlite3_column_double(raw, index)),
                ffi::SQLITE_TEXT => {
                    let text = bytes(ffi::sqlite3_column_text(raw, index), index);
                    size += text.len() as u64;
                    // A text can hold any bytes (`CAST(x'ff' AS TEXT)`); JavaScript would see replacement characters.
                    Value::Text(String::from_utf8_lossy(text).into_owned())
                }
                ffi::SQLITE_BLOB => {
                    let blob = bytes(ffi::sqlite3_column_blob(raw, index).cast(), index);
                    size += blob.len() as u64;
                    Value::Blob(blob.to_vec())
                }
                _ => Value::Null,
            });
        }
        *room = room.checked_sub(size)?;
        Some(row)
    }
}

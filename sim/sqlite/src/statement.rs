//! Prepared statements: compiling, the cache, running, and exact row counts.
//!
//! **Counts.** Cloudflare's patched SQLite and libSQL count rows at the same instructions, with one exception: a bare `count(*)` is
//! one instruction, `Count`, that workerd counts as the entries of the b-tree it walks and libSQL as its pages. Statements that
//! contain it (`EXPLAIN` tells, asked once per compiled statement) run a twin `SELECT count(*)` over the same
//! b-tree just before, whose value and own count give the difference. The twin assumes that the instruction runs once;
//! in a correlated subquery, which repeats it per outer row, the correction is too small.
//!
//! **Cache.** A statement's text is its key. Whatever changes the schema empties the cache, and so does rolling such a change back,
//! so a cached entry's column names and twins are always current.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_int};
use std::ptr::NonNull;
use std::rc::Rc;

use libsql_ffi as ffi;
use rustc_hash::FxHashMap;

use crate::database::{Connection, Outcome, Value};
use crate::error::SqlError;
use crate::limits::Limits;

/// How many statements a connection keeps compiled. Production keeps 1 MiB of text per object (WORKERD `api/sql.c++`); the number
/// changes speed and memory, nothing a Worker can see.
const CACHE_CAPACITY: usize = 128;

/// A compiled statement, finalized when dropped. It must not outlive its connection; `Database` orders its fields for that.
pub(crate) struct Statement(NonNull<ffi::sqlite3_stmt>);

impl Statement {
    pub(crate) fn new(raw: NonNull<ffi::sqlite3_stmt>) -> Self {
        Self(raw)
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

    fn column_names(&self) -> Rc<[String]> {
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

/// A statement with everything that is known about it.
pub(crate) struct Prepared {
    statement: Statement,
    columns: Rc<[String]>,
    parameters: usize,
    /// One `SELECT count(*)` per `Count` instruction, over the same b-tree.
    count_twins: Vec<Statement>,
    used: u64,
}

impl Prepared {
    /// `may_count`: whether a `Count` instruction is possible at all, so that most statements are spared the question.
    pub(crate) fn new(
        connection: &Connection,
        statement: Statement,
        sql: &str,
        may_count: bool,
    ) -> Result<Self, SqlError> {
        // SAFETY: a live statement.
        let explains = unsafe { ffi::sqlite3_stmt_isexplain(statement.as_ptr()) } != 0;
        let count_twins = if may_count && !explains {
            count_twins(connection, sql)?
        } else {
            Vec::new()
        };
        Ok(Self {
            columns: statement.column_names(),
            parameters: statement.parameter_count(),
            statement,
            count_twins,
            used: 0,
        })
    }

    /// Binds, runs to the end and gathers the rows.
    pub(crate) fn run(
        &mut self,
        connection: &Connection,
        limits: &Limits,
        params: &[Value],
    ) -> Result<Outcome, SqlError> {
        if params.len() != self.parameters {
            return Err(SqlError::refused(
                "Wrong number of parameter bindings for SQL query.",
            ));
        }
        // The twins run first: the statement itself may change what they count.
        connection.start(limits);
        let mut uncounted = 0;
        for twin in &self.count_twins {
            uncounted += count_difference(twin, connection)?;
        }
        let changes_before = connection.total_changes();
        let running = Running {
            statement: &self.statement,
        };
        for (index, value) in params.iter().enumerate() {
            bind(connection, &self.statement, index as c_int + 1, value)?;
        }
        connection.start(limits);
        let mut rows = Vec::new();
        let mut room = limits.result_bytes;
        let raw = self.statement.as_ptr();
        loop {
            // SAFETY: a live statement of this connection whose parameters outlive `running`.
            match unsafe { ffi::sqlite3_step(raw) } {
                ffi::SQLITE_DONE => break,
                ffi::SQLITE_ROW => {
                    // SAFETY: the statement is on a row.
                    let row = unsafe { read_row(raw, &mut room) };
                    rows.push(row.ok_or_else(|| connection.memory_overrun())?);
                }
                code => return Err(connection.error(code)),
            }
        }
        let rows_read = self.statement.rows_read().saturating_add_signed(uncounted);
        let rows_written = self.statement.rows_written();
        connection.count_rows(rows_read, rows_written);
        drop(running);
        // SAFETY: a live statement. SQLite recompiles on its own when somebody else changed the schema of the file.
        let width = unsafe { ffi::sqlite3_column_count(raw) };
        if usize::try_from(width) != Ok(self.columns.len()) {
            self.columns = self.statement.column_names();
        }
        Ok(Outcome {
            columns: Rc::clone(&self.columns),
            rows,
            rows_read,
            rows_written,
            changes: connection.total_changes() - changes_before,
            last_row_id: connection.last_row_id(),
        })
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

/// By how much the platform counts more rows than libSQL did for one `count(*)`.
fn count_difference(twin: &Statement, connection: &Connection) -> Result<i64, SqlError> {
    let running = Running { statement: twin };
    // SAFETY: a live statement of this connection; `count(*)` always has one row of one integer.
    let entries = unsafe {
        match ffi::sqlite3_step(twin.as_ptr()) {
            ffi::SQLITE_ROW => ffi::sqlite3_column_int64(twin.as_ptr(), 0),
            code => return Err(connection.error(code)),
        }
    };
    let pages = twin.rows_read();
    drop(running);
    Ok(entries - i64::try_from(pages).expect("the counter has 32 bits"))
}

/// A twin for every `Count` instruction of a statement.
fn count_twins(connection: &Connection, sql: &str) -> Result<Vec<Statement>, SqlError> {
    let _trusted = connection.trust();
    // The word in front may push a text over the limit on its length that the statement itself respects.
    let explain =
        connection.with_any_sql_length(|| connection.prepare(&format!("EXPLAIN {sql}"), false));
    let (Some(explain), _) = explain? else {
        return Ok(Vec::new());
    };
    // The columns of EXPLAIN: addr, opcode, p1, p2, p3, …
    let mut root_of_cursor = FxHashMap::default();
    let mut counted_roots = Vec::new();
    let raw = explain.as_ptr();
    // SAFETY: a live statement whose rows have eight columns; the opcode is a constant C string.
    while unsafe { ffi::sqlite3_step(raw) } == ffi::SQLITE_ROW {
        // SAFETY: as above.
        let (opcode, p1, p2, p3) = unsafe {
            (
                CStr::from_ptr(ffi::sqlite3_column_text(raw, 1).cast()).to_bytes(),
                ffi::sqlite3_column_int64(raw, 2),
                ffi::sqlite3_column_int64(raw, 3),
                ffi::sqlite3_column_int64(raw, 4),
            )
        };
        match opcode {
            b"OpenRead" | b"ReopenIdx" => {
                root_of_cursor.insert(p1, p2);
            }
            // With P3 set it is the planner's estimate, which reads nothing.
            b"Count" if p3 == 0 => counted_roots.extend(root_of_cursor.get(&p1).copied()),
            _ => {}
        }
    }
    drop(explain);
    let mut twins = Vec::new();
    for root in counted_roots {
        let Some(sql) = twin_sql(connection, root)? else {
            continue;
        };
        twins.extend(connection.prepare(&sql, true)?.0);
    }
    Ok(twins)
}

/// A `count(*)` that walks the b-tree with this root page.
fn twin_sql(connection: &Connection, root: i64) -> Result<Option<String>, SqlError> {
    if root == 1 {
        return Ok(Some("SELECT count(*) FROM sqlite_schema".to_owned()));
    }
    let sql = "SELECT 'SELECT count(*) FROM \"' || replace(tbl_name, '\"', '\"\"') || '\"' || iif(type = 'table', ' NOT INDEXED', '') \
               FROM sqlite_schema WHERE rootpage = ?1";
    let (Some(statement), _) = connection.prepare(sql, false)? else {
        return Ok(None);
    };
    let mut finder = Prepared {
        columns: statement.column_names(),
        parameters: 1,
        statement,
        count_twins: Vec::new(),
        used: 0,
    };
    let outcome = finder.run(connection, &Limits::RUNTIME, &[Value::Integer(root)])?;
    Ok(match outcome.rows.into_iter().flatten().next() {
        Some(Value::Text(sql)) => Some(sql),
        _ => None,
    })
}

/// The statements a connection keeps compiled, by their text.
#[derive(Default)]
pub(crate) struct Cache {
    entries: FxHashMap<Box<str>, Prepared>,
    clock: u64,
}

impl Cache {
    pub(crate) fn get(&mut self, sql: &str) -> Option<&mut Prepared> {
        let entry = self.entries.get_mut(sql)?;
        self.clock += 1;
        entry.used = self.clock;
        Some(entry)
    }

    pub(crate) fn insert(&mut self, sql: &str, mut prepared: Prepared) {
        if self.entries.len() >= CACHE_CAPACITY {
            // Half at once, so that a flood of one-off statements pays for the search once in a while and not every time.
            let mut ages: Vec<u64> = self.entries.values().map(|entry| entry.used).collect();
            ages.sort_unstable();
            let oldest_kept = ages[ages.len() / 2];
            self.entries.retain(|_, entry| entry.used >= oldest_kept);
        }
        self.clock += 1;
        prepared.used = self.clock;
        self.entries.insert(sql.into(), prepared);
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }
}

//! Exact row counts of a bare `count(*)`.
//!
//! Cloudflare's patched SQLite and libSQL count rows at the same instructions, with one exception. A bare `count(*)` is
//! one instruction, `Count`: workerd counts the entries of the b-tree that it walks, libSQL counts the pages. `EXPLAIN`,
//! asked once per compiled statement, tells which statements contain it. Before such a statement runs, a twin
//! `SELECT count(*)` runs over the same b-tree; the difference between its value and its own count corrects the statement's.
//! The correction assumes that the instruction runs once. In a correlated subquery it runs once per outer row, and the correction
//! is too small.
#![allow(unsafe_code)]

use std::ffi::CStr;

use libsql_ffi as ffi;
use rustc_hash::FxHashMap;

use crate::connection::Connection;
use crate::error::SqlError;
use crate::limits::Limits;
use crate::statement::Statement;
use crate::value::Value;

/// How many more rows the platform counts for one `count(*)` than libSQL.
pub(crate) fn difference(twin: &Statement, connection: &Connection) -> Result<i64, SqlError> {
    let (entries, pages) = twin.count(connection)?;
    Ok(entries - i64::try_from(pages).expect("the counter has 32 bits"))
}

/// A twin for every `Count` instruction of a statement.
pub(crate) fn twins(connection: &Connection, sql: &str) -> Result<Vec<Statement>, SqlError> {
    let _trusted = connection.trust();
    // The word in front may push a text over the limit on its length that the statement itself respects.
    let explain = connection
        .with_any_sql_length(|| Statement::prepare(connection, &format!("EXPLAIN {sql}"), false));
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
        twins.extend(Statement::prepare(connection, &sql, true)?.0);
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
    let (Some(statement), _) = Statement::prepare(connection, sql, false)? else {
        return Ok(None);
    };
    let found = statement.run(connection, &Limits::RUNTIME, &[Value::Integer(root)])?;
    Ok(match found.rows.into_iter().flatten().next() {
        Some(Value::Text(sql)) => Some(sql),
        _ => None,
    })
}

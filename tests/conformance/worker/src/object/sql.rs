//! SQL of an object.

use crate::{Answer, value};
use serde::Deserialize;
use serde_json::{Value, json};
use worker::{Result, SqlCursor, SqlStorage};

/// A query, and how its cursor is read.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// The SQL.
    query: String,
    /// Values, as workers-rs's own types.
    bindings: Option<Vec<Value>>,
    /// Values, as JavaScript values.
    raw_bindings: Option<Vec<Value>>,
    /// How the cursor is read.
    #[serde(default, rename = "as")]
    reading: Reading,
}

/// How a cursor is read.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reading {
    /// `toArray`.
    #[default]
    Array,
    /// `one`.
    One,
    /// `raw`: rows as lists, with duplicate columns.
    Raw,
    /// Two rows with `next`, then the rest with `toArray`.
    Split,
    /// `toArray` twice.
    Twice,
    /// Not at all.
    Not,
}

pub(super) fn run(sql: &SqlStorage, query: &Query) -> Answer {
    let cursor = match (&query.bindings, &query.raw_bindings) {
        (Some(values), _) => {
            let values = values
                .iter()
                .map(value::to_sql)
                .collect::<Result<Vec<_>>>()?;
            sql.exec(&query.query, values)?
        }
        (None, Some(values)) => {
            let values = values
                .iter()
                .map(value::to_js)
                .collect::<Result<Vec<_>>>()?;
            sql.exec_raw(&query.query, values)?
        }
        (None, None) => sql.exec(&query.query, None)?,
    };
    let rows = read(&cursor, query.reading)?;
    Ok(json!({
        "columns": cursor.column_names(),
        "rows": rows,
        "rows_read": cursor.rows_read(),
        "rows_written": cursor.rows_written(),
    }))
}

fn read(cursor: &SqlCursor, reading: Reading) -> Answer {
    Ok(match reading {
        Reading::Array => json!(cursor.to_array::<Value>()?),
        Reading::One => cursor.one::<Value>()?,
        Reading::Raw => {
            let rows = cursor.raw().map(|row| {
                let row = row?.into_iter().map(value::from_sql);
                Ok(Value::from(row.collect::<Vec<_>>()))
            });
            rows.collect::<Result<_>>()?
        }
        Reading::Split => {
            let first = cursor.next::<Value>().take(2);
            let first = first.collect::<Result<Vec<_>>>()?;
            json!([first, cursor.to_array::<Value>()?])
        }
        Reading::Twice => json!([cursor.to_array::<Value>()?, cursor.to_array::<Value>()?]),
        Reading::Not => Value::Null,
    })
}

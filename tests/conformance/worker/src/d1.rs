//! Calls of a D1 database.

use crate::{Answer, value};
use serde::Deserialize;
use serde_json::{Value, json};
use worker::d1::{D1Database, D1PreparedStatement, D1Result, D1Type};
use worker::{Error, Result};

/// One call.
#[derive(Debug, Deserialize)]
#[serde(tag = "d1", rename_all = "snake_case")]
pub enum Call {
    /// `all`.
    All(Statement),
    /// `run`.
    Run(Statement),
    /// `raw`: rows as lists, with duplicate columns.
    Raw(Statement),
    /// `first`.
    First {
        /// Which column, if only one.
        column: Option<String>,
        /// What to run.
        #[serde(flatten)]
        statement: Statement,
    },
    /// `batch`.
    Batch {
        /// What to run.
        statements: Vec<Statement>,
    },
    /// One statement with many lists of values (`batch_bind`), as a batch.
    BatchBind {
        /// The SQL.
        sql: String,
        /// The values.
        rows: Vec<Vec<Value>>,
    },
    /// `exec`.
    Exec {
        /// The text.
        sql: String,
    },
}

/// A statement.
#[derive(Debug, Deserialize)]
pub struct Statement {
    /// The SQL.
    sql: String,
    /// Values, bound as JavaScript values; `bind` is not called if they are absent.
    bind: Option<Vec<Value>>,
    /// Values, bound as workers-rs's own types.
    bind_refs: Option<Vec<Value>>,
}

/// Does what a call says.
///
/// # Errors
/// The platform's.
pub async fn run(database: &D1Database, call: Call) -> Answer {
    match call {
        Call::All(statement) => result(&prepare(database, &statement)?.all().await?),
        Call::Run(statement) => result(&prepare(database, &statement)?.run().await?),
        Call::Raw(statement) => Ok(json!(prepare(database, &statement)?.raw::<Value>().await?)),
        Call::First { column, statement } => {
            let statement = prepare(database, &statement)?;
            // `Option<Value>` would take a NULL for a row that is not there.
            Ok(match statement.first::<Value>(column.as_deref()).await? {
                Some(row) => json!({"row": row}),
                None => Value::Null,
            })
        }
        Call::Batch { statements } => {
            let statements = statements
                .iter()
                .map(|statement| prepare(database, statement));
            let statements = statements.collect::<Result<_>>()?;
            let results = database.batch(statements).await?;
            results.iter().map(result).collect()
        }
        Call::BatchBind { sql, rows } => {
            let rows = rows
                .iter()
                .map(|row| typed(row))
                .collect::<Result<Vec<_>>>()?;
            let statements = database.prepare(sql).batch_bind(&rows)?;
            let results = database.batch(statements).await?;
            results.iter().map(result).collect()
        }
        Call::Exec { sql } => {
            let done = database.exec(&sql).await?;
            Ok(json!({"count": done.count().map_err(Error::from)?}))
        }
    }
}

fn prepare(database: &D1Database, statement: &Statement) -> Result<D1PreparedStatement> {
    let prepared = database.prepare(statement.sql.as_str());
    if let Some(values) = &statement.bind {
        let values = values
            .iter()
            .map(value::to_js)
            .collect::<Result<Vec<_>>>()?;
        return prepared.bind(&values);
    }
    match &statement.bind_refs {
        Some(values) => prepared.bind_refs(&typed(values)?),
        None => Ok(prepared),
    }
}

/// Values as workers-rs's own types. Bytes live as long as the program: it is a test's.
fn typed(values: &[Value]) -> Result<Vec<D1Type<'_>>> {
    let typed = |value| {
        Ok(match value {
            &Value::Null => D1Type::Null,
            &Value::Bool(truth) => D1Type::Boolean(truth),
            Value::String(text) => D1Type::Text(text),
            Value::Number(number) => match number.as_i64().map(i32::try_from) {
                Some(Ok(integer)) => D1Type::Integer(integer),
                _ => D1Type::Real(number.as_f64().unwrap_or(f64::NAN)),
            },
            other => match value::bytes(other) {
                Some(bytes) => D1Type::Blob(bytes.leak()),
                None => return Err("bind_refs takes no lists and objects".into()),
            },
        })
    };
    values.iter().map(typed).collect()
}

fn result(result: &D1Result) -> Answer {
    if !result.success() {
        return Ok(json!({"failed": result.error()}));
    }
    let meta = result.meta()?.map(|meta| {
        json!({
            "changed_db": meta.changed_db,
            "changes": meta.changes,
            "last_row_id": meta.last_row_id,
            "rows_read": meta.rows_read,
            "rows_written": meta.rows_written,
            "size_after": meta.size_after,
            "duration": meta.duration,
        })
    });
    Ok(json!({"results": result.results::<Value>()?, "meta": meta}))
}

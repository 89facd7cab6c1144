//! Calls of D1.

use super::answer::Answer;
use super::call::{D1Call, EXPORT, IMPORT, InDatabase, Sql};
use super::transfer::Transfers;
use super::{dump, kv};
use crate::account::{Account, AccountItem};
use crate::exception::Exception;
use crate::limits::api::{self, ApiError};
use crate::limits::d1::NO_STATEMENTS;
use crate::platform::d1::{Call, QueryResult, Statement};
use chrono::{DateTime, SecondsFormat};
use edgeproof_sqlite::{Database, Value};
use serde_json::{Map, Value as Json, json};

pub(super) async fn run(
    account: &Account,
    transfers: &Transfers,
    origin: &str,
    call: D1Call,
) -> Result<Answer, ApiError> {
    match call {
        D1Call::Databases { name, paging } => {
            let mut databases = account.databases();
            databases.retain(|item| name.as_deref().is_none_or(|name| *item.name == *name));
            Ok(kv::page(&databases, paging, |item| listed(account, item)))
        }
        D1Call::Create { name } => {
            let created = account.create_database(&name)?;
            Ok(Answer::result(details(account, &created)?))
        }
        D1Call::In { database, what } => {
            let database = match what {
                InDatabase::Get { .. } => account.database_called(&database)?,
                _ => account.database(&database)?,
            };
            in_database(account, transfers, origin, &database, what).await
        }
    }
}

async fn in_database(
    account: &Account,
    transfers: &Transfers,
    origin: &str,
    database: &AccountItem,
    what: InDatabase,
) -> Result<Answer, ApiError> {
    match what {
        InDatabase::Get { fields } => {
            let mut details = details(account, database)?;
            if let (Some(fields), Json::Object(details)) = (fields, &mut details) {
                details.retain(|name, _| fields.contains(name));
            }
            Ok(Answer::result(details))
        }
        InDatabase::Delete => {
            account.delete_database(&database.id)?;
            Ok(Answer::result(Json::Null))
        }
        InDatabase::Query { statements, raw } => {
            let results = query(account, database, statements).await?;
            let results = results.iter().map(|result| {
                json!({
                    "results": if raw { arrays(result) } else { objects(result) },
                    "success": true,
                    "meta": meta(account, database, std::slice::from_ref(result)),
                })
            });
            Ok(Answer::result(Json::Array(results.collect())))
        }
        InDatabase::ImportInit { etag } => {
            if etag.is_empty() {
                return Err(ApiError::invalid_property("etag", "Required"));
            }
            let name = transfers.await_upload(account.now(), &database.id)?;
            Ok(Answer::result(json!({
                "success": true,
                "type": "import",
                "filename": name,
                "upload_url": format!("{origin}{IMPORT}{name}"),
                "messages": [],
            })))
        }
        InDatabase::ImportIngest { filename, etag } => {
            import(account, transfers, database, &filename, &etag).await
        }
        // An import is finished when its ingestion is answered, so none is ever under way.
        InDatabase::ImportPoll { .. } => Ok(Answer::result(json!({
            "success": false,
            "type": "import",
            "error": "Not currently importing anything.",
            "messages": [],
            "at_bookmark": bookmark(account, database),
        }))),
        InDatabase::Export {
            no_schema,
            no_data,
            tables,
        } => {
            let sql = dump::dump(account, database, !no_schema, !no_data, &tables)?;
            let name = transfers.export(account.now(), sql)?;
            let filename = format!("{}.sql", database.id);
            Ok(Answer::result(json!({
                "success": true,
                "type": "export",
                "status": "complete",
                "messages": [],
                "at_bookmark": bookmark(account, database),
                "result": {
                    "filename": filename,
                    "signed_url": format!("{origin}{EXPORT}{name}/{filename}"),
                },
            })))
        }
        InDatabase::TimeTravel => Err(ApiError::new(
            501,
            api::D1,
            "Time Travel is not part of this simulator: keep a copy of the state folder instead",
        )),
    }
}

/// Runs statements as one transaction.
async fn query(
    account: &Account,
    database: &AccountItem,
    statements: Vec<Sql>,
) -> Result<Vec<QueryResult>, ApiError> {
    let mut split = Vec::new();
    for Sql { sql, parameters } in statements {
        let mut pieces = Database::split_statements(&sql);
        // The engine refuses a text without any statement.
        let last = pieces.pop().unwrap_or(&sql);
        split.extend(pieces.into_iter().map(|piece| Statement {
            sql: piece.into(),
            parameters: Vec::new(),
        }));
        // Only the last of several may have parameters, as with the binding.
        split.push(Statement {
            sql: last.into(),
            parameters,
        });
    }
    let call = match <[Statement; 1]>::try_from(split) {
        Ok([one]) => Call::Query(one),
        Err(many) if many.is_empty() => return Err(ApiError::sql(NO_STATEMENTS)),
        Err(many) => Call::Batch(many),
    };
    account.database_call(database, call).await.map_err(failed)
}

async fn import(
    account: &Account,
    transfers: &Transfers,
    database: &AccountItem,
    filename: &str,
    etag: &str,
) -> Result<Answer, ApiError> {
    let refused = |error: &str, account: &Account| {
        Ok(Answer::result(json!({
            "success": false,
            "type": "import",
            "status": "error",
            "error": error,
            "errors": [error],
            "messages": [],
            "at_bookmark": bookmark(account, database),
        })))
    };
    let Some(sql) = transfers.take_upload(filename, &database.id, etag) else {
        return refused(
            "no file of this name and checksum was uploaded for this database",
            account,
        );
    };
    let Ok(sql) = std::str::from_utf8(&sql) else {
        return refused("the uploaded file is not UTF-8", account);
    };
    let statements: Vec<Statement> = Database::split_statements(sql)
        .into_iter()
        .map(|piece| Statement {
            sql: piece.into(),
            parameters: Vec::new(),
        })
        .collect();
    let count = statements.len();
    if count == 0 {
        return refused(NO_STATEMENTS, account);
    }
    let called = account
        .database_call(database, Call::Batch(statements))
        .await;
    match called {
        Ok(results) => Ok(Answer::result(json!({
            "success": true,
            "type": "import",
            "status": "complete",
            "filename": filename,
            "messages": [format!("Processed {count} queries.")],
            "at_bookmark": bookmark(account, database),
            "result": {
                "num_queries": count,
                "final_bookmark": bookmark(account, database),
                "meta": meta(account, database, &results),
            },
        }))),
        Err(exception) => refused(&failed(exception).message, account),
    }
}

/// SQLite's own text, without the binding's prefix.
fn failed(exception: Exception) -> ApiError {
    ApiError::sql(exception.cause.unwrap_or(exception.message))
}

fn listed(account: &Account, item: &AccountItem) -> Json {
    let (home, size) = account.database_place(item);
    json!({
        "uuid": &*item.id,
        "name": &*item.name,
        "version": "production",
        "created_at": timestamp(item.created_at.unix_ms()),
        "file_size": size,
        "running_in_region": home.region().name().to_uppercase(),
        "jurisdiction": null,
    })
}

fn details(account: &Account, item: &AccountItem) -> Result<Json, ApiError> {
    let tables = account
        .inspect_database(
            item,
            "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
             AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\'",
        )
        .map_err(|problem| ApiError::sql(problem.message))?;
    let count = match tables.rows.first().and_then(|row| row.first()) {
        Some(Value::Integer(count)) => *count,
        _ => 0,
    };
    let mut details = listed(account, item);
    details["num_tables"] = count.into();
    details["read_replication"] = json!({ "mode": "disabled" });
    Ok(details)
}

/// `2026-11-24T13:12:35.000Z`
fn timestamp(unix_ms: u64) -> String {
    let ms = i64::try_from(unix_ms).ok();
    let time = ms.and_then(DateTime::from_timestamp_millis);
    time.unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The form of D1's bookmarks, made of the world's time and the database's id: it grows, and has no other use.
fn bookmark(account: &Account, database: &AccountItem) -> String {
    let ms = account.now().unix_ms();
    let id: String = database.id.chars().filter(|char| *char != '-').collect();
    format!(
        "{:08x}-{:08x}-00000000-{id:0>32}",
        ms >> 32,
        ms & 0xffff_ffff
    )
}

/// The result of a call, by statement or in sum.
fn meta(account: &Account, database: &AccountItem, results: &[QueryResult]) -> Json {
    let (home, _) = account.database_place(database);
    let sum = |count: fn(&QueryResult) -> u64| results.iter().map(count).sum::<u64>();
    let duration: std::time::Duration = results.iter().map(|result| result.duration).sum();
    let ms = duration.as_secs_f64() * 1e3;
    let last = results.last();
    json!({
        "served_by": "edgeproof",
        "served_by_region": home.region().name().to_uppercase(),
        "served_by_colo": home.code(),
        "served_by_primary": true,
        "timings": { "sql_duration_ms": ms },
        "duration": ms,
        "changes": sum(|result| result.outcome.changes),
        "last_row_id": last.map_or(0, |result| result.outcome.last_row_id),
        "changed_db": results.iter().any(|result| result.changed_db),
        "size_after": last.map_or(0, |result| result.size_after),
        "rows_read": sum(|result| result.outcome.rows_read),
        "rows_written": sum(|result| result.outcome.rows_written),
        "total_attempts": 1,
    })
}

/// Rows as objects; of two columns with one name the last counts.
fn objects(result: &QueryResult) -> Json {
    let rows = result.outcome.rows.iter().map(|row| {
        let fields = result.outcome.columns.iter().cloned();
        let object: Map<String, Json> = fields.zip(row.iter().map(json_value)).collect();
        Json::Object(object)
    });
    Json::Array(rows.collect())
}

/// Rows as arrays, and the columns' names once.
fn arrays(result: &QueryResult) -> Json {
    let row = |row: &Vec<Value>| row.iter().map(json_value).collect::<Json>();
    let rows = result.outcome.rows.iter().map(row);
    json!({ "columns": &*result.outcome.columns, "rows": rows.collect::<Vec<_>>() })
}

/// A value as JavaScript would have it: integers beyond 2^53 rounded, bytes as numbers.
fn json_value(value: &Value) -> Json {
    const EXACT: i64 = 1 << 53;
    match value {
        Value::Null => Json::Null,
        Value::Integer(whole) if (-EXACT..=EXACT).contains(whole) => (*whole).into(),
        #[expect(clippy::cast_precision_loss, reason = "it is what JavaScript does")]
        Value::Integer(whole) => json!(*whole as f64),
        // JSON has no infinities: they become null, as in JavaScript.
        Value::Real(float) => json!(float),
        Value::Text(text) => text.as_str().into(),
        Value::Blob(bytes) => bytes.iter().map(|byte| Json::from(*byte)).collect(),
    }
}

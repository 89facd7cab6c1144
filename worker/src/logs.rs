//! Logs in D1: audit rows, error rows, their queries, and how long they are kept.
//!
//! Only what nobody expects is an error row; a refused request never is. Metadata holds ids and addresses, never a password,
//! a token or a body. Without a database a row goes to the console, so nothing is dropped without a word.

use std::rc::Rc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use worker::wasm_bindgen::JsValue;
use worker::{D1Database, D1PreparedStatement, Result, console_error};

use crate::call::Call;
use crate::core::decimal;
use crate::core::time::{DAY_MS, rfc3339};
use crate::headers::Reply;
use crate::isolate::{App, now_ms};
use crate::problem::{Failure, Problem};
use crate::{envelope, sql};

/// How long audit rows are kept, in days.
const AUDIT_RETENTION_DAYS: u64 = 90;

/// How long error rows are kept, in days.
const ERROR_RETENTION_DAYS: u64 = 30;

/// Deleting statements per run, of audit rows and of error rows: together below the 50 queries that an invocation has on the free plan
/// (D1LIM 2026-04-21). So up to 40,000 audit rows go each day, twice as many as come on a day that uses the free plan up; who has more
/// sets the trigger off more often.
const RETENTION_STATEMENTS_MAX: [u32; 2] = [40, 8];

/// One audit row.
#[derive(Debug)]
pub(crate) struct Audit {
    /// `transaction`, `auth` or `security`.
    pub(crate) category: &'static str,
    pub(crate) action: &'static str,
    pub(crate) user_id: Option<String>,
    /// A JSON object.
    pub(crate) metadata: String,
}

/// Writes an audit row.
pub(crate) async fn audit(app: Rc<App>, row: Audit) {
    let written = match &app.db {
        Some(db) => insert_audit(db, &row).await,
        None => Err(worker::Error::BindingError("DB".into())),
    };
    if let Err(error) = written {
        console_error!("audit row not stored ({error}): {row:?}");
    }
}

async fn insert_audit(db: &D1Database, row: &Audit) -> Result<()> {
    let user_id = row
        .user_id
        .as_deref()
        .map_or(JsValue::NULL, JsValue::from_str);
    let values = [
        JsValue::from_str(&rfc3339(now_ms())),
        row.category.into(),
        row.action.into(),
        user_id,
        JsValue::from_str(&row.metadata),
    ];
    db.prepare(sql::INSERT_AUDIT)
        .bind(&values)?
        .run()
        .await
        .map(drop)
}

/// Writes an error row; `metadata` is a JSON object.
pub(crate) async fn error(app: Rc<App>, message: &'static str, metadata: String) {
    // The console has it in any case: a failing database is the likeliest reason to be here.
    console_error!("{message}: {metadata}");
    if let Some(db) = &app.db {
        let values = [
            JsValue::from_str(&rfc3339(now_ms())),
            "error".into(),
            message.into(),
            JsValue::from_str(&metadata),
        ];
        let written = async { db.prepare(sql::INSERT_ERROR).bind(&values)?.run().await }.await;
        if let Err(error) = written {
            console_error!("error row not stored: {error}");
        }
    }
}

#[derive(Deserialize)]
struct AuditRow {
    id: u64,
    timestamp: String,
    category: String,
    action: String,
    user_id: Option<String>,
    metadata: Option<String>,
}

#[derive(Serialize)]
struct AuditOut {
    id: u64,
    timestamp: String,
    category: String,
    action: String,
    user_id: Option<String>,
    metadata: Box<RawValue>,
}

#[derive(Deserialize)]
struct ErrorRow {
    id: u64,
    timestamp: String,
    level: String,
    message: String,
    metadata: Option<String>,
}

#[derive(Serialize)]
struct ErrorOut {
    id: u64,
    timestamp: String,
    level: String,
    message: String,
    metadata: Box<RawValue>,
}

/// `GET /api/admin/audit-logs?category=&action=&user_id=&limit=`
pub(crate) async fn list_audit(call: &mut Call<'_>) -> Result<Reply, Failure> {
    let limit = limit(call)?;
    // There are none, and looking for them would be a scan.
    let other_than_create = |action: String| action != "create";
    if call.parameter("category").as_deref() == Some("transaction")
        && call.parameter("action").is_some_and(other_than_create)
    {
        return Ok(Reply::json(200, envelope::data(&[(); 0])));
    }
    let rows = query(
        call,
        sql::SELECT_AUDIT,
        &["category", "action", "user_id"],
        limit,
    )?
    .all()
    .await?
    .results::<AuditRow>()?;
    let rows: Vec<AuditOut> = rows
        .into_iter()
        .map(|row| AuditOut {
            id: row.id,
            timestamp: row.timestamp,
            category: row.category,
            action: row.action,
            user_id: row.user_id,
            metadata: object(row.metadata),
        })
        .collect();
    Ok(Reply::json(200, envelope::data(&rows)))
}

/// `GET /api/admin/error-logs?level=&limit=`
pub(crate) async fn list_errors(call: &mut Call<'_>) -> Result<Reply, Failure> {
    let limit = limit(call)?;
    let rows = query(call, sql::SELECT_ERRORS, &["level"], limit)?
        .all()
        .await?
        .results::<ErrorRow>()?;
    let rows: Vec<ErrorOut> = rows
        .into_iter()
        .map(|row| ErrorOut {
            id: row.id,
            timestamp: row.timestamp,
            level: row.level,
            message: row.message,
            metadata: object(row.metadata),
        })
        .collect();
    Ok(Reply::json(200, envelope::data(&rows)))
}

/// The query for the filters that the request names. Only which conditions there are depends on it; their values are bound.
fn query(
    call: &Call<'_>,
    select: &str,
    filters: &[&'static str],
    limit: u64,
) -> Result<D1PreparedStatement, Failure> {
    let given: Vec<(&'static str, String)> = filters
        .iter()
        .filter_map(|name| Some((*name, call.parameter(name)?)))
        .collect();
    let (text, values) = filtered(select, &given, limit);
    let values: Vec<JsValue> = values.into_iter().map(JsValue::from_str).collect();
    Ok(call.db()?.prepare(text).bind(&values)?)
}

/// The text of a filtered query, and the values to bind in their order.
///
/// The action of a created transaction is `create` and that of nothing else, so who asks for another one need not look at those.
fn filtered<'a>(
    select: &str,
    filters: &'a [(&'static str, String)],
    limit: u64,
) -> (String, Vec<&'a str>) {
    let given = |name: &str| {
        let found = filters.iter().find(|(given, _)| *given == name);
        found.map(|(_, value)| value.as_str())
    };
    let (category, action) = (given("category"), given("action"));
    let category_indexed = category.is_some_and(|category| category != "transaction");
    let level_indexed = given("level").is_some_and(|level| level != "error");
    let another_action = category.is_none() && action.is_some_and(|action| action != "create");
    let mut text = String::from(select);
    let mut joint = " WHERE ";
    let conditions = [
        (category_indexed || another_action, sql::NOT_A_TRANSACTION),
        (level_indexed, sql::NOT_AN_ERROR),
    ];
    for (_, condition) in conditions.iter().filter(|(holds, _)| *holds) {
        text.push_str(joint);
        text.push_str(condition);
        joint = " AND ";
    }
    let mut values = Vec::with_capacity(filters.len());
    for (name, value) in filters {
        values.push(value.as_str());
        text.push_str(joint);
        text.push_str(name);
        text.push_str(" = ?");
        decimal::push(&mut text, values.len() as u64);
        joint = " AND ";
    }
    text.push_str(
        if category_indexed || level_indexed || given("user_id").is_some() {
            sql::LATEST_FIRST
        } else if another_action {
            sql::FEW_NEWEST_FIRST
        } else {
            sql::NEWEST_FIRST
        },
    );
    decimal::push(&mut text, limit);
    (text, values)
}

/// Metadata as it was stored, if it is a JSON object; else an empty one.
fn object(metadata: Option<String>) -> Box<RawValue> {
    let object = metadata
        .and_then(|text| RawValue::from_string(text).ok())
        .filter(|value| value.get().starts_with('{'));
    object
        .unwrap_or_else(|| RawValue::from_string("{}".to_owned()).expect("an empty object is JSON"))
}

/// Deletes rows that are older than their retention, as many as one run may, and marks of alerts that no dedupe window reaches.
pub(crate) async fn retain(app: &App) {
    let Some(db) = &app.db else {
        console_error!("log retention: DB is absent");
        return;
    };
    let [audit_max, errors_max] = RETENTION_STATEMENTS_MAX;
    for (statement, days, statements_max) in [
        (sql::RETAIN_AUDIT, AUDIT_RETENTION_DAYS, audit_max),
        (sql::RETAIN_ERRORS, ERROR_RETENTION_DAYS, errors_max),
    ] {
        let oldest = JsValue::from_str(&rfc3339(now_ms().saturating_sub(days * DAY_MS)));
        for _ in 0..statements_max {
            match delete(db, statement, &oldest).await {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => {
                    console_error!("log retention: {error}");
                    break;
                }
            }
        }
    }
    let oldest = now_ms().saturating_sub(app.config.alert_dedupe_ms.max(DAY_MS));
    if let Err(error) = delete(db, sql::RETAIN_MARKS, &JsValue::from_f64(oldest as f64)).await {
        console_error!("retention of marks: {error}");
    }
}

async fn delete(db: &D1Database, statement: &str, oldest: &JsValue) -> Result<usize> {
    let done = db
        .prepare(statement)
        .bind(std::slice::from_ref(oldest))?
        .run()
        .await?;
    Ok(done.meta()?.and_then(|meta| meta.changes).unwrap_or(0))
}

/// The query parameter `limit` of a request.
pub(crate) fn limit(call: &Call<'_>) -> Result<u64, Failure> {
    parse_limit(call.parameter("limit").as_deref())
}

/// 400 for a `limit` that is no whole number from 1 to 100.
fn parse_limit(parameter: Option<&str>) -> Result<u64, Failure> {
    match parameter {
        None => Ok(50),
        Some(text) => decimal::parse(text)
            .filter(|limit| (1..=100).contains(limit))
            .ok_or_else(|| {
                Problem::new(
                    400,
                    "The parameter limit must be a whole number from 1 to 100.",
                )
                .into()
            }),
    }
}

#[cfg(test)]
mod tests {
    use super::{filtered, object, parse_limit};
    use crate::sql;

    #[test]
    fn filters_are_bound_and_never_part_of_the_text() {
        let hostile = "x' OR '1'='1";
        let filters = [
            ("category", hostile.to_owned()),
            ("user_id", "u".to_owned()),
        ];
        let (text, values) = filtered(sql::SELECT_AUDIT, &filters, 7);
        assert!(text.ends_with("WHERE category <> 'transaction' AND category = ?1 AND user_id = ?2 ORDER BY timestamp DESC, id DESC LIMIT 7"), "{text}");
        assert_eq!(values, [hostile, "u"]);
    }

    #[test]
    fn without_a_filter_all_rows_are_asked_for() {
        assert!(
            filtered(sql::SELECT_ERRORS, &[], 50)
                .0
                .ends_with("FROM error_logs ORDER BY id DESC LIMIT 50")
        );
        let (text, _) = filtered(
            sql::SELECT_AUDIT,
            &[("category", "transaction".to_owned())],
            1,
        );
        assert!(text.contains("WHERE category = ?1 ORDER"), "{text}");
    }

    #[test]
    fn a_limit_is_1_to_100_and_50_by_default() {
        for (text, limit) in [(None, 50), (Some("1"), 1), (Some("100"), 100)] {
            assert_eq!(parse_limit(text).ok(), Some(limit));
        }
        for wrong in ["0", "101", "-1", "", "ten", "1e1", "99999999999999999999"] {
            assert!(parse_limit(Some(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn metadata_is_always_an_object() {
        assert_eq!(object(Some(r#"{"a":1}"#.to_owned())).get(), r#"{"a":1}"#);
        for damaged in [None, Some("[1]"), Some("x"), Some("")] {
            assert_eq!(object(damaged.map(str::to_owned)).get(), "{}");
        }
    }
}

//! Transactions, and what is computed from them: the dashboard and the reports.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use worker::D1Database;
use worker::wasm_bindgen::JsValue;

use crate::call::Call;
use crate::core::cache::Kind;
use crate::core::time::rfc3339;
use crate::core::validate;
use crate::headers::Reply;
use crate::problem::{Failure, Problem};
use crate::{envelope, logs, sql};

/// How many of the latest transactions a dashboard shows.
const RECENT: f64 = 5.0;

#[derive(Deserialize)]
struct Row {
    id: u64,
    #[serde(rename = "type")]
    kind: String,
    amount_cents: u64,
    description: String,
    date: String,
    created_at: String,
}

/// A transaction as the API shows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    id: u64,
    #[serde(rename = "type")]
    kind: &'a str,
    amount: f64,
    description: &'a str,
    date: &'a str,
    created_at: &'a str,
}

impl<'a> From<&'a Row> for Shown<'a> {
    fn from(row: &'a Row) -> Self {
        Self {
            id: row.id,
            kind: &row.kind,
            amount: amount(row.amount_cents),
            description: &row.description,
            date: &row.date,
            created_at: &row.created_at,
        }
    }
}

/// Up to 10^14 cents the nearest binary fraction prints with the same two decimals again.
fn amount(cents: u64) -> f64 {
    cents as f64 / 100.0
}

/// `POST /api/transactions`. The transaction and its audit row are one batch: one round trip, one database transaction.
pub(crate) async fn create(call: &mut Call<'_>, user_id: &str) -> Result<Reply, Failure> {
    let body = call.json_body().await?;
    let new = validate::transaction(&body)?;
    let db = call.db()?;
    let created_at = rfc3339(call.started_ms);
    let (user, now) = (JsValue::from_str(user_id), JsValue::from_str(&created_at));
    let transaction = db.prepare(sql::INSERT_TRANSACTION).bind(&[
        user.clone(),
        new.kind.as_str().into(),
        JsValue::from_f64(new.amount_cents as f64),
        JsValue::from_str(&new.description),
        JsValue::from_str(&new.date),
        now.clone(),
    ])?;
    let audit = db.prepare(sql::INSERT_TRANSACTION_AUDIT).bind(&[
        now,
        user,
        JsValue::from_str(&call.request_id),
    ])?;
    let results = db.batch(vec![transaction, audit]).await?;
    let meta = results
        .first()
        .map(|result| result.meta())
        .transpose()?
        .flatten();
    let id = meta
        .and_then(|meta| meta.last_row_id)
        .and_then(|id| u64::try_from(id).ok());
    let id =
        id.ok_or_else(|| Failure::Unexpected("the database gave no id for a new row".to_owned()))?;
    let shown = Shown {
        id,
        kind: new.kind.as_str(),
        amount: amount(new.amount_cents),
        description: &new.description,
        date: &new.date,
        created_at: &created_at,
    };
    Ok(Reply::json(201, envelope::data(&shown))
        .with_header("Location", format!("/api/transactions/{id}")))
}

/// `GET /api/transactions?limit=`, newest first.
pub(crate) async fn list(call: &mut Call<'_>, user_id: &str) -> Result<Reply, Failure> {
    let limit = logs::limit(call)?;
    let values = [JsValue::from_str(user_id), JsValue::from_f64(limit as f64)];
    let rows = call
        .db()?
        .prepare(sql::LIST_TRANSACTIONS)
        .bind(&values)?
        .all()
        .await?
        .results::<Row>()?;
    Ok(Reply::json(
        200,
        envelope::data(&rows.iter().map(Shown::from).collect::<Vec<_>>()),
    ))
}

/// `GET /api/transactions/{id}`. Another user's transaction is not found, like one that does not exist.
pub(crate) async fn one(call: &mut Call<'_>, user_id: &str, id: u64) -> Result<Reply, Failure> {
    let values = [JsValue::from_f64(id as f64), JsValue::from_str(user_id)];
    let row: Option<Row> = call
        .db()?
        .prepare(sql::ONE_TRANSACTION)
        .bind(&values)?
        .first(None)
        .await?;
    match row {
        Some(row) => Ok(Reply::json(200, envelope::data(&Shown::from(&row)))),
        None => Err(Problem::new(404, "There is no such transaction.").into()),
    }
}

#[derive(Deserialize)]
struct Summary {
    count: u64,
    version: u64,
    #[serde(flatten)]
    sums: Sums,
}

#[derive(Deserialize)]
struct Month {
    month: String,
    count: u64,
    #[serde(flatten)]
    sums: Sums,
}

/// Cents, in millions and the rest.
#[derive(Deserialize)]
struct Sums {
    income_millions: u64,
    income_rest: u64,
    expense_millions: u64,
    expense_rest: u64,
}

#[derive(Serialize)]
struct Totals {
    income: Box<RawValue>,
    expense: Box<RawValue>,
    balance: Box<RawValue>,
}

impl From<&Sums> for Totals {
    fn from(sums: &Sums) -> Self {
        let income = i128::from(sums.income_millions) * 1_000_000 + i128::from(sums.income_rest);
        let expense = i128::from(sums.expense_millions) * 1_000_000 + i128::from(sums.expense_rest);
        Self {
            income: number(income),
            expense: number(expense),
            balance: number(income - expense),
        }
    }
}

/// Cents as a JSON number with two decimals, exact at any size.
fn number(cents: i128) -> Box<RawValue> {
    let sign = if cents < 0 { "-" } else { "" };
    let cents = cents.unsigned_abs();
    RawValue::from_string(format!("{sign}{}.{:02}", cents / 100, cents % 100))
        .expect("digits and a point are a JSON number")
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Dashboard<'a> {
    transaction_count: u64,
    #[serde(flatten)]
    totals: Totals,
    recent: Vec<Shown<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Reports {
    transaction_count: u64,
    #[serde(flatten)]
    totals: Totals,
    months: Vec<MonthShown>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MonthShown {
    month: String,
    transaction_count: u64,
    #[serde(flatten)]
    totals: Totals,
}

/// The version of a user's data: the id of their newest transaction, 0 without any.
pub(crate) async fn version(db: &D1Database, user_id: &str) -> Result<u64, Failure> {
    let newest: Option<u64> = db
        .prepare(sql::VERSION)
        .bind(&[JsValue::from_str(user_id)])?
        .first(Some("id"))
        .await?;
    Ok(newest.unwrap_or(0))
}

/// The body of a dashboard or report, and the version of the data it was computed from: both from one database transaction, so
/// that the version is never newer or older than the body.
pub(crate) async fn compute(
    db: &D1Database,
    kind: Kind,
    user_id: &str,
) -> Result<(u64, String), Failure> {
    let user = JsValue::from_str(user_id);
    let summary = db.prepare(sql::SUMMARY).bind(std::slice::from_ref(&user))?;
    let second = match kind {
        Kind::Dashboard => db
            .prepare(sql::LIST_TRANSACTIONS)
            .bind(&[user, JsValue::from_f64(RECENT)])?,
        Kind::Reports => db.prepare(sql::MONTHS).bind(&[user])?,
    };
    let results = db.batch(vec![summary, second]).await?;
    let [summary, second] = results.as_slice() else {
        return Err(Failure::Unexpected(
            "the database did not answer every statement of a batch".to_owned(),
        ));
    };
    let summary = summary
        .results::<Summary>()?
        .pop()
        .ok_or_else(|| Failure::Unexpected("no row of totals".to_owned()))?;
    let (transaction_count, totals) = (summary.count, Totals::from(&summary.sums));
    let body = match kind {
        Kind::Dashboard => {
            let recent = second.results::<Row>()?;
            envelope::data(&Dashboard {
                transaction_count,
                totals,
                recent: recent.iter().map(Shown::from).collect(),
            })
        }
        Kind::Reports => {
            let months = second.results::<Month>()?.into_iter();
            let months = months.map(|row| MonthShown {
                totals: Totals::from(&row.sums),
                month: row.month,
                transaction_count: row.count,
            });
            envelope::data(&Reports {
                transaction_count,
                totals,
                months: months.collect(),
            })
        }
    };
    Ok((
        summary.version,
        String::from_utf8(body).expect("JSON is UTF-8"),
    ))
}

#[cfg(test)]
mod tests {
    use super::{Sums, Totals, amount, number};

    #[test]
    fn every_amount_prints_its_own_two_decimals() {
        for (cents, text) in [
            (1, "0.01"),
            (29, "0.29"),
            (110, "1.1"),
            (100, "1.0"),
            (99_999_999_999_999, "999999999999.99"),
            (100_000_000_000_000, "1000000000000.0"),
        ] {
            assert_eq!(serde_json::to_string(&amount(cents)).unwrap(), text);
        }
    }

    #[test]
    fn totals_are_exact_beyond_what_a_double_holds() {
        let sums = Sums {
            income_millions: 9_007_199_254_740,
            income_rest: 999_999,
            expense_millions: 0,
            expense_rest: 1,
        };
        let totals = Totals::from(&sums);
        assert_eq!(totals.income.get(), "90071992547409999.99");
        assert_eq!(totals.balance.get(), "90071992547409999.98");
        assert_eq!(number(-5).get(), "-0.05");
        assert_eq!(number(0).get(), "0.00");
    }
}

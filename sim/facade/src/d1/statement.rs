//! [`D1PreparedStatement`]: binding parameters and running.

use super::argument::D1Argument;
use super::error::D1Error;
use super::result::{D1Result, cell, object};
use crate::Result;
use crate::error::Error;
use crate::js::thrown;
use crate::js_sys::{Array, ArrayBuffer, Uint8Array};
use crate::wasm_bindgen::{JsCast, JsValue};
use edgeproof_sim::Bindings;
use edgeproof_sim::exception::Exception;
use edgeproof_sim::platform::d1::{Call, QueryResult, Statement, error as d1_error};
use edgeproof_sim::sql::Value;
use send_wrapper::SendWrapper;
use serde::Deserialize;
use std::future::IntoFuture;
use std::pin::Pin;

/// A statement with its parameters.
#[derive(Debug, Clone)]
#[must_use = "D1PreparedStatement does nothing until you run or await it"]
pub struct D1PreparedStatement {
    database: u32,
    statement: SendWrapper<Statement>,
}

impl D1PreparedStatement {
    pub(super) fn new(database: u32, sql: String) -> Self {
        let statement = Statement {
            sql: sql.into(),
            parameters: Vec::new(),
        };
        Self {
            database,
            statement: SendWrapper::new(statement),
        }
    }

    /// The statement as the platform takes it.
    pub(super) fn into_raw(self) -> Statement {
        self.statement.take()
    }

    /// Binds values to the statement's parameters, in order.
    ///
    /// # Errors
    /// A value that D1 has no type for.
    pub fn bind(self, values: &[JsValue]) -> Result<Self> {
        self.bound(values.iter())
    }

    /// Binds values to the statement's parameters, in order.
    ///
    /// # Errors
    /// A value that D1 has no type for.
    pub fn bind_refs<'a, T: IntoIterator<Item = &'a U>, U: D1Argument + 'a>(
        &self,
        values: T,
    ) -> Result<Self> {
        let values: Vec<_> = values.into_iter().map(D1Argument::js_value).collect();
        self.clone().bound(values.iter().map(AsRef::as_ref))
    }

    /// One bound statement for every list of values.
    ///
    /// # Errors
    /// A value that D1 has no type for.
    pub fn batch_bind<
        'a,
        U: IntoIterator<Item = &'a V> + 'a,
        T: IntoIterator<Item = U> + 'a,
        V: D1Argument + 'a,
    >(
        &self,
        values: T,
    ) -> Result<Vec<Self>> {
        values
            .into_iter()
            .map(|batch| self.bind_refs(batch))
            .collect()
    }

    fn bound<'a>(mut self, values: impl Iterator<Item = &'a JsValue>) -> Result<Self> {
        self.statement.parameters = values.map(parameter).collect::<Result<_>>()?;
        Ok(self)
    }

    async fn run_query(&self) -> std::result::Result<QueryResult, Exception> {
        let call = Call::Query(Statement::clone(&self.statement));
        let mut results = Bindings::current().d1_call(self.database, call).await?;
        Ok(results.pop().expect("a query has one result"))
    }

    /// The first row, or one column of it; `None` when there is no row.
    ///
    /// # Errors
    /// The statement's; a column that is not there; a row of another shape.
    pub async fn first<T>(&self, col_name: Option<&str>) -> Result<Option<T>>
    where
        T: for<'a> Deserialize<'a>,
    {
        let result = self
            .run_query()
            .await
            .map_err(|failure| D1Error::classify(thrown(failure)))?;
        let outcome = &result.outcome;
        let Some(row) = outcome.rows.first() else {
            return Ok(None);
        };
        let value = match col_name {
            None => object(&outcome.columns, row),
            Some(name) => match outcome.columns.iter().rposition(|column| column == name) {
                Some(place) => cell(&row[place]),
                None => {
                    let mut exception =
                        d1_error("D1_COLUMN_NOTFOUND", &format!("Column not found ({name})"));
                    exception.cause = Some("Column not found".to_owned());
                    return Err(D1Error::classify(thrown(exception)));
                }
            },
        };
        Ok(serde_wasm_bindgen::from_value(value)?)
    }

    /// Runs it. Its rows are there as after [`all`](Self::all): the binding asks for none (`resultsFormat=NONE`), and the service
    /// gives them all the same (D1's documentation; miniflare).
    ///
    /// # Errors
    /// The statement's.
    pub async fn run(&self) -> Result<D1Result> {
        let result = self
            .run_query()
            .await
            .map_err(|failure| D1Error::classify(thrown(failure)))?;
        Ok(D1Result::new(result))
    }

    /// Runs it, for its rows.
    ///
    /// # Errors
    /// The statement's.
    pub async fn all(&self) -> Result<D1Result> {
        let result = self
            .run_query()
            .await
            .map_err(|failure| Error::from(thrown(failure)))?;
        Ok(D1Result::new(result))
    }

    /// Its rows as lists of values.
    ///
    /// # Errors
    /// The statement's; a value of another shape.
    pub async fn raw<T>(&self) -> Result<Vec<Vec<T>>>
    where
        T: for<'a> Deserialize<'a>,
    {
        let rows = self.raw_js_value().await?;
        rows.into_iter()
            .map(|row| Ok(serde_wasm_bindgen::from_value(row)?))
            .collect()
    }

    /// Its rows as JavaScript arrays.
    ///
    /// # Errors
    /// The statement's.
    pub async fn raw_js_value(&self) -> Result<Vec<JsValue>> {
        let result = self
            .run_query()
            .await
            .map_err(|failure| D1Error::classify(thrown(failure)))?;
        let array = |row: &Vec<Value>| row.iter().map(cell).collect::<Array>().into();
        Ok(result.outcome.rows.iter().map(array).collect())
    }
}

impl IntoFuture for D1PreparedStatement {
    type Output = Result<D1Result>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.run().await })
    }
}

/// A value as D1 takes it: the binding refuses what has no SQL type, and sends everything else as JSON.
fn parameter(value: &JsValue) -> Result<Value> {
    if let Some(text) = value.as_string() {
        return Ok(Value::Text(text));
    }
    if let Some(number) = value.as_f64() {
        // JSON has no NaN and no infinity: they become null. Every other number is a double, integral or not.
        return Ok(if !number.is_finite() {
            Value::Null
        } else {
            Value::Real(number)
        });
    }
    if value.is_null() {
        return Ok(Value::Null);
    }
    if let Some(truth) = value.as_bool() {
        return Ok(Value::Real(if truth { 1.0 } else { 0.0 }));
    }
    if let Some(array) = value.dyn_ref::<Uint8Array>() {
        return Ok(Value::Blob(array.to_vec()));
    }
    if let Some(buffer) = value.dyn_ref::<ArrayBuffer>() {
        return Ok(Value::Blob(Uint8Array::new(buffer).to_vec()));
    }
    if let Some(array) = value.dyn_ref::<Array>() {
        // A list is bytes if all of it is (workerd d1-api.ts); fractions are cut off.
        let byte = |item: JsValue| {
            let number = item
                .as_f64()
                .filter(|number| (0.0..256.0).contains(number))?;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "looked at just before"
            )]
            Some(number as u8)
        };
        if let Some(bytes) = array.iter().map(byte).collect() {
            return Ok(Value::Blob(bytes));
        }
    }
    let kind = value.js_typeof().as_string().unwrap_or_default();
    let shown = crate::js::shown(value);
    let text = format!("Type '{kind}' not supported for value '{shown}'");
    Err(D1Error::classify(thrown(d1_error("D1_TYPE_ERROR", &text))))
}

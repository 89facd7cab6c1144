//! D1, the SQL database: statements, parameters and results as JavaScript sees them.

pub use worker_native_js::serde_wasm_bindgen;

use crate::Result;
use crate::error::Error;
use crate::js::thrown;
use crate::js_sys::{self, Array, ArrayBuffer, JsString, Object, Uint8Array};
use crate::wasm_bindgen::{JsCast, JsValue};
use edgeproof_sim::World;
use edgeproof_sim::exception::Exception;
use edgeproof_sim::platform::d1::{Call, QueryResult, Statement, error as d1_error};
use edgeproof_sim::sql::{Outcome, Value};
use serde::Deserialize;
use std::fmt;
use std::future::IntoFuture;
use std::iter::{Once, once};
use std::ops::Deref;
use std::pin::Pin;
use std::rc::Rc;

/// A D1 database.
#[derive(Debug)]
pub struct D1Database {
    database: u32,
}

impl D1Database {
    pub(crate) fn new(database: u32) -> Self {
        Self { database }
    }

    /// A statement; nothing is sent until it is run.
    pub fn prepare<T: Into<String>>(&self, query: T) -> D1PreparedStatement {
        let statement = Statement {
            sql: query.into().into(),
            parameters: Vec::new(),
        };
        D1PreparedStatement {
            database: self.database,
            statement,
        }
    }

    /// Runs statements in order, as one transaction.
    ///
    /// # Errors
    /// The first statement's that fails; nothing of the batch is kept then.
    pub async fn batch(&self, statements: Vec<D1PreparedStatement>) -> Result<Vec<D1Result>> {
        let statements = statements
            .into_iter()
            .map(|statement| statement.statement)
            .collect();
        let results = World::current()
            .d1_call(self.database, Call::Batch(statements))
            .await;
        let results = results.map_err(|failure| D1Error::classify(thrown(failure)))?;
        Ok(results
            .into_iter()
            .map(|result| D1Result { result })
            .collect())
    }

    /// Runs a text, a statement per line.
    ///
    /// # Errors
    /// The first line's that fails.
    pub async fn exec(&self, query: &str) -> Result<D1ExecResult> {
        let results = World::current()
            .d1_call(self.database, Call::Exec(query.into()))
            .await;
        let results = results.map_err(|failure| D1Error::classify(thrown(failure)))?;
        let duration = results.iter().map(milliseconds).sum();
        Ok(D1ExecResult {
            count: u32::try_from(results.len()).unwrap_or(u32::MAX),
            duration,
        })
    }
}

fn milliseconds(result: &QueryResult) -> f64 {
    result.duration.as_secs_f64() * 1000.0
}

/// What [`D1Database::exec`] did.
#[derive(Debug, Clone)]
pub struct D1ExecResult {
    count: u32,
    duration: f64,
}

impl D1ExecResult {
    /// How many statements ran.
    ///
    /// # Errors
    /// Never; upstream's signature.
    pub fn count(&self) -> std::result::Result<Option<u32>, JsValue> {
        Ok(Some(self.count))
    }

    /// How long they took, in milliseconds.
    ///
    /// # Errors
    /// Never; upstream's signature.
    pub fn duration(&self) -> std::result::Result<Option<f64>, JsValue> {
        Ok(Some(self.duration))
    }
}

/// A parameter of a statement.
#[derive(Debug)]
pub enum D1Type<'a> {
    /// `null`.
    Null,
    /// A number.
    Real(f64),
    /// A number.
    Integer(i32),
    /// A string.
    Text(&'a str),
    /// A boolean, stored as 1 or 0.
    Boolean(bool),
    /// Bytes.
    Blob(&'a [u8]),
}

/// A parameter that was converted once and can be bound many times.
#[derive(Debug)]
pub struct D1PreparedArgument<'a> {
    value: &'a D1Type<'a>,
    js_value: JsValue,
}

impl<'a> D1PreparedArgument<'a> {
    /// Converts a parameter.
    pub fn new(value: &'a D1Type<'_>) -> D1PreparedArgument<'a> {
        D1PreparedArgument {
            value,
            js_value: value.into(),
        }
    }
}

impl<'a> From<&'a D1Type<'a>> for JsValue {
    fn from(value: &'a D1Type<'a>) -> Self {
        match *value {
            D1Type::Null => Self::null(),
            D1Type::Real(number) => Self::from_f64(number),
            D1Type::Integer(number) => Self::from_f64(f64::from(number)),
            D1Type::Text(text) => Self::from_str(text),
            D1Type::Boolean(truth) => Self::from_bool(truth),
            D1Type::Blob(bytes) => {
                serde_wasm_bindgen::to_value(bytes).expect("bytes can be written")
            }
        }
    }
}

impl<'a> Deref for D1PreparedArgument<'a> {
    type Target = D1Type<'a>;

    fn deref(&self) -> &Self::Target {
        self.value
    }
}

impl<'a> IntoIterator for &'a D1Type<'a> {
    type Item = &'a D1Type<'a>;
    type IntoIter = Once<&'a D1Type<'a>>;

    fn into_iter(self) -> Self::IntoIter {
        once(self)
    }
}

impl<'a> IntoIterator for &'a D1PreparedArgument<'a> {
    type Item = &'a D1PreparedArgument<'a>;
    type IntoIter = Once<&'a D1PreparedArgument<'a>>;

    fn into_iter(self) -> Self::IntoIter {
        once(self)
    }
}

/// Something that [`D1PreparedStatement::bind_refs`] takes.
pub trait D1Argument {
    /// The value to bind.
    fn js_value(&self) -> impl AsRef<JsValue>;
}

impl D1Argument for D1Type<'_> {
    fn js_value(&self) -> impl AsRef<JsValue> {
        JsValue::from(self)
    }
}

impl D1Argument for D1PreparedArgument<'_> {
    fn js_value(&self) -> impl AsRef<JsValue> {
        &self.js_value
    }
}

/// A statement with its parameters.
#[derive(Debug, Clone)]
#[must_use = "D1PreparedStatement does nothing until you run or await it"]
pub struct D1PreparedStatement {
    database: u32,
    statement: Statement,
}

impl D1PreparedStatement {
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
        let call = Call::Query(self.statement.clone());
        let mut results = World::current().d1_call(self.database, call).await?;
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
        Ok(D1Result { result })
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
        Ok(D1Result { result })
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

/// A value of a row as it arrives: JSON has one kind of number, and bytes are lists of numbers.
fn cell(value: &Value) -> JsValue {
    match value {
        Value::Null => JsValue::null(),
        #[expect(
            clippy::cast_precision_loss,
            reason = "integers beyond 2^53 are rounded, as JSON's readers do"
        )]
        Value::Integer(number) => JsValue::from_f64(*number as f64),
        Value::Real(number) => JsValue::from_f64(*number),
        Value::Text(text) => JsValue::from_str(text),
        Value::Blob(bytes) => bytes
            .iter()
            .map(|byte| JsValue::from_f64(f64::from(*byte)))
            .collect::<Array>()
            .into(),
    }
}

/// A row as an object; of two columns with one name the last wins.
fn object(columns: &Rc<[String]>, row: &[Value]) -> JsValue {
    let object = Object::new();
    for (column, value) in columns.iter().zip(row) {
        let set = js_sys::Reflect::set(&object, &JsValue::from_str(column), &cell(value));
        set.expect("a property of a new object can be set");
    }
    object.into()
}

/// What a statement answered.
#[derive(Debug)]
pub struct D1Result {
    result: QueryResult,
}

/// What a statement cost and changed.
#[derive(Debug, Clone, Deserialize)]
pub struct D1ResultMeta {
    /// Whether the database changed.
    pub changed_db: Option<bool>,
    /// Rows inserted, updated or deleted.
    pub changes: Option<usize>,
    /// Time the database worked, in milliseconds.
    pub duration: Option<f64>,
    /// Row id of the last insert.
    pub last_row_id: Option<i64>,
    /// Rows scanned.
    pub rows_read: Option<usize>,
    /// Rows and index entries written.
    pub rows_written: Option<usize>,
    /// Size of the database afterwards, in bytes.
    pub size_after: Option<usize>,
}

impl D1Result {
    /// Whether it succeeded: a failure is an `Err` of the call, so always.
    pub fn success(&self) -> bool {
        true
    }

    /// The error of a result that failed: never, see [`success`](Self::success).
    pub fn error(&self) -> Option<String> {
        None
    }

    /// The rows.
    ///
    /// # Errors
    /// A row of another shape.
    pub fn results<T>(&self) -> Result<Vec<T>>
    where
        T: for<'a> Deserialize<'a>,
    {
        let Outcome { columns, rows, .. } = &self.result.outcome;
        rows.iter()
            .map(|row| Ok(serde_wasm_bindgen::from_value(object(columns, row))?))
            .collect()
    }

    /// What it cost and changed.
    ///
    /// # Errors
    /// Never; upstream's signature.
    pub fn meta(&self) -> Result<Option<D1ResultMeta>> {
        let QueryResult {
            outcome,
            changed_db,
            size_after,
            ..
        } = &self.result;
        let count = |number: u64| usize::try_from(number).ok();
        Ok(Some(D1ResultMeta {
            changed_db: Some(*changed_db),
            changes: count(outcome.changes),
            duration: Some(milliseconds(&self.result)),
            last_row_id: Some(outcome.last_row_id),
            rows_read: count(outcome.rows_read),
            rows_written: count(outcome.rows_written),
            size_after: count(*size_after),
        }))
    }
}

/// An error of a D1 database: an `Error` object whose message begins with `D1` and whose cause says what happened.
#[derive(Clone)]
pub struct D1Error {
    inner: js_sys::Error,
}

impl D1Error {
    /// The message of the cause, or `unknown error`.
    pub fn cause(&self) -> String {
        match self.inner.cause().dyn_into::<js_sys::Error>() {
            Ok(cause) => String::from(cause.message()),
            Err(_) => "unknown error".to_owned(),
        }
    }

    /// Sorts what a D1 call threw: errors whose message begins with `D1` are D1's own, the others any error.
    #[doc(hidden)]
    pub fn classify(thrown: JsValue) -> Error {
        match thrown.dyn_into::<js_sys::Error>() {
            Ok(inner) if String::from(inner.message()).starts_with("D1") => {
                Error::D1(Self { inner })
            }
            Ok(error) => error.into(),
            Err(value) => value.into(),
        }
    }
}

impl fmt::Debug for D1Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("D1Error")
            .field("cause", &self.inner.cause())
            .finish()
    }
}

impl fmt::Display for D1Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cause = JsString::from(self.inner.cause());
        write!(f, "{cause}")
    }
}

impl AsRef<js_sys::Error> for D1Error {
    fn as_ref(&self) -> &js_sys::Error {
        &self.inner
    }
}

impl AsRef<JsValue> for D1Error {
    fn as_ref(&self) -> &JsValue {
        &self.inner
    }
}

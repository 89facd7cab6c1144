//! SQL of a Durable Object: values, cursors.

use crate::js::thrown;
use crate::js_sys::{self, Object, Uint8Array};
use crate::wasm_bindgen::{JsCast, JsValue};
use crate::{Error, Result};
use edgeproof_sim::Bindings;
use edgeproof_sim::platform::durable::ObjectRef;
use edgeproof_sim::sql::{Outcome, Value};
use serde::de::DeserializeOwned;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A value of a row, or a parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum SqlStorageValue {
    /// `NULL`.
    Null,
    /// Stored as the text `true` or `false`: see [`SqlStorage::exec`].
    Boolean(bool),
    /// A number; JavaScript keeps 53 bits of it.
    Integer(i64),
    /// A number.
    Float(f64),
    /// Text.
    String(String),
    /// Bytes.
    Blob(Vec<u8>),
}

impl SqlStorageValue {
    /// An integer that JavaScript can hold exactly.
    ///
    /// # Errors
    /// Beyond ±(2^53 - 1).
    pub fn try_from_i64(value: i64) -> Result<Self> {
        const MAX_SAFE_INTEGER: i64 = (1 << 53) - 1;
        if (-MAX_SAFE_INTEGER..=MAX_SAFE_INTEGER).contains(&value) {
            Ok(Self::Integer(value))
        } else {
            Err(Error::from("Value outside JavaScript safe integer range"))
        }
    }
}

impl From<bool> for SqlStorageValue {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<i32> for SqlStorageValue {
    fn from(value: i32) -> Self {
        Self::Integer(value.into())
    }
}

impl From<i64> for SqlStorageValue {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<f64> for SqlStorageValue {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<String> for SqlStorageValue {
    fn from(value: String) -> Self {
        Self::String(value)
    }
}

impl From<&str> for SqlStorageValue {
    fn from(value: &str) -> Self {
        Self::String(value.to_owned())
    }
}

impl From<Vec<u8>> for SqlStorageValue {
    fn from(value: Vec<u8>) -> Self {
        Self::Blob(value)
    }
}

impl<T: Into<Self>> From<Option<T>> for SqlStorageValue {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl From<SqlStorageValue> for JsValue {
    fn from(value: SqlStorageValue) -> Self {
        match value {
            SqlStorageValue::Null => Self::null(),
            SqlStorageValue::Boolean(truth) => Self::from_bool(truth),
            #[expect(
                clippy::cast_precision_loss,
                reason = "as upstream: integers travel as doubles"
            )]
            SqlStorageValue::Integer(number) => Self::from_f64(number as f64),
            SqlStorageValue::Float(number) => Self::from_f64(number),
            SqlStorageValue::String(text) => text.into(),
            SqlStorageValue::Blob(bytes) => Uint8Array::new_from_slice(&bytes).into(),
        }
    }
}

impl TryFrom<JsValue> for SqlStorageValue {
    type Error = Error;

    fn try_from(value: JsValue) -> Result<Self> {
        if value.is_null() || value.is_undefined() {
            Ok(Self::Null)
        } else if let Some(truth) = value.as_bool() {
            Ok(Self::Boolean(truth))
        } else if let Some(text) = value.as_string() {
            Ok(Self::String(text))
        } else if let Some(number) = value.as_f64() {
            #[expect(clippy::cast_possible_truncation, reason = "a safe integer fits")]
            let integer = number as i64;
            Ok(if js_sys::Number::is_safe_integer(&value) {
                Self::Integer(integer)
            } else {
                Self::Float(number)
            })
        } else if value.is_instance_of::<Uint8Array>()
            || value.is_instance_of::<js_sys::ArrayBuffer>()
        {
            Ok(Self::Blob(Uint8Array::new(&value).to_vec()))
        } else {
            Err(Error::from("Unsupported JavaScript value type"))
        }
    }
}

/// A parameter as SQLite takes it: JavaScript has no integers, so every number is bound as a double. The platform knows null,
/// numbers, bytes and text, and makes text of everything else, booleans too (observed on workerd 1.20261117.1).
fn parameter(value: &JsValue) -> Result<Value> {
    if value.is_bigint() {
        return Err(crate::js::type_error(
            "Cannot convert a BigInt value to a number",
        ));
    }
    let Ok(known) = SqlStorageValue::try_from(value.clone()) else {
        return Ok(Value::Text(crate::js::shown(value)));
    };
    match known {
        SqlStorageValue::Null => Ok(Value::Null),
        SqlStorageValue::Boolean(truth) => Ok(Value::Text(truth.to_string())),
        #[expect(clippy::cast_precision_loss, reason = "a safe integer is exact")]
        SqlStorageValue::Integer(number) => Ok(Value::Real(number as f64)),
        SqlStorageValue::Float(number) => Ok(Value::Real(number)),
        SqlStorageValue::String(text) => Ok(Value::Text(text)),
        SqlStorageValue::Blob(bytes) => Ok(Value::Blob(bytes)),
    }
}

/// A value of a row as JavaScript sees it.
fn cell(value: &Value) -> JsValue {
    match value {
        Value::Null => JsValue::null(),
        #[expect(
            clippy::cast_precision_loss,
            reason = "integers beyond 2^53 are rounded (observed on workerd)"
        )]
        Value::Integer(number) => JsValue::from_f64(*number as f64),
        Value::Real(number) => JsValue::from_f64(*number),
        Value::Text(text) => JsValue::from_str(text),
        Value::Blob(bytes) => Uint8Array::new_from_slice(bytes).buffer().into(),
    }
}

/// The SQL database of an object.
#[derive(Clone, Debug)]
pub struct SqlStorage {
    object: ObjectRef,
}

impl SqlStorage {
    pub(crate) fn new(object: ObjectRef) -> Self {
        Self { object }
    }

    /// Size of the database in bytes.
    pub fn database_size(&self) -> usize {
        // A reset instance has no storage to measure; upstream's signature has no room to say so.
        let bytes = Bindings::current()
            .storage_database_bytes(self.object)
            .unwrap_or(0);
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }

    /// Runs statements; the parameters belong to the last one, and so does the cursor. A boolean arrives as text (observed on
    /// workerd), so bind an integer where SQL calculates with the value.
    ///
    /// # Errors
    /// SQLite refuses the statement (the text is the platform's), or the instance was reset.
    pub fn exec(
        &self,
        query: &str,
        bindings: impl Into<Option<Vec<SqlStorageValue>>>,
    ) -> Result<SqlCursor> {
        let values = bindings.into().unwrap_or_default();
        self.run(query, values.into_iter().map(JsValue::from))
    }

    /// As [`exec`](Self::exec), with JavaScript values.
    ///
    /// # Errors
    /// As [`exec`](Self::exec); a value that SQLite has no type for.
    pub fn exec_raw(
        &self,
        query: &str,
        bindings: impl Into<Option<Vec<JsValue>>>,
    ) -> Result<SqlCursor> {
        self.run(query, bindings.into().unwrap_or_default().into_iter())
    }

    fn run(&self, query: &str, values: impl Iterator<Item = JsValue>) -> Result<SqlCursor> {
        let parameters = values
            .map(|value| parameter(&value))
            .collect::<Result<Vec<_>>>()?;
        let outcome = Bindings::current()
            .storage_sql(self.object, query, &parameters)
            .map_err(thrown)?;
        Ok(SqlCursor {
            rows: Arc::new(Rows::from(outcome)),
            next: Arc::default(),
        })
    }
}

/// A result that may cross threads: it holds no JavaScript value.
#[derive(Debug)]
struct Rows {
    columns: Vec<String>,
    rows: Vec<Vec<Value>>,
    read: u64,
    written: u64,
}

impl From<Outcome> for Rows {
    fn from(outcome: Outcome) -> Self {
        Self {
            columns: outcome.columns.to_vec(),
            rows: outcome.rows,
            read: outcome.rows_read,
            written: outcome.rows_written,
        }
    }
}

/// The rows of a statement. Clones share one position, as references to a JavaScript cursor do.
#[derive(Clone, Debug)]
pub struct SqlCursor {
    rows: Arc<Rows>,
    next: Arc<AtomicUsize>,
}

impl SqlCursor {
    fn next_row(&self) -> Option<&[Value]> {
        let place = self.next.fetch_add(1, Ordering::Relaxed);
        self.rows.rows.get(place).map(Vec::as_slice)
    }

    fn object(&self, row: &[Value]) -> JsValue {
        let object = Object::new();
        for (column, value) in self.rows.columns.iter().zip(row) {
            let set = js_sys::Reflect::set(&object, &JsValue::from_str(column), &cell(value));
            set.expect("a property of a new object can be set");
        }
        object.into()
    }

    /// All rows that are left.
    ///
    /// # Errors
    /// A row has another shape.
    pub fn to_array<T>(&self) -> Result<Vec<T>>
    where
        T: DeserializeOwned,
    {
        let mut rows = Vec::new();
        while let Some(row) = self.next_row() {
            rows.push(serde_wasm_bindgen::from_value(self.object(row))?);
        }
        Ok(rows)
    }

    /// The only row.
    ///
    /// # Errors
    /// There is no row or more than one, or the row has another shape.
    pub fn one<T>(&self) -> Result<T>
    where
        T: DeserializeOwned,
    {
        let wrong = |text: &str| Error::from(JsValue::from(js_sys::Error::new(text)));
        let row = self.next_row();
        let row = row.ok_or_else(|| {
            wrong("Expected exactly one result from SQL query, but got no results.")
        })?;
        if self.next_row().is_some() {
            return Err(wrong(
                "Expected exactly one result from SQL query, but got multiple results.",
            ));
        }
        Ok(serde_wasm_bindgen::from_value(self.object(row))?)
    }

    /// The names of the columns.
    pub fn column_names(&self) -> Vec<String> {
        self.rows.columns.clone()
    }

    /// Rows scanned.
    pub fn rows_read(&self) -> usize {
        usize::try_from(self.rows.read).unwrap_or(usize::MAX)
    }

    /// Rows and index entries written.
    pub fn rows_written(&self) -> usize {
        usize::try_from(self.rows.written).unwrap_or(usize::MAX)
    }

    /// The rows that are left, one by one.
    pub fn next<T>(&self) -> SqlCursorIterator<T>
    where
        T: DeserializeOwned,
    {
        SqlCursorIterator {
            cursor: self.clone(),
            rows: PhantomData,
        }
    }

    /// The rows that are left, as lists of values.
    pub fn raw(&self) -> SqlCursorRawIterator {
        SqlCursorRawIterator {
            cursor: self.clone(),
        }
    }
}

impl Iterator for SqlCursor {
    type Item = Result<JsValue>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.next_row()?;
        Some(Ok(self.object(row)))
    }
}

/// See [`SqlCursor::next`].
#[derive(Debug)]
pub struct SqlCursorIterator<T> {
    cursor: SqlCursor,
    rows: PhantomData<T>,
}

impl<T: DeserializeOwned> Iterator for SqlCursorIterator<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.cursor.next_row()?;
        Some(serde_wasm_bindgen::from_value(self.cursor.object(row)).map_err(Error::from))
    }
}

/// See [`SqlCursor::raw`].
#[derive(Debug)]
pub struct SqlCursorRawIterator {
    cursor: SqlCursor,
}

impl Iterator for SqlCursorRawIterator {
    type Item = Result<Vec<SqlStorageValue>>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.cursor.next_row()?;
        Some(
            row.iter()
                .map(|value| SqlStorageValue::try_from(cell(value)))
                .collect(),
        )
    }
}

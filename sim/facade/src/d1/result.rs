//! [`D1Result`]: rows as JavaScript sees them, and what they cost.

use crate::Result;
use crate::js_sys::{self, Array, Object};
use crate::wasm_bindgen::JsValue;
use edgeproof_sim::platform::d1::QueryResult;
use edgeproof_sim::sql::{Outcome, Value};
use send_wrapper::SendWrapper;
use serde::Deserialize;
use std::rc::Rc;

pub(super) fn milliseconds(result: &QueryResult) -> f64 {
    result.duration.as_secs_f64() * 1000.0
}

/// A value of a row as it arrives: JSON has one kind of number, and bytes are lists of numbers.
pub(super) fn cell(value: &Value) -> JsValue {
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
pub(super) fn object(columns: &Rc<[String]>, row: &[Value]) -> JsValue {
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
    result: SendWrapper<QueryResult>,
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
    pub(super) fn new(result: QueryResult) -> Self {
        Self {
            result: SendWrapper::new(result),
        }
    }

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
        } = &*self.result;
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

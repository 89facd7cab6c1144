//! Which parts of an operation go into the fingerprint and into its record.

use crate::exception::Exception;
use crate::history::{SqlCall, SqlRows};
use crate::http::{Body, Request, Response};
use crate::kernel::fingerprint::Fingerprint;
use crate::platform::d1::{Call, QueryResult};
use crate::platform::durable::storage::ListOptions;
use crate::sql::{Outcome, Value};
use http::HeaderMap;
use std::fmt::Write as _;

/// Stands for what is absent. Not 0: mixing in the word 0 is the same as mixing in no bytes.
const ABSENT: u64 = u64::MAX;

/// Mixes in bytes that may be absent: absent and empty differ.
pub(crate) fn optional<T: AsRef<[u8]> + ?Sized>(fingerprint: &mut Fingerprint, value: Option<&T>) {
    match value {
        None => fingerprint.mix(ABSENT),
        Some(value) => fingerprint.mix_bytes(value.as_ref()),
    }
}

/// Mixes in why something failed; nothing if it did not.
pub(crate) fn failure<T>(fingerprint: &mut Fingerprint, result: &Result<T, Exception>) {
    if let Err(exception) = result {
        fingerprint.mix_bytes(exception.message.as_bytes());
    }
}

/// Mixes in which keys a list of an object's storage wants.
pub(crate) fn list_options(fingerprint: &mut Fingerprint, options: &ListOptions) {
    for bound in [
        &options.start,
        &options.start_after,
        &options.end,
        &options.prefix,
    ] {
        optional(fingerprint, bound.as_deref());
    }
    let limit = options.limit.map_or(0, |limit| limit as u64 + 1);
    fingerprint.mix(limit << 1 | u64::from(options.reverse));
}

/// Mixes in a word of the message and its headers.
fn headers(fingerprint: &mut Fingerprint, word: u64, headers: &HeaderMap) {
    fingerprint.mix_pair(word, headers.len() as u64);
    for (name, value) in headers {
        fingerprint.mix_bytes(name.as_str().as_bytes());
        fingerprint.mix_bytes(value.as_bytes());
    }
}

/// Mixes in a body. That of a stream is mixed in piece by piece, when they are sent.
fn body(fingerprint: &mut Fingerprint, body: &Body) {
    optional(fingerprint, body.whole());
}

pub(crate) fn request(fingerprint: &mut Fingerprint, request: &Request<Body>) {
    fingerprint.mix_bytes(request.method.as_str().as_bytes());
    fingerprint.mix_bytes(request.url.as_str().as_bytes());
    headers(fingerprint, 0, &request.headers);
    body(fingerprint, &request.body);
}

pub(crate) fn response(fingerprint: &mut Fingerprint, response: &Response<Body>) {
    headers(fingerprint, u64::from(response.status), &response.headers);
    body(fingerprint, &response.body);
}

pub(crate) fn values(fingerprint: &mut Fingerprint, values: &[Value]) {
    fingerprint.mix(values.len() as u64);
    for value in values {
        match value {
            Value::Null => fingerprint.mix(1),
            Value::Integer(number) => fingerprint.mix_pair(2, number.cast_unsigned()),
            Value::Real(number) => fingerprint.mix_pair(3, number.to_bits()),
            Value::Text(text) => {
                fingerprint.mix(4);
                fingerprint.mix_bytes(text.as_bytes());
            }
            Value::Blob(bytes) => {
                fingerprint.mix(5);
                fingerprint.mix_bytes(bytes);
            }
        }
    }
}

/// Mixes in what a statement of SQL returned.
pub(crate) fn outcome(fingerprint: &mut Fingerprint, outcome: &Outcome) {
    for column in outcome.columns.iter() {
        fingerprint.mix_bytes(column.as_bytes());
    }
    fingerprint.mix(outcome.rows.len() as u64);
    for row in &outcome.rows {
        values(fingerprint, row);
    }
    fingerprint.mix(outcome.changes << 32 ^ outcome.last_row_id.cast_unsigned());
}

/// Mixes in what a call of D1 asks for.
pub(crate) fn d1_call(fingerprint: &mut Fingerprint, call: &Call) {
    match call {
        Call::Query(statement) => {
            fingerprint.mix_bytes(statement.sql.as_bytes());
            values(fingerprint, &statement.parameters);
        }
        Call::Batch(statements) => {
            fingerprint.mix(statements.len() as u64);
            for statement in statements {
                fingerprint.mix_bytes(statement.sql.as_bytes());
                values(fingerprint, &statement.parameters);
            }
        }
        Call::Exec(text) => fingerprint.mix_bytes(text.as_bytes()),
    }
}

/// Mixes in what a call of D1 returned.
pub(crate) fn d1_results(fingerprint: &mut Fingerprint, results: &[QueryResult]) {
    for result in results {
        outcome(fingerprint, &result.outcome);
        fingerprint.mix(result.billed.0 << 32 ^ result.billed.1);
    }
}

/// A value of SQL in the form that records use.
fn cell(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Integer(number) => (*number).into(),
        Value::Real(number) => (*number).into(),
        Value::Text(text) => text.as_str().into(),
        Value::Blob(bytes) => {
            let mut digits = String::with_capacity(bytes.len() * 2);
            for byte in bytes {
                let _ = write!(digits, "{byte:02x}");
            }
            serde_json::json!({ "blob": digits })
        }
    }
}

pub(crate) fn cells(values: &[Value]) -> Vec<serde_json::Value> {
    values.iter().map(cell).collect()
}

pub(crate) fn sql_call(sql: &str, parameters: &[Value]) -> SqlCall {
    SqlCall {
        sql: sql.to_owned(),
        parameters: cells(parameters),
    }
}

pub(crate) fn sql_rows(outcome: &Outcome) -> SqlRows {
    SqlRows {
        columns: outcome.columns.to_vec(),
        rows: outcome.rows.iter().map(|row| cells(row)).collect(),
        changes: outcome.changes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http::HeaderValue;
    use std::collections::BTreeMap;

    #[test]
    fn absent_and_empty_differ() {
        let of = |value: Option<&str>| {
            let mut fingerprint = Fingerprint::default();
            optional(&mut fingerprint, value);
            fingerprint
        };
        assert_ne!(of(None), of(Some("")));
        assert_ne!(of(Some("")), of(Some("a")));
    }

    /// All of them differ.
    fn differ<T: std::fmt::Debug>(
        all: impl IntoIterator<Item = T>,
        add: impl Fn(&mut Fingerprint, &T),
    ) {
        let mut seen = BTreeMap::new();
        for one in all {
            let mut fingerprint = Fingerprint::default();
            add(&mut fingerprint, &one);
            let before = seen.insert(fingerprint.value(), format!("{one:?}"));
            assert_eq!(before, None, "{one:?}");
        }
    }

    #[test]
    fn kinds_and_numbers_of_values_differ() {
        let one = [
            Value::Null,
            Value::Integer(0),
            Value::Integer(1),
            Value::Integer(1.5_f64.to_bits().cast_signed()),
            Value::Real(0.0),
            Value::Real(1.5),
            Value::Text(String::new()),
            Value::Text("a".into()),
            Value::Blob(Vec::new()),
            Value::Blob(b"a".to_vec()),
        ];
        let lists = one.map(|value| vec![value]);
        differ(lists, |fingerprint, list| values(fingerprint, list));
    }

    #[test]
    fn status_headers_and_body_of_an_answer_differ() {
        let answer = |status, headers: &[(&'static str, &'static str)], body: &'static str| {
            let mut answer: Response<Body> = Response::plain(status, body).into();
            answer.headers.clear();
            for (name, value) in headers {
                answer
                    .headers
                    .append(*name, HeaderValue::from_static(value));
            }
            answer
        };
        let answers = [
            answer(200, &[], ""),
            answer(201, &[], ""),
            answer(200, &[], "a"),
            answer(200, &[("a", "")], ""),
            answer(200, &[("a", "b")], ""),
            answer(200, &[("b", "b")], ""),
            answer(200, &[("b", "a")], ""),
            answer(200, &[("a", "b"), ("a", "c")], ""),
            answer(200, &[("a", "c"), ("a", "b")], ""),
        ];
        differ(answers, response);
    }

    #[test]
    fn method_url_headers_and_body_of_a_request_differ() {
        let request_of = |method: &str, url: &str, header: Option<&'static str>, body: Body| {
            let method = http::Method::from_bytes(method.as_bytes()).expect("a method");
            let url = url::Url::parse(url).expect("a URL");
            let mut request: Request<Body> = Request::new(method, url);
            if let Some(value) = header {
                request.headers.insert("a", HeaderValue::from_static(value));
            }
            request.body = body;
            request
        };
        let whole = |text: &'static str| Body::from(Bytes::from_static(text.as_bytes()));
        let requests = [
            request_of("GET", "https://a.example/", None, whole("")),
            request_of("PUT", "https://a.example/", None, whole("")),
            request_of("GET", "https://a.example/b", None, whole("")),
            request_of("GET", "https://a.example/", Some(""), whole("")),
            request_of("GET", "https://a.example/", Some("b"), whole("")),
            request_of("GET", "https://a.example/", None, whole("b")),
        ];
        differ(requests, request);
    }
}

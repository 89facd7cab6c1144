//! The protocol by which workerd's D1 binding speaks to its service, as observed on workerd 1.20261117.1.
//!
//! `POST /query` and `POST /execute` take one statement or a list of them, which is one transaction. workerd ignores
//! the HTTP status: a reply is a JSON object, or a list of them, with `success`, `results`, `meta` or `error`. Sessions
//! send a bookmark and get one; with a single primary and no replicas every session sees everything.

use super::refusal::refusal;
use crate::exception::Exception;
use crate::host::Binding;
use crate::limits;
use crate::limits::d1::DUMP_STATUS;
use crate::platform::d1::{Call, QueryResult, Statement};
use crate::serve::body::{BROKEN, Unread, drained};
use crate::serve::socket::{Body, Response};
use crate::sql::Value;
use crate::topology::Pop;
use crate::world::World;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{Method, StatusCode};
use hyper::body::Incoming;
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Serialize, Serializer};

/// Header that carries a session's bookmark, both ways.
const BOOKMARK: &str = "x-cf-d1-session-commit-token";

/// Most bytes of a request: more than any batch of statements within D1's own limits is likely to need, so that a body cannot
/// fill the memory. An assumption; the real bound is not published.
const REQUEST_BYTES: usize = 100 * 1024 * 1024;

/// The form of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `{"columns":[…],"rows":[[…]]}`: keeps columns of one name apart.
    RowsAndColumns,
    /// `[{"column":value}]`.
    Objects,
}

/// A parsed request.
#[derive(Debug, Clone)]
pub struct Request {
    /// The statements.
    pub call: Call,
    /// The form of the rows.
    pub format: Format,
    /// It was a list, and so is its answer.
    pub list: bool,
}

/// Reads a request: its method, its target (path and query), its body.
///
/// # Errors
/// An HTTP status and a text for a request that is no call of D1.
pub fn parse(method: &Method, target: &str, body: &[u8]) -> Result<Request, (u16, String)> {
    #[derive(Deserialize)]
    struct Wire {
        sql: String,
        #[serde(default)]
        params: Vec<serde_json::Value>,
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Body {
        One(Wire),
        Many(Vec<Wire>),
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if path == "/dump" && *method == Method::POST {
        return Err((DUMP_STATUS, "this database cannot be dumped".to_owned()));
    }
    if !matches!(path, "/query" | "/execute") {
        return Err((404, format!("D1 has no {path:?}")));
    }
    if *method != Method::POST {
        return Err((405, "D1 takes POST".to_owned()));
    }
    let rows_and_columns = url::form_urlencoded::parse(query.as_bytes())
        .any(|(name, value)| name == "resultsFormat" && value == "ROWS_AND_COLUMNS");
    let statement = |wire: Wire| -> Result<Statement, (u16, String)> {
        let parameters = wire
            .params
            .into_iter()
            .map(parameter)
            .collect::<Result<_, _>>()?;
        Ok(Statement {
            sql: wire.sql.into(),
            parameters,
        })
    };
    let body: Body = serde_json::from_slice(body).map_err(|problem| {
        (
            400,
            format!("the body is no statement or list of statements: {problem}"),
        )
    })?;
    let (call, list) = match body {
        Body::One(wire) => (Call::Query(statement(wire)?), false),
        Body::Many(wires) => {
            let statements = wires.into_iter().map(statement).collect::<Result<_, _>>()?;
            (Call::Batch(statements), true)
        }
    };
    Ok(Request {
        call,
        // Any other format, NONE included, is answered with objects (miniflare, SDK 2026-08-22).
        format: if rows_and_columns {
            Format::RowsAndColumns
        } else {
            Format::Objects
        },
        list,
    })
}

/// A parameter: JavaScript's numbers are doubles, and bytes are lists of numbers.
fn parameter(value: serde_json::Value) -> Result<Value, (u16, String)> {
    use serde_json::Value as Json;
    let refused = |value: &Json| {
        let text =
            format!("a parameter is null, a number, a string or a list of bytes, and not {value}");
        (400, text)
    };
    match value {
        Json::Null => Ok(Value::Null),
        Json::Bool(truth) => Ok(Value::Real(f64::from(u8::from(truth)))),
        Json::Number(ref number) => number
            .as_f64()
            .map(Value::Real)
            .ok_or_else(|| refused(&value)),
        Json::String(text) => Ok(Value::Text(text)),
        Json::Array(ref items) => {
            // The binding lets fractions through, and they are cut off (d1-api.ts; observed with miniflare).
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "looked at just before"
            )]
            let byte = |item: &Json| {
                let number = item.as_f64().filter(|number| (0.0..256.0).contains(number));
                number.map(|number| number as u8)
            };
            let bytes: Option<Vec<u8>> = items.iter().map(byte).collect();
            bytes.map(Value::Blob).ok_or_else(|| refused(&value))
        }
        Json::Object(_) => Err(refused(&value)),
    }
}

/// Answers one request for the database bound as `binding`, from a PoP.
pub(super) async fn answer(
    world: &World,
    pop: Pop,
    binding: &str,
    head: &Parts,
    body: Incoming,
) -> Response {
    let bindings = world.bindings();
    let Some(Binding::D1(database)) = bindings.binding(binding) else {
        return json(StatusCode::NOT_FOUND, &failure("no such D1 database"));
    };
    let database = *database;
    let body = match drained(body, REQUEST_BYTES).await {
        Ok(body) => body,
        Err(Unread::TooLong(_)) => {
            return json(
                StatusCode::PAYLOAD_TOO_LARGE,
                &failure("the request is too large"),
            );
        }
        Err(Unread::Broken) => {
            return refusal(StatusCode::BAD_REQUEST, BROKEN);
        }
    };
    let target = head
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str());
    let request = match parse(&head.method, target, &body) {
        Ok(request) => request,
        Err((status, text)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
            return json(status, &failure(&text));
        }
    };
    let Request { call, format, list } = request;
    let task = {
        let world = world.clone();
        async move { world.bindings().d1_call(database, call).await }
    };
    let Some(result) = world.bindings().guest(pop, task).await else {
        return refusal(StatusCode::SERVICE_UNAVAILABLE, "the simulator is stopping");
    };
    let (home, bookmark) = world.bindings().d1_place(database);
    let mut response = match result {
        Ok(results) => {
            let replies = results
                .iter()
                .map(|result| Reply::new(result, format, home));
            let replies: Vec<Reply<'_>> = replies.collect();
            match (list, replies.as_slice()) {
                (false, [reply]) => json(StatusCode::OK, reply),
                (_, replies) => json(StatusCode::OK, &replies),
            }
        }
        // Failures of the database are answered with 200 too.
        Err(exception) => json(StatusCode::OK, &failure(bare(&exception))),
    };
    if let Ok(bookmark) = HeaderValue::from_str(&bookmark) {
        response.headers_mut().insert(BOOKMARK, bookmark);
    }
    response
}

/// The service's own text: the binding puts `D1_ERROR: ` before it.
fn bare(exception: &Exception) -> &str {
    exception.cause.as_deref().unwrap_or_else(|| {
        let text = exception.message.as_str();
        text.strip_prefix(limits::d1::ERROR_PREFIX).unwrap_or(text)
    })
}

fn failure(text: &str) -> impl Serialize {
    serde_json::json!({ "success": false, "error": text })
}

fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let text = serde_json::to_vec(value).expect("plain data can be written");
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

#[derive(Serialize)]
struct Reply<'a> {
    success: bool,
    results: Results<'a>,
    meta: Meta,
}

/// Fields as D1 documents them (D1DB 2026-10-08).
#[derive(Serialize)]
struct Meta {
    served_by: &'static str,
    served_by_colo: &'static str,
    served_by_primary: bool,
    timings: Timings,
    duration: f64,
    changes: u64,
    last_row_id: i64,
    changed_db: bool,
    size_after: u64,
    rows_read: u64,
    rows_written: u64,
    total_attempts: u32,
}

#[derive(Serialize)]
struct Timings {
    sql_duration_ms: f64,
}

impl<'a> Reply<'a> {
    fn new(result: &'a QueryResult, format: Format, home: Pop) -> Self {
        let outcome = &result.outcome;
        let duration = result.duration.as_secs_f64() * 1000.0;
        Self {
            success: true,
            results: Results {
                columns: &outcome.columns,
                rows: &outcome.rows,
                format,
            },
            meta: Meta {
                served_by: "edgeproof",
                served_by_colo: home.code(),
                served_by_primary: true,
                timings: Timings {
                    sql_duration_ms: duration,
                },
                duration,
                changes: outcome.changes,
                last_row_id: outcome.last_row_id,
                changed_db: result.changed_db,
                size_after: result.size_after,
                rows_read: outcome.rows_read,
                rows_written: outcome.rows_written,
                total_attempts: 1,
            },
        }
    }
}

struct Results<'a> {
    columns: &'a [String],
    rows: &'a [Vec<Value>],
    format: Format,
}

impl Serialize for Results<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.format {
            Format::RowsAndColumns => {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("columns", self.columns)?;
                map.serialize_entry("rows", &Rows(self.rows))?;
                map.end()
            }
            Format::Objects => {
                let objects = self.rows.iter().map(|row| Object(self.columns, row));
                serializer.collect_seq(objects)
            }
        }
    }
}

struct Rows<'a>(&'a [Vec<Value>]);

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(Some(self.0.len()))?;
        for row in self.0 {
            rows.serialize_element(&Cells(row))?;
        }
        rows.end()
    }
}

struct Cells<'a>(&'a [Value]);

impl Serialize for Cells<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Cell))
    }
}

/// A row as an object. Of columns with one name the last one counts, as it does for a parser of the JSON.
struct Object<'a>(&'a [String], &'a [Value]);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().zip(self.1.iter().map(Cell)))
    }
}

/// A value as JavaScript would write it.
pub(crate) struct Cell<'a>(pub(crate) &'a Value);

impl Serialize for Cell<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        /// Above this not every integer is a double.
        const EXACT: i64 = 1 << 53;
        match self.0 {
            Value::Null => serializer.serialize_unit(),
            Value::Integer(number) if (-EXACT..=EXACT).contains(number) => {
                serializer.serialize_i64(*number)
            }
            #[expect(
                clippy::cast_precision_loss,
                reason = "JavaScript rounds integers beyond 2^53"
            )]
            Value::Integer(number) => serializer.serialize_f64(*number as f64),
            Value::Real(number) if !number.is_finite() => serializer.serialize_unit(),
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                reason = "whole, and within 2^53"
            )]
            Value::Real(number) if number.fract() == 0.0 && number.abs() <= EXACT as f64 => {
                serializer.serialize_i64(*number as i64)
            }
            Value::Real(number) => serializer.serialize_f64(*number),
            Value::Text(text) => serializer.serialize_str(text),
            Value::Blob(bytes) => serializer.collect_seq(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(body: &str) -> Result<Request, (u16, String)> {
        parse(
            &Method::POST,
            "/query?resultsFormat=ROWS_AND_COLUMNS",
            body.as_bytes(),
        )
    }

    #[test]
    fn parameters_are_what_the_binding_sends() {
        let request =
            post(r#"{"sql":"SELECT ?","params":[null,1,0.5,"é",true,[0,255]]}"#).expect("a query");
        let Call::Query(statement) = request.call else {
            panic!("one statement");
        };
        let expected = [
            Value::Null,
            Value::Real(1.0),
            Value::Real(0.5),
            Value::Text("é".to_owned()),
            Value::Real(1.0),
            Value::Blob(vec![0, 255]),
        ];
        assert_eq!(statement.parameters, expected);
        assert_eq!(
            (request.format, request.list),
            (Format::RowsAndColumns, false)
        );
    }

    #[test]
    fn a_list_is_a_transaction_and_its_statements_may_lack_parameters() {
        let request = parse(
            &Method::POST,
            "/execute?resultsFormat=NONE",
            br#"[{"sql":"a"},{"sql":"b"}]"#,
        );
        let request = request.expect("a list");
        assert!(matches!(&request.call, Call::Batch(statements) if statements.len() == 2));
        assert_eq!((request.format, request.list), (Format::Objects, true));
    }

    #[test]
    fn what_is_no_call_is_refused_with_a_status() {
        for (method, target, body, status) in [
            (Method::GET, "/query", "{\"sql\":\"a\"}", 405),
            (Method::POST, "/dump", "", 400),
            (Method::POST, "/other", "", 404),
            (Method::POST, "/query", "", 400),
            (Method::POST, "/query", "{\"params\":[]}", 400),
            (
                Method::POST,
                "/query",
                "{\"sql\":\"a\",\"params\":[{}]}",
                400,
            ),
            (
                Method::POST,
                "/query",
                "{\"sql\":\"a\",\"params\":[[256]]}",
                400,
            ),
            (Method::POST, "/query", "[[]]", 400),
        ] {
            let refused = parse(&method, target, body.as_bytes()).expect_err("it is refused");
            assert_eq!(refused.0, status, "{method} {target} {body}");
        }
    }

    #[test]
    fn values_are_written_as_javascript_would() {
        for (value, expected) in [
            (Value::Integer(5), "5"),
            (Value::Integer(i64::MAX), "9.223372036854775807e18"),
            (Value::Real(1.0), "1"),
            (Value::Real(0.1), "0.1"),
            (Value::Real(f64::INFINITY), "null"),
            (Value::Blob(vec![1, 2]), "[1,2]"),
            (Value::Null, "null"),
        ] {
            let written = serde_json::to_string(&Cell(&value)).expect("written");
            if let Value::Integer(i64::MAX) = value {
                assert_eq!(written.parse::<f64>(), expected.parse::<f64>());
            } else {
                assert_eq!(written, expected);
            }
        }
    }
}

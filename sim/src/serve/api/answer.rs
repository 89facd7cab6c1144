//! Answers in the API's envelope: `{"result":…,"success":true,"errors":[],"messages":[]}`.

use super::super::socket::{Body, Response};
use crate::limits::api::ApiError;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use serde_json::{Value, json};

/// An answer that is no error.
#[derive(Debug)]
pub(super) enum Answer {
    /// In the envelope.
    Result {
        /// The result.
        result: Value,
        /// Its page, if it is part of a list.
        info: Option<Value>,
    },
    /// Bytes as they are.
    Raw {
        /// Headers besides the length.
        headers: Vec<(HeaderName, HeaderValue)>,
        /// The bytes.
        body: Bytes,
    },
}

impl Answer {
    /// A result that is no part of a list.
    pub(super) fn result(result: Value) -> Self {
        Self::Result { result, info: None }
    }

    /// A page of a list.
    pub(super) fn page(result: Vec<Value>, info: Value) -> Self {
        Self::Result {
            result: Value::Array(result),
            info: Some(info),
        }
    }

    pub(super) fn into_response(self) -> Response {
        match self {
            Self::Result { result, info } => {
                let mut envelope = json!({
                    "result": result,
                    "success": true,
                    "errors": [],
                    "messages": [],
                });
                if let Some(info) = info {
                    envelope["result_info"] = info;
                }
                json_response(200, &envelope)
            }
            Self::Raw { headers, body } => {
                let mut response = Response::new(Body::from(body));
                response.headers_mut().extend(headers);
                response
            }
        }
    }
}

/// An error, in its envelope.
pub(super) fn refusal(error: ApiError) -> Response {
    let envelope = json!({
        "result": null,
        "success": false,
        "errors": [{ "code": error.code, "message": error.message }],
        "messages": [],
    });
    json_response(error.status, &envelope)
}

fn json_response(status: u16, value: &Value) -> Response {
    let mut response = Response::new(Body::from(value.to_string()));
    *response.status_mut() =
        http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

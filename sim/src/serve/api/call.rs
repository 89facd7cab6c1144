//! The parser of requests: it makes a [`Call`] of method, path, query, headers and body, or the error to answer.
//!
//! [`parse`] is pure and total: any bytes give a call or an error, and nothing is looked up or changed. A fuzzer should
//! drive it.

mod d1;
mod incoming;
mod kv;

pub use super::transfer::TransferCall;
pub use d1::{D1Call, InDatabase, Sql};
pub use incoming::Paging;
pub use kv::{InNamespace, KvCall, Order, Pair};

use crate::limits::api::ApiError;
use crate::serve::percent::decoded;
use bytes::Bytes;
use http::{HeaderMap, Method};
use incoming::Incoming;

/// Path under which the API answers, as in `https://api.cloudflare.com/client/v4`.
pub const BASE: &str = "/client/v4";
/// Where SQL to import is uploaded.
pub(super) const IMPORT: &str = "/d1-import/";
/// Where exported SQL is downloaded.
pub(super) const EXPORT: &str = "/d1-export/";

/// A request that can be carried out.
#[derive(Debug, Clone, PartialEq)]
pub enum Call {
    /// Something of Workers KV.
    Kv(KvCall),
    /// Something of D1.
    D1(D1Call),
    /// An upload or a download.
    Transfer(TransferCall),
    /// The deployed Worker's bindings.
    Settings {
        /// Name of the Worker.
        script: String,
    },
}

/// Whether an unguessable name authorises the request, instead of the token.
pub(super) fn is_transfer(target: &str) -> bool {
    target.starts_with(IMPORT) || target.starts_with(EXPORT)
}

/// Reads a request. `target` is its path and query as they came, percent-encoding and all.
///
/// # Errors
/// No such route or method, a path, query or body that is not what the route takes: as the API would answer.
pub fn parse(
    method: &Method,
    target: &str,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Call, ApiError> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let request = Incoming {
        method,
        query: url::form_urlencoded::parse(query.as_bytes()).collect(),
        headers,
        body,
    };
    if is_transfer(path) {
        return request
            .transfer(path)
            .ok_or_else(|| ApiError::no_route(path));
    }
    let rest = path
        .strip_prefix(BASE)
        .and_then(|rest| rest.strip_prefix("/accounts/"))
        .ok_or_else(|| ApiError::no_route(path))?;
    let segments: Vec<&str> = rest.split('/').collect();
    let method = request.method.as_str();
    // The first segment is the account, which may have any name.
    match (method, segments.as_slice()) {
        ("GET", [_, "storage", "kv", "namespaces"]) => request.namespaces().map(Call::Kv),
        ("POST", [_, "storage", "kv", "namespaces"]) => Ok(Call::Kv(KvCall::Create {
            title: request.title()?,
        })),
        (_, [_, "storage", "kv", "namespaces", namespace, rest @ ..]) => {
            request.in_namespace(namespace, rest, path).map(Call::Kv)
        }
        ("GET", [_, "d1", "database"]) => Ok(Call::D1(D1Call::Databases {
            name: request.parameter("name").map(str::to_owned),
            paging: request.paging(100, 10_000)?,
        })),
        ("POST", [_, "d1", "database"]) => request.create_database().map(Call::D1),
        (_, [_, "d1", "database", database, rest @ ..]) => {
            request.in_database(database, rest, path).map(Call::D1)
        }
        ("GET", [_, "workers", "scripts", script, "settings"]) => Ok(Call::Settings {
            script: decoded(script).ok_or_else(|| ApiError::no_route(path))?,
        }),
        (_, [_, "storage", "kv", "namespaces"] | [_, "d1", "database"]) => {
            Err(ApiError::no_method())
        }
        _ => Err(ApiError::no_route(path)),
    }
}

impl Incoming<'_> {
    fn transfer(&self, path: &str) -> Option<Call> {
        let call = match self.method.as_str() {
            "PUT" => TransferCall::Upload {
                name: path.strip_prefix(IMPORT)?.to_owned(),
                body: self.body.clone(),
            },
            // What follows the name is a file name for the client to save it under.
            "GET" => TransferCall::Download {
                name: path.strip_prefix(EXPORT)?.split('/').next()?.to_owned(),
            },
            _ => return None,
        };
        Some(Call::Transfer(call))
    }
}

//! The protocol by which workerd's KV binding speaks to its service, as observed on workerd 1.20261117.1.
//!
//! A failure travels in the status line alone: workerd makes `KV <verb> failed: <status> <reason phrase>` of it, whatever the
//! body says. So a refusal here is a status and a custom reason phrase. Values and metadata are bytes and headers; only the
//! answers to `POST /bulk/get` and to a list are JSON.

mod call;
mod json;

pub use call::{Call, Failure, parse};

use super::refusal::refusal;
use crate::exception::Exception;
use crate::host::{Binding, KvListOptions, KvPutOptions};
use crate::limits;
use crate::serve::body::{BROKEN, Unread, drained};
use crate::serve::socket::{Body, Response};
use crate::topology::Pop;
use crate::world::World;
use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use hyper::body::Incoming;
use hyper::ext::ReasonPhrase;
use json::{page_in_json, quoted, value_in_json};

/// Request and response header that carries a key's metadata as JSON.
const METADATA: &str = "cf-kv-metadata";
/// Response header from which `cacheStatus` is made.
const CACHE_STATUS: &str = "cf-cache-status";

/// Answers one request for the namespace bound as `binding`, as seen from a PoP.
pub(super) async fn answer(
    world: &World,
    pop: Pop,
    binding: &str,
    head: &Parts,
    body: Incoming,
) -> Response {
    let bindings = world.bindings();
    let Some(Binding::Kv(namespace)) = bindings.binding(binding) else {
        // 404 would be a missing key.
        return failed(&Failure::new(400, "No such KV namespace"));
    };
    let namespace = *namespace;
    let body = match drained(body, limits::kv::VALUE_BYTES).await {
        Ok(body) => body,
        Err(Unread::TooLong(length)) => {
            return failed(&Failure::new(413, limits::kv::value_too_long(length)));
        }
        Err(Unread::Broken) => {
            return refusal(StatusCode::BAD_REQUEST, BROKEN);
        }
    };
    let target = head
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str());
    let metadata = head.headers.get(METADATA).map(HeaderValue::as_bytes);
    let call = match parse(&head.method, target, metadata, &body) {
        Ok(call) => call,
        Err(failure) => return failed(&failure),
    };
    let task = {
        let world = world.clone();
        async move { run(&world, namespace, call, body).await }
    };
    match world.bindings().guest(pop, task).await {
        Some(Ok(response)) => response,
        Some(Err(failure)) => failed(&failure),
        None => refusal(StatusCode::SERVICE_UNAVAILABLE, "the simulator is stopping"),
    }
}

async fn run(world: &World, namespace: u32, call: Call, value: Bytes) -> Result<Response, Failure> {
    let refused = |exception: Exception| Failure::of(&exception);
    match call {
        Call::Get { key, cache_ttl } => {
            let answer = world.bindings().kv_answer(namespace, key, cache_ttl).await;
            let answer = answer.map_err(refused)?;
            let mut response = match answer.read {
                None => failed(&Failure::new(404, "Not Found")),
                Some(read) => {
                    let mut response = Response::new(Body::from(read.value));
                    if let Some(metadata) = read.metadata {
                        response
                            .headers_mut()
                            .insert(METADATA, in_a_header(&metadata));
                    }
                    response
                }
            };
            let status = if answer.from_cache { "HIT" } else { "MISS" };
            response
                .headers_mut()
                .insert(CACHE_STATUS, HeaderValue::from_static(status));
            Ok(response)
        }
        Call::GetMany {
            keys,
            json,
            with_metadata,
            cache_ttl,
        } => {
            let reads = world
                .bindings()
                .kv_get_bulk(namespace, keys, cache_ttl)
                .await;
            let reads = reads.map_err(refused)?;
            let mut members = Vec::with_capacity(reads.len());
            for (key, read) in &reads {
                let member = match read {
                    None => "null".to_owned(),
                    Some(read) => value_in_json(read, json, with_metadata)?,
                };
                members.push(format!("{}:{member}", quoted(key)));
            }
            let text = format!("{{{}}}", members.join(","));
            if text.len() > limits::kv::VALUE_BYTES {
                return Err(Failure::new(413, limits::kv::BULK_GET_TOO_LARGE));
            }
            Ok(json_response(text))
        }
        Call::Put {
            key,
            expiration,
            expiration_ttl,
            metadata,
        } => {
            let options = KvPutOptions {
                metadata,
                expiration_seconds: expiration,
                expiration_ttl_seconds: expiration_ttl,
            };
            let put = world.bindings().kv_put(namespace, key, value, options);
            put.await.map_err(refused)?;
            Ok(Response::default())
        }
        Call::Delete { key } => {
            world
                .bindings()
                .kv_delete(namespace, key)
                .await
                .map_err(refused)?;
            Ok(Response::default())
        }
        Call::List {
            prefix,
            cursor,
            limit,
        } => {
            let options = KvListOptions {
                prefix,
                cursor,
                limit,
            };
            let page = world.bindings().kv_list(namespace, options).await;
            Ok(json_response(page_in_json(&page.map_err(refused)?)))
        }
    }
}

fn failed(failure: &Failure) -> Response {
    let status = StatusCode::from_u16(failure.status).unwrap_or(StatusCode::BAD_REQUEST);
    let mut response = refusal(status, failure.reason.clone());
    if let Ok(reason) = ReasonPhrase::try_from(failure.reason.as_bytes()) {
        response.extensions_mut().insert(reason);
    }
    response
}

fn json_response(text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// Metadata as a header's value: raw UTF-8, as workerd sends it; what no header may hold is escaped.
fn in_a_header(metadata: &str) -> HeaderValue {
    HeaderValue::from_bytes(metadata.as_bytes()).unwrap_or_else(|_| {
        // Outside of JSON's strings control characters are white space, and inside only DEL is possible.
        let escaped: String = metadata
            .chars()
            .map(|c| match c {
                '\u{7f}' => "\\u007f".to_owned(),
                c if c.is_ascii_control() => " ".to_owned(),
                c => c.to_string(),
            })
            .collect();
        HeaderValue::from_bytes(escaped.as_bytes()).expect("no control characters are left")
    })
}

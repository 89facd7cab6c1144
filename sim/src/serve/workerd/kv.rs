//! The protocol by which workerd's KV binding speaks to its service, as observed on workerd 1.20261117.1.
//!
//! A failure travels in the status line alone: workerd makes `KV <verb> failed: <status> <reason phrase>` of it, whatever the
//! body says. So a refusal here is a status and a custom reason phrase. Values and metadata are bytes and headers; only the
//! answers to `POST /bulk/get` and to a list are JSON.

use super::refusal;
use crate::exception::Exception;
use crate::limits;
use crate::platform::kv::Page;
use crate::serve::body::{Unread, drained};
use crate::serve::percent;
use crate::serve::socket::{Body, Response};
use crate::topology::Pop;
use crate::world::{Binding, KvRead, World};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{Method, StatusCode};
use hyper::body::Incoming;
use hyper::ext::ReasonPhrase;
use serde::Deserialize;
use std::fmt::Write;
use std::rc::Rc;

/// Request and response header that carries a key's metadata as JSON.
const METADATA: &str = "cf-kv-metadata";
/// Response header from which `cacheStatus` is made.
const CACHE_STATUS: &str = "cf-cache-status";

/// What a Worker asks of a namespace, as it stands in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// `get` and `getWithMetadata`: what kind of value is wanted is not sent.
    Get {
        /// The key.
        key: Rc<str>,
        /// `cacheTtl` in seconds.
        cache_ttl: Option<u64>,
    },
    /// `get` and `getWithMetadata` of many keys.
    GetMany {
        /// The keys, each once, in the order asked for.
        keys: Vec<Rc<str>>,
        /// Values are JSON; otherwise text.
        json: bool,
        /// Metadata is wanted too.
        with_metadata: bool,
        /// `cacheTtl` in seconds.
        cache_ttl: Option<u64>,
    },
    /// `put`; the value is the body.
    Put {
        /// The key.
        key: Rc<str>,
        /// Seconds since the Unix epoch.
        expiration: Option<u64>,
        /// Seconds from now.
        expiration_ttl: Option<u64>,
        /// JSON text.
        metadata: Option<Rc<str>>,
    },
    /// `delete`.
    Delete {
        /// The key.
        key: Rc<str>,
    },
    /// `list`.
    List {
        /// What the keys begin with.
        prefix: Option<String>,
        /// Where a page begins.
        cursor: Option<String>,
        /// Keys of a page.
        limit: Option<u64>,
    },
}

/// A refusal: status and reason phrase, of which workerd makes the error's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// HTTP status.
    pub status: u16,
    /// Reason phrase, in ASCII: workerd shows no other.
    pub reason: String,
}

impl Failure {
    fn new(status: u16, reason: impl Into<String>) -> Self {
        Self {
            status,
            reason: reason.into(),
        }
    }

    /// What an exception of the simulated binding says behind `KV <verb> failed: `: the very status line it is made of.
    fn of(exception: &Exception) -> Self {
        let line = exception
            .message
            .split_once(" failed: ")
            .and_then(|(_, line)| line.split_once(' '));
        match line.and_then(|(status, reason)| Some((status.parse().ok()?, reason))) {
            Some((status, reason)) => Self::new(status, reason),
            // A text of another form has no status of its own.
            None => Self::new(400, exception.message.clone()),
        }
    }
}

/// Reads a request: its method, its target (path and query), the header `CF-KV-Metadata`, and the body, which is looked at for
/// `POST /bulk/get` only.
///
/// # Errors
/// What the service refuses before it looks anything up, in miniflare's words (SDK 2026-08-22) where it has some.
pub fn parse(
    method: &Method,
    target: &str,
    metadata: Option<&[u8]>,
    body: &[u8],
) -> Result<Call, Failure> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    let option = |name: &str| {
        query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    };
    let path = path.strip_prefix('/').unwrap_or(path);
    if *method == Method::POST && path == "bulk/get" {
        return parse_many(body);
    }
    if *method == Method::GET && path.is_empty() {
        let limit = option("key_count_limit").map(|text| match text.parse() {
            Ok(limit) if limit > 0 => Ok(limit),
            _ => Err(Failure::new(
                400,
                limits::kv::list_limit_not_positive(ascii(text)),
            )),
        });
        return Ok(Call::List {
            prefix: option("prefix").map(str::to_owned),
            cursor: option("cursor").map(str::to_owned),
            limit: limit.transpose()?,
        });
    }
    let key = key(path, option("urlencoded") == Some("true"))?;
    match *method {
        Method::GET => Ok(Call::Get {
            key,
            cache_ttl: option("cache_ttl").map(cache_ttl).transpose()?,
        }),
        Method::PUT => {
            let metadata = match metadata {
                None => None,
                Some(bytes) => {
                    let text = std::str::from_utf8(bytes).ok();
                    let text = text.filter(|text| is_json(text));
                    let bad = || Failure::new(400, "The header CF-KV-Metadata holds no JSON.");
                    Some(text.ok_or_else(bad)?.into())
                }
            };
            Ok(Call::Put {
                key,
                expiration: option("expiration").map(expiration).transpose()?,
                expiration_ttl: option("expiration_ttl").map(expiration_ttl).transpose()?,
                metadata,
            })
        }
        Method::DELETE => Ok(Call::Delete { key }),
        _ => Err(Failure::new(405, "Method Not Allowed")),
    }
}

/// The key of a path without its first slash.
fn key(path: &str, encoded: bool) -> Result<Rc<str>, Failure> {
    let key = if encoded {
        let undecodable = || Failure::new(400, limits::kv::SERVICE_KEY_UNDECODABLE);
        percent::decoded(path).ok_or_else(undecodable)?
    } else {
        path.to_owned()
    };
    match key.as_str() {
        "" => Err(Failure::new(400, limits::kv::SERVICE_KEY_EMPTY)),
        "." | ".." => Err(Failure::new(400, limits::kv::service_key_illegal(&key))),
        key => Ok(key.into()),
    }
}

fn cache_ttl(text: &str) -> Result<u64, Failure> {
    number(text, limits::kv::cache_ttl_too_short)
}

fn expiration_ttl(text: &str) -> Result<u64, Failure> {
    number(text, limits::kv::expiration_ttl_not_positive)
}

fn expiration(text: &str) -> Result<u64, Failure> {
    number(text, limits::kv::expiration_passed)
}

/// A number, or the refusal that quotes what stands there instead.
fn number(text: &str, refused: impl FnOnce(String) -> String) -> Result<u64, Failure> {
    let refusal = |_| Failure::new(400, refused(ascii(text)));
    text.parse().map_err(refusal)
}

/// What of a text may stand in a reason phrase.
fn ascii(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_ascii_graphic())
        .take(64)
        .collect()
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

fn parse_many(body: &[u8]) -> Result<Call, Failure> {
    /// As workerd writes it: `cacheTtl` is a string.
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire {
        keys: Vec<String>,
        #[serde(rename = "type")]
        kind: Option<String>,
        #[serde(default)]
        with_metadata: bool,
        cache_ttl: Option<serde_json::Value>,
    }
    let wire: Wire = serde_json::from_slice(body)
        .map_err(|_| Failure::new(400, "The body is no request for keys."))?;
    if wire.keys.len() > limits::kv::BULK_GET_KEYS {
        return Err(Failure::new(400, limits::kv::bulk_get_too_many()));
    }
    if wire.keys.is_empty() {
        return Err(Failure::new(400, limits::kv::BULK_GET_NO_KEYS));
    }
    let json = match wire.kind.as_deref() {
        None | Some("text") => false,
        Some("json") => true,
        Some(other) => {
            return Err(Failure::new(400, limits::kv::bulk_get_type(&ascii(other))));
        }
    };
    let cache_ttl = match wire.cache_ttl {
        None | Some(serde_json::Value::Null) => None,
        Some(serde_json::Value::String(text)) => Some(cache_ttl(&text)?),
        Some(other) => Some(cache_ttl(&other.to_string())?),
    };
    let mut keys: Vec<Rc<str>> = Vec::with_capacity(wire.keys.len());
    for key in wire.keys {
        if !keys.iter().any(|known| **known == *key) {
            keys.push(key.into());
        }
    }
    Ok(Call::GetMany {
        keys,
        json,
        with_metadata: wire.with_metadata,
        cache_ttl,
    })
}

/// Answers one request for the namespace bound as `binding`, as seen from a PoP.
pub(super) async fn answer(
    world: &World,
    pop: Pop,
    binding: &str,
    head: &Parts,
    body: Incoming,
) -> Response {
    let Some(Binding::Kv(namespace)) = world.binding(binding) else {
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
            return refusal(StatusCode::BAD_REQUEST, "the body did not arrive whole");
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
    match world.guest(pop, task).await {
        Some(Ok(response)) => response,
        Some(Err(failure)) => failed(&failure),
        None => refusal(StatusCode::SERVICE_UNAVAILABLE, "the simulator is stopping"),
    }
}

async fn run(world: &World, namespace: u32, call: Call, value: Bytes) -> Result<Response, Failure> {
    let refused = |exception: Exception| Failure::of(&exception);
    match call {
        Call::Get { key, cache_ttl } => {
            let answer = world.kv_answer(namespace, key, cache_ttl).await;
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
            let reads = world.kv_get_bulk(namespace, keys, cache_ttl).await;
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
            let put = world.kv_put(namespace, key, value, metadata, expiration, expiration_ttl);
            put.await.map_err(refused)?;
            Ok(Response::default())
        }
        Call::Delete { key } => {
            world.kv_delete(namespace, key).await.map_err(refused)?;
            Ok(Response::default())
        }
        Call::List {
            prefix,
            cursor,
            limit,
        } => {
            let page = world.kv_list(namespace, prefix, cursor, limit).await;
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

/// A read key's member in the answer to a bulk get. The JSON inside, a value or metadata, stands as it was written.
fn value_in_json(read: &KvRead, json: bool, with_metadata: bool) -> Result<String, Failure> {
    let text = String::from_utf8_lossy(&read.value);
    let value = match json {
        false => quoted(&text),
        true if is_json(&text) => text.into_owned(),
        true => {
            return Err(Failure::new(400, limits::kv::BULK_GET_NO_JSON));
        }
    };
    Ok(match (with_metadata, &read.metadata) {
        (false, _) => value,
        (true, metadata) => format!(
            "{{\"value\":{value},\"metadata\":{}}}",
            metadata.as_deref().unwrap_or("null")
        ),
    })
}

fn page_in_json(page: &Page) -> String {
    let mut text = String::from("{\"keys\":[");
    for (place, key) in page.keys.iter().enumerate() {
        let comma = if place == 0 { "" } else { "," };
        let _ = write!(text, "{comma}{{\"name\":{}", quoted(&key.name));
        if let Some(seconds) = key.expiration_seconds {
            let _ = write!(text, ",\"expiration\":{seconds}");
        }
        if let Some(metadata) = &key.metadata {
            // The runtime parses it once more.
            let _ = write!(text, ",\"metadata\":{}", quoted(metadata));
        }
        text.push('}');
    }
    let _ = write!(text, "],\"list_complete\":{}", page.cursor.is_none());
    if let Some(cursor) = &page.cursor {
        let _ = write!(text, ",\"cursor\":{}", quoted(cursor));
    }
    text.push('}');
    text
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(target: &str) -> Result<Call, Failure> {
        parse(&Method::GET, target, None, b"")
    }

    fn reason(result: Result<Call, Failure>) -> String {
        let failure = result.expect_err("it is refused");
        format!("{} {}", failure.status, failure.reason)
    }

    #[test]
    fn a_key_is_what_encode_uri_component_made_of_it() {
        let Ok(Call::Get { key, cache_ttl }) =
            get("/a%2Fb%20c%25%C3%A9?urlencoded=true&cache_ttl=60")
        else {
            panic!("a get");
        };
        assert_eq!((&*key, cache_ttl), ("a/b c%é", Some(60)));
        // The runtime always says `urlencoded`; without it the path is the key.
        assert!(matches!(get("/a%20b"), Ok(Call::Get { key, .. }) if &*key == "a%20b"));
    }

    #[test]
    fn what_no_key_can_be_is_refused_in_words() {
        for (target, expected) in [
            ("/%zz?urlencoded=true", "400 Could not URL-decode key name"),
            ("/%ff?urlencoded=true", "400 Could not URL-decode key name"),
            ("/%2?urlencoded=true", "400 Could not URL-decode key name"),
            (
                "/%2E?urlencoded=true",
                "400 Illegal key name \".\". Please use a different name.",
            ),
            (
                "/k?cache_ttl=-1",
                "400 Invalid cache_ttl of -1. Cache TTL must be at least 30.",
            ),
            (
                "/?key_count_limit=x",
                "400 Invalid key_count_limit of x. Please specify an integer greater than 0.",
            ),
        ] {
            assert_eq!(reason(get(target)), expected, "{target}");
        }
        let empty = parse(&Method::PUT, "/?urlencoded=true", None, b"");
        assert_eq!(reason(empty), "400 Key names must not be empty");
    }

    #[test]
    fn a_put_carries_both_expirations_and_metadata_as_raw_utf8() {
        let target = "/both?urlencoded=true&expiration=2000000000&expiration_ttl=90";
        let call = parse(
            &Method::PUT,
            target,
            Some("{\"who\":\"é\"}".as_bytes()),
            b"v",
        );
        let expected = Call::Put {
            key: "both".into(),
            expiration: Some(2_000_000_000),
            expiration_ttl: Some(90),
            metadata: Some("{\"who\":\"é\"}".into()),
        };
        assert_eq!(call, Ok(expected));
        let negative = parse(
            &Method::PUT,
            "/u?urlencoded=true&expiration_ttl=-5",
            None,
            b"x",
        );
        assert_eq!(
            reason(negative),
            "400 Invalid expiration_ttl of -5. Please specify integer greater than 0."
        );
        assert!(parse(&Method::PUT, "/k", Some(b"\xff"), b"").is_err());
    }

    #[test]
    fn a_bulk_get_reads_its_time_to_live_from_a_string() {
        let body =
            br#"{"keys":["m1","m1","ttl"],"type":"json","withMetadata":true,"cacheTtl":"60"}"#;
        let call = parse(&Method::POST, "/bulk/get", None, body);
        let expected = Call::GetMany {
            keys: vec!["m1".into(), "ttl".into()],
            json: true,
            with_metadata: true,
            cache_ttl: Some(60),
        };
        assert_eq!(call, Ok(expected));
        for body in [
            "",
            "[]",
            "{\"keys\":[1]}",
            "{\"keys\":[\"a\"],\"type\":\"x\"}",
        ] {
            let refused = parse(&Method::POST, "/bulk/get", None, body.as_bytes());
            assert_eq!(refused.expect_err("it is refused").status, 400, "{body}");
        }
    }

    #[test]
    fn an_exception_travels_as_the_status_line_it_is_made_of() {
        let exception =
            Exception::error("KV PUT failed: 413 Metadata length of 2000 exceeds limit of 1024.");
        let expected = Failure::new(413, "Metadata length of 2000 exceeds limit of 1024.");
        assert_eq!(Failure::of(&exception), expected);
    }
}

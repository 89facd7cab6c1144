//! What a request asks of a namespace, and the refusal that it gets.

use crate::exception::Exception;
use crate::limits;
use crate::serve::percent;
use http::Method;
use serde::Deserialize;
use std::rc::Rc;

/// A Worker's call of a namespace, as a request carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// `get` and `getWithMetadata`: the request does not say what kind of value is wanted.
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
    pub(super) fn new(status: u16, reason: impl Into<String>) -> Self {
        Self {
            status,
            reason: reason.into(),
        }
    }

    /// What an exception of the simulated binding says behind `KV <verb> failed: `: the very status line it is made of.
    pub(super) fn of(exception: &Exception) -> Self {
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

/// Reads a request: its method, its target (path and query), the header `CF-KV-Metadata`, and the body, which is read
/// for `POST /bulk/get` only.
///
/// # Errors
/// The errors that the service returns before it looks anything up, with miniflare's texts (SDK 2026-08-22) where it
/// has some.
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

/// A number, or the refusal that quotes the text that is not one.
fn number(text: &str, refused: impl FnOnce(String) -> String) -> Result<u64, Failure> {
    let refusal = |_| Failure::new(400, refused(ascii(text)));
    text.parse().map_err(refusal)
}

/// The characters of a text that a reason phrase may hold.
fn ascii(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_ascii_graphic())
        .take(64)
        .collect()
}

pub(super) fn is_json(text: &str) -> bool {
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

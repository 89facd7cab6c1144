//! Outbound fetches of a Worker in workerd: to simulated origins, to loopback, and to the hosts that the user allowed by name.
//!
//! workerd sends them here as to an HTTP proxy, with the whole URL in the request line. So one rule holds for Workers
//! in workerd and inside the simulator: only loopback is reached, and the hosts that were allowed.

use super::headers::strip_own_headers;
use super::refusal::refusal;
use crate::http::Request;
use crate::platform::outbound::NETWORK_CONNECTION_LOST;
use crate::serve::body::{BROKEN, REQUEST_BYTES_MAX, TOO_LARGE, Unread, drained};
use crate::serve::http::strip_connection_headers;
use crate::serve::socket::{Body, Broken, Response};
use crate::topology::Pop;
use crate::world::World;
use http::StatusCode;
use http::header::HOST;
use http::request::Parts;
use hyper::body::Incoming;
use url::Url;

/// The URL of a request to a proxy: the absolute form of RFC 9112 section 3.2.2, or else the header `Host` and the path.
///
/// # Errors
/// A text for a request that names no HTTP origin.
pub fn parse(target: &http::Uri, host: Option<&[u8]>) -> Result<Url, String> {
    let text = if target.authority().is_some() {
        target.to_string()
    } else {
        let host = host.and_then(|host| std::str::from_utf8(host).ok());
        let host = host.ok_or("the request names no host")?;
        format!("http://{host}{target}")
    };
    let url = Url::parse(&text).map_err(|problem| format!("the request's URL: {problem}"))?;
    match url.scheme() {
        "http" | "https" if url.host().is_some() => Ok(url),
        _ => Err("only http and https are fetched".to_owned()),
    }
}

pub(super) async fn answer(world: &World, pop: Pop, head: Parts, body: Incoming) -> Response {
    let url = match parse(
        &head.uri,
        head.headers.get(HOST).map(|host| host.as_bytes()),
    ) {
        Ok(url) => url,
        Err(text) => return refusal(StatusCode::BAD_REQUEST, text),
    };
    let body = match drained(body, REQUEST_BYTES_MAX).await {
        Ok(body) => body,
        Err(Unread::TooLong(_)) => {
            return refusal(StatusCode::PAYLOAD_TOO_LARGE, TOO_LARGE);
        }
        Err(Unread::Broken) => {
            return refusal(StatusCode::BAD_REQUEST, BROKEN);
        }
    };
    let mut headers = head.headers;
    strip_own_headers(&mut headers);
    headers.remove(HOST);
    strip_connection_headers(&mut headers);
    let message = Request {
        method: head.method,
        url,
        headers,
        body,
        cf: None,
    };
    let task = {
        let world = world.clone();
        let host = message.url.host_str().unwrap_or_default().to_owned();
        async move {
            let answered = world.bindings().fetch(message.into()).await;
            // The Worker learns only that the connection broke, so the reason is logged here.
            if let Err(exception) = &answered
                && exception.message != NETWORK_CONNECTION_LOST
            {
                world
                    .bindings()
                    .console("error", &format!("fetch of {host}: {}", exception.message));
            }
            answered
        }
    };
    match world.bindings().guest(pop, task).await {
        Some(Ok(answer)) => {
            let mut response = Response::new(Body::leaving(world, answer.body));
            *response.status_mut() =
                StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
            *response.headers_mut() = answer.headers;
            strip_connection_headers(response.headers_mut());
            response.headers_mut().remove(http::header::CONTENT_LENGTH);
            response
        }
        // The Worker's fetch throws, as it does for a connection that broke.
        Some(Err(_)) => {
            let mut broken = Response::default();
            broken.extensions_mut().insert(Broken);
            broken
        }
        None => refusal(StatusCode::SERVICE_UNAVAILABLE, "the simulator is stopping"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(target: &str, host: Option<&str>) -> Result<String, String> {
        let target = target.parse().expect("a target");
        parse(&target, host.map(str::as_bytes)).map(String::from)
    }

    #[test]
    fn the_request_line_counts_before_the_host() {
        let absolute = url("http://127.0.0.1:9/hook?a=b", Some("elsewhere"));
        assert_eq!(absolute.as_deref(), Ok("http://127.0.0.1:9/hook?a=b"));
        let https = url("https://hooks.example/x", None);
        assert_eq!(https.as_deref(), Ok("https://hooks.example/x"));
        assert_eq!(
            url("/x", Some("127.0.0.1:9")).as_deref(),
            Ok("http://127.0.0.1:9/x")
        );
    }

    #[test]
    fn what_names_no_http_origin_is_refused() {
        assert!(url("/x", None).is_err());
        assert!(url("ftp://host/x", None).is_err());
        assert!(url("/x", Some("a b")).is_err());
    }
}

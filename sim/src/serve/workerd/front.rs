//! The server that a PoP's clients connect to: it adds what the platform adds to a request, and passes it on to
//! workerd.
//!
//! `CF-Connecting-IP` is the client's own address unless it names one, as in `sim serve`; `request.cf` names the PoP; a
//! request is counted for the bill. A request is passed on when it has arrived whole, an answer as it comes.

use super::headers::strip_own_headers;
use super::refusal::refusal;
use crate::http::Cf;
use crate::serve::body::{BROKEN, REQUEST_BYTES_MAX, TOO_LARGE, Unread, drained};
use crate::serve::http::strip_connection_headers;
use crate::serve::socket::{Body, Handler, Response};
use crate::topology::Pop;
use crate::world::World;
use crate::world::client::CF_CONNECTING_IP;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST, HeaderValue};
use http::{Method, StatusCode, Uri, Version};
use http_body_util::Full;
use hyper::body::Body as _;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::net::SocketAddr;
use std::rc::Rc;
use url::Url;

/// Header of which workerd's socket makes `request.cf`; it replaces any value that the client sends.
pub const CF_HEADER: &str = "x-sim-cf";

/// Passes a PoP's requests on to the socket on which workerd serves that PoP.
pub fn handler(world: &World, pop: Pop, workerd: SocketAddr) -> Handler {
    let world = world.clone();
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
    let cf = serde_json::to_vec(&Cf::at(pop, "HTTP/1.1")).expect("texts and numbers");
    // A city's name may have letters that no header should.
    let cf = HeaderValue::from_bytes(&cf).expect("JSON has no control characters");
    Rc::new(move |peer, request| {
        let (world, client, cf) = (world.clone(), client.clone(), cf.clone());
        Box::pin(async move {
            let (mut head, body) = request.into_parts();
            let head_only = head.method == Method::HEAD;
            let too_large = || refusal(StatusCode::PAYLOAD_TOO_LARGE, TOO_LARGE);
            if body.size_hint().lower() > REQUEST_BYTES_MAX as u64 {
                return too_large();
            }
            let body = match drained(body, REQUEST_BYTES_MAX).await {
                Ok(body) => body,
                Err(Unread::TooLong(_)) => return too_large(),
                Err(Unread::Broken) => {
                    return refusal(StatusCode::BAD_REQUEST, BROKEN);
                }
            };
            // RFC 9112 section 3.2: HTTP/1.1 has exactly one.
            let hosts = head.headers.get_all(HOST).iter().count();
            if hosts > 1 || (hosts == 0 && head.version != Version::HTTP_10) {
                return refusal(StatusCode::BAD_REQUEST, "a request has one Host header\n");
            }
            let target = head
                .uri
                .path_and_query()
                .map_or("/", |target| target.as_str());
            let Some(uri) = uri(workerd, target) else {
                return refusal(StatusCode::BAD_REQUEST, "the request's target is no path\n");
            };
            head.uri = uri;
            strip_connection_headers(&mut head.headers);
            if !head.headers.contains_key(&CF_CONNECTING_IP) {
                let ip = HeaderValue::from_str(&peer.to_string()).expect("an address is ASCII");
                head.headers.insert(CF_CONNECTING_IP.clone(), ip);
            }
            // Headers of these names from a client must not pass for those of the configuration.
            strip_own_headers(&mut head.headers);
            head.headers.insert(CF_HEADER, cf);
            // The length is that of the body, which hyper knows.
            head.headers.remove(CONTENT_LENGTH);
            world.bindings().count_guest_request();
            let message = hyper::Request::from_parts(head, Full::new(body));
            pass(client.request(message).await, head_only).await
        })
    })
}

/// Where workerd finds what a request is for. It takes paths as they come; the platform has removed dot segments by then
/// ("URL normalization", 2026-04-16), and so has any other way into a world.
fn uri(workerd: SocketAddr, target: &str) -> Option<Uri> {
    let url = Url::parse(&format!("http://{workerd}{target}")).ok()?;
    url.as_str().parse().ok()
}

async fn pass(
    answer: Result<hyper::Response<hyper::body::Incoming>, hyper_util::client::legacy::Error>,
    head_only: bool,
) -> Response {
    // workerd closes the connection without an answer when a binding's service is lost and the Worker does not catch it; where
    // it runs for users, that is an uncaught exception (ERR 2026-10-08: 1101).
    let thrown = || {
        refusal(
            StatusCode::BAD_GATEWAY,
            "workerd closed the connection without an answer\n",
        )
    };
    let Ok(answer) = answer else {
        return thrown();
    };
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        return refusal(
            StatusCode::NOT_IMPLEMENTED,
            "WebSockets are not passed on\n",
        );
    }
    let (head, body) = answer.into_parts();
    // A stream may have no end, so it is passed on as it comes; one that breaks ends the client's connection too.
    let mut response = Response::new(Body::Passing(body));
    *response.status_mut() = head.status;
    *response.headers_mut() = head.headers;
    strip_connection_headers(response.headers_mut());
    // The length is that of the body, which hyper knows; only an answer without its body has to say it.
    if !head_only {
        response.headers_mut().remove(CONTENT_LENGTH);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::uri;

    #[test]
    fn workerd_is_asked_for_the_path_that_a_url_parser_reads() {
        let workerd = "127.0.0.1:1234".parse().unwrap();
        for (target, path) in [
            ("/api/admin/../reports?a=/../b", "/api/reports?a=/../b"),
            ("/./api/%2e%2e/x", "/x"),
            ("//host/../api//health", "//api//health"),
            ("/api/%68ealth%00?", "/api/%68ealth%00?"),
        ] {
            let uri = uri(workerd, target).unwrap();
            assert_eq!(uri.path_and_query().unwrap().as_str(), path, "{target}");
            assert_eq!(uri.authority().unwrap().as_str(), "127.0.0.1:1234");
        }
    }
}

//! The world's own Worker, over HTTP.
//!
//! A request on the socket becomes a request of a simulated client: `CF-Connecting-IP` sets its address (the socket's
//! own, if absent), `x-sim-pop` the PoP it is attached to. The server waits for the simulated latencies, so an answer
//! takes as long here as in the simulated network.

use super::body::{BROKEN, REQUEST_BYTES_MAX, TOO_LARGE, Unread, whole};
use super::socket::{Body, Handler, Response};
use crate::http::Request;
use crate::limits;
use crate::topology::Pop;
use crate::world::World;
use crate::world::client::CF_CONNECTING_IP;
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HOST, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, Version};
use hyper::body::{Body as _, Incoming};
use std::net::IpAddr;
use std::rc::Rc;
use url::Url;

/// Header that names the PoP a request is attached to.
pub const POP_HEADER: &str = "x-sim-pop";

/// How much of a refused request's body is read and thrown away, in bytes, so that the refusal arrives and the
/// connection can be used again. The server does not wait for more: the connection ends.
const DRAIN_BYTES: usize = 1 << 20;

/// Answers requests with the world's own Worker.
pub fn handler(world: &World) -> Handler {
    let (world, first) = (world.clone(), world.pops()[0]);
    Rc::new(move |peer, request| Box::pin(answer(world.clone(), first, peer, request)))
}

/// A request that does not reach the Worker: status and text.
type Refusal = (StatusCode, String);

async fn answer(
    world: World,
    first: Pop,
    peer: IpAddr,
    request: hyper::Request<Incoming>,
) -> Response {
    let (head, mut body) = request.into_parts();
    // A client that waits for `100 Continue` has not sent its body.
    let sends_body =
        !head.headers.contains_key(EXPECT) && body.size_hint().lower() <= DRAIN_BYTES as u64;
    match simulate(world, first, peer, head, &mut body).await {
        Ok(response) => response,
        Err((status, text)) => {
            if sends_body {
                let _ = whole(body, DRAIN_BYTES).await;
            }
            let mut response = Response::new(Body::from(text));
            *response.status_mut() = status;
            response
        }
    }
}

/// The URL that a request is for.
fn url(head: &Parts) -> Result<Url, Refusal> {
    let refused = |text: String| (StatusCode::BAD_REQUEST, text);
    let target = head
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str());
    if target.len() > limits::workers::URL_BYTES {
        return Err((
            StatusCode::URI_TOO_LONG,
            "the URL is longer than 16 KB\n".to_owned(),
        ));
    }
    let mut hosts = head.headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().unwrap_or_default(),
        // RFC 9112 section 3.2: HTTP/1.1 has exactly one.
        (None, _) if head.version == Version::HTTP_10 => "localhost",
        _ => return Err(refused("a request has one Host header\n".to_owned())),
    };
    // RFC 9112 section 3.2.2: the host of an absolute target takes precedence over the header.
    let host = head
        .uri
        .authority()
        .map_or(host, |authority| authority.as_str());
    // A value that is more than host and port would change the path, which only the target may set.
    let misplaced = |c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '@' | '\\');
    if host.is_empty() || host.contains(misplaced) || !target.starts_with('/') {
        return Err(refused(
            "the request's URL: expected a host in the Host header and a path as the target\n"
                .to_owned(),
        ));
    }
    Url::parse(&format!("http://{host}{target}"))
        .map_err(|problem| refused(format!("the request's URL: {problem}\n")))
}

async fn simulate(
    world: World,
    first: Pop,
    peer: IpAddr,
    head: Parts,
    body: &mut Incoming,
) -> Result<Response, Refusal> {
    let url = url(&head)?;
    let mut headers = head.headers;
    let pop = match headers.remove(POP_HEADER) {
        None => first,
        Some(code) => {
            let code = String::from_utf8_lossy(code.as_bytes()).into_owned();
            let unknown = || {
                (
                    StatusCode::BAD_REQUEST,
                    format!("{POP_HEADER}: no PoP has the code {code:?}\n"),
                )
            };
            Pop::from_code(&code).ok_or_else(unknown)?
        }
    };
    let too_large = || (StatusCode::PAYLOAD_TOO_LARGE, TOO_LARGE.to_owned());
    let body = whole(body, REQUEST_BYTES_MAX)
        .await
        .map_err(|unread| match unread {
            Unread::TooLong(_) => too_large(),
            Unread::Broken => (StatusCode::BAD_REQUEST, BROKEN.to_owned()),
        })?;
    strip_connection_headers(&mut headers);

    let mut client = world.client_at(pop);
    let ip = headers
        .get(&CF_CONNECTING_IP)
        .and_then(|ip| ip.to_str().ok())
        .map(str::to_owned);
    client = client.with_ip(&ip.unwrap_or_else(|| peer.to_string()));
    let head_only = head.method == Method::HEAD;
    let message = Request {
        method: head.method,
        url,
        headers,
        body,
        cf: None,
    };
    let (sender, receiver) = futures_channel::oneshot::channel();
    world.spawn(async move {
        // The connection may be gone by then; the Worker has run all the same.
        let _ = sender.send(client.open(message.into()).await);
    });
    let answered = receiver.await.map_err(|_| {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "the server is stopping\n".to_owned(),
        )
    })?;
    let mut response = Response::new(Body::leaving(&world, answered.body));
    *response.status_mut() =
        StatusCode::from_u16(answered.status).unwrap_or(StatusCode::BAD_GATEWAY);
    *response.headers_mut() = answered.headers;
    strip_connection_headers(response.headers_mut());
    // The length is that of the body, which hyper knows; only an answer without its body has to say it.
    if !head_only || response.size_hint().upper() != Some(0) {
        response.headers_mut().remove(CONTENT_LENGTH);
    }
    Ok(response)
}

/// Drops the headers that belong to one connection and not to the message.
pub(super) fn strip_connection_headers(headers: &mut HeaderMap) {
    headers.remove(CONNECTION);
    headers.remove(TRANSFER_ENCODING);
    headers.remove("keep-alive");
}

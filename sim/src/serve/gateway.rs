//! Outbound fetches to real servers: loopback only, unless a host is allowed by name.
//!
//! An answer is handed to the Worker whole, so it has a largest length; a stream without an end is an exception in the Worker.

use super::body::{Unread, whole};
use crate::exception::Exception;
use crate::http::{Request, Response};
use crate::limits::workers;
use crate::platform::outbound::NETWORK_CONNECTION_LOST;
use crate::script::LocalBoxFuture;
use crate::world::Gateway;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use url::Host;

/// Largest body of an answer in bytes, unless the gateway is told another. The platform streams answers and has no limit (LIM
/// 2026-07-28); here they are whole, and no isolate has the memory for a longer one.
pub const ANSWER_BYTES_MAX: usize = {
    assert!(workers::ISOLATE_MEMORY_BYTES <= usize::MAX as u64);
    workers::ISOLATE_MEMORY_BYTES as usize
};

/// A gateway to loopback addresses and to the hosts that the user named.
pub struct RealGateway {
    allowed: BTreeSet<String>,
    tls: TlsConnector,
    answer_bytes_max: usize,
}

impl std::fmt::Debug for RealGateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RealGateway")
            .field("allowed", &self.allowed)
            .finish_non_exhaustive()
    }
}

impl RealGateway {
    /// A gateway to loopback and to these hosts: names or addresses, in any spelling. A text that is not a host allows
    /// nothing.
    pub fn new(allowed: impl IntoIterator<Item = String>) -> Self {
        let roots = RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        let config = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            allowed: allowed
                .into_iter()
                .filter_map(|name| spelled(&name))
                .collect(),
            tls: TlsConnector::from(Arc::new(config)),
            answer_bytes_max: ANSWER_BYTES_MAX,
        }
    }

    /// The same with another largest body of an answer, in bytes; the default is [`ANSWER_BYTES_MAX`].
    #[must_use]
    pub fn answer_bytes_max(mut self, bytes: usize) -> Self {
        self.answer_bytes_max = bytes;
        self
    }
}

/// A host as URLs spell it; `None` for a text that is not a host: a whole URL, for example, or a name with a port.
///
/// ```
/// use edgeproof_sim::serve::gateway::spelled;
/// assert_eq!(spelled("Hooks.Example").as_deref(), Some("hooks.example"));
/// assert_eq!(spelled("::1").as_deref(), Some("[::1]"));
/// assert_eq!(spelled("https://hooks.example"), None);
/// ```
pub fn spelled(name: &str) -> Option<String> {
    let host = Host::parse(name).or_else(|_| Host::parse(&format!("[{name}]")));
    host.ok().map(|host| host.to_string())
}

/// Whether a URL's host is this machine. `localhost` is, by RFC 6761; no other name is resolved to find out.
pub fn is_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        None => false,
    }
}

impl Gateway for RealGateway {
    fn accepts(&self, request: &Request) -> bool {
        is_loopback(&request.url)
            || request
                .url
                .host_str()
                .is_some_and(|host| self.allowed.contains(host))
    }

    fn fetch(&self, request: Request) -> LocalBoxFuture<Result<Response, Exception>> {
        let (tls, most) = (self.tls.clone(), self.answer_bytes_max);
        // A task of its own: the runtime wakes what it waits for, on any thread; only the task's end wakes the world.
        let mut exchange = AbortOnDrop(tokio::task::spawn_local(exchange(tls, request, most)));
        Box::pin(async move { (&mut exchange.0).await.unwrap_or_else(|_| Err(lost())) })
    }
}

/// A task that ends, with its connection, when it is dropped: a Worker that aborts a fetch leaves no connection open.
struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The exception of a connection that could not be made, or broke.
fn lost() -> Exception {
    Exception::error(NETWORK_CONNECTION_LOST).retryable()
}

async fn exchange(
    tls: TlsConnector,
    request: Request,
    answer_bytes_max: usize,
) -> Result<Response, Exception> {
    let answer = answer(tls, request).await.ok_or_else(lost)?;
    let (head, body) = answer.into_parts();
    let body = whole(body, answer_bytes_max)
        .await
        .map_err(|unread| match unread {
            // In production the Worker meets this when it reads the body (TypeError: observed in workerd's source).
            Unread::TooLong(_) => Exception::type_error(workers::MEMORY_BEFORE_EOF),
            Unread::Broken => lost(),
        })?;
    Ok(Response {
        status: head.status.as_u16(),
        headers: head.headers,
        body,
    })
}

/// Sends a request on a connection of its own; `None` if that cannot be made, or breaks before the answer begins.
async fn answer(tls: TlsConnector, request: Request) -> Option<hyper::Response<Incoming>> {
    let host = request.url.host_str()?.trim_matches(['[', ']']).to_owned();
    let port = request.url.port_or_known_default()?;
    let stream = TcpStream::connect((host.as_str(), port)).await.ok()?;
    if request.url.scheme() == "https" {
        let name = ServerName::try_from(host).ok()?;
        send(tls.connect(name, stream).await.ok()?, request).await
    } else {
        send(stream, request).await
    }
}

async fn send(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    request: Request,
) -> Option<hyper::Response<Incoming>> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    tokio::task::spawn_local(async move {
        // A connection that breaks is reported as the request's own failure.
        let _ = connection.await;
    });
    let target = &request.url[url::Position::BeforePath..url::Position::AfterQuery];
    let mut message = hyper::Request::new(Full::new(request.body.clone()));
    *message.method_mut() = request.method.clone();
    *message.uri_mut() = target.parse().ok()?;
    *message.headers_mut() = request.headers.clone();
    // The length is that of the body, which hyper knows; the Worker cannot set it.
    message.headers_mut().remove(hyper::header::CONTENT_LENGTH);
    let host = &request.url[url::Position::BeforeHost..url::Position::AfterPort];
    message
        .headers_mut()
        .insert(hyper::header::HOST, host.parse().ok()?);
    sender.send_request(message).await.ok()
}

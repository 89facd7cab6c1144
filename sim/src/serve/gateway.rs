//! Outbound fetches to real servers: loopback only, unless a host is allowed by name.
//!
//! The body of an answer comes as the Worker reads it, and the connection ends when the Worker drops it.

use crate::exception::Exception;
use crate::http::{Body, Request, Response};
use crate::platform::outbound::NETWORK_CONNECTION_LOST;
use crate::script::LocalBoxFuture;
use crate::world::Gateway;
use futures_util::stream::poll_fn;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use url::Host;

/// A gateway to loopback addresses and to the hosts that the user named.
pub struct RealGateway {
    allowed: BTreeSet<String>,
    tls: TlsConnector,
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
        }
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

    fn fetch(&self, request: Request) -> LocalBoxFuture<Result<Response<Body>, Exception>> {
        let tls = self.tls.clone();
        // A task of its own: the runtime wakes what it waits for, on any thread; only the task's end wakes the world.
        let mut exchange = AbortOnDrop(tokio::task::spawn_local(exchange(tls, request)));
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

async fn exchange(tls: TlsConnector, request: Request) -> Result<Response<Body>, Exception> {
    let answer = answer(tls, request).await.ok_or_else(lost)?;
    let (head, body) = answer.into_parts();
    let body = if body.is_end_stream() {
        Body::default()
    } else {
        received(body)
    };
    Ok(Response::new(head.status.as_u16(), head.headers, body))
}

/// A body as it comes from its connection. At most one piece waits to be read.
fn received(mut body: Incoming) -> Body {
    let (sender, mut receiver) = mpsc::channel(1);
    tokio::task::spawn_local(async move {
        loop {
            let frame = tokio::select! {
                biased;
                () = sender.closed() => return,
                frame = body.frame() => frame,
            };
            let piece = match frame {
                None => return,
                Some(Ok(frame)) => frame.into_data().map_err(|_| ()).map(Ok),
                Some(Err(_)) => Ok(Err(lost())),
            };
            // Trailers are no part of a body.
            let Ok(piece) = piece else { continue };
            if sender.send(piece).await.is_err() {
                return;
            }
        }
    });
    Body::stream(poll_fn(move |context| receiver.poll_recv(context)))
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

//! A server over HTTP/1.1 as a target: hyper on a single thread, TLS by rustls with Mozilla's roots.
//!
//! Every client keeps one connection, made before the burst begins, so that set-up is not measured as latency. A
//! connection that the server has closed between two requests is made again, counted, and part of that request's
//! latency. Nothing is sent twice: when a connection breaks after the request was written, that is a reset.
//!
//! Only loopback is reached unless [`admit`] is given the host's name. Redirects are answers like any other. HTTP/2,
//! proxies and compressed bodies are deliberately absent.

#![expect(
    clippy::disallowed_methods,
    reason = "a real server is waited for under the wall clock"
)]

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use url::{Host, Url};

use super::Measured;
use crate::check::Checks;
use crate::clock::Stopwatch;
use crate::expect::Charge;
use crate::plan::{Plan, Planned};
use crate::run::{Answer, Burst, SendError, Stop, Target};
use crate::secret::Secret;

/// The header by which the simulator's server chooses the PoP of a request.
const X_SIM_POP: HeaderName = HeaderName::from_static("x-sim-pop");

/// No answer of an API is larger; more is an error, not memory.
const LARGEST_BODY_BYTES: usize = 4 << 20;

/// How to reach a server and who to be there.
#[derive(Debug, Clone)]
pub struct Options {
    /// Scheme, host and port; the path comes from the plan.
    pub origin: Url,
    /// User and password to fetch a token with, before the burst.
    pub login: Option<(String, Secret)>,
    /// How long to wait for a connection, and for an answer.
    pub timeout: Duration,
}

/// Why a host may not be reached.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HostError {
    /// Not loopback, and not named.
    #[error(
        "{0} is not loopback: name it with --allow-host {0}, and cap the burst with --max-requests N"
    )]
    NotAllowed(String),
    /// Named, but without a cap.
    #[error("{0} is not loopback: cap the burst with --max-requests N")]
    NoCap(String),
    /// More than the cap.
    #[error("the plan sends {planned} requests (a login included), --max-requests allows {cap}")]
    OverCap {
        /// Requests of the plan and its login.
        planned: u64,
        /// `--max-requests`.
        cap: u64,
    },
}

/// Whether a URL's host is this machine by its very name: `localhost` or a loopback address.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Decides before the first byte whether a burst may be sent. `planned` counts every request, a login included.
pub fn admit(
    url: &Url,
    allowed: &[String],
    cap: Option<u64>,
    planned: u64,
) -> Result<(), HostError> {
    let host = url.host_str().unwrap_or_default().to_owned();
    if !is_loopback(url) {
        let bare = host.trim_matches(['[', ']']);
        if !allowed
            .iter()
            .any(|name| name.eq_ignore_ascii_case(&host) || name.eq_ignore_ascii_case(bare))
        {
            return Err(HostError::NotAllowed(host));
        }
        if cap.is_none() {
            return Err(HostError::NoCap(host));
        }
    }
    match cap {
        Some(cap) if planned > cap => Err(HostError::OverCap { planned, cap }),
        _ => Ok(()),
    }
}

/// Runs `plan` against a server. `progress` is told now and then how many requests were sent.
pub fn run(plan: &Plan, options: &Options, progress: &dyn Fn(u64)) -> io::Result<Measured> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(measure(plan.clone(), options, progress)))
}

async fn measure(mut plan: Plan, options: &Options, progress: &dyn Fn(u64)) -> Measured {
    let charge = Charge::of(&plan);
    let checks = Checks::new(&plan, charge, None).require_fields();
    let mut measured = Measured {
        tally: crate::run::Tally::new(Checks::new(&plan, charge, None)),
        charge,
        quotas: None,
        inexact: None,
        fresh: false,
        trouble: Vec::new(),
        notes: Vec::new(),
        reconnects: 0,
        wall_seconds: 0.0,
        platform: None,
        secrets: Vec::new(),
    };
    let server = match Server::new(&options.origin, options.timeout) {
        Ok(server) => server,
        Err(error) => {
            measured.trouble.push(error.to_string());
            return measured;
        }
    };
    if let Some((user, password)) = &options.login {
        match log_in(&server, user, password).await {
            Ok(token) => {
                let mut value = match HeaderValue::from_str(&format!("Bearer {}", token.expose())) {
                    Ok(value) => value,
                    Err(_) => {
                        measured
                            .trouble
                            .push("the login gave a token that no header can hold".into());
                        return measured;
                    }
                };
                value.set_sensitive(true);
                plan.template.headers.insert(AUTHORIZATION, value);
                measured.secrets.push(token);
                measured.notes.push(format!(
                    "1 more request logged in as {user} before the burst"
                ));
            }
            Err(why) => {
                measured.trouble.push(why);
                return measured;
            }
        }
    }
    let http = match Http::connect(&plan, server).await {
        Ok(http) => http,
        Err(error) => {
            measured.trouble.push(error.to_string());
            return measured;
        }
    };
    let burst = Burst::new(&plan, http, checks, progress);
    tokio::select! {
        () = burst.run() => {}
        _ = tokio::signal::ctrl_c() => burst.stop(Stop::Interrupted),
    }
    let (tally, http) = burst.finish();
    measured.wall_seconds = http.clock.elapsed().as_secs_f64();
    measured.reconnects = http.reconnects.get();
    measured.tally = tally;
    measured
}

/// Fetches a token as the Worker's own clients do.
async fn log_in(server: &Server, user: &str, password: &Secret) -> Result<Secret, String> {
    #[derive(Deserialize)]
    struct Login {
        token: String,
    }
    let body = serde_json::json!({ "username": user, "password": password.expose() }).to_string();
    let mut request = Request::new(Full::new(Bytes::from(body)));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::from_static("/api/auth/login");
    request.headers_mut().insert(HOST, server.authority.clone());
    request
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    request.headers_mut().insert(
        http::header::USER_AGENT,
        HeaderValue::from_static(crate::USER_AGENT),
    );
    let answer = async {
        let mut connection = server.connect().await?;
        let sent = connection.try_send_request(request);
        answer(server.timeout, sent)
            .await
            .map_err(|failed| failed.error)
    };
    let answer = answer.await.map_err(|error| format!("login: {error}"))?;
    if answer.status != 200 {
        // The body is not shown: it may repeat what was sent.
        return Err(format!("login: the server answered {}", answer.status));
    }
    let login: Login = serde_json::from_slice(&answer.body)
        .map_err(|_| "login: the answer holds no token".to_owned())?;
    Ok(Secret::new(login.token))
}

/// A server's address and how to speak to it.
struct Server {
    host: String,
    port: u16,
    authority: HeaderValue,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    /// Whether only loopback addresses may be connected to, whatever the name resolves to.
    loopback: bool,
    timeout: Duration,
}

impl Server {
    fn new(origin: &Url, timeout: Duration) -> Result<Self, SendError> {
        let connect = |what: &str| SendError::Connect(what.to_owned());
        let host = origin
            .host_str()
            .ok_or_else(|| connect("the URL has no host"))?;
        let host = host.trim_matches(['[', ']']).to_owned();
        let port = origin
            .port_or_known_default()
            .ok_or_else(|| connect("the URL has no port"))?;
        let authority = origin[url::Position::BeforeHost..url::Position::AfterPort].to_owned();
        let tls = match origin.scheme() {
            "https" => {
                let roots =
                    RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
                let mut config = ClientConfig::builder()
                    .with_root_certificates(roots)
                    .with_no_client_auth();
                config.alpn_protocols = vec![b"http/1.1".to_vec()];
                let name = ServerName::try_from(host.clone())
                    .map_err(|_| connect("the host is no TLS name"))?;
                Some((TlsConnector::from(Arc::new(config)), name))
            }
            _ => None,
        };
        Ok(Self {
            loopback: is_loopback(origin),
            authority: HeaderValue::from_str(&authority)
                .map_err(|_| connect("the host is no header value"))?,
            host,
            port,
            tls,
            timeout,
        })
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, SendError> {
        let failed =
            |error: io::Error| SendError::Connect(format!("{}:{}: {error}", self.host, self.port));
        let connecting = async {
            let addresses: Vec<SocketAddr> =
                tokio::net::lookup_host((self.host.as_str(), self.port))
                    .await
                    .map_err(failed)?
                    .filter(|address| !self.loopback || address.ip().is_loopback())
                    .collect();
            let stream = TcpStream::connect(addresses.as_slice())
                .await
                .map_err(failed)?;
            stream.set_nodelay(true).map_err(failed)?;
            match &self.tls {
                None => shake_hands(stream).await,
                Some((connector, name)) => {
                    shake_hands(
                        connector
                            .connect(name.clone(), stream)
                            .await
                            .map_err(failed)?,
                    )
                    .await
                }
            }
        };
        timeout(self.timeout, connecting).await.unwrap_or_else(|_| {
            Err(SendError::Connect(format!(
                "{}:{}: timed out",
                self.host, self.port
            )))
        })
    }
}

async fn shake_hands<S>(stream: S) -> Result<SendRequest<Full<Bytes>>, SendError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = handshake(TokioIo::new(stream))
        .await
        .map_err(|error| SendError::Connect(error.to_string()))?;
    // The connection's own error reaches the request that waits for it.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

/// One connection per client, and the request ready to be sent.
struct Http {
    server: Server,
    connections: Vec<RefCell<Option<SendRequest<Full<Bytes>>>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
    pops: Vec<HeaderValue>,
    clock: Stopwatch,
    reconnects: Cell<u64>,
}

impl Http {
    async fn connect(plan: &Plan, server: Server) -> Result<Self, SendError> {
        let uri: Uri = plan
            .template
            .path_and_query
            .parse()
            .map_err(|_| SendError::Connect("the path cannot be sent".into()))?;
        let mut headers = plan.template.headers.clone();
        headers
            .entry(HOST)
            .or_insert_with(|| server.authority.clone());
        let pops = plan.pops.iter().map(|pop| {
            HeaderValue::from_str(pop)
                .map_err(|_| SendError::Connect("a PoP's name is no header value".into()))
        });
        let pops = pops.collect::<Result<_, _>>()?;
        let mut connections = Vec::new();
        for _ in 0..u64::from(plan.clients).min(plan.requests) {
            connections.push(RefCell::new(Some(server.connect().await?)));
        }
        Ok(Self {
            server,
            connections,
            method: plan.template.method.clone(),
            uri,
            headers,
            body: plan.template.body.clone(),
            pops,
            clock: Stopwatch::start(),
            reconnects: Cell::new(0),
        })
    }

    fn request(&self, planned: &Planned) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        if let Some(pop) = planned.pop.and_then(|pop| self.pops.get(pop as usize)) {
            request.headers_mut().insert(X_SIM_POP, pop.clone());
        }
        request
    }
}

impl Target for Http {
    async fn send(&self, planned: &Planned) -> Result<Answer, SendError> {
        let Some(slot) = self.connections.get(planned.client as usize) else {
            return Err(SendError::Connect("a client without a connection".into()));
        };
        let mut request = self.request(planned);
        // At most one fresh connection: a request that even that does not take was not sent, and is an error.
        for fresh in [false, true] {
            let mut kept = if fresh { None } else { slot.take() };
            if let Some(connection) = &mut kept
                && connection.ready().await.is_err()
            {
                kept = None;
            }
            let mut connection = match kept {
                Some(kept) => kept,
                None => {
                    self.reconnects.set(self.reconnects.get() + 1);
                    self.server.connect().await?
                }
            };
            let sent = connection.try_send_request(request);
            match answer(self.server.timeout, sent).await {
                Ok(answer) => {
                    slot.replace(Some(connection));
                    return Ok(answer);
                }
                // hyper gives the request back only if none of it was written.
                Err(Failed {
                    error: _,
                    unsent: Some(unsent),
                }) if !fresh => request = *unsent,
                Err(failed) => return Err(failed.error),
            }
        }
        unreachable!("the second round returns")
    }

    fn now(&self) -> Duration {
        self.clock.elapsed()
    }
}

/// A request that got no answer; with the request itself if it was never written.
struct Failed {
    error: SendError,
    unsent: Option<Box<Request<Full<Bytes>>>>,
}

type TrySendError = hyper::client::conn::TrySendError<Request<Full<Bytes>>>;

/// Waits for the whole answer to a request that is on its way.
async fn answer(
    limit: Duration,
    sent: impl Future<Output = Result<http::Response<Incoming>, TrySendError>>,
) -> Result<Answer, Failed> {
    let lost = |error: SendError| Failed {
        error,
        unsent: None,
    };
    let whole = async {
        let response = sent.await.map_err(|mut failed| Failed {
            unsent: failed.take_message().map(Box::new),
            error: classify(failed.error()),
        })?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, LARGEST_BODY_BYTES)
            .collect()
            .await
            .map_err(|error| {
                lost(match error.downcast_ref::<hyper::Error>() {
                    Some(error) => classify(error),
                    None => SendError::Protocol(format!(
                        "an answer of more than {LARGEST_BODY_BYTES} bytes"
                    )),
                })
            })?;
        Ok(Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: body.to_bytes(),
        })
    };
    timeout(limit, whole)
        .await
        .unwrap_or_else(|_| Err(lost(SendError::TimedOut)))
}

/// A broken connection is a reset; what can be read but is not HTTP is a broken protocol.
fn classify(error: &hyper::Error) -> SendError {
    if error.is_parse() {
        return SendError::Protocol("the answer is not HTTP/1.1".into());
    }
    if error.is_timeout() {
        return SendError::TimedOut;
    }
    SendError::Reset
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    #[test]
    fn loopback_is_known_by_name_and_address_only() {
        for (text, loopback) in [
            ("http://localhost:8787", true),
            ("http://127.0.0.1", true),
            ("http://127.9.9.9", true),
            ("http://[::1]:80", true),
            ("http://localhost.example.com", false),
            ("http://127.0.0.1.example.com", false),
            ("http://10.0.0.1", false),
            ("http://0.0.0.0", false),
            ("http://[::ffff:10.0.0.1]", false),
        ] {
            assert_eq!(is_loopback(&url(text)), loopback, "{text}");
        }
    }

    #[test]
    fn another_host_needs_its_exact_name_and_a_cap() {
        let target = url("https://preview.example.com");
        let names = |name: &str| vec![name.to_owned()];
        let refused = HostError::NotAllowed("preview.example.com".into());
        assert_eq!(admit(&target, &[], Some(200), 150), Err(refused.clone()));
        assert_eq!(
            admit(&target, &names("example.com"), Some(200), 150),
            Err(refused.clone())
        );
        assert_eq!(admit(&target, &names("*"), Some(200), 150), Err(refused));
        let named = names("Preview.example.com");
        assert_eq!(
            admit(&target, &named, None, 150),
            Err(HostError::NoCap("preview.example.com".into()))
        );
        assert_eq!(
            admit(&target, &named, Some(150), 151),
            Err(HostError::OverCap {
                planned: 151,
                cap: 150
            })
        );
        assert_eq!(admit(&target, &named, Some(151), 151), Ok(()));
        assert_eq!(
            admit(&url("http://localhost"), &[], None, 1_000_000),
            Ok(())
        );
    }
}

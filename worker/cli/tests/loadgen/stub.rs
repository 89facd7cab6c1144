//! A small HTTP/1.1 server on a loopback port, with a limiter of its own and the ways in which one can be broken.

#![expect(
    clippy::disallowed_methods,
    reason = "servers and their clients run under the wall clock, on threads of their own"
)]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The token that a login gives and that requests may carry.
pub(crate) const TOKEN: &str = "stub-token-4711-abcdef";

/// What the server does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// 50 POSTs and 100 GETs per identity, as the contract says.
    Correct,
    /// One more than it says.
    OverAdmitting,
    /// As `Correct`, but some POSTs were charged before the burst.
    UsedBefore(u64),
    /// 429s with this body and without the mark of the API's own.
    Foreign(&'static str),
    /// Never answers a POST.
    Hanging,
    /// Ends the connection instead of denying.
    ResetsDenials,
    /// Answers `Connection: close` each time.
    Closing,
    /// Ends the connection after each answer, without announcing it.
    ClosingSilently,
    /// Puts the credential of the request into its headers and body.
    Echoing,
    /// Each answer takes 30 ms of a window of one second.
    Slow,
    /// No rate-limit fields, no limit.
    Unlimited,
    /// Not HTTP at all.
    Garbage,
    /// Every POST is answered 500.
    Failing,
}

/// What the server has seen.
#[derive(Default)]
pub(crate) struct Seen {
    /// Method, path with query, headers and body of every request.
    pub(crate) requests: Vec<(String, String, BTreeMap<String, String>, String)>,
    /// How many connections were accepted.
    pub(crate) connections: usize,
    charged: BTreeMap<String, u64>,
}

pub(crate) struct Stub {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Mutex<Seen>>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Stub {
    pub(crate) fn start(behaviour: Behaviour) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        listener.set_nonblocking(true).expect("for tokio");
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let shared = seen.clone();
        #[expect(
            clippy::disallowed_methods,
            reason = "the server must answer while the test waits for the program"
        )]
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).expect("a listener");
                tokio::select! {
                    () = accept(listener, behaviour, shared) => {}
                    _ = stopped => {}
                }
            });
        });
        Self {
            address,
            seen,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().expect("no test thread panicked")
    }

    /// How many requests of a burst (not the login) arrived.
    pub(crate) fn arrived(&self) -> usize {
        self.seen()
            .requests
            .iter()
            .filter(|request| request.1 != "/api/auth/login")
            .count()
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

async fn accept(listener: TcpListener, behaviour: Behaviour, seen: Arc<Mutex<Seen>>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            return;
        };
        seen.lock().expect("no panic").connections += 1;
        let seen = seen.clone();
        tokio::spawn(async move {
            match behaviour {
                Behaviour::Garbage => garbage(stream).await,
                _ => serve(stream, behaviour, seen).await,
            }
        });
    }
}

async fn garbage(mut stream: TcpStream) {
    let mut buffer = [0; 4096];
    if matches!(stream.read(&mut buffer).await, Ok(1..)) {
        drop(stream.write_all(b"220 mail.example ESMTP\r\n\r\n").await);
    }
}

async fn serve(stream: TcpStream, behaviour: Behaviour, seen: Arc<Mutex<Seen>>) {
    let closer = Arc::new(tokio::sync::Notify::new());
    let notify = closer.clone();
    let service = service_fn(move |request| {
        let (seen, notify) = (seen.clone(), notify.clone());
        async move {
            let answer = answer(request, behaviour, &seen).await;
            if answer.is_none() || behaviour == Behaviour::ClosingSilently {
                notify.notify_one();
            }
            match answer {
                Some(answer) => Ok::<_, Infallible>(answer),
                // The connection is dropped under this future.
                None => std::future::pending().await,
            }
        }
    });
    let connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => {}
        () = async {
            closer.notified().await;
            if behaviour == Behaviour::ClosingSilently {
                // Long enough for the answer to be written, short enough that the client is still idle.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        } => {}
    }
}

async fn answer(
    request: Request<Incoming>,
    behaviour: Behaviour,
    seen: &Mutex<Seen>,
) -> Option<Response<Full<Bytes>>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.expect("a whole body").to_bytes();
    let body = String::from_utf8_lossy(&body).into_owned();
    let headers: BTreeMap<String, String> = parts
        .headers
        .iter()
        .map(|(name, value)| {
            (
                name.to_string(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    let path = parts.uri.to_string();
    let method = parts.method.to_string();
    let authorization = headers.get("authorization").cloned().unwrap_or_default();
    seen.lock().expect("no panic").requests.push((
        method.clone(),
        path.clone(),
        headers,
        body.clone(),
    ));

    if path == "/api/auth/login" {
        let right = body.contains("\"username\":\"demo\"")
            && body.contains("\"password\":\"demo-pass-9137\"");
        let (status, body) = if right {
            (
                200,
                format!("{{\"token\":\"{TOKEN}\",\"tokenType\":\"Bearer\",\"expiresIn\":3600}}"),
            )
        } else {
            (401, "{}".to_owned())
        };
        return Some(
            Response::builder()
                .status(status)
                .body(body.into())
                .expect("valid"),
        );
    }

    let valid = authorization == format!("Bearer {TOKEN}");
    let (name, quota) = if valid && method == "POST" {
        ("write", 50)
    } else {
        ("general", 100)
    };
    let window = if behaviour == Behaviour::Slow { 1 } else { 60 };
    match behaviour {
        Behaviour::Hanging => tokio::time::sleep(Duration::from_secs(60)).await,
        Behaviour::Slow => tokio::time::sleep(Duration::from_millis(30)).await,
        Behaviour::Unlimited => {
            let status = if path == "/api/health" { 200 } else { 201 };
            return Some(
                Response::builder()
                    .status(status)
                    .header("content-type", "application/json")
                    .body(Full::default())
                    .expect("valid"),
            );
        }
        Behaviour::Failing => {
            return Some(
                Response::builder()
                    .status(500)
                    .body(Full::default())
                    .expect("valid"),
            );
        }
        _ => {}
    }
    let used = {
        let mut seen = seen.lock().expect("no panic");
        let used = seen
            .charged
            .entry(format!("{name} {valid}"))
            .or_insert(match behaviour {
                Behaviour::UsedBefore(used) => used,
                _ => 0,
            });
        *used += 1;
        *used
    };
    let admitted = used <= quota + u64::from(behaviour == Behaviour::OverAdmitting);
    let mut response = Response::builder()
        .header(
            "ratelimit-policy",
            format!("\"{name}\";q={quota};w={window}"),
        )
        .header("x-request-id", format!("r{used}"));
    if behaviour == Behaviour::Closing {
        response = response.header("connection", "close");
    }
    if behaviour == Behaviour::Echoing {
        // Where the report quotes a server: a Retry-After that is none, and the body of an error.
        response = response.header("retry-after", &authorization);
    }
    if admitted {
        let status = match (valid, method.as_str()) {
            (false, _) => 401,
            (true, "POST") => 201,
            _ => 200,
        };
        let response = response.status(status);
        let response = response.header(
            "ratelimit",
            format!("\"{name}\";r={};t={window}", quota.saturating_sub(used)),
        );
        return Some(
            response
                .body(format!("{{\"data\":\"{authorization}\"}}").into())
                .expect("valid"),
        );
    }
    match behaviour {
        Behaviour::ResetsDenials => None,
        Behaviour::Foreign(body) => Some(
            Response::builder()
                .status(429)
                .body(body.into())
                .expect("valid"),
        ),
        _ => {
            let problem = serde_json::json!({
                "type": "https://iana.org/assignments/http-problem-types#quota-exceeded",
                "title": "Too many requests",
                "status": 429,
                "detail": authorization,
                "violated-policies": [name],
            });
            if behaviour != Behaviour::Echoing {
                response = response.header("retry-after", window.to_string());
            }
            Some(
                response
                    .status(429)
                    .header("content-type", "application/problem+json")
                    .header("ratelimit", format!("\"{name}\";r=0;t={window}"))
                    .body(problem.to_string().into())
                    .expect("valid"),
            )
        }
    }
}

//! An arm behind a base URL: HTTP/1.1 on one connection, and the wall clock.
//!
//! What serves there answers only when all that follows the answer is over (`entry.js`), so an answer's arrival is the end of
//! the request in every sense.

use crate::arm::{Answer, Arm, sorted};
use crate::receiver::Receiver;
use crate::step::Request;
use bytes::Bytes;
use futures_util::stream;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The largest chunk of a body without a length, in bytes.
const CHUNK: usize = 10_000;

type Sender = SendRequest<BoxBody<Bytes, Infallible>>;

/// The arm.
pub(crate) struct Wire {
    runtime: tokio::runtime::Runtime,
    address: SocketAddr,
    connection: Option<Sender>,
    receiver: Receiver,
    last_ms: u64,
}

impl Wire {
    /// Talks to the Worker at an address; its alerts arrive at `receiver`.
    pub(crate) fn to(address: SocketAddr, receiver: Receiver) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        Self {
            runtime,
            address,
            connection: None,
            receiver,
            last_ms: 0,
        }
    }
}

impl Arm for Wire {
    fn send(&mut self, request: &Request) -> Answer {
        // In a later millisecond than the one before ended in, so that a time stamp tells which of them it belongs to.
        while now_ms() <= self.last_ms {
            pause();
        }
        let began_ms = now_ms();
        let (address, connection) = (self.address, &mut self.connection);
        let answered = self.runtime.block_on(async {
            tokio::time::timeout(PATIENCE, exchange(address, connection, request))
                .await
                .unwrap_or_else(|_| Err(format!("no answer within {PATIENCE:?}")))
        });
        self.last_ms = now_ms();
        let (status, headers, body) = answered.unwrap_or_else(|lost| {
            self.connection = None;
            (0, Vec::new(), lost.into_bytes())
        });
        Answer {
            status,
            headers,
            body,
            alerts: self.receiver.take(),
            began_ms,
            ended_ms: self.last_ms,
        }
    }
}

type Answered = (u16, Vec<crate::arm::Header>, Vec<u8>);

/// Sends one request and reads the answer; an error says how the connection was lost.
async fn exchange(
    address: SocketAddr,
    connection: &mut Option<Sender>,
    request: &Request,
) -> Result<Answered, String> {
    let lost = |what: &'static str| move |problem: hyper::Error| format!("{what}: {problem:?}");
    // A server may end an idle connection, after some of its answers at once.
    let usable = match connection {
        Some(sender) => sender.ready().await.is_ok(),
        None => false,
    };
    if !usable {
        let stream = tokio::net::TcpStream::connect(address).await;
        let stream = stream.map_err(|problem| format!("no connection: {problem}"))?;
        stream.set_nodelay(true).expect("a connected socket");
        let (sender, work) = handshake(TokioIo::new(stream))
            .await
            .map_err(lost("handshake"))?;
        tokio::spawn(work);
        *connection = Some(sender);
    }
    let sender = connection.as_mut().expect("it has just been made");
    let answer = sender.send_request(message(address, request)).await;
    let (head, body) = answer.map_err(lost("no answer"))?.into_parts();
    let body = body.collect().await.map_err(lost("half an answer"))?;
    Ok((
        head.status.as_u16(),
        sorted(&head.headers),
        body.to_bytes().to_vec(),
    ))
}

fn message(address: SocketAddr, request: &Request) -> hyper::Request<BoxBody<Bytes, Infallible>> {
    let mut message = hyper::Request::builder()
        .method(request.method)
        .uri(&request.target)
        .header("host", address.to_string())
        .header("cf-connecting-ip", &request.address);
    for (name, value) in &request.headers {
        message = message.header(*name, value.as_slice());
    }
    let body = Bytes::from(request.body.clone());
    let body = if request.chunked {
        let mut rest = body;
        let mut chunks = Vec::new();
        while !rest.is_empty() {
            chunks.push(Ok(Frame::data(rest.split_to(rest.len().min(CHUNK)))));
        }
        StreamBody::new(stream::iter(chunks)).boxed()
    } else {
        Full::new(body).boxed()
    };
    message.body(body).expect("a request that HTTP allows")
}

/// Unix milliseconds by the wall clock, which is the arm's.
#[expect(
    clippy::disallowed_methods,
    reason = "a real runtime has the wall clock"
)]
fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("it is later than 1970").as_millis() as u64
}

#[expect(
    clippy::disallowed_methods,
    reason = "the next millisecond is waited for"
)]
fn pause() {
    std::thread::sleep(Duration::from_micros(50));
}

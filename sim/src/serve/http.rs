//! HTTP/1.1 in front of a world.
//!
//! A request on the socket becomes a request of a simulated client: `CF-Connecting-IP` sets its address (the socket's
//! own, if absent), `x-sim-pop` the PoP it is attached to. The simulated latencies are waited out, so an answer takes as
//! long here as it would take there.

use crate::http::Request;
use crate::kernel::time::nanos;
use crate::limits;
use crate::topology::Pop;
use crate::world::World;
use crate::world::client::CF_CONNECTING_IP;
use bytes::Bytes;
use http::header::{CONNECTION, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// Header that names the PoP a request is attached to.
pub const POP_HEADER: &str = "x-sim-pop";

/// How long requests under way may take after the server was told to stop.
const GRACE: Duration = Duration::from_secs(5);

/// Serves a world on a socket until `stop` is ready, then lets requests under way finish for up to five seconds.
///
/// Runs on a current-thread runtime, inside a [`LocalSet`](tokio::task::LocalSet): the world stays on its thread.
pub async fn serve(world: &World, listener: TcpListener, stop: impl Future<Output = ()>) {
    let _entered = world.enter();
    let first = world.pops()[0];
    let open = Rc::new(());
    let accept = async {
        loop {
            // A connection that failed before it was taken is the client's business.
            let Ok((stream, peer)) = listener.accept().await else { continue };
            let (world, open) = (world.clone(), Rc::clone(&open));
            tokio::task::spawn_local(async move {
                connection(world, first, stream, peer).await;
                drop(open);
            });
        }
    };
    let clock = drive(world);
    tokio::select! {
        () = accept => {}
        () = clock => {}
        () = stop => {}
    }
    let idle = async {
        while Rc::strong_count(&open) > 1 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        () = drive(world) => {}
        () = idle => {}
        () = tokio::time::sleep(GRACE) => {}
    }
}

/// Moves the world along with the wall clock, for ever.
#[expect(clippy::disallowed_methods, reason = "the one place where virtual time is the wall clock's")]
async fn drive(world: &World) {
    let begin = std::time::Instant::now();
    let virtual_begin = world.now();
    let mut timer = pin!(tokio::time::sleep(Duration::ZERO));
    poll_fn(|context| {
        loop {
            let now = virtual_begin.after(nanos(begin.elapsed()));
            let Some(next) = world.drive(now, context.waker()) else { return Poll::Pending };
            let wait: Duration = next.since(now);
            timer.as_mut().reset(tokio::time::Instant::now() + wait);
            if timer.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
        }
    })
    .await
}

async fn connection(world: World, first: Pop, stream: TcpStream, peer: SocketAddr) {
    // Small answers must not wait for more to send.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let world = world.clone();
        async move { Ok::<_, Infallible>(answer(world, first, peer.ip(), request).await) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    // A client that goes away in the middle of a request is no error of the server's.
    let _ = served.await;
}

async fn answer(world: World, first: Pop, peer: IpAddr, request: hyper::Request<Incoming>) -> hyper::Response<Full<Bytes>> {
    match simulate(world, first, peer, request).await {
        Ok(response) => response,
        Err((status, text)) => {
            let mut response = hyper::Response::new(Full::new(Bytes::from(text)));
            *response.status_mut() = status;
            response
        }
    }
}

async fn simulate(
    world: World,
    first: Pop,
    peer: IpAddr,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Full<Bytes>>, (StatusCode, String)> {
    let (head, body) = request.into_parts();
    let mut headers = head.headers;
    let pop = match headers.remove(POP_HEADER) {
        None => first,
        Some(code) => {
            let code = String::from_utf8_lossy(code.as_bytes()).into_owned();
            let unknown = || (StatusCode::BAD_REQUEST, format!("{POP_HEADER}: no PoP has the code {code:?}\n"));
            Pop::from_code(&code).ok_or_else(unknown)?
        }
    };
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    if target.len() > limits::workers::URL_BYTES {
        return Err((StatusCode::URI_TOO_LONG, "the URL is longer than 16 KB\n".to_owned()));
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let url = Url::parse(&format!("http://{host}{target}"));
    let url = url.map_err(|problem| (StatusCode::BAD_REQUEST, format!("the request's URL: {problem}\n")))?;
    let limit = usize::try_from(limits::workers::REQUEST_BODY_BYTES).unwrap_or(usize::MAX);
    let body = Limited::new(body, limit).collect().await.map_err(|problem| {
        if problem.is::<LengthLimitError>() {
            (StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than 100 MB\n".to_owned())
        } else {
            (StatusCode::BAD_REQUEST, "the body did not arrive whole\n".to_owned())
        }
    })?;
    strip_connection_headers(&mut headers);

    let mut client = world.client_at(pop);
    let ip = headers.get(&CF_CONNECTING_IP).and_then(|ip| ip.to_str().ok()).map(str::to_owned);
    client = client.with_ip(&ip.unwrap_or_else(|| peer.to_string()));
    let message = Request { method: head.method, url, headers, body: body.to_bytes(), cf: None };
    let (sender, receiver) = futures_channel::oneshot::channel();
    world.spawn(async move {
        // The connection may be gone by then; the Worker has done its work all the same.
        let _ = sender.send(client.send(message).await);
    });
    let answered = receiver.await.map_err(|_| (StatusCode::SERVICE_UNAVAILABLE, "the server is stopping\n".to_owned()))?;
    let mut response = hyper::Response::new(Full::new(answered.body));
    *response.status_mut() = StatusCode::from_u16(answered.status).unwrap_or(StatusCode::BAD_GATEWAY);
    *response.headers_mut() = answered.headers;
    strip_connection_headers(response.headers_mut());
    Ok(response)
}

/// Drops what belongs to one connection and not to the message.
fn strip_connection_headers(headers: &mut HeaderMap) {
    headers.remove(CONNECTION);
    headers.remove(TRANSFER_ENCODING);
    headers.remove("keep-alive");
}

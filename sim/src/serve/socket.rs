//! Sockets in front of a world: HTTP/1.1 connections, the wall clock, and an orderly end.
//!
//! A server is a list of listeners, each with a [`Handler`]; they share one world and one thread, and end together.

pub use super::body::Body;
use crate::kernel::time::nanos;
use crate::script::LocalBoxFuture;
use crate::world::World;
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
use tokio::sync::watch;

/// What a handler takes.
pub type Request = hyper::Request<Incoming>;

/// What a handler answers.
pub type Response = hyper::Response<Body>;

/// Answers the requests of one listener; the address is the peer's.
pub type Handler = Rc<dyn Fn(IpAddr, Request) -> LocalBoxFuture<Response>>;

/// Marks an answer that is not sent: the connection ends instead, as one that broke does.
#[derive(Debug, Clone, Copy)]
pub struct Broken;

/// The error by which hyper learns that a connection is to end.
#[derive(Debug, thiserror::Error)]
#[error("the connection is broken on purpose")]
struct OnPurpose;

/// How long requests in progress may take after the server was told to stop.
const GRACE: Duration = Duration::from_secs(5);

/// Serves a world on its listeners until `stop` is ready; then takes no more connections, ends the idle ones, and lets
/// requests in progress finish for up to five seconds.
///
/// Runs on a current-thread runtime, inside a [`LocalSet`](tokio::task::LocalSet): the world stays on its thread.
#[expect(
    clippy::disallowed_methods,
    reason = "a server's end is waited for under the wall clock"
)]
pub async fn serve(
    world: &World,
    listeners: Vec<(TcpListener, Handler)>,
    stop: impl Future<Output = ()>,
) {
    let _entered = world.enter();
    // Every connection holds a receiver, so the sender knows when all of them are gone.
    let (end, ending) = watch::channel(());
    let accepting = listeners
        .into_iter()
        .map(|(listener, handler)| accept(listener, handler, ending.clone()))
        .collect::<Vec<_>>();
    drop(ending);
    tokio::select! {
        _ = futures_util::future::join_all(accepting) => {}
        () = drive(world) => {}
        () = stop => {}
    }
    end.send_replace(());
    tokio::select! {
        () = drive(world) => {}
        () = end.closed() => {}
        () = tokio::time::sleep(GRACE) => {}
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "descriptors are waited for under the wall clock"
)]
async fn accept(
    listener: TcpListener,
    handler: Handler,
    ending: watch::Receiver<()>,
) -> Infallible {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                tokio::task::spawn_local(connection(
                    Rc::clone(&handler),
                    stream,
                    peer,
                    ending.clone(),
                ));
            }
            // The client is gone already, or there are no descriptors left: an immediate retry would only spin.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// Moves the world by the wall clock, for ever.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where virtual time is the wall clock's"
)]
async fn drive(world: &World) {
    let begin = std::time::Instant::now();
    let virtual_begin = world.now();
    let mut timer = pin!(tokio::time::sleep(Duration::ZERO));
    poll_fn(|context| {
        loop {
            let now = virtual_begin.after(nanos(begin.elapsed()));
            let Some(next) = world.drive(now, context.waker()) else {
                return Poll::Pending;
            };
            let wait: Duration = next.since(now);
            timer.as_mut().reset(tokio::time::Instant::now() + wait);
            if timer.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
        }
    })
    .await
}

async fn connection(
    handler: Handler,
    stream: TcpStream,
    peer: SocketAddr,
    mut ending: watch::Receiver<()>,
) {
    // Small answers must not wait for more to send.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let answer = handler(peer.ip(), request);
        async move {
            let answer = answer.await;
            match answer.extensions().get::<Broken>() {
                None => Ok(answer),
                Some(Broken) => Err(OnPurpose),
            }
        }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        // A client may close its sending side and wait for its answers.
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service);
    let mut served = pin!(served);
    // A client that goes away in the middle of a request is no error of the server's.
    tokio::select! {
        _ = served.as_mut() => return,
        _ = ending.changed() => served.as_mut().graceful_shutdown(),
    }
    let _ = served.await;
}

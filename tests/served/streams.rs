//! Answers that are still being made, over sockets.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use edgeproof_sim::exception::Exception;
use edgeproof_sim::http::{Body, Response};
use edgeproof_sim::script::{Event, Handled, ObjectClass, Reply, Script};
use edgeproof_sim::world::builder::Builder;
use edgeproof_sim::{Bindings, World};
use futures_util::stream;
use http::HeaderMap;

use support::client::{PATIENCE, eventually};
use support::server::Served;

/// A Worker that ticks for ever at `/ticks`, and fails after a tick elsewhere. It counts the ticks.
struct Ticker(Arc<AtomicU32>);

impl Script for Ticker {
    fn handle(&self, event: Event) -> Handled {
        let Event::Fetch(request) = event else {
            return Box::pin(async { Ok(Reply::Done) });
        };
        let (ticks, endless) = (Arc::clone(&self.0), request.url.path() == "/ticks");
        let pieces = stream::unfold(0, move |made| {
            let ticks = Arc::clone(&ticks);
            async move {
                if made > 0 && !endless {
                    return Some((Err(Exception::error("no more")), made));
                }
                Bindings::current().sleep(Duration::from_millis(10)).await;
                ticks.fetch_add(1, Ordering::Relaxed);
                Some((Ok(Bytes::from_static(b"tick\n")), made + 1))
            }
        });
        let answer = Response::new(200, HeaderMap::new(), Body::stream(pieces));
        Box::pin(async move { Ok(answer.into()) })
    }

    fn class(&self, _: &str) -> Option<Rc<dyn ObjectClass>> {
        None
    }
}

fn serve() -> (Served, Arc<AtomicU32>) {
    let ticks = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&ticks);
    let world = move || -> Builder { World::builder().script(Rc::new(Ticker(counted))) };
    (Served::start(world), ticks)
}

fn ask(server: &Served, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).expect("the server listens");
    stream
        .set_read_timeout(Some(PATIENCE))
        .expect("a positive time");
    let head = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    stream
        .write_all(head.as_bytes())
        .expect("the connection is open");
    stream
}

#[test]
fn a_client_reads_what_is_still_being_made() {
    let (server, ticks) = serve();
    let mut stream = ask(&server, "/ticks");
    let mut read = Vec::new();
    while read.windows(4).filter(|word| word == b"tick").count() < 3 {
        let mut piece = [0; 1024];
        let length = stream.read(&mut piece).expect("the answer goes on");
        read.extend_from_slice(&piece[..length]);
    }
    let text = String::from_utf8_lossy(&read);
    assert!(text.contains("transfer-encoding: chunked"), "{text}");
    drop(stream);
    // The Worker's stream ends with the client's connection.
    let mut last = ticks.load(Ordering::Relaxed);
    eventually("the ticking ends", || {
        std::thread::sleep(Duration::from_millis(200));
        let now = ticks.load(Ordering::Relaxed);
        let ended = now == last;
        last = now;
        ended.then_some(())
    });
    server.stop(|_| ());
}

#[test]
fn a_stream_that_fails_ends_its_connection_early() {
    let (server, _) = serve();
    let mut answer = String::new();
    let mut stream = ask(&server, "/fails");
    // What curl reports as a transfer that was closed with outstanding data.
    let _ = stream.read_to_string(&mut answer);
    assert!(answer.ends_with("tick\n\r\n"), "{answer:?}");
    server.stop(|_| ());
}

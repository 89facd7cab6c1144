//! Peers whose messages have no end: no more of them is taken than a bound says, and their connection ends.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;

use edgeproof_sim::exception::Exception;
use edgeproof_sim::http::{Body, Request, Response};
use edgeproof_sim::limits::workers::{ISOLATE_MEMORY_BYTES, MEMORY_BEFORE_EOF};
use edgeproof_sim::serve::gateway::RealGateway;
use edgeproof_sim::serve::workerd::{front, handler};
use edgeproof_sim::topology::Pop;
use edgeproof_sim::world::Gateway as _;
use futures_util::StreamExt as _;
use http::Method;

use crate::echo::echo;
use support::client::PATIENCE;
use support::server::Served;

/// What sockets on loopback hold between two programs, at most, and a little more.
const IN_SOCKETS: u64 = 32 << 20;

/// Where a peer stops that nothing stopped before.
const NOBODY_STOPPED_IT: u64 = 1 << 30;

/// Writes until the other side ends the connection; gives how many bytes that were.
fn write_without_end(stream: &mut TcpStream, piece: &[u8]) -> u64 {
    let mut written = 0;
    while written < NOBODY_STOPPED_IT && stream.write_all(piece).is_ok() {
        written += piece.len() as u64;
    }
    written
}

/// A server that answers one request with a body without an end.
struct Endless {
    address: SocketAddr,
    /// Gives how much of the body was taken.
    thread: JoinHandle<u64>,
}

impl Endless {
    #[expect(
        clippy::disallowed_methods,
        reason = "the server of another machine, and no part of a world"
    )]
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("it is asked");
            stream
                .set_write_timeout(Some(PATIENCE))
                .expect("a positive time");
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).expect("a request");
                head.push(byte[0]);
            }
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
                .expect("the connection is open");
            write_without_end(&mut stream, &[b'a'; 1 << 16])
        });
        Self { address, thread }
    }

    fn taken(self) -> u64 {
        self.thread.join().expect("the server did not panic")
    }
}

/// Lets a gateway fetch an answer without an end, and gives how much of it was taken when `read` was done.
fn fetch_without_end<R: Future<Output = ()>>(read: impl FnOnce(Response<Body>) -> R) -> u64 {
    let endless = Endless::start();
    let url = format!("http://{}/", endless.address);
    let request = Request::new(Method::GET, url.parse().expect("a URL"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let answer = RealGateway::new([]).fetch(request).await;
        read(answer.expect("its head has come")).await;
        let taken = tokio::task::spawn_blocking(|| endless.taken());
        taken.await.expect("the server is joined")
    })
}

#[test]
fn an_origins_answer_is_taken_only_as_it_is_read() {
    let taken = fetch_without_end(async |mut answer| {
        let piece = answer.body.next().await.expect("its beginning");
        assert!(piece.expect("a connection").starts_with(b"aaa"));
    });
    assert!(taken < IN_SOCKETS, "{taken} bytes were taken");
}

#[test]
fn an_origins_answer_without_an_end_does_not_fit_in_memory() {
    let taken = fetch_without_end(async |answer| {
        let exception = Exception::type_error(MEMORY_BEFORE_EOF);
        assert_eq!(answer.body.bytes().await, Err(exception));
    });
    let most = ISOLATE_MEMORY_BYTES..ISOLATE_MEMORY_BYTES + IN_SOCKETS;
    assert!(most.contains(&taken), "{taken} bytes were taken");
}

#[test]
fn workerds_answer_is_passed_on_as_it_comes_and_no_faster() {
    let workerd = Endless::start();
    let address = workerd.address;
    let front = Served::start_with(echo, move |world| {
        front::handler(world, Pop::from_code("IAD").expect("a PoP"), address)
    });
    let mut client = TcpStream::connect(front.address).expect("the front listens");
    client
        .set_read_timeout(Some(PATIENCE))
        .expect("a positive time");
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .expect("the connection is open");
    let mut beginning = vec![0; 4 << 20];
    client
        .read_exact(&mut beginning)
        .expect("the beginning of an answer that has no end");
    assert!(beginning.starts_with(b"HTTP/1.1 200 OK\r\n"));
    drop(client);
    let taken = workerd.taken();
    assert!(
        taken < beginning.len() as u64 + 2 * IN_SOCKETS,
        "{taken} bytes were taken"
    );
}

/// Sends a request whose body has no end; gives how much of it was taken.
fn request_without_end(server: &Served, method: &str, path: &str, headers: &str) -> u64 {
    let mut stream = TcpStream::connect(server.address).expect("the server listens");
    stream
        .set_write_timeout(Some(PATIENCE))
        .expect("a positive time");
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n{headers}\r\n"
    );
    stream
        .write_all(head.as_bytes())
        .expect("the connection is open");
    let chunk = [b"10000\r\n".as_slice(), &[b'a'; 1 << 16], b"\r\n"].concat();
    write_without_end(&mut stream, &chunk)
}

#[test]
fn a_request_without_an_end_is_not_read_for_ever() {
    let most = ISOLATE_MEMORY_BYTES + IN_SOCKETS;
    let served = Served::start(echo);
    let taken = request_without_end(&served, "POST", "/", "");
    assert!(taken < most, "sim serve: {taken} bytes were taken");

    let nowhere = "127.0.0.1:9".parse().expect("an address");
    let front = Served::start_with(echo, move |world| {
        front::handler(world, Pop::from_code("IAD").expect("a PoP"), nowhere)
    });
    let taken = request_without_end(&front, "POST", "/", "");
    assert!(taken < most, "sim workerd: {taken} bytes were taken");
}

#[test]
fn a_bindings_request_without_an_end_is_not_read_for_ever() {
    let bindings = Served::start_with(crate::workerd::builder, handler);
    for (method, path, header) in [
        ("PUT", "/k?urlencoded=true", "x-sim-namespace: KV"),
        ("POST", "/query", "x-sim-database: DB"),
        ("POST", "/limit", "x-sim-ratelimit: 1"),
        ("POST", "http://127.0.0.1:9/", "x-sim-outbound: 1"),
    ] {
        let headers = format!("x-sim-pop: MEX\r\n{header}\r\n");
        let taken = request_without_end(&bindings, method, path, &headers);
        assert!(
            taken < ISOLATE_MEMORY_BYTES + IN_SOCKETS,
            "{header}: {taken} bytes were taken"
        );
    }
}

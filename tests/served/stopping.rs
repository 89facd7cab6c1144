//! How a server ends: at once when nothing is under way, and not before what is under way is done.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use support::client::{Connection, TEA};
use support::production::{production, token};
use support::server::Served;

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "how long a real server takes is the claim"
)]
fn idle_connections_do_not_hold_up_the_end() {
    let served = Served::start(|| production(&["IAD"]));
    let mut used = Connection::open(served.address);
    assert_eq!(used.ask("GET", "/api/health", &[], "").status, 200);
    let mut fresh = Connection::open(served.address);
    let begin = Instant::now();
    served.stop(|_| ());
    assert!(
        begin.elapsed() < Duration::from_secs(2),
        "{:?}",
        begin.elapsed()
    );
    assert!(used.ends() && fresh.ends());
}

#[test]
fn a_request_under_way_is_answered_and_a_new_one_is_not_taken() {
    let served = Served::start(|| production(&["IAD"]));
    let address = served.address;
    let length = TEA.len().to_string();
    let head = [
        ("Authorization", &*format!("Bearer {}", token("user-1"))),
        ("Content-Type", "application/json"),
        ("Content-Length", &length),
        ("Expect", "100-continue"),
    ];
    let mut connection = Connection::open(address);
    assert_eq!(
        connection
            .ask("POST", "/api/transactions", &head, "")
            .status,
        100
    );
    // The server has the request and waits for its body.
    let rows = std::thread::scope(|scope| {
        let stopping = scope.spawn(|| {
            served.stop(|world| {
                format!(
                    "{:?}",
                    world.query("DB", "SELECT count(*) FROM transactions")
                )
            })
        });
        support::client::eventually("the port is free", || {
            TcpStream::connect(address).is_err().then_some(())
        });
        connection.send(TEA);
        let answer = connection.answer();
        assert_eq!(
            (answer.status, answer.header("connection")),
            (201, "close"),
            "{answer:?}"
        );
        stopping.join().expect("the server ends")
    });
    assert!(rows.contains("Integer(1)"), "{rows}");
}

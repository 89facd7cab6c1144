//! Where outbound fetches of a served Worker may go: to this machine, and to hosts that were allowed by name.

use std::io::Read as _;
use std::net::TcpListener;
use std::rc::Rc;

use edgeproof_sim::http::Request;
use edgeproof_sim::serve::gateway::{RealGateway, is_loopback};
use edgeproof_sim::world::Gateway as _;
use http::Method;
use wiremock::ResponseTemplate;
use worker::Url;

use support::client::{PATIENCE, ask, eventually};
use support::production::{production, token_of};
use support::receiver::Receiver;
use support::server::Served;

fn url(text: &str) -> Url {
    Url::parse(text).unwrap_or_else(|problem| panic!("{text}: {problem}"))
}

/// Has the Worker send its test alert to this host, at the receiver's port.
fn test_alert(
    host: &str,
    receiver: &Receiver,
    allowed: &'static [&'static str],
) -> (Served, String) {
    let webhook = format!("http://{host}:{}/in", receiver.port());
    let served = Served::start(move || {
        production(&["IAD"])
            .secret("ERROR_ALERT_WEBHOOK", &webhook)
            // Tests ask often whether something is in a log yet.
            .var("RATE_LIMIT_REQUESTS_PER_MINUTE", "10000")
            .gateway(Rc::new(RealGateway::new(
                allowed.iter().map(|name| (*name).to_owned()),
            )))
    });
    let bearer = format!("Bearer {}", token_of("root", "admin"));
    let answer = ask(
        served.address,
        "POST",
        "/api/admin/alerts/test",
        &[("Authorization", &bearer)],
        "{}",
    );
    assert_eq!(answer.status, 202, "{answer:?}");
    (served, bearer)
}

#[test]
fn loopback_is_localhost_and_the_loopback_addresses_and_nothing_else() {
    for loopback in [
        "http://localhost/",
        "http://LOCALHOST:8080/x",
        "https://localhost/",
        "http://127.0.0.1/",
        "http://127.0.0.2:9/",
        "http://127.255.255.255/",
        "http://127.1/",
        "http://2130706433/",
        "http://[::1]:8080/",
        "http://user:password@localhost/",
    ] {
        assert!(is_loopback(&url(loopback)), "{loopback}");
    }
    for other in [
        "http://example.com/",
        "http://localhost.example.com/",
        "http://notlocalhost/",
        "http://127.0.0.1.example.com/",
        "http://localhost@example.com/",
        "http://example.com/#localhost",
        "http://example.com/?localhost",
        "http://0.0.0.0/",
        "http://128.0.0.1/",
        "http://126.255.255.255/",
        "http://10.0.0.1/",
        "http://169.254.169.254/",
        "http://[::]/",
        "http://[::2]/",
        "http://[fe80::1]/",
        "data:text/plain,localhost",
    ] {
        assert!(!is_loopback(&url(other)), "{other}");
    }
}

#[test]
fn an_allowed_host_is_that_host_in_any_spelling_and_no_other() {
    let gateway =
        RealGateway::new(["Hooks.Example", "2001:db8::1", "[2001:db8::2]"].map(str::to_owned));
    let accepts = |text| gateway.accepts(&Request::new(Method::POST, url(text)));
    for allowed in [
        "http://hooks.example/",
        "https://HOOKS.example:8443/x",
        "http://[2001:db8::1]/",
        "http://[2001:db8:0::2]/",
        "http://localhost/",
    ] {
        assert!(accepts(allowed), "{allowed}");
    }
    for refused in [
        "http://example/",
        "http://a.hooks.example/",
        "http://hooks.example.com/",
        "http://hooks.example@other.example/",
        "http://[2001:db8::3]/",
    ] {
        assert!(!accepts(refused), "{refused}");
    }
}

#[test]
fn a_fetch_that_is_dropped_leaves_no_connection_open() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let request = Request::new(
        Method::POST,
        url(&format!(
            "http://{}/in",
            listener.local_addr().expect("bound")
        )),
    );
    let (arrived, arrival) = tokio::sync::oneshot::channel();
    let (closed, closing) = tokio::sync::oneshot::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let (mut stream, _) = listener.accept().expect("the gateway connects");
            stream
                .set_read_timeout(Some(PATIENCE))
                .expect("a positive time");
            let mut bytes = vec![0; 1_000];
            let read = stream.read(&mut bytes).expect("a request");
            assert!(bytes[..read].starts_with(b"POST /in HTTP/1.1\r\n"));
            arrived.send(()).expect("the test waits");
            closed
                .send(stream.read_to_end(&mut bytes).is_ok())
                .expect("the test waits");
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        tokio::task::LocalSet::new().block_on(&runtime, async {
            let fetch = RealGateway::new([]).fetch(request);
            arrival.await.expect("a request arrives");
            drop(fetch);
            assert!(
                closing.await.expect("the receiver tells"),
                "closed, and not left open"
            );
        });
    });
}

// 0.0.0.0 is no loopback address, and still what listens on 127.0.0.1 can be reached by it: a host that is refused by its
// name alone, where a connection would succeed.
#[cfg(target_os = "linux")]
#[test]
fn a_host_that_was_not_allowed_is_never_contacted_and_does_not_resolve() {
    let receiver = Receiver::answering(ResponseTemplate::new(200));
    let (served, bearer) = test_alert("0.0.0.0", &receiver, &["127.0.0.1", "hooks.example"]);
    let rows = eventually("the alert is given up", || {
        let rows = ask(
            served.address,
            "GET",
            "/api/admin/error-logs",
            &[("Authorization", &bearer)],
            "",
        )
        .json();
        rows["data"]
            .as_array()
            .is_some_and(|rows| !rows.is_empty())
            .then_some(rows)
    });
    assert_eq!(
        rows["data"][0]["message"], "webhook delivery failed",
        "{rows}"
    );
    assert_eq!(
        rows["data"][0]["metadata"]["lastStatus"], 530,
        "as a name that does not resolve: {rows}"
    );
    assert!(receiver.received().is_empty());
}

#[cfg(target_os = "linux")]
#[test]
fn a_host_that_was_allowed_is_contacted() {
    let receiver = Receiver::answering(ResponseTemplate::new(200));
    let (_served, _) = test_alert("0.0.0.0", &receiver, &["0.0.0.0"]);
    let message = eventually("the alert arrives", || receiver.received().pop());
    assert_eq!(
        message.headers["host"],
        format!("0.0.0.0:{}", receiver.port())
    );
}

#[test]
fn localhost_is_contacted_without_being_allowed() {
    let receiver = Receiver::answering(ResponseTemplate::new(200));
    let (_served, _) = test_alert("localhost", &receiver, &[]);
    let message = eventually("the alert arrives", || receiver.received().pop());
    assert_eq!(
        message.headers["host"],
        format!("localhost:{}", receiver.port())
    );
    let alert: serde_json::Value = message.body_json().expect("JSON");
    assert_eq!(alert["environment"], "development", "{alert}");
}

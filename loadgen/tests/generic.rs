//! The generic contract at a server about which nothing is known, through the crate's own program.

#![expect(
    clippy::disallowed_methods,
    reason = "servers and their clients run under the wall clock, on threads of their own"
)]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{Method, Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;

/// How the server answers beyond its quota, and within it.
#[derive(Clone, Copy)]
struct Manners {
    quota: u64,
    admitted: u16,
    denied: u16,
    denial: &'static str,
}

/// Any API with a limit, and no word about it in its answers.
const PLAIN: Manners = Manners {
    quota: 50,
    admitted: 200,
    denied: 429,
    denial: "slow down",
};

/// Serves until the process ends, and counts the requests.
fn serve(manners: Manners) -> (SocketAddr, Arc<AtomicU64>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    listener.set_nonblocking(true).expect("for tokio");
    let arrived = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&arrived);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            while let Ok((stream, _)) = listener.accept().await {
                let counter = Arc::clone(&counter);
                tokio::spawn(async move {
                    let service = service_fn(|request| {
                        let number = counter.fetch_add(1, Ordering::SeqCst) + 1;
                        async move { Ok::<_, Infallible>(answer(manners, number, &request)) }
                    });
                    let http = hyper::server::conn::http1::Builder::new();
                    drop(http.serve_connection(TokioIo::new(stream), service).await);
                });
            }
        });
    });
    (address, arrived)
}

fn answer(manners: Manners, number: u64, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    assert_eq!(
        (request.method(), request.uri().path()),
        (&Method::GET, "/")
    );
    let (status, body) = match number <= manners.quota {
        true => (manners.admitted, ""),
        false => (manners.denied, manners.denial),
    };
    let response = Response::builder().status(status);
    response.body(body.into()).expect("valid")
}

/// Exit code, standard output and standard error of `edgeproof-loadgen burst ARGUMENTS`.
fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_edgeproof-loadgen"))
        .arg("burst")
        .args(arguments)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

fn burst(manners: Manners, arguments: &[&str]) -> (Option<i32>, Value, u64) {
    let (address, arrived) = serve(manners);
    let url = format!("http://{address}");
    let (code, out, err) = run(&[&["--json", "-", &url], arguments].concat());
    let report = serde_json::from_str(&out).unwrap_or_else(|problem| panic!("{problem}: {err}"));
    (code, report, arrived.load(Ordering::SeqCst))
}

#[test]
fn stated_counts_are_held_against_any_server() {
    let (code, report, arrived) = burst(PLAIN, &["--expect", "admitted=50,denied=100"]);
    assert_eq!((code, arrived), (Some(0), 150), "{report:#}");
    assert_eq!(report["verdict"], "pass");
    assert_eq!(
        report["requests"]["by_status"],
        serde_json::json!({ "200": 50, "429": 100 })
    );
    let one_more = Manners { quota: 51, ..PLAIN };
    let (code, report, _) = burst(one_more, &["--expect", "admitted=50,denied=100"]);
    assert_eq!((code, &report["verdict"]), (Some(1), &"fail".into()));
    let schema: Value = serde_json::from_str(edgeproof_loadgen::report::SCHEMA).expect("JSON");
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    assert!(schema.is_valid(&report), "{report:#}");
}

#[test]
fn without_stated_counts_there_is_no_verdict() {
    let (code, report, _) = burst(PLAIN, &[]);
    assert_eq!((code, &report["expected"]), (Some(3), &Value::Null));
    assert!(
        report["reasons"].to_string().contains("--expect"),
        "{report:#}"
    );
}

#[test]
fn another_status_than_2xx_and_429_is_wrong() {
    for (admitted, denied) in [(404, 429), (200, 503), (302, 429)] {
        let manners = Manners {
            admitted,
            denied,
            ..PLAIN
        };
        let (code, report, _) = burst(manners, &["-n", "60", "--expect", "denied=0"]);
        let checks = report["checks"].as_array().expect("a list");
        let status = checks.iter().find(|check| check["name"] == "status");
        assert_eq!(status.expect("listed")["verdict"], "fail", "{report:#}");
        assert_eq!(code, Some(1), "{report:#}");
    }
}

#[test]
fn the_platforms_own_429_is_no_denial_of_the_server() {
    let manners = Manners {
        denial: "error code: 1027",
        ..PLAIN
    };
    let (code, report, arrived) = burst(manners, &["--expect", "admitted=50"]);
    assert_eq!((code, arrived), (Some(3), 51), "{report:#}");
    assert!(report["reasons"].to_string().contains("1027"), "{report:#}");
}

#[test]
fn what_needs_a_worker_or_its_login_is_refused() {
    let local = "http://127.0.0.1:9";
    for (arguments, part) in [
        (vec![], "no Worker of its own"),
        (vec!["--var", "A=b"], "no Worker of its own"),
        (vec![local, "--var", "A=b"], "--var"),
        (vec![local, "--login", "a:planted"], "--token-env NAME"),
    ] {
        let (code, _, message) = run(&arguments);
        let flat: Vec<&str> = message
            .split_whitespace()
            .filter(|word| *word != "│")
            .collect();
        assert_eq!(code, Some(2), "{arguments:?}: {message}");
        assert!(flat.join(" ").contains(part), "{arguments:?}: {message}");
        assert!(!message.contains("planted"), "{message}");
    }
}

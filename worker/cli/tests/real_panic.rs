//! A panic on the real runtime: it costs one answer of 500, and the Worker goes on answering.
//!
//! The production Worker has no known way to panic. So it is given a context whose `waitUntil` throws, which the library that it
//! is written with takes for impossible.

#[path = "support/workerd.rs"]
mod workerd;

use edgeproof_worker::core::identity::Identity;
use edgeproof_worker::core::jwt;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};
use support::client::{Connection, TEA, ask};
use tempfile::TempDir;
use workerd::Workerd;

const WORKER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const SECRET: &str = "a secret for panics, of 32 bytes or more";

/// The bundle, behind a main module that makes it panic.
fn out_of_order() -> TempDir {
    let build = Command::new(env!("CARGO_BIN_EXE_sim"))
        .args(["build", "--yes"])
        .output()
        .expect("it starts");
    assert!(build.status.success(), "{build:?}");
    let folder = TempDir::new().expect("a folder");
    let copy = |from: &Path, to: &str| {
        fs::copy(from, folder.path().join(to)).expect("copied");
    };
    let bundle = Path::new(WORKER).join("build");
    copy(&bundle.join("index.js"), "production.js");
    for name in ["glue.js", "index_bg.wasm"] {
        copy(&bundle.join(name), name);
    }
    let panic = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/workers/panic/index.js");
    copy(Path::new(panic), "index.js");
    folder
}

fn start(folder: &TempDir) -> Workerd {
    Workerd::start(&[
        "--script",
        folder.path().to_str().expect("a name"),
        "--config",
        &format!("{WORKER}/wrangler.toml"),
        "--secret",
        &format!("AUTH_JWT_SECRET={SECRET}"),
    ])
}

#[expect(clippy::disallowed_methods, reason = "a real runtime has a real clock")]
fn bearer(user: &str) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    let token = jwt::mint(SECRET, user, "user", now.as_secs(), 3600);
    format!("Bearer {token}")
}

/// Posts, and gives what is left of the quota.
fn post(server: &Workerd, bearer: &str) -> u64 {
    let mut connection = Connection::open(server.address("IAD"));
    let answer = connection.ask(
        "POST",
        "/api/transactions",
        &[("authorization", bearer)],
        TEA,
    );
    assert_eq!(answer.status, 201, "{}", answer.text());
    let field = answer.header("ratelimit");
    let left = field
        .split_once(";r=")
        .and_then(|(_, rest)| rest.split_once(';'));
    let left = left.unwrap_or_else(|| panic!("no quota: {field:?}")).0;
    left.parse().expect("a number")
}

#[test]
fn a_panic_is_a_500_and_the_next_request_is_served() {
    let folder = out_of_order();
    let server = start(&folder);
    let bearer = bearer("panicking");
    assert_eq!(post(&server, &bearer), 49);
    for left in [48, 47] {
        let answer = ask(
            server.address("IAD"),
            "GET",
            "/api/dashboard",
            &[("authorization", &bearer), ("x-panic", "worker")],
            "",
        );
        assert_eq!(answer.status, 500, "{}", answer.text());
        // The objects live in another isolate here, and have lost nothing.
        assert_eq!(post(&server, &bearer), left);
    }
    let printed = server.printed();
    assert!(printed.contains("Rust panic"), "{printed}");
}

#[test]
fn an_object_outlives_a_panic_in_its_isolate_and_counts_on() {
    let folder = out_of_order();
    let server = start(&folder);
    let bearer = bearer("counting");
    let name = Identity::User("counting".to_owned()).object_name();
    let other = self::bearer("another");
    assert_eq!([post(&server, &bearer), post(&server, &other)], [49, 49]);
    for left in [48, 47] {
        let answer = ask(
            server.address("IAD"),
            "GET",
            "/api/dashboard",
            &[
                ("authorization", &bearer),
                ("x-panic", "object"),
                ("x-object", &name),
            ],
            "",
        );
        assert_eq!(answer.status, 500, "{}", answer.text());
        // Twice, and of two objects: the first call after a panic makes the wasm anew, the others find it so.
        let left = left * 2 - 48;
        assert_eq!(post(&server, &bearer), left);
        assert_eq!(post(&server, &other), left);
        assert_eq!(post(&server, &other), left - 1);
        assert_eq!(post(&server, &bearer), left - 1);
    }
    let printed = server.printed();
    assert!(printed.contains("Rust panic"), "{printed}");
}

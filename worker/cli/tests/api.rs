//! `sim api` as a process: its token, its state folder, and what of it the other commands see.

#![cfg(unix)]

#[path = "support/server.rs"]
mod server;

use serde_json::{Value, json};
use server::{Server, refused};
use std::net::{SocketAddr, TcpListener};
use support::client::{Answer, Connection, DEMO, TEA, ask, eventually, request};
use tempfile::TempDir;

const TOKEN: &str = "planted-token-of-the-api";
const NAMESPACES: &str = "/client/v4/accounts/local/storage/kv/namespaces";
const DATABASES: &str = "/client/v4/accounts/local/d1/database";

fn call(address: SocketAddr, token: &str, method: &str, path: &str, body: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    let mut connection = Connection::open(address);
    connection.send(request(method, path, &[("Authorization", &bearer)], body));
    connection.answer()
}

/// The result of a call with [`TOKEN`].
fn result(address: SocketAddr, method: &str, path: &str, body: &str) -> Value {
    let answer = call(address, TOKEN, method, path, body);
    let envelope = answer.json();
    assert_eq!(envelope["success"], true, "{method} {path}: {envelope}");
    envelope["result"].clone()
}

fn folder() -> (TempDir, String) {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().to_str().expect("text").to_owned();
    (folder, path)
}

/// Path of the namespace with this title.
fn namespace(address: SocketAddr, title: &str) -> String {
    let list = result(address, "GET", NAMESPACES, "");
    let items = list.as_array().expect("a list");
    let found = items.iter().find(|item| item["title"] == title);
    let found = found.unwrap_or_else(|| panic!("no {title}: {list}"));
    format!("{NAMESPACES}/{}", found["id"].as_str().expect("text"))
}

fn query(address: SocketAddr, database: &str, sql: &str) -> Value {
    let found = result(address, "GET", &format!("{DATABASES}/{database}"), "");
    let path = format!(
        "{DATABASES}/{}/query",
        found["uuid"].as_str().expect("text")
    );
    result(address, "POST", &path, &json!({ "sql": sql }).to_string())[0]["results"].clone()
}

#[test]
fn a_token_is_made_and_printed_once_unless_one_is_given() {
    let made = |server: &Server| server.exported("CLOUDFLARE_API_TOKEN");
    let server = Server::start(&["api"], &[]);
    let token = made(&server).expect("one is made");
    assert!(token.len() >= 32, "{token}");
    let base = server.exported("CLOUDFLARE_API_BASE_URL");
    assert_eq!(base, Some(format!("http://{}/client/v4", server.address)));
    assert_eq!(
        call(server.address, &token, "GET", NAMESPACES, "").status,
        200
    );
    assert_eq!(
        call(server.address, TOKEN, "GET", NAMESPACES, "").status,
        403
    );
    let other = Server::start(&["api"], &[]);
    assert_ne!(made(&other), Some(token.clone()));
    let (code, printed) = server.stop();
    assert_eq!(code, Some(0), "{printed}");
    assert_eq!(printed.matches(&token).count(), 1, "{printed}");

    for (arguments, variables) in [
        (&["api", "--token", TOKEN][..], &[][..]),
        (&["api"], &[("EDGEPROOF_API_TOKEN", TOKEN)]),
        (
            &["api", "--token", TOKEN],
            &[("EDGEPROOF_API_TOKEN", "another")],
        ),
        (&["serve", "--api", "0", "--token", TOKEN], &[]),
    ] {
        let server = Server::start(arguments, variables);
        let base = server
            .exported("CLOUDFLARE_API_BASE_URL")
            .expect("it is told");
        let address = base
            .strip_prefix("http://")
            .and_then(|base| base.strip_suffix("/client/v4"));
        let address = address
            .and_then(|address| address.parse().ok())
            .expect("an address");
        assert_eq!(
            call(address, TOKEN, "GET", NAMESPACES, "").status,
            200,
            "{arguments:?}"
        );
        let (code, printed) = server.stop();
        assert_eq!(code, Some(0), "{printed}");
        assert!(
            !printed.contains(TOKEN) && !printed.contains("API_TOKEN="),
            "{printed}"
        );
    }
}

#[test]
fn a_folder_belongs_to_one_process_at_a_time() {
    let (_folder, path) = folder();
    let server = Server::start(&["api", "--state", &path], &[]);
    for arguments in [
        &["api", "--port", "0", "--state", &path][..],
        &["serve", "--port", "0", "--state", &path],
        &["serve", "--port", "0", "--persist", &path],
    ] {
        let (code, message) = refused(arguments, &[]);
        assert_eq!(code, Some(1), "{message}");
        // miette breaks long words too.
        let message: String = message.split_whitespace().collect();
        assert!(
            message.contains(&path) && message.contains("inusebyanotherprocess"),
            "{message}"
        );
    }
    server.kill();
    // The lock is the operating system's: it ends with the process, however that ends.
    let server = Server::start(&["serve", "--state", &path], &[]);
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn a_killed_server_has_lost_at_most_the_last_moments() {
    let (_folder, path) = folder();
    let arguments = ["api", "--state", &path, "--token", TOKEN];
    let server = Server::start(&arguments, &[]);
    let address = server.address;
    let value = format!(
        "{}/values/key",
        namespace(address, "edgeproof-worker-cache-kv")
    );
    result(address, "POST", DATABASES, "{\"name\":\"logs\"}");
    query(
        address,
        "logs",
        "CREATE TABLE logs (x); INSERT INTO logs VALUES (1)",
    );
    // After the database, which is written down at once and everything else with it.
    result(address, "PUT", &value, "{\"v\":1}");
    let file = format!("{path}/state.json");
    eventually("KV is saved while the server runs", || {
        std::fs::read_to_string(&file)
            .is_ok_and(|text| text.contains("\"key\":\"key\""))
            .then_some(())
    });
    query(address, "logs", "INSERT INTO logs VALUES (2)");
    server.kill();
    let server = Server::start(&arguments, &[]);
    assert_eq!(
        call(server.address, TOKEN, "GET", &value, "").text(),
        "{\"v\":1}"
    );
    assert_eq!(
        query(server.address, "logs", "SELECT x FROM logs"),
        json!([{ "x": 1 }, { "x": 2 }])
    );
}

#[test]
fn what_a_served_worker_stored_the_api_sees_and_leaves_as_it_is() {
    let (_folder, path) = folder();
    let secret = "AUTH_JWT_SECRET=a-secret-of-32-bytes-or-more-for-tests";
    let serve = [
        "serve",
        "--state",
        &path,
        "--secret",
        secret,
        "--var",
        "RATE_LIMIT_WRITE_REQUESTS=1",
    ];
    let server = Server::start(&serve, &[]);
    let login = ask(server.address, "POST", "/api/auth/login", &[], DEMO);
    let bearer = format!(
        "Bearer {}",
        login.json()["token"].as_str().expect("a token")
    );
    let headers = [("Authorization", &*bearer)];
    let post = |address| ask(address, "POST", "/api/transactions", &headers, TEA).status;
    assert_eq!((post(server.address), post(server.address)), (201, 429));
    let dashboard = |address| ask(address, "GET", "/api/dashboard", &headers, "");
    let first = dashboard(server.address);
    eventually("KV has it", || {
        (dashboard(server.address).header("x-cache") == "HIT").then_some(())
    });
    assert_eq!(server.stop().0, Some(0));

    let api = Server::start(&["api", "--state", &path, "--token", TOKEN], &[]);
    let cache = namespace(api.address, "edgeproof-worker-cache-kv");
    let keys = result(api.address, "GET", &format!("{cache}/keys"), "");
    assert_eq!(keys.as_array().map(Vec::len), Some(1), "{keys}");
    let rows = query(
        api.address,
        "edgeproof",
        "SELECT description FROM transactions",
    );
    assert_eq!(rows, json!([{ "description": "tea" }]));
    query(
        api.address,
        "edgeproof",
        "UPDATE transactions SET description = 'coffee'",
    );
    // Something to save, so that the folder is written anew by a command that has no objects.
    result(api.address, "PUT", &format!("{cache}/values/by-hand"), "1");
    assert_eq!(api.stop().0, Some(0));

    let server = Server::start(&serve, &[]);
    assert_eq!(post(server.address), 429, "the limiter's object remembers");
    let list = ask(server.address, "GET", "/api/transactions", &headers, "").json();
    assert_eq!(list["data"][0]["description"], "coffee", "{list}");
    assert_eq!(dashboard(server.address).body, first.body, "KV");
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn what_cannot_run_says_why() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("bound").port().to_string();
    let file = tempfile::NamedTempFile::new().expect("a file");
    let file = file.path().to_str().expect("text");
    for (arguments, variables, code, part) in [
        (
            &["api", "--port", &port][..],
            &[][..],
            1,
            "cannot listen on 127.0.0.1",
        ),
        (
            &["serve", "--port", "0", "--api", &port],
            &[],
            1,
            "cannot listen on 127.0.0.1",
        ),
        (
            &["api", "--port", "0", "--state", file],
            &[],
            1,
            "cannot be made",
        ),
        (&["api", "--env", "staging"], &[], 1, "staging"),
        (
            &["api", "--config", "/absent/wrangler.toml"],
            &[],
            1,
            "/absent/wrangler.toml",
        ),
        (
            &["api", "--token", "planted secret"],
            &[],
            1,
            "printable ASCII",
        ),
        (&["api", "--token", ""], &[], 1, "printable ASCII"),
        (
            &["api"],
            &[("EDGEPROOF_API_TOKEN", "planted\u{e9}")],
            1,
            "printable ASCII",
        ),
        (&["api", "--port", "planted"], &[], 2, "--port"),
        (&["api", "--pop", "XXX"], &[], 2, "--pop"),
        (&["api", "--no-such"], &[], 2, "--no-such"),
    ] {
        let (status, message) = refused(arguments, variables);
        assert_eq!(status, Some(code), "{arguments:?}: {message}");
        assert!(message.contains(part), "{arguments:?}: {message}");
        assert!(
            !message.contains("planted secret") && !message.contains('\u{e9}'),
            "{message}"
        );
    }
}

use std::collections::BTreeSet;
use std::net::SocketAddr;

use edgeproof_sim::serve::api::call::{self, Call, KvCall};
use http::{HeaderMap, HeaderValue, Method};
use proptest::prelude::*;
use serde_json::json;

use super::api::{Api, DATABASES, Envelope as _, NAMESPACES, TOKEN};
use support::client::{Connection, request};

#[test]
fn what_is_no_route_says_so_and_what_is_another_method_too() {
    let api = Api::start();
    for path in [
        "/",
        "/client/v4",
        "/client/v4/",
        "/client/v4/accounts",
        "/client/v4/accounts//",
        "/client/v4/accounts/a",
        "/client/v4/accounts/a/storage/kv",
        "/client/v4accounts/a/d1/database",
        "/client/v4/zones",
        &format!("{NAMESPACES}/"),
        &format!("{NAMESPACES}/x/values"),
        &format!("{NAMESPACES}/x/values/a/b"),
        &format!("{NAMESPACES}/x/keys/y"),
        &format!("{DATABASES}/"),
        &format!("{DATABASES}/x/backup"),
        "/client/v4/accounts/a/r2/buckets",
    ] {
        let (status, code, text) = api.get(path).error();
        assert_eq!((status, code), (404, 7003), "{path}");
        assert_eq!(
            text,
            format!("Could not route to {path}, perhaps your object identifier is invalid?")
        );
    }
    let cache = api.cache_path();
    let db = api.db_path();
    for (method, path) in [
        ("DELETE", NAMESPACES),
        ("PATCH", &*cache),
        ("POST", &*format!("{cache}/keys")),
        ("POST", &*format!("{cache}/values/k")),
        ("PUT", &*format!("{cache}/metadata/k")),
        ("GET", &*format!("{cache}/bulk")),
        ("GET", &*format!("{cache}/bulk/get")),
        ("PUT", DATABASES),
        ("PUT", &*db),
        ("GET", &*format!("{db}/query")),
        ("POST", &*format!("{db}/time_travel/bookmark")),
    ] {
        let (status, code, _) = api.send(method, path, &[], b"{}").error();
        assert_eq!((status, code), (405, 10_405), "{method} {path}");
    }
}

#[test]
fn bodies_that_are_no_json_are_refused_everywhere() {
    let api = Api::start();
    let cache = api.cache_path();
    let db = api.db_path();
    let deep = "[".repeat(100_000);
    let huge_number = format!("{{\"title\":{}}}", "9".repeat(10_000));
    for (method, path) in [
        ("POST", NAMESPACES),
        ("PUT", &*cache),
        ("PUT", &*format!("{cache}/bulk")),
        ("DELETE", &*format!("{cache}/bulk")),
        ("POST", &*format!("{cache}/bulk/delete")),
        ("POST", &*format!("{cache}/bulk/get")),
        ("POST", DATABASES),
        ("POST", &*format!("{db}/query")),
        ("POST", &*format!("{db}/raw")),
        ("POST", &*format!("{db}/import")),
        ("POST", &*format!("{db}/export")),
    ] {
        for body in [
            "",
            "{",
            "nul",
            "\u{feff}{}",
            "{\"a\":\"\\ud800\"}",
            "[1,]",
            &deep,
            &huge_number,
            "null",
            "7",
            "\"text\"",
        ] {
            let answer = api.send(method, path, &[], body.as_bytes());
            assert_eq!(answer.error().0, 400, "{method} {path} {:.20}", body);
        }
        let answer = api.send(method, path, &[], b"{\"title\":\"\xff\"}");
        assert_eq!(answer.error().0, 400, "{method} {path}");
    }
    assert_eq!(api.cache_path(), cache, "and all is as it was");
}

#[test]
fn a_request_that_is_too_large_is_refused_before_it_has_come() {
    let api = Api::start();
    let mut connection = Connection::open(api.served.address);
    connection.send(format!(
        "PUT {}/bulk HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 200000000\r\n\r\n",
        api.cache_path()
    ));
    let (status, _, text) = connection.answer().error();
    assert_eq!(status, 413, "{text}");
    // A body that breaks off in the middle changes nothing and disturbs no other request.
    let mut connection = Connection::open(api.served.address);
    let key = format!("{}/values/torn", api.cache_path());
    connection.send(format!(
        "PUT {key} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 100\r\n\r\nhalf"
    ));
    drop(connection);
    assert_eq!(api.get(&key).status, 404);
}

#[test]
fn requests_at_once_are_all_answered() {
    let api = Api::start();
    let (cache, db) = (api.cache_path(), api.db_path());
    api.query(&db, "CREATE TABLE t (x)");
    let bearer = format!("Bearer {TOKEN}");
    let address = api.served.address;
    let ids: BTreeSet<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16)
            .map(|number| {
                let (cache, db, bearer) = (&cache, &db, &bearer);
                scope.spawn(move || one_client(address, number, cache, db, bearer))
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .collect()
    });
    assert_eq!(ids.len(), 16, "every namespace has an id of its own");
    let count =
        api.query(&db, "SELECT count(*) AS n, count(DISTINCT x) AS d FROM t")[0]["results"].clone();
    assert_eq!(count, json!([{ "n": 160, "d": 160 }]));
    let keys = api.get(&format!("{cache}/keys")).result();
    assert_eq!(keys.as_array().map(Vec::len), Some(160));
}

/// Writes ten keys and ten rows over one connection and makes a namespace; gives its id.
fn one_client(address: SocketAddr, number: u32, cache: &str, db: &str, bearer: &str) -> String {
    let headers = [("Authorization", bearer)];
    let mut connection = Connection::open(address);
    let mut ask = |method: &str, path: &str, body: &str| {
        connection.send(request(method, path, &headers, body));
        connection.answer().result()
    };
    for write in 0..10 {
        ask("PUT", &format!("{cache}/values/{number}-{write}"), "value");
        let sql =
            json!({ "sql": "INSERT INTO t VALUES (?)", "params": [format!("{number}-{write}")] });
        ask("POST", &format!("{db}/query"), &sql.to_string());
    }
    let made = ask(
        "POST",
        NAMESPACES,
        &json!({ "title": format!("n{number}") }).to_string(),
    );
    made["id"].as_str().expect("text").to_owned()
}

/// Requests that are nearly right, and others.
fn requests() -> impl Strategy<Value = (Method, String, Option<Vec<u8>>, Vec<u8>)> {
    let method = prop::sample::select(vec!["GET", "PUT", "POST", "DELETE", "HEAD", "X"]);
    let segment = prop_oneof![
        4 => prop::sample::select(vec![
            "client", "v4", "accounts", "a", "storage", "kv", "namespaces", "values", "keys", "bulk", "get", "delete",
            "metadata", "d1", "database", "query", "raw", "import", "export", "time_travel", "bookmark", "workers",
            "scripts", "settings", "", "%2F", "%", "%C3", "d1-import", "d1-export",
        ]).prop_map(str::to_owned),
        1 => "[ -~]{0,8}",
    ];
    let start = prop::sample::select(vec![
        "",
        "/client/v4/accounts/a/storage/kv/namespaces",
        "/client/v4/accounts/a/d1/database",
    ]);
    let path = (start, prop::collection::vec(segment, 0..6))
        .prop_map(|(start, segments)| format!("{start}/{}", segments.join("/")));
    let query = "(\\?[a-z_]{0,14}=?[ -~]{0,8}(&[a-z_]{0,14}=[0-9]{0,22})?)?";
    let target = (path, query).prop_map(|(path, query)| path + &query);
    let kind = prop::option::of(prop_oneof![
        Just(b"multipart/form-data; boundary=b".to_vec()),
        "multipart/form-data; ?[ -~]{0,20}".prop_map(String::into_bytes),
        prop::collection::vec(0x20_u8..=0xff, 0..20),
    ]);
    let json = prop::sample::select(vec![
        "{\"title\":\"t\"}",
        "{\"sql\":\"s\",\"params\":[1]}",
        "[\"k\"]",
        "{\"keys\":[\"k\"]}",
        "[{\"key\":\"k\",\"value\":\"v\",\"base64\":true}]",
        "{\"action\":\"init\",\"etag\":\"e\"}",
        "--b\r\nContent-Disposition: form-data; name=\"value\"\r\n\r\nv\r\n--b--",
        "--b",
        "\r\n--b\r\n\r\n",
    ]);
    let body = prop_oneof![
        json.prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..60),
        (
            prop::collection::vec(any::<u8>(), 0..20),
            Just(b"\r\n--b\r\n".to_vec()),
            prop::collection::vec(any::<u8>(), 0..20)
        )
            .prop_map(|(one, middle, other)| [one, middle, other].concat()),
    ];
    let method = method.prop_map(|method| Method::from_bytes(method.as_bytes()).expect("a token"));
    (method, target, kind, body)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(20_000) })]

    #[test]
    fn any_request_is_a_call_or_a_4xx((method, target, kind, body) in requests()) {
        let mut headers = HeaderMap::new();
        if let Some(kind) = kind.and_then(|kind| HeaderValue::from_bytes(&kind).ok()) {
            headers.insert("content-type", kind);
        }
        match call::parse(&method, &target, &headers, body.into()) {
            Err(error) => prop_assert!((400..500).contains(&error.status) && !error.message.is_empty(), "{error:?}"),
            Ok(Call::Kv(KvCall::In { namespace, .. })) => prop_assert!(!namespace.is_empty()),
            Ok(_) => {}
        }
    }
}

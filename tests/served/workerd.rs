//! What workerd's bindings are answered: KV, D1, the rate limiter and outbound fetches, over real sockets and with the very
//! bytes that workerd sends.

use edgeproof_sim::World;
use edgeproof_sim::fault::{Fault, FaultKind, KvOperation};
use edgeproof_sim::script::Elsewhere;
use edgeproof_sim::serve::gateway::RealGateway;
use edgeproof_sim::serve::workerd::handler;
use edgeproof_sim::world::builder::Builder;
use edgeproof_sim::world::options::Options;
use edgeproof_sim::wrangler::WorkerConfig;
use serde_json::{Value, json};
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::time::Duration;
use support::client::{Answer, Connection, ask};
use support::receiver::Receiver;
use support::server::Served;
use wiremock::ResponseTemplate;

const KV: [(&str, &str); 2] = [("x-sim-pop", "MEX"), ("x-sim-namespace", "KV")];
const D1: [(&str, &str); 2] = [("x-sim-pop", "MEX"), ("x-sim-database", "DB")];

pub(crate) fn builder() -> Builder {
    let toml = "name = 'probe'\ncompatibility_date = '2026-08-20'\n\
        kv_namespaces = [{ binding = 'KV' }, { binding = 'OTHER' }]\nd1_databases = [{ binding = 'DB', database_name = 'probe' }]\n";
    let config = WorkerConfig::parse(toml, "wrangler.toml", None).expect("a configuration");
    // Nothing here is about latency.
    let options = Options {
        latency: Default::default(),
        network_jitter: 0.0,
        kv_sites: vec!["MEX".into()],
        kv_central: Duration::ZERO,
        ..Options::default()
    };
    World::builder()
        .script(Rc::new(Elsewhere))
        .config(config)
        .pops(["MEX", "FRA"])
        .options(options)
        .seed_sql(
            "DB",
            "seed",
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b REAL, c BLOB)",
        )
        .gateway(Rc::new(RealGateway::new([])))
}

fn served() -> Served {
    Served::start_with(builder, handler)
}

fn kv(server: &Served, method: &str, path: &str, body: &str) -> Answer {
    ask(server.address, method, path, &KV, body)
}

fn d1(server: &Served, path: &str, body: &Value) -> Answer {
    ask(server.address, "POST", path, &D1, &body.to_string())
}

fn query(server: &Served, sql: &str, params: Value) -> Value {
    let body = json!({ "sql": sql, "params": params });
    d1(server, "/query?resultsFormat=ROWS_AND_COLUMNS", &body).json()
}

/// An address where no process listens: its port was free a moment ago.
fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("bound")
}

/// `status reason`, as workerd makes an error of it.
fn line(answer: &Answer) -> String {
    format!("{} {}", answer.status, answer.reason)
}

#[test]
fn a_value_comes_back_with_its_metadata_and_says_where_it_was_found() {
    let server = served();
    let miss = kv(&server, "GET", "/a%2Fb?urlencoded=true", "");
    assert_eq!((miss.status, miss.header("cf-cache-status")), (404, "MISS"));
    let mut headers = KV.to_vec();
    headers.push(("CF-KV-Metadata", "{\"who\":\"é✓\",\"n\":1}"));
    let put = ask(
        server.address,
        "PUT",
        "/a%2Fb?urlencoded=true",
        &headers,
        "{\"x\":1}",
    );
    assert_eq!(put.status, 200);
    let hit = kv(&server, "GET", "/a%2Fb?urlencoded=true&cache_ttl=60", "");
    assert_eq!((hit.status, hit.text().as_str()), (200, "{\"x\":1}"));
    assert_eq!(hit.header("cf-kv-metadata"), "{\"who\":\"é✓\",\"n\":1}");
    assert_eq!(hit.header("cf-cache-status"), "HIT");
    let listed = kv(&server, "GET", "/", "").json();
    let expected = json!({"keys": [{"name": "a/b", "metadata": "{\"who\":\"é✓\",\"n\":1}"}], "list_complete": true});
    assert_eq!(listed, expected);
    let many = kv(
        &server,
        "POST",
        "/bulk/get",
        r#"{"keys":["zz","a/b"],"type":"json","withMetadata":true,"cacheTtl":"60"}"#,
    );
    assert_eq!(
        many.text(),
        r#"{"zz":null,"a/b":{"value":{"x":1},"metadata":{"who":"é✓","n":1}}}"#,
        "in the order asked for"
    );
    assert_eq!(
        kv(&server, "DELETE", "/zz?urlencoded=true", "").status,
        200,
        "no such key is no error"
    );
}

#[test]
fn another_pop_serves_what_it_knew_before() {
    let server = served();
    let frankfurt = [("x-sim-pop", "FRA"), ("x-sim-namespace", "KV")];
    let get = || ask(server.address, "GET", "/k?urlencoded=true", &frankfurt, "");
    assert_eq!(get().status, 404);
    assert_eq!(kv(&server, "PUT", "/k?urlencoded=true", "v").status, 200);
    assert_eq!(kv(&server, "GET", "/k?urlencoded=true", "").text(), "v");
    let stale = get();
    assert_eq!(
        (stale.status, stale.header("cf-cache-status")),
        (404, "HIT")
    );
    let other = [("x-sim-pop", "MEX"), ("x-sim-namespace", "OTHER")];
    assert_eq!(
        ask(server.address, "GET", "/k?urlencoded=true", &other, "").status,
        404,
        "namespaces are apart"
    );
}

#[test]
fn refusals_travel_in_the_reason_phrase() {
    let server = served();
    let long = "k".repeat(513);
    for (method, path, body, expected) in [
        (
            "PUT",
            "/t?urlencoded=true&expiration_ttl=1",
            "v",
            "400 Invalid expiration_ttl of 1. Expiration TTL must be at least 60.",
        ),
        (
            "PUT",
            "/t?urlencoded=true&expiration_ttl=0",
            "v",
            "400 Invalid expiration_ttl of 0. Please specify integer greater than 0.",
        ),
        (
            "GET",
            "/t?urlencoded=true&cache_ttl=29",
            "",
            "400 Invalid cache_ttl of 29. Cache TTL must be at least 30.",
        ),
        (
            "GET",
            "/?key_count_limit=1001",
            "",
            "400 Invalid key_count_limit of 1001. Please specify an integer less than 1000.",
        ),
        (
            "POST",
            "/bulk/get",
            "{\"keys\":[]}",
            "400 You must request a minimum of 1 key",
        ),
        (
            "GET",
            "/%2E%2E?urlencoded=true",
            "",
            "400 Illegal key name \"..\". Please use a different name.",
        ),
        ("PATCH", "/k", "", "405 Method Not Allowed"),
        (
            "PUT",
            &format!("/{long}?urlencoded=true"),
            "v",
            "414 UTF-8 encoded length of 513 exceeds key length limit of 512.",
        ),
    ] {
        assert_eq!(
            line(&kv(&server, method, path, body)),
            expected,
            "{method} {path}"
        );
    }
    let nowhere = [("x-sim-pop", "MEX"), ("x-sim-namespace", "NOPE")];
    assert_eq!(
        line(&ask(server.address, "GET", "/k", &nowhere, "")),
        "400 No such KV namespace"
    );
    let no_pop = [("x-sim-pop", "ZZZ"), ("x-sim-namespace", "KV")];
    assert_eq!(ask(server.address, "GET", "/k", &no_pop, "").status, 400);
    assert_eq!(
        ask(server.address, "GET", "/k", &[("x-sim-pop", "MEX")], "").status,
        400
    );
}

#[test]
fn a_value_over_the_limit_is_refused_announced_or_not() {
    let server = served();
    let mut connection = Connection::open(server.address);
    let head = "PUT /big?urlencoded=true HTTP/1.1\r\nHost: fake-host\r\nx-sim-pop: MEX\r\nx-sim-namespace: KV\r\n";
    connection.send(format!("{head}Content-Length: 26214401\r\n\r\n"));
    // workerd takes an answer only when it has sent everything.
    connection.send("v".repeat(26_214_401));
    assert_eq!(
        line(&connection.answer()),
        "413 Value length of 26214401 exceeds limit of 26214400."
    );
    let mut connection = Connection::open(server.address);
    connection.send(format!("{head}Transfer-Encoding: chunked\r\n\r\n"));
    let chunk = "v".repeat(1 << 20);
    for _ in 0..25 {
        connection.send(format!("100000\r\n{chunk}\r\n"));
    }
    connection.send("1\r\nv\r\n0\r\n\r\n");
    assert_eq!(
        line(&connection.answer()),
        "413 Value length of 26214401 exceeds limit of 26214400."
    );
    let mut connection = Connection::open(server.address);
    connection.send(format!("{head}Transfer-Encoding: chunked\r\n\r\n"));
    for _ in 0..25 {
        connection.send(format!("100000\r\n{chunk}\r\n"));
    }
    connection.send("0\r\n\r\n");
    assert_eq!(connection.answer().status, 200, "exactly the limit");
}

#[test]
fn a_second_write_within_a_second_is_429_and_pages_follow_the_cursor() {
    let server = served();
    assert_eq!(kv(&server, "PUT", "/k?urlencoded=true", "1").status, 200);
    assert_eq!(
        line(&kv(&server, "PUT", "/k?urlencoded=true", "2")),
        "429 Too Many Requests"
    );
    for key in ["b1", "b2", "b3"] {
        assert_eq!(
            kv(&server, "PUT", &format!("/{key}?urlencoded=true"), "v").status,
            200
        );
    }
    let mut names = Vec::new();
    let mut path = "/?key_count_limit=2&prefix=b".to_owned();
    loop {
        let page = kv(&server, "GET", &path, "").json();
        names.extend(
            page["keys"]
                .as_array()
                .expect("keys")
                .iter()
                .map(|key| key["name"].as_str().expect("a name").to_owned()),
        );
        let Some(cursor) = page["cursor"].as_str() else {
            assert_eq!(page["list_complete"], true);
            break;
        };
        assert_eq!(page["list_complete"], false);
        path = format!("/?key_count_limit=2&prefix=b&cursor={cursor}");
    }
    assert_eq!(names, ["b1", "b2", "b3"]);
}

#[test]
fn rows_come_in_both_forms_with_counts_and_javascript_numbers() {
    let server = served();
    let insert = json!({ "sql": "INSERT INTO t (a,b,c) VALUES (?1,?2,?3)", "params": ["x", 1.5, [1, 2, 255]] });
    let run = d1(&server, "/execute?resultsFormat=NONE", &insert).json();
    let meta = &run["meta"];
    assert_eq!(
        (&run["success"], &run["results"]),
        (&json!(true), &json!([]))
    );
    assert_eq!(
        (
            &meta["changes"],
            &meta["last_row_id"],
            &meta["changed_db"],
            &meta["rows_written"]
        ),
        (&json!(1), &json!(1), &json!(true), &json!(1))
    );
    assert_eq!(
        (&meta["served_by_colo"], &meta["served_by_primary"]),
        (&json!("MEX"), &json!(true))
    );
    assert!(
        meta["size_after"].as_u64().is_some_and(|size| size > 0),
        "{meta}"
    );
    let all = query(
        &server,
        "SELECT *, 2 AS a, ?1 AS n, typeof(?1) AS k FROM t",
        json!([7]),
    );
    let expected = json!({ "columns": ["id", "a", "b", "c", "a", "n", "k"], "rows": [[1, "x", 1.5, [1, 2, 255], 2, 7, "real"]] });
    assert_eq!(all["results"], expected);
    assert_eq!(all["meta"]["rows_read"], 1);
    let objects = d1(
        &server,
        "/query?resultsFormat=ARRAY_OF_OBJECTS",
        &json!({ "sql": "SELECT id, a, 2 AS a FROM t" }),
    )
    .json();
    assert_eq!(objects["results"], json!([{ "id": 1, "a": 2 }]));
}

#[test]
fn a_list_is_one_transaction_and_failures_are_told_with_200() {
    let server = served();
    let batch = json!([{ "sql": "INSERT INTO t (a) VALUES ('lost')", "params": [] }, { "sql": "INSERT INTO nope VALUES (1)", "params": [] }]);
    let failed = d1(&server, "/query?resultsFormat=ROWS_AND_COLUMNS", &batch);
    assert_eq!(failed.status, 200);
    assert_eq!(
        failed.json(),
        json!({ "success": false, "error": "no such table: nope: SQLITE_ERROR" })
    );
    assert_eq!(
        query(&server, "SELECT count(*) FROM t", json!([]))["results"]["rows"],
        json!([[0]])
    );
    let done = d1(
        &server,
        "/query?resultsFormat=ROWS_AND_COLUMNS",
        &json!([{ "sql": "SELECT 1 AS one", "params": [] }]),
    )
    .json();
    assert_eq!(
        done[0]["results"]["rows"],
        json!([[1]]),
        "the answer to a list is a list"
    );
    let nothing = d1(&server, "/query", &json!([])).json();
    assert_eq!(
        nothing,
        json!({ "success": false, "error": "No SQL statements detected." })
    );
    let nowhere = [("x-sim-pop", "MEX"), ("x-sim-database", "NOPE")];
    let answer = ask(
        server.address,
        "POST",
        "/query",
        &nowhere,
        "{\"sql\":\"SELECT 1\"}",
    );
    assert_eq!(
        (answer.status, answer.json()["success"].clone()),
        (404, json!(false))
    );
    for body in [
        "",
        "{",
        "[1]",
        "{\"sql\":1}",
        "{\"sql\":\"SELECT 1\",\"params\":[{}]}",
    ] {
        let answer = ask(server.address, "POST", "/query", &D1, body);
        assert_eq!(
            (answer.status, answer.json()["success"].clone()),
            (400, json!(false)),
            "{body}"
        );
    }
}

#[test]
fn bookmarks_grow_with_every_write_and_with_nothing_else() {
    let server = served();
    let bookmark = |sql: &str| {
        let answer = d1(&server, "/query", &json!({ "sql": sql }));
        answer.header("x-cf-d1-session-commit-token").to_owned()
    };
    let read = bookmark("SELECT 1");
    let first = bookmark("INSERT INTO t (a) VALUES ('x')");
    let second = bookmark("INSERT INTO t (a) VALUES ('x')");
    assert!(read < first && first < second, "{read} {first} {second}");
    assert_eq!(bookmark("SELECT * FROM t"), second);
    let groups: Vec<usize> = second.split('-').map(str::len).collect();
    assert_eq!(groups, [8, 8, 8, 32]);
}

#[test]
fn limits_count_for_each_pop_and_key() {
    let server = served();
    let limit = |pop: &str, key: &str| {
        let headers = [("x-sim-pop", pop), ("x-sim-ratelimit", "1001")];
        let body = json!({ "key": key, "limit": 2, "period": 60 }).to_string();
        ask(server.address, "POST", "/limit", &headers, &body).json()["success"].as_bool()
    };
    // The wall clock's minute may end in between; then the count begins anew, once.
    let taken = (0..6).filter(|_| limit("MEX", "a") == Some(true)).count();
    assert!((2..=4).contains(&taken), "{taken}");
    assert_eq!(limit("FRA", "a"), Some(true));
    assert_eq!(limit("MEX", "b"), Some(true));
}

#[test]
fn a_share_of_kv_calls_can_fail() {
    let faults = |operation| Fault {
        at_ms: 0,
        kind: FaultKind::KvErrors {
            operation,
            status: 500,
            ratio: 0.5,
            for_ms: 3_600_000,
        },
    };
    let server = Served::start_with(
        move || builder().faults([faults(KvOperation::Put)]),
        handler,
    );
    let failed = (0..60)
        .filter(
            |n| match kv(&server, "PUT", &format!("/k{n}?urlencoded=true"), "v") {
                answer if answer.status == 200 => false,
                answer => line(&answer) == "500 Internal Server Error",
            },
        )
        .count();
    assert!((10..=50).contains(&failed), "{failed} of 60");
    assert_eq!(
        kv(&server, "GET", "/none?urlencoded=true", "").status,
        404,
        "reads are as ever"
    );
}

#[test]
fn fetches_reach_loopback_and_nothing_else() {
    let origin = Receiver::answering(ResponseTemplate::new(200));
    let server = served();
    let headers = [("x-sim-pop", "MEX"), ("x-sim-outbound", "1")];
    let target = format!("http://127.0.0.1:{}/hook?a=b", origin.port());
    let reached = ask(server.address, "POST", &target, &headers, "ping");
    assert_eq!(reached.status, 200, "{reached:?}");
    let request = origin.received().remove(0);
    assert_eq!(request.body, b"ping");
    assert!(
        request
            .headers
            .keys()
            .all(|name| !name.as_str().starts_with("x-sim-")),
        "{:?}",
        request.headers
    );
    let refused = ask(
        server.address,
        "POST",
        "https://example.com/hook",
        &headers,
        "ping",
    );
    assert_eq!(
        (refused.status, refused.text().as_str()),
        (530, "error code: 1016")
    );
    let free = nobody();
    let mut connection = Connection::open(server.address);
    connection.send(support::client::request(
        "POST",
        &format!("http://{free}/x"),
        &headers,
        "ping",
    ));
    assert!(
        connection.try_answer().is_none(),
        "a broken connection breaks the Worker's too"
    );
}

#[test]
fn what_a_worker_passes_on_makes_no_other_call_of_its_fetch() {
    let origin = Receiver::answering(ResponseTemplate::new(200));
    let server = served();
    let headers = [
        ("x-sim-database", "DB"),
        ("x-sim-namespace", "KV"),
        ("x-sim-pop", "MEX"),
        ("x-sim-outbound", "1"),
    ];
    let target = format!("http://127.0.0.1:{}/query", origin.port());
    let body = json!({ "sql": "DROP TABLE t" }).to_string();
    assert_eq!(
        ask(server.address, "POST", &target, &headers, &body).status,
        200
    );
    let request = origin.received().remove(0);
    assert_eq!(
        request.body,
        body.as_bytes(),
        "it went out, and to no binding"
    );
    let ours = |name: &str| name.starts_with("x-sim-");
    assert!(
        !request.headers.keys().any(|name| ours(name.as_str())),
        "{:?}",
        request.headers
    );
    assert_eq!(
        query(&server, "SELECT count(*) FROM t", json!([]))["success"],
        true
    );
}

#[test]
fn faults_that_mean_nothing_are_refused() {
    let world = |status, ratio| {
        let kind = FaultKind::KvErrors {
            operation: KvOperation::Get,
            status,
            ratio,
            for_ms: 1,
        };
        builder()
            .faults([Fault { at_ms: 0, kind }])
            .build()
            .map(drop)
    };
    assert!(world(503, 0.5).is_ok());
    for (status, ratio) in [
        (42, 1.0),
        (200, 1.0),
        (600, 1.0),
        (503, 7.0),
        (503, f64::NAN),
        (503, -0.1),
    ] {
        let refused = world(status, ratio).expect_err("it means nothing");
        assert!(refused.to_string().contains("KV answers"), "{refused}");
    }
}

#[test]
fn every_call_is_on_the_bill() {
    let server = served();
    kv(&server, "PUT", "/k?urlencoded=true", "v");
    kv(&server, "GET", "/k?urlencoded=true", "");
    kv(&server, "POST", "/bulk/get", "{\"keys\":[\"k\",\"l\"]}");
    kv(&server, "GET", "/", "");
    kv(&server, "DELETE", "/x?urlencoded=true", "");
    query(&server, "INSERT INTO t (a) VALUES ('x')", json!([]));
    query(&server, "SELECT * FROM t", json!([]));
    let used = server.stop(|world| {
        let usage = world.usage();
        let meters = [
            "kv.writes",
            "kv.reads",
            "kv.lists",
            "kv.deletes",
            "d1.rows_written",
            "d1.rows_read",
        ];
        meters.map(|name| {
            usage
                .totals()
                .find(|(meter, _)| *meter == name)
                .map(|(_, value)| value)
        })
    });
    assert_eq!(used, [1.0, 3.0, 1.0, 1.0, 1.0, 1.0].map(Some));
}

#[test]
fn the_front_adds_platform_headers_and_answers_for_a_dead_runtime() {
    use edgeproof_sim::serve::workerd::front;
    use edgeproof_sim::topology::Pop;
    let origin = Receiver::answering(ResponseTemplate::new(200));
    let inner = SocketAddr::from(([127, 0, 0, 1], origin.port()));
    let pop = Pop::from_code("FRA").expect("a PoP");
    let server = Served::start_with(builder, move |world| front::handler(world, pop, inner));
    let answer = ask(
        server.address,
        "POST",
        "/a?b=c",
        &[("x-sim-cf", "{\"colo\":\"LIE\"}"), ("x-sim-database", "DB")],
        "ping",
    );
    assert_eq!(answer.status, 200);
    let request = origin.received().remove(0);
    let header = |name: &str| {
        request
            .headers
            .get(name)
            .map(|value| value.to_str().expect("text").to_owned())
    };
    assert_eq!(
        (request.url.path(), request.url.query()),
        ("/a", Some("b=c"))
    );
    assert_eq!(header("cf-connecting-ip").as_deref(), Some("127.0.0.1"));
    assert_eq!(
        header("host").as_deref(),
        Some("worker.example"),
        "a Worker sees the host its client asked for"
    );
    assert_eq!(
        header("x-sim-database"),
        None,
        "a client is not the configuration"
    );
    let cf: Value = serde_json::from_str(&header("x-sim-cf").expect("cf")).expect("JSON");
    assert_eq!(cf["colo"], "FRA", "a client cannot say where it is");
    let gone = nobody();
    let lost = Served::start_with(builder, move |world| front::handler(world, pop, gone));
    assert_eq!(ask(lost.address, "GET", "/", &[], "").status, 502);
    let requests = server.stop(|world| {
        world
            .usage()
            .totals()
            .find(|(meter, _)| *meter == "workers.requests")
            .map(|(_, value)| value)
    });
    assert_eq!(requests, Some(1.0));
}

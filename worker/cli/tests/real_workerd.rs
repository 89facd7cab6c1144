//! `sim workerd` with the real runtime: JavaScript Workers, and the production Worker's bundle.
//!
//! Needs npm packages and, for the production Worker, what `sim build` makes.

#![cfg(unix)]

#[path = "support/workerd.rs"]
mod workerd;

use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use support::client::{Answer, DEMO, TEA, ask, eventually};
use workerd::{Workerd, refused};

const GREETER: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/workers/greeter/worker.js"
);
const PROBE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/workers/probe/worker.js");

#[expect(
    clippy::disallowed_methods,
    reason = "a real cache lives on the wall clock"
)]
fn wait(duration: Duration) {
    std::thread::sleep(duration);
}

impl Workerd {
    fn get(&self, pop: &str, path: &str) -> Answer {
        ask(self.address(pop), "GET", path, &[], "")
    }

    fn put(&self, pop: &str, path: &str, body: &str) -> Answer {
        ask(self.address(pop), "PUT", path, &[], body)
    }

    fn post(&self, pop: &str, path: &str, body: &Value) -> Answer {
        ask(self.address(pop), "POST", path, &[], &body.to_string())
    }
}

#[test]
fn a_write_in_one_pop_is_seen_late_in_another() {
    let server = Workerd::start(&["--pops", "MEX,FRA", "--script", GREETER]);
    assert_eq!(server.get("FRA", "/").text(), "FRA: nothing\n");
    assert_eq!(server.put("MEX", "/", "hola").text(), "written\n");
    assert_eq!(server.get("MEX", "/").text(), "MEX: hola\n");
    // KV's default time to live in a PoP is 60 s, for a miss too.
    for _ in 0..11 {
        assert_eq!(server.get("FRA", "/").text(), "FRA: nothing\n");
        wait(Duration::from_secs(5));
    }
    let fresh = eventually("the cached miss ends", || {
        Some(server.get("FRA", "/").text()).filter(|text| text != "FRA: nothing\n")
    });
    assert_eq!(fresh, "FRA: hola\n");
}

#[test]
fn bindings_speak_the_simulators_language() {
    let server = Workerd::start(&[
        "--pops",
        "MEX,FRA",
        "--script",
        PROBE,
        "--secret",
        "SECRET=planted-secret",
        "--var",
        "GREETING=hi",
    ]);
    let about = server.get("FRA", "/about").json();
    let expected =
        json!({ "colo": "FRA", "ip": "127.0.0.1", "greeting": "hi", "number": 3, "secret": 14 });
    assert_eq!(about, expected);

    let put = "/kv?key=a%2Fb&metadata=%7B%22who%22:%22%C3%A9%22%7D";
    assert_eq!(server.put("MEX", put, "{\"x\":1}").text(), "done");
    let found = json!({ "value": "{\"x\":1}", "metadata": { "who": "é" }, "cacheStatus": "HIT" });
    assert_eq!(server.get("MEX", "/kv?key=a/b").json(), found);
    assert_eq!(
        server.get("MEX", "/kv/bulk?keys=zz,a/b").json(),
        json!([["zz", null], ["a/b", { "value": { "x": 1 }, "metadata": { "who": "é" } }]])
    );
    assert_eq!(
        server.get("MEX", "/kv/list").json()["keys"],
        json!([{ "name": "a/b", "metadata": { "who": "é" } }])
    );
    for (method, path, body, expected) in [
        (
            "PUT",
            "/kv?key=a/b",
            "2",
            "Error: KV PUT failed: 429 Too Many Requests",
        ),
        (
            "PUT",
            "/kv?key=t&ttl=5",
            "1",
            "Error: KV PUT failed: 400 Invalid expiration_ttl of 5. Expiration TTL must be at least 60.",
        ),
        (
            "GET",
            "/kv/list?limit=1001",
            "",
            "Error: KV GET failed: 400 Invalid key_count_limit of 1001. Please specify an integer less than 1000.",
        ),
        (
            "DELETE",
            "/kv?key=..",
            "",
            "TypeError: \"..\" is not allowed as a key name.",
        ),
        (
            "POST",
            "/d1",
            "{\"sql\":\"SELEKT\"}",
            "Error: D1_ERROR: near \"SELEKT\": syntax error at offset 0: SQLITE_ERROR",
        ),
        (
            "POST",
            "/d1/exec",
            "SELECT 1\nSELEKT",
            "Error: D1_EXEC_ERROR: Error in line 1: SELECT 1: near \"SELEKT\": syntax error at offset 0: SQLITE_ERROR",
        ),
        ("GET", "/limit", "", "Error: invalid key: undefined"),
    ] {
        assert_eq!(
            ask(server.address("MEX"), method, path, &[], body).text(),
            expected,
            "{method} {path}"
        );
    }

    let insert = server
        .post(
            "MEX",
            "/d1",
            &json!({ "sql": "INSERT INTO notes (text) VALUES (?)", "params": ["x"] }),
        )
        .json();
    assert_eq!(
        (
            &insert["meta"]["rows_written"],
            &insert["meta"]["last_row_id"]
        ),
        (&json!(1), &json!(1))
    );
    assert_eq!(
        server
            .post(
                "MEX",
                "/d1/batch",
                &json!(["INSERT INTO notes (text) VALUES (1)", "SELEKT"])
            )
            .status,
        500
    );
    let rows = server
        .post(
            "FRA",
            "/d1",
            &json!({ "sql": "SELECT text, typeof(?) AS kind FROM notes", "params": [1] }),
        )
        .json();
    assert_eq!(
        rows["results"],
        json!([{ "text": "x", "kind": "real" }]),
        "one database for all, and a batch is all or nothing"
    );
    let bookmarks = server.get("MEX", "/d1/session").json();
    let [before, read, written] =
        [0, 1, 2].map(|place| bookmarks[place].as_str().map(str::to_owned));
    assert!(
        before.is_none() && read.is_some() && written > read,
        "{bookmarks}"
    );

    for (pop, count) in [("MEX", 1), ("FRA", 2), ("MEX", 3)] {
        assert_eq!(
            server.get(pop, "/object").json(),
            json!({ "count": count, "inMemory": count }),
            "one instance for all PoPs"
        );
    }
    let admitted = |pop| {
        (0..5)
            .filter(|_| server.get(pop, "/limit?key=u").json()["success"] == true)
            .count()
    };
    assert!(
        (3..=5).contains(&admitted("MEX")),
        "3 of 5, unless the minute ended"
    );
    assert!(
        (3..=5).contains(&admitted("FRA")),
        "every location counts for itself"
    );

    assert_eq!(
        server.get("MEX", "/fetch?url=https://example.com/").text(),
        "530 error code: 1016",
        "only loopback is reached"
    );
    let echo = format!("http://{}/nothing", server.address("FRA"));
    assert_eq!(
        server.get("MEX", &format!("/fetch?url={echo}")).text(),
        "404 no such path"
    );
    let lost = server.get("MEX", "/fetch?url=http://127.0.0.1:1/").text();
    assert_eq!(lost, "Error: Network connection lost.");

    // What waits is done before the end, and then the end is told.
    assert_eq!(server.get("MEX", "/later").text(), "soon");
    let (code, out, err) = server.stop();
    assert_eq!(code, Some(0), "{err}");
    for meter in ["kv.writes", "d1.rows_written", "workers.requests"] {
        assert!(out.contains(meter), "{out}");
    }
    let kv_writes = out
        .lines()
        .find(|line| line.contains("kv.writes"))
        .expect("a row");
    assert_eq!(
        kv_writes.split(['│', '┆']).nth(2).map(str::trim),
        Some("2"),
        "the put of waitUntil is among them: {out}"
    );
    assert!(!(out + &err).contains("planted-secret"));
}

#[test]
fn what_was_started_ends_with_the_command_and_no_file_holds_a_secret() {
    let server = Workerd::start(&["--script", PROBE, "--secret", "SECRET=planted-secret"]);
    assert_eq!(server.get("IAD", "/about").json()["secret"], 14);
    let child = server.child_of("workerd");
    let configuration = server.configuration();
    let folder = configuration.parent().expect("a folder").to_owned();
    for entry in std::fs::read_dir(&folder).expect("the scratch folder") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            let bytes = std::fs::read(&path).expect("read");
            assert!(
                !bytes.windows(14).any(|window| window == b"planted-secret"),
                "{}",
                path.display()
            );
        }
    }
    assert_eq!(server.stop().0, Some(0));
    assert!(
        !Path::new(&format!("/proc/{child}")).exists(),
        "workerd is still there"
    );
    assert!(!folder.exists(), "{}", folder.display());
}

#[test]
fn nothing_outlives_the_command_however_it_ends() {
    for (signal, orderly) in [
        ("TERM", true),
        ("QUIT", true),
        ("HUP", true),
        ("KILL", false),
    ] {
        let server = Workerd::start(&["--script", GREETER]);
        let child = format!("/proc/{}", server.child_of("workerd"));
        let folder = server
            .configuration()
            .parent()
            .expect("a folder")
            .to_owned();
        server.signal(signal);
        let (code, ..) = server.ended();
        assert_eq!(code, orderly.then_some(0), "{signal}");
        eventually("workerd is gone", || {
            (!Path::new(&child).exists()).then_some(())
        });
        if orderly {
            assert!(!folder.exists(), "{signal}: {}", folder.display());
        } else {
            // Nobody was left to do it.
            std::fs::remove_dir_all(folder).expect("the folder");
        }
    }
}

#[test]
fn a_value_over_the_limit_is_refused_by_the_service() {
    let server = Workerd::start(&["--script", PROBE]);
    let most = "v".repeat(25 * 1024 * 1024);
    assert_eq!(server.put("IAD", "/kv?key=most", &most).text(), "done");
    let refused = server.put("IAD", "/kv?key=more", &(most + "v")).text();
    assert_eq!(
        refused,
        "Error: KV PUT failed: 413 Value length of 26214401 exceeds limit of 26214400."
    );
}

#[test]
fn a_runtime_that_dies_ends_the_command_with_an_error() {
    let server = Workerd::start(&["--script", GREETER]);
    assert_eq!(server.get("IAD", "/").text(), "IAD: nothing\n");
    let child = server.child_of("workerd").to_string();
    assert!(
        Command::new("kill")
            .args(["-KILL", &child])
            .status()
            .expect("kill is there")
            .success()
    );
    let (code, out, err) = server.ended();
    assert_eq!(code, Some(1));
    assert!(err.contains("workerd ended by itself"), "{err}");
    assert!(
        out.contains("allowance"),
        "the bill is told all the same: {out}"
    );
}

#[test]
fn faults_meet_the_worker() {
    let server = Workerd::start(&["--script", PROBE, "--kv-429", "1", "--d1-latency", "300"]);
    assert_eq!(
        server.put("IAD", "/kv?key=k", "v").text(),
        "Error: KV PUT failed: 429 Too Many Requests"
    );
    assert_eq!(
        server.get("IAD", "/kv?key=k").text(),
        "Error: KV GET failed: 429 Too Many Requests"
    );
    let slow = server.post("IAD", "/d1", &json!({ "sql": "SELECT 1 AS one" }));
    assert_eq!(slow.json()["results"], json!([{ "one": 1 }]));
    assert!(slow.took >= Duration::from_millis(300), "{:?}", slow.took);
    drop(server);

    let server = Workerd::start(&[
        "--pops",
        "MEX,FRA",
        "--script",
        PROBE,
        "--kv-propagation",
        "5",
    ]);
    assert_eq!(server.put("MEX", "/kv?key=k", "v").text(), "done");
    assert_eq!(
        server.get("FRA", "/kv?key=k").json()["value"],
        Value::Null,
        "FRA never read it, and still it is late"
    );
}

#[test]
fn wrangler_and_the_worker_see_one_account() {
    let server = Workerd::start(&["--script", PROBE, "--api", "0", "--token", "planted-token"]);
    let (_, rest) = server
        .printed()
        .split_once("export CLOUDFLARE_API_BASE_URL=http://")
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .expect("the address of the API");
    let (address, base) = rest
        .lines()
        .next()
        .and_then(|line| line.split_once('/'))
        .expect("a path");
    let address = address.parse().expect("an address");
    let headers = [("authorization", "Bearer planted-token")];
    let namespaces = format!("/{base}/accounts/any/storage/kv/namespaces");
    let listed = ask(address, "GET", &namespaces, &headers, "").json();
    let id = listed["result"][0]["id"]
        .as_str()
        .unwrap_or_else(|| panic!("{listed}"))
        .to_owned();
    let put = ask(
        address,
        "PUT",
        &format!("{namespaces}/{id}/values/k"),
        &headers,
        "from outside",
    );
    assert_eq!(put.status, 200, "{put:?}");
    assert_eq!(
        server.get("IAD", "/kv?key=k").json()["value"],
        "from outside"
    );
    assert_eq!(
        ask(
            address,
            "GET",
            &namespaces,
            &[("authorization", "Bearer wrong")],
            ""
        )
        .status
            / 100,
        4
    );
    assert!(!server.printed().contains("planted-token"));
}

#[test]
fn state_is_kept_in_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().to_str().expect("UTF-8");
    let arguments = ["--script", PROBE, "--state", state];
    let server = Workerd::start(&arguments);
    assert_eq!(server.put("IAD", "/kv?key=k", "v").text(), "done");
    assert_eq!(server.get("IAD", "/object").json()["count"], 1);
    server.post(
        "IAD",
        "/d1",
        &json!({ "sql": "INSERT INTO notes (text) VALUES ('kept')" }),
    );
    let (code, refusal) = refused(&[&arguments[..], &["--port", "0"]].concat());
    assert!(
        code == Some(1) && refusal.contains("in use by another process"),
        "{code:?} {refusal}"
    );
    assert_eq!(server.stop().0, Some(0));
    let server = Workerd::start(&arguments);
    assert_eq!(server.get("IAD", "/kv?key=k").json()["value"], "v");
    assert_eq!(
        server.get("IAD", "/object").json(),
        json!({ "count": 2, "inMemory": 1 })
    );
    let rows = server
        .post("IAD", "/d1", &json!({ "sql": "SELECT text FROM notes" }))
        .json();
    assert_eq!(rows["results"], json!([{ "text": "kept" }]));
}

#[test]
fn what_cannot_run_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("worker.js");
    std::fs::write(&script, "export default { fetch( {").expect("written");
    let path = script.to_str().expect("UTF-8").to_owned();
    let (code, text) = refused(&["--script", &path]);
    assert!(
        code == Some(1) && text.contains("wrangler.toml"),
        "{code:?} {text}"
    );
    std::fs::write(
        folder.path().join("wrangler.toml"),
        "name = 'w'\ncompatibility_date = '2026-08-20'\n",
    )
    .expect("written");
    let (code, text) = refused(&["--script", &path, "--port", "0"]);
    assert!(
        code == Some(1)
            && text.contains("SyntaxError")
            && text.contains("workerd ended before it served anything"),
        "{code:?} {text}"
    );
    for (arguments, expected) in [
        (&["--pops", "MEX,XXX"][..], "no PoP has this code"),
        (&["--pops", "MEX,MEX"], "names MEX twice"),
        (&["--kv-429", "2"], "a number from 0 to 1"),
        (&["--secret", "planted"], "expected KEY=VALUE"),
    ] {
        let (code, text) = refused(arguments);
        assert!(
            code == Some(2) && text.contains(expected),
            "{arguments:?}: {code:?} {text}"
        );
        assert!(!text.contains("planted"), "{text}");
    }
    let probe = |extra: &[&str]| refused(&[&["--script", PROBE, "--port", "0"], extra].concat());
    for (extra, expected) in [
        (
            ["--var", "KV=1"].as_slice(),
            "--var KV: that is the name of a binding",
        ),
        (
            &["--secret", "A=planted", "--secret", "A=planted"],
            "--secret A: that name is given twice",
        ),
    ] {
        let (code, text) = probe(extra);
        assert!(
            code == Some(1) && text.contains(expected),
            "{code:?} {text}"
        );
        assert!(!text.contains("planted"), "{text}");
    }
    let odd = "name = 'w'\ncompatibility_date = '2026-08-20'\nkv_namespaces = [{ binding = 'K\u{dc}' }]\n";
    std::fs::write(&script, "export default {}").expect("written");
    std::fs::write(folder.path().join("wrangler.toml"), odd).expect("written");
    let (code, text) = refused(&["--script", &path, "--port", "0"]);
    assert!(
        code == Some(1) && text.contains("cannot be told to workerd"),
        "{code:?} {text}"
    );
    let (code, text) = refused(&["--script", "/nowhere/worker.js"]);
    assert!(
        code == Some(1) && text.contains("there is no Worker at"),
        "{code:?} {text}"
    );
}

#[test]
fn the_production_worker_keeps_its_limits_across_pops() {
    let server = Workerd::start(&["--pops", "MEX,FRA"]);
    let login = ask(server.address("MEX"), "POST", "/api/auth/login", &[], DEMO);
    assert_eq!(login.status, 200, "{login:?}");
    let bearer = format!(
        "Bearer {}",
        login.json()["token"].as_str().expect("a token")
    );
    let headers = [("authorization", bearer.as_str())];
    let mut statuses = [0_usize; 2];
    for turn in 0..60 {
        let pop = ["MEX", "FRA"][turn % 2];
        match ask(
            server.address(pop),
            "POST",
            "/api/transactions",
            &headers,
            TEA,
        )
        .status
        {
            201 => statuses[0] += 1,
            429 => statuses[1] += 1,
            other => panic!("{other}"),
        }
    }
    assert_eq!(statuses, [50, 10]);
}

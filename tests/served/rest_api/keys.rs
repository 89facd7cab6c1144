use std::time::Duration;

use edgeproof_sim::history::{Op, Outcome};
use serde_json::{Value, json};

use super::api::{Api, Envelope as _};
use support::client::Answer;

fn put(api: &Api, path: &str, key: &str, value: &[u8]) -> Answer {
    api.send("PUT", &format!("{path}/values/{key}"), &[], value)
}

#[test]
fn a_value_is_written_read_listed_and_deleted_and_all_of_it_is_billed() {
    let api = Api::start();
    let path = api.cache_path();
    let value = b"\x00\xff any \r\n bytes";
    assert_eq!(put(&api, &path, "test-key", value).result(), Value::Null);
    let read = api.get(&format!("{path}/values/test-key"));
    assert_eq!((read.status, &*read.body), (200, &value[..]));
    assert_eq!(read.header("content-type"), "application/octet-stream");
    let list = api.get(&format!("{path}/keys"));
    assert_eq!(list.result(), json!([{ "name": "test-key" }]));
    assert_eq!(
        list.json()["result_info"],
        json!({ "count": 1, "cursor": "" })
    );
    let metadata = api.get(&format!("{path}/metadata/test-key"));
    assert_eq!(metadata.result(), Value::Null);

    // One write per second and key.
    let too_soon = api.send("DELETE", &format!("{path}/values/test-key"), &[], b"");
    assert_eq!(too_soon.error().0, 429);
    wait(Duration::from_millis(1_050));
    let deleted = api.send("DELETE", &format!("{path}/values/test-key"), &[], b"");
    assert_eq!(deleted.result(), Value::Null);
    let gone = api.get(&format!("{path}/values/test-key"));
    assert_eq!(
        gone.error(),
        (404, 10_009, "get: 'key not found'".to_owned())
    );
    let gone = api.get(&format!("{path}/metadata/test-key"));
    assert_eq!(
        gone.error(),
        (404, 10_009, "metadata: 'key not found'".to_owned())
    );
    let never = api.send("DELETE", &format!("{path}/values/never-there"), &[], b"");
    assert_eq!(
        never.result(),
        Value::Null,
        "deleting what is not there is no error"
    );

    let (usage, records) = api.served.stop(|world| {
        let usage: Vec<(String, f64)> = world
            .usage()
            .totals()
            .map(|(name, amount)| (name.to_owned(), amount))
            .collect();
        (usage, world.history().records().to_vec())
    });
    let used = |wanted: &str| {
        usage
            .iter()
            .find(|(name, _)| name == wanted)
            .map(|(_, amount)| *amount)
    };
    let counts = ["kv.reads", "kv.writes", "kv.deletes", "kv.lists"].map(used);
    assert_eq!(
        counts,
        [Some(4.0), Some(1.0), Some(2.0), Some(1.0)],
        "{usage:?}"
    );
    // What happened is written down for the checks, as what a Worker does.
    let writes = records.iter().filter(|record| {
        matches!(
            (&record.op, &record.outcome),
            (
                Op::KvPut { .. } | Op::KvDelete { .. },
                Outcome::KvWritten { .. }
            )
        )
    });
    assert_eq!(writes.count(), 3, "{records:?}");
}

#[expect(
    clippy::disallowed_methods,
    reason = "the store's second is the wall clock's"
)]
fn wait(time: Duration) {
    std::thread::sleep(time);
}

#[test]
fn keys_are_any_text_percent_encoded() {
    let api = Api::start();
    let path = api.cache_path();
    for (encoded, key) in [
        ("a%2Fb%20c%25%C3%A9", "a/b c%é"),
        ("%2e%2e%2e", "..."),
        ("a+b", "a+b"),
        ("%F0%9F%A6%80", "🦀"),
        ("q%3Fx%3D1%23f", "q?x=1#f"),
        ("caf\u{e9}", "café"),
    ] {
        assert_eq!(
            put(&api, &path, encoded, key.as_bytes()).result(),
            Value::Null,
            "{key}"
        );
        assert_eq!(api.get(&format!("{path}/values/{encoded}")).text(), key);
    }
    let list = api.get(&format!("{path}/keys")).result();
    let names: Vec<&str> = list
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|key| key["name"].as_str())
        .collect();
    assert_eq!(names, ["...", "a+b", "a/b c%é", "café", "q?x=1#f", "🦀"]);
    for bad in ["%", "%2", "%zz", "%ff", "a%C3", "%C3%28"] {
        for method in ["GET", "PUT", "DELETE"] {
            let answer = api.send(method, &format!("{path}/values/{bad}"), &[], b"");
            let expected = (400, 10_012, "Could not URL-decode key name".to_owned());
            assert_eq!(answer.error(), expected, "{method} {bad}");
        }
    }
}

#[test]
fn the_checks_of_kv_hold() {
    let api = Api::start();
    let path = api.cache_path();
    let error = |answer: Answer| {
        let (status, _, text) = answer.error();
        (status, text)
    };
    let longest = "k".repeat(512);
    assert_eq!(put(&api, &path, &longest, b"v").result(), Value::Null);
    let too_long = (
        414,
        "UTF-8 encoded length of 513 exceeds key length limit of 512.".to_owned(),
    );
    let long = "k".repeat(513);
    assert_eq!(error(put(&api, &path, &long, b"v")), too_long);
    assert_eq!(error(api.get(&format!("{path}/values/{long}"))), too_long);
    assert_eq!(
        error(api.get(&format!("{path}/keys?prefix={long}"))),
        too_long
    );
    for key in ["", "%2E", ".."] {
        assert_eq!(error(put(&api, &path, key, b"v")).0, 400, "{key:?}");
    }
    for (query, text) in [
        (
            "expiration_ttl=59",
            "Invalid expiration_ttl of 59. Expiration TTL must be at least 60.",
        ),
        (
            "expiration_ttl=0",
            "Invalid expiration_ttl of 0. Please specify integer greater than 0.",
        ),
        (
            "expiration_ttl=-5",
            "Invalid expiration_ttl of -5. Please specify integer greater than 0.",
        ),
        (
            "expiration_ttl=soon",
            "Invalid expiration_ttl of soon. Please specify integer greater than 0.",
        ),
        (
            "expiration=1000000000",
            "Invalid expiration of 1000000000. Please specify integer greater than the current number of seconds since the UNIX epoch.",
        ),
    ] {
        let answer = put(&api, &path, &format!("k?{query}"), b"v");
        assert_eq!(error(answer), (400, text.to_owned()));
    }
    // Far beyond what is asked for is no problem.
    assert_eq!(
        put(&api, &path, "far?expiration_ttl=18446744073709551615", b"v").result(),
        Value::Null
    );
    assert_eq!(put(&api, &path, "empty", b"").result(), Value::Null);
    assert_eq!(api.get(&format!("{path}/values/empty")).body, b"");

    let mut large = vec![b'x'; 25 * 1024 * 1024];
    assert_eq!(put(&api, &path, "large", &large).result(), Value::Null);
    assert_eq!(
        api.get(&format!("{path}/values/large")).body.len(),
        large.len()
    );
    large.push(b'x');
    let text = "Value length of 26214401 exceeds limit of 26214400.";
    assert_eq!(
        error(put(&api, &path, "larger", &large)),
        (413, text.to_owned())
    );
    let keys = api.get(&format!("{path}/keys?limit=10")).result();
    assert!(!keys.to_string().contains("larger"));
}

fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, content) in parts {
        body.extend_from_slice(
            format!("--frontier\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n")
                .as_bytes(),
        );
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--frontier--\r\n");
    body
}

const FORM: [(&str, &str); 1] = [("Content-Type", "multipart/form-data; boundary=frontier")];

#[test]
fn a_form_brings_metadata_and_the_query_an_expiration() {
    let api = Api::start();
    let path = api.cache_path();
    let value = b"--frontier is no boundary here\xff\r\n";
    let body = form(&[
        ("value", value),
        ("metadata", r#"{"m":[1,"é"]}"#.as_bytes()),
    ]);
    let key = format!("{path}/values/key?expiration=4000000000");
    assert_eq!(api.send("PUT", &key, &FORM, &body).result(), Value::Null);
    let read = api.get(&format!("{path}/values/key"));
    assert_eq!(
        (&*read.body, read.header("expiration")),
        (&value[..], "4000000000")
    );
    let metadata = json!({ "m": [1, "é"] });
    assert_eq!(api.get(&format!("{path}/metadata/key")).result(), metadata);
    let listed = json!([{ "name": "key", "expiration": 4_000_000_000_u64, "metadata": metadata }]);
    assert_eq!(api.get(&format!("{path}/keys")).result(), listed);

    let only_value = form(&[("value", b"v")]);
    let other = format!("{path}/values/other");
    assert_eq!(
        api.send("PUT", &other, &FORM, &only_value).result(),
        Value::Null
    );
    assert_eq!(
        api.get(&format!("{path}/metadata/other")).result(),
        Value::Null
    );
}

#[test]
fn forms_that_are_none_are_refused() {
    let api = Api::start();
    let path = format!("{}/values/key", api.cache_path());
    let whole = form(&[("value", b"v"), ("metadata", b"{}")]);
    let no_boundary = [("Content-Type", "multipart/form-data")];
    let long = format!("\"{}\"", "m".repeat(1023));
    let cases = [
        (&no_boundary, whole.clone()),
        (&FORM, Vec::new()),
        (&FORM, b"--frontier".to_vec()),
        (&FORM, b"--frontier--".to_vec()),
        (&FORM, whole[..whole.len() - 10].to_vec()),
        (&FORM, b"some other body".to_vec()),
        (&FORM, b"--frontier\r\n\r\nno name\r\n--frontier--".to_vec()),
        (
            &FORM,
            b"--frontier\r\nContent-Disposition: form-data; name=\xff\r\n\r\nx\r\n--frontier--"
                .to_vec(),
        ),
        (&FORM, form(&[("metadata", b"{}")])),
        (&FORM, form(&[("value", b"v"), ("metadata", b"{")])),
        (&FORM, form(&[("value", b"v"), ("metadata", b"\xff")])),
    ];
    for (headers, body) in cases {
        let (status, _, text) = api.send("PUT", &path, headers, &body).error();
        assert_eq!(status, 400, "{text}: {}", String::from_utf8_lossy(&body));
    }
    let too_long = api.send(
        "PUT",
        &path,
        &FORM,
        &form(&[("value", b"v"), ("metadata", long.as_bytes())]),
    );
    let expected = (
        413,
        10_012,
        "Metadata length of 1025 exceeds limit of 1024.".to_owned(),
    );
    assert_eq!(too_long.error(), expected);
    assert_eq!(api.get(&path).status, 404, "none of them wrote");
}

#[test]
fn keys_are_listed_page_by_page_until_the_cursor_is_empty() {
    let api = Api::start();
    let path = api.cache_path();
    let pairs: Vec<Value> = (0..1_234)
        .map(|number| json!({ "key": format!("k{number:04}"), "value": "" }))
        .collect();
    let written = api
        .send_json("PUT", &format!("{path}/bulk"), &json!(pairs))
        .result();
    assert_eq!(
        written,
        json!({ "successful_key_count": 1_234, "unsuccessful_keys": [] })
    );
    assert_eq!(put(&api, &path, "other", b"").result(), Value::Null);

    for (limit, pages) in [
        ("", 2),
        ("&limit=100", 13),
        ("&limit=617", 2),
        ("&limit=1000", 2),
    ] {
        let (mut cursor, mut names, mut asked) = (String::new(), Vec::new(), 0);
        loop {
            let escaped: String = url_encode(&cursor);
            let answer = api.get(&format!("{path}/keys?prefix=k{limit}&cursor={escaped}"));
            let result = answer.result();
            asked += 1;
            assert!(asked <= pages, "the list does not end");
            names.extend(
                result
                    .as_array()
                    .expect("a list")
                    .iter()
                    .map(|key| key["name"].as_str().expect("text").to_owned()),
            );
            cursor = answer.json()["result_info"]["cursor"]
                .as_str()
                .expect("text")
                .to_owned();
            if cursor.is_empty() {
                break;
            }
        }
        assert_eq!((names.len(), asked), (1_234, pages), "{limit}");
        assert!(names.is_sorted());
    }
    for (query, text) in [
        ("limit=9", "limit argument must be at least 10"),
        ("limit=0", "limit argument must be at least 10"),
        ("limit=1001", "limit argument must be at most 1000"),
    ] {
        let answer = api.get(&format!("{path}/keys?{query}"));
        assert_eq!(answer.error(), (400, 10_028, text.to_owned()));
    }
    for query in ["limit=x", "limit=-1", "cursor=%21%21", "cursor=%2F%2F79"] {
        assert_eq!(
            api.get(&format!("{path}/keys?{query}")).error().0,
            400,
            "{query}"
        );
    }
}

fn url_encode(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[test]
fn many_keys_are_written_read_and_deleted_at_once() {
    let api = Api::start();
    let path = api.cache_path();
    let pairs = json!([
        { "key": "text", "value": "v1", "metadata": { "m": 1 } },
        { "key": "bytes", "value": "AP8=", "base64": true, "expiration_ttl": 90 },
        { "key": "json", "value": "{\"a\":1}", "expiration": 4_000_000_000_u64, "metadata": null },
    ]);
    let bulk = format!("{path}/bulk");
    let done = |count: u64, again: Value| json!({ "successful_key_count": count, "unsuccessful_keys": again });
    assert_eq!(
        api.send_json("PUT", &bulk, &pairs).result(),
        done(3, json!([]))
    );
    assert_eq!(api.get(&format!("{path}/values/bytes")).body, [0, 255]);
    assert_eq!(
        api.get(&format!("{path}/metadata/text")).result(),
        json!({ "m": 1 })
    );
    // At once again: the store takes one write per key and second, and says which to try again.
    let again = json!([{ "key": "text", "value": "v2" }, { "key": "new", "value": "v2" }]);
    assert_eq!(
        api.send_json("PUT", &bulk, &again).result(),
        done(1, json!(["text"]))
    );
    assert_eq!(api.get(&format!("{path}/values/text")).text(), "v1");

    let get = |body: Value| api.send_json("POST", &format!("{path}/bulk/get"), &body);
    let values = get(json!({ "keys": ["text", "json", "absent"] })).result();
    assert_eq!(
        values,
        json!({ "values": { "text": "v1", "json": "{\"a\":1}", "absent": null } })
    );
    let values = get(json!({ "keys": ["json"], "type": "json", "withMetadata": true })).result();
    assert_eq!(
        values,
        json!({ "values": { "json": { "value": { "a": 1 }, "metadata": null } } })
    );
    let too_many: Vec<String> = (0..101).map(|number| number.to_string()).collect();
    for (body, text) in [
        (json!({ "keys": [] }), "You must request a minimum of 1 key"),
        (
            json!({ "keys": too_many }),
            "You can request a maximum of 100 keys",
        ),
        (
            json!({ "keys": ["text"], "type": "json" }),
            "At least one of the requested keys corresponds to a non-json value",
        ),
        (
            json!({ "keys": ["text"], "type": "xml" }),
            "\"xml\" is not a valid type. Use \"json\" or \"text\"",
        ),
        (
            json!({ "keys": ["bytes"] }),
            "the value of \"bytes\" is no text",
        ),
    ] {
        assert_eq!(get(body).error(), (400, 10_012, text.to_owned()));
    }

    wait(Duration::from_millis(1_050));
    let keys = json!(["text", "bytes", "absent"]);
    assert_eq!(
        api.send_json("DELETE", &bulk, &keys).result(),
        done(3, json!([]))
    );
    let keys = json!(["json", "new"]);
    assert_eq!(
        api.send_json("POST", &format!("{bulk}/delete"), &keys)
            .result(),
        done(2, json!([]))
    );
    assert_eq!(api.get(&format!("{path}/keys")).result(), json!([]));
}

#[test]
fn a_bulk_write_that_cannot_be_is_refused_before_anything_is_written() {
    let api = Api::start();
    let path = api.cache_path();
    let bulk = format!("{path}/bulk");
    let too_many: Vec<Value> = (0..10_001)
        .map(|number| json!({ "key": number.to_string(), "value": "" }))
        .collect();
    let good = json!({ "key": "good", "value": "v" });
    for bad in [
        json!(too_many),
        json!([good, { "key": "k" }]),
        json!([good, { "value": "v" }]),
        json!([good, { "key": "k", "value": 7 }]),
        json!([good, { "key": "k", "value": "%", "base64": true }]),
        json!([good, { "key": "k", "value": "v", "expiration_ttl": -1 }]),
        json!([good, { "key": "k", "value": "v", "expiration": 1.5 }]),
        json!([good, { "key": "k", "value": "v", "expiration_ttl": 59 }]),
        json!([good, { "key": "", "value": "v" }]),
        json!([good, { "key": "k".repeat(513), "value": "v" }]),
        json!([good, { "key": "k", "value": "v", "metadata": "m".repeat(1023) }]),
        json!({ "key": "k", "value": "v" }),
        json!("text"),
    ] {
        let (status, _, text) = api.send_json("PUT", &bulk, &bad).error();
        assert!((400..500).contains(&status), "{status} {text}");
        assert_eq!(
            api.get(&format!("{path}/keys")).result(),
            json!([]),
            "{text}"
        );
    }
    let problem = api
        .send_json(
            "PUT",
            &bulk,
            &json!([{ "key": "k", "value": "%", "base64": true }]),
        )
        .error();
    assert_eq!((problem.0, problem.1), (400, 10_012));
    assert!(
        problem
            .2
            .starts_with("bulk put: 'could not base64 decode value for key: \"k\""),
        "{problem:?}"
    );
}

//! Section 5: request bodies.

use crate::person::{Person, unique};
use crate::server::Server;
use serde_json::{Value, json};
use support::client::{Answer, TEA};

const LIMIT: usize = 65_536;

/// A right transaction, filled up with white space to so many bytes.
fn tea_of(bytes: usize) -> Vec<u8> {
    let mut body = TEA.as_bytes().to_vec();
    body.resize(bytes, b' ');
    body
}

/// A valid transaction in which one member is replaced; `json` is its new value.
fn tea_with(member: &str, json: &str) -> String {
    let mut right: Value = serde_json::from_str(TEA).expect("JSON");
    right.as_object_mut().expect("an object").remove(member);
    let right = right.to_string();
    format!("{},{}:{json}}}", &right[..right.len() - 1], json!(member))
}

fn create(server: &Server, person: &Person, body: impl Into<Vec<u8>>) -> Answer {
    server
        .post("/api/transactions")
        .by(person)
        .text(body)
        .send()
}

fn b1_the_media_type_is_json(server: &Server) {
    let user = Person::user("media-type");
    let with = |media_type: &str| {
        let asked = server.post("/api/transactions").by(&user).bytes(TEA);
        asked.header("Content-Type", media_type).send().status
    };
    for right in [
        "application/json",
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        "Application/JSON",
        "APPLICATION/JSON ; x=\"y;z\"",
    ] {
        assert_eq!(with(right), 201, "{right}");
    }
    for wrong in [
        "",
        "json",
        "application",
        "application/",
        "application/json5",
        "application/jsonp",
        "application/ld+json",
        "application/problem+json",
        "text/json",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=application/json",
        "text/plain; application/json",
        "text/plain, application/json",
        "application/json, text/plain",
        "*/*",
    ] {
        assert_eq!(with(wrong), 415, "{wrong}");
    }
    let none = server.post("/api/transactions").by(&user).bytes(TEA).send();
    assert_eq!(none.status, 415, "no media type");
    let twice = server
        .post("/api/transactions")
        .by(&user)
        .text(TEA)
        .header("Content-Type", "text/plain")
        .send();
    assert_eq!(twice.status, 415, "two media types");
    let login = server
        .post("/api/auth/login")
        .by(&Person::stranger())
        .bytes("{}");
    assert_eq!(login.send().status, 415, "a login without one");
}

fn b1_65536_bytes_pass_and_one_more_is_too_large(server: &Server) {
    let user = Person::user("size");
    let post = |body: Vec<u8>| server.post("/api/transactions").by(&user).text(body);
    for chunk in [1_000, 16_384, LIMIT, LIMIT + 1] {
        assert_eq!(
            post(tea_of(LIMIT)).in_chunks(chunk).send().status,
            201,
            "in chunks of {chunk}"
        );
        assert_eq!(
            post(tea_of(LIMIT + 1)).in_chunks(chunk).send().status,
            413,
            "in chunks of {chunk}"
        );
    }
    assert_eq!(post(tea_of(LIMIT)).send().status, 201);
    for bytes in [LIMIT + 1, 100_000, 1 << 20, (1 << 20) + 1, 3 << 20] {
        assert_eq!(post(tea_of(bytes)).send().status, 413, "{bytes}");
        assert_eq!(
            post(tea_of(bytes)).in_chunks(50_000).send().status,
            413,
            "{bytes} in chunks"
        );
    }
    // The size is looked at before what is in it.
    assert_eq!(post(vec![b'x'; LIMIT + 1]).send().status, 413);
    let login = server
        .post("/api/auth/login")
        .by(&Person::stranger())
        .text(tea_of(LIMIT + 1));
    assert_eq!(login.send().status, 413);
    assert_eq!(server.rows(&user, "/api/transactions").len(), 5);
}

fn b2_what_is_no_json_is_400(server: &Server) {
    let mut wrong: Vec<Vec<u8>> = [
        "",
        " ",
        "{",
        "}",
        "[",
        "{}{}",
        "{} x",
        "nul",
        "NaN",
        "Infinity",
        "-",
        "'{}'",
        "{'type':'income'}",
        "{type:1}",
        "{\"a\":1,}",
        "{\"a\":01}",
        "{\"a\":.5}",
        "{\"a\":1.}",
        "{\"a\":+1}",
        "{\"a\":NaN}",
        "{\"a\":-Infinity}",
        "{\"a\":0x10}",
        "{\"a\":\"\t\"}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12\"}",
        "// {}",
        "{}/* */",
        "\u{feff}{}",
        "<xml/>",
        "a=b",
        "{\"a\":undefined}",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec();
    wrong.extend([
        b"\xff".to_vec(),
        b"{\"description\":\"\xff\"}".to_vec(),
        b"{\"description\":\"\xc3\x28\"}".to_vec(),
        b"{\"description\":\"\xed\xa0\x80\"}".to_vec(),
        b"{}\0".to_vec(),
        [TEA.as_bytes(), b"x"].concat(),
        [TEA.as_bytes(), TEA.as_bytes()].concat(),
        TEA.as_bytes()[..TEA.len() - 1].to_vec(),
        // UTF-16.
        TEA.encode_utf16().flat_map(u16::to_le_bytes).collect(),
    ]);
    for chunk in wrong.chunks(40) {
        let user = Person::user("malformed");
        for body in chunk {
            let answer = create(server, &user, body.clone());
            assert_eq!(answer.status, 400, "{:?}", String::from_utf8_lossy(body));
        }
        assert!(server.rows(&user, "/api/transactions").is_empty());
    }
    let without = server
        .post("/api/transactions")
        .by(&Person::user("malformed"))
        .header("Content-Type", "application/json");
    assert_eq!(without.send().status, 400, "no body at all");
    for body in ["", "{", "[1", "\u{0}"] {
        let login = server
            .post("/api/auth/login")
            .by(&Person::stranger())
            .text(body);
        assert_eq!(login.send().status, 400, "a login of {body:?}");
    }
}

fn b2_what_is_json_and_no_object_is_422(server: &Server) {
    let user = Person::user("no-object");
    for body in [
        "null", "true", "1", "-0", "1e999", "\"text\"", "[]", "[{}]", "[1,2]", " \n[]\t",
    ] {
        let answer = create(server, &user, body);
        assert!(
            [400, 422].contains(&answer.status),
            "{body}: {}",
            answer.status
        );
        let login = server
            .post("/api/auth/login")
            .by(&Person::stranger())
            .text(body)
            .send();
        assert!(
            [400, 422].contains(&login.status),
            "{body}: {}",
            login.status
        );
    }
}

fn b2_deep_nesting_is_refused(server: &Server) {
    let user = Person::user("nesting");
    let deep = |open: &str, close: &str| open.repeat(30_000) + &close.repeat(30_000);
    let mut bodies = vec![
        deep("[", "]"),
        "[".repeat(60_000),
        "{\"a\":".repeat(10_000),
        "{\"a\":".repeat(10_000) + "1" + &"}".repeat(10_000),
    ];
    bodies.push(tea_with("more", &deep("[", "]")));
    for body in bodies {
        assert!(body.len() <= LIMIT);
        let answer = create(server, &user, body.clone());
        assert!(
            [400, 413, 422].contains(&answer.status),
            "{}: {}",
            &body[..40],
            answer.status
        );
    }
    // Within a string brackets nest nothing.
    let text = json!("[".repeat(500)).to_string();
    assert_eq!(
        create(server, &user, tea_with("description", &text)).status,
        201
    );
}

fn b3_every_member_is_checked_and_every_fault_listed(server: &Server) {
    let right = [
        (
            "type",
            vec!["\"income\"", "\"expense\"", "\"\\u0069ncome\""],
        ),
        (
            "amount",
            vec![
                "0.01",
                "1",
                "1.5",
                "12.34",
                "1e2",
                "1.10",
                "1000000000000",
                "1e12",
                "999999999999.99",
            ],
        ),
        (
            "description",
            vec!["\"x\"", "\" \"", "\"\\u00e9\"", "\"\\ud83d\\udea8\""],
        ),
        (
            "date",
            vec![
                "\"2024-02-29\"",
                "\"2000-02-29\"",
                "\"1999-12-31\"",
                "\"0001-01-01\"",
                "\"9999-12-31\"",
            ],
        ),
    ];
    let long = json!("é".repeat(501)).to_string();
    let wrong = [
        (
            "type",
            vec![
                "\"Income\"",
                "\"transfer\"",
                "\"\"",
                "null",
                "1",
                "[\"income\"]",
                "\"income \"",
            ],
        ),
        (
            "amount",
            vec![
                "0",
                "-0",
                "-1",
                "0.001",
                "12.345",
                "1e-3",
                "1000000000000.01",
                "1e13",
                "1e400",
                "\"12\"",
                "null",
                "true",
                "[1]",
                "123456789012345678901234567890",
            ],
        ),
        (
            "description",
            vec!["\"\"", "null", "1", "[]", "\"\\ud83d\"", &long],
        ),
        (
            "date",
            vec![
                "\"2023-02-29\"",
                "\"1900-02-29\"",
                "\"2024-04-31\"",
                "\"2024-13-01\"",
                "\"2024-00-10\"",
                "\"2024-1-1\"",
                "\"20240101\"",
                "\"2024-01-01T00:00:00Z\"",
                "\" 2024-01-01\"",
                "\"01/02/2024\"",
                "\"\"",
                "null",
                "20240101",
                "\"today\"",
            ],
        ),
    ];
    for (member, values) in right {
        let user = Person::user("right");
        for value in values {
            let answer = create(server, &user, tea_with(member, value));
            assert_eq!(answer.status, 201, "{member}: {value}: {}", answer.text());
        }
        let longest = json!("é".repeat(500)).to_string();
        assert_eq!(
            create(server, &user, tea_with("description", &longest)).status,
            201
        );
    }
    for (member, values) in wrong {
        let user = Person::user("wrong");
        for value in values {
            let answer = create(server, &user, tea_with(member, value));
            assert!(
                [400, 422].contains(&answer.status),
                "{member}: {value}: {}",
                answer.status
            );
            if answer.status == 422 {
                let pointers: Vec<Value> = faults(&answer);
                assert_eq!(pointers, [json!(format!("/{member}"))], "{value}");
            }
        }
        assert!(server.rows(&user, "/api/transactions").is_empty());
    }
    let user = Person::user("wrong");
    let all = create(server, &user, "{\"test\":\"data\"}");
    assert_eq!(all.status, 422);
    assert_eq!(
        faults(&all),
        ["/type", "/amount", "/description", "/date"].map(Value::from)
    );
    assert_eq!(
        create(
            server,
            &user,
            tea_with("type", "\"income\",\"type\":\"expense\"")
        )
        .status,
        422,
        "a member twice"
    );
}

fn faults(answer: &Answer) -> Vec<Value> {
    let errors = answer.json()["errors"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    assert!(
        errors.iter().all(|error| error["detail"].is_string()),
        "{errors:?}"
    );
    errors
        .into_iter()
        .map(|error| error["pointer"].clone())
        .collect()
}

fn b3_a_login_has_a_name_and_a_password_of_1_to_256_characters(server: &Server) {
    let status = |body: Value| {
        let login = server
            .post("/api/auth/login")
            .by(&Person::stranger())
            .json(&body);
        login.send().status
    };
    let (long, longer) = ("🚨".repeat(256), "x".repeat(257));
    for right in ["x", " ", "O'Brien", "ü", &long] {
        assert_eq!(
            status(json!({"username": right, "password": right, "role": "admin"})),
            401,
            "{right}"
        );
    }
    for wrong in [
        json!(""),
        json!(longer),
        json!("a\u{0}b"),
        json!(1),
        json!(null),
        json!(["x"]),
        json!({}),
    ] {
        for body in [
            json!({"username": wrong, "password": "x"}),
            json!({"username": "x", "password": wrong}),
        ] {
            assert_eq!(status(body.clone()), 422, "{body}");
        }
    }
    for absent in [
        json!({}),
        json!({"username": "x"}),
        json!({"password": "x"}),
        json!({"Username": "x", "password": "x"}),
    ] {
        assert_eq!(status(absent.clone()), 422, "{absent}");
    }
}

fn b3_owner_id_and_role_never_come_from_the_body(server: &Server) {
    let (user, victim) = (Person::user("owner"), Person::user("victim"));
    let mut body: Value = serde_json::from_str(TEA).expect("JSON");
    for (name, value) in [
        ("id", json!(1)),
        ("user_id", json!(victim.id)),
        ("userId", json!(victim.id)),
        ("owner", json!(victim.id)),
        ("sub", json!(victim.id)),
        ("role", json!("admin")),
        ("createdAt", json!("2000-01-01T00:00:00Z")),
        ("__proto__", json!({"role": "admin"})),
        ("constructor", json!({"prototype": {"role": "admin"}})),
    ] {
        body[name] = value;
    }
    let answer = server
        .post("/api/transactions")
        .by(&user)
        .json(&body)
        .send();
    assert!([201, 422].contains(&answer.status));
    assert!(server.rows(&victim, "/api/transactions").is_empty());
    if answer.status == 201 {
        assert_ne!(answer.json()["data"]["id"], 1);
        assert_ne!(answer.json()["data"]["createdAt"], "2000-01-01T00:00:00Z");
        assert_eq!(
            server.rows(&user, "/api/transactions"),
            [answer.json()["data"].clone()]
        );
    }
    assert_eq!(
        server.get("/api/admin/metrics").by(&user).send().status,
        403
    );
}

fn b4_text_comes_back_byte_for_byte(server: &Server) {
    let user = Person::user("text");
    let hostile = [
        "O'Brien",
        "SELECT a gift",
        "DROP TABLE transactions",
        "'; DROP TABLE transactions; --",
        "\" OR \"\"=\"",
        "<script>alert('x')</script>",
        "&lt;b&gt; &amp; &#39;",
        "</script><!--",
        "${jndi:ldap://x/y}",
        "{{7*7}}",
        "%00%0d%0a",
        "..\\..//etc/passwd",
        "line\nbreak\r\ttab",
        "\u{1}\u{1f}\u{7f}",
        "🚨 🔒 👩‍👩‍👧",
        "é e\u{301}",
        "\u{202e}right to left",
        "\u{feff}mark",
        "\u{fffd}\u{ffff}",
        "  spaces  ",
        "\\u0041 \\n",
        "null",
        "ｆｕｌｌ",
        "=cmd|' /C calc'!A0",
        "\u{2028}\u{2029}",
    ];
    let marked: Vec<String> = hostile
        .iter()
        .map(|text| format!("{text}{}", unique("#")))
        .collect();
    let mut kept = Vec::new();
    for text in &marked {
        let body = tea_with("description", &json!(text).to_string());
        let answer = create(server, &user, body);
        assert!(
            [201, 422].contains(&answer.status),
            "{text:?}: {}",
            answer.status
        );
        if answer.status == 201 {
            assert_eq!(answer.json()["data"]["description"], json!(text));
            kept.push(text.clone());
        }
    }
    for plain in ["O'Brien", "SELECT a gift", "🚨 🔒"] {
        assert!(
            kept.iter().any(|text| text.starts_with(plain)),
            "{plain} passes"
        );
    }
    kept.reverse();
    let rows = server.rows(&user, "/api/transactions?limit=100");
    let texts: Vec<&str> = rows
        .iter()
        .filter_map(|row| row["description"].as_str())
        .collect();
    assert_eq!(texts, kept);
    let dashboard = server.get("/api/dashboard").by(&user).send().json();
    assert_eq!(
        dashboard["data"]["recent"][0]["description"],
        json!(kept[0])
    );
    // The same text written with escapes is the same text.
    let escaped = create(
        server,
        &user,
        tea_with("description", "\"\\u0041\\/\\u00e9\\ud83d\\udea8\""),
    );
    assert_eq!(escaped.json()["data"]["description"], "A/é🚨");
}

on_every_arm!(
    b1_65536_bytes_pass_and_one_more_is_too_large,
    b1_the_media_type_is_json,
    b2_deep_nesting_is_refused,
    b2_what_is_json_and_no_object_is_422,
    b2_what_is_no_json_is_400,
    b3_a_login_has_a_name_and_a_password_of_1_to_256_characters,
    b3_every_member_is_checked_and_every_fault_listed,
    b3_owner_id_and_role_never_come_from_the_body,
    b4_text_comes_back_byte_for_byte,
);

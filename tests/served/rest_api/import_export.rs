use serde_json::{Value, json};

use super::api::{Api, DATABASES, Envelope as _};
use support::client::Answer;

/// MD5 of `text`, by md5sum.
const ONE: (&str, &str) = (
    "CREATE TABLE one (x);\n",
    "eda47d1c753ab56706a91466cbe1721b",
);

fn post(api: &Api, path: &str, action: Value) -> Answer {
    api.send_json("POST", path, &action)
}

/// Path and query of a URL of this server.
fn target(api: &Api, url: &Value) -> String {
    let url = url.as_str().expect("text");
    let path = url.strip_prefix(&api.served.url()).expect("at this server");
    path.to_owned()
}

/// Imports SQL as wrangler does, without its token where it has none to give; gives the final answer.
fn import(api: &Api, database: &str, sql: &str) -> Value {
    let path = format!("{database}/import");
    // The checksum comes back with the upload, so the first one may be anything.
    let probe = post(api, &path, json!({ "action": "init", "etag": "?" })).result();
    let uploaded = api.send_bare(
        "PUT",
        &target(api, &probe["upload_url"]),
        &[],
        sql.as_bytes(),
    );
    assert_eq!((uploaded.status, &*uploaded.body), (200, &b""[..]));
    let etag = uploaded.header("etag").trim_matches('"').to_owned();
    post(
        api,
        &path,
        json!({ "action": "ingest", "filename": probe["filename"], "etag": etag }),
    )
    .result()
}

/// Exports a database as wrangler does.
fn export(api: &Api, database: &str, options: Value) -> Answer {
    let body = json!({ "output_format": "polling", "dump_options": options });
    let answer = post(api, &format!("{database}/export"), body);
    if answer.status != 200 {
        return answer;
    }
    let result = answer.result();
    assert_eq!(
        (&result["status"], &result["success"]),
        (&json!("complete"), &json!(true))
    );
    let target = target(api, &result["result"]["signed_url"]);
    assert!(target.ends_with(result["result"]["filename"].as_str().expect("text")));
    api.send_bare("GET", &target, &[], b"")
}

fn new_database(api: &Api, name: &str) -> String {
    let made = api
        .send_json("POST", DATABASES, &json!({ "name": name }))
        .result();
    format!("{DATABASES}/{}", made["uuid"].as_str().expect("text"))
}

#[test]
fn sql_is_uploaded_under_a_name_good_once_and_run_as_one_transaction() {
    let api = Api::start();
    let path = api.db_path();
    let import_path = format!("{path}/import");
    let (sql, md5) = ONE;
    let init = post(&api, &import_path, json!({ "action": "init", "etag": md5 })).result();
    let (url, filename) = (target(&api, &init["upload_url"]), init["filename"].clone());
    assert!(
        filename.as_str().is_some_and(|name| name.len() >= 32),
        "{init}"
    );
    // Not there yet.
    let ingest = json!({ "action": "ingest", "filename": filename, "etag": md5 });
    assert_eq!(
        post(&api, &import_path, ingest.clone()).result()["success"],
        false
    );
    assert_eq!(api.send_bare("GET", &url, &[], b"").status, 404);
    let uploaded = api.send_bare("PUT", &url, &[], sql.as_bytes());
    assert_eq!(
        (uploaded.status, uploaded.header("etag")),
        (200, &*format!("\"{md5}\""))
    );
    assert_eq!(
        api.send_bare("PUT", &url, &[], b"DROP TABLE one").status,
        404,
        "good once"
    );
    // Another checksum, another database: another file.
    let wrong = json!({ "action": "ingest", "filename": filename, "etag": "0".repeat(32) });
    assert_eq!(post(&api, &import_path, wrong).result()["success"], false);
    let other = new_database(&api, "other");
    assert_eq!(
        post(&api, &format!("{other}/import"), ingest.clone()).result()["success"],
        false
    );

    let done = post(&api, &import_path, ingest.clone()).result();
    assert_eq!(
        (&done["status"], &done["success"]),
        (&json!("complete"), &json!(true)),
        "{done}"
    );
    assert_eq!(done["result"]["num_queries"], 1);
    assert!(
        done["result"]["meta"]["rows_written"].as_u64() > Some(0),
        "{done}"
    );
    assert!(
        done["result"]["final_bookmark"]
            .as_str()
            .is_some_and(|mark| mark.len() == 59),
        "{done}"
    );
    assert_eq!(
        api.query(&path, "SELECT * FROM one")[0]["results"],
        json!([])
    );
    assert_eq!(
        post(&api, &import_path, ingest).result()["success"],
        false,
        "run once"
    );
    let poll = post(
        &api,
        &import_path,
        json!({ "action": "poll", "current_bookmark": "x" }),
    )
    .result();
    assert_eq!(poll["success"], false, "nothing is under way");
}

#[test]
fn an_import_that_fails_leaves_nothing_and_says_why() {
    let api = Api::start();
    let path = api.db_path();
    for (sql, error) in [
        (
            "CREATE TABLE t (x); INSERT INTO absent VALUES (1);",
            "no such table: absent",
        ),
        ("", "No SQL statements detected."),
        ("-- only a comment\n", "No SQL statements detected."),
    ] {
        let answer = import(&api, &path, sql);
        assert_eq!(
            (&answer["success"], &answer["status"]),
            (&json!(false), &json!("error"))
        );
        let text = answer["error"].as_str().expect("text");
        assert!(text.contains(error), "{text}");
    }
    assert_eq!(api.get(&path).result()["num_tables"], 0);
    let probe = post(
        &api,
        &format!("{path}/import"),
        json!({ "action": "init", "etag": "?" }),
    )
    .result();
    let uploaded = api.send_bare(
        "PUT",
        &target(&api, &probe["upload_url"]),
        &[],
        b"SELECT '\xff'",
    );
    let etag = uploaded.header("etag").trim_matches('"');
    let ingest = json!({ "action": "ingest", "filename": probe["filename"], "etag": etag });
    let answer = post(&api, &format!("{path}/import"), ingest).result();
    assert_eq!(answer["error"], "the uploaded file is not UTF-8");
    for action in [
        json!({}),
        json!({ "action": "start" }),
        json!({ "action": "init" }),
        json!({ "action": "init", "etag": "" }),
        json!({ "action": "ingest", "etag": "x" }),
    ] {
        let (status, code, _) = post(&api, &format!("{path}/import"), action).error();
        assert_eq!((status, code), (400, 7400));
    }
}

/// A database with everything that an export must get right.
const ALL_KINDS: &str = r#"
CREATE TABLE parent (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL);
CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent (id), twice INTEGER GENERATED ALWAYS AS (id * 2) STORED, thrice AS (id * 3));
CREATE TABLE "odd ""name" ("a b" , [select] BLOB, UNIQUE ("a b")) ;
CREATE TABLE without_rowid (k TEXT PRIMARY KEY, v REAL) WITHOUT ROWID;
CREATE TABLE log (line TEXT);
CREATE INDEX by_name ON parent (name) WHERE name <> ';';
CREATE VIEW names AS SELECT name FROM parent;
CREATE TRIGGER watch AFTER INSERT ON parent BEGIN INSERT INTO log VALUES ('new; parent'); END;
INSERT INTO parent (name) VALUES ('it''s'), (';'), ('new
line'), ('é🦀'), ('deleted');
DELETE FROM parent WHERE name = 'deleted';
DELETE FROM log;
INSERT INTO child (id, parent) VALUES (1, 2), (9007199254740993, NULL);
INSERT INTO "odd ""name" VALUES (NULL, x'00ff'), (1.5, 'text'), (-9223372036854775808, NULL);
INSERT INTO without_rowid VALUES ('inf', 9e999), ('minus', -9e999), ('third', 1.0 / 3), ('whole', 5), ('tiny', 5e-324), ('nul', NULL);
INSERT INTO log VALUES (CAST(x'610062' AS TEXT));
"#;

#[test]
fn an_export_makes_the_same_database_again() {
    let api = Api::start();
    let path = api.db_path();
    let imported = import(&api, &path, ALL_KINDS);
    assert_eq!(imported["success"], true, "{imported}");
    let exported = export(&api, &path, json!({}));
    let copy = new_database(&api, "copy");
    let again = import(&api, &copy, &exported.text());
    assert_eq!(again["success"], true, "{again}: {}", exported.text());
    assert_eq!(export(&api, &copy, json!({})).text(), exported.text());
    for sql in [
        "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_auto%' ORDER BY name",
        "SELECT * FROM parent",
        "SELECT *, typeof(parent) FROM child",
        "SELECT typeof(\"a b\"), \"a b\", typeof([select]), hex([select]) FROM \"odd \"\"name\"",
        "SELECT k, typeof(v), quote(v) FROM without_rowid",
        "SELECT hex(line), typeof(line) FROM log",
        "SELECT * FROM sqlite_sequence",
    ] {
        let (one, other) = (api.query(&path, sql), api.query(&copy, sql));
        assert_eq!(one[0]["results"], other[0]["results"], "{sql}");
        assert_ne!(one[0]["results"], json!([]), "{sql}");
    }
}

#[test]
fn an_export_leaves_out_what_it_is_told_to() {
    let api = Api::start();
    let path = api.db_path();
    import(&api, &path, ALL_KINDS);
    let text = |options: Value| export(&api, &path, options).text();
    let schema = text(json!({ "no_schema": false, "no_data": true, "tables": [] }));
    assert!(
        schema.contains("CREATE TABLE parent")
            && schema.contains("CREATE TRIGGER")
            && !schema.contains("\nINSERT"),
        "{schema}"
    );
    let data = text(json!({ "no_schema": true }));
    assert!(
        data.contains("\nINSERT INTO \"parent\"") && !data.contains("CREATE TABLE"),
        "{data}"
    );
    let one = text(json!({ "tables": ["parent"] }));
    assert!(
        one.contains("CREATE INDEX by_name")
            && one.contains("CREATE TRIGGER watch")
            && !one.contains("CREATE TABLE child"),
        "{one}"
    );
    let absent = export(&api, &path, json!({ "tables": ["absent"] }));
    assert_eq!(
        absent.error(),
        (400, 7500, "no such table: absent".to_owned())
    );

    api.query(&path, "CREATE VIRTUAL TABLE words USING fts5(word)");
    let refused = export(&api, &path, json!({}));
    let text = "D1 Export error: cannot export databases with Virtual Tables (fts5)";
    assert_eq!(refused.error(), (400, 7500, text.to_owned()));
    assert_eq!(
        export(&api, &path, json!({ "tables": ["parent"] })).text(),
        one
    );
    let other_format = post(
        &api,
        &format!("{path}/export"),
        json!({ "output_format": "file" }),
    );
    assert_eq!(other_format.error().1, 7400);
}

#[test]
fn no_name_is_good_that_was_not_given_out() {
    let api = Api::start();
    for path in [
        "/d1-import/",
        "/d1-export/",
        "/d1-import/0123456789abcdef0123456789abcdef",
        "/d1-export/x/y.sql",
        "/d1-export/../client/v4",
    ] {
        for method in ["GET", "PUT", "POST"] {
            assert_eq!(
                api.send_bare(method, path, &[], b"x").error().0,
                404,
                "{method} {path}"
            );
        }
    }
    // An export's name is not an upload's, and another export has another.
    let path = api.db_path();
    let url = || {
        let body = json!({ "output_format": "polling" });
        target(
            &api,
            &post(&api, &format!("{path}/export"), body).result()["result"]["signed_url"],
        )
    };
    let (one, other) = (url(), url());
    assert_ne!(one, other);
    assert_eq!(api.send_bare("PUT", &one, &[], b"x").status, 404);
    assert_eq!(
        api.send_bare("PUT", &one.replace("export", "import"), &[], b"x")
            .status,
        404
    );
    assert_eq!(api.send_bare("GET", &one, &[], b"").status, 200);
}

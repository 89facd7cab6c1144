use serde_json::{Value, json};

use super::api::{Api, CONFIG, DATABASES, Envelope as _, world};

fn sql_error(api: &Api, path: &str, body: &Value) -> String {
    let (status, code, text) = api
        .send_json("POST", &format!("{path}/query"), body)
        .error();
    assert_eq!((status, code), (400, 7500), "{text}");
    text
}

#[test]
fn a_database_is_made_found_by_name_and_deleted() {
    let api = Api::start();
    let made = api
        .send_json(
            "POST",
            DATABASES,
            &json!({ "name": "logs", "primary_location_hint": "weur" }),
        )
        .result();
    let uuid = made["uuid"].as_str().expect("text");
    let form: Vec<usize> = uuid.split('-').map(str::len).collect();
    assert_eq!(form, [8, 4, 4, 4, 12], "{uuid}");
    assert_eq!(
        (&made["name"], &made["num_tables"]),
        (&json!("logs"), &json!(0)),
        "{made}"
    );
    let created = made["created_at"].as_str().expect("text");
    assert!(
        created.starts_with("2026-01-01T00:00:0") && created.ends_with('Z'),
        "{created}"
    );

    let fields = api
        .get(&format!("{DATABASES}/logs?fields=uuid,name"))
        .result();
    assert_eq!(
        fields,
        json!({ "uuid": uuid, "name": "logs" }),
        "as wrangler looks it up"
    );
    let path = format!("{DATABASES}/{uuid}");
    assert_eq!(api.get(&path).result()["name"], "logs");
    api.query(&path, "CREATE TABLE t (x); CREATE INDEX i ON t (x)");
    assert_eq!(api.get(&path).result()["num_tables"], 1);

    let again = api.send_json("POST", DATABASES, &json!({ "name": "logs" }));
    assert_eq!(
        again.error(),
        (
            400,
            7502,
            "Database with name: 'logs' already exists".to_owned()
        )
    );
    assert_eq!(api.send("DELETE", &path, &[], b"").result(), Value::Null);
    let gone = (404, 7404, format!("The database {uuid} could not be found"));
    assert_eq!(api.get(&path).error(), gone);
    assert_eq!(api.send("DELETE", &path, &[], b"").error(), gone);
    assert_eq!(
        api.send_json(
            "POST",
            &format!("{path}/query"),
            &json!({ "sql": "SELECT 1" })
        )
        .error(),
        gone
    );
    let by_name = api.get(&format!("{DATABASES}/logs"));
    assert_eq!(
        by_name.error(),
        (404, 7404, "The database logs could not be found".to_owned())
    );
    // Only a look goes by name.
    let query = api.send_json(
        "POST",
        &format!("{DATABASES}/orders/query"),
        &json!({ "sql": "SELECT 1" }),
    );
    assert_eq!(
        query.error(),
        (
            400,
            7400,
            "Invalid property: databaseId => Invalid uuid".to_owned()
        )
    );
}

#[test]
fn databases_are_listed_by_page_and_by_name_up_to_the_plans_limit() {
    let api = Api::start();
    // Ten are the free plan's, and one is there.
    for number in 0..9 {
        let made = api.send_json("POST", DATABASES, &json!({ "name": format!("d{number}") }));
        assert_eq!(made.status, 200, "{made:?}");
    }
    let one_more = api.send_json("POST", DATABASES, &json!({ "name": "d9" }));
    assert_eq!(
        one_more.error(),
        (
            400,
            7406,
            "System limit reached: databases per account (10)".to_owned()
        )
    );
    let count = |query: &str| {
        let list = api.get(&format!("{DATABASES}?{query}")).result();
        list.as_array().expect("a list").len()
    };
    // As wrangler asks.
    assert_eq!(
        (count("per_page=10&page=1"), count("per_page=10&page=2")),
        (10, 0)
    );
    assert_eq!(
        (
            count(""),
            count("per_page=4&page=3"),
            count("name=d3"),
            count("name=d")
        ),
        (10, 2, 1, 0)
    );
    for query in ["page=0", "per_page=0", "per_page=x"] {
        assert_eq!(
            api.get(&format!("{DATABASES}?{query}")).error().0,
            400,
            "{query}"
        );
    }
    for body in ["", "{}", "{\"name\":7}", "{\"name\":\"\"}", "[1"] {
        let answer = api.send("POST", DATABASES, &[], body.as_bytes());
        let (status, code, _) = answer.error();
        assert_eq!((status, code), (400, 7400), "{body}");
    }
}

#[test]
fn statements_in_one_string_have_a_result_each_in_one_transaction() {
    let api = Api::start();
    let path = api.db_path();
    let results = api.query(
        &path,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT UNIQUE);\n-- a comment; with a semicolon\n\
         INSERT INTO t (x) VALUES ('a;b'), ('c'); SELECT * FROM t; ",
    );
    let results = results.as_array().expect("a list");
    assert_eq!(results.len(), 3);
    assert_eq!(
        results[2]["results"],
        json!([{ "id": 1, "x": "a;b" }, { "id": 2, "x": "c" }])
    );
    assert!(results.iter().all(|result| result["success"] == true));
    let meta = &results[1]["meta"];
    assert_eq!(
        (
            &meta["changes"],
            &meta["last_row_id"],
            &meta["rows_written"],
            &meta["changed_db"]
        ),
        (&json!(2), &json!(2), &json!(4), &json!(true)),
        "{meta}"
    );
    assert_eq!(
        (&meta["served_by_colo"], &meta["served_by_region"]),
        (&json!("IAD"), &json!("ENAM"))
    );
    assert!(
        meta["duration"].as_f64().is_some_and(|ms| ms > 0.0)
            && meta["size_after"].as_u64() > Some(4096),
        "{meta}"
    );

    let failed = sql_error(
        &api,
        &path,
        &json!({ "sql": "INSERT INTO t (x) VALUES ('d'); INSERT INTO t (x) VALUES ('c')" }),
    );
    assert_eq!(
        failed,
        "UNIQUE constraint failed: t.x: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_UNIQUE)"
    );
    assert_eq!(
        api.query(&path, "SELECT count(*) AS n FROM t")[0]["results"],
        json!([{ "n": 2 }])
    );

    let usage = api.served.stop(|world| {
        let totals: Vec<(String, f64)> = world
            .usage()
            .totals()
            .map(|(name, amount)| (name.to_owned(), amount))
            .collect();
        totals
    });
    let used = |wanted: &str| {
        usage
            .iter()
            .find(|(name, _)| name == wanted)
            .map(|(_, amount)| *amount)
    };
    assert!(
        used("d1.rows_written") >= Some(4.0) && used("d1.rows_read") >= Some(4.0),
        "{usage:?}"
    );
}

#[test]
fn values_and_parameters_pass_as_the_binding_passes_them() {
    let api = Api::start();
    let path = api.db_path();
    let ask = |body: Value| api.send_json("POST", &format!("{path}/query"), &body);
    let parameters = json!([null, 7, 0.1, "it's", true, [0, 255], -3]);
    let answer = ask(
        json!({ "sql": "SELECT ?1 AS a, ?2 AS b, ?3 AS c, ?4 AS d, ?5 AS e, ?6 AS f, ?7 AS g", "params": parameters }),
    );
    let row = json!({ "a": null, "b": 7, "c": 0.1, "d": "it's", "e": 1, "f": [0, 255], "g": -3 });
    assert_eq!(answer.result()[0]["results"], json!([row]));
    let large =
        ask(json!({ "sql": "SELECT 9007199254740993 AS x, 9e999 AS y, 9007199254740992 AS z" }))
            .result();
    assert_eq!(
        large[0]["results"],
        json!([{ "x": 9_007_199_254_740_992.0, "y": null, "z": 9_007_199_254_740_992_u64 }])
    );
    // As JavaScript has it: of two columns with one name the last stays; `raw` keeps both.
    assert_eq!(
        ask(json!({ "sql": "SELECT 1 AS x, 2 AS x" })).result()[0]["results"],
        json!([{ "x": 2 }])
    );
    let raw = api
        .send_json(
            "POST",
            &format!("{path}/raw"),
            &json!({ "sql": "SELECT 1 AS x, 2 AS x; SELECT NULL AS n" }),
        )
        .result();
    assert_eq!(
        raw[0]["results"],
        json!({ "columns": ["x", "x"], "rows": [[1, 2]] })
    );
    assert_eq!(
        raw[1]["results"],
        json!({ "columns": ["n"], "rows": [[null]] })
    );
    let last = ask(json!({ "sql": "SELECT 1 AS x; SELECT ? AS y", "params": [2] })).result();
    assert_eq!(
        (&last[0]["results"], &last[1]["results"]),
        (&json!([{ "x": 1 }]), &json!([{ "y": 2 }])),
        "parameters are the last statement's"
    );
    let batch = ask(json!({ "batch": [
        { "sql": "CREATE TABLE t (x)" },
        { "sql": "INSERT INTO t VALUES (?)", "params": ["one"] },
        { "sql": "SELECT x FROM t", "params": [] },
    ] }));
    assert_eq!(batch.result()[2]["results"], json!([{ "x": "one" }]));
}

#[test]
fn what_sqlite_refuses_is_told_in_its_words() {
    let api = Api::start();
    let path = api.db_path();
    for (sql, text) in [
        (
            "SELEKT",
            "near \"SELEKT\": syntax error at offset 0: SQLITE_ERROR",
        ),
        (
            "SELECT * FROM absent",
            "no such table: absent: SQLITE_ERROR",
        ),
        ("", "No SQL statements detected."),
        ("-- nothing", "No SQL statements detected."),
    ] {
        assert_eq!(
            sql_error(&api, &path, &json!({ "sql": sql })),
            text,
            "{sql}"
        );
    }
    let refused = sql_error(&api, &path, &json!({ "sql": "BEGIN" }));
    assert!(
        refused.starts_with("To execute a transaction,"),
        "{refused}"
    );
    assert_eq!(
        sql_error(&api, &path, &json!({ "batch": [] })),
        "No SQL statements detected."
    );
    for body in [
        json!({}),
        json!({ "sql": 7 }),
        json!({ "sql": "SELECT 1", "batch": [] }),
        json!({ "sql": "SELECT ?", "params": [{ "an": "object" }] }),
        json!({ "sql": "SELECT ?", "params": [[256]] }),
        json!({ "sql": "SELECT ?", "params": [["a"]] }),
        json!({ "sql": "SELECT ?", "params": "text" }),
        json!({ "batch": { "sql": "SELECT 1" } }),
        json!([{ "sql": "SELECT 1" }]),
    ] {
        let (status, code, text) = api
            .send_json("POST", &format!("{path}/query"), &body)
            .error();
        assert_eq!((status, code), (400, 7400), "{body}: {text}");
    }
}

#[test]
fn time_travel_says_that_it_is_not_there() {
    let api = Api::start();
    let path = api.db_path();
    for (method, rest) in [
        ("GET", "bookmark?timestamp=2026-01-01T00:00:00Z"),
        ("POST", "restore?bookmark=x"),
    ] {
        let (status, code, text) = api
            .send(method, &format!("{path}/time_travel/{rest}"), &[], b"")
            .error();
        assert_eq!((status, code), (501, 7500));
        assert!(text.contains("Time Travel"), "{text}");
    }
}

#[test]
fn two_bindings_of_one_name_are_one_database_and_an_id_is_kept() {
    let config = format!(
        "{CONFIG}\n[[env.two.d1_databases]]\nbinding = 'A'\ndatabase_name = 'same'\n\
         [[env.two.d1_databases]]\nbinding = 'B'\ndatabase_name = 'same'\n\
         [[env.two.d1_databases]]\nbinding = 'C'\ndatabase_name = 'own'\ndatabase_id = '01234567-89ab-cdef-0123-456789abcdef'\n"
    );
    let api = Api::over(move || {
        let config =
            edgeproof_sim::wrangler::WorkerConfig::parse(&config, "wrangler.toml", Some("two"));
        world(CONFIG).config(config.expect("a configuration"))
    });
    let list = api.get(DATABASES).result();
    let names: Vec<&str> = list
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|item| item["name"].as_str())
        .collect();
    assert_eq!(names, ["own", "same"]);
    let own = api.get(&format!("{DATABASES}/own")).result();
    assert_eq!(own["uuid"], "01234567-89ab-cdef-0123-456789abcdef");
}

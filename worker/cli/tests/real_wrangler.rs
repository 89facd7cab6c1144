//! The real wrangler against `sim api`: the steps of a deployment's handbook that concern KV and D1.
//!
//! Needs npm: `sim tools` installs wrangler, and a Node where the system's is too old. EDGEPROOF_NODE and EDGEPROOF_WRANGLER (the path
//! of its JavaScript entry) name others, which are then not installed.

#![cfg(unix)]

#[path = "support/server.rs"]
mod server;

use serde_json::{Value, json};
use server::Server;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;
use support::client::{DEMO, ask, eventually};
use tempfile::TempDir;

const TOKEN: &str = "planted-token-of-the-api";

/// The Worker's folder, with its `wrangler.toml`.
const WORKER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Node, and wrangler's entry.
static TOOLS: LazyLock<(PathBuf, PathBuf)> = LazyLock::new(|| {
    let given = |name| std::env::var_os(name).map(PathBuf::from);
    if let (Some(node), Some(wrangler)) = (given("EDGEPROOF_NODE"), given("EDGEPROOF_WRANGLER")) {
        return (node, wrangler);
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_sim"));
    command
        .args(["tools", "--yes"])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    let output = command.output().expect("it starts");
    assert!(output.status.success(), "sim tools: {}", output.status);
    let paths: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let path = |name: &str| PathBuf::from(paths[name].as_str().expect("a path"));
    (path("node"), path("wrangler"))
});

/// Wrangler, pointed at a server.
struct Wrangler {
    home: TempDir,
    base: String,
    token: &'static str,
}

impl Wrangler {
    fn new(server: &Server) -> Self {
        Self {
            home: TempDir::new().expect("a folder"),
            base: server
                .exported("CLOUDFLARE_API_BASE_URL")
                .expect("it is told"),
            token: TOKEN,
        }
    }

    fn output(&self, folder: &Path, arguments: &[&str]) -> Output {
        let (node, wrangler) = &*TOOLS;
        let mut command = Command::new(node);
        command
            .arg(wrangler)
            .args(arguments)
            .current_dir(folder)
            .env("HOME", self.home.path())
            .env("XDG_CONFIG_HOME", self.home.path())
            .env("CLOUDFLARE_API_BASE_URL", &self.base)
            .env("CLOUDFLARE_API_TOKEN", self.token)
            .env("CLOUDFLARE_ACCOUNT_ID", "local")
            .env("WRANGLER_SEND_METRICS", "false")
            .env("CI", "1")
            .env("NO_COLOR", "1")
            .env("FORCE_COLOR", "0")
            .stdin(Stdio::null());
        command.output().expect("node starts")
    }

    /// Runs a command that must succeed; gives its standard output.
    fn run(&self, folder: &Path, arguments: &[&str]) -> String {
        let output = self.output(folder, arguments);
        assert!(
            output.status.success(),
            "wrangler {arguments:?}: {}",
            said(&output)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs a command that must succeed; gives the JSON at the end of its standard output.
    fn json(&self, folder: &Path, arguments: &[&str]) -> Value {
        let text = self.run(folder, arguments);
        let start = text.find("\n[").map_or(0, |line| line + 1);
        serde_json::from_str(&text[start..]).unwrap_or_else(|problem| panic!("{problem}: {text}"))
    }

    /// Runs a command that must fail; gives all that it said.
    fn fail(&self, folder: &Path, arguments: &[&str]) -> String {
        let output = self.output(folder, arguments);
        assert_eq!(
            output.status.code(),
            Some(1),
            "wrangler {arguments:?}: {}",
            said(&output)
        );
        said(&output)
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], b"\n", &output.stderr[..]].concat()).into_owned()
}

/// The value of `name = "…"` in a text.
fn quoted<'a>(text: &'a str, name: &str) -> &'a str {
    let (_, rest) = text
        .split_once(&format!("{name} = \""))
        .unwrap_or_else(|| panic!("no {name}: {text}"));
    rest.split_once('"').expect("it is closed").0
}

/// A copy of the Worker's configuration and SQL, whose namespace has this id.
fn copy_with(id: &str) -> TempDir {
    let copy = TempDir::new().expect("a folder");
    let text = std::fs::read_to_string(Path::new(WORKER).join("wrangler.toml")).expect("readable");
    let binding = "binding = \"CACHE_KV\"\n";
    let text = text.replacen(binding, &format!("{binding}id = \"{id}\"\n"), 1);
    assert!(text.contains(id));
    std::fs::write(copy.path().join("wrangler.toml"), text).expect("writable");
    for folder in ["migrations", "seeds"] {
        std::fs::create_dir(copy.path().join(folder)).expect("made");
        for file in std::fs::read_dir(Path::new(WORKER).join(folder)).expect("a folder") {
            let file = file.expect("readable");
            std::fs::copy(file.path(), copy.path().join(folder).join(file.file_name()))
                .expect("copied");
        }
    }
    copy
}

#[test]
fn a_namespace_is_created_used_by_key_and_bound_by_its_id() {
    let state = TempDir::new().expect("a folder");
    let path = state.path().to_str().expect("text");
    let server = Server::start(&["api", "--state", path, "--token", TOKEN], &[]);
    let wrangler = Wrangler::new(&server);
    let empty = TempDir::new().expect("a folder");
    let folder = empty.path();
    // So that snippets come as TOML.
    std::fs::write(folder.join("wrangler.toml"), "name = 'empty'\n").expect("writable");

    let created = wrangler.run(folder, &["kv", "namespace", "create", "CACHE_KV"]);
    let id = quoted(&created, "id").to_owned();
    let preview = wrangler.run(
        folder,
        &["kv", "namespace", "create", "CACHE_KV", "--preview"],
    );
    assert_ne!(quoted(&preview, "preview_id"), id);
    let list = wrangler.json(folder, &["kv", "namespace", "list"]);
    let titles: Vec<&str> = list
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|item| item["title"].as_str())
        .collect();
    assert_eq!(
        titles,
        ["CACHE_KV", "CACHE_KV_preview", "edgeproof-worker-cache-kv"]
    );
    let unbound = list[2]["id"].as_str().expect("text").to_owned();
    let taken = wrangler.fail(folder, &["kv", "namespace", "create", "CACHE_KV"]);
    assert!(
        taken.contains("A KV namespace with the title \"CACHE_KV\" already exists"),
        "{taken}"
    );

    // The handbook's three commands, with the configuration that has the id.
    let project = copy_with(&id);
    let folder = project.path();
    let value = "{\"test\":\"value\"}";
    let key = |act: &'static str| {
        [
            "kv",
            "key",
            act,
            "--binding=CACHE_KV",
            "--remote",
            "test-key",
        ]
    };
    wrangler.run(folder, &[&key("put")[..], &[value]].concat());
    assert_eq!(wrangler.run(folder, &key("get")), value);
    let by_id = [
        "kv",
        "key",
        "get",
        "test-key",
        "--remote",
        "--namespace-id",
        &id,
    ];
    assert_eq!(wrangler.run(folder, &by_id), value);
    wrangler.run(folder, &key("delete"));
    let gone = wrangler.fail(folder, &key("get"));
    assert!(gone.contains("404: Not Found"), "{gone}");

    // And what else there is of keys.
    let odd = "a/b c%é?#";
    let put = [
        "kv",
        "key",
        "put",
        odd,
        "v",
        "--binding=CACHE_KV",
        "--remote",
    ];
    wrangler.run(
        folder,
        &[&put[..], &["--metadata", "{\"m\":[1]}", "--ttl", "120"]].concat(),
    );
    let list = wrangler.json(
        folder,
        &[
            "kv",
            "key",
            "list",
            "--binding=CACHE_KV",
            "--remote",
            "--prefix",
            "a/",
        ],
    );
    assert_eq!(
        (&list[0]["name"], &list[0]["metadata"]),
        (&json!(odd), &json!({ "m": [1] })),
        "{list}"
    );
    assert!(
        list[0]["expiration"].is_u64() && list[1].is_null(),
        "{list}"
    );
    let short = wrangler.fail(folder, &[&put[..], &["--ttl", "5"]].concat());
    assert!(
        short.contains("Invalid expiration_ttl of 5. Expiration TTL must be at least 60."),
        "{short}"
    );
    let pairs =
        json!([{ "key": "k1", "value": "v1" }, { "key": "k2", "value": "AP8=", "base64": true }]);
    std::fs::write(folder.join("pairs.json"), pairs.to_string()).expect("writable");
    std::fs::write(folder.join("keys.json"), "[\"k1\",\"k2\",\"absent\"]").expect("writable");
    let bulk = |act: &'static str, file: &'static str| {
        ["kv", "bulk", act, file, "--binding=CACHE_KV", "--remote"]
    };
    wrangler.run(folder, &bulk("put", "pairs.json"));
    assert_eq!(
        wrangler
            .output(
                folder,
                &["kv", "key", "get", "k2", "--binding=CACHE_KV", "--remote"]
            )
            .stdout,
        [0, 255]
    );
    wrangler.run(
        folder,
        &[&bulk("delete", "keys.json")[..], &["--force"]].concat(),
    );
    let list = wrangler.json(
        folder,
        &["kv", "key", "list", "--binding=CACHE_KV", "--remote"],
    );
    assert_eq!(list.as_array().map(Vec::len), Some(1), "{list}");
    let (code, printed) = server.stop();
    assert_eq!(code, Some(0), "{printed}");
    // The bill counts what wrangler did.
    let used = |meter: &str| {
        let line = printed.lines().find(|line| line.contains(meter));
        let cell = line.and_then(|line| line.split('┆').nth(1));
        cell.map(|cell| cell.trim().to_owned())
    };
    let counts = ["kv.writes", "kv.deletes", "kv.lists", "kv.reads"].map(used);
    assert_eq!(
        counts.map(Option::unwrap_or_default),
        ["4", "4", "2", "4"],
        "{printed}"
    );

    // The served Worker of that configuration uses the namespace that wrangler made.
    let config = folder.join("wrangler.toml");
    let config = config.to_str().expect("text");
    let secret = "AUTH_JWT_SECRET=a-secret-of-32-bytes-or-more-for-tests";
    let served = Server::start(
        &[
            "serve", "--state", path, "--config", config, "--secret", secret, "--api", "0",
            "--token", TOKEN,
        ],
        &[],
    );
    let login = ask(served.address, "POST", "/api/auth/login", &[], DEMO);
    let bearer = format!(
        "Bearer {}",
        login.json()["token"].as_str().expect("a token")
    );
    let headers = [("Authorization", &*bearer)];
    eventually("the dashboard is in KV", || {
        (ask(served.address, "GET", "/api/dashboard", &headers, "").header("x-cache") == "HIT")
            .then_some(())
    });
    let live = Wrangler::new(&served);
    let list = live.json(
        folder,
        &["kv", "key", "list", "--namespace-id", &id, "--remote"],
    );
    assert_eq!(
        list.as_array().map(Vec::len),
        Some(2),
        "the odd key and the dashboard: {list}"
    );
    let unused = ["kv", "key", "list", "--namespace-id", &unbound, "--remote"];
    assert_eq!(live.json(folder, &unused), json!([]));
    live.run(
        folder,
        &[
            "kv",
            "namespace",
            "delete",
            "--namespace-id",
            &id,
            "--skip-confirmation",
        ],
    );
    assert_eq!(served.stop().0, Some(0));
}

/// The queries of the handbook's section on logs.
const LOG_QUERIES: [&str; 3] = [
    "-- Recent security events\nSELECT * FROM audit_logs \nWHERE category = 'security' \nORDER BY timestamp DESC \nLIMIT 100;",
    "-- Recent errors\nSELECT * FROM error_logs \nWHERE level IN ('error', 'critical')\nORDER BY timestamp DESC \nLIMIT 100;",
    "-- User activity audit\nSELECT * FROM audit_logs \nWHERE user_id = 'specific-user-id' \nORDER BY timestamp DESC \nLIMIT 50;",
];

/// Rows that each of the queries finds some of.
const LOG_ROWS: &str = "INSERT INTO audit_logs (timestamp, category, action, user_id) VALUES
  ('2026-01-01T00:00:00Z', 'security', 'login; failed', NULL),
  ('2026-01-02T00:00:00Z', 'security', 'it''s', 'specific-user-id'),
  ('2026-01-03T00:00:00Z', 'transaction', 'create', 'specific-user-id');
INSERT INTO error_logs (timestamp, level, message) VALUES ('2026-01-01T00:00:00Z', 'error', 'one'),
  ('2026-01-02T00:00:00Z', 'critical', 'two'), ('2026-01-03T00:00:00Z', 'warn', 'three');
";

#[test]
fn the_workers_own_database_is_migrated_queried_filled_and_exported() {
    let state = TempDir::new().expect("a folder");
    let path = state.path().to_str().expect("text");
    let server = Server::start(&["api", "--state", path, "--token", TOKEN], &[]);
    let wrangler = Wrangler::new(&server);
    // Its configuration has no id of the database: wrangler asks for it by name.
    let folder = Path::new(WORKER);
    let migrations = |act| ["d1", "migrations", act, "DB", "--remote"];
    let list = wrangler.run(folder, &migrations("list"));
    assert!(list.contains("0001_initial.sql"), "{list}");
    let applied = wrangler.run(folder, &migrations("apply"));
    assert!(applied.contains("✅"), "{applied}");
    let list = wrangler.run(folder, &migrations("list"));
    assert!(list.contains("No migrations to apply"), "{list}");

    let scratch = TempDir::new().expect("a folder");
    let file = |name: &str| scratch.path().join(name).to_str().expect("text").to_owned();
    std::fs::write(file("rows.sql"), LOG_ROWS).expect("writable");
    let execute = |arguments: &[&'static str]| {
        [&["d1", "execute", "DB", "--remote", "-y"], arguments].concat()
    };
    let rows_sql = file("rows.sql");
    let filled = wrangler.run(
        folder,
        &["d1", "execute", "DB", "--remote", "-y", "--file", &rows_sql],
    );
    assert!(filled.contains("Executed 2 queries"), "{filled}");
    for (query, field, values) in [
        (LOG_QUERIES[0], "action", json!(["it's", "login; failed"])),
        (LOG_QUERIES[1], "message", json!(["two", "one"])),
        (LOG_QUERIES[2], "action", json!(["create", "it's"])),
    ] {
        // A value that begins with `--` must not stand alone.
        let command = format!("--command={query}");
        let answer = wrangler.json(
            folder,
            &["d1", "execute", "DB", "--remote", "-y", "--json", &command],
        );
        let rows = answer[0]["results"].as_array().expect("rows");
        let found: Vec<&Value> = rows.iter().map(|row| &row[field]).collect();
        assert_eq!(json!(found), values, "{query}");
        assert!(
            answer[0]["meta"]["rows_read"].as_u64() > Some(0),
            "{answer}"
        );
    }
    let two = wrangler.json(
        folder,
        &execute(&["--json", "--command", "SELECT 1 AS x; SELECT 2 AS y"]),
    );
    assert_eq!(
        (&two[0]["results"], &two[1]["results"]),
        (&json!([{ "x": 1 }]), &json!([{ "y": 2 }]))
    );
    let wrong = wrangler.fail(folder, &execute(&["--command", "SELEKT 1"]));
    assert!(
        wrong.contains("near \"SELEKT\": syntax error at offset 0: SQLITE_ERROR [code: 7500]"),
        "{wrong}"
    );
    std::fs::write(
        file("wrong.sql"),
        "INSERT INTO audit_logs (timestamp) VALUES ('x');",
    )
    .expect("writable");
    let wrong_sql = file("wrong.sql");
    let wrong = wrangler.fail(
        folder,
        &[
            "d1", "execute", "DB", "--remote", "-y", "--file", &wrong_sql,
        ],
    );
    assert!(
        wrong.contains("NOT NULL constraint failed: audit_logs.category"),
        "{wrong}"
    );

    // Exported, and made again from that under another name.
    let dump = file("dump.sql");
    wrangler.run(
        folder,
        &["d1", "export", "DB", "--remote", "-y", "--output", &dump],
    );
    let text = std::fs::read_to_string(&dump).expect("it was downloaded");
    assert!(
        text.contains("CREATE TABLE audit_logs") && text.contains("'login; failed'"),
        "{text}"
    );
    std::fs::write(file("wrangler.toml"), "name = 'copy'\n").expect("writable");
    let created = wrangler.run(scratch.path(), &["d1", "create", "copy"]);
    let uuid = quoted(&created, "database_id").to_owned();
    let config = format!(
        "name = 'copy'\n[[d1_databases]]\nbinding = 'COPY'\ndatabase_name = 'copy'\ndatabase_id = '{uuid}'\n"
    );
    std::fs::write(scratch.path().join("wrangler.toml"), config).expect("writable");
    wrangler.run(
        scratch.path(),
        &["d1", "execute", "COPY", "--remote", "-y", "--file", &dump],
    );
    let again = file("again.sql");
    wrangler.run(
        scratch.path(),
        &["d1", "export", "COPY", "--remote", "-y", "--output", &again],
    );
    assert_eq!(
        std::fs::read_to_string(&again).expect("it was downloaded"),
        text
    );

    let info = wrangler.run(scratch.path(), &["d1", "info", "copy", "--json"]);
    let info: Value = serde_json::from_str(&info).expect("JSON");
    assert_eq!(
        (&info["uuid"], &info["num_tables"]),
        (&json!(uuid), &json!(8)),
        "{info}"
    );
    let list = wrangler.json(folder, &["d1", "list", "--json"]);
    assert_eq!(list.as_array().map(Vec::len), Some(2), "{list}");
    let travel = wrangler.fail(folder, &["d1", "time-travel", "info", "DB"]);
    assert!(
        travel.contains("Time Travel is not part of this simulator"),
        "{travel}"
    );
    wrangler.run(scratch.path(), &["d1", "delete", "copy", "-y"]);
    let gone = wrangler.fail(
        scratch.path(),
        &[
            "d1",
            "execute",
            "COPY",
            "--remote",
            "-y",
            "--command",
            "SELECT 1",
        ],
    );
    assert!(
        gone.contains(&format!(
            "The database {uuid} could not be found [code: 7404]"
        )),
        "{gone}"
    );
    // A key of the binding without an id is found through the deployed Worker's settings.
    let put = [
        "kv",
        "key",
        "put",
        "--binding=CACHE_KV",
        "--remote",
        "hello",
        "world",
    ];
    wrangler.run(folder, &put);
    assert_eq!(
        wrangler.run(
            folder,
            &[
                "kv",
                "key",
                "get",
                "--binding=CACHE_KV",
                "--remote",
                "hello"
            ]
        ),
        "world"
    );
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn a_wrong_token_is_told_and_never_shown() {
    let server = Server::start(&["api", "--token", TOKEN], &[]);
    let mut wrangler = Wrangler::new(&server);
    wrangler.token = "planted-wrong-token";
    let folder = TempDir::new().expect("a folder");
    for arguments in [&["kv", "namespace", "list"][..], &["d1", "list"]] {
        let said = wrangler.fail(folder.path(), arguments);
        assert!(
            said.contains("Authentication error [code: 10000]"),
            "{said}"
        );
    }
    let (code, printed) = server.stop();
    assert_eq!(code, Some(0));
    assert!(!printed.contains("planted"), "{printed}");
}

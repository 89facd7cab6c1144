//! The accepted files: every section, migrations, and the Worker's own file.

mod environments;
mod refusals;

use super::*;

/// The first two lines of every file below, so that most cases are one line: line 3.
const HEAD: &str = "name = \"w\"\ncompatibility_date = \"2026-08-20\"\n";

fn parse(rest: &str, environment: Option<&str>) -> Result<WorkerConfig, ConfigError> {
    WorkerConfig::parse(&format!("{HEAD}{rest}"), "wrangler.toml", environment)
}

#[test]
fn everything_that_is_supported_is_read() {
    let text = r#"
main = "build/index.js"

[vars]
MODE = "dev"
RETRIES = 3
DEBUG = false
NESTED = { list = [1, "two"], half = 0.5 }

[limits]
cpu_ms = 300_000
subrequests = 10_000

[triggers]
crons = ["*/5 * * * *"]

[[kv_namespaces]]
binding = "CACHE"
id = "abc"

[[d1_databases]]
binding = "DB"
database_name = "db"
database_id = "0000"

[[durable_objects.bindings]]
name = "LIMITER"
class_name = "Limiter"

[[migrations]]
tag = "v1"
new_sqlite_classes = ["Old", "Gone"]

[[migrations]]
tag = "v2"
renamed_classes = [{ from = "Old", to = "Limiter" }]
deleted_classes = ["Gone"]

[build]
command = "worker-build --release"
"#;
    let config = WorkerConfig::parse(&format!("{HEAD}{text}"), "some/where/wrangler.toml", None)
        .expect("it is right");
    assert_eq!(
        (config.name.as_str(), config.compatibility_date.as_str()),
        ("w", "2026-08-20")
    );
    assert_eq!(config.vars["MODE"], Var::Text("dev".to_owned()));
    assert_eq!(config.vars["RETRIES"], Var::Json(3.into()));
    assert_eq!(config.vars["DEBUG"], Var::Json(false.into()));
    assert_eq!(
        config.vars["NESTED"],
        Var::Json(serde_json::json!({ "list": [1, "two"], "half": 0.5 }))
    );
    assert_eq!(
        config.limits,
        ConfiguredLimits {
            cpu_ms: Some(300_000),
            subrequests: Some(10_000)
        }
    );
    assert_eq!(config.crons, ["*/5 * * * *"]);
    assert_eq!(
        config.kv_namespaces,
        [KvNamespace {
            binding: "CACHE".into(),
            id: Some("abc".into())
        }]
    );
    assert_eq!(
        config.d1_databases[0].migrations_dir,
        Path::new("some/where/migrations")
    );
    assert_eq!(
        config.durable_objects,
        [DurableObject {
            binding: "LIMITER".into(),
            class: "Limiter".into(),
            script: None,
        }]
    );
    assert_eq!(config.sqlite_classes, ["Limiter"]);
    assert_eq!(config.warnings, []);
    let no_effect: Vec<_> = config
        .no_effect
        .iter()
        .map(|note| (note.line, note.message.as_str()))
        .collect();
    assert_eq!(no_effect.len(), 2, "{no_effect:?}");
    assert!(
        no_effect[0].0 == 4 && no_effect[0].1.starts_with("`main` has no effect"),
        "{no_effect:?}"
    );
    assert!(
        no_effect[1].1.starts_with("`build` has no effect"),
        "{no_effect:?}"
    );
}

#[test]
fn exports_declare_classes_too() {
    let config = parse(
        r#"durable_objects.bindings = [{ name = "L", class_name = "Limiter" }]
[exports.Limiter]
type = "durable-object"
storage = "sqlite"
[exports.Old]
type = "durable-object"
state = "renamed"
renamed_to = "Limiter"
"#,
        None,
    )
    .expect("it is right");
    assert_eq!(config.sqlite_classes, ["Limiter"]);
}

/// Every wrong file, the place of its one problem, and words of the message.
#[test]
fn free_refuses_a_cpu_limit_and_paid_does_not() {
    let config = parse("[limits]\ncpu_ms = 50\n", None).expect("it is right");
    let error = config
        .check_plan(Plan::Free)
        .expect_err("Free has no CPU limits");
    assert!(error.to_string().contains("[code: 100328]"), "{error}");
    assert!(config.check_plan(Plan::Paid).is_ok());
}

#[test]
fn migrations_are_the_sql_files_by_name() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("wrangler.toml");
    let write = |config: &str| std::fs::write(&file, format!("{HEAD}{config}")).expect("writable");
    write("[[d1_databases]]\nbinding = \"DB\"\nmigrations_dir = \"sql\"\n");
    let database = || {
        WorkerConfig::load(&file, None)
            .expect("it is right")
            .d1_databases
            .remove(0)
    };

    let error = database()
        .migrations()
        .expect_err("the folder is named and absent");
    assert!(error.to_string().contains("sql"), "{error}");

    std::fs::create_dir(folder.path().join("sql")).expect("a new folder");
    for (name, text) in [
        ("0002_b.sql", "B"),
        ("0001_a.sql", "A"),
        ("README.md", "no"),
    ] {
        std::fs::write(folder.path().join("sql").join(name), text).expect("writable");
    }
    let migration = |name: &str, text: &str| Migration {
        name: name.into(),
        text: text.into(),
    };
    assert_eq!(
        database().migrations().expect("readable"),
        [migration("0001_a.sql", "A"), migration("0002_b.sql", "B")]
    );

    write("[[d1_databases]]\nbinding = \"DB\"\n");
    assert_eq!(database().migrations().expect("no folder, none named"), []);
}

#[test]
fn given_migrations_replace_those_of_the_folder() {
    let file = "[[d1_databases]]\nbinding = \"DB\"\nmigrations_dir = \"absent\"\n";
    let config = WorkerConfig::parse(&format!("{HEAD}{file}"), "nowhere/wrangler.toml", None);
    let mut database = config.expect("it is right").d1_databases.remove(0);
    assert!(database.migrations().is_err());
    let given = vec![Migration {
        name: "0001_a.sql".into(),
        text: "A".into(),
    }];
    database.given_migrations = Some(given.clone());
    assert_eq!(database.migrations().expect("no file is read"), given);
}

#[test]
fn a_message_never_carries_the_value_of_a_variable() {
    let secret = "s3cret".repeat(2_000);
    let error =
        parse(&format!("[vars]\nTOKEN = \"{secret}\"\n"), None).expect_err("it is too long");
    assert!(
        !error.to_string().contains("s3cret"),
        "{}",
        error.problems()[0].message
    );
}

/// The file that deploys the production Worker.
#[test]
fn the_workers_own_file_is_supported_in_every_environment() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../worker/wrangler.toml");
    let text = std::fs::read_to_string(&file).expect("the Worker has a configuration");
    let environments: Vec<String> = toml_span::parse(&text)
        .expect("it is TOML")
        .pointer("/env")
        .and_then(toml_span::Value::as_table)
        .into_iter()
        .flat_map(|environments| environments.keys().map(ToString::to_string))
        .collect();
    for environment in [None]
        .into_iter()
        .chain(environments.iter().map(|name| Some(name.as_str())))
    {
        let config =
            WorkerConfig::load(&file, environment).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(
            config.warnings,
            [],
            "{environment:?} repeats every variable and binding"
        );
        let binding = |wanted: &str| {
            config
                .kv_namespaces
                .iter()
                .any(|namespace| namespace.binding == wanted)
        };
        assert!(binding("CACHE_KV"), "{environment:?}");
        assert_eq!(
            config.durable_objects[0].binding, "RATE_LIMITER",
            "{environment:?}"
        );
        assert_eq!(config.sqlite_classes, ["RateLimiter"], "{environment:?}");
        let migrations = config.d1_databases[0]
            .migrations()
            .expect("the folder is there");
        assert!(!migrations.is_empty(), "{environment:?}");
    }
}

#[test]
fn a_class_of_another_worker_needs_no_declaration_here() {
    let text = "[[durable_objects.bindings]]\nname = \"L\"\nclass_name = \"Limiter\"\nscript_name = \"other\"";
    let config = parse(text, None).expect("it is right");
    assert_eq!(
        config.durable_objects,
        [DurableObject {
            binding: "L".into(),
            class: "Limiter".into(),
            script: Some("other".into()),
        }]
    );
    assert!(config.sqlite_classes.is_empty());
}

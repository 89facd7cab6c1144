//! Wrong files and the places they are refused at; environments; the Worker's own file.

use miette::Diagnostic;

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
            class: "Limiter".into()
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
fn a_wrong_file_is_refused_at_its_place() {
    let cases: &[(&str, &str, &str)] = &[
        // Not TOML.
        ("oops", "3:5", "not TOML"),
        ("x = 2026-08-20", "3:5", "not TOML"),
        (
            "name = \"again\"",
            "3:1",
            "duplicate key: `name`\n    it stands first in line 1",
        ),
        // Unknown keys.
        (
            "kv_namespace = []",
            "3:1",
            "unknown key `kv_namespace`\n    did you mean `kv_namespaces`?",
        ),
        ("frobnicate = 1", "3:1", "unknown key `frobnicate`"),
        (
            "[[kv_namespaces]]\nbindin = \"KV\"\nbinding = \"K\"",
            "4:1",
            "`kv_namespaces.bindin`\n    did you mean `binding`?",
        ),
        (
            "[triggers]\ncrons = []\nmain = \"x.js\"",
            "5:1",
            "`main` is a key of the top level",
        ),
        ("[limits]\ncpu = 5", "4:1", "unknown key `limits.cpu`"),
        (
            "kv-namespaces = []",
            "3:1",
            "`kv-namespaces` was removed in wrangler 4\n    write `kv_namespaces`",
        ),
        // Not simulated.
        (
            "[[r2_buckets]]\nbinding = \"B\"",
            "3:3",
            "`r2_buckets` is not supported: R2 is not simulated",
        ),
        (
            "[[queues.producers]]\nbinding = \"Q\"",
            "3:3",
            "`queues` is not supported",
        ),
        (
            "ai = { binding = \"AI\" }",
            "3:1",
            "Workers AI is not simulated",
        ),
        (
            "[[ratelimits]]\nname = \"R\"\nnamespace_id = \"1\"\nsimple = { limit = 5, period = 30 }",
            "6:32",
            "`ratelimits.simple.period` must be 10 or 60",
        ),
        (
            "[[ratelimits]]\nname = \"R\"\nnamespace_id = \"1\"",
            "3:1",
            "`ratelimits.simple` is missing",
        ),
        (
            "[[kv_namespaces]]\nbinding = \"K\"\nremote = true",
            "5:1",
            "`kv_namespaces.remote` is not supported",
        ),
        // Wrong types and missing fields.
        ("vars = 3", "3:8", "`vars` must be a table, not an integer"),
        (
            "[kv_namespaces]\nbinding = \"K\"",
            "3:1",
            "must be an array of tables, [[kv_namespaces]], not a table",
        ),
        (
            "[[kv_namespaces]]\nid = \"a\"",
            "3:1",
            "`kv_namespaces.binding` is missing",
        ),
        (
            "[[kv_namespaces]]\nbinding = \"K\"\nid = 7",
            "5:6",
            "`kv_namespaces.id` must be a string, not an integer",
        ),
        (
            "[limits]\ncpu_ms = 300_001",
            "4:10",
            "`limits.cpu_ms` must be a whole number from 1 to 300000",
        ),
        ("[limits]\nsubrequests = -1", "4:15", "from 1 to 10000000"),
        ("[vars]\nX = inf", "4:5", "`vars.X` is no JSON value"),
        (
            "triggers.crons = [\"* * * *\"]",
            "3:20",
            "a cron expression has five fields",
        ),
        // Names.
        (
            "[vars]\nK = \"\"\n[[kv_namespaces]]\nbinding = \"K\"",
            "6:12",
            "the name `K` is already that of line 4",
        ),
        // Classes.
        (
            "[[durable_objects.bindings]]\nname = \"L\"\nclass_name = \"Limiter\"",
            "5:15",
            "the class `Limiter` is bound but not declared\n    add:\n    [[migrations]]\n    tag = \"v1\"\n    new_sqlite_classes = [\"Limiter\"]",
        ),
        (
            "[[migrations]]\ntag = \"v1\"\nnew_sqlite_classes = [\"Limiter\"]\n[[durable_objects.bindings]]\nname = \"L\"\nclass_name = \"Limitter\"",
            "8:15",
            "did you mean `Limiter`?",
        ),
        (
            "[[durable_objects.bindings]]\nname = \"L\"\nclass_name = \"Limiter\"\n[[migrations]]\ntag = \"v1\"\nnew_classes = [\"Limiter\"]",
            "5:15",
            "key-value storage, which is not simulated and which new accounts cannot create\n    write new_sqlite_classes = [\"Limiter\"]",
        ),
        (
            "[[durable_objects.bindings]]\nname = \"L\"\nclass_name = \"Limiter\"\nscript_name = \"other\"",
            "6:1",
            "the class belongs to the Worker `other`",
        ),
        (
            "[[migrations]]\nnew_sqlite_classes = [\"A\"]",
            "3:1",
            "`migrations.tag` is missing",
        ),
        (
            "[[migrations]]\ntag = \"v1\"\ndeleted_classes = [\"A\"]",
            "5:21",
            "no migration above declares `A`",
        ),
        (
            "[exports.A]\ntype = \"durable-object\"",
            "3:10",
            "`exports.A.storage` is missing",
        ),
        (
            "[exports.A]\ntype = \"worker\"",
            "3:10",
            "only exports of the type \"durable-object\"",
        ),
    ];
    let mut wrong = Vec::new();
    for (rest, place, words) in cases {
        let Err(error) = parse(rest, None) else {
            wrong.push(format!("{rest}\n=> is accepted"));
            continue;
        };
        let text = error.to_string();
        let right = error.problems().len() == 1
            && text.starts_with(&format!("wrangler.toml:{place}: "))
            && text.contains(words);
        if !right {
            wrong.push(format!("{rest}\n=> {text}\n   expected {place} {words}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn all_problems_are_reported_together_and_in_order() {
    let error = parse(
        "frobnicate = 1\n[[kv_namespaces]]\nid = \"x\"\n[[r2_buckets]]\nbinding = \"B\"\n",
        None,
    )
    .expect_err("three things are wrong");
    let places: Vec<_> = error
        .problems()
        .iter()
        .map(|problem| problem.place)
        .collect();
    assert_eq!(places, [Some((3, 1)), Some((4, 1)), Some((6, 3))]);
    assert_eq!(error.to_string().lines().count(), 3, "{error}");
    assert_eq!(error.labels().map_or(0, Iterator::count), 3);
}

#[test]
fn a_rendered_error_shows_the_line() {
    let error = parse(
        "[vars]\nA = \"ö\"\n[[kv_namespaces]]\nbindin = \"K\"\nbinding = \"K\"\n",
        None,
    )
    .expect_err("a typo");
    let report = format!("{:?}", miette::Report::new(error));
    assert!(
        report.contains("bindin = \"K\"") && report.contains("wrangler.toml:6:1"),
        "{report}"
    );
}

#[test]
fn missing_basics_are_named() {
    let error =
        WorkerConfig::parse("[vars]\n", "wrangler.toml", None).expect_err("nothing is there");
    let text = error.to_string();
    assert!(text.contains("wrangler.toml: `name` is missing"), "{text}");
    assert!(text.contains("`compatibility_date` is missing"), "{text}");
    let error = WorkerConfig::load(Path::new("no/such/wrangler.toml"), None)
        .expect_err("there is no such file");
    assert!(
        error
            .to_string()
            .starts_with("no/such/wrangler.toml: cannot be read: "),
        "{error}"
    );
}

const TWO_ENVIRONMENTS: &str = r#"
[vars]
MODE = "dev"
LIMIT = "50"
[limits]
subrequests = 100
[[kv_namespaces]]
binding = "CACHE"
[[d1_databases]]
binding = "DB"
[[r2_buckets]]
binding = "FILES"
[[durable_objects.bindings]]
name = "LIMITER"
class_name = "Limiter"
[[migrations]]
tag = "v1"
new_sqlite_classes = ["Limiter"]

[env.preview]
workers_dev = true
[env.preview.vars]
MODE = "preview"
[[env.preview.kv_namespaces]]
binding = "CACHE"

[env.production]
name = "the-real-one"
limits = { subrequests = 7 }
[[env.production.durable_objects.bindings]]
name = "LIMITER"
class_name = "Limiter"
"#;

#[test]
fn an_environment_inherits_settings_but_neither_variables_nor_bindings() {
    let preview = parse(TWO_ENVIRONMENTS, Some("preview")).expect("its own part is supported");
    assert_eq!(preview.name, "w-preview");
    assert_eq!(preview.limits.subrequests, Some(100), "inherited");
    assert_eq!(preview.sqlite_classes, ["Limiter"], "inherited");
    assert_eq!(preview.vars.keys().collect::<Vec<_>>(), ["MODE"]);
    assert_eq!(
        (
            preview.kv_namespaces.len(),
            preview.d1_databases.len(),
            preview.durable_objects.len()
        ),
        (1, 0, 0)
    );

    let production =
        parse(TWO_ENVIRONMENTS, Some("production")).expect("its own part is supported");
    assert_eq!(
        (production.name.as_str(), production.limits.subrequests),
        ("the-real-one", Some(7))
    );
    assert!(production.vars.is_empty() && production.kv_namespaces.is_empty());
    assert_eq!(production.durable_objects.len(), 1);

    let error = parse(TWO_ENVIRONMENTS, None).expect_err("only the top level has the bucket");
    assert!(
        error.to_string().contains("`r2_buckets` is not supported"),
        "{error}"
    );
}

#[test]
fn what_an_environment_lacks_is_warned_of_by_name() {
    let config = parse(TWO_ENVIRONMENTS, Some("preview")).expect("supported");
    let warnings: Vec<_> = config
        .warnings
        .iter()
        .map(|note| note.message.as_str())
        .collect();
    for (key, name) in [
        ("vars", "LIMIT"),
        ("d1_databases", "DB"),
        ("durable_objects", "LIMITER"),
        ("r2_buckets", "FILES"),
    ] {
        let wanted = format!("[env.preview] lacks {name} in `{key}`");
        assert!(
            warnings.iter().any(|warning| warning.starts_with(&wanted)),
            "{wanted}: {warnings:#?}"
        );
    }
    assert_eq!(warnings.len(), 4, "{warnings:#?}");
    assert_eq!(
        (config.warnings[0].line, config.warnings[0].column),
        (22, 6),
        "where [env.preview] begins"
    );
}

#[test]
fn an_unknown_environment_is_refused_with_the_known_ones() {
    let error = parse(TWO_ENVIRONMENTS, Some("prodution")).expect_err("a typo");
    assert!(
        error
            .to_string()
            .contains("there is no [env.prodution]\n    did you mean `production`?"),
        "{error}"
    );
    let error = parse(TWO_ENVIRONMENTS, Some("staging")).expect_err("no such");
    assert!(
        error.to_string().contains("there are: preview, production"),
        "{error}"
    );
    let error = parse("", Some("staging")).expect_err("no such");
    assert!(
        error.to_string().contains("nor any other environment"),
        "{error}"
    );
}

#[test]
fn problems_of_an_environment_carry_its_name() {
    let error = parse(
        "[env.x.vars]\nA = 1\n[[env.x.kv_namespaces]]\nid = \"1\"\n[env.x.env.y]\n",
        Some("x"),
    )
    .expect_err("two things are wrong");
    let text = error.to_string();
    assert!(
        text.contains("wrangler.toml:5:1: `env.x.kv_namespaces.binding` is missing"),
        "{text}"
    );
    assert!(
        text.contains("`env.x.env`: the key belongs to the top level"),
        "{text}"
    );
}

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

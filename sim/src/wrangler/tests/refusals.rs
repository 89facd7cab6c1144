//! Wrong files, and the places they are refused at.

use miette::Diagnostic;

use super::*;

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
            "\"* * * *\" is no cron expression: it has 4 fields, not five",
        ),
        (
            "[triggers]\ncrons = [\n  \"0 3 * * 1\",\n  \"0 3 * * 0\",\n]",
            "6:4",
            "\"0 3 * * 0\" is no cron expression: the weekday `0` has the value `0`; it takes 1-7 (1 is Sunday)",
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

#[test]
fn an_unwrapped_error_does_not_print_the_file() {
    let text = format!("{HEAD}colour = \"red\"\n[vars]\nTOKEN = \"not-to-be-shown\"\n");
    let error = WorkerConfig::parse(&text, "wrangler.toml", None).expect_err("an unknown key");
    assert_eq!(format!("{error:?}"), error.to_string());
    assert!(
        !format!("{error:?}").contains("not-to-be-shown"),
        "{error:?}"
    );
    let config = text.replace("colour", "main");
    let config = WorkerConfig::parse(&config, "wrangler.toml", None).expect("valid");
    // The variables are shown, as every field is; the text of the file is not.
    assert!(!format!("{config:?}").contains("[vars]"), "{config:?}");
}

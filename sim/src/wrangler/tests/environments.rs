//! What an environment inherits, lacks and is called.

use super::*;

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

    let told = |environment| {
        let config = parse(TWO_ENVIRONMENTS, environment).expect("supported");
        let mut notes = config.warnings.into_iter();
        notes.any(|note| {
            note.message
                .starts_with("`r2_buckets`: R2 is not simulated")
        })
    };
    assert!(told(None), "the top level has the bucket");
    assert!(!told(Some("preview")), "a binding is not inherited");
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
fn bindings_of_products_that_are_not_simulated_are_told_of() {
    let text = "[[queues.producers]]\nbinding = \"Q\"\n[[durable_objects.bindings]]\nname = \"L\"\nclass_name = \"Limiter\"\n\
                [[migrations]]\ntag = \"v1\"\nnew_classes = [\"Limiter\"]\n";
    let config = parse(text, None).expect("supported");
    assert_eq!(config.sqlite_classes, ["Limiter"]);
    let [queue, class] = &config.warnings[..] else {
        panic!("{:#?}", config.warnings)
    };
    assert_eq!((queue.line, queue.column), (3, 3));
    let told = "`queues`: Queues is not simulated, and the Worker must not call it";
    assert_eq!(queue.message, told);
    assert_eq!((class.line, class.column), (7, 15));
    assert!(
        class
            .message
            .starts_with("the class `Limiter` is declared with key-value storage")
    );
}

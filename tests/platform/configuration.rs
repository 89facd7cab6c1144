//! `wrangler.jsonc` as editors and people write it.

use edgeproof_sim::wrangler::{Var, WorkerConfig};

const HEAD: &str = "\"name\": \"mine\", \"compatibility_date\": \"2026-08-20\"";

fn parse(text: &str) -> Result<WorkerConfig, String> {
    let config = WorkerConfig::parse(text, "wrangler.jsonc", None);
    config.map_err(|error| error.to_string())
}

fn json(vars: &str) -> Result<String, String> {
    let config = parse(&format!("{{ {HEAD}, \"vars\": {{ \"X\": {vars} }} }}"))?;
    match config.vars.get("X") {
        Some(Var::Json(json)) => Ok(json.to_string()),
        Some(_) => Err("not JSON".to_owned()),
        None => Err("no such variable".to_owned()),
    }
}

/// wrangler removes it (`readFile` in workers-utils); so does the reader of TOML here.
#[test]
fn a_byte_order_mark_is_no_error() {
    let toml = "\u{feff}name = 'mine'\ncompatibility_date = '2026-08-20'";
    assert!(WorkerConfig::parse(toml, "wrangler.toml", None).is_ok());
    parse(&format!("\u{feff}{{ {HEAD} }}")).expect("a byte order mark");
}

/// A variable of JSON is passed on as it stands: null is a value there, and not an absent key.
#[test]
fn null_inside_a_variable_is_kept() {
    assert_eq!(
        json(r#"{ "a": null, "b": 1 }"#),
        Ok(r#"{"a":null,"b":1}"#.to_owned())
    );
}

#[test]
fn null_in_a_list_of_a_variable_is_kept() {
    assert_eq!(json("[1, null]"), Ok("[1,null]".to_owned()));
}

#[test]
fn crlf_comments_depth_columns_and_empty_files() {
    parse(&format!("{{\r\n{HEAD},\r\n}}\r\n// the end")).expect("a comment at the end");
    parse(&format!("/* a */ {{ {HEAD} }} /* b */")).expect("comments around");
    for depth in [100, 400, 600, 100_000] {
        let text = format!(
            "{{ {HEAD}, \"vars\": {{ \"X\": {}{} }} }}",
            "[".repeat(depth),
            "]".repeat(depth)
        );
        let _ = parse(&text);
    }
    for text in [
        "",
        " ",
        "// a",
        "null",
        "{",
        "}",
        "[",
        "\"",
        "{\"",
        "/*",
        "{}{}",
        "\u{0}",
        "{\"a\":\"\\ud800\"}",
    ] {
        let error = parse(text).expect_err("it is no configuration");
        assert!(!error.is_empty());
    }
    let error = parse("{\n \"é\": 1, \"nam\": 2 }").expect_err("unknown");
    assert!(error.contains("wrangler.jsonc:2:10: "), "{error}");
    let crlf = parse("{\r\n  \"nam\": 2\r\n}").expect_err("unknown");
    assert!(crlf.contains("wrangler.jsonc:2:3: "), "{crlf}");
}

#[test]
fn environments() {
    let text = format!(
        "{{ {HEAD}, \"vars\": {{ \"A\": 1 }}, \"env\": {{ \"p\": {{ \"vars\": {{ \"A\": 2 }} }}, \"q\": {{}} }} }}"
    );
    let at = |environment| WorkerConfig::parse(&text, "wrangler.json", Some(environment));
    let p = at("p").expect("right");
    assert_eq!((p.name.as_str(), p.vars.len()), ("mine-p", 1));
    assert!(at("q").expect("right").vars.is_empty());
    assert!(at("r").is_err());
}

//! `wrangler.json` and `wrangler.jsonc`, as the tables that the same configuration in TOML would be: everything that reads it
//! knows one form. Places are kept, so that a problem points into the JSON text.

use super::error::{ConfigError, Problem, Source};
use jsonc_parser::ast;
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast, parse_to_serde_value};
use std::borrow::Cow;
use std::path::Path;
use toml_span::Span;
use toml_span::value::{Key, Table, Value, ValueInner};

/// What wrangler takes (jsonc-parser of VS Code, with trailing commas): JSON with comments.
fn options() -> ParseOptions {
    ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_extended_string_escapes: false,
        allow_non_finite_numbers: false,
    }
}

/// Whether a file's name says that it is JSON.
pub(super) fn is_name(file: &str) -> bool {
    let extension = Path::new(file).extension();
    extension.is_some_and(|extension| extension == "json" || extension == "jsonc")
}

/// Reads a text.
///
/// # Errors
/// It is not JSON, not an object, names a key twice, or has null in a list. An integer beyond 64 bits becomes a float, as in
/// JavaScript.
pub(super) fn parse<'t>(source: &Source, text: &'t str) -> Result<Value<'t>, ConfigError> {
    let refused = |span, message, help| {
        let problem = Problem::at(source, span, message, help);
        ConfigError::new(source.clone(), vec![problem])
    };
    let parsed = parse_to_ast(text, &CollectOptions::default(), &options());
    let parsed = parsed.map_err(|error| {
        let range = error.range();
        let span = Span::new(range.start, range.end);
        refused(span, format!("not JSON: {}", error.kind()), None)
    })?;
    match parsed.value {
        Some(object @ ast::Value::Object(_)) => value(object, false)
            .map_err(|(span, message)| refused(span, message, None))
            .map(|table| table.expect("an object is not null")),
        _ => Err(refused(
            Span::new(0, text.len()),
            "not a configuration: a JSON object is expected".to_owned(),
            None,
        )),
    }
}

/// The value of a variable, from its place in the text: unlike a configuration, it may hold null.
pub(super) fn variable(text: &str, span: Span) -> Option<serde_json::Value> {
    parse_to_serde_value(text.get(span.start..span.end)?, &options()).ok()
}

/// A value; `None` for null, which wrangler treats as a key that is not there.
///
/// Below `vars` a null counts as an empty table: what is there is read by [`variable`].
fn value(node: ast::Value<'_>, in_vars: bool) -> Result<Option<Value<'_>>, (Span, String)> {
    let range = node.range();
    let span = Span::new(range.start, range.end);
    let inner = match node {
        ast::Value::NullKeyword(_) if in_vars => ValueInner::Table(Table::new()),
        ast::Value::NullKeyword(_) => return Ok(None),
        ast::Value::StringLit(text) => ValueInner::String(text.value),
        ast::Value::BooleanLit(flag) => ValueInner::Boolean(flag.value),
        ast::Value::NumberLit(number) => {
            if let Ok(integer) = number.value.parse() {
                ValueInner::Integer(integer)
            } else {
                let float = number
                    .value
                    .parse::<f64>()
                    .ok()
                    .filter(|float| float.is_finite());
                let float =
                    float.ok_or_else(|| (span, format!("{} is no number", number.value)))?;
                ValueInner::Float(float)
            }
        }
        ast::Value::Array(array) => {
            let mut items = Vec::with_capacity(array.elements.len());
            for element in array.elements {
                let place = element.range();
                let item = value(element, in_vars)?;
                items.push(item.ok_or_else(|| {
                    let place = Span::new(place.start, place.end);
                    (place, "null cannot stand in a list".to_owned())
                })?);
            }
            ValueInner::Array(items)
        }
        ast::Value::Object(object) => {
            let mut table = Table::new();
            for property in object.properties {
                let place = property.name.range();
                let key = Key {
                    name: name(property.name),
                    span: Span::new(place.start, place.end),
                };
                if table.contains_key(&key) {
                    return Err((
                        key.span,
                        format!("the key {} stands here a second time", key.name),
                    ));
                }
                let in_vars = in_vars || key.name == "vars";
                if let Some(value) = value(property.value, in_vars)? {
                    table.insert(key, value);
                }
            }
            ValueInner::Table(table)
        }
    };
    Ok(Some(Value::with_span(inner, span)))
}

fn name(name: ast::ObjectPropName<'_>) -> Cow<'_, str> {
    match name {
        ast::ObjectPropName::String(text) => text.value,
        ast::ObjectPropName::Word(word) => Cow::Borrowed(word.value),
    }
}

#[cfg(test)]
mod tests {
    use crate::wrangler::{Var, WorkerConfig};

    const JSON: &str = r#"{
  "$schema": "node_modules/wrangler/config-schema.json",
  // Comments are allowed.
  "name": "mine",
  "compatibility_date": "2026-08-20",
  "workers_dev": null,
  "kv_namespaces": [{ "binding": "KV", "id": "00000000000000000000000000000001" }],
  /* A variable that is no text. */
  "vars": { "LIMIT": 7, "TEXT": "a\nb", "NESTED": { "share": 0.5 } },
}"#;

    fn parse(text: &str) -> Result<WorkerConfig, String> {
        let config = WorkerConfig::parse(text, "wrangler.jsonc", None);
        config.map_err(|error| error.to_string())
    }

    #[test]
    fn json_with_comments_says_what_toml_says() {
        let json = parse(JSON).expect("it is right");
        let toml = WorkerConfig::parse(
            "name = 'mine'\ncompatibility_date = '2026-08-20'\n\
             kv_namespaces = [{ binding = 'KV', id = '00000000000000000000000000000001' }]\n\
             vars = { LIMIT = 7, TEXT = \"a\\nb\", NESTED = { share = 0.5 } }",
            "wrangler.toml",
            None,
        );
        let toml = toml.expect("it is right");
        assert_eq!(json.name, toml.name);
        assert_eq!(json.kv_namespaces, toml.kv_namespaces);
        assert_eq!(json.vars, toml.vars);
        assert_eq!(json.vars["TEXT"], Var::Text("a\nb".to_owned()));
    }

    #[test]
    fn a_problem_in_json_has_its_place() {
        let unknown =
            parse("{\n  \"name\": \"mine\",\n  \"kv_namespace\": []\n}").expect_err("unknown");
        assert!(unknown.contains("wrangler.jsonc:3:3: "), "{unknown}");
        let broken = parse("{\n  \"name\": mine\n}").expect_err("broken");
        assert!(
            broken.starts_with("wrangler.jsonc:2:11: not JSON: "),
            "{broken}"
        );
        let twice = parse("{\"name\": \"a\",\n\"name\": \"b\"}").expect_err("twice");
        assert_eq!(
            twice,
            "wrangler.jsonc:2:1: the key name stands here a second time"
        );
        let list = parse("[]").expect_err("a list");
        assert!(list.contains("a JSON object is expected"), "{list}");
    }
}

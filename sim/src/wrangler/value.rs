//! Reading single values: the right type, or a problem at its place.

use crate::nearest::nearest;
use toml_span::Span;
use toml_span::value::{Key, Table, Value, ValueInner};

use super::Note;
use super::error::Problem;
use super::keys;
use super::reader::{Layers, Reader};

impl Reader {
    pub(super) fn refuse(&mut self, span: Span, message: String, help: Option<String>) {
        self.problems
            .push(Problem::at(&self.source, span, message, help));
    }

    pub(super) fn note(&self, span: Span, message: String) -> Note {
        let (line, column) = self.source.line_and_column(span.start);
        Note {
            line,
            column,
            message,
        }
    }

    pub(super) fn unknown_key<'k>(
        &mut self,
        key: &Key<'_>,
        name: &str,
        known: impl IntoIterator<Item = &'k str>,
    ) {
        let help = match nearest(&key.name, known) {
            Some(nearest) => Some(format!("did you mean `{nearest}`?")),
            // The commonest mistake with TOML: a key below a [table] belongs to that table.
            None if name != key.name && keys::find(&key.name).is_some() => Some(format!(
                "`{}` is a key of the top level: move it above the first [table]",
                key.name
            )),
            None => None,
        };
        self.refuse(key.span, format!("unknown key `{name}`"), help);
    }

    pub(super) fn only_keys(&mut self, item: &Item<'_, '_>, known: &[&str]) {
        for key in item.table.keys() {
            if !known.contains(&&*key.name) {
                self.unknown_key(key, &format!("{}.{key}", item.name), known.iter().copied());
            }
        }
    }

    /// Notes a name of the Worker's `env`, and refuses it if another binding has it.
    pub(super) fn binding(&mut self, span: Span, name: &str) {
        let line = self.source.line_and_column(span.start).0;
        if let Some(first) = self.binding_lines.get(name) {
            self.refuse(
                span,
                format!("the name `{name}` is already that of line {first}"),
                None,
            );
        } else {
            self.binding_lines.insert(name.to_owned(), line);
        }
    }

    pub(super) fn binding_of(&mut self, item: &Item<'_, '_>, key: &str) -> Option<String> {
        let name = self.required_string(item, key)?;
        let span = item.table.get(key).map_or(item.span, |value| value.span);
        self.binding(span, &name);
        Some(name)
    }

    pub(super) fn not_remote(&mut self, item: &Item<'_, '_>) {
        if let Some((key, value)) = item.table.get_key_value("remote")
            && value.as_bool() != Some(false)
        {
            let message = format!(
                "`{}.remote` is not supported: a world reaches nothing outside it",
                item.name
            );
            self.refuse(key.span, message, None);
        }
    }

    pub(super) fn wrong_type(&mut self, value: &Value<'_>, name: &str, wanted: &str) {
        self.refuse(
            value.span,
            format!(
                "`{name}` must be {wanted}, not {}",
                article(value.as_ref().type_str())
            ),
            None,
        );
    }

    pub(super) fn table<'a, 't>(
        &mut self,
        value: &'a Value<'t>,
        name: &str,
    ) -> Option<&'a Table<'t>> {
        let table = value.as_table();
        if table.is_none() {
            self.wrong_type(value, name, "a table");
        }
        table
    }

    /// The tables of an array of tables that applies, or none.
    pub(super) fn items<'a, 't>(
        &mut self,
        layers: &Layers<'a, 't>,
        key: &str,
    ) -> Vec<Item<'a, 't>> {
        match layers.find(key) {
            Some(found) => self.tables(found.value, &found.name),
            None => Vec::new(),
        }
    }

    pub(super) fn tables<'a, 't>(&mut self, value: &'a Value<'t>, name: &str) -> Vec<Item<'a, 't>> {
        let Some(array) = value.as_array() else {
            self.wrong_type(value, name, &format!("an array of tables, [[{name}]]"));
            return Vec::new();
        };
        let mut items = Vec::new();
        for value in array {
            if let Some(table) = self.table(value, name) {
                items.push(Item {
                    name: name.to_owned(),
                    table,
                    span: value.span,
                });
            }
        }
        items
    }

    pub(super) fn string(&mut self, value: &Value<'_>, name: &str) -> Option<String> {
        match value.as_str() {
            Some("") => {
                self.refuse(value.span, format!("`{name}` is empty"), None);
                None
            }
            Some(text) => Some(text.to_owned()),
            None => {
                self.wrong_type(value, name, "a string");
                None
            }
        }
    }

    pub(super) fn optional_string(&mut self, item: &Item<'_, '_>, key: &str) -> Option<String> {
        self.string(item.table.get(key)?, &format!("{}.{key}", item.name))
    }

    pub(super) fn required_string(&mut self, item: &Item<'_, '_>, key: &str) -> Option<String> {
        if !item.table.contains_key(key) {
            self.refuse(item.span, format!("`{}.{key}` is missing", item.name), None);
        }
        self.optional_string(item, key)
    }

    /// The strings of an array that may be absent, with their places.
    pub(super) fn strings(&mut self, item: &Item<'_, '_>, key: &str) -> Vec<(String, Span)> {
        let Some(value) = item.table.get(key) else {
            return Vec::new();
        };
        let name = format!("{}.{key}", item.name);
        let Some(array) = value.as_array() else {
            self.wrong_type(value, &name, "an array of strings");
            return Vec::new();
        };
        let mut strings = Vec::new();
        for value in array {
            if let Some(text) = self.string(value, &name) {
                strings.push((text, value.span));
            }
        }
        strings
    }

    /// A whole number from 1 to `max` that may be absent.
    pub(super) fn integer(&mut self, item: &Item<'_, '_>, key: &str, max: u64) -> Option<u64> {
        let value = item.table.get(key)?;
        let number = value
            .as_integer()
            .and_then(|number| u64::try_from(number).ok());
        let number = number.filter(|number| (1..=max).contains(number));
        if number.is_none() {
            let message = format!(
                "`{}.{key}` must be a whole number from 1 to {max}",
                item.name
            );
            self.refuse(value.span, message, None);
        }
        number
    }
}

/// A table with its name and place, for messages.
pub(super) struct Item<'a, 't> {
    pub(super) name: String,
    pub(super) table: &'a Table<'t>,
    pub(super) span: Span,
}

/// The names that a key of variables or bindings puts into the Worker's `env`, as far as they can be read.
pub(super) fn names(key: &str, value: &Value<'_>) -> Vec<String> {
    let field = |array: Option<&Value<'_>>, field: &str| -> Vec<String> {
        let tables = array
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_table);
        tables
            .filter_map(|table| table.get(field)?.as_str().map(str::to_owned))
            .collect()
    };
    match key {
        "vars" => value
            .as_table()
            .into_iter()
            .flat_map(Table::keys)
            .map(|key| key.to_string())
            .collect(),
        "durable_objects" => field(
            value.as_table().and_then(|table| table.get("bindings")),
            "name",
        ),
        "ratelimits" => field(Some(value), "name"),
        _ => field(Some(value), "binding"),
    }
}

pub(super) fn is_empty(value: &Value<'_>) -> bool {
    match value.as_ref() {
        ValueInner::Array(array) => array.is_empty(),
        ValueInner::Table(table) => table.is_empty(),
        _ => false,
    }
}

fn article(type_name: &str) -> String {
    let article = if type_name.starts_with(['a', 'i']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {type_name}")
}

/// The value as JSON; `None` if it holds inf or nan.
pub(super) fn json(value: &Value<'_>) -> Option<serde_json::Value> {
    Some(match value.as_ref() {
        ValueInner::String(text) => text.to_string().into(),
        ValueInner::Integer(number) => (*number).into(),
        ValueInner::Float(number) => serde_json::Number::from_f64(*number)?.into(),
        ValueInner::Boolean(flag) => (*flag).into(),
        ValueInner::Array(array) => array.iter().map(json).collect::<Option<Vec<_>>>()?.into(),
        ValueInner::Table(table) => {
            let entries = table
                .iter()
                .map(|(key, value)| Some((key.to_string(), json(value)?)));
            entries.collect::<Option<serde_json::Map<_, _>>>()?.into()
        }
    })
}

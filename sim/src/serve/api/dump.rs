//! A database as SQL that makes it again, in the order and style of `wrangler d1 export`: tables with their rows, then
//! indexes, views and triggers.

use crate::account::{Account, AccountItem};
use crate::limits::api::ApiError;
use edgeproof_sqlite::{Outcome, Value};
use std::fmt::Write as _;

/// Writes a database as SQL; `tables` chooses some of its tables, or all if it is empty.
pub(super) fn dump(
    account: &Account,
    database: &AccountItem,
    schema: bool,
    data: bool,
    tables: &[String],
) -> Result<String, ApiError> {
    let look = |sql: &str| {
        account
            .inspect_database(database, sql)
            .map_err(|problem| ApiError::sql(problem.message))
    };
    let items = look("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY rowid")?;
    let items: Vec<Item> = items
        .rows
        .iter()
        .filter_map(|row| Item::read(row))
        .collect();
    let chosen = |item: &&Item| tables.is_empty() || tables.contains(&item.table);
    for table in tables {
        let exists = |item: &Item| item.kind == "table" && item.name == *table;
        if !items.iter().any(exists) {
            return Err(ApiError::sql(format!("no such table: {table}")));
        }
    }
    // Foreign keys may name tables that come later.
    let mut dump = "PRAGMA defer_foreign_keys=TRUE;\n".to_owned();
    for item in items
        .iter()
        .filter(chosen)
        .filter(|item| item.kind == "table")
    {
        if let Some(module) = item.module() {
            // OBS 2025-2026. Naming other tables is the way around it.
            return Err(ApiError::sql(format!(
                "D1 Export error: cannot export databases with Virtual Tables ({module})"
            )));
        }
        if item.name == "sqlite_sequence" {
            // SQLite makes this table with the first one that counts.
            if data {
                dump += "DELETE FROM sqlite_sequence;\n";
            }
        } else if item.name.starts_with("sqlite_") {
            continue;
        } else if schema {
            let _ = writeln!(dump, "{};", item.sql);
        }
        if data {
            rows(&mut dump, &item.name, &look)?;
        }
    }
    if schema {
        for item in items
            .iter()
            .filter(chosen)
            .filter(|item| item.kind != "table")
        {
            let _ = writeln!(dump, "{};", item.sql);
        }
    }
    Ok(dump)
}

/// One item of the schema.
struct Item {
    kind: String,
    name: String,
    table: String,
    sql: String,
}

impl Item {
    /// `None` for items that SQLite makes by itself (the index of a `UNIQUE`, for example), and for hidden ones.
    fn read(row: &[Value]) -> Option<Self> {
        let [
            Value::Text(kind),
            Value::Text(name),
            Value::Text(table),
            Value::Text(sql),
        ] = row
        else {
            return None;
        };
        let hidden = name
            .get(..4)
            .is_some_and(|start| start.eq_ignore_ascii_case("_cf_"));
        (!hidden).then(|| Self {
            kind: kind.clone(),
            name: name.clone(),
            table: table.clone(),
            sql: sql.clone(),
        })
    }

    /// The module of a virtual table: `fts5`, for example.
    fn module(&self) -> Option<String> {
        let mut words = self.sql.split_whitespace().skip(1);
        if !words.next()?.eq_ignore_ascii_case("virtual") {
            return None;
        }
        let mut words = words.skip_while(|word| !word.eq_ignore_ascii_case("using"));
        let module = words.nth(1).unwrap_or_default();
        Some(module.split('(').next().unwrap_or_default().to_owned())
    }
}

fn rows(
    dump: &mut String,
    table: &str,
    look: &impl Fn(&str) -> Result<Outcome, ApiError>,
) -> Result<(), ApiError> {
    // Generated columns must not be inserted.
    let columns = if table == "sqlite_sequence" {
        vec!["name".to_owned(), "seq".to_owned()]
    } else {
        let info = look(&format!("PRAGMA table_xinfo({})", quoted(table)))?;
        let place = |wanted| info.columns.iter().position(|column| column == wanted);
        let (name, hidden) = (place("name"), place("hidden"));
        let stored = info.rows.iter().filter_map(|row| {
            let (Value::Text(name), Value::Integer(0)) = (&row[name?], &row[hidden?]) else {
                return None;
            };
            Some(name.clone())
        });
        stored.collect()
    };
    let columns: Vec<String> = columns.iter().map(|column| quoted(column)).collect();
    let columns = columns.join(",");
    let table = quoted(table);
    let outcome = look(&format!("SELECT {columns} FROM {table}"))?;
    for row in &outcome.rows {
        let _ = write!(dump, "INSERT INTO {table} ({columns}) VALUES(");
        for (place, value) in row.iter().enumerate() {
            if place > 0 {
                dump.push(',');
            }
            literal(dump, value);
        }
        *dump += ");\n";
    }
    Ok(())
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(dump: &mut String, value: &Value) {
    let _ = match value {
        Value::Null => write!(dump, "NULL"),
        Value::Integer(whole) => write!(dump, "{whole}"),
        // SQL has no literal for the infinities; this number is larger than a double can hold.
        Value::Real(float) if float.is_infinite() => {
            write!(dump, "{}9.0e+999", if *float < 0.0 { "-" } else { "" })
        }
        Value::Real(float) => write!(dump, "{float:?}"),
        // A literal would end at the NUL.
        Value::Text(text) if text.contains('\0') => {
            write!(dump, "CAST(X'{}' AS TEXT)", hex(text.as_bytes()))
        }
        Value::Text(text) => write!(dump, "'{}'", text.replace('\'', "''")),
        Value::Blob(bytes) => write!(dump, "X'{}'", hex(bytes)),
    };
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02X}");
        text
    })
}

//! What untrusted SQL may do: the authorizer.
//!
//! SQLite asks before it compiles each part of a statement. The answers are those of the platform (WORKERD 2026-08-22, `util/sqlite.c++` and
//! `api/sql.c++`): known functions and pragmas only, no other databases, no temporary objects, no virtual tables but
//! full text search and R*Trees, nothing named `_cf_…`, and no transactions in SQL. A refusal reads `not authorized: SQLITE_AUTH`,
//! `not authorized to use function: f at offset N: SQLITE_ERROR` or, for a hidden table that exists, `access to _cf_X.c is prohibited: SQLITE_AUTH`.

use libsql_ffi as ffi;

/// The text for `BEGIN`, `COMMIT`, `ROLLBACK`, `SAVEPOINT` and `RELEASE` (WORKERD `api/sql.c++`; seen in `workerd` 2026-11, and by
/// users of D1 behind `D1_ERROR: `).
const TRANSACTION_REFUSED: &str = "To execute a transaction, please use the state.storage.transaction() or \
    state.storage.transactionSync() APIs instead of the SQL BEGIN TRANSACTION or SAVEPOINT statements. The JavaScript API is safer \
    because it will automatically roll back on exceptions, and because it interacts correctly with Durable Objects' automatic \
    atomic write coalescing.";

/// The functions SQL may call (WORKERD 2026-08-22, `ALLOWED_SQLITE_FUNCTIONS`). Names are as SQLite knows them, in lower case.
#[rustfmt::skip]
const FUNCTIONS: &[&str] = &[
    // Core.
    "abs", "changes", "char", "coalesce", "concat", "concat_ws", "format", "glob", "hex", "ifnull", "iif", "instr",
    "last_insert_rowid", "length", "like", "likelihood", "likely", "load_extension", "lower", "ltrim", "max_scalar",
    "min_scalar", "nullif", "octet_length", "printf", "quote", "random", "randomblob", "replace", "round", "rtrim", "sign",
    "soundex", "substr", "substring", "total_changes", "trim", "typeof", "unhex", "unicode", "unlikely", "upper", "zeroblob",
    // Date and time.
    "current_date", "current_time", "current_timestamp", "date", "datetime", "julianday", "strftime", "time", "timediff",
    "unixepoch",
    // Aggregates and windows.
    "avg", "count", "group_concat", "max", "min", "string_agg", "sum", "total",
    "cume_dist", "dense_rank", "first_value", "lag", "last_value", "lead", "nth_value", "ntile", "percent_rank", "rank",
    "row_number",
    // Mathematics. Their synonyms `ceiling`, `power` and `log10` are not on the list.
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "ceil", "cos", "cosh", "degrees", "exp", "floor", "ln", "log",
    "log2", "mod", "pi", "pow", "radians", "sin", "sinh", "sqrt", "tan", "tanh", "trunc",
    // JSON.
    "->", "->>", "json", "json_array", "json_array_length", "json_each", "json_extract", "json_group_array",
    "json_group_object", "json_insert", "json_object", "json_patch", "json_quote", "json_remove", "json_replace", "json_set",
    "json_tree", "json_type", "json_valid", "jsonb", "jsonb_array", "jsonb_extract", "jsonb_group_array",
    "jsonb_group_object", "jsonb_insert", "jsonb_object", "jsonb_patch", "jsonb_remove", "jsonb_replace", "jsonb_set",
    // Full text search and R*Trees.
    "bm25", "highlight", "match", "rtreecheck", "snippet",
    // What ALTER TABLE calls inside.
    "sqlite_drop_column", "sqlite_rename_column", "sqlite_rename_quotefix", "sqlite_rename_table", "sqlite_rename_test",
];

/// What a pragma may be given.
#[derive(Clone, Copy)]
enum PragmaArgument {
    None,
    Boolean,
    Name,
    OptionalName,
    OptionalNumber,
    OptionalNumberOrName,
}

/// The pragmas SQL may use (WORKERD 2026-08-22, `ALLOWED_PRAGMAS`), in any case: `PRAGMA FOREIGN_KEYS` works (observed on workerd
/// 1.20261117.1).
const PRAGMAS: &[(&str, PragmaArgument)] = &[
    ("data_version", PragmaArgument::None),
    ("page_size", PragmaArgument::None),
    ("case_sensitive_like", PragmaArgument::Boolean),
    ("defer_foreign_keys", PragmaArgument::Boolean),
    ("foreign_keys", PragmaArgument::Boolean),
    ("ignore_check_constraints", PragmaArgument::Boolean),
    ("legacy_alter_table", PragmaArgument::Boolean),
    ("recursive_triggers", PragmaArgument::Boolean),
    ("reverse_unordered_selects", PragmaArgument::Boolean),
    ("foreign_key_check", PragmaArgument::OptionalName),
    ("foreign_key_list", PragmaArgument::Name),
    ("index_info", PragmaArgument::Name),
    ("index_list", PragmaArgument::Name),
    ("index_xinfo", PragmaArgument::Name),
    ("quick_check", PragmaArgument::OptionalNumberOrName),
    ("optimize", PragmaArgument::OptionalNumber),
];

/// An answer to SQLite's question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allow,
    Deny,
    /// Denied with words of its own.
    Refuse(&'static str),
}

impl From<bool> for Verdict {
    fn from(allowed: bool) -> Self {
        if allowed { Self::Allow } else { Self::Deny }
    }
}

/// Whether SQL may use a table, index, view, trigger or savepoint of this name.
pub(crate) fn is_allowed_name(name: &str) -> bool {
    !starts_with_ignore_case(name, "_cf_")
}

fn starts_with_ignore_case(text: &str, prefix: &str) -> bool {
    text.as_bytes()
        .get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
}

/// Whether this step of compiling changes the schema, so that what is known of other statements may no longer hold.
pub(crate) fn changes_schema(action: i32) -> bool {
    matches!(
        action,
        ffi::SQLITE_CREATE_INDEX
            | ffi::SQLITE_CREATE_TABLE
            | ffi::SQLITE_CREATE_TRIGGER
            | ffi::SQLITE_CREATE_VIEW
            | ffi::SQLITE_CREATE_VTABLE
            | ffi::SQLITE_DROP_INDEX
            | ffi::SQLITE_DROP_TABLE
            | ffi::SQLITE_DROP_TRIGGER
            | ffi::SQLITE_DROP_VIEW
            | ffi::SQLITE_DROP_VTABLE
            | ffi::SQLITE_ALTER_TABLE
            | ffi::SQLITE_REINDEX
            | ffi::SQLITE_ANALYZE
            | ffi::SQLITE_PRAGMA
    )
}

/// Answers for one step of compiling untrusted SQL. The parameters are the authorizer's third to fifth.
pub(crate) fn authorize(
    action: i32,
    first: Option<&str>,
    second: Option<&str>,
    database: Option<&str>,
) -> Verdict {
    // For these two SQLite passes the database first.
    let (first, database) = match action {
        ffi::SQLITE_ALTER_TABLE => (second, first),
        ffi::SQLITE_DETACH => (None, first),
        _ => (first, database),
    };
    let allowed = |name: Option<&str>| Verdict::from(name.is_some_and(is_allowed_name));
    match database {
        None | Some("main") => {}
        // The schema of temporary tables may be read, and ALTER TABLE updates it; nothing else is possible there.
        Some("temp") => {
            return match action {
                ffi::SQLITE_READ | ffi::SQLITE_UPDATE => allowed(first),
                _ => Verdict::Deny,
            };
        }
        Some(_) => return Verdict::Deny,
    }
    match action {
        ffi::SQLITE_SELECT | ffi::SQLITE_RECURSIVE => Verdict::Allow,
        // `PRAGMA optimize` analyses every table, hidden ones included; the statistics hold no data.
        ffi::SQLITE_ANALYZE => Verdict::Allow,
        ffi::SQLITE_CREATE_TABLE
        | ffi::SQLITE_DROP_TABLE
        | ffi::SQLITE_CREATE_VIEW
        | ffi::SQLITE_DROP_VIEW
        | ffi::SQLITE_ALTER_TABLE
        | ffi::SQLITE_INSERT
        | ffi::SQLITE_DELETE
        | ffi::SQLITE_READ
        | ffi::SQLITE_UPDATE
        | ffi::SQLITE_REINDEX => allowed(first),
        ffi::SQLITE_CREATE_INDEX
        | ffi::SQLITE_DROP_INDEX
        | ffi::SQLITE_CREATE_TRIGGER
        | ffi::SQLITE_DROP_TRIGGER => Verdict::from(
            [first, second]
                .iter()
                .all(|name| name.is_some_and(is_allowed_name)),
        ),
        ffi::SQLITE_TRANSACTION | ffi::SQLITE_SAVEPOINT => Verdict::Refuse(TRANSACTION_REFUSED),
        ffi::SQLITE_PRAGMA => Verdict::from(first.is_some_and(|name| allows_pragma(name, second))),
        ffi::SQLITE_FUNCTION => Verdict::from(second.is_some_and(|name| FUNCTIONS.contains(&name))),
        ffi::SQLITE_CREATE_VTABLE | ffi::SQLITE_DROP_VTABLE => {
            let known = ["fts5", "fts5vocab", "rtree", "rtree_i32"];
            match second {
                Some(module) if known.iter().any(|name| module.eq_ignore_ascii_case(name)) => {
                    allowed(first)
                }
                _ => Verdict::Deny,
            }
        }
        // ATTACH, DETACH, everything temporary, and whatever a later SQLite may ask.
        _ => Verdict::Deny,
    }
}

fn allows_pragma(name: &str, argument: Option<&str>) -> bool {
    match &*name.to_ascii_lowercase() {
        // Lists hidden tables too: that they exist is no secret.
        "table_list" => return true,
        "table_info" | "table_xinfo" => return argument.is_some_and(is_allowed_name),
        _ => {}
    }
    let known = PRAGMAS
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name));
    let Some((_, expected)) = known else {
        return false;
    };
    match (expected, argument) {
        (PragmaArgument::None, argument) => argument.is_none(),
        (PragmaArgument::Name, None) => false,
        (_, None) => true,
        (PragmaArgument::Boolean, Some(value)) => is_boolean(value),
        (PragmaArgument::Name | PragmaArgument::OptionalName, Some(value)) => {
            is_allowed_name(value)
        }
        (PragmaArgument::OptionalNumber, Some(value)) => {
            parse_integer(value).is_some_and(|n| i32::try_from(n).is_ok())
        }
        (PragmaArgument::OptionalNumberOrName, Some(value)) => {
            parse_integer(value).is_some_and(|n| u32::try_from(n).is_ok()) || is_allowed_name(value)
        }
    }
}

/// One of SQLite's ways to write a boolean, in quotes or not. As on the platform only the beginning is looked at.
fn is_boolean(value: &str) -> bool {
    let quoted = |quote| {
        value
            .strip_prefix(quote)
            .and_then(|rest| rest.strip_suffix(quote))
    };
    let value = quoted('\'').or_else(|| quoted('"')).unwrap_or(value);
    ["true", "false", "yes", "no", "on", "off", "1", "0"]
        .iter()
        .any(|known| starts_with_ignore_case(value, known))
}

fn parse_integer(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let magnitude = match digits
        .strip_prefix("0x")
        .or_else(|| digits.strip_prefix("0X"))
    {
        Some(hexadecimal) => i64::from_str_radix(hexadecimal, 16),
        None => digits.parse(),
    }
    .ok()?;
    Some(if negative { -magnitude } else { magnitude })
}

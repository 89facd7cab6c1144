//! The tables that apply and the problems found so far, as every section's reader uses them.

use std::collections::BTreeMap;

use toml_span::value::{Key, Table, Value};

use super::Note;
use super::error::{Problem, Source};
use super::keys::{self, Scope};

/// The tables that count: the top level, and the chosen environment with its name and the key that opens it.
#[derive(Clone, Copy)]
pub(super) struct Layers<'a, 't> {
    pub(super) top: &'a Table<'t>,
    pub(super) environment: Option<(&'a Key<'t>, &'a Table<'t>)>,
}

/// A value that applies, with its full name (`env.production.vars`).
pub(super) struct Found<'a, 't> {
    pub(super) name: String,
    pub(super) key: &'a Key<'t>,
    pub(super) value: &'a Value<'t>,
}

impl<'a, 't> Layers<'a, 't> {
    /// What applies for a key of [`keys::KEYS`]: the environment's value, or the top level's if that is inherited.
    pub(super) fn find(&self, name: &str) -> Option<Found<'a, 't>> {
        let scope = keys::find(name).map_or(Scope::NotInherited, |key| key.scope);
        if let Some((environment, table)) = self.environment {
            if let Some((key, value)) = table.get_key_value(name) {
                return Some(Found {
                    name: format!("env.{environment}.{name}"),
                    key,
                    value,
                });
            }
            if scope == Scope::NotInherited {
                return None;
            }
        }
        let (key, value) = self.top.get_key_value(name)?;
        Some(Found {
            name: name.to_owned(),
            key,
            value,
        })
    }

    /// Whether a key of the top level applies.
    pub(super) fn top_applies(&self, name: &str, scope: Scope) -> bool {
        match self.environment {
            None => true,
            Some((_, table)) => scope != Scope::NotInherited && !table.contains_key(name),
        }
    }
}

/// The results of reading a file so far; the sections are read in files of their own.
pub(super) struct Reader {
    pub(super) source: Source,
    pub(super) problems: Vec<Problem>,
    /// Line of every name in the Worker's `env`.
    pub(super) binding_lines: BTreeMap<String, usize>,
    /// Settings that are legal, and that the user should know of.
    pub(super) warnings: Vec<Note>,
}

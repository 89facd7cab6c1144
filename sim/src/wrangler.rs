//! The Worker's own `wrangler.toml`: what it binds, declares and sets.
//!
//! [`WorkerConfig::load`] reads the file that also deploys the Worker and answers either a configuration that the
//! simulator can honour, or a [`ConfigError`] that names every problem with file, line, column and what to write
//! instead. Nothing is skipped in silence: a key is understood, or known to have no effect here (and then listed in
//! [`WorkerConfig::no_effect`] with the reason), or binds a product that is not simulated (and then stands in
//! [`WorkerConfig::warnings`]), or is refused.
//!
//! Environments are wrangler's: `[env.X]` overrides the inheritable keys, while variables and bindings are **not**
//! inherited; [`WorkerConfig::warnings`] names what the top level has and the chosen environment lacks. Only the parts
//! that apply to the chosen environment are checked for support.
//!
//! A file whose name ends in `json` or `jsonc` is JSON with comments. Secrets never stand in this file and have no place here.

mod classes;
mod error;
pub mod file;
mod jsonc;
mod keys;
mod read;
mod reader;
mod value;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

pub use error::{ConfigError, Problem};

use crate::limits::{Plan, workers};
use error::Source;

/// Longest `wrangler.toml` in bytes. Wrangler has no such limit; all variables that the Paid plan allows, at their full size,
/// have room in it.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What a Worker's `wrangler.toml` says, for one environment.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// The file.
    pub file: PathBuf,
    /// The chosen `[env.X]`; `None` is the top level.
    pub environment: Option<String>,
    /// The Worker's name; an environment without a name of its own is called `<name>-<environment>`, as by wrangler.
    pub name: String,
    /// `YYYY-MM-DD`. Of the changes that depend on it the simulator knows one,
    /// [`delete_all_deletes_alarm`](Self::delete_all_deletes_alarm); a real workerd is started with the date.
    pub compatibility_date: String,
    /// JavaScript features of workerd, switched on or off. Without effect in the simulator; a real workerd is started with them.
    pub compatibility_flags: Vec<String>,
    /// Plain-text and JSON variables, by name.
    pub vars: BTreeMap<String, Var>,
    /// KV namespaces, in the order of the file.
    pub kv_namespaces: Vec<KvNamespace>,
    /// D1 databases, in the order of the file.
    pub d1_databases: Vec<D1Database>,
    /// Durable Object bindings, in the order of the file.
    pub durable_objects: Vec<DurableObject>,
    /// Rate limiters, in the order of the file.
    pub rate_limits: Vec<RateLimit>,
    /// The declared classes, bound or not, by name. All of them run with SQLite storage.
    pub sqlite_classes: Vec<String>,
    /// Cron expressions of `[triggers]`; every one parses as a [cron `Expression`](crate::platform::cron::Expression).
    pub crons: Vec<String>,
    /// `[limits]`.
    pub limits: ConfiguredLimits,
    /// Keys that the simulator understands and that change nothing in it.
    pub no_effect: Vec<Note>,
    /// Legal settings that are probably a mistake, and bindings of products that are not simulated.
    pub warnings: Vec<Note>,
    source: Source,
}

/// A variable of `[vars]`.
#[derive(Debug, Clone, PartialEq)]
pub enum Var {
    /// A string: the Worker reads it as text.
    Text(String),
    /// A number, boolean, array or table: the Worker reads it as that JSON value.
    Json(serde_json::Value),
}

/// `[[kv_namespaces]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvNamespace {
    /// Name in the Worker's `env`.
    pub binding: String,
    /// The namespace; two bindings of one id share their keys. `None`: wrangler would create one.
    pub id: Option<String>,
}

/// `[[d1_databases]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct D1Database {
    /// Name in the Worker's `env`.
    pub binding: String,
    /// The database's name.
    pub name: Option<String>,
    /// The database; two bindings of one id are the same database. `None`: wrangler would create one.
    pub id: Option<String>,
    /// Where the migrations lie, relative to the file's own folder.
    pub migrations_dir: PathBuf,
    /// Whether the file names that folder, rather than leaving it at `migrations`.
    migrations_named: bool,
    /// The migrations themselves, in the order in which they are applied, for a program that holds them: the folder is
    /// not read then.
    pub given_migrations: Option<Vec<Migration>>,
}

/// One migration of a D1 database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// File name, such as `0001_users.sql`.
    pub name: String,
    /// The SQL.
    pub text: String,
}

impl D1Database {
    /// The database's migrations: every `*.sql` of [`migrations_dir`](Self::migrations_dir), sorted by name, which is the
    /// order in which wrangler applies them (SDK 2026-08-22).
    ///
    /// A database without a folder has none, unless the file names one. Where
    /// [`given_migrations`](Self::given_migrations) is set, those are the migrations.
    ///
    /// # Errors
    /// The folder, if named, or a file cannot be read; the message names the path.
    pub fn migrations(&self) -> io::Result<Vec<Migration>> {
        if let Some(given) = &self.given_migrations {
            return Ok(given.clone());
        }
        let at = |path: &Path, error: io::Error| {
            io::Error::new(error.kind(), format!("{}: {error}", path.display()))
        };
        let folder = match std::fs::read_dir(&self.migrations_dir) {
            Ok(folder) => folder,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !self.migrations_named => {
                return Ok(Vec::new());
            }
            Err(error) => return Err(at(&self.migrations_dir, error)),
        };
        let mut migrations = Vec::new();
        for entry in folder {
            let path = entry
                .map_err(|error| at(&self.migrations_dir, error))?
                .path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                continue;
            };
            if name.ends_with(".sql") {
                let text =
                    file::text(&path, file::SQL_BYTES_MAX).map_err(|error| at(&path, error))?;
                migrations.push(Migration {
                    name: name.to_owned(),
                    text,
                });
            }
        }
        migrations.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(migrations)
    }
}

/// `[[durable_objects.bindings]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DurableObject {
    /// Name in the Worker's `env`.
    pub binding: String,
    /// The class; it is among [`WorkerConfig::sqlite_classes`], unless it is another Worker's.
    pub class: String,
    /// The Worker whose class it is; `None`: this one's.
    pub script: Option<String>,
}

/// `[[ratelimits]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimit {
    /// Name in the Worker's `env`.
    pub name: String,
    /// Whose counters; two bindings of one id share them.
    pub namespace_id: String,
    /// Calls of a window.
    pub limit: u64,
    /// The window in seconds: 10 or 60.
    pub period_seconds: u64,
}

/// `[limits]`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ConfiguredLimits {
    /// CPU time of an invocation in milliseconds.
    pub cpu_ms: Option<u64>,
    /// Subrequests of an invocation.
    pub subrequests: Option<u32>,
}

/// Something to tell about a place of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What there is to tell.
    pub message: String,
}

impl WorkerConfig {
    /// Whether `deleteAll()` of an object deletes its alarm too: so from the compatibility date 2026-02-24 on (workerd
    /// compatibility-date.capnp; observed).
    pub fn delete_all_deletes_alarm(&self) -> bool {
        let flag = |name: &str| self.compatibility_flags.iter().any(|flag| flag == name);
        flag("delete_all_deletes_alarm")
            || (&*self.compatibility_date >= "2026-02-24" && !flag("delete_all_preserves_alarm"))
    }

    /// Reads a file for one environment; `None` is the top level.
    ///
    /// # Errors
    /// The file cannot be read, is neither TOML nor JSON as its name says, lacks the environment, or holds what the simulator does not support; all
    /// problems that can be found are reported together.
    pub fn load(path: &Path, environment: Option<&str>) -> Result<Self, ConfigError> {
        match file::text(path, FILE_BYTES_MAX) {
            Ok(text) => Self::parse(&text, &path.to_string_lossy(), environment),
            Err(error) => Err(ConfigError::unreadable(path, &error)),
        }
    }

    /// Reads a text; `file_name` names it in errors, and paths in the text are relative to its folder.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn parse(
        text: &str,
        file_name: &str,
        environment: Option<&str>,
    ) -> Result<Self, ConfigError> {
        // As editors write it, and wrangler and TOML readers skip it.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        read::read(Source::new(file_name, text), environment)
    }

    /// Whether a plan would take this configuration.
    ///
    /// # Errors
    /// The reasons for which that plan refuses a deployment: a CPU limit on Free, too many variables or cron triggers.
    pub fn check_plan(&self, plan: Plan) -> Result<(), ConfigError> {
        let limits = plan.limits();
        let mut problems = Vec::new();
        let mut refuse = |message: String| problems.push(Problem::of_file(message));
        if self.limits.cpu_ms.is_some() && limits.cpu_configurable.is_none() {
            refuse(format!("[limits] cpu_ms: {}", workers::CPU_LIMIT_ON_FREE));
        }
        if self.vars.len() > limits.variables as usize {
            refuse(format!(
                "{} variables, and the plan allows {}",
                self.vars.len(),
                limits.variables
            ));
        }
        if self.crons.len() > limits.cron_triggers as usize {
            refuse(format!(
                "{} cron triggers, and the plan allows {}",
                self.crons.len(),
                limits.cron_triggers
            ));
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(ConfigError::new(self.source.clone(), problems))
        }
    }
}

#[cfg(test)]
mod tests;

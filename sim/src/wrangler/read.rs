//! From TOML or JSON to [`WorkerConfig`], collecting every problem on the way.

use crate::nearest::nearest;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml_span::ErrorKind;
use toml_span::value::{Key, Table, Value, ValueInner};

use super::error::{ConfigError, Problem, Source};
use super::jsonc;
use super::keys::{self, Scope, Treatment};
use super::reader::{Layers, Reader};
use super::value::{Item, is_empty, json, names};
use super::{ConfiguredLimits, D1Database, KvNamespace, Note, RateLimit, Var, WorkerConfig};
use crate::limits::workers;
use crate::platform::cron;
use crate::platform::rate_limit::PERIODS_SECONDS;

/// Reads the file for one environment.
pub(super) fn read(source: Source, environment: Option<&str>) -> Result<WorkerConfig, ConfigError> {
    let text = source.text.clone();
    let root = if jsonc::is_name(&source.file) {
        jsonc::parse(&source, &text)?
    } else {
        toml_span::parse(&text).map_err(|error| not_toml(source.clone(), &error))?
    };
    let mut reader = Reader {
        source,
        problems: Vec::new(),
        binding_lines: BTreeMap::new(),
        warnings: Vec::new(),
    };
    let config = reader.config(
        root.as_table().expect("a configuration is a table"),
        environment,
    );
    match config {
        Some(config) if reader.problems.is_empty() => Ok(config),
        _ => Err(ConfigError::new(reader.source, reader.problems)),
    }
}

fn not_toml(source: Source, error: &toml_span::Error) -> ConfigError {
    let help = match &error.kind {
        ErrorKind::DuplicateKey { first, .. } | ErrorKind::DuplicateTable { first, .. } => {
            Some(format!(
                "it stands first in line {}",
                source.line_and_column(first.start).0
            ))
        }
        ErrorKind::InvalidNumber => Some("a date must be quoted: \"2026-01-31\"".to_owned()),
        _ => None,
    };
    let problem = Problem::at(&source, error.span, format!("not TOML: {error}"), help);
    ConfigError::new(source, vec![problem])
}

impl Reader {
    fn config(&mut self, top: &Table<'_>, environment: Option<&str>) -> Option<WorkerConfig> {
        let environment_table = match environment {
            Some(name) => Some(self.environment(top, name)?),
            None => None,
        };
        let layers = Layers {
            top,
            environment: environment_table,
        };
        let no_effect = self.treat_keys(&layers);

        let name = self.name(&layers, environment);
        let compatibility_date = self.compatibility_date(&layers);
        let vars = self.vars(&layers);
        let kv_namespaces = self.kv_namespaces(&layers);
        let d1_databases = self.d1_databases(&layers);
        let classes = self.classes(&layers);
        let durable_objects = self.durable_objects(&layers, &classes, name.as_deref());
        let sqlite_classes = classes.into_keys().collect();
        Some(WorkerConfig {
            file: PathBuf::from(&*self.source.file),
            environment: environment.map(str::to_owned),
            name: name?,
            compatibility_date: compatibility_date?,
            compatibility_flags: self.compatibility_flags(&layers),
            vars,
            kv_namespaces,
            d1_databases,
            durable_objects,
            rate_limits: self.rate_limits(&layers),
            sqlite_classes,
            crons: self.crons(&layers),
            limits: self.limits(&layers),
            no_effect,
            warnings: {
                let mut warnings = self.not_inherited(&layers);
                warnings.append(&mut self.warnings);
                warnings.sort_by_key(|note| (note.line, note.column));
                warnings
            },
            source: self.source.clone(),
        })
    }

    // ---- the whole file ------------------------------------------------------------------------------------------

    /// The table of `[env.NAME]`.
    fn environment<'a, 't>(
        &mut self,
        top: &'a Table<'t>,
        name: &str,
    ) -> Option<(&'a Key<'t>, &'a Table<'t>)> {
        let Some((key, environments)) = top.get_key_value("env") else {
            let message = format!("there is no [env.{name}], nor any other environment");
            self.problems.push(Problem::of_file(message));
            return None;
        };
        let environments = self.table(environments, "env")?;
        let Some((key, value)) = environments.get_key_value(name) else {
            let known: Vec<&str> = environments.keys().map(|key| &*key.name).collect();
            let help = match nearest(name, known.iter().copied()) {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => format!("there are: {}", known.join(", ")),
            };
            self.refuse(key.span, format!("there is no [env.{name}]"), Some(help));
            return None;
        };
        Some((key, self.table(value, &format!("env.{name}"))?))
    }

    /// Refuses the keys that cannot be honoured, and lists those without effect.
    fn treat_keys(&mut self, layers: &Layers<'_, '_>) -> Vec<Note> {
        let mut no_effect = Vec::new();
        let top = layers.top.iter().map(|entry| (None, entry));
        let environment = layers
            .environment
            .into_iter()
            .flat_map(|(environment, table)| {
                table.iter().map(move |entry| (Some(environment), entry))
            });
        for (environment, (key, value)) in top.chain(environment) {
            let name = match environment {
                Some(environment) => format!("env.{environment}.{key}"),
                None => key.to_string(),
            };
            let Some(known) = keys::find(&key.name) else {
                self.unknown_key(key, &name, keys::KEYS.iter().map(|known| known.name));
                continue;
            };
            if environment.is_some() && known.scope == Scope::TopLevel {
                let help = format!("move `{key}` above the first table");
                self.refuse(
                    key.span,
                    format!("`{name}`: the key belongs to the top level"),
                    Some(help),
                );
                continue;
            }
            let applies = environment.is_some() || layers.top_applies(&key.name, known.scope);
            match known.treatment {
                Treatment::Read => {}
                Treatment::NoEffect(why) if applies => {
                    no_effect.push(self.note(key.span, format!("`{name}` has no effect: {why}")));
                }
                Treatment::Refused(why) if applies && !is_empty(value) => {
                    self.refuse(key.span, format!("`{name}` is not supported: {why}"), None);
                }
                Treatment::Absent(product) if applies && !is_empty(value) => {
                    let message = format!(
                        "`{name}`: {product} is not simulated, and the Worker must not call it"
                    );
                    self.warnings.push(self.note(key.span, message));
                }
                Treatment::NoEffect(_) | Treatment::Absent(_) | Treatment::Refused(_) => {}
                Treatment::Removed(instead) => {
                    let help = Some(format!("write {instead}"));
                    self.refuse(
                        key.span,
                        format!("`{name}` was removed in wrangler 4"),
                        help,
                    );
                }
            }
        }
        no_effect.sort_by_key(|note| (note.line, note.column));
        no_effect
    }

    /// Warnings about what the top level has and the chosen environment lacks.
    fn not_inherited(&self, layers: &Layers<'_, '_>) -> Vec<Note> {
        let Some((environment, table)) = layers.environment else {
            return Vec::new();
        };
        let not_inherited = keys::KEYS.iter().filter(|key| {
            key.scope == Scope::NotInherited && !matches!(key.treatment, Treatment::NoEffect(_))
        });
        let mut warnings = Vec::new();
        for key in not_inherited {
            let Some(top) = layers.top.get(key.name).filter(|value| !is_empty(value)) else {
                continue;
            };
            let here = table
                .get(key.name)
                .map(|value| names(key.name, value))
                .unwrap_or_default();
            let mut lacking = names(key.name, top);
            lacking.retain(|name| !here.contains(name));
            let known_by_name = !names(key.name, top).is_empty();
            let message = match (known_by_name, lacking.is_empty()) {
                (true, true) => continue,
                (true, false) => format!(
                    "[env.{environment}] lacks {} in `{}`, which the top level has: variables and bindings are not inherited",
                    lacking.join(", "),
                    key.name
                ),
                (false, _) if table.contains_key(key.name) => continue,
                (false, _) => format!(
                    "[env.{environment}] lacks `{}`, which the top level has: variables and bindings are not inherited",
                    key.name
                ),
            };
            warnings.push(self.note(environment.span, message));
        }
        warnings
    }

    // ---- the parts -----------------------------------------------------------------------------------------------

    fn name(&mut self, layers: &Layers<'_, '_>, environment: Option<&str>) -> Option<String> {
        let Some(found) = layers.find("name") else {
            self.problems.push(Problem::of_file(
                "`name` is missing: the Worker's name".to_owned(),
            ));
            return None;
        };
        let name = self.string(found.value, &found.name)?;
        Some(match environment {
            Some(environment) if found.name == "name" => format!("{name}-{environment}"),
            _ => name,
        })
    }

    fn compatibility_date(&mut self, layers: &Layers<'_, '_>) -> Option<String> {
        let Some(found) = layers.find("compatibility_date") else {
            let message =
                "`compatibility_date` is missing: a Worker without one does not deploy".to_owned();
            self.problems.push(Problem::of_file(message));
            return None;
        };
        let date = self.string(found.value, &found.name)?;
        let shape: String = date
            .chars()
            .map(|c| if c.is_ascii_digit() { '9' } else { c })
            .collect();
        if shape != "9999-99-99" {
            self.refuse(
                found.value.span,
                format!("`{}` must look like \"2026-01-31\"", found.name),
                None,
            );
            return None;
        }
        Some(date)
    }

    fn vars(&mut self, layers: &Layers<'_, '_>) -> BTreeMap<String, Var> {
        let mut vars = BTreeMap::new();
        let Some(found) = layers.find("vars") else {
            return vars;
        };
        let Some(table) = self.table(found.value, &found.name) else {
            return vars;
        };
        for (key, value) in table {
            self.binding(key.span, &key.name);
            // Neither here nor anywhere else does a message carry a variable's value: it may be a misplaced secret.
            let var = match value.as_ref() {
                ValueInner::String(text) if text.len() > workers::VARIABLE_BYTES => {
                    let limit = workers::VARIABLE_BYTES;
                    let message = format!(
                        "`{}.{key}` has {} bytes, and {limit} are allowed",
                        found.name,
                        text.len()
                    );
                    self.refuse(value.span, message, None);
                    continue;
                }
                ValueInner::String(text) => Var::Text(text.to_string()),
                _ => match self.json_variable(value) {
                    Some(json) => Var::Json(json),
                    None => {
                        self.refuse(
                            value.span,
                            format!("`{}.{key}` is no JSON value: inf or nan", found.name),
                            None,
                        );
                        continue;
                    }
                },
            };
            vars.insert(key.to_string(), var);
        }
        vars
    }

    fn json_variable(&self, variable: &Value<'_>) -> Option<serde_json::Value> {
        if jsonc::is_name(&self.source.file) {
            jsonc::variable(&self.source.text, variable.span)
        } else {
            json(variable)
        }
    }

    fn kv_namespaces(&mut self, layers: &Layers<'_, '_>) -> Vec<KvNamespace> {
        let mut namespaces = Vec::new();
        for item in self.items(layers, "kv_namespaces") {
            self.only_keys(&item, &["binding", "id", "preview_id", "remote"]);
            self.not_remote(&item);
            let id = self.optional_string(&item, "id");
            if let Some(binding) = self.binding_of(&item, "binding") {
                namespaces.push(KvNamespace { binding, id });
            }
        }
        namespaces
    }

    fn rate_limits(&mut self, layers: &Layers<'_, '_>) -> Vec<RateLimit> {
        let mut rate_limits = Vec::new();
        for item in self.items(layers, "ratelimits") {
            self.only_keys(&item, &["name", "namespace_id", "simple"]);
            let name = self.binding_of(&item, "name");
            let namespace_id = self.required_string(&item, "namespace_id");
            let simple = match item.table.get("simple") {
                Some(value) => self.table(value, &format!("{}.simple", item.name)),
                None => {
                    let message = format!("`{}.simple` is missing", item.name);
                    self.refuse(item.span, message, None);
                    None
                }
            };
            let Some(table) = simple else { continue };
            let simple = Item {
                name: format!("{}.simple", item.name),
                table,
                span: item.span,
            };
            self.only_keys(&simple, &["limit", "period"]);
            let limit = self.required_integer(&simple, "limit");
            let period_seconds = self.required_integer(&simple, "period");
            if let Some(period) = period_seconds
                && !PERIODS_SECONDS.contains(&period)
            {
                let message = format!("`{}.period` must be 10 or 60", simple.name);
                self.refuse(table["period"].span, message, None);
            }
            if let (Some(name), Some(namespace_id), Some(limit), Some(period_seconds)) =
                (name, namespace_id, limit, period_seconds)
            {
                rate_limits.push(RateLimit {
                    name,
                    namespace_id,
                    limit,
                    period_seconds,
                });
            }
        }
        rate_limits
    }

    fn required_integer(&mut self, item: &Item<'_, '_>, key: &str) -> Option<u64> {
        if !item.table.contains_key(key) {
            self.refuse(item.span, format!("`{}.{key}` is missing", item.name), None);
        }
        self.integer(item, key, u64::from(u32::MAX))
    }

    fn compatibility_flags(&mut self, layers: &Layers<'_, '_>) -> Vec<String> {
        let Some(found) = layers.find("compatibility_flags") else {
            return Vec::new();
        };
        let Some(array) = found.value.as_array() else {
            self.wrong_type(found.value, &found.name, "an array of strings");
            return Vec::new();
        };
        array
            .iter()
            .filter_map(|flag| self.string(flag, &found.name))
            .collect()
    }

    fn d1_databases(&mut self, layers: &Layers<'_, '_>) -> Vec<D1Database> {
        const KNOWN: [&str; 9] = [
            "binding",
            "database_id",
            "database_internal_env",
            "database_name",
            "migrations_dir",
            "migrations_pattern",
            "migrations_table",
            "preview_database_id",
            "remote",
        ];
        let folder = Path::new(&*self.source.file)
            .parent()
            .unwrap_or(Path::new(""))
            .to_owned();
        let mut databases = Vec::new();
        for item in self.items(layers, "d1_databases") {
            self.only_keys(&item, &KNOWN);
            self.not_remote(&item);
            if let Some((key, _)) = item.table.get_key_value("migrations_pattern") {
                let help = "put the migrations into `migrations_dir` as *.sql".to_owned();
                self.refuse(
                    key.span,
                    format!("`{}.migrations_pattern` is not supported", item.name),
                    Some(help),
                );
            }
            let name = self.optional_string(&item, "database_name");
            let id = self.optional_string(&item, "database_id");
            let migrations_dir = self.optional_string(&item, "migrations_dir");
            if let Some(binding) = self.binding_of(&item, "binding") {
                databases.push(D1Database {
                    binding,
                    name,
                    id,
                    migrations_named: migrations_dir.is_some(),
                    migrations_dir: folder.join(migrations_dir.as_deref().unwrap_or("migrations")),
                    given_migrations: None,
                });
            }
        }
        databases
    }

    fn crons(&mut self, layers: &Layers<'_, '_>) -> Vec<String> {
        let Some(found) = layers.find("triggers") else {
            return Vec::new();
        };
        let Some(table) = self.table(found.value, &found.name) else {
            return Vec::new();
        };
        let item = Item {
            name: found.name,
            table,
            span: found.key.span,
        };
        self.only_keys(&item, &["crons"]);
        let mut crons = Vec::new();
        for (cron, span) in self.strings(&item, "crons") {
            match cron.parse::<cron::Expression>() {
                Ok(_) => crons.push(cron),
                Err(error) => {
                    let message = format!("\"{cron}\" is no cron expression: {error}");
                    self.refuse(span, message, None);
                }
            }
        }
        crons
    }

    fn limits(&mut self, layers: &Layers<'_, '_>) -> ConfiguredLimits {
        let Some(found) = layers.find("limits") else {
            return ConfiguredLimits::default();
        };
        let Some(table) = self.table(found.value, &found.name) else {
            return ConfiguredLimits::default();
        };
        let item = Item {
            name: found.name,
            table,
            span: found.key.span,
        };
        self.only_keys(&item, &["cpu_ms", "subrequests"]);
        let subrequests = self.integer(
            &item,
            "subrequests",
            u64::from(workers::SUBREQUESTS_CONFIGURABLE),
        );
        ConfiguredLimits {
            cpu_ms: self.integer(&item, "cpu_ms", workers::CPU_MS_CONFIGURABLE),
            subrequests: subrequests.and_then(|subrequests| u32::try_from(subrequests).ok()),
        }
    }
}

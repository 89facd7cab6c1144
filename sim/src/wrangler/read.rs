//! From TOML to [`WorkerConfig`], collecting every problem on the way.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml_span::value::{Key, Table, Value, ValueInner};
use toml_span::{ErrorKind, Span};

use super::error::{ConfigError, Problem, Source};
use super::keys::{self, Scope, Treatment};
use super::{ConfiguredLimits, D1Database, DurableObject, KvNamespace, Note, Var, WorkerConfig};
use crate::limits::workers;

/// Reads the file for one environment.
pub(super) fn read(source: Source, environment: Option<&str>) -> Result<WorkerConfig, ConfigError> {
    let text = source.text.clone();
    let root = match toml_span::parse(&text) {
        Ok(root) => root,
        Err(error) => return Err(not_toml(source, &error)),
    };
    let mut reader = Reader {
        source,
        problems: Vec::new(),
        binding_lines: BTreeMap::new(),
    };
    let config = reader.config(
        root.as_table().expect("a TOML document is a table"),
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

/// The tables that count: the top level, and the chosen environment with its name and the key that opens it.
#[derive(Clone, Copy)]
struct Layers<'a, 't> {
    top: &'a Table<'t>,
    environment: Option<(&'a Key<'t>, &'a Table<'t>)>,
}

/// A value that applies, with its full name (`env.production.vars`).
struct Found<'a, 't> {
    name: String,
    key: &'a Key<'t>,
    value: &'a Value<'t>,
}

impl<'a, 't> Layers<'a, 't> {
    /// What applies for a key of [`keys::KEYS`]: the environment's value, or the top level's if that is inherited.
    fn find(&self, name: &str) -> Option<Found<'a, 't>> {
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
    fn top_applies(&self, name: &str, scope: Scope) -> bool {
        match self.environment {
            None => true,
            Some((_, table)) => scope != Scope::NotInherited && !table.contains_key(name),
        }
    }
}

/// How a class keeps its data.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Storage {
    Sqlite,
    LegacyKv,
}

struct Reader {
    source: Source,
    problems: Vec<Problem>,
    /// Line of every name in the Worker's `env`.
    binding_lines: BTreeMap<String, usize>,
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
        let sqlite_classes = classes
            .into_iter()
            .filter(|(_, storage)| *storage == Storage::Sqlite)
            .map(|(class, _)| class)
            .collect();
        Some(WorkerConfig {
            file: PathBuf::from(&*self.source.file),
            environment: environment.map(str::to_owned),
            name: name?,
            compatibility_date: compatibility_date?,
            vars,
            kv_namespaces,
            d1_databases,
            durable_objects,
            sqlite_classes,
            crons: self.crons(&layers),
            limits: self.limits(&layers),
            no_effect,
            warnings: self.not_inherited(&layers),
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
            let help = match keys::nearest(name, known.iter().copied()) {
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
                Treatment::NoEffect(_) | Treatment::Refused(_) => {}
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
                _ => match json(value) {
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
                });
            }
        }
        databases
    }

    /// The classes that the file declares, from `[[migrations]]` or `[exports]`.
    fn classes(&mut self, layers: &Layers<'_, '_>) -> BTreeMap<String, Storage> {
        match (layers.find("migrations"), layers.find("exports")) {
            (Some(_), Some(exports)) => {
                let help = "move every class of [[migrations]] into [exports]".to_owned();
                let message = format!("`{}` and `migrations` exclude each other", exports.name);
                self.refuse(exports.key.span, message, Some(help));
                BTreeMap::new()
            }
            (Some(_), None) => self.classes_of_migrations(layers),
            (None, Some(exports)) => self.classes_of_exports(&exports),
            (None, None) => BTreeMap::new(),
        }
    }

    fn classes_of_migrations(&mut self, layers: &Layers<'_, '_>) -> BTreeMap<String, Storage> {
        const KNOWN: [&str; 6] = [
            "deleted_classes",
            "new_classes",
            "new_sqlite_classes",
            "renamed_classes",
            "tag",
            "transferred_classes",
        ];
        let mut classes = BTreeMap::new();
        let mut tags = BTreeMap::new();
        for item in self.items(layers, "migrations") {
            self.only_keys(&item, &KNOWN);
            if let Some(tag) = self.required_string(&item, "tag") {
                let line = self.source.line_and_column(item.span.start).0;
                if let Some(first) = tags.insert(tag.clone(), line) {
                    self.refuse(
                        item.span,
                        format!("the tag \"{tag}\" is already that of line {first}"),
                        None,
                    );
                }
            }
            for (key, storage) in [
                ("new_classes", Storage::LegacyKv),
                ("new_sqlite_classes", Storage::Sqlite),
            ] {
                for (class, span) in self.strings(&item, key) {
                    if classes.insert(class.clone(), storage).is_some() {
                        self.refuse(
                            span,
                            format!("the class `{class}` is already declared"),
                            None,
                        );
                    }
                }
            }
            if let Some(renamed) = item.table.get("renamed_classes") {
                for renaming in self.tables(renamed, &format!("{}.renamed_classes", item.name)) {
                    self.only_keys(&renaming, &["from", "to"]);
                    let from = self.required_string(&renaming, "from");
                    let to = self.required_string(&renaming, "to");
                    let (Some(from), Some(to)) = (from, to) else {
                        continue;
                    };
                    match classes.remove(&from) {
                        Some(storage) => drop(classes.insert(to, storage)),
                        None => self.refuse(
                            renaming.span,
                            format!("no migration above declares `{from}`"),
                            None,
                        ),
                    }
                }
            }
            for (class, span) in self.strings(&item, "deleted_classes") {
                if classes.remove(&class).is_none() {
                    self.refuse(span, format!("no migration above declares `{class}`"), None);
                }
            }
            if let Some((key, _)) = item.table.get_key_value("transferred_classes") {
                let message =
                    "`transferred_classes` is not supported: the class comes from another Worker"
                        .to_owned();
                self.refuse(key.span, message, None);
            }
        }
        classes
    }

    fn classes_of_exports(&mut self, exports: &Found<'_, '_>) -> BTreeMap<String, Storage> {
        let mut classes = BTreeMap::new();
        let Some(table) = self.table(exports.value, &exports.name) else {
            return classes;
        };
        for (class, value) in table {
            let name = format!("{}.{class}", exports.name);
            let Some(table) = self.table(value, &name) else {
                continue;
            };
            let item = Item {
                name,
                table,
                span: class.span,
            };
            self.only_keys(
                &item,
                &[
                    "renamed_to",
                    "state",
                    "storage",
                    "transfer_from",
                    "transferred_to",
                    "type",
                ],
            );
            let kind = self.required_string(&item, "type");
            if kind.as_deref().is_some_and(|kind| kind != "durable-object") {
                let message = format!(
                    "`{}`: only exports of the type \"durable-object\" are simulated",
                    item.name
                );
                self.refuse(item.span, message, None);
                continue;
            }
            match self
                .optional_string(&item, "state")
                .as_deref()
                .unwrap_or("created")
            {
                "created" => {}
                "deleted" | "renamed" => continue,
                "transferred" | "expecting-transfer" => {
                    let message = format!(
                        "`{}`: a class shared with another Worker is not simulated",
                        item.name
                    );
                    self.refuse(item.span, message, None);
                    continue;
                }
                other => {
                    let help = "one of created, deleted, renamed, transferred, expecting-transfer"
                        .to_owned();
                    self.refuse(
                        item.span,
                        format!("`{}.state`: no state is called \"{other}\"", item.name),
                        Some(help),
                    );
                    continue;
                }
            }
            match self.required_string(&item, "storage").as_deref() {
                Some("sqlite") => drop(classes.insert(class.to_string(), Storage::Sqlite)),
                Some("legacy-kv") => drop(classes.insert(class.to_string(), Storage::LegacyKv)),
                Some(other) => {
                    let help = Some("write \"sqlite\"".to_owned());
                    self.refuse(
                        item.span,
                        format!("`{}.storage`: \"{other}\" is unknown", item.name),
                        help,
                    );
                }
                None => {}
            }
        }
        classes
    }

    fn durable_objects(
        &mut self,
        layers: &Layers<'_, '_>,
        classes: &BTreeMap<String, Storage>,
        own_name: Option<&str>,
    ) -> Vec<DurableObject> {
        let mut objects = Vec::new();
        let Some(found) = layers.find("durable_objects") else {
            return objects;
        };
        let Some(table) = self.table(found.value, &found.name) else {
            return objects;
        };
        let outer = Item {
            name: found.name.clone(),
            table,
            span: found.key.span,
        };
        self.only_keys(&outer, &["bindings"]);
        let Some(bindings) = table.get("bindings") else {
            return objects;
        };
        for item in self.tables(bindings, &format!("{}.bindings", found.name)) {
            self.only_keys(&item, &["class_name", "environment", "name", "script_name"]);
            if let Some(script) = self.optional_string(&item, "script_name")
                && Some(script.as_str()) != own_name
            {
                let span = item
                    .table
                    .get_key_value("script_name")
                    .map_or(item.span, |(key, _)| key.span);
                let message = format!(
                    "the class belongs to the Worker `{script}`: the world runs one Worker"
                );
                self.refuse(span, message, None);
                continue;
            }
            let binding = self.binding_of(&item, "name");
            let Some(class) = self.required_string(&item, "class_name") else {
                continue;
            };
            let class_span = item
                .table
                .get("class_name")
                .map_or(item.span, |value| value.span);
            match classes.get(&class) {
                Some(Storage::Sqlite) => {}
                Some(Storage::LegacyKv) => {
                    let message = format!(
                        "the class `{class}` is declared with key-value storage, which is not simulated and which new accounts cannot create"
                    );
                    let help = format!(
                        "write new_sqlite_classes = [\"{class}\"] (or storage = \"sqlite\" in [exports])"
                    );
                    self.refuse(class_span, message, Some(help));
                }
                None => {
                    let message = format!("the class `{class}` is bound but not declared");
                    let help = match keys::nearest(&class, classes.keys().map(String::as_str)) {
                        Some(nearest) => format!("did you mean `{nearest}`?"),
                        None => format!(
                            "add:\n[[migrations]]\ntag = \"v1\"\nnew_sqlite_classes = [\"{class}\"]"
                        ),
                    };
                    self.refuse(class_span, message, Some(help));
                }
            }
            if let Some(binding) = binding {
                objects.push(DurableObject { binding, class });
            }
        }
        objects
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
            if cron.split_whitespace().count() != 5 {
                let help = "minute, hour, day of month, month, day of week".to_owned();
                self.refuse(
                    span,
                    format!("a cron expression has five fields, not \"{cron}\""),
                    Some(help),
                );
            }
            crons.push(cron);
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

    // ---- values --------------------------------------------------------------------------------------------------

    fn refuse(&mut self, span: Span, message: String, help: Option<String>) {
        self.problems
            .push(Problem::at(&self.source, span, message, help));
    }

    fn note(&self, span: Span, message: String) -> Note {
        let (line, column) = self.source.line_and_column(span.start);
        Note {
            line,
            column,
            message,
        }
    }

    fn unknown_key<'k>(
        &mut self,
        key: &Key<'_>,
        name: &str,
        known: impl IntoIterator<Item = &'k str>,
    ) {
        let help = match keys::nearest(&key.name, known) {
            Some(nearest) => Some(format!("did you mean `{nearest}`?")),
            // The commonest slip with TOML: a key below a [table] belongs to that table.
            None if name != key.name && keys::find(&key.name).is_some() => Some(format!(
                "`{}` is a key of the top level: move it above the first [table]",
                key.name
            )),
            None => None,
        };
        self.refuse(key.span, format!("unknown key `{name}`"), help);
    }

    fn only_keys(&mut self, item: &Item<'_, '_>, known: &[&str]) {
        for key in item.table.keys() {
            if !known.contains(&&*key.name) {
                self.unknown_key(key, &format!("{}.{key}", item.name), known.iter().copied());
            }
        }
    }

    /// Notes a name of the Worker's `env`, and refuses it if another binding has it.
    fn binding(&mut self, span: Span, name: &str) {
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

    fn binding_of(&mut self, item: &Item<'_, '_>, key: &str) -> Option<String> {
        let name = self.required_string(item, key)?;
        let span = item.table.get(key).map_or(item.span, |value| value.span);
        self.binding(span, &name);
        Some(name)
    }

    fn not_remote(&mut self, item: &Item<'_, '_>) {
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

    fn wrong_type(&mut self, value: &Value<'_>, name: &str, wanted: &str) {
        self.refuse(
            value.span,
            format!(
                "`{name}` must be {wanted}, not {}",
                article(value.as_ref().type_str())
            ),
            None,
        );
    }

    fn table<'a, 't>(&mut self, value: &'a Value<'t>, name: &str) -> Option<&'a Table<'t>> {
        let table = value.as_table();
        if table.is_none() {
            self.wrong_type(value, name, "a table");
        }
        table
    }

    /// The tables of an array of tables that applies, or none.
    fn items<'a, 't>(&mut self, layers: &Layers<'a, 't>, key: &str) -> Vec<Item<'a, 't>> {
        match layers.find(key) {
            Some(found) => self.tables(found.value, &found.name),
            None => Vec::new(),
        }
    }

    fn tables<'a, 't>(&mut self, value: &'a Value<'t>, name: &str) -> Vec<Item<'a, 't>> {
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

    fn string(&mut self, value: &Value<'_>, name: &str) -> Option<String> {
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

    fn optional_string(&mut self, item: &Item<'_, '_>, key: &str) -> Option<String> {
        self.string(item.table.get(key)?, &format!("{}.{key}", item.name))
    }

    fn required_string(&mut self, item: &Item<'_, '_>, key: &str) -> Option<String> {
        if !item.table.contains_key(key) {
            self.refuse(item.span, format!("`{}.{key}` is missing", item.name), None);
        }
        self.optional_string(item, key)
    }

    /// The strings of an array that may be absent, with their places.
    fn strings(&mut self, item: &Item<'_, '_>, key: &str) -> Vec<(String, Span)> {
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
    fn integer(&mut self, item: &Item<'_, '_>, key: &str, max: u64) -> Option<u64> {
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
struct Item<'a, 't> {
    name: String,
    table: &'a Table<'t>,
    span: Span,
}

/// The names that a key of variables or bindings puts into the Worker's `env`, as far as they can be read.
fn names(key: &str, value: &Value<'_>) -> Vec<String> {
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
        _ => field(Some(value), "binding"),
    }
}

fn is_empty(value: &Value<'_>) -> bool {
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
fn json(value: &Value<'_>) -> Option<serde_json::Value> {
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

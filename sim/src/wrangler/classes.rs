//! Durable Objects: the classes that a file declares, and the bindings that name them.

use crate::nearest::nearest;
use std::collections::BTreeMap;

use super::DurableObject;
use super::reader::{Found, Layers, Reader};
use super::value::Item;

/// How a class keeps its data.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Storage {
    Sqlite,
    LegacyKv,
}

impl Reader {
    /// The classes that the file declares, from `[[migrations]]` or `[exports]`.
    pub(super) fn classes(&mut self, layers: &Layers<'_, '_>) -> BTreeMap<String, Storage> {
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

    pub(super) fn durable_objects(
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
            let script = self
                .optional_string(&item, "script_name")
                .filter(|script| Some(script.as_str()) != own_name);
            let binding = self.binding_of(&item, "name");
            let Some(class) = self.required_string(&item, "class_name") else {
                continue;
            };
            let class_span = item
                .table
                .get("class_name")
                .map_or(item.span, |value| value.span);
            match classes.get(&class) {
                // The class is declared by the Worker whose code it is; the world has that Worker, or is not built.
                _ if script.is_some() => {}
                Some(Storage::Sqlite) => {}
                Some(Storage::LegacyKv) => {
                    let message = format!(
                        "the class `{class}` is declared with key-value storage, which new accounts cannot create: it runs as one \
                         with SQLite storage, with the limits of that (write new_sqlite_classes = [\"{class}\"], or \
                         storage = \"sqlite\" in [exports])"
                    );
                    let note = self.note(class_span, message);
                    self.warnings.push(note);
                }
                None => {
                    let message = format!("the class `{class}` is bound but not declared");
                    let help = match nearest(&class, classes.keys().map(String::as_str)) {
                        Some(nearest) => format!("did you mean `{nearest}`?"),
                        None => format!(
                            "add:\n[[migrations]]\ntag = \"v1\"\nnew_sqlite_classes = [\"{class}\"]"
                        ),
                    };
                    self.refuse(class_span, message, Some(help));
                }
            }
            if let Some(binding) = binding {
                objects.push(DurableObject {
                    binding,
                    class,
                    script,
                });
            }
        }
        objects
    }
}

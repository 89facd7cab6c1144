//! Keeping an account's state in a folder, from one run to the next.
//!
//! SQL (D1, and objects that use it) lives in SQLite files of the folder, `d1-<uuid>.sqlite` and `object-….sqlite`. It
//! is stored as soon as it is committed. SQLite does not wait for the disk, so only a machine that stops may lose the
//! newest commits.
//!
//! The lists of namespaces and databases, KV, and the objects' keys and values are in one JSON file, `state.json`. Each
//! call of [`Account::save`](crate::account::Account::save) writes a new file beside the old one and renames it over
//! the old one: a server that is killed keeps the last saved state. Then an object's SQL may be newer than its keys and
//! values.
//!
//! State that this world does not bind is kept: other namespaces and databases stay in the account, and objects of
//! classes that this world does not have are written back as they were read.
//!
//! Form 1 of the file knew namespaces and databases by the names of their bindings, `d1-<binding>.sqlite`. It is read,
//! and its files are renamed, as the bindings of the configuration at hand; the new form is written at once.

use super::Engine;
use super::inventory::{Inventory, Item, database_file, is_uuid, sqlite_files};
use super::saved::SavedObject;
use crate::kernel::time::Instant;
use crate::platform::durable::ObjectId;
use crate::platform::kv::Put;
use crate::wrangler::WorkerConfig;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Version of the file's form; a later one is refused.
const FORM: u32 = 2;

/// What a folder holds besides SQL.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    form: u32,
    namespaces: Vec<SavedNamespace>,
    databases: Vec<SavedDatabase>,
    objects: BTreeMap<String, Vec<SavedObject>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedNamespace {
    id: String,
    title: String,
    created_ms: u64,
    entries: Vec<Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedDatabase {
    uuid: String,
    name: String,
    created_ms: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    key: String,
    value: String,
    metadata: Option<String>,
    expiration_seconds: Option<u64>,
}

/// Form 1.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OldState {
    #[expect(dead_code, reason = "it has been looked at")]
    form: u32,
    kv: BTreeMap<String, Vec<Entry>>,
    objects: BTreeMap<String, Vec<SavedObject>>,
}

/// The part of every form that says which one it is.
#[derive(Debug, Deserialize)]
struct Form {
    form: u32,
}

fn file(folder: &Path) -> PathBuf {
    folder.join("state.json")
}

fn damaged(folder: &Path, problem: impl std::fmt::Display) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("{}: {problem}", file(folder).display()),
    )
}

impl State {
    /// What [`Account::save`](crate::account::Account::save) left in a folder; an empty state, if it left nothing.
    pub(crate) fn load(folder: &Path) -> io::Result<Self> {
        let text = match std::fs::read(file(folder)) {
            Ok(text) => text,
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(problem) => return Err(problem),
        };
        let at = |problem| damaged(folder, problem);
        let Form { form } = serde_json::from_slice(&text).map_err(at)?;
        match form {
            FORM => serde_json::from_slice(&text).map_err(at),
            1 => {
                let old: OldState = serde_json::from_slice(&text).map_err(at)?;
                let named = |(binding, entries)| SavedNamespace {
                    // Its id is found by `adopt`, which knows what the binding means.
                    id: String::new(),
                    title: binding,
                    created_ms: 0,
                    entries,
                };
                Ok(Self {
                    form: 1,
                    namespaces: old.kv.into_iter().map(named).collect(),
                    databases: Vec::new(),
                    objects: old.objects,
                })
            }
            _ => Err(damaged(
                folder,
                format!("written in form {form}, and this program reads forms 1 and {FORM}"),
            )),
        }
    }

    /// The account that the state belongs to, with the items that `config` binds. An item that form 1 names by a
    /// binding gets the id of the item that the binding means.
    pub(crate) fn account(
        &mut self,
        folder: &Path,
        config: Option<&WorkerConfig>,
        now: Instant,
    ) -> io::Result<Inventory> {
        let mut account = Inventory::default();
        let item = |name: &str, created_ms| Item {
            name: name.into(),
            created_at: Instant::from_unix_ms(created_ms),
            number: None,
        };
        for database in &self.databases {
            let id = database.uuid.as_str().into();
            let item = item(&database.name, database.created_ms);
            account.databases.insert(id, item);
        }
        for namespace in self.namespaces.iter().filter(|_| self.form != 1) {
            let id = namespace.id.as_str().into();
            let item = item(&namespace.title, namespace.created_ms);
            account.namespaces.insert(id, item);
        }
        let worker = config.map_or("", |config| &config.name);
        for kv in config.into_iter().flat_map(|config| &config.kv_namespaces) {
            account.bind_namespace(worker, &kv.binding, kv.id.as_deref(), now);
        }
        for d1 in config.into_iter().flat_map(|config| &config.d1_databases) {
            account.bind_database(
                worker,
                &d1.binding,
                d1.id.as_deref(),
                d1.name.as_deref(),
                now,
            );
        }
        for namespace in self.namespaces.iter_mut().filter(|_| self.form == 1) {
            let mut bound = config.into_iter().flat_map(|config| &config.kv_namespaces);
            let bound = bound.find(|kv| kv.binding == namespace.title);
            let id = bound.and_then(|kv| kv.id.as_deref());
            let (id, item) = account.bind_namespace(worker, &namespace.title, id, now);
            namespace.id = id.to_string();
            namespace.title = item.name.to_string();
        }
        adopt_files(folder, config, &mut account, now)?;
        Ok(account)
    }
}

/// Adds the database files that the account does not list: those of form 1, and those of a server that was killed.
fn adopt_files(
    folder: &Path,
    config: Option<&WorkerConfig>,
    account: &mut Inventory,
    now: Instant,
) -> io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(problem) => return Err(problem),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        let stem = name
            .to_str()
            .and_then(|name| name.strip_prefix("d1-")?.strip_suffix(".sqlite"));
        names.extend(stem.map(str::to_owned));
    }
    names.sort();
    for name in names {
        let old = folder.join(format!("d1-{name}.sqlite"));
        let mut known = account.databases.keys();
        if known.any(|id| database_file(folder, id) == old) {
            continue;
        }
        if is_uuid(&name) {
            // The server was killed before it saved this database's name: only the id is known.
            account.bind_database("", "", Some(&name), Some(&name), now);
            continue;
        }
        let mut bound = config.into_iter().flat_map(|config| &config.d1_databases);
        let bound = bound.find(|d1| d1.binding == name);
        let (id, _) = account.bind_database(
            config.map_or("", |config| &config.name),
            &name,
            bound.and_then(|d1| d1.id.as_deref()),
            bound.and_then(|d1| d1.name.as_deref()),
            now,
        );
        let new = database_file(folder, &id);
        if new.exists() {
            continue;
        }
        for (from, to) in sqlite_files(&old).iter().zip(sqlite_files(&new)) {
            match std::fs::rename(from, to) {
                Err(problem) if problem.kind() != io::ErrorKind::NotFound => return Err(problem),
                _ => {}
            }
        }
    }
    Ok(())
}

impl Engine {
    /// Saves the account's lists, KV and Durable Objects to a folder, all or nothing.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub(crate) fn save(&self, folder: &Path) -> io::Result<()> {
        let now = self.now();
        let account = self.0.inventory.borrow();
        let namespaces = self.0.namespaces.borrow();
        let saved_namespace = |(id, item): (&Rc<str>, &Item)| {
            let number = item.number? as usize;
            let entries = namespaces[number].live_entries(now);
            let entries = entries.map(|(key, version)| Entry {
                key: key.to_string(),
                value: STANDARD.encode(version.value.as_deref().unwrap_or_default()),
                metadata: version.metadata.as_deref().map(str::to_owned),
                expiration_seconds: version.expiration_seconds,
            });
            Some(SavedNamespace {
                id: id.to_string(),
                title: item.name.to_string(),
                created_ms: item.created_at.unix_ms(),
                entries: entries.collect(),
            })
        };
        let saved_database = |(uuid, item): (&Rc<str>, &Item)| SavedDatabase {
            uuid: uuid.to_string(),
            name: item.name.to_string(),
            created_ms: item.created_at.unix_ms(),
        };
        let mut state = State {
            form: FORM,
            namespaces: account
                .namespaces
                .iter()
                .filter_map(saved_namespace)
                .collect(),
            databases: account.databases.iter().map(saved_database).collect(),
            objects: account.foreign_objects.clone(),
        };
        for class in self.0.classes.borrow().iter() {
            let objects = class.objects().iter().map(|object| SavedObject {
                id: object.id.to_hex(),
                name: object.name.as_deref().map(str::to_owned),
                home: object.home,
                alarm_ms: object.storage.alarm().visible_ms(),
                values: object
                    .storage
                    .values()
                    .map(|(key, value)| (key.to_owned(), STANDARD.encode(value)))
                    .collect(),
            });
            state
                .objects
                .insert(class.name.to_string(), objects.collect());
        }
        std::fs::create_dir_all(folder)?;
        let fresh = folder.join("state.json.new");
        std::fs::write(&fresh, serde_json::to_vec(&state)?)?;
        std::fs::rename(fresh, file(folder))
    }

    /// Loads the state that was read from a folder.
    pub(crate) fn restore(&self, folder: &Path, state: State) -> io::Result<()> {
        let is_old = state.form == 1;
        for class in self.0.classes.borrow_mut().iter_mut() {
            class.keep_sql_in(folder);
        }
        let decode = |text: &str| {
            STANDARD
                .decode(text)
                .map_err(|problem| damaged(folder, problem))
        };
        for saved in &state.namespaces {
            let account = self.0.inventory.borrow();
            let number = account
                .namespaces
                .get(saved.id.as_str())
                .and_then(|item| item.number);
            let number = number.expect("every namespace of the state has a place") as usize;
            let mut namespaces = self.0.namespaces.borrow_mut();
            for entry in &saved.entries {
                let put = Put {
                    key: entry.key.as_str().into(),
                    value: Some(decode(&entry.value)?.into()),
                    metadata: entry.metadata.as_deref().map(Into::into),
                    expiration_seconds: entry.expiration_seconds,
                };
                if !namespaces[number].restore(&put) {
                    let problem = format!("the key {:?} has two values", entry.key);
                    return Err(damaged(folder, problem));
                }
            }
        }
        let mut objects = state.objects;
        let mut alarms = Vec::new();
        for (number, class) in (0_u16..).zip(self.0.classes.borrow_mut().iter_mut()) {
            for saved in objects.remove(&*class.name).into_iter().flatten() {
                let id = ObjectId::from_hex(&saved.id)
                    .ok_or_else(|| damaged(folder, "an object's id is none"))?;
                let name = saved.name.as_deref().map(Into::into);
                let (index, _) = class.find_or_place(id, name.as_ref(), saved.home);
                let mut values = Vec::with_capacity(saved.values.len());
                for (key, value) in &saved.values {
                    values.push((key.as_str(), decode(value)?));
                }
                class.object(index).storage.restore(values, saved.alarm_ms);
                if saved.alarm_ms.is_some() {
                    alarms.push((number, index));
                }
            }
        }
        self.0.inventory.borrow_mut().foreign_objects = objects;
        for (class, index) in alarms {
            self.arm_alarm(class, index);
        }
        if is_old {
            // Its files have new names already, and only the new form says what they are.
            self.save(folder)?;
        }
        Ok(())
    }
}

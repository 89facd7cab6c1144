//! Keeping a served world's state in a folder, from one run to the next.
//!
//! SQL (D1, and objects that use it) lives in SQLite files of the folder. KV and the objects' keys and values are saved as
//! one JSON file when the server stops, written beside the old one and renamed over it; a server that is killed keeps the
//! state of its last orderly stop.

use super::World;
use crate::kernel::time::Instant;
use crate::platform::durable::ObjectId;
use crate::platform::kv::Put;
use crate::topology::Pop;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Version of the file's form; another one is refused.
const FORM: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    form: u32,
    kv: BTreeMap<String, Vec<Entry>>,
    objects: BTreeMap<String, Vec<Object>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    key: String,
    value: String,
    metadata: Option<String>,
    expiration_seconds: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Object {
    id: String,
    name: Option<String>,
    home: Pop,
    alarm_ms: Option<u64>,
    values: BTreeMap<String, String>,
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

impl World {
    /// Saves KV and Durable Objects to a folder, all or nothing.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn save(&self, folder: &Path) -> io::Result<()> {
        let now = self.now();
        let mut state = State {
            form: FORM,
            kv: BTreeMap::new(),
            objects: BTreeMap::new(),
        };
        for namespace in self.0.namespaces.borrow().iter() {
            let entries = namespace.live_entries(now).map(|(key, version)| Entry {
                key: key.to_string(),
                value: STANDARD.encode(version.value.as_deref().unwrap_or_default()),
                metadata: version.metadata.as_deref().map(str::to_owned),
                expiration_seconds: version.expiration_seconds,
            });
            state
                .kv
                .insert(namespace.binding.to_string(), entries.collect());
        }
        for class in self.0.classes.borrow().iter() {
            let objects = class.objects().iter().map(|object| Object {
                id: object.id.to_hex(),
                name: object.name.as_deref().map(str::to_owned),
                home: object.home,
                alarm_ms: object.storage.alarm_ms(),
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

    /// Takes up what [`save`](Self::save) left in a folder; nothing, if it left nothing.
    pub(super) fn restore(&self, folder: &Path) -> io::Result<()> {
        for class in self.0.classes.borrow_mut().iter_mut() {
            class.keep_sql_in(folder);
        }
        let text = match std::fs::read(file(folder)) {
            Ok(text) => text,
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(problem) => return Err(problem),
        };
        let state: State =
            serde_json::from_slice(&text).map_err(|problem| damaged(folder, problem))?;
        if state.form != FORM {
            return Err(damaged(
                folder,
                format!(
                    "written in form {}, and this program reads form {FORM}",
                    state.form
                ),
            ));
        }
        let decode = |text: &str| {
            STANDARD
                .decode(text)
                .map_err(|problem| damaged(folder, problem))
        };
        // Before anything else happened: no write of this run is within a second of these.
        let before = Instant(self.start().0.saturating_sub(crate::kernel::time::SECOND));
        for namespace in self.0.namespaces.borrow_mut().iter_mut() {
            for entry in state.kv.get(&*namespace.binding).into_iter().flatten() {
                let put = Put {
                    key: entry.key.as_str().into(),
                    value: Some(decode(&entry.value)?.into()),
                    metadata: entry.metadata.as_deref().map(Into::into),
                    expiration_seconds: entry.expiration_seconds,
                };
                namespace
                    .commit(before, &put)
                    .map_err(|problem| damaged(folder, problem))?;
            }
        }
        let mut alarms = Vec::new();
        for (number, class) in (0_u16..).zip(self.0.classes.borrow_mut().iter_mut()) {
            for saved in state.objects.get(&*class.name).into_iter().flatten() {
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
        for (class, index) in alarms {
            self.arm_alarm(class, index);
        }
        Ok(())
    }
}

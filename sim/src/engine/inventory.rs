//! The inventory: which KV namespaces and D1 databases the account has, bound or not, by id.
//!
//! Every namespace has an id (32 hexadecimal digits) and a title, every database a UUID and a name. A binding of
//! `wrangler.toml` with an `id` or `database_id` means the item of that id, and one without means the item that wrangler's
//! automatic provisioning finds by name: `database_name`, or `<worker>-<binding>` in lower case with `-` for `_`
//! (WRANGLER 4.164.0). An item that is not there yet is made, with an id that follows from its name; so two commands on one
//! state folder, or the same one twice, mean the same items.

use super::saved::SavedObject;
use crate::kernel::seed::Stream;
use crate::kernel::time::Instant;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// The namespaces and databases of an account, by id.
#[derive(Debug, Default)]
pub(crate) struct Inventory {
    pub(crate) namespaces: BTreeMap<Rc<str>, Item>,
    pub(crate) databases: BTreeMap<Rc<str>, Item>,
    /// The Worker whose configuration binds some of them.
    pub(crate) worker: Rc<str>,
    /// Saved objects of classes that this world does not have: kept as they are.
    pub(crate) foreign_objects: BTreeMap<String, Vec<SavedObject>>,
    /// Grows with every change of the lists.
    pub(crate) revision: u64,
}

/// A namespace or a database.
#[derive(Debug)]
pub(crate) struct Item {
    /// Title or name.
    pub(crate) name: Rc<str>,
    /// When it was made.
    pub(crate) created_at: Instant,
    /// Its place in the world; `None` until it has one.
    pub(crate) number: Option<u32>,
}

/// The name that wrangler's automatic provisioning gives to the item of a binding without an id. WRANGLER 4.164.0.
///
/// ```
/// use edgeproof_sim::account::provisioned_name;
/// assert_eq!(provisioned_name("shop", "CACHE_KV"), "shop-cache-kv");
/// ```
pub fn provisioned_name(worker: &str, binding: &str) -> String {
    format!("{worker}-{}", binding.to_lowercase().replace('_', "-"))
}

impl Inventory {
    /// Finds the namespace that a binding means, or makes it; returns its id and the item.
    pub(crate) fn bind_namespace(
        &mut self,
        worker: &str,
        binding: &str,
        id: Option<&str>,
        now: Instant,
    ) -> (Rc<str>, &mut Item) {
        let title = provisioned_name(worker, binding);
        bind(&mut self.namespaces, id, &title, now, hex_id)
    }

    /// Finds the database that a binding means, or makes it; returns its id and the item.
    pub(crate) fn bind_database(
        &mut self,
        worker: &str,
        binding: &str,
        id: Option<&str>,
        name: Option<&str>,
        now: Instant,
    ) -> (Rc<str>, &mut Item) {
        let name = name.map_or_else(|| provisioned_name(worker, binding), str::to_owned);
        bind(&mut self.databases, id, &name, now, uuid)
    }
}

fn bind<'a>(
    items: &'a mut BTreeMap<Rc<str>, Item>,
    id: Option<&str>,
    name: &str,
    now: Instant,
    make_id: fn(&str) -> String,
) -> (Rc<str>, &'a mut Item) {
    let id = identify(items, id, name, make_id);
    // Names are unique in an account, so the name of a new item with a given id may be taken.
    let mut others = items.iter().filter(|(other, _)| **other != id);
    let name = if others.any(|(_, item)| *item.name == *name) {
        format!("{name}-{id}")
    } else {
        name.to_owned()
    };
    let item = items.entry(Rc::clone(&id)).or_insert_with(|| Item {
        name: name.into(),
        created_at: now,
        number: None,
    });
    (id, item)
}

/// The id of the requested item: the given id, else that of the item with this name, else one that follows from the
/// name.
fn identify(
    items: &BTreeMap<Rc<str>, Item>,
    id: Option<&str>,
    name: &str,
    make_id: fn(&str) -> String,
) -> Rc<str> {
    if let Some(id) = id {
        return id.into();
    }
    if let Some((id, _)) = items.iter().find(|(_, item)| *item.name == *name) {
        return Rc::clone(id);
    }
    fresh_id(items, name, make_id)
}

/// An id made from `source` that no item has.
pub(crate) fn fresh_id(
    items: &BTreeMap<Rc<str>, Item>,
    source: &str,
    make_id: fn(&str) -> String,
) -> Rc<str> {
    let mut source = source.to_owned();
    loop {
        let id = make_id(&source);
        if !items.contains_key(id.as_str()) {
            return id.into();
        }
        source.push('+');
    }
}

/// 32 hexadecimal digits.
pub(crate) fn hex_id(source: &str) -> String {
    let mut stream = Stream::new(0, &format!("account/{source}"));
    format!("{:016x}{:016x}", stream.next_u64(), stream.next_u64())
}

/// A UUID of the form that RFC 9562 calls version 4.
pub(crate) fn uuid(source: &str) -> String {
    let hex = hex_id(&format!("uuid/{source}"));
    format!(
        "{}-{}-4{}-a{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[13..16],
        &hex[17..20],
        &hex[20..]
    )
}

/// The file of a database in a state folder. An id in `wrangler.toml` may be any text; the file never lies outside the
/// folder.
pub(crate) fn database_file(folder: &Path, id: &str) -> PathBuf {
    let mut name = "d1-".to_owned();
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' {
            name.push(char::from(byte));
        } else {
            let _ = write!(name, "%{byte:02X}");
        }
    }
    folder.join(name + ".sqlite")
}

/// The three files that SQLite may keep for one database.
pub(crate) fn sqlite_files(file: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|end| {
        let mut name = file.as_os_str().to_owned();
        name.push(end);
        name.into()
    })
}

/// Whether a text has the shape of a UUID.
pub(crate) fn is_uuid(text: &str) -> bool {
    let dashes = [8, 13, 18, 23];
    text.len() == 36
        && text.bytes().enumerate().all(|(place, byte)| {
            if dashes.contains(&place) {
                byte == b'-'
            } else {
                byte.is_ascii_hexdigit()
            }
        })
}

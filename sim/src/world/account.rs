//! The account: the KV namespaces and D1 databases that exist, bound by this world's Worker or not, and what is done to them
//! from outside of any Worker.
//!
//! Every namespace has an id (32 hexadecimal digits) and a title, every database a UUID and a name. A binding of
//! `wrangler.toml` with an `id` or `database_id` means the item of that id, and one without means the item that wrangler's
//! automatic provisioning finds by name: `database_name`, or `<worker>-<binding>` in lower case with `-` for `_`
//! (WRANGLER 4.164.0). An item that is not there yet is made, with an id that follows from its name; so two commands on one
//! state folder, or the same one twice, mean the same items.
//!
//! Operations on KV from here go to the central store: no PoP's cache is asked or filled. They take no simulated time, but count
//! and are billed as a Worker's (KVPRICE: operations of wrangler are billed), and so are rows of D1. The limits of one
//! invocation do not hold.

use super::kv::kv_status;
use super::persist::SavedObject;
use super::{Binding, Operation, World};
use crate::bill::usage::Meter;
use crate::exception::Exception;
use crate::fault::KvOperation;
use crate::history::{Op, Outcome};
use crate::kernel::seed::Stream;
use crate::kernel::time::Instant;
use crate::limits::api::{self, ApiError};
use crate::platform::d1::{Call, D1, QueryResult};
use crate::platform::kv::{self, Namespace, Page, Put, Version};
use crate::topology::Pop;
use bytes::Bytes;
use edgeproof_sqlite::SqlError;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// The namespaces and databases of an account, by id.
#[derive(Debug, Default)]
pub(super) struct Account {
    pub(super) namespaces: BTreeMap<Rc<str>, Item>,
    pub(super) databases: BTreeMap<Rc<str>, Item>,
    /// The Worker whose configuration binds some of them.
    pub(super) worker: Rc<str>,
    /// Saved objects of classes that this world does not have: kept as they are.
    pub(super) foreign_objects: BTreeMap<String, Vec<SavedObject>>,
    /// Grows with every change of the lists.
    revision: u64,
}

/// A namespace or a database.
#[derive(Debug)]
pub(super) struct Item {
    /// Title or name.
    pub(super) name: Rc<str>,
    /// When it was made.
    pub(super) created_at: Instant,
    /// Its place in the world; `None` until it has one.
    pub(super) number: Option<u32>,
}

/// A namespace or a database, as a list of the account tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountItem {
    /// 32 hexadecimal digits, or a UUID.
    pub id: Rc<str>,
    /// The title or name.
    pub name: Rc<str>,
    /// When it was made; the Unix epoch, if that is not known.
    pub created_at: Instant,
    number: u32,
}

/// What an item of the account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountKind {
    /// A KV namespace.
    Namespace,
    /// A D1 database.
    Database,
}

/// The name that wrangler's automatic provisioning gives to what a binding without an id means. WRANGLER 4.164.0.
///
/// ```
/// use edgeproof_sim::world::provisioned_name;
/// assert_eq!(provisioned_name("shop", "CACHE_KV"), "shop-cache-kv");
/// ```
pub fn provisioned_name(worker: &str, binding: &str) -> String {
    format!("{worker}-{}", binding.to_lowercase().replace('_', "-"))
}

impl Account {
    /// The namespace that a binding means, made if it is not there: its id and itself.
    pub(super) fn bind_namespace(
        &mut self,
        worker: &str,
        binding: &str,
        id: Option<&str>,
        now: Instant,
    ) -> (Rc<str>, &mut Item) {
        let title = provisioned_name(worker, binding);
        bind(&mut self.namespaces, id, &title, now, hex_id)
    }

    /// The database that a binding means, made if it is not there: its id and itself.
    pub(super) fn bind_database(
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
    // Names are unique in an account; the item of a given id that is new may find its name taken.
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

/// The id of the item that is meant: the given one, that of the item with this name, or one that follows from the name.
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
fn fresh_id(items: &BTreeMap<Rc<str>, Item>, source: &str, make_id: fn(&str) -> String) -> Rc<str> {
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
fn hex_id(source: &str) -> String {
    let mut stream = Stream::new(0, &format!("account/{source}"));
    format!("{:016x}{:016x}", stream.next_u64(), stream.next_u64())
}

/// A UUID of the form that RFC 9562 calls version 4.
fn uuid(source: &str) -> String {
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

/// The file of a database in a state folder. An id of a `wrangler.toml` may be any text: nothing in it leaves the folder.
pub(super) fn database_file(folder: &Path, id: &str) -> PathBuf {
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
pub(super) fn sqlite_files(file: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|end| {
        let mut name = file.as_os_str().to_owned();
        name.push(end);
        name.into()
    })
}

fn listed(items: &BTreeMap<Rc<str>, Item>) -> Vec<AccountItem> {
    let listed = items.iter().filter_map(|(id, item)| {
        Some(AccountItem {
            id: Rc::clone(id),
            name: Rc::clone(&item.name),
            created_at: item.created_at,
            number: item.number?,
        })
    });
    listed.collect()
}

impl World {
    /// A number that changes whenever something did that [`save`](Self::save) would write.
    pub fn revision(&self) -> u64 {
        let written: u64 = self
            .0
            .namespaces
            .borrow()
            .iter()
            .map(Namespace::revision)
            .sum();
        // A namespace that goes takes its writes out of the sum; the lists' own number weighs more than any sum.
        (self.0.account.borrow().revision << 40)
            .wrapping_add(written)
            .wrapping_add(self.0.object_commits.get())
    }

    // --- namespaces ------------------------------------------------------------------------------------------------

    /// The account's KV namespaces, in order of their ids.
    pub fn kv_namespaces(&self) -> Vec<AccountItem> {
        listed(&self.0.account.borrow().namespaces)
    }

    /// The namespace with this id.
    ///
    /// # Errors
    /// There is none.
    pub fn kv_namespace(&self, id: &str) -> Result<AccountItem, ApiError> {
        let found = self
            .kv_namespaces()
            .into_iter()
            .find(|item| &*item.id == id);
        found.ok_or_else(ApiError::no_namespace)
    }

    /// Makes a namespace.
    ///
    /// # Errors
    /// The title is taken.
    pub fn create_kv_namespace(&self, title: &str) -> Result<AccountItem, ApiError> {
        let mut account = self.0.account.borrow_mut();
        if account.namespaces.values().any(|item| *item.name == *title) {
            return Err(ApiError::title_taken());
        }
        let mut namespaces = self.0.namespaces.borrow_mut();
        let number = u32::try_from(namespaces.len()).expect("fewer than 2^32 namespaces");
        namespaces.push(Namespace::new(title.into(), Pop::COUNT));
        let source = format!("{title}/{}", self.now().0);
        let id = fresh_id(&account.namespaces, &source, hex_id);
        let item = Item {
            name: title.into(),
            created_at: self.now(),
            number: Some(number),
        };
        account.namespaces.insert(Rc::clone(&id), item);
        account.revision += 1;
        Ok(AccountItem {
            id,
            name: title.into(),
            created_at: self.now(),
            number,
        })
    }

    /// Gives a namespace another title.
    ///
    /// # Errors
    /// There is none of this id, or another one has the title.
    pub fn rename_kv_namespace(&self, id: &str, title: &str) -> Result<AccountItem, ApiError> {
        let mut found = self.kv_namespace(id)?;
        let mut account = self.0.account.borrow_mut();
        let mut others = account
            .namespaces
            .iter()
            .filter(|(other, _)| ***other != *id);
        if others.any(|(_, item)| *item.name == *title) {
            return Err(ApiError::title_taken());
        }
        let item = account.namespaces.get_mut(id).expect("it was found");
        item.name = title.into();
        account.revision += 1;
        found.name = title.into();
        Ok(found)
    }

    /// Deletes a namespace and its keys. A binding of this world that means it finds no key from then on, and its writes are
    /// refused; the next world of a configuration that binds the id starts with an empty one.
    ///
    /// # Errors
    /// There is none of this id.
    pub fn delete_kv_namespace(&self, id: &str) -> Result<(), ApiError> {
        let found = self
            .kv_namespace(id)
            .map_err(|_| ApiError::no_namespace_to_delete())?;
        let mut account = self.0.account.borrow_mut();
        account.namespaces.remove(id);
        account.revision += 1;
        let slot = &mut self.0.namespaces.borrow_mut()[found.number as usize];
        *slot = Namespace::deleted(Rc::clone(&slot.binding), Pop::COUNT);
        Ok(())
    }

    // --- keys and values -------------------------------------------------------------------------------------------

    /// Reads a key at the central store.
    ///
    /// # Errors
    /// A bad key, a failing store.
    pub fn central_get(
        &self,
        namespace: &AccountItem,
        key: &str,
    ) -> Result<Option<Rc<Version>>, Exception> {
        kv::check_key("GET", key)?;
        self.count(Meter::KvReads, 1);
        let now = self.now();
        let version = self.central_fault("GET").map(|()| {
            self.central(namespace)
                .central(now, key, std::time::Duration::ZERO)
        });
        self.record(now, &Self::scope(), || {
            let op = Op::KvGet {
                namespace: self.central(namespace).binding.to_string(),
                key: key.to_owned(),
                cache_ttl_seconds: 0,
            };
            let outcome = match &version {
                Ok(version) => Outcome::KvRead {
                    version: version.live(now).map(|_| version.number),
                    fetched_at: now.0,
                    cached: false,
                },
                Err(exception) => failed(exception),
            };
            (op, outcome)
        });
        Ok(Some(version?).filter(|version| version.live(now).is_some()))
    }

    /// Writes a key at the central store.
    ///
    /// # Errors
    /// A bad key, size or time; 429 for a second write within a second; a failing store.
    pub fn central_put(
        &self,
        namespace: &AccountItem,
        key: &str,
        value: Bytes,
        metadata: Option<Rc<str>>,
        expiration: Option<u64>,
        expiration_ttl: Option<u64>,
    ) -> Result<(), Exception> {
        kv::check_key("PUT", key)?;
        let metadata_bytes = metadata.as_ref().map_or(0, |metadata| metadata.len());
        let expiration_seconds = kv::check_put(
            self.now(),
            value.len(),
            metadata_bytes,
            expiration,
            expiration_ttl,
        )?;
        self.central_write(
            namespace,
            Put {
                key: key.into(),
                value: Some(value),
                metadata,
                expiration_seconds,
            },
        )
    }

    /// Deletes a key at the central store; deleting one that is not there is no error.
    ///
    /// # Errors
    /// As [`central_put`](Self::central_put).
    pub fn central_delete(&self, namespace: &AccountItem, key: &str) -> Result<(), Exception> {
        kv::check_key("DELETE", key)?;
        self.central_write(
            namespace,
            Put {
                key: key.into(),
                value: None,
                metadata: None,
                expiration_seconds: None,
            },
        )
    }

    fn central_write(&self, namespace: &AccountItem, put: Put) -> Result<(), Exception> {
        let now = self.now();
        let (verb, meter) = if put.value.is_some() {
            ("PUT", Meter::KvWrites)
        } else {
            ("DELETE", Meter::KvDeletes)
        };
        let committed = self
            .central_fault(verb)
            .and_then(|()| self.central(namespace).commit(now, &put));
        if committed.is_ok() {
            self.count(meter, 1);
        }
        self.record(now, &Self::scope(), || {
            let namespace = self.central(namespace).binding.to_string();
            let key = put.key.to_string();
            let op = match &put.value {
                Some(value) => Op::KvPut {
                    namespace,
                    key,
                    bytes: value.len() as u64,
                    expiration_seconds: put.expiration_seconds,
                },
                None => Op::KvDelete { namespace, key },
            };
            let outcome = match &committed {
                Ok(version) => Outcome::KvWritten {
                    version: version.number,
                    committed_at: version.committed_at.0,
                },
                Err(exception) => failed(exception),
            };
            (op, outcome)
        });
        committed.map(drop)
    }

    /// Lists keys at the central store.
    ///
    /// # Errors
    /// A prefix longer than a key may be, a failing store.
    pub fn central_list(
        &self,
        namespace: &AccountItem,
        prefix: &str,
        cursor: Option<&str>,
        limit: u64,
    ) -> Result<Page, Exception> {
        let limit = kv::check_list(prefix, Some(limit))?;
        self.count(Meter::KvLists, 1);
        let now = self.now();
        let page = self
            .central_fault("GET")
            .map(|()| self.central(namespace).list(now, prefix, cursor, limit));
        self.record(now, &Self::scope(), || {
            let op = Op::KvList {
                namespace: self.central(namespace).binding.to_string(),
            };
            (op, page.as_ref().map_or_else(failed, |_| Outcome::Done))
        });
        page
    }

    /// What a fault of the store makes of an operation.
    fn central_fault(&self, verb: &str) -> Result<(), Exception> {
        let operation = if verb == "GET" {
            KvOperation::Get
        } else {
            KvOperation::Put
        };
        match self.kv_error(self.now(), operation) {
            None => Ok(()),
            Some(status) => Err(kv_status(verb, status)),
        }
    }

    fn central(&self, namespace: &AccountItem) -> std::cell::RefMut<'_, Namespace> {
        std::cell::RefMut::map(self.0.namespaces.borrow_mut(), |namespaces| {
            &mut namespaces[namespace.number as usize]
        })
    }

    // --- databases -------------------------------------------------------------------------------------------------

    /// The account's D1 databases, in order of their names.
    pub fn databases(&self) -> Vec<AccountItem> {
        let mut listed = listed(&self.0.account.borrow().databases);
        listed.sort_by(|one, other| one.name.cmp(&other.name));
        listed
    }

    /// The database with this id.
    ///
    /// # Errors
    /// There is none, or it can be none's: what is no UUID is refused as such.
    pub fn database(&self, id: &str) -> Result<AccountItem, ApiError> {
        let databases = self.databases();
        let found = databases.into_iter().find(|item| &*item.id == id);
        found.ok_or_else(|| {
            if is_uuid(id) {
                ApiError::no_database(id)
            } else {
                ApiError::invalid_property("databaseId", "Invalid uuid")
            }
        })
    }

    /// The database with this id or this name, as wrangler looks for one.
    ///
    /// # Errors
    /// There is none.
    pub fn database_called(&self, id_or_name: &str) -> Result<AccountItem, ApiError> {
        if let Ok(found) = self.database(id_or_name) {
            return Ok(found);
        }
        let databases = self.databases();
        let found = databases.into_iter().find(|item| &*item.name == id_or_name);
        found.ok_or_else(|| ApiError::no_database(id_or_name))
    }

    /// Makes a database, and its file if this world keeps files.
    ///
    /// # Errors
    /// The name is taken, the plan allows no more databases, or the file cannot be made.
    pub fn create_database(&self, name: &str) -> Result<AccountItem, ApiError> {
        let mut account = self.0.account.borrow_mut();
        if account.databases.values().any(|item| *item.name == *name) {
            return Err(ApiError::name_taken(name));
        }
        let limit = self.0.plan.limits().d1_databases;
        if account.databases.len() >= limit as usize {
            return Err(ApiError::too_many_databases(limit));
        }
        let source = format!("{name}/{}", self.now().0);
        let id = fresh_id(&account.databases, &source, uuid);
        let opened = self.open_database(&id, name);
        let database = opened.map_err(|problem| internal(&problem.message))?;
        let mut databases = self.0.databases.borrow_mut();
        let number = u32::try_from(databases.len()).expect("fewer than 2^32 databases");
        databases.push(database);
        let item = Item {
            name: name.into(),
            created_at: self.now(),
            number: Some(number),
        };
        account.databases.insert(Rc::clone(&id), item);
        account.revision += 1;
        drop((account, databases));
        self.save_lists()?;
        Ok(AccountItem {
            id,
            name: name.into(),
            created_at: self.now(),
            number,
        })
    }

    /// Deletes a database, and its file. Calls of a binding that means it fail from then on.
    ///
    /// # Errors
    /// There is none of this id, or the file cannot be removed.
    pub fn delete_database(&self, id: &str) -> Result<(), ApiError> {
        let found = self.database(id)?;
        {
            let mut databases = self.0.databases.borrow_mut();
            let slot = &mut databases[found.number as usize];
            let (binding, home) = (Rc::clone(&slot.binding), slot.home);
            let mut empty = D1::new(binding, home, self.0.options.d1_service, 0)
                .map_err(|problem| internal(&problem.message))?;
            empty.deleted = Some(ApiError::no_database(&found.id).message.into());
            // The old one is closed here: only then may its file go.
            *slot = empty;
        }
        let mut account = self.0.account.borrow_mut();
        account.databases.remove(&found.id);
        account.revision += 1;
        drop(account);
        if let Some(folder) = &self.0.folder {
            for file in sqlite_files(&database_file(folder, &found.id)) {
                match std::fs::remove_file(&file) {
                    Err(problem) if problem.kind() != std::io::ErrorKind::NotFound => {
                        return Err(internal(&format!("{}: {problem}", file.display())));
                    }
                    _ => {}
                }
            }
        }
        self.save_lists()
    }

    /// Opens the database of an item that no binding of this world means.
    pub(super) fn open_database(&self, id: &str, name: &str) -> Result<D1, SqlError> {
        let seed = Stream::new(self.0.seed, &format!("d1/{id}")).next_u64();
        let (home, service) = (self.0.d1_home, self.0.options.d1_service);
        match &self.0.folder {
            None => D1::new(name.into(), home, service, seed),
            Some(folder) => {
                let file = database_file(folder, id);
                D1::open(&file, name.into(), home, service, seed)
            }
        }
    }

    /// Writes down at once which databases there are: a file alone does not say its name.
    fn save_lists(&self) -> Result<(), ApiError> {
        match &self.0.folder {
            None => Ok(()),
            Some(folder) => self
                .save(folder)
                .map_err(|problem| internal(&problem.to_string())),
        }
    }

    /// Where a database lives, and its size in bytes.
    pub fn database_place(&self, database: &AccountItem) -> (Pop, u64) {
        let databases = self.0.databases.borrow();
        let found = &databases[database.number as usize];
        (found.home, found.size_bytes())
    }

    /// Sends a call to a database from outside of any Worker. To be awaited inside [`guest`](Self::guest).
    ///
    /// # Errors
    /// SQL's and the service's, as `D1_ERROR: …`; the bare text is the exception's cause.
    pub fn database_call(
        &self,
        database: &AccountItem,
        call: Call,
    ) -> Operation<Result<Vec<QueryResult>, Exception>> {
        let (world, number) = (self.handle(), database.number);
        Operation::new(async move {
            let invocation = Self::invocation()?;
            world.d1_send(&invocation, number, &call).await
        })
    }

    /// Runs SQL on a database without that time or the bill notice, to look at it.
    ///
    /// # Errors
    /// SQLite's.
    pub fn inspect_database(
        &self,
        database: &AccountItem,
        sql: &str,
    ) -> Result<edgeproof_sqlite::Outcome, SqlError> {
        let mut databases = self.0.databases.borrow_mut();
        databases[database.number as usize].inspect(self.now(), sql)
    }

    /// Name of the Worker that this world's configuration is of; empty without one.
    pub fn worker_name(&self) -> Rc<str> {
        Rc::clone(&self.0.account.borrow().worker)
    }

    /// The Worker's bindings that mean an item of the account: name, kind and id.
    pub fn account_bindings(&self) -> Vec<(Rc<str>, AccountKind, Rc<str>)> {
        let account = self.0.account.borrow();
        let bound = self.0.bindings.iter().filter_map(|(name, binding)| {
            let (items, kind, number) = match binding {
                Binding::Kv(number) => (&account.namespaces, AccountKind::Namespace, *number),
                Binding::D1(number) => (&account.databases, AccountKind::Database, *number),
                _ => return None,
            };
            let mut items = items.iter();
            let (id, _) = items.find(|(_, item)| item.number == Some(number))?;
            Some((Rc::clone(name), kind, Rc::clone(id)))
        });
        bound.collect()
    }
}

/// Whether a text has the shape of a UUID.
pub(super) fn is_uuid(text: &str) -> bool {
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

/// What went wrong is this machine's and not the caller's.
fn internal(problem: &str) -> ApiError {
    ApiError::new(500, api::D1, problem)
}

fn failed(exception: &Exception) -> Outcome {
    Outcome::Error {
        message: exception.message.clone(),
    }
}

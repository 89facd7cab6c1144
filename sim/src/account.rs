//! The account: operations on its KV namespaces and D1 databases from outside of any Worker, as wrangler and the REST
//! API do them.
//!
//! `engine/inventory.rs` says which items there are, and how a binding finds its own. KV operations from here go to the
//! central store and do not use the cache of any PoP. They take no simulated time, but count and are billed as a
//! Worker's (KVPRICE: operations of wrangler are billed), and so are rows of D1. The limits of one invocation do not
//! apply.

pub use crate::engine::inventory::provisioned_name;

use crate::bill::usage::Meter;
use crate::engine::deployment::Binding;
use crate::engine::inventory::{
    Item, database_file, fresh_id, hex_id, is_uuid, sqlite_files, uuid,
};
use crate::engine::kv::{KvPutOptions, kv_status};
use crate::engine::record::failed;
use crate::engine::{Engine, Operation, scope};
use crate::exception::Exception;
use crate::fault::KvOperation;
use crate::history::{Op, Outcome};
use crate::kernel::seed::Stream;
use crate::kernel::time::Instant;
use crate::limits::api::{self, ApiError};
use crate::name;
use crate::platform::d1::{Call, D1, QueryResult};
use crate::platform::kv::{self, Namespace, Page, Put, Version};
use crate::topology::Pop;
use bytes::Bytes;
use edgeproof_sqlite::SqlError;
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

/// The account that a world's Workers belong to. Cheap to clone.
#[derive(Clone)]
pub struct Account(pub(crate) Engine);

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account")
            .field("worker", &self.worker_name())
            .finish_non_exhaustive()
    }
}

/// A namespace or a database, as a list of the account shows it.
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

/// The kind of an item of the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountKind {
    /// A KV namespace.
    Namespace,
    /// A D1 database.
    Database,
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

impl Account {
    /// A number that changes with every change that [`save`](Self::save) would write.
    pub fn revision(&self) -> u64 {
        let written: u64 = self
            .0
            .0
            .namespaces
            .borrow()
            .iter()
            .map(Namespace::revision)
            .sum();
        // A namespace that goes takes its writes out of the sum; the lists' own number weighs more than any sum.
        (self.0.0.inventory.borrow().revision << 40)
            .wrapping_add(written)
            .wrapping_add(self.0.0.object_commits.get())
    }

    /// Virtual time.
    pub fn now(&self) -> Instant {
        self.0.now()
    }

    /// Saves the account's lists, KV and Durable Objects to a folder, all or nothing.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn save(&self, folder: &Path) -> std::io::Result<()> {
        self.0.save(folder)
    }

    // --- namespaces ------------------------------------------------------------------------------------------------

    /// The account's KV namespaces, in order of their ids.
    pub fn kv_namespaces(&self) -> Vec<AccountItem> {
        listed(&self.0.0.inventory.borrow().namespaces)
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
        let mut account = self.0.0.inventory.borrow_mut();
        if account.namespaces.values().any(|item| *item.name == *title) {
            return Err(ApiError::title_taken());
        }
        let mut namespaces = self.0.0.namespaces.borrow_mut();
        let number = u32::try_from(namespaces.len()).expect("fewer than 2^32 namespaces");
        namespaces.push(Namespace::new(title.into(), Pop::COUNT));
        let source = format!("{title}/{}", self.0.now().0);
        let id = fresh_id(&account.namespaces, &source, hex_id);
        let item = Item {
            name: title.into(),
            created_at: self.0.now(),
            number: Some(number),
        };
        account.namespaces.insert(Rc::clone(&id), item);
        account.revision += 1;
        Ok(AccountItem {
            id,
            name: title.into(),
            created_at: self.0.now(),
            number,
        })
    }

    /// Gives a namespace another title.
    ///
    /// # Errors
    /// There is none of this id, or another one has the title.
    pub fn rename_kv_namespace(&self, id: &str, title: &str) -> Result<AccountItem, ApiError> {
        let mut found = self.kv_namespace(id)?;
        let mut account = self.0.0.inventory.borrow_mut();
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

    /// Deletes a namespace and its keys. From then on a binding of this world that means it finds no key, and its
    /// writes are refused; the next world of a configuration that binds the id starts with an empty namespace.
    ///
    /// # Errors
    /// There is none of this id.
    pub fn delete_kv_namespace(&self, id: &str) -> Result<(), ApiError> {
        let found = self
            .kv_namespace(id)
            .map_err(|_| ApiError::no_namespace_to_delete())?;
        let mut account = self.0.0.inventory.borrow_mut();
        account.namespaces.remove(id);
        account.revision += 1;
        let slot = &mut self.0.0.namespaces.borrow_mut()[found.number as usize];
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
        self.0.count(Meter::KvReads, 1);
        let now = self.0.now();
        let begun = self.0.begin(|| Op::KvGet {
            namespace: self.central(namespace).binding.to_string(),
            key: key.to_owned(),
            cache_ttl_seconds: 0,
        });
        let version = self.central_fault("GET").map(|()| {
            self.central(namespace)
                .central(now, key, std::time::Duration::ZERO)
        });
        self.0.mix(name!("central.get"), |fingerprint| {
            fingerprint.mix_bytes(key.as_bytes());
            fingerprint.mix(version.as_ref().map_or(0, |version| version.digest.value()));
        });
        self.0.finish(begun, || match &version {
            Ok(version) => {
                let live = version.live(now).is_some();
                Outcome::KvRead {
                    version: live.then_some(version.number),
                    fetched_at: now.0,
                    cached: false,
                    digest: live.then_some(version.digest),
                }
            }
            Err(exception) => failed(exception),
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
        options: KvPutOptions,
    ) -> Result<(), Exception> {
        kv::check_key("PUT", key)?;
        let put = options.put(self.0.now(), key.into(), value)?;
        self.central_write(namespace, put)
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
        let now = self.0.now();
        let (verb, meter) = if put.value.is_some() {
            ("PUT", Meter::KvWrites)
        } else {
            ("DELETE", Meter::KvDeletes)
        };
        let number = namespace.number;
        let begun = self.0.begin(|| self.0.kv_write_op(number, &put));
        let committed = self
            .central_fault(verb)
            .and_then(|()| self.central(namespace).commit(now, &put));
        if committed.is_ok() {
            self.0.count(meter, 1);
        }
        self.0.kv_written(begun, number, &put, &committed);
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
        self.0.count(Meter::KvLists, 1);
        let now = self.0.now();
        let begun = self.0.begin(|| Op::KvList {
            namespace: self.central(namespace).binding.to_string(),
            prefix: prefix.to_owned(),
        });
        let page = self
            .central_fault("GET")
            .map(|()| self.central(namespace).list(now, prefix, cursor, limit));
        self.0.kv_listed(begun, namespace.number, prefix, &page);
        page
    }

    /// The result of an operation under a fault of the store.
    fn central_fault(&self, verb: &str) -> Result<(), Exception> {
        let operation = if verb == "GET" {
            KvOperation::Get
        } else {
            KvOperation::Put
        };
        match self.0.kv_error(self.0.now(), operation) {
            None => Ok(()),
            Some(status) => Err(kv_status(verb, status)),
        }
    }

    fn central(&self, namespace: &AccountItem) -> std::cell::RefMut<'_, Namespace> {
        std::cell::RefMut::map(self.0.0.namespaces.borrow_mut(), |namespaces| {
            &mut namespaces[namespace.number as usize]
        })
    }

    // --- databases -------------------------------------------------------------------------------------------------

    /// The account's D1 databases, in order of their names.
    pub fn databases(&self) -> Vec<AccountItem> {
        let mut listed = listed(&self.0.0.inventory.borrow().databases);
        listed.sort_by(|one, other| one.name.cmp(&other.name));
        listed
    }

    /// The database with this id.
    ///
    /// # Errors
    /// There is no such database. A text that is not a UUID is refused as such.
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
        let mut account = self.0.0.inventory.borrow_mut();
        if account.databases.values().any(|item| *item.name == *name) {
            return Err(ApiError::name_taken(name));
        }
        let limit = self.0.plan().limits().d1_databases;
        if account.databases.len() >= limit as usize {
            return Err(ApiError::too_many_databases(limit));
        }
        let source = format!("{name}/{}", self.0.now().0);
        let id = fresh_id(&account.databases, &source, uuid);
        let opened = self.open_database(&id, name);
        let database = opened.map_err(|problem| internal(&problem.message))?;
        let mut databases = self.0.0.databases.borrow_mut();
        let number = u32::try_from(databases.len()).expect("fewer than 2^32 databases");
        databases.push(database);
        let item = Item {
            name: name.into(),
            created_at: self.0.now(),
            number: Some(number),
        };
        account.databases.insert(Rc::clone(&id), item);
        account.revision += 1;
        drop((account, databases));
        self.save_lists()?;
        Ok(AccountItem {
            id,
            name: name.into(),
            created_at: self.0.now(),
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
            let mut databases = self.0.0.databases.borrow_mut();
            let slot = &mut databases[found.number as usize];
            let (binding, home) = (Rc::clone(&slot.binding), slot.home);
            let mut empty = D1::new(binding, home, self.0.options().d1_service, 0)
                .map_err(|problem| internal(&problem.message))?;
            empty.deleted = Some(ApiError::no_database(&found.id).message.into());
            // The old database is closed here: only then may its file be removed.
            *slot = empty;
        }
        let mut account = self.0.0.inventory.borrow_mut();
        account.databases.remove(&found.id);
        account.revision += 1;
        drop(account);
        if let Some(folder) = &self.0.0.settings.folder {
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
        let seed = Stream::new(self.0.0.settings.seed, &format!("d1/{id}")).next_u64();
        let (home, service) = (self.0.0.network.d1_home, self.0.options().d1_service);
        match &self.0.0.settings.folder {
            None => D1::new(name.into(), home, service, seed),
            Some(folder) => {
                let file = database_file(folder, id);
                D1::open(&file, name.into(), home, service, seed)
            }
        }
    }

    /// Saves at once which databases there are, because a file alone does not say its database's name.
    fn save_lists(&self) -> Result<(), ApiError> {
        match &self.0.0.settings.folder {
            None => Ok(()),
            Some(folder) => self
                .save(folder)
                .map_err(|problem| internal(&problem.to_string())),
        }
    }

    /// Where a database lives, and its size in bytes.
    pub fn database_place(&self, database: &AccountItem) -> (Pop, u64) {
        let databases = self.0.0.databases.borrow();
        let found = &databases[database.number as usize];
        (found.home, found.size_bytes())
    }

    /// Sends a call to a database from outside of any Worker. To be awaited inside [`Bindings::guest`](crate::host::Bindings::guest).
    ///
    /// # Errors
    /// SQL's and the service's, as `D1_ERROR: …`; the bare text is the exception's cause.
    pub fn database_call(
        &self,
        database: &AccountItem,
        call: Call,
    ) -> Operation<Result<Vec<QueryResult>, Exception>> {
        let (engine, number) = (self.0.clone(), database.number);
        Operation::new(async move {
            let invocation = scope::invocation()?;
            engine.d1_send(&invocation, number, &call).await
        })
    }

    /// Runs SQL on a database to look at it; it takes no simulated time and is not billed.
    ///
    /// # Errors
    /// SQLite's.
    pub fn inspect_database(
        &self,
        database: &AccountItem,
        sql: &str,
    ) -> Result<edgeproof_sqlite::Outcome, SqlError> {
        let mut databases = self.0.0.databases.borrow_mut();
        databases[database.number as usize].inspect(self.0.now(), sql)
    }

    /// Name of the Worker of this world's configuration; empty without one.
    pub fn worker_name(&self) -> Rc<str> {
        Rc::clone(&self.0.0.inventory.borrow().worker)
    }

    /// The Worker's bindings that mean an item of the account: name, kind and id.
    pub fn account_bindings(&self) -> Vec<(Rc<str>, AccountKind, Rc<str>)> {
        let account = self.0.0.inventory.borrow();
        let bound = self.0.0.deployments.list[0]
            .bindings
            .iter()
            .filter_map(|(name, binding)| {
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

/// The failure is this machine's and not the caller's.
fn internal(problem: &str) -> ApiError {
    ApiError::new(500, api::D1, problem)
}

//! The account: operations on its KV namespaces and D1 databases from outside of any Worker, as wrangler and the REST
//! API do them.
//!
//! `engine/inventory.rs` says which items there are, and how a binding finds its own. KV operations from here go to the
//! central store and do not use the cache of any PoP. They take no simulated time, but count and are billed as a
//! Worker's (KVPRICE: operations of wrangler are billed), and so are rows of D1. The limits of one invocation do not
//! apply.

mod databases;
mod keys;

pub use crate::engine::inventory::provisioned_name;

use crate::engine::Engine;
use crate::engine::deployment::Binding;
use crate::engine::inventory::{Item, fresh_id, hex_id};
use crate::kernel::time::Instant;
use crate::limits::api::ApiError;
use crate::platform::kv::Namespace;
use crate::topology::Pop;
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

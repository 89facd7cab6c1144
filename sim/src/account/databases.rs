//! D1 databases: made, found, called, deleted.

use super::{Account, AccountItem, listed};
use crate::engine::inventory::{Item, database_file, fresh_id, is_uuid, sqlite_files, uuid};
use crate::engine::{Operation, scope};
use crate::exception::Exception;
use crate::kernel::seed::Stream;
use crate::limits::api::{self, ApiError};
use crate::platform::d1::{Call, D1, QueryResult};
use crate::topology::Pop;
use edgeproof_sqlite::SqlError;
use std::rc::Rc;

impl Account {
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
}

/// The failure is this machine's and not the caller's.
fn internal(problem: &str) -> ApiError {
    ApiError::new(500, api::D1, problem)
}

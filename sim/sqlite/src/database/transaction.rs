//! Transactions and savepoints: the platform's own, never the text of a Worker.

use super::Database;
use crate::error::SqlError;
use crate::statement::Statement;

impl Database {
    /// Begins a transaction.
    ///
    /// # Errors
    /// If one is open already.
    pub fn begin(&mut self) -> Result<(), SqlError> {
        self.schema_changed = false;
        self.run_named("BEGIN")
    }

    /// Commits the transaction and with it all savepoints.
    ///
    /// # Errors
    /// If none is open, or a deferred foreign key is violated: then it stays open.
    pub fn commit(&mut self) -> Result<(), SqlError> {
        self.run_named("COMMIT")
    }

    /// Rolls back everything since [`Database::begin`] or the outermost [`Database::savepoint`]. Does nothing without a transaction, because
    /// some errors (a full disk, an overrun) make SQLite roll back by itself.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn rollback(&mut self) -> Result<(), SqlError> {
        if self.connection.is_autocommit() {
            return Ok(());
        }
        let result = self.run_named("ROLLBACK");
        self.forget_schema_if_changed();
        result
    }

    /// Whether a transaction or a savepoint is open.
    #[must_use]
    pub fn in_transaction(&self) -> bool {
        !self.connection.is_autocommit()
    }

    /// Opens a savepoint; outside of a transaction it begins one. Savepoints nest, and a name may be used again.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn savepoint(&mut self, name: &str) -> Result<(), SqlError> {
        if self.connection.is_autocommit() {
            self.schema_changed = false;
        }
        self.run_named(&format!("SAVEPOINT {}", quoted(name)))
    }

    /// Closes the latest savepoint of that name and those inside it, keeping what was done. The outermost one commits.
    ///
    /// # Errors
    /// If there is none of that name, or on the outermost as [`Database::commit`].
    pub fn release(&mut self, name: &str) -> Result<(), SqlError> {
        self.run_named(&format!("RELEASE {}", quoted(name)))
    }

    /// Undoes everything since the latest savepoint of that name, which stays open.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn rollback_to(&mut self, name: &str) -> Result<(), SqlError> {
        let result = self.run_named(&format!("ROLLBACK TO {}", quoted(name)));
        self.forget_schema_if_changed();
        result
    }

    fn forget_schema_if_changed(&mut self) {
        if self.schema_changed {
            self.cache.clear();
        }
    }

    fn run_named(&mut self, sql: &str) -> Result<(), SqlError> {
        if let Some(statement) = self.own_statements.get(sql) {
            return statement.scalar(&self.connection).map(drop);
        }
        let statement = Statement::own(&self.connection, sql)?;
        let result = statement.scalar(&self.connection).map(drop);
        // Savepoints are mostly named by depth. A caller that makes up a new name each time must not fill the memory.
        if self.own_statements.len() < 64 {
            self.own_statements.insert(sql.into(), statement);
        }
        result
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

//! One database: opening, limits, running SQL, sizes. Its transactions are in `database/transaction.rs`.
//!
//! In memory the rollback journal is SQLite's own in-memory journal, the least that still lets a transaction be rolled back; no file is
//! ever touched. A database in a file uses a write-ahead log without waiting for the disk: it survives the end of the process, which
//! is what the simulator promises, and not the loss of power.

mod transaction;

use std::cell::OnceCell;
use std::ffi::CString;
use std::path::Path;

use libsql_ffi as ffi;
use rustc_hash::FxHashMap;

use crate::Dialect;
use crate::connection::Connection;
use crate::error::SqlError;
use crate::limits::Limits;
use crate::outcome::Outcome;
use crate::prepared::{Cache, Prepared};
use crate::script;
use crate::statement::Statement;
use crate::value::Value;

/// One database with its one connection. It stays on its thread.
///
/// The transaction methods are the platform's own; SQL text cannot begin or end one.
pub struct Database {
    // Fields drop in this order: every statement before the connection.
    cache: Cache,
    own_statements: FxHashMap<Box<str>, Statement>,
    page_count: OnceCell<Statement>,
    free_pages: OnceCell<Statement>,
    connection: Connection,
    limits: Limits,
    page_size_bytes: u64,
    /// A view or trigger of the schema may contain a `count(*)` that a statement's own text does not show.
    schema_counts: bool,
    /// The open transaction changed the schema, so that rolling it back changes it again.
    schema_changed: bool,
    /// How many statements so far changed the schema. `CREATE TABLE IF NOT EXISTS` of a table that exists is not one of them.
    schema_changes: u64,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database")
            .field("dialect", &self.connection.dialect())
            .field("size_bytes", &self.size_bytes())
            .finish_non_exhaustive()
    }
}

impl Database {
    /// A new, empty database in memory.
    ///
    /// # Errors
    /// Only if SQLite has no memory left.
    pub fn in_memory(dialect: Dialect) -> Result<Self, SqlError> {
        Self::new(Connection::open(c":memory:", dialect)?)
    }

    /// The database in the file at `path`, created if absent. At most one [`Database`] should use a file at a time.
    ///
    /// # Errors
    /// If the file cannot be opened or is no SQLite database.
    pub fn open(path: &Path, dialect: Dialect) -> Result<Self, SqlError> {
        let unopenable =
            || SqlError::from_code("unable to open database file", ffi::SQLITE_CANTOPEN);
        // Absolute, so that nothing in the path can be taken for a `file:` URI or for `:memory:`.
        let path = std::path::absolute(path).map_err(|_| unopenable())?;
        let path = path
            .to_str()
            .and_then(|path| CString::new(path).ok())
            .ok_or_else(unopenable)?;
        let mut database = Self::new(Connection::open(&path, dialect)?)?;
        let pragma = |sql: &str| {
            let statement = Statement::own(&database.connection, sql)?;
            statement.scalar(&database.connection)
        };
        pragma("PRAGMA journal_mode = WAL")?;
        pragma("PRAGMA synchronous = OFF")?;
        // Reads the schema, so that a file that is no database is found out now.
        let counts = pragma("SELECT 1 FROM sqlite_schema WHERE sql LIKE '%count%' LIMIT 1")?;
        let page_size = pragma("PRAGMA page_size")?;
        database.schema_counts = counts.is_some();
        database.page_size_bytes = page_size.map_or(4096, i64::unsigned_abs);
        Ok(database)
    }

    /// A new database in memory with the same schema and rows, as a connection that has done the same: its latest rowid is the
    /// same, its counters and its random sequence begin anew. Much cheaper than running the SQL again.
    ///
    /// # Errors
    /// If this database has an open transaction, or SQLite has no memory left.
    pub fn copy(&self) -> Result<Self, SqlError> {
        if !self.connection.is_autocommit() {
            return Err(SqlError::from_code(
                "a database with an open transaction cannot be copied",
                ffi::SQLITE_BUSY,
            ));
        }
        let mut copy = Self::in_memory(self.connection.dialect())?;
        copy.connection.copy_from(&self.connection)?;
        copy.page_size_bytes = self.page_size_bytes;
        copy.schema_counts = self.schema_counts;
        copy.set_limits(self.limits);
        Ok(copy)
    }

    fn new(connection: Connection) -> Result<Self, SqlError> {
        let mut database = Self {
            cache: Cache::default(),
            own_statements: FxHashMap::default(),
            page_count: OnceCell::new(),
            free_pages: OnceCell::new(),
            connection,
            limits: Limits::DOCUMENTED,
            // SQLite's default, which production keeps (WORKERD 2026-08-22, `util/sqlite-test.c++`).
            page_size_bytes: 4096,
            schema_counts: false,
            schema_changed: false,
            schema_changes: 0,
        };
        database.set_limits(Limits::DOCUMENTED);
        Ok(database)
    }

    /// Replaces the limits, which are [`Limits::DOCUMENTED`] at first, and forgets the compiled statements.
    pub fn set_limits(&mut self, limits: Limits) {
        self.connection.apply(&limits);
        self.limits = limits;
        self.cache.clear();
    }

    /// Caps the database's size: a write that needs more fails with `database or disk is full: SQLITE_FULL`, while reads and `DELETE` go on.
    /// Rounded down to whole pages. A database that is larger already keeps its size.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn set_max_size_bytes(&mut self, max_size_bytes: u64) -> Result<(), SqlError> {
        let pages = (max_size_bytes / self.page_size_bytes).max(1);
        let statement = Statement::own(
            &self.connection,
            &format!("PRAGMA max_page_count = {pages}"),
        )?;
        statement.scalar(&self.connection).map(drop)
    }

    /// Starts this connection's own random sequence anew: `random()`, `randomblob(N)`, `DEFAULT (random())`, `ORDER BY random()`. Until the
    /// first call the seed is 0. The sequence is SplitMix64; no other connection draws from it.
    pub fn seed_random(&mut self, seed: u64) {
        self.connection.seed_random(seed);
    }

    /// Runs the text of a query (D1's `prepare(sql).bind(params)`, `ctx.storage.sql.exec`). It may hold several statements; they
    /// run one after another. The parameters belong to the last one, and so does the outcome.
    ///
    /// # Errors
    /// In the platform's words: there is no statement, or only a comment after the last semicolon; a statement before the last has
    /// parameters; the number of parameters is wrong; SQLite or the policy refuses a statement. Statements before the failing one
    /// keep their effect unless the caller rolls back.
    pub fn query(&mut self, sql: &str, params: &[Value]) -> Result<Outcome, SqlError> {
        match self.cache.get(sql) {
            Some(prepared) => prepared.run(&self.connection, &self.limits, params),
            None => self.compile_and_run(sql, params, false),
        }
    }

    /// Runs statement after statement and gives the last one's outcome. With [`Dialect::D1`] the text may be a file of migrations, with
    /// comments and empty statements anywhere.
    ///
    /// # Errors
    /// As [`Database::query`].
    pub fn execute_script(&mut self, sql: &str, params: &[Value]) -> Result<Outcome, SqlError> {
        match self.cache.get(sql) {
            Some(prepared) => prepared.run(&self.connection, &self.limits, params),
            None => {
                let lenient = self.connection.dialect() == Dialect::D1;
                self.compile_and_run(sql, params, lenient)
            }
        }
    }

    /// The slow way: a text that is not in the cache, which may hold any number of statements. A statement is compiled only after
    /// those before it have run, because it may need what they create.
    fn compile_and_run(
        &mut self,
        sql: &str,
        params: &[Value],
        lenient: bool,
    ) -> Result<Outcome, SqlError> {
        let mut rest = sql;
        loop {
            if lenient && script::is_blank(rest) {
                return Err(SqlError::refused("No SQL statements detected."));
            }
            let (statement, used) = Statement::prepare(&self.connection, rest, true)?;
            let changes_schema = self.connection.changes_schema();
            let text = &rest[..used];
            let after = rest[used..].trim_start_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
            let Some(statement) = statement else {
                // An empty statement: a file of migrations may have some, a query may not.
                if lenient && after.len() < rest.len() {
                    rest = after;
                    continue;
                }
                return Err(SqlError::refused("SQL code did not contain a statement."));
            };
            let is_last = match lenient {
                true => script::is_blank(after),
                false => after.is_empty(),
            };
            if !is_last {
                if statement.parameter_count() != 0 {
                    return Err(SqlError::refused(
                        "When executing multiple SQL statements in a single call, only the last statement can have parameters.",
                    ));
                }
                let schema = self.schema_version_if(changes_schema);
                let result = statement.step_once(&self.connection, &self.limits);
                self.connection
                    .count_rows(statement.rows_read(), statement.rows_written());
                drop(statement);
                self.after_statement(text, changes_schema, schema);
                result?;
                rest = after;
                continue;
            }
            let may_count = self.schema_counts || script::contains_ignore_case(text, "count");
            let mut prepared = Prepared::new(&self.connection, statement, text, may_count)?;
            let schema = self.schema_version_if(changes_schema);
            let result = prepared.run(&self.connection, &self.limits, params);
            if changes_schema {
                // A pragma acts while it is compiled and a schema change rarely repeats: neither is worth keeping.
                drop(prepared);
                self.after_statement(text, true, schema);
            } else if rest.len() == sql.len() && after.is_empty() {
                // With a comment behind it a file may have it, a query may not: that is looked at every time.
                self.cache.insert(sql, prepared);
            }
            return result;
        }
    }

    /// SQLite's own count of schema changes, if `wanted`.
    fn schema_version_if(&self, wanted: bool) -> Option<i64> {
        if !wanted {
            return None;
        }
        let statement = Statement::own(&self.connection, "PRAGMA schema_version").ok()?;
        statement.scalar(&self.connection).ok()?
    }

    /// Forgets what a change of the schema may have made wrong.
    fn after_statement(&mut self, text: &str, changes_schema: bool, schema_before: Option<i64>) {
        if changes_schema {
            if self.schema_version_if(true) != schema_before {
                self.schema_changes += 1;
            }
            self.cache.clear();
            self.schema_counts |= script::contains_ignore_case(text, "count");
            self.schema_changed = true;
        }
    }

    /// Cuts a text into statements the way SQLite does: strings, quoted names, comments and the body of a trigger stay whole. The
    /// semicolons between statements are left out, and so are pieces that are blank or only comments.
    ///
    /// ```
    /// # use edgeproof_sqlite::Database;
    /// assert_eq!(Database::split_statements("SELECT ';'; -- one; two\n SELECT 2"), ["SELECT ';'", "-- one; two\n SELECT 2"]);
    /// ```
    #[must_use]
    pub fn split_statements(sql: &str) -> Vec<&str> {
        script::split(sql)
    }

    /// Rows read and rows written by everything that was run so far, as billed: all statements of a script, and also those before
    /// one that failed.
    pub fn total_rows(&self) -> (u64, u64) {
        self.connection.total_rows()
    }

    /// The size in bytes, free pages not counted: D1's `size_after` and a Durable Object's `databaseSize` (WORKERD `api/sql.c++`). 0 for a
    /// database in memory without a table; production's empty database holds tables of its own (about 12 KB: D1PRICE, DOPRICE).
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        let pages = |cell: &OnceCell<Statement>, sql| {
            let statement = match cell.get() {
                Some(statement) => statement,
                None => {
                    let statement = Statement::own(&self.connection, sql).ok()?;
                    cell.get_or_init(|| statement)
                }
            };
            let count = statement.scalar(&self.connection).ok()??;
            u64::try_from(count).ok()
        };
        // Both fail only on a file that was damaged after it was opened; the next statement reports that.
        let all = pages(&self.page_count, "PRAGMA page_count").unwrap_or(0);
        let free = pages(&self.free_pages, "PRAGMA freelist_count").unwrap_or(0);
        all.saturating_sub(free) * self.page_size_bytes
    }

    /// How many statements have changed the schema since the database was opened; `CREATE TABLE IF NOT EXISTS` of a table that is
    /// there does not.
    #[must_use]
    pub fn schema_changes(&self) -> u64 {
        self.schema_changes
    }

    /// Rows inserted, updated or deleted since the database was opened, rolled back ones included.
    #[must_use]
    pub fn total_changes(&self) -> u64 {
        self.connection.total_changes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hidden_table_that_exists_cannot_be_used() {
        let mut db = Database::in_memory(Dialect::DurableObject).unwrap();
        let create = Statement::own(
            &db.connection,
            "CREATE TABLE _cf_KV (key TEXT PRIMARY KEY, value BLOB)",
        )
        .unwrap();
        create.scalar(&db.connection).unwrap();
        drop(create);
        let words = |db: &mut Database, sql: &str| db.query(sql, &[]).unwrap_err().message;
        assert_eq!(
            words(&mut db, "SELECT * FROM _cf_KV"),
            "access to _cf_KV.key is prohibited: SQLITE_AUTH"
        );
        for sql in [
            "INSERT INTO _cf_KV VALUES (1, 2)",
            "DELETE FROM _cf_KV",
            "DROP TABLE _cf_KV",
            "ALTER TABLE _cf_KV RENAME TO mine",
        ] {
            assert_eq!(words(&mut db, sql), "not authorized: SQLITE_AUTH", "{sql}");
        }
        assert!(
            words(
                &mut db,
                "CREATE TRIGGER x AFTER INSERT ON _cf_KV BEGIN SELECT 1; END"
            )
            .contains("not authorized")
        );
        assert_eq!(db.query("PRAGMA optimize(-1)", &[]).unwrap().rows.len(), 0);
    }
}

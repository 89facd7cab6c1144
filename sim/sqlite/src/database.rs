//! The connection: opening, running SQL, transactions, sizes.
//!
//! In memory the rollback journal is SQLite's own in-memory journal, the least that still lets a transaction be rolled back; no file is
//! ever touched. A database in a file uses a write-ahead log without waiting for the disk: it survives the end of the process, which
//! is what the simulator promises, and not the loss of power.
#![allow(unsafe_code)]

use std::cell::{Cell, OnceCell};
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;
use std::ptr::NonNull;
use std::rc::Rc;

use libsql_ffi as ffi;
use rustc_hash::FxHashMap;

use crate::error::SqlError;
use crate::limits::Limits;
use crate::policy::{self, Verdict};
use crate::random::{self, Random};
use crate::script;
use crate::statement::{Cache, Prepared, Statement};
use crate::{Dialect, clock, math};

/// Instructions between two looks at how many a statement has executed.
const OPS_PER_CHECK: c_int = 10_000;

/// A value as SQLite stores it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `NULL`.
    Null,
    /// A 64-bit integer. (JavaScript rounds beyond 2^53; this does not.)
    Integer(i64),
    /// A double. Binding a NaN stores `NULL`.
    Real(f64),
    /// Text. Bytes that are not UTF-8 come back as replacement characters.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Real(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Blob(bytes)
    }
}

/// What a statement gave and what it cost. Of several statements it is the last one's, as in D1's `meta` and on a cursor.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The names of the columns, in order; duplicates stay. Shared by all outcomes of one compiled statement.
    pub columns: Rc<[String]>,
    /// The rows.
    pub rows: Vec<Vec<Value>>,
    /// Rows read, as billed: rows scanned, not rows returned.
    pub rows_read: u64,
    /// Rows written, as billed: one per table row and one per index entry.
    pub rows_written: u64,
    /// Rows inserted, updated or deleted, triggers included.
    pub changes: u64,
    /// The rowid of the connection's latest insert, whichever statement made it; 0 before the first.
    pub last_row_id: i64,
}

/// What the connection's callbacks share with it.
#[derive(Default)]
struct Shared {
    /// SQL of our own is being compiled or run: nothing is refused.
    trusted: Cell<bool>,
    /// The words of the refusal while the last statement was compiled.
    refusal: Cell<Option<&'static str>>,
    /// The last compiled statement changes the schema, or a pragma that takes effect while it is compiled.
    changes_schema: Cell<bool>,
    /// The last compiled statement is an `ALTER TABLE`.
    alters: Cell<bool>,
    /// Instructions the running statement may still execute.
    ops_left: Cell<u64>,
    /// Rows read and written by all statements so far.
    rows_read: Cell<u64>,
    rows_written: Cell<u64>,
    random: Random,
}

/// An open connection with its callbacks. Every statement must be gone before it is dropped.
pub(crate) struct Connection {
    raw: NonNull<ffi::sqlite3>,
    /// On the heap at a fixed address, because SQLite holds pointers to it; freed after the connection is closed.
    shared: NonNull<Shared>,
    dialect: Dialect,
}

/// While it lives, SQL is our own and nothing is refused.
pub(crate) struct Trust<'a> {
    shared: &'a Shared,
    before: bool,
}

impl Drop for Trust<'_> {
    fn drop(&mut self) {
        self.shared.trusted.set(self.before);
    }
}

impl Connection {
    /// Adds what a statement cost, if it was not our own.
    pub(crate) fn count_rows(&self, read: u64, written: u64) {
        let shared = self.shared();
        if shared.trusted.get() {
            return;
        }
        shared.rows_read.set(shared.rows_read.get() + read);
        shared.rows_written.set(shared.rows_written.get() + written);
    }

    fn open(path: &CStr, dialect: Dialect) -> Result<Self, SqlError> {
        clock::install();
        let flags = ffi::SQLITE_OPEN_READWRITE | ffi::SQLITE_OPEN_CREATE | ffi::SQLITE_OPEN_NOMUTEX;
        let mut raw = std::ptr::null_mut();
        // SAFETY: C strings and a place for the result. NOMUTEX is sound because `Connection` is neither Send nor Sync.
        let code = unsafe {
            ffi::sqlite3_open_v2(path.as_ptr(), &mut raw, flags, clock::VFS_NAME.as_ptr())
        };
        let Some(raw) = NonNull::new(raw) else {
            return Err(SqlError::from_code("out of memory", ffi::SQLITE_NOMEM));
        };
        let shared = NonNull::from(Box::leak(Box::new(Shared::default())));
        // From here on dropping closes and frees, also when something below fails.
        let connection = Self {
            raw,
            shared,
            dialect,
        };
        connection.check(code)?;
        // SAFETY: the connection is open; `shared` outlives it; this option takes an int and a pointer that may be null.
        unsafe {
            connection.check(ffi::sqlite3_db_config(
                raw.as_ptr(),
                ffi::SQLITE_DBCONFIG_DEFENSIVE,
                1 as c_int,
                std::ptr::null_mut::<c_int>(),
            ))?;
            connection.check(random::install(
                raw.as_ptr(),
                &raw const (*shared.as_ptr()).random,
            ))?;
            connection.check(math::install(raw.as_ptr()))?;
            let user_data = shared.as_ptr().cast::<c_void>();
            connection.check(ffi::sqlite3_set_authorizer(
                raw.as_ptr(),
                Some(on_authorize),
                user_data,
            ))?;
            ffi::sqlite3_progress_handler(
                raw.as_ptr(),
                OPS_PER_CHECK,
                Some(on_progress),
                user_data,
            );
        }
        Ok(connection)
    }

    fn shared(&self) -> &Shared {
        // SAFETY: allocated in `open`, freed in `drop`, and only ever borrowed immutably: all its fields are cells.
        unsafe { self.shared.as_ref() }
    }

    /// Lets our own SQL do what it needs while the guard lives.
    pub(crate) fn trust(&self) -> Trust<'_> {
        let shared = self.shared();
        Trust {
            before: shared.trusted.replace(true),
            shared,
        }
    }

    /// Does something with the limit on the length of SQL text lifted.
    pub(crate) fn with_any_sql_length<T>(&self, f: impl FnOnce() -> T) -> T {
        let limit = |value| {
            // SAFETY: an open connection; a value beyond the compiled-in maximum is clamped.
            unsafe { ffi::sqlite3_limit(self.raw.as_ptr(), ffi::SQLITE_LIMIT_SQL_LENGTH, value) }
        };
        let before = limit(c_int::MAX);
        let result = f();
        limit(before);
        result
    }

    fn check(&self, code: c_int) -> Result<(), SqlError> {
        if code == ffi::SQLITE_OK {
            Ok(())
        } else {
            Err(self.error(code))
        }
    }

    /// The error of the last call, which returned `code`.
    #[cold]
    pub(crate) fn error(&self, code: c_int) -> SqlError {
        if code == ffi::SQLITE_INTERRUPT {
            // D1DBG 2026-08-11 for D1; for Durable Objects the text users report.
            return SqlError::overrun(match self.dialect {
                Dialect::D1 => "D1 DB exceeded its CPU time limit and was reset.",
                Dialect::DurableObject => {
                    "Durable Object exceeded its CPU time limit and was reset."
                }
            });
        }
        // SAFETY: an open connection, and the code of its last call.
        unsafe { SqlError::from_connection(self.raw.as_ptr(), code) }
    }

    /// The error of a result that is too large to hold.
    #[cold]
    pub(crate) fn memory_overrun(&self) -> SqlError {
        SqlError::overrun(match self.dialect {
            Dialect::D1 => "D1 DB's isolate exceeded its memory limit and was reset.",
            Dialect::DurableObject => {
                "Durable Object's isolate exceeded its memory limit and was reset."
            }
        })
    }

    /// To be called before a statement runs: it may execute this many instructions.
    pub(crate) fn start(&self, limits: &Limits) {
        self.shared().ops_left.set(limits.executed_ops);
    }

    /// Compiles the first statement of `sql`. Gives `None` if there is none before the next semicolon or the end, and the
    /// position in `sql` after what was compiled.
    pub(crate) fn prepare(
        &self,
        sql: &str,
        keep: bool,
    ) -> Result<(Option<Statement>, usize), SqlError> {
        let shared = self.shared();
        shared.refusal.set(None);
        shared.changes_schema.set(false);
        shared.alters.set(false);
        // Compiling long SQL asks for progress too, and is bounded by the length of the text.
        shared.ops_left.set(u64::MAX);
        let len = c_int::try_from(sql.len())
            .map_err(|_| SqlError::from_code("statement too long", ffi::SQLITE_TOOBIG))?;
        let flags = if keep {
            ffi::SQLITE_PREPARE_PERSISTENT as u32
        } else {
            0
        };
        let start = sql.as_ptr().cast::<c_char>();
        let mut raw = std::ptr::null_mut();
        let mut tail = start;
        // SAFETY: an open connection, a buffer of `len` bytes that SQLite copies, and places for the two results.
        let code = unsafe {
            ffi::sqlite3_prepare_v3(self.raw.as_ptr(), start, len, flags, &mut raw, &mut tail)
        };
        if code != ffi::SQLITE_OK {
            return Err(match shared.refusal.get() {
                Some(words) if code == ffi::SQLITE_AUTH => SqlError::refused(words),
                _ => self.error(code),
            });
        }
        let used = (tail as usize)
            .saturating_sub(start as usize)
            .min(sql.len());
        let statement = NonNull::new(raw).map(Statement::new);
        // Cloudflare's SQLite also tells the authorizer the new name of a table; this one does not.
        if shared.alters.get()
            && !shared.trusted.get()
            && script::renamed_to(&sql[..used]).is_some_and(|name| !policy::is_allowed_name(name))
        {
            return Err(SqlError::from_code("not authorized", ffi::SQLITE_AUTH));
        }
        Ok((statement, used))
    }

    pub(crate) fn total_changes(&self) -> u64 {
        // SAFETY: an open connection.
        unsafe { ffi::sqlite3_total_changes64(self.raw.as_ptr()) }.unsigned_abs()
    }

    pub(crate) fn last_row_id(&self) -> i64 {
        // SAFETY: an open connection.
        unsafe { ffi::sqlite3_last_insert_rowid(self.raw.as_ptr()) }
    }

    fn is_autocommit(&self) -> bool {
        // SAFETY: an open connection.
        unsafe { ffi::sqlite3_get_autocommit(self.raw.as_ptr()) != 0 }
    }

    /// Compiles one statement of our own.
    fn prepare_own(&self, sql: &str) -> Result<Statement, SqlError> {
        let _trusted = self.trust();
        let (statement, _) = self.prepare(sql, true)?;
        Ok(statement.expect("our own SQL is a statement"))
    }

    /// Runs one statement of our own and gives the first column of its first row.
    fn run_own(&self, statement: &Statement) -> Result<Option<i64>, SqlError> {
        let _trusted = self.trust();
        self.shared().ops_left.set(u64::MAX);
        statement.scalar(self)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: all statements are gone (see the order of `Database`'s fields), so closing frees the connection now and no callback
        // can run afterwards; `shared` came from a leaked box and is freed once, after its last user.
        unsafe {
            let code = ffi::sqlite3_close(self.raw.as_ptr());
            debug_assert_eq!(code, ffi::SQLITE_OK, "a statement outlived its connection");
            if code == ffi::SQLITE_OK {
                drop(Box::from_raw(self.shared.as_ptr()));
            }
        }
    }
}

unsafe extern "C" fn on_authorize(
    user_data: *mut c_void,
    action: c_int,
    first: *const c_char,
    second: *const c_char,
    database: *const c_char,
    _trigger: *const c_char,
) -> c_int {
    // SAFETY: the user data given at registration, alive as long as the connection.
    let shared = unsafe { &*user_data.cast::<Shared>() };
    if policy::changes_schema(action) {
        shared.changes_schema.set(true);
        shared
            .alters
            .set(shared.alters.get() || action == ffi::SQLITE_ALTER_TABLE);
    }
    if shared.trusted.get() {
        return ffi::SQLITE_OK;
    }
    // SAFETY: SQLite passes C strings or null, valid during the call.
    let text = |part: *const c_char| unsafe { (!part.is_null()).then(|| CStr::from_ptr(part)) };
    let parts = [first, second, database].map(|part| text(part).map(CStr::to_str).transpose());
    let [Ok(first), Ok(second), Ok(database)] = parts else {
        return ffi::SQLITE_DENY;
    };
    match policy::authorize(action, first, second, database) {
        Verdict::Allow => ffi::SQLITE_OK,
        Verdict::Deny => ffi::SQLITE_DENY,
        Verdict::Refuse(words) => {
            shared.refusal.set(Some(words));
            ffi::SQLITE_DENY
        }
    }
}

unsafe extern "C" fn on_progress(user_data: *mut c_void) -> c_int {
    // SAFETY: the user data given at registration, alive as long as the connection.
    let shared = unsafe { &*user_data.cast::<Shared>() };
    let left = shared.ops_left.get().saturating_sub(OPS_PER_CHECK as u64);
    shared.ops_left.set(left);
    c_int::from(left == 0)
}

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
    /// How many statements so far changed the schema, not counting those that found it as they wanted it.
    schema_changes: u64,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database")
            .field("dialect", &self.connection.dialect)
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
            let statement = database.connection.prepare_own(sql)?;
            database.connection.run_own(&statement)
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

    /// Replaces the limits; [`Limits::DOCUMENTED`] until then. Statements already compiled keep what they were compiled under.
    pub fn set_limits(&mut self, limits: Limits) {
        // SAFETY: an open connection.
        unsafe { limits.apply(self.connection.raw.as_ptr()) };
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
        let statement = self
            .connection
            .prepare_own(&format!("PRAGMA max_page_count = {pages}"))?;
        self.connection.run_own(&statement).map(drop)
    }

    /// Starts this connection's own random sequence anew: `random()`, `randomblob(N)`, `DEFAULT (random())`, `ORDER BY random()`. Until the
    /// first call the seed is 0. The sequence is SplitMix64; no other connection draws from it.
    pub fn seed_random(&mut self, seed: u64) {
        self.connection.shared().random.seed(seed);
    }

    /// Runs the text of a query (D1's `prepare(sql).bind(params)`, `ctx.storage.sql.exec`). Several statements may stand in it; they
    /// run one after another and the last one's outcome is given. The parameters belong to the last.
    ///
    /// # Errors
    /// The platform's text when there is no statement, or none after the last semicolon but a comment; when a statement before the
    /// last has parameters; when the number of parameters is wrong; and for whatever SQLite or the policy refuse. Statements
    /// before the failing one keep their effect unless the caller rolls back.
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
                let lenient = self.connection.dialect == Dialect::D1;
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
            let (statement, used) = self.connection.prepare(rest, true)?;
            let changes_schema = self.connection.shared().changes_schema.get();
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

    /// SQLite's own count of the changes of the schema, where it is of interest.
    fn schema_version_if(&self, wanted: bool) -> Option<i64> {
        if !wanted {
            return None;
        }
        let statement = self.connection.prepare_own("PRAGMA schema_version").ok()?;
        self.connection.run_own(&statement).ok()?
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

    fn run_named(&mut self, sql: &str) -> Result<(), SqlError> {
        if let Some(statement) = self.own_statements.get(sql) {
            return self.connection.run_own(statement).map(drop);
        }
        let statement = self.connection.prepare_own(sql)?;
        let result = self.connection.run_own(&statement).map(drop);
        // Savepoints are mostly named by depth; whoever invents a new name each time must not fill the memory.
        if self.own_statements.len() < 64 {
            self.own_statements.insert(sql.into(), statement);
        }
        result
    }

    /// Rows read and rows written by everything that was run so far, as billed: all statements of a script, and also those before
    /// one that failed.
    pub fn total_rows(&self) -> (u64, u64) {
        let shared = self.connection.shared();
        (shared.rows_read.get(), shared.rows_written.get())
    }

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

    /// The size in bytes, free pages not counted: D1's `size_after` and a Durable Object's `databaseSize` (WORKERD `api/sql.c++`). 0 for a
    /// database in memory without a table; production's empty database holds tables of its own (about 12 KB: D1PRICE, DOPRICE).
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        let pages = |cell: &OnceCell<Statement>, sql| {
            let statement = match cell.get() {
                Some(statement) => statement,
                None => {
                    let statement = self.connection.prepare_own(sql).ok()?;
                    cell.get_or_init(|| statement)
                }
            };
            let count = self.connection.run_own(statement).ok()??;
            u64::try_from(count).ok()
        };
        // Both only fail on a file that somebody damaged meanwhile; the next statement will say so.
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

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hidden_table_that_exists_cannot_be_used() {
        let mut db = Database::in_memory(Dialect::DurableObject).unwrap();
        let create = db
            .connection
            .prepare_own("CREATE TABLE _cf_KV (key TEXT PRIMARY KEY, value BLOB)")
            .unwrap();
        db.connection.run_own(&create).unwrap();
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

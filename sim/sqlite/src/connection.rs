//! The raw connection: opening, compiling, what untrusted SQL may do, how much it may cost.
//!
//! The lowest layer: it hands out raw statements and knows nothing of how they are run. SQLite calls back into it twice, to ask whether
//! an action is allowed and to report progress; both callbacks see only [`Shared`].
#![allow(unsafe_code)]

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::NonNull;

use libsql_ffi as ffi;

use crate::error::SqlError;
use crate::limits::Limits;
use crate::policy::{self, Verdict};
use crate::random::{self, Random};
use crate::script;
use crate::{Dialect, clock, math};

/// Instructions between two looks at how many a statement has executed.
const OPS_PER_CHECK: c_int = 10_000;

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

    pub(crate) fn open(path: &CStr, dialect: Dialect) -> Result<Self, SqlError> {
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

    /// To be called before a statement of our own runs: it may take as long as it needs.
    pub(crate) fn start_unbounded(&self) {
        self.shared().ops_left.set(u64::MAX);
    }

    /// Sets the limits that SQLite itself enforces.
    pub(crate) fn apply(&self, limits: &Limits) {
        // SAFETY: an open connection.
        unsafe { limits.apply(self.raw.as_ptr()) };
    }

    /// Which product the database belongs to.
    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Starts the random sequence of this connection anew.
    pub(crate) fn seed_random(&self, seed: u64) {
        self.shared().random.seed(seed);
    }

    /// Whether the statement compiled last changes the schema, or is a pragma that takes effect while it is compiled.
    pub(crate) fn changes_schema(&self) -> bool {
        self.shared().changes_schema.get()
    }

    /// Rows read and rows written by all statements so far.
    pub(crate) fn total_rows(&self) -> (u64, u64) {
        let shared = self.shared();
        (shared.rows_read.get(), shared.rows_written.get())
    }

    /// Compiles the first statement of `sql`. Gives `None` if there is none before the next semicolon or the end, and the
    /// position in `sql` after what was compiled. The caller owns the raw statement and has to finalize it.
    pub(crate) fn compile(
        &self,
        sql: &str,
        keep: bool,
    ) -> Result<(Option<NonNull<ffi::sqlite3_stmt>>, usize), SqlError> {
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
        // Cloudflare's SQLite also tells the authorizer the new name of a table; this one does not.
        if shared.alters.get()
            && !shared.trusted.get()
            && script::renamed_to(&sql[..used]).is_some_and(|name| !policy::is_allowed_name(name))
        {
            // SAFETY: compiled above and not handed out; finalizing null does nothing.
            unsafe { ffi::sqlite3_finalize(raw) };
            return Err(SqlError::from_code("not authorized", ffi::SQLITE_AUTH));
        }
        Ok((NonNull::new(raw), used))
    }

    pub(crate) fn total_changes(&self) -> u64 {
        // SAFETY: an open connection.
        unsafe { ffi::sqlite3_total_changes64(self.raw.as_ptr()) }.unsigned_abs()
    }

    pub(crate) fn last_row_id(&self) -> i64 {
        // SAFETY: an open connection.
        unsafe { ffi::sqlite3_last_insert_rowid(self.raw.as_ptr()) }
    }

    /// Makes the main database of this connection equal to that of another one, which has no open transaction, and takes over
    /// its latest rowid.
    pub(crate) fn copy_from(&self, source: &Self) -> Result<(), SqlError> {
        let main = c"main".as_ptr();
        // SAFETY: two open connections that differ, and the names of databases that both have.
        let backup =
            unsafe { ffi::sqlite3_backup_init(self.raw.as_ptr(), main, source.raw.as_ptr(), main) };
        let Some(backup) = NonNull::new(backup) else {
            // SAFETY: an open connection; the error of the failed call is its.
            let code = unsafe { ffi::sqlite3_errcode(self.raw.as_ptr()) };
            return Err(self.error(code));
        };
        // SAFETY: the backup was begun above and is finished once; finishing tells how the step ended. Setting a rowid takes an
        // open connection.
        unsafe {
            ffi::sqlite3_backup_step(backup.as_ptr(), -1);
            self.check(ffi::sqlite3_backup_finish(backup.as_ptr()))?;
            ffi::sqlite3_set_last_insert_rowid(self.raw.as_ptr(), source.last_row_id());
        }
        Ok(())
    }

    pub(crate) fn is_autocommit(&self) -> bool {
        // SAFETY: an open connection.
        unsafe { ffi::sqlite3_get_autocommit(self.raw.as_ptr()) != 0 }
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

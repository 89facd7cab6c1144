//! What a refused or failed statement says: the platform's own texts.
//!
//! An error of the engine reads `<SQLite's message>[ at offset N]: <code>[ (extended: <extended code>)]`, the offset in bytes when
//! SQLite knows one (WORKERD 2026-08-22, `util/sqlite.c++`; seen in `workerd` 2026-11 and, with the prefix `D1_ERROR: `, in production D1:
//! `near "order": syntax error at offset 143: SQLITE_ERROR`, `… : SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_UNIQUE)`).
#![allow(unsafe_code)]

use std::ffi::{CStr, c_int};
use std::fmt::Write as _;

use libsql_ffi as ffi;

/// A statement that was refused or failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SqlError {
    /// The platform's words, without the `D1_ERROR: ` that the D1 client puts in front.
    pub message: String,
    /// What to do about it.
    pub kind: ErrorKind,
}

/// The kinds of failure a caller may have to tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The platform refused before SQLite was asked: no statement, wrong number of parameters, a transaction in SQL.
    Refused,
    /// The statement used up its CPU time or memory. The platform resets the object, so the owner of the database has to roll back.
    Overrun,
    /// SQLite refused it, with this extended result code (`SQLITE_CONSTRAINT_UNIQUE` is 2067); the low byte is the primary code.
    Sqlite(i32),
}

impl SqlError {
    pub(crate) fn refused(message: &str) -> Self {
        Self {
            message: message.to_owned(),
            kind: ErrorKind::Refused,
        }
    }

    pub(crate) fn overrun(message: &str) -> Self {
        Self {
            message: message.to_owned(),
            kind: ErrorKind::Overrun,
        }
    }

    /// An error that needs no connection to explain it.
    pub(crate) fn from_code(message: &str, code: c_int) -> Self {
        Self {
            message: format!("{message}: {}", primary_name(code)),
            kind: ErrorKind::Sqlite(code),
        }
    }

    /// The connection's last error, given the code a call returned.
    ///
    /// # Safety
    /// `db` must be open, and `code` must come from the last call on it.
    #[cold]
    pub(crate) unsafe fn from_connection(db: *mut ffi::sqlite3, code: c_int) -> Self {
        // SAFETY: the caller vouches for the connection; the message is a C string, copied before any further call.
        let (text, offset, extended) = unsafe {
            (
                CStr::from_ptr(ffi::sqlite3_errmsg(db)).to_string_lossy(),
                ffi::sqlite3_error_offset(db),
                ffi::sqlite3_extended_errcode(db),
            )
        };
        let mut message = text.into_owned();
        let mut add = |part: std::fmt::Arguments<'_>| {
            message.write_fmt(part).expect("a String takes anything")
        };
        if offset != -1 {
            add(format_args!(" at offset {offset}"));
        }
        add(format_args!(": {}", primary_name(code)));
        if extended != code
            && let Some(name) = extended_name(extended)
        {
            add(format_args!(" (extended: {name})"));
        }
        Self {
            message,
            kind: ErrorKind::Sqlite(extended),
        }
    }

    /// Whether a constraint failed: uniqueness, `NOT NULL`, `CHECK`, a foreign key, `RAISE` in a trigger.
    #[must_use]
    pub fn is_constraint(&self) -> bool {
        matches!(self.kind, ErrorKind::Sqlite(code) if code & 0xff == ffi::SQLITE_CONSTRAINT)
    }
}

macro_rules! names {
    ($code:expr; $($name:ident)*) => {
        match $code { $(ffi::$name => Some(stringify!($name)),)* _ => None }
    };
}

fn primary_name(code: c_int) -> String {
    let known = names!(code;
        SQLITE_OK SQLITE_ERROR SQLITE_INTERNAL SQLITE_PERM SQLITE_ABORT SQLITE_BUSY SQLITE_LOCKED SQLITE_NOMEM
        SQLITE_READONLY SQLITE_INTERRUPT SQLITE_IOERR SQLITE_CORRUPT SQLITE_NOTFOUND SQLITE_FULL SQLITE_CANTOPEN
        SQLITE_PROTOCOL SQLITE_EMPTY SQLITE_SCHEMA SQLITE_TOOBIG SQLITE_CONSTRAINT SQLITE_MISMATCH SQLITE_MISUSE
        SQLITE_NOLFS SQLITE_AUTH SQLITE_FORMAT SQLITE_RANGE SQLITE_NOTADB SQLITE_NOTICE SQLITE_WARNING SQLITE_ROW
        SQLITE_DONE);
    known.map_or_else(
        || format!("SQLITE_UNKNOWN_ERROR_CODE({code})"),
        str::to_owned,
    )
}

fn extended_name(code: c_int) -> Option<&'static str> {
    names!(code;
        SQLITE_ABORT_ROLLBACK SQLITE_AUTH_USER
        SQLITE_BUSY_RECOVERY SQLITE_BUSY_SNAPSHOT SQLITE_BUSY_TIMEOUT
        SQLITE_CANTOPEN_CONVPATH SQLITE_CANTOPEN_DIRTYWAL SQLITE_CANTOPEN_FULLPATH SQLITE_CANTOPEN_ISDIR
        SQLITE_CANTOPEN_NOTEMPDIR SQLITE_CANTOPEN_SYMLINK
        SQLITE_CONSTRAINT_CHECK SQLITE_CONSTRAINT_COMMITHOOK SQLITE_CONSTRAINT_DATATYPE SQLITE_CONSTRAINT_FOREIGNKEY
        SQLITE_CONSTRAINT_FUNCTION SQLITE_CONSTRAINT_NOTNULL SQLITE_CONSTRAINT_PINNED SQLITE_CONSTRAINT_PRIMARYKEY
        SQLITE_CONSTRAINT_ROWID SQLITE_CONSTRAINT_TRIGGER SQLITE_CONSTRAINT_UNIQUE SQLITE_CONSTRAINT_VTAB
        SQLITE_CORRUPT_INDEX SQLITE_CORRUPT_SEQUENCE SQLITE_CORRUPT_VTAB
        SQLITE_ERROR_MISSING_COLLSEQ SQLITE_ERROR_RETRY SQLITE_ERROR_SNAPSHOT
        SQLITE_IOERR_ACCESS SQLITE_IOERR_AUTH SQLITE_IOERR_BEGIN_ATOMIC SQLITE_IOERR_BLOCKED
        SQLITE_IOERR_CHECKRESERVEDLOCK SQLITE_IOERR_CLOSE SQLITE_IOERR_COMMIT_ATOMIC SQLITE_IOERR_CONVPATH
        SQLITE_IOERR_CORRUPTFS SQLITE_IOERR_DATA SQLITE_IOERR_DELETE SQLITE_IOERR_DELETE_NOENT SQLITE_IOERR_DIR_CLOSE
        SQLITE_IOERR_DIR_FSYNC SQLITE_IOERR_FSTAT SQLITE_IOERR_FSYNC SQLITE_IOERR_GETTEMPPATH SQLITE_IOERR_LOCK
        SQLITE_IOERR_MMAP SQLITE_IOERR_NOMEM SQLITE_IOERR_RDLOCK SQLITE_IOERR_READ SQLITE_IOERR_ROLLBACK_ATOMIC
        SQLITE_IOERR_SEEK SQLITE_IOERR_SHMLOCK SQLITE_IOERR_SHMMAP SQLITE_IOERR_SHMOPEN SQLITE_IOERR_SHMSIZE
        SQLITE_IOERR_SHORT_READ SQLITE_IOERR_TRUNCATE SQLITE_IOERR_UNLOCK SQLITE_IOERR_VNODE SQLITE_IOERR_WRITE
        SQLITE_LOCKED_SHAREDCACHE SQLITE_LOCKED_VTAB SQLITE_NOTICE_RECOVER_ROLLBACK SQLITE_NOTICE_RECOVER_WAL
        SQLITE_OK_LOAD_PERMANENTLY
        SQLITE_READONLY_CANTINIT SQLITE_READONLY_CANTLOCK SQLITE_READONLY_DBMOVED SQLITE_READONLY_DIRECTORY
        SQLITE_READONLY_RECOVERY SQLITE_READONLY_ROLLBACK SQLITE_WARNING_AUTOINDEX)
}

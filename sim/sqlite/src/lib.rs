//! SQLite as D1 and SQLite-backed Durable Objects run it, made deterministic.
//!
//! One [`Database`] is one connection to one database, in memory or in a file. The engine is libSQL (SQLite 3.47.0 with the
//! row counters Cloudflare's own build has), so rows read, rows written, query plans, type rules and error texts are the
//! engine's and not a model of it. Around the engine stand five things that the platform adds or that a simulation needs:
//!
//! | file | what |
//! |---|---|
//! | `connection.rs` | the raw handle: opening, compiling, asking the policy |
//! | `statement.rs` | one compiled statement: binding, stepping, reading rows |
//! | `count.rs` | the exact row counts of `count(*)` |
//! | `prepared.rs` | statements kept compiled, and their cache |
//! | `database.rs` | the database: texts of SQL, transactions, sizes |
//! | `policy.rs` | what untrusted SQL may do: functions, pragmas, `_cf_` names, transactions |
//! | `limits.rs` | lengths, counts and depths, documented and as the open source runtime sets them |
//! | `clock.rs`, `random.rs` | the only time and the only chance SQLite can see |
//! | `script.rs` | cutting a text into statements the way SQLite does |
//! | `error.rs` | the platform's error texts |
//! | `math.rs` | the mathematical functions, which the bundled build leaves out |
//!
//! ```
//! use edgeproof_sqlite::{Database, Dialect, Value};
//!
//! let mut db = Database::in_memory(Dialect::D1)?;
//! db.execute_script("CREATE TABLE hits (id INTEGER PRIMARY KEY, path TEXT)", &[])?;
//! let insert = db.query("INSERT INTO hits (path) VALUES (?1)", &["/".into()])?;
//! assert_eq!((insert.rows_written, insert.changes, insert.last_row_id), (1, 1, 1));
//! assert_eq!(db.query("SELECT path FROM hits", &[])?.rows, [[Value::Text("/".to_owned())]]);
//! # Ok::<(), edgeproof_sqlite::SqlError>(())
//! ```
//!
//! # Where it is not the production engine
//!
//! Cloudflare runs SQLite 3.53 (WORKERD 2026-08-22); this is 3.47.0. Functions and syntax newer than that are absent, and so is
//! `DELETE … LIMIT`. libSQL's own additions (`RANDOM ROWID`, `ALTER TABLE … ALTER COLUMN … TO`) are accepted here and refused there.
//!
//! # What it deliberately does not do
//!
//! No gates, no queues, no latency, no billing, no bookmarks, no JavaScript number rounding: those belong to the platform that
//! owns the database. No sharing: a [`Database`] stays on the thread that opened it.

mod clock;
mod connection;
mod count;
mod database;
mod error;
mod limits;
mod math;
mod outcome;
mod policy;
mod prepared;
mod random;
mod script;
mod statement;
mod value;

pub use clock::set_clock_unix_ms;
pub use database::Database;
pub use error::{ErrorKind, SqlError};
pub use limits::Limits;
pub use outcome::Outcome;
pub use value::Value;

/// Which product the database belongs to. Both run the same engine under the same policy; they differ in how a text without a
/// statement is answered and in the words of a reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// A D1 database: comments and empty statements around a statement are ignored.
    D1,
    /// The SQLite storage of a Durable Object (`ctx.storage.sql`): a trailing comment is a statement that is not there.
    DurableObject,
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_documented_version_is_the_engines() {
        let version = std::ffi::CStr::from_bytes_with_nul(libsql_ffi::SQLITE_VERSION);
        let version = version.expect("a C string").to_string_lossy();
        assert!(include_str!("lib.rs").contains(&format!("(SQLite {version} with")));
    }
}

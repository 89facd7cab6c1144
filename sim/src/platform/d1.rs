//! D1: one SQLite database, one query at a time.
//!
//! A database has one home PoP and serves calls in order of arrival: while it works on one, the next waits (D1LIM). The
//! SQL is real; how long it takes is an assumption ([`ServiceTime`]), because production publishes only orders of
//! magnitude. Statements see the virtual time at which the database began to work on them.
//!
//! Not modelled: read replicas and sessions, Time Travel, the automatic retry of read-only queries (production would
//! retry none of the failures here, except those of a fault, which are meant to be seen).

use crate::exception::Exception;
use crate::kernel::time::{Instant, nanos};
use crate::limits;
use crate::topology::Pop;
use edgeproof_sqlite::{Database, Dialect, Outcome, SqlError, Value};
use serde::{Deserialize, Serialize};
use std::rc::Rc;
use std::time::Duration;

/// How long a database works on a call. Assumption, after D1LIM: an indexed read under 1 ms, a write "several
/// milliseconds", of which most is the commit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServiceTime {
    /// Every statement.
    pub statement: Duration,
    /// Every row read.
    pub row_read: Duration,
    /// Every row written.
    pub row_written: Duration,
    /// The commit of a call that wrote.
    pub commit: Duration,
}

impl Default for ServiceTime {
    fn default() -> Self {
        Self {
            statement: Duration::from_micros(200),
            row_read: Duration::from_nanos(500),
            row_written: Duration::from_micros(10),
            commit: Duration::from_millis(2),
        }
    }
}

/// A statement and its parameters.
#[derive(Debug, Clone)]
pub struct Statement {
    /// The SQL text.
    pub sql: Rc<str>,
    /// Values for its parameters, in order.
    pub parameters: Vec<Value>,
}

/// What a Worker asks of a database in one message.
#[derive(Debug, Clone)]
pub enum Call {
    /// One statement (`first`, `all`, `run`, `raw`).
    Query(Statement),
    /// Several, as one transaction (`batch`).
    Batch(Vec<Statement>),
    /// Text, a statement per line (`exec`).
    Exec(Rc<str>),
}

/// What one statement did.
#[derive(Debug, Clone)]
pub struct QueryResult {
    /// Rows and counters.
    pub outcome: Outcome,
    /// Whether the database changed.
    pub changed_db: bool,
    /// Rows read and written by all statements of its text; `outcome` is that of the last one (miniflare).
    pub billed: (u64, u64),
    /// Size of the database in bytes, after the call that it was part of.
    pub size_after: u64,
    /// How long the database worked on it.
    pub duration: Duration,
}

/// The condition of the database under a fault.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Condition {
    /// Service times are this many times as long; 0 stands for 1.
    pub slowdown: f64,
    /// Calls fail with this text instead of running.
    pub failing: Option<&'static str>,
}

/// One database.
#[derive(Debug)]
pub struct D1 {
    /// Name of the binding it was configured with, for records.
    pub binding: Rc<str>,
    /// Where it lives.
    pub home: Pop,
    /// Its present condition.
    pub condition: Condition,
    /// Deleted from the account: calls fail with this text. What production says is not published.
    pub deleted: Option<Rc<str>>,
    database: Database,
    service_time: ServiceTime,
    busy_until: Instant,
    /// When it was last written, and how many writes of that millisecond there were.
    written: (u64, u32),
}

impl D1 {
    /// An empty database.
    ///
    /// # Errors
    /// SQLite's, if it cannot be opened.
    pub fn new(
        binding: Rc<str>,
        home: Pop,
        service_time: ServiceTime,
        seed: u64,
    ) -> Result<Self, SqlError> {
        Self::on(
            Database::in_memory(Dialect::D1)?,
            binding,
            home,
            service_time,
            seed,
        )
    }

    /// A database kept in a file.
    ///
    /// # Errors
    /// SQLite's, if it cannot be opened.
    pub fn open(
        path: &std::path::Path,
        binding: Rc<str>,
        home: Pop,
        service_time: ServiceTime,
        seed: u64,
    ) -> Result<Self, SqlError> {
        Self::on(
            Database::open(path, Dialect::D1)?,
            binding,
            home,
            service_time,
            seed,
        )
    }

    fn on(
        mut database: Database,
        binding: Rc<str>,
        home: Pop,
        service_time: ServiceTime,
        seed: u64,
    ) -> Result<Self, SqlError> {
        database.seed_random(seed);
        Ok(Self {
            binding,
            home,
            condition: Condition::default(),
            deleted: None,
            database,
            service_time,
            busy_until: Instant(0),
            written: (0, 0),
        })
    }

    /// A database in memory with the same schema and rows; the rest is as in a new one.
    ///
    /// # Errors
    /// SQLite's.
    pub fn copy(&self, seed: u64) -> Result<Self, SqlError> {
        Self::on(
            self.database.copy()?,
            Rc::clone(&self.binding),
            self.home,
            self.service_time,
            seed,
        )
    }

    /// Size of the database in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.database.size_bytes()
    }

    /// Serves a call that arrives at `now`; returns when it is done, and its result.
    ///
    /// Calls must come in order of their arrival.
    pub fn serve(
        &mut self,
        now: Instant,
        call: &Call,
    ) -> (Instant, Result<Vec<QueryResult>, Exception>) {
        let begin = now.max(self.busy_until);
        edgeproof_sqlite::set_clock_unix_ms(
            i64::try_from(begin.unix_ms()).expect("virtual time ends in 2554"),
        );
        let (mut worked, result) = match self.deleted.as_deref().or(self.condition.failing) {
            Some(message) => (Duration::ZERO, Err(error("D1_ERROR", message))),
            None => self.run(call),
        };
        if self.condition.slowdown > 0.0 {
            worked = Duration::try_from_secs_f64(worked.as_secs_f64() * self.condition.slowdown)
                .unwrap_or(Duration::MAX);
        }
        self.busy_until = begin.after(nanos(worked));
        let wrote = |results: &Vec<QueryResult>| results.iter().any(|result| result.changed_db);
        if result.as_ref().is_ok_and(wrote) {
            let ms = begin.unix_ms();
            self.written = match self.written {
                (last, count) if last == ms => (ms, count + 1),
                _ => (ms, 0),
            };
        }
        (self.busy_until, result)
    }

    /// The bookmark of the present state: later states have greater ones, by order of text, also in a later run.
    ///
    /// The form is production's, four groups of hexadecimal digits; they encode the time of the last write.
    pub fn bookmark(&self) -> String {
        let (ms, count) = self.written;
        let (high, low) = (ms >> 32, ms & 0xffff_ffff);
        format!("{high:08x}-{low:08x}-{count:08x}-{:032x}", 0)
    }

    /// Runs one statement outside of any call, so that a test can read the database.
    ///
    /// # Errors
    /// SQLite's.
    pub fn inspect(&mut self, now: Instant, sql: &str) -> Result<Outcome, SqlError> {
        edgeproof_sqlite::set_clock_unix_ms(
            i64::try_from(now.unix_ms()).expect("virtual time ends in 2554"),
        );
        self.database.query(sql, &[])
    }

    /// Applies a migration, unless the database says it was applied before; wrangler keeps the same table.
    ///
    /// # Errors
    /// SQLite's.
    pub fn migrate(&mut self, now: Instant, name: &str, script: &str) -> Result<(), SqlError> {
        self.prepare_with(
            now,
            "CREATE TABLE IF NOT EXISTS d1_migrations(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, \
             applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)",
        )?;
        let name = Value::Text(name.to_owned());
        let known = self.database.query(
            "SELECT 1 FROM d1_migrations WHERE name = ?",
            std::slice::from_ref(&name),
        )?;
        if known.rows.is_empty() {
            self.prepare_with(now, script)?;
            self.database
                .query("INSERT INTO d1_migrations (name) VALUES (?)", &[name])?;
        }
        Ok(())
    }

    /// Runs SQL outside of any call: migrations and seeds, before the run.
    ///
    /// # Errors
    /// SQLite's.
    pub fn prepare_with(&mut self, now: Instant, script: &str) -> Result<(), SqlError> {
        edgeproof_sqlite::set_clock_unix_ms(
            i64::try_from(now.unix_ms()).expect("virtual time ends in 2554"),
        );
        self.database.execute_script(script, &[]).map(drop)
    }

    fn run(&mut self, call: &Call) -> (Duration, Result<Vec<QueryResult>, Exception>) {
        match call {
            // One statement is a transaction as well: its text may hold several, and all of them or none take effect.
            Call::Query(statement) => {
                let one = std::iter::once((&*statement.sql, &*statement.parameters));
                self.transaction(one, "D1_ERROR", "")
            }
            Call::Batch(statements) => self.transaction(
                statements.iter().map(|s| (&*s.sql, &*s.parameters)),
                "D1_ERROR",
                "",
            ),
            Call::Exec(text) => {
                // The binding cuts the text at all line ends, even inside a statement, and the service answers a
                // failure with one object, which the binding takes for the first line's (observed on workerd).
                let text = text.trim();
                let first = text.lines().next().unwrap_or_default();
                let place = format!("Error in line 1: {first}: ");
                self.transaction(
                    text.split('\n').map(|line| (line, &[][..])),
                    "D1_EXEC_ERROR",
                    &place,
                )
            }
        }
    }

    fn transaction<'a>(
        &mut self,
        statements: impl Iterator<Item = (&'a str, &'a [Value])>,
        prefix: &str,
        place: &str,
    ) -> (Duration, Result<Vec<QueryResult>, Exception>) {
        let mut results = Vec::with_capacity(statements.size_hint().0);
        let attempt = || {
            self.database.begin()?;
            for (sql, parameters) in statements.filter(|(sql, _)| !is_only_comments(sql)) {
                results.push(self.statement(sql, parameters)?);
            }
            self.database.commit()
        };
        match attempt() {
            Ok(()) if results.is_empty() => (
                Duration::ZERO,
                Err(error(
                    prefix,
                    &format!("{place}{}", limits::d1::NO_STATEMENTS),
                )),
            ),
            Ok(()) => self.reply(results),
            Err(failure) => {
                let worked = self.worked(&results) + self.service_time.statement;
                // A failure of the rollback leaves no transaction either; the first failure is the one to report.
                let _ = self.database.rollback();
                (
                    worked,
                    Err(error(prefix, &format!("{place}{}", failure.message))),
                )
            }
        }
    }

    fn statement(&mut self, sql: &str, parameters: &[Value]) -> Result<QueryResult, SqlError> {
        let (read, written) = self.database.total_rows();
        let changes = self.database.total_changes();
        let schema_changes = self.database.schema_changes();
        let mut outcome = self.database.query(sql, parameters)?;
        let (read_now, written_now) = self.database.total_rows();
        // A text of several statements costs, and changes, what all of them do.
        let billed = (read_now - read, written_now - written);
        outcome.changes = self.database.total_changes() - changes;
        let duration = self.duration(billed);
        let changed_db =
            outcome.changes > 0 || billed.1 > 0 || self.database.schema_changes() != schema_changes;
        Ok(QueryResult {
            changed_db,
            billed,
            size_after: 0,
            duration,
            outcome,
        })
    }

    /// What a call that succeeded took and returns.
    fn reply(
        &self,
        mut results: Vec<QueryResult>,
    ) -> (Duration, Result<Vec<QueryResult>, Exception>) {
        let size_after = self.database.size_bytes();
        for result in &mut results {
            result.size_after = size_after;
        }
        (self.worked(&results), Ok(results))
    }

    fn duration(&self, (rows_read, rows_written): (u64, u64)) -> Duration {
        let times = &self.service_time;
        let rows =
            |count: u64, each: Duration| Duration::from_nanos(nanos(each).saturating_mul(count));
        times.statement + rows(rows_read, times.row_read) + rows(rows_written, times.row_written)
    }

    fn worked(&self, results: &[QueryResult]) -> Duration {
        let wrote = results.iter().any(|result| result.billed.1 > 0);
        let commit = if wrote {
            self.service_time.commit
        } else {
            Duration::ZERO
        };
        results
            .iter()
            .map(|result| result.duration)
            .sum::<Duration>()
            + commit
    }
}

/// Whether a text holds only blanks and line comments: the service skips it (miniflare's database.worker). It hands
/// other comments to SQLite.
fn is_only_comments(sql: &str) -> bool {
    let mut lines = sql.lines().map(str::trim_start);
    lines.all(|line| line.is_empty() || line.starts_with("--"))
}

/// An error of the binding: the prefix is only in the message, the cause has the bare text (D1DBG; observed).
pub fn error(prefix: &str, message: &str) -> Exception {
    let mut exception = Exception::error(format!("{prefix}: {message}"));
    exception.cause = Some(message.to_owned());
    exception
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_of_one_millisecond_have_bookmarks_of_their_own() {
        let at_once = ServiceTime {
            statement: Duration::ZERO,
            row_read: Duration::ZERO,
            row_written: Duration::ZERO,
            commit: Duration::ZERO,
        };
        let home = Pop::from_code("IAD").expect("a PoP");
        let mut database = D1::new("DB".into(), home, at_once, 0).expect("a database");
        let mut bookmark = |sql: &str| {
            let statement = Statement {
                sql: sql.into(),
                parameters: Vec::new(),
            };
            let call = Call::Query(statement);
            let (_, result) = database.serve(Instant::from_unix_ms(5), &call);
            result.expect("valid SQL");
            database.bookmark()
        };
        let bookmarks =
            ["CREATE TABLE t (a)", "INSERT INTO t VALUES (1)", "SELECT 1"].map(&mut bookmark);
        assert!(bookmarks[0] < bookmarks[1], "{bookmarks:?}");
        assert_eq!(bookmarks[1], bookmarks[2], "a read changes nothing");
    }
}

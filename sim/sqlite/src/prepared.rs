//! Statements that a connection keeps compiled, and their cache.
//!
//! A statement's text is its key. Whatever changes the schema empties the cache, and so does rolling such a change back,
//! so a cached entry's column names and twins are always current.

use std::rc::Rc;

use rustc_hash::FxHashMap;

use crate::connection::Connection;
use crate::count;
use crate::error::SqlError;
use crate::limits::Limits;
use crate::outcome::Outcome;
use crate::statement::Statement;
use crate::value::Value;

/// How many statements a connection keeps compiled. Production keeps 1 MiB of text per object (WORKERD `api/sql.c++`); the number
/// changes speed and memory, nothing a Worker can see.
const CACHE_CAPACITY: usize = 128;

/// A statement with everything that is known about it.
pub(crate) struct Prepared {
    statement: Statement,
    columns: Rc<[String]>,
    parameters: usize,
    /// One `SELECT count(*)` per `Count` instruction, over the same b-tree.
    count_twins: Vec<Statement>,
    used: u64,
}

impl Prepared {
    /// `may_count`: whether a `Count` instruction is possible at all, so that most statements are spared the question.
    pub(crate) fn new(
        connection: &Connection,
        statement: Statement,
        sql: &str,
        may_count: bool,
    ) -> Result<Self, SqlError> {
        let count_twins = if may_count && !statement.explains() {
            count::twins(connection, sql)?
        } else {
            Vec::new()
        };
        Ok(Self {
            columns: statement.column_names(),
            parameters: statement.parameter_count(),
            statement,
            count_twins,
            used: 0,
        })
    }

    /// Binds, runs to the end and gathers the rows.
    pub(crate) fn run(
        &mut self,
        connection: &Connection,
        limits: &Limits,
        params: &[Value],
    ) -> Result<Outcome, SqlError> {
        if params.len() != self.parameters {
            return Err(SqlError::refused(
                "Wrong number of parameter bindings for SQL query.",
            ));
        }
        // The twins run first: the statement itself may change what they count.
        connection.start(limits);
        let mut uncounted = 0;
        for twin in &self.count_twins {
            uncounted += count::difference(twin, connection)?;
        }
        let changes_before = connection.total_changes();
        let run = self.statement.run(connection, limits, params)?;
        let rows_read = run.rows_read.saturating_add_signed(uncounted);
        connection.count_rows(rows_read, run.rows_written);
        // SQLite compiles anew by itself when another connection changed the schema of the file.
        if self.statement.column_count() != self.columns.len() {
            self.columns = self.statement.column_names();
        }
        Ok(Outcome {
            columns: Rc::clone(&self.columns),
            rows: run.rows,
            rows_read,
            rows_written: run.rows_written,
            changes: connection.total_changes() - changes_before,
            last_row_id: connection.last_row_id(),
        })
    }
}

/// The statements a connection keeps compiled, by their text.
#[derive(Default)]
pub(crate) struct Cache {
    entries: FxHashMap<Box<str>, Prepared>,
    clock: u64,
}

impl Cache {
    pub(crate) fn get(&mut self, sql: &str) -> Option<&mut Prepared> {
        let entry = self.entries.get_mut(sql)?;
        self.clock += 1;
        entry.used = self.clock;
        Some(entry)
    }

    pub(crate) fn insert(&mut self, sql: &str, mut prepared: Prepared) {
        if self.entries.len() >= CACHE_CAPACITY {
            // Half at once, so that a flood of one-off statements pays for the search once in a while and not every time.
            let mut ages: Vec<u64> = self.entries.values().map(|entry| entry.used).collect();
            ages.sort_unstable();
            let oldest_kept = ages[ages.len() / 2];
            self.entries.retain(|_, entry| entry.used >= oldest_kept);
        }
        self.clock += 1;
        prepared.used = self.clock;
        self.entries.insert(sql.into(), prepared);
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }
}

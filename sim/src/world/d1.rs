//! D1 as a Worker awaits it: travel to the database's home, wait for its turn, travel back.

use super::{Operation, World};
use crate::bill::usage::Meter;
use crate::exception::Exception;
use crate::history::{Op, Outcome};
use crate::limits::{self, D1BatchCount};
use crate::platform::d1::{self, Call, QueryResult};
use crate::platform::outbound::NETWORK_CONNECTION_LOST;
use crate::topology::Pop;

/// What a call of D1 returned: one result per statement.
pub type D1Reply = Vec<QueryResult>;

impl World {
    /// Sends a call to a database.
    ///
    /// # Errors
    /// SQL's and the service's, as `D1_ERROR: …`; too many queries in one invocation.
    pub fn d1_call(&self, database: u32, call: Call) -> Operation<Result<D1Reply, Exception>> {
        let world = self.handle();
        Operation::new(async move {
            let invocation = Self::invocation()?;
            let queries = match &call {
                Call::Query(_) => 1,
                Call::Batch(statements) => match world.0.options.unsettled.d1_batch {
                    D1BatchCount::One => 1,
                    D1BatchCount::PerStatement => {
                        u32::try_from(statements.len()).unwrap_or(u32::MAX)
                    }
                },
                Call::Exec(text) => {
                    u32::try_from(text.trim().split('\n').count()).unwrap_or(u32::MAX)
                }
            };
            invocation.count_d1_queries(&world, queries)?;
            // Queries are messages: they leave an object after its writes are durable (workerd io-gate.h).
            world.output_gate(&invocation).await?;

            world.d1_send(&invocation, database, &call).await
        })
    }

    /// Sends a call that nothing holds back any more, and records it.
    pub(super) async fn d1_send(
        &self,
        invocation: &super::Invocation,
        database: u32,
        call: &Call,
    ) -> Result<D1Reply, Exception> {
        let start = self.now();
        let result = self.d1_exchange(invocation, database, call).await;
        self.record(start, &Self::scope(), || {
            let sql = match call {
                Call::Query(statement) => vec![statement.sql.to_string()],
                Call::Batch(statements) => statements
                    .iter()
                    .map(|statement| statement.sql.to_string())
                    .collect(),
                Call::Exec(text) => vec![text.to_string()],
            };
            let op = Op::D1 {
                database: self.0.databases.borrow()[database as usize]
                    .binding
                    .to_string(),
                sql,
            };
            let outcome = match &result {
                Ok(results) => {
                    let (rows_read, rows_written) = rows(results);
                    Outcome::D1 {
                        rows_read,
                        rows_written,
                    }
                }
                Err(exception) => Outcome::Error {
                    message: exception.message.clone(),
                },
            };
            (op, outcome)
        });
        self.deliver().await;
        result
    }

    /// Where a database lives, and the bookmark of its present state.
    pub fn d1_place(&self, database: u32) -> (Pop, String) {
        let databases = self.0.databases.borrow();
        let database = &databases[database as usize];
        (database.home, database.bookmark())
    }

    async fn d1_exchange(
        &self,
        invocation: &super::Invocation,
        database: u32,
        call: &Call,
    ) -> Result<D1Reply, Exception> {
        let home = self.0.databases.borrow()[database as usize].home;
        let lost = |_| d1::error("D1_ERROR", NETWORK_CONNECTION_LOST);
        let way_there = self.travel(invocation.pop, home).map_err(lost)?;
        self.sleep_until(self.now().after(way_there), "d1.call", u64::from(database))
            .await;
        let (done_at, result) = {
            let mut databases = self.0.databases.borrow_mut();
            let database = &mut databases[database as usize];
            let faults = self.0.faults.borrow();
            if !faults.is_empty() || database.condition != d1::Condition::default() {
                let (slowdown, failing) = faults.d1(self.now(), &database.binding);
                database.condition = d1::Condition {
                    slowdown,
                    failing: failing.then_some(limits::d1::NETWORK_LOST),
                };
            }
            database.serve(self.now(), call)
        };
        let mut rows_seen = 0;
        if let Ok(results) = &result {
            let (rows_read, rows_written) = rows(results);
            self.count(Meter::D1RowsRead, rows_read);
            self.count(Meter::D1RowsWritten, rows_written);
            rows_seen = rows_read << 32 | rows_written;
        }
        let way_back = self.travel(home, invocation.pop).map_err(lost)?;
        self.sleep_until(done_at.after(way_back), "d1.answer", rows_seen)
            .await;
        result
    }
}

fn rows(results: &[QueryResult]) -> (u64, u64) {
    let read = results.iter().map(|result| result.billed.0).sum();
    let written = results.iter().map(|result| result.billed.1).sum();
    (read, written)
}

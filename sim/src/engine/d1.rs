//! D1 as a Worker awaits it: travel to the database's home, wait for its turn, travel back.

use super::record::{Begun, failed};
use super::{Engine, Invocation, Operation, digest, scope};
use crate::bill::usage::Meter;
use crate::exception::Exception;
use crate::history::{Op, Outcome};
use crate::kernel::time::Instant;
use crate::limits::{self, D1BatchCount};
use crate::name;
use crate::platform::d1::{self, Call, QueryResult};
use crate::platform::outbound::NETWORK_CONNECTION_LOST;
use crate::topology::Pop;

/// What a call of D1 returned: one result per statement.
pub type D1Reply = Vec<QueryResult>;

impl Engine {
    /// Sends a call of a Worker to a database.
    ///
    /// # Errors
    /// SQL's and the service's, as `D1_ERROR: …`; too many queries in one invocation.
    pub(crate) fn d1_call(
        &self,
        database: u32,
        call: Call,
    ) -> Operation<Result<D1Reply, Exception>> {
        let engine = self.clone();
        Operation::new(async move {
            let invocation = scope::invocation()?;
            let queries = match &call {
                Call::Query(_) => 1,
                Call::Batch(statements) => match engine.options().unsettled.d1_batch {
                    D1BatchCount::One => 1,
                    D1BatchCount::PerStatement => {
                        u32::try_from(statements.len()).unwrap_or(u32::MAX)
                    }
                },
                Call::Exec(text) => {
                    u32::try_from(text.trim().split('\n').count()).unwrap_or(u32::MAX)
                }
            };
            invocation.count_d1_queries(&engine, queries)?;
            // Queries are messages: they leave an object after its writes are durable (workerd io-gate.h).
            engine.output_gate(&invocation).await?;
            engine.d1_send(&invocation, database, &call).await
        })
    }

    /// Sends a call that no output gate holds back any more.
    pub(crate) async fn d1_send(
        &self,
        invocation: &Invocation,
        database: u32,
        call: &Call,
    ) -> Result<D1Reply, Exception> {
        let begun = self.begin(|| self.d1_op(database, call));
        let result = self.d1_exchange(invocation, database, call, begun).await;
        self.mix(name!("d1"), |fingerprint| {
            fingerprint.mix(u64::from(database));
            digest::d1_call(fingerprint, call);
            match &result {
                Ok(results) => digest::d1_results(fingerprint, results),
                Err(exception) => fingerprint.mix_bytes(exception.message.as_bytes()),
            }
        });
        self.finish(begun, || d1_outcome(&result));
        self.deliver().await;
        result
    }

    fn d1_op(&self, database: u32, call: &Call) -> Op {
        let statements = match call {
            Call::Query(statement) => std::slice::from_ref(statement),
            Call::Batch(statements) => statements,
            Call::Exec(_) => &[],
        };
        let mut sql: Vec<_> = statements.iter().map(|one| one.sql.to_string()).collect();
        if let Call::Exec(text) = call {
            sql.push(text.to_string());
        }
        let parameters = statements.iter().map(|one| digest::cells(&one.parameters));
        Op::D1 {
            database: self.0.databases.borrow()[database as usize]
                .binding
                .to_string(),
            sql,
            parameters: parameters.collect(),
        }
    }

    /// Where a database lives, and the bookmark of its present state.
    pub(crate) fn d1_place(&self, database: u32) -> (Pop, String) {
        let databases = self.0.databases.borrow();
        let database = &databases[database as usize];
        (database.home, database.bookmark())
    }

    async fn d1_exchange(
        &self,
        invocation: &Invocation,
        database: u32,
        call: &Call,
        begun: Begun,
    ) -> Result<D1Reply, Exception> {
        let home = self.0.databases.borrow()[database as usize].home;
        let lost = |_| d1::error("D1_ERROR", NETWORK_CONNECTION_LOST);
        let passage = self.send(invocation.pop, home).map_err(lost)?;
        if let Some(nanos) = passage.copy_nanos {
            let begun = self.begin_copy(begun);
            self.d1_copy(database, call.clone(), nanos, begun);
        }
        let arrives = self.now().after(passage.nanos);
        self.sleep_until(arrives, name!("d1.call"), u64::from(database))
            .await;
        let (done_at, result) = self.d1_serve(database, call);
        let way_back = self.travel(home, invocation.pop).map_err(lost)?;
        let (read, written) = result.as_ref().map_or((0, 0), |results| rows(results));
        let leaves = done_at.after(way_back);
        self.sleep_until(leaves, name!("d1.answer"), read << 32 | written)
            .await;
        result
    }

    /// The database serves a call that has arrived, and its rows are billed.
    fn d1_serve(&self, database: u32, call: &Call) -> (Instant, Result<D1Reply, Exception>) {
        let mut databases = self.0.databases.borrow_mut();
        let served = &mut databases[database as usize];
        let faults = self.0.faults.borrow();
        if !faults.is_empty() || served.condition != d1::Condition::default() {
            let (slowdown, failing) = faults.d1(self.now(), database as usize);
            served.condition = d1::Condition {
                slowdown,
                failing: failing.then_some(limits::d1::NETWORK_LOST),
            };
        }
        let (done_at, result) = served.serve(self.now(), call);
        if let Ok(results) = &result {
            let (rows_read, rows_written) = rows(results);
            self.count(Meter::D1RowsRead, rows_read);
            self.count(Meter::D1RowsWritten, rows_written);
        }
        (done_at, result)
    }

    /// The second copy of a duplicated call arrives; its answer is discarded.
    fn d1_copy(&self, database: u32, call: Call, nanos: u64, begun: Begun) {
        let engine = self.clone();
        self.spawn_in(
            None,
            Box::pin(async move {
                let at = engine.now().after(nanos);
                let detail = u64::from(database);
                engine.sleep_until(at, name!("d1.copy"), detail).await;
                let (done_at, result) = engine.d1_serve(database, &call);
                let served = name!("d1.copy_served");
                engine.sleep_until(done_at, served, detail).await;
                engine.mix(name!("d1.copied"), |fingerprint| {
                    digest::d1_call(fingerprint, &call);
                    fingerprint.mix(u64::from(result.is_ok()));
                });
                engine.finish(begun, || d1_outcome(&result));
            }),
        );
    }
}

fn d1_outcome(result: &Result<D1Reply, Exception>) -> Outcome {
    match result {
        Ok(results) => {
            let (rows_read, rows_written) = rows(results);
            let results = results.iter().map(|result| &result.outcome);
            Outcome::D1 {
                rows_read,
                rows_written,
                results: results.map(digest::sql_rows).collect(),
            }
        }
        Err(exception) => failed(exception),
    }
}

fn rows(results: &[QueryResult]) -> (u64, u64) {
    let read = results.iter().map(|result| result.billed.0).sum();
    let written = results.iter().map(|result| result.billed.1).sum();
    (read, written)
}

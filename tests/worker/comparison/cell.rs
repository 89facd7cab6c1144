//! One algorithm under one traffic: the production Worker in a world, and what came of it.

use std::collections::BTreeSet;
use std::time::Duration;

use edgeproof_sim::World;
use edgeproof_sim::bill::usage::Meter;
use edgeproof_sim::check::quota::{self, Admission};
use edgeproof_sim::history::{Op, Outcome, Record};
use edgeproof_worker::core::limiter::Algorithm;
use edgeproof_worker::core::policy::Quota;

use super::traffic::Traffic;
use support::production::{post_test_data, production, steady_options};

/// The quota of writes, as it is by default.
pub(crate) const QUOTA: Quota = Quota {
    limit: 50,
    window_ms: 60_000,
};

/// Identifiers, each with traffic of its own.
const IDENTIFIERS: usize = 4;

/// How long the traffic goes on, in windows.
const WINDOWS: u64 = 12;

/// What a request that got through the limiter is answered: it is no transaction.
const ADMITTED: u16 = 422;

/// What came of it, over all identifiers.
#[derive(Debug)]
pub(crate) struct Cell {
    pub(crate) traffic: Traffic,
    pub(crate) algorithm: Algorithm,
    pub(crate) requests: u64,
    pub(crate) admitted: u64,
    /// The most admitted in any interval of one window.
    pub(crate) most: u64,
    /// Admitted where the exact log, under the same traffic, denies.
    pub(crate) wrongly_admitted: u64,
    /// Denied where it admits.
    pub(crate) wrongly_denied: u64,
    pub(crate) rows_written: u64,
    pub(crate) object_requests: u64,
    /// At the end of the traffic.
    pub(crate) stored_bytes: u64,
}

impl Cell {
    pub(crate) fn compute(traffic: Traffic, algorithm: Algorithm) -> Self {
        let arrivals: Vec<Vec<u64>> = (0..IDENTIFIERS)
            .map(|user| traffic.arrivals(WINDOWS, user as u64))
            .collect();
        let world = steady(algorithm);
        world.run(async |world| {
            let sending = arrivals.iter().enumerate().flat_map(|(user, arrivals)| {
                let client = world.client("MEX");
                arrivals.iter().map(move |at_ms| {
                    let (client, at_ms) = (client.clone(), *at_ms);
                    async move {
                        world.sleep(Duration::from_millis(at_ms)).await;
                        client
                            .send(post_test_data(&client, &format!("user-{user}")))
                            .await;
                    }
                })
            });
            let sending: Vec<_> = sending.collect();
            futures_util::future::join_all(sending).await;
        });
        let history = world.history();
        let records: Vec<Record> = history
            .records()
            .iter()
            .filter(|record| matches!(record.op, Op::Request { .. }))
            .cloned()
            .collect();
        let mut cell = Self {
            traffic,
            algorithm,
            requests: records.len() as u64,
            admitted: 0,
            most: quota::measure(&records, Duration::from_millis(QUOTA.window_ms), |record| {
                // Not when it was decided, but always the same time before that.
                let decided = Admission {
                    identity: identity(record).to_owned(),
                    from: record.start,
                    to: record.start,
                };
                is_admitted(record).then_some(decided)
            })
            .most,
            wrongly_admitted: 0,
            wrongly_denied: 0,
            rows_written: 0,
            object_requests: 0,
            stored_bytes: 0,
        };
        let took: BTreeSet<u64> = records
            .iter()
            .filter(|record| is_admitted(record))
            .map(|record| record.end - record.start)
            .collect();
        assert_eq!(
            took.len(),
            1,
            "all admissions are decided at the same distance from their sending: {took:?}"
        );
        cell.compare(records);
        let usage = world.usage();
        cell.rows_written = usage.total(Meter::ObjectRowsWritten);
        cell.object_requests = usage.total(Meter::ObjectRequests);
        cell.stored_bytes = usage.worst_day(Meter::ObjectStoredBytes) / IDENTIFIERS as u64;
        cell
    }

    /// Asks an exact log, which has a memory of its own, about every request.
    fn compare(&mut self, mut records: Vec<Record>) {
        // Of those that were sent in one instant it does not matter which gets through.
        records.sort_by_key(|record| {
            (
                identity(record).to_owned(),
                record.start,
                !is_admitted(record),
            )
        });
        for requests in records.chunk_by(|a, b| identity(a) == identity(b)) {
            let mut log: Vec<u64> = Vec::new();
            for request in requests {
                let window = QUOTA.window_ms * 1_000_000;
                log.retain(|at| at + window > request.start);
                let log_admits = log.len() < QUOTA.limit as usize;
                if log_admits {
                    log.push(request.start);
                }
                let admitted = is_admitted(request);
                self.admitted += u64::from(admitted);
                self.wrongly_admitted += u64::from(admitted && !log_admits);
                self.wrongly_denied += u64::from(!admitted && log_admits);
            }
        }
    }
}

/// The way to the limiter always takes the same time.
fn steady(algorithm: Algorithm) -> World {
    production(&["MEX"])
        .options(steady_options())
        .var("RATE_LIMIT_ALGORITHM", algorithm.as_str())
        .build()
        .expect("the world builds")
}

fn identity(record: &Record) -> &str {
    match &record.op {
        Op::Request { ip, .. } => ip,
        other => unreachable!("only requests are kept, not {other:?}"),
    }
}

fn is_admitted(record: &Record) -> bool {
    match record.outcome {
        Outcome::Status { status: ADMITTED } => true,
        Outcome::Status { status: 429 } => false,
        ref other => panic!("neither admitted nor denied: {other:?}"),
    }
}

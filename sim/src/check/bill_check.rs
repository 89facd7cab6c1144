//! Checks that the bill counted every operation of the history.
//!
//! The history is counted again, independently of the platform's own counters, and compared with the [`Usage`] of the
//! run. Per meter there is a range: every finished operation that is certainly billed, and above it those that failed
//! and may or may not have been counted. An operation that never finished has no record; only when the caller says that
//! nothing was left in flight ([`Drained::Yes`]) is a bill with *more* than the history rejected too.
//!
//! Compared are totals of the run, not days: a record does not say at which instant between its beginning and end the
//! platform counted. Rows of objects, durations and stored bytes leave no records and are not compared.

use super::Violation;
use crate::bill::usage::{METERS, Meter, Usage};
use crate::history::{Op, Outcome, Record};

/// Whether all operations of the run had finished when its history was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Nothing was in flight: the bill must not exceed the history.
    Yes,
    /// Operations may have been in flight: the bill must only not fall short of the history.
    No,
}

/// How much of each meter the history accounts for, in raw units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    /// Certainly billed.
    least: u64,
    /// Billed at most; `None` if a failed operation may have used any amount.
    most: Option<u64>,
}

/// The meters that leave records.
const COMPARED: [Meter; 10] = [
    Meter::WorkersRequests,
    Meter::KvReads,
    Meter::KvWrites,
    Meter::KvDeletes,
    Meter::KvLists,
    Meter::ObjectRequests,
    Meter::D1RowsRead,
    Meter::D1RowsWritten,
    Meter::Subrequests,
    Meter::IsolateStarts,
];

/// Compares a run's bill with its history.
pub fn check(records: &[Record], usage: &Usage, drained: Drained) -> Vec<Violation> {
    let ranges = recount(records);
    let mut violations = Vec::new();
    for meter in COMPARED {
        let Range { least, most } = ranges[meter as usize];
        let billed = usage.total(meter);
        if billed < least {
            violations.push(Violation {
                rule: "bill/misses",
                message: format!(
                    "{} is {billed} on the bill, and the history has at least {least}",
                    meter.name()
                ),
                events: Vec::new(),
            });
        }
        if let Some(most) = most
            && drained == Drained::Yes
            && billed > most
        {
            violations.push(Violation {
                rule: "bill/invents",
                message: format!(
                    "{} is {billed} on the bill, and the history has at most {most}",
                    meter.name()
                ),
                events: Vec::new(),
            });
        }
    }
    violations
}

/// Counts the history.
fn recount(records: &[Record]) -> [Range; METERS] {
    let mut ranges = [Range {
        least: 0,
        most: Some(0),
    }; METERS];
    for record in records {
        // Operations that failed or have not ended may have been counted or not.
        let failed = matches!(record.outcome, Outcome::Error { .. } | Outcome::Unfinished);
        let mut one = |meter: Meter, certain: bool| {
            let range = &mut ranges[meter as usize];
            range.least += u64::from(certain);
            range.most = range.most.map(|most| most + 1);
        };
        match (&record.op, &record.outcome) {
            (Op::Request { .. }, _) => one(Meter::WorkersRequests, !failed),
            (Op::KvGet { .. }, _) => one(Meter::KvReads, !failed),
            (Op::KvPut { .. }, outcome) => one(
                Meter::KvWrites,
                matches!(outcome, Outcome::KvWritten { .. }),
            ),
            (Op::KvDelete { .. }, outcome) => one(
                Meter::KvDeletes,
                matches!(outcome, Outcome::KvWritten { .. }),
            ),
            (Op::KvList { .. }, _) => one(Meter::KvLists, !failed),
            (Op::ObjectCall { .. }, _) => one(Meter::ObjectRequests, !failed),
            // A run of an alarm is billed, and a handler that throws has run.
            (Op::Alarm { .. }, outcome) => {
                one(Meter::ObjectRequests, *outcome != Outcome::Unfinished)
            }
            // Likewise a run of a cron trigger.
            (Op::Scheduled { .. }, outcome) => {
                one(Meter::WorkersRequests, *outcome != Outcome::Unfinished)
            }
            (Op::Fetch { .. }, _) => one(Meter::Subrequests, !failed),
            (Op::IsolateStart, _) => one(Meter::IsolateStarts, true),
            (
                Op::D1 { .. },
                &Outcome::D1 {
                    rows_read,
                    rows_written,
                    ..
                },
            ) => {
                for (meter, rows) in [
                    (Meter::D1RowsRead, rows_read),
                    (Meter::D1RowsWritten, rows_written),
                ] {
                    let range = &mut ranges[meter as usize];
                    range.least += rows;
                    range.most = range.most.map(|most| most + rows);
                }
            }
            // A query that failed half-way has scanned rows, and no record says how many.
            (Op::D1 { .. }, _) => {
                ranges[Meter::D1RowsRead as usize].most = None;
                ranges[Meter::D1RowsWritten as usize].most = None;
            }
            _ => {}
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bill::usage::UtcDay;
    use crate::check::testing::record;

    const DAY: UtcDay = UtcDay(20_780);

    /// Two requests: one writes to KV and D1, one reads and calls an object; an alarm throws.
    fn history() -> Vec<Record> {
        let (namespace, key) = ("KV".to_owned(), "k".to_owned());
        let (class, id) = ("Limiter".to_owned(), "00".to_owned());
        let status = || Outcome::Status { status: 200 };
        let error = || Outcome::Error {
            message: "no".to_owned(),
        };
        let request = || Op::Request {
            method: "GET".into(),
            path: "/".into(),
            ip: "::1".into(),
        };
        let read = Outcome::KvRead {
            version: None,
            fetched_at: 1,
            cached: false,
            digest: None,
        };
        let put = || Op::KvPut {
            namespace: namespace.clone(),
            key: key.clone(),
            bytes: 1,
            value_digest: Default::default(),
            expiration_seconds: None,
        };
        let written = Outcome::KvWritten {
            version: 1,
            committed_at: 1,
        };
        let d1 = Op::D1 {
            database: "DB".into(),
            sql: vec!["INSERT".into()],
            parameters: Vec::new(),
        };
        let ops = vec![
            (Op::IsolateStart, Outcome::Done),
            (put(), written),
            (put(), error()),
            (
                d1,
                Outcome::D1 {
                    rows_read: 3,
                    rows_written: 2,
                    results: Vec::new(),
                },
            ),
            (request(), status()),
            (
                Op::KvGet {
                    namespace: namespace.clone(),
                    key: key.clone(),
                    cache_ttl_seconds: 60,
                },
                read,
            ),
            (
                Op::KvList {
                    namespace: namespace.clone(),
                    prefix: String::new(),
                },
                Outcome::Done,
            ),
            (
                Op::ObjectCall {
                    class: class.clone(),
                    id: id.clone(),
                    path: "/".into(),
                },
                status(),
            ),
            (
                Op::Alarm {
                    class,
                    id,
                    retry: 0,
                },
                error(),
            ),
            (request(), status()),
        ];
        ops.into_iter()
            .map(|(op, outcome)| record("CDG", 1, 2, op, outcome))
            .collect()
    }

    fn honest_bill() -> Usage {
        let mut usage = Usage::default();
        for (meter, amount) in [
            (Meter::WorkersRequests, 2),
            (Meter::KvReads, 1),
            (Meter::KvWrites, 1),
            (Meter::KvLists, 1),
            (Meter::ObjectRequests, 2),
            (Meter::D1RowsRead, 3),
            (Meter::D1RowsWritten, 2),
            (Meter::IsolateStarts, 1),
            (Meter::ObjectRowsWritten, 5),
        ] {
            usage.add(DAY, meter, amount);
        }
        usage
    }

    #[test]
    fn an_honest_bill_is_accepted() {
        assert_eq!(check(&history(), &honest_bill(), Drained::Yes), []);
    }

    #[test]
    fn a_bill_that_misses_writes_is_rejected() {
        for missing in [Meter::KvWrites, Meter::D1RowsWritten, Meter::ObjectRequests] {
            let mut bill = Usage::default();
            for meter in Meter::all().filter(|&meter| !meter.is_gauge()) {
                let counted = honest_bill().on(DAY, meter);
                bill.add(DAY, meter, counted - u64::from(meter == missing));
            }
            let violations = check(&history(), &bill, Drained::No);
            assert_eq!(violations.len(), 1);
            assert_eq!(violations[0].rule, "bill/misses");
            assert!(
                violations[0].message.starts_with(missing.name()),
                "{}",
                violations[0]
            );
        }
    }

    #[test]
    fn a_bill_above_the_history_is_rejected_if_nothing_was_in_flight() {
        let mut bill = honest_bill();
        bill.add(DAY, Meter::KvReads, 1);
        let violations = check(&history(), &bill, Drained::Yes);
        assert_eq!(
            violations.iter().map(|v| v.rule).collect::<Vec<_>>(),
            ["bill/invents"]
        );
        assert_eq!(check(&history(), &bill, Drained::No), []);
    }

    #[test]
    fn a_failed_write_may_or_may_not_have_been_counted() {
        let mut bill = honest_bill();
        bill.add(DAY, Meter::KvWrites, 1);
        assert_eq!(check(&history(), &bill, Drained::Yes), []);
        bill.add(DAY, Meter::KvWrites, 1);
        assert_eq!(check(&history(), &bill, Drained::Yes).len(), 1);
    }
}

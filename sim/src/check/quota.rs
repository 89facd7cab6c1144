//! Whether a limiter kept its quota: at most q admissions of one identity in every interval of length w.
//!
//! A record says when a request began and when its answer was there, not when the limiter decided. So the check counts
//! only what is certain: q + 1 admissions that all lie, from beginning to end, within less than w of one another were
//! decided within w. On a slow network it may therefore miss a narrow breach; it never reports one that was none.
//! Intervals are half-open: two admissions exactly w apart do not share one.
//!
//! The caller defines what an admission is, and whose: see [`Admission`].

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::Violation;
use crate::history::{Nanos, Op, Outcome, Record};

/// One admitted request of an identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    /// Who was admitted: a user, an address.
    pub identity: String,
    /// The earliest instant at which it may have been decided.
    pub from: Nanos,
    /// The latest.
    pub to: Nanos,
}

impl Admission {
    /// An admission decided some time during `record`.
    pub fn during(record: &Record, identity: impl Into<String>) -> Self {
        Self {
            identity: identity.into(),
            from: record.start,
            to: record.end,
        }
    }
}

/// The admission of a client's request by its address: any answer but 401, 429 and 5xx.
///
/// For a limiter of addresses; a limiter of users needs a closure that knows the users.
pub fn admitted_by_address(record: &Record) -> Option<Admission> {
    match (&record.op, &record.outcome) {
        (Op::Request { ip, .. }, Outcome::Status { status })
            if !matches!(status, 401 | 429 | 500..) =>
        {
            Some(Admission::during(record, ip))
        }
        _ => None,
    }
}

/// What the check counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// Identities with at least one admission.
    pub identities: u64,
    /// Admissions.
    pub admitted: u64,
    /// The most admissions of one identity that certainly shared an interval.
    pub most: u64,
}

/// Judges the admissions that `admission` sees in the records: at most `quota` of an identity in every `window`.
///
/// One violation per identity at most: its fullest interval. O(n log n).
pub fn check(
    records: &[Record],
    quota: u64,
    window: Duration,
    admission: impl FnMut(&Record) -> Option<Admission>,
) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (identity, admissions) in by_identity(records, admission) {
        let Some(fullest) = fullest(&admissions, window).filter(|fullest| fullest.count > quota)
        else {
            continue;
        };
        let certain = admissions
            .iter()
            .filter(|a| a.from >= fullest.from && a.to < fullest.until);
        violations.push(Violation {
            rule: "quota/exceeded",
            message: format!(
                "{identity} was admitted {} times within {} s; the quota is {quota}",
                fullest.count,
                window.as_secs_f64()
            ),
            events: certain.map(|a| records[a.record].clone()).collect(),
        });
    }
    violations
}

/// Counts admissions without judging them.
pub fn measure(
    records: &[Record],
    window: Duration,
    admission: impl FnMut(&Record) -> Option<Admission>,
) -> Counted {
    let mut counted = Counted::default();
    for admissions in by_identity(records, admission).values() {
        counted.identities += 1;
        counted.admitted += admissions.len() as u64;
        counted.most = counted
            .most
            .max(fullest(admissions, window).map_or(0, |fullest| fullest.count));
    }
    counted
}

struct Span {
    from: Nanos,
    to: Nanos,
    record: usize,
}

/// The admissions of each identity, in order of their end.
fn by_identity(
    records: &[Record],
    mut admission: impl FnMut(&Record) -> Option<Admission>,
) -> BTreeMap<String, Vec<Span>> {
    let mut identities: BTreeMap<String, Vec<Span>> = BTreeMap::new();
    for (record, admitted) in records
        .iter()
        .enumerate()
        .filter_map(|(index, r)| Some((index, admission(r)?)))
    {
        assert!(
            admitted.from <= admitted.to,
            "an admission is not decided after its end"
        );
        identities.entry(admitted.identity).or_default().push(Span {
            from: admitted.from,
            to: admitted.to,
            record,
        });
    }
    for admissions in identities.values_mut() {
        admissions.sort_by_key(|span| span.to);
    }
    identities
}

struct Interval {
    from: Nanos,
    /// Not part of it.
    until: Nanos,
    count: u64,
}

/// The interval that certainly holds the most admissions: those with `from <= a.from` and `a.to < from + window`.
fn fullest(by_end: &[Span], window: Duration) -> Option<Interval> {
    let window = u64::try_from(window.as_nanos()).unwrap_or(u64::MAX);
    // Begins are visited from the last to the first, so that all spans already in the tree begin late enough; the tree
    // then counts how many of them end early enough.
    let mut by_begin: Vec<usize> = (0..by_end.len()).collect();
    by_begin.sort_by_key(|&index| std::cmp::Reverse(by_end[index].from));
    let mut ends = Counter::new(by_end.len());
    let mut fullest: Option<Interval> = None;
    for group in by_begin.chunk_by(|&a, &b| by_end[a].from == by_end[b].from) {
        for &index in group {
            ends.add(index);
        }
        let from = by_end[group[0]].from;
        let until = from.saturating_add(window);
        let count = ends.sum(by_end.partition_point(|span| span.to < until));
        if fullest
            .as_ref()
            .is_none_or(|interval| count > interval.count)
        {
            fullest = Some(Interval { from, until, count });
        }
    }
    fullest
}

/// Counts of positions, with sums over a beginning in logarithmic time (a Fenwick tree).
struct Counter(Vec<u64>);

impl Counter {
    fn new(positions: usize) -> Self {
        Self(vec![0; positions + 1])
    }

    fn add(&mut self, position: usize) {
        let mut node = position + 1;
        while node < self.0.len() {
            self.0[node] += 1;
            node += node & node.wrapping_neg();
        }
    }

    /// How many of the first `positions` positions were added.
    fn sum(&self, positions: usize) -> u64 {
        let (mut node, mut sum) = (positions, 0);
        while node > 0 {
            sum += self.0[node];
            node -= node & node.wrapping_neg();
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::testing::{MS, SECOND, record};

    const WINDOW: Duration = Duration::from_secs(60);

    fn request(ip: &str, at: Nanos, status: u16) -> Record {
        let op = Op::Request {
            method: "POST".into(),
            path: "/".into(),
            ip: ip.into(),
        };
        record("CDG", at, at + 5 * MS, op, Outcome::Status { status })
    }

    /// The admissions of a limiter of 50 per minute with a request every 100 ms over two minutes, as long as `admits`
    /// allows.
    fn run(admits: impl Fn(&[Nanos], Nanos) -> bool) -> Vec<Record> {
        let mut admitted = Vec::new();
        (0..1_200)
            .map(|n| {
                let now = n * 100 * MS;
                let status = if admits(&admitted, now) {
                    admitted.push(now);
                    201
                } else {
                    429
                };
                request("203.0.113.7", now, status)
            })
            .collect()
    }

    fn in_last_minute(admitted: &[Nanos], now: Nanos) -> usize {
        admitted
            .iter()
            .filter(|&&at| at + 60 * SECOND > now)
            .count()
    }

    #[test]
    fn an_exact_sliding_log_is_accepted() {
        let records = run(|admitted, now| in_last_minute(admitted, now) < 50);
        assert_eq!(check(&records, 50, WINDOW, admitted_by_address), []);
        let counted = measure(&records, WINDOW, admitted_by_address);
        assert_eq!(
            (counted.identities, counted.admitted, counted.most),
            (1, 100, 50)
        );
    }

    #[test]
    fn a_limiter_that_admits_one_too_many_is_rejected() {
        let records = run(|admitted, now| in_last_minute(admitted, now) < 51);
        let violations = check(&records, 50, WINDOW, admitted_by_address);
        assert_eq!(
            (violations.len(), violations[0].rule),
            (1, "quota/exceeded")
        );
        assert_eq!(violations[0].events.len(), 51, "{}", violations[0].message);
        assert!(
            violations[0]
                .message
                .contains("203.0.113.7 was admitted 51 times within 60 s")
        );
    }

    #[test]
    fn a_fixed_window_is_caught_at_its_edge() {
        // Windows of a minute, whose edge lies at 30 s: the first 50 come just before it.
        let window_of = |at: Nanos| (at + 30 * SECOND) / (60 * SECOND);
        let records = run(|admitted, now| {
            now >= 25 * SECOND
                && admitted
                    .iter()
                    .filter(|&&at| window_of(at) == window_of(now))
                    .count()
                    < 50
        });
        let violations = check(&records, 50, WINDOW, admitted_by_address);
        assert_eq!(violations.len(), 1);
        assert_eq!(violations[0].events.len(), 100, "twice the quota");
    }

    #[test]
    fn admissions_exactly_a_window_apart_do_not_share_one() {
        let at = |nanos: Nanos| Admission {
            identity: "u".into(),
            from: nanos,
            to: nanos,
        };
        let records = [request("a", 0, 200), request("a", 60 * SECOND, 200)];
        assert_eq!(check(&records, 1, WINDOW, |r| Some(at(r.start))), []);
        let records = [request("a", 0, 200), request("a", 60 * SECOND - 1, 200)];
        assert_eq!(check(&records, 1, WINDOW, |r| Some(at(r.start))).len(), 1);
    }

    #[test]
    fn identities_are_counted_apart_and_refusals_not_at_all() {
        let records: Vec<Record> = (0..50u64)
            .flat_map(|n| {
                [
                    request("a", n * MS, 200),
                    request("b", n * MS, 200),
                    request("a", n * MS, 429),
                ]
            })
            .collect();
        assert_eq!(check(&records, 50, WINDOW, admitted_by_address), []);
        assert_eq!(measure(&records, WINDOW, admitted_by_address).admitted, 100);
    }

    #[test]
    fn a_decision_that_may_lie_outside_the_window_is_not_counted() {
        let mut slow = request("a", 59 * SECOND, 200);
        slow.end = 61 * SECOND;
        assert_eq!(
            check(
                &[request("a", 0, 200), slow],
                1,
                WINDOW,
                admitted_by_address
            ),
            []
        );
    }

    /// The tree against counting by hand.
    #[test]
    fn the_fullest_interval_is_that_of_counting_by_hand() {
        let mut state = 7u64;
        let mut next = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        for _ in 0..200 {
            let mut spans: Vec<Span> = (0..1 + next(40))
                .map(|_| next(100))
                .map(|from| Span {
                    from,
                    to: from + from % 7,
                    record: 0,
                })
                .collect();
            spans.sort_by_key(|span| span.to);
            let window = 1 + next(30);
            let count = |from: Nanos| {
                spans
                    .iter()
                    .filter(|s| s.from >= from && s.to < from + window)
                    .count() as u64
            };
            let by_hand = spans.iter().map(|span| count(span.from)).max();
            assert_eq!(
                fullest(&spans, Duration::from_nanos(window)).map(|i| i.count),
                by_hand
            );
        }
    }
}

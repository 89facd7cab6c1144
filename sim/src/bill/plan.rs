//! A run's usage under a plan: shares of the allowances, the one that would end first, and dollars.
//!
//! Money is integer arithmetic in thousand-millionths of a dollar and is rounded once, at the end.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};

use super::prices::{self, PAID_MINIMUM_NANO_DOLLARS, Per};
use super::usage::{DAY_NANOS, Meter, Usage};
use crate::limits::Plan;

/// Days of a month in every figure here.
pub const MONTH_DAYS: u64 = 30;

/// One allowance and how much of it a run used.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BudgetRow {
    /// Name of the meter, such as `kv.reads`.
    pub allowance: String,
    /// What the whole run used, in the unit of the name; of stored bytes the highest level.
    pub used: f64,
    /// What the plan includes for a day (of a monthly allowance a thirtieth); of stored bytes what may be stored.
    pub per_day: f64,
    /// How much of [`per_day`](Self::per_day) was used: on the worst day where the allowance is daily, on the mean day
    /// where it is monthly. 1.0 is all of it.
    pub share: f64,
}

/// A run's usage beside the allowances of a plan, in the order of the price table.
///
/// `span` is the run's virtual time; a run shorter than a day counts as one day.
pub fn budget(usage: &Usage, plan: Plan, span: Duration) -> Vec<BudgetRow> {
    let days = (span.as_secs_f64() / Duration::from_nanos(DAY_NANOS).as_secs_f64()).max(1.0);
    prices::of_plan(plan)
        .map(|price| {
            let meter = price.meter;
            let included = price.included as f64;
            let used = meter.in_units(usage.total(meter));
            let (per_day, used_per_day) = match price.per {
                Per::Day => (included, meter.in_units(usage.worst_day(meter))),
                Per::Month => (included / MONTH_DAYS as f64, used / days),
                Per::Stored => (included, used),
            };
            BudgetRow {
                allowance: meter.name().to_owned(),
                used,
                per_day,
                share: used_per_day / per_day,
            }
        })
        .collect()
}

/// The free allowance that would be used up first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FirstToEnd {
    /// Name of the meter.
    pub allowance: &'static str,
    /// Time from 00:00 UTC until it is used up.
    #[serde(rename = "at_seconds", serialize_with = "seconds")]
    pub at: Duration,
}

fn seconds<S: Serializer>(at: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(at.as_secs_f64())
}

/// The daily allowance of the free plan that would end first if traffic went on all day at the run's mean rate, and
/// when.
///
/// `None` if none would end before the day does. Stored bytes are left out: they do not follow the rate of requests,
/// and [`budget`] gives their own share. `span` is the run's virtual time; if it is 0, any usage counts as an endless
/// rate.
pub fn first_to_end(usage: &Usage, span: Duration) -> Option<FirstToEnd> {
    prices::of_plan(Plan::Free)
        .filter(|price| price.per == Per::Day)
        .filter_map(|price| {
            let used = u128::from(usage.total(price.meter));
            let included = u128::from(price.included) * u128::from(price.meter.raw_per_unit());
            let nanos = (included * span.as_nanos()).checked_div(used)?;
            let nanos = u64::try_from(nanos)
                .ok()
                .filter(|&nanos| nanos < DAY_NANOS)?;
            Some(FirstToEnd {
                allowance: price.meter.name(),
                at: Duration::from_nanos(nanos),
            })
        })
        .min_by_key(|ends| ends.at)
}

/// An amount of money in thousand-millionths of a dollar.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct NanoDollars(pub u128);

impl NanoDollars {
    /// Whole cents, a half rounded up.
    pub const fn cents(self) -> u128 {
        (self.0 + 5_000_000) / 10_000_000
    }
}

impl fmt::Display for NanoDollars {
    /// `$5.08`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${}.{:02}", self.cents() / 100, self.cents() % 100)
    }
}

impl Serialize for NanoDollars {
    /// Dollars as a number with two decimals.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.cents() as f64 / 100.0)
    }
}

/// How usage beyond an included amount is rounded to a billed amount.
///
/// The price page of Durable Objects changed its worked examples: on the page of 2026-06-19 half a million requests too
/// many cost $0.075; in a later copy they are rounded up to a whole million and cost $0.15. The text states no rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// Requests and duration of Durable Objects are billed in whole millions, everything else exactly. The default,
    /// because the later page says so and an estimate is better too high than too low.
    #[default]
    NewerExamples,
    /// Everything is billed exactly.
    Exact,
}

/// What one meter costs in a month on the paid plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CostLine {
    /// Name of the meter.
    pub meter: &'static str,
    /// What the month uses, in the unit of the name.
    pub used: f64,
    /// What is included.
    pub included: f64,
    /// The price of the rest.
    pub dollars: NanoDollars,
}

/// A month on the paid plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cost {
    /// The plan's minimum, whatever is used.
    pub minimum: NanoDollars,
    /// Usage beyond the included amounts; lines without a price are left out.
    pub lines: Vec<CostLine>,
    /// The sum.
    pub total: NanoDollars,
}

/// What the paid plan costs if `usage` is exactly what a month used.
///
/// Stored bytes are billed at their highest level for the whole month, so the estimate can only be too high.
pub fn cost_of_month(usage: &Usage, rounding: Rounding) -> Cost {
    cost(rounding, |meter| u128::from(usage.total(meter)))
}

/// What a month of the paid plan costs if traffic goes on at the run's mean rate.
///
/// `None` if `span`, the run's virtual time, is 0. Stored bytes stay at their highest level.
pub fn cost_if_it_went_on(usage: &Usage, span: Duration, rounding: Rounding) -> Option<Cost> {
    if span.is_zero() {
        return None;
    }
    let month = u128::from(MONTH_DAYS * DAY_NANOS);
    Some(cost(rounding, |meter| {
        let used = u128::from(usage.total(meter));
        if meter.is_gauge() {
            used
        } else {
            used * month / span.as_nanos()
        }
    }))
}

/// The cost of a month that uses `used(meter)` raw units.
fn cost(rounding: Rounding, used: impl Fn(Meter) -> u128) -> Cost {
    let minimum = NanoDollars(u128::from(PAID_MINIMUM_NANO_DOLLARS));
    let mut total = minimum;
    let mut lines = Vec::new();
    for price in prices::of_plan(Plan::Paid) {
        let Some(overage) = price.overage else {
            continue;
        };
        let raw_per_unit = u128::from(price.meter.raw_per_unit());
        let used = used(price.meter);
        let mut beyond = used.saturating_sub(u128::from(price.included) * raw_per_unit);
        let raw_per_price = u128::from(overage.per_units) * raw_per_unit;
        if rounding == Rounding::NewerExamples && overage.rounded_up_in_newer_examples {
            beyond = beyond.next_multiple_of(raw_per_price);
        }
        let dollars = NanoDollars(beyond * u128::from(overage.nano_dollars) / raw_per_price);
        if dollars.0 > 0 {
            total.0 += dollars.0;
            let used = used as f64 / raw_per_unit as f64;
            lines.push(CostLine {
                meter: price.meter.name(),
                used,
                included: price.included as f64,
                dollars,
            });
        }
    }
    Cost {
        minimum,
        lines,
        total,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bill::usage::UtcDay;

    const DAY: UtcDay = UtcDay(20_780);
    const SECOND: u64 = 1_000_000_000;

    fn usage(amounts: &[(Meter, u64)]) -> Usage {
        let mut usage = Usage::default();
        for &(meter, amount) in amounts {
            usage.add(DAY, meter, amount);
        }
        usage
    }

    fn month(amounts: &[(Meter, u64)]) -> String {
        cost_of_month(&usage(amounts), Rounding::default())
            .total
            .to_string()
    }

    /// WPRICE (about 2026-09), its three examples.
    #[test]
    fn the_examples_of_the_workers_price_page_come_out_to_the_cent() {
        let cpu = |ms: u64| (Meter::WorkersCpuNanos, ms * 1_000_000);
        assert_eq!(
            month(&[(Meter::WorkersRequests, 15_000_000), cpu(15_000_000 * 7)]),
            "$8.00"
        );
        assert_eq!(
            month(&[(Meter::WorkersRequests, 100_000_000), cpu(100_000_000 * 7)]),
            "$45.40"
        );
        assert_eq!(
            month(&[(Meter::WorkersRequests, 720), cpu(720 * 180_000)]),
            "$6.99"
        );
    }

    /// DOPRICE, the four workloads of its examples, which both dates of the page share: 1.5 M requests and 1,000,000 s;
    /// 100 objects with 50 sockets each, opened daily, a message a minute for eight hours a day; 100 objects with one
    /// socket, a message a second; 100 hibernating objects with 100 sockets, a message a minute of 10 ms. Twenty
    /// messages are billed as one request.
    #[test]
    fn the_examples_of_the_durable_objects_price_page_come_out_to_the_cent() {
        let workloads = [
            (1_500_000, 1_000_000),
            (150_000 + 72_000_000 / 20, 86_400_000),
            (100 + 259_200_000 / 20, 259_200_000),
            (10_000 + 432_000_000 / 20, 4_320_000),
        ];
        let totals = |rounding| {
            workloads.map(|(requests, seconds)| {
                let usage = usage(&[
                    (Meter::ObjectRequests, requests),
                    (Meter::ObjectDurationNanos, seconds * SECOND),
                ]);
                cost_of_month(&usage, rounding).total.to_string()
            })
        };
        assert_eq!(
            totals(Rounding::Exact),
            ["$5.08", "$138.65", "$416.51", "$10.00"],
            "2026-06-19"
        );
        assert_eq!(
            totals(Rounding::NewerExamples),
            ["$5.15", "$142.95", "$419.30", "$20.65"],
            "later copy"
        );
    }

    #[test]
    fn what_is_included_costs_the_minimum() {
        assert_eq!(
            month(&[
                (Meter::WorkersRequests, 10_000_000),
                (Meter::KvWrites, 1_000_000)
            ]),
            "$5.00"
        );
        assert_eq!(month(&[(Meter::KvWrites, 1_002_000)]), "$5.01");
    }

    #[test]
    fn stored_bytes_cost_per_gb_month() {
        let mut usage = Usage::default();
        usage.level(DAY, Meter::D1StoredBytes, 7_000_000_000);
        let cost = cost_of_month(&usage, Rounding::default());
        assert_eq!(
            (
                cost.total.to_string(),
                cost.lines.len(),
                cost.lines[0].meter
            ),
            ("$6.50".into(), 1, "d1.stored_bytes")
        );
    }

    #[test]
    fn a_month_at_the_rate_of_a_day_is_thirty_days() {
        let usage = usage(&[(Meter::KvWrites, 100_000)]);
        let cost = cost_if_it_went_on(&usage, Duration::from_secs(86_400), Rounding::Exact)
            .expect("the span is not 0");
        assert_eq!(cost.total.to_string(), "$15.00");
        assert_eq!(
            cost_if_it_went_on(&usage, Duration::ZERO, Rounding::Exact),
            None
        );
    }

    #[test]
    fn the_share_of_a_free_day_is_that_of_the_worst_day() {
        let mut usage = usage(&[(Meter::KvWrites, 100)]);
        usage.add(UtcDay(DAY.0 + 1), Meter::KvWrites, 500);
        let rows = budget(&usage, Plan::Free, Duration::from_secs(2 * 86_400));
        let row = rows
            .iter()
            .find(|row| row.allowance == "kv.writes")
            .expect("a row of the table");
        assert_eq!((row.used, row.per_day, row.share), (600.0, 1_000.0, 0.5));
        assert!(
            rows.iter().all(|row| row.allowance != "workers.cpu_ms"),
            "Free limits CPU per request, not per day"
        );
    }

    #[test]
    fn the_share_of_a_paid_month_is_that_of_the_mean_day() {
        let usage = usage(&[(Meter::KvWrites, 100_000)]);
        let rows = budget(&usage, Plan::Paid, Duration::from_secs(2 * 86_400));
        let row = rows
            .iter()
            .find(|row| row.allowance == "kv.writes")
            .expect("a row of the table");
        assert!((row.share - 1.5).abs() < 1e-9, "{row:?}");
    }

    #[test]
    fn object_seconds_end_after_28_hours_of_one_object() {
        let row = |hours: u64| {
            let usage = usage(&[(Meter::ObjectDurationNanos, hours * 3_600 * SECOND)]);
            budget(&usage, Plan::Free, Duration::ZERO)
                .into_iter()
                .find(|row| row.allowance.ends_with("gb_s"))
        };
        assert!(row(28).expect("a row").share < 1.0);
        assert!(row(29).expect("a row").share > 1.0);
    }

    #[test]
    fn the_allowance_with_the_largest_share_ends_first() {
        // 150 requests in 3 s: 100,000 are reached after 2,000 s; 12 writes: 1,000 after 250 s.
        let usage = usage(&[(Meter::WorkersRequests, 150), (Meter::KvWrites, 12)]);
        let first = first_to_end(&usage, Duration::from_secs(3)).expect("it ends the same day");
        assert_eq!(
            (first.allowance, first.at),
            ("kv.writes", Duration::from_secs(250))
        );
    }

    #[test]
    fn nothing_ends_at_a_rate_that_the_day_bears() {
        assert_eq!(
            first_to_end(
                &usage(&[(Meter::WorkersRequests, 1)]),
                Duration::from_secs(1)
            ),
            None,
            "86,400 a day"
        );
        assert!(
            first_to_end(
                &usage(&[(Meter::WorkersRequests, 2)]),
                Duration::from_secs(1)
            )
            .is_some()
        );
        assert_eq!(first_to_end(&Usage::default(), Duration::ZERO), None);
    }
}

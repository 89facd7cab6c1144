//! The dated table of what the plans include, and of the prices for more.
//!
//! A row says how much of one meter one plan includes per day, per month or at a time, and on the paid plan the price of
//! the next units. Amounts are in the units of the meter's name (GB-s, not nanoseconds). A meter without a row in a plan
//! is free and unlimited in it.
//!
//! Data only: [`plan`](super::plan) does the arithmetic.

use super::usage::Meter;
use crate::limits::Plan;

/// How often an allowance is renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// At 00:00 UTC.
    Day,
    /// With the subscription; a month is counted as 30 days here.
    Month,
    /// Never: an amount that may be stored at a time.
    Stored,
}

/// The price of usage beyond an allowance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overage {
    /// Price of [`per_units`](Self::per_units) in thousand-millionths of a dollar.
    pub nano_dollars: u64,
    /// How many units of the meter's name that price is for.
    pub per_units: u64,
    /// Whether the page's newer examples round the billable amount up to a multiple of [`per_units`](Self::per_units);
    /// see [`Rounding`](super::plan::Rounding).
    pub rounded_up_in_newer_examples: bool,
}

/// One row: an allowance and its price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// What is counted.
    pub meter: Meter,
    /// On which plan.
    pub plan: Plan,
    /// When the allowance is renewed.
    pub per: Per,
    /// How much is included, in units of the meter's name.
    pub included: u64,
    /// The price of more; `None`: more is refused.
    pub overage: Option<Overage>,
    /// Tag of the page.
    pub source: &'static str,
    /// Date of the page.
    pub date: &'static str,
}

/// The paid plan's minimum per account and month. WPRICE (about 2026-09): $5.
pub const PAID_MINIMUM_NANO_DOLLARS: u64 = 5_000_000_000;

const MILLION: u64 = 1_000_000;
const GB: u64 = 1_000_000_000;

/// Dollars and thousandths to thousand-millionths.
const fn milli_dollars(thousandths: u64) -> u64 {
    thousandths * 1_000_000
}

const fn free(
    meter: Meter,
    per: Per,
    included: u64,
    source: &'static str,
    date: &'static str,
) -> Price {
    Price {
        meter,
        plan: Plan::Free,
        per,
        included,
        overage: None,
        source,
        date,
    }
}

const fn paid(
    meter: Meter,
    per: Per,
    included: u64,
    price_in_thousandths: u64,
    per_units: u64,
    source: &'static str,
    date: &'static str,
) -> Price {
    let overage = Some(Overage {
        nano_dollars: milli_dollars(price_in_thousandths),
        per_units,
        // DOPRICE, a copy without a date that already tells of the 15-minute keep-alive of 2026-09: its examples of
        // compute do so. WPRICE (2026-09) does not.
        rounded_up_in_newer_examples: matches!(
            meter,
            Meter::ObjectRequests | Meter::ObjectDurationNanos
        ),
    });
    Price {
        meter,
        plan: Plan::Paid,
        per,
        included,
        overage,
        source,
        date,
    }
}

/// All rows; reports keep their order.
#[rustfmt::skip] // A table: one row, one line.
pub const PRICES: &[Price] = &[
    free(Meter::WorkersRequests, Per::Day, 100_000, "LIM", "2026-07-28"),
    free(Meter::KvReads, Per::Day, 100_000, "KVPRICE", "2026-04-21"),
    free(Meter::KvWrites, Per::Day, 1_000, "KVPRICE", "2026-04-21"),
    free(Meter::KvDeletes, Per::Day, 1_000, "KVPRICE", "2026-04-21"),
    free(Meter::KvLists, Per::Day, 1_000, "KVPRICE", "2026-04-21"),
    free(Meter::KvStoredBytes, Per::Stored, GB, "KVPRICE", "2026-04-21"),
    free(Meter::ObjectRequests, Per::Day, 100_000, "DOPRICE", "2026-06-19"),
    free(Meter::ObjectDurationNanos, Per::Day, 13_000, "DOPRICE", "2026-06-19"),
    free(Meter::ObjectRowsRead, Per::Day, 5 * MILLION, "DOPRICE", "2026-06-19"),
    free(Meter::ObjectRowsWritten, Per::Day, 100_000, "DOPRICE", "2026-06-19"),
    free(Meter::ObjectStoredBytes, Per::Stored, 5 * GB, "DOPRICE", "2026-06-19"),
    free(Meter::D1RowsRead, Per::Day, 5 * MILLION, "D1PRICE", "2026-04-21"),
    free(Meter::D1RowsWritten, Per::Day, 100_000, "D1PRICE", "2026-04-21"),
    free(Meter::D1StoredBytes, Per::Stored, 5 * GB, "D1PRICE", "2026-04-21"),
    paid(Meter::WorkersRequests, Per::Month, 10 * MILLION, 300, MILLION, "WPRICE", "2026-09"),
    paid(Meter::WorkersCpuNanos, Per::Month, 30 * MILLION, 20, MILLION, "WPRICE", "2026-09"),
    paid(Meter::KvReads, Per::Month, 10 * MILLION, 500, MILLION, "KVPRICE", "2026-04-21"),
    paid(Meter::KvWrites, Per::Month, MILLION, 5_000, MILLION, "KVPRICE", "2026-04-21"),
    paid(Meter::KvDeletes, Per::Month, MILLION, 5_000, MILLION, "KVPRICE", "2026-04-21"),
    paid(Meter::KvLists, Per::Month, MILLION, 5_000, MILLION, "KVPRICE", "2026-04-21"),
    paid(Meter::KvStoredBytes, Per::Stored, GB, 500, GB, "KVPRICE", "2026-04-21"),
    paid(Meter::ObjectRequests, Per::Month, MILLION, 150, MILLION, "DOPRICE", "2026-06-19"),
    paid(Meter::ObjectDurationNanos, Per::Month, 400_000, 12_500, MILLION, "DOPRICE", "2026-06-19"),
    paid(Meter::ObjectRowsRead, Per::Month, 25_000 * MILLION, 1, MILLION, "DOPRICE", "2026-06-19"),
    paid(Meter::ObjectRowsWritten, Per::Month, 50 * MILLION, 1_000, MILLION, "DOPRICE", "2026-06-19"),
    paid(Meter::ObjectStoredBytes, Per::Stored, 5 * GB, 200, GB, "DOPRICE", "2026-06-19"),
    paid(Meter::D1RowsRead, Per::Month, 25_000 * MILLION, 1, MILLION, "D1PRICE", "2026-04-21"),
    paid(Meter::D1RowsWritten, Per::Month, 50 * MILLION, 1_000, MILLION, "D1PRICE", "2026-04-21"),
    paid(Meter::D1StoredBytes, Per::Stored, 5 * GB, 750, GB, "D1PRICE", "2026-04-21"),
];

/// The rows of one plan, in the order of the table.
pub fn of_plan(plan: Plan) -> impl Iterator<Item = &'static Price> {
    PRICES.iter().filter(move |price| price.plan == plan)
}

/// What a plan includes of a meter, in raw units; `None`: the plan does not limit or price it.
pub fn included_raw(plan: Plan, meter: Meter) -> Option<u64> {
    of_plan(plan)
        .find(|price| price.meter == meter)
        .map(|price| price.included * meter.raw_per_unit())
}

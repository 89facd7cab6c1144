//! A forecast as JSON and as text.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use edgeproof_sim::bill::plan::{Cost, cost_if_it_went_on};
use edgeproof_sim::bill::prices::{self, Per};
use edgeproof_sim::bill::usage::{DAY_NANOS, Meter};
use edgeproof_sim::bill::{BudgetRow, Rounding, budget};
use edgeproof_sim::limits::Plan;
use edgeproof_sim::report::budget_table;
use serde::Serialize;

use super::day::{Day, Outcome};
use crate::number::thousands;
use crate::traffic::Traffic;

/// A forecast, for programs.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Name of the traffic.
    traffic: String,
    plan: Plan,
    seed: u64,
    /// Requests of each day.
    requests: u64,
    fingerprint: String,
    #[serde(skip)]
    users: usize,
    #[serde(skip)]
    pops: usize,
    #[serde(skip)]
    assumed: String,
    /// The day on which the largest share of an allowance is used: the one that the fields below are about.
    worst_day: String,
    #[serde(flatten)]
    worst: DayReport,
    /// Every day.
    days: Vec<DayReport>,
    /// Triggers of the configuration that were not run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    crons_not_run: Vec<String>,
}

/// One day.
#[derive(Debug, Clone, Serialize)]
struct DayReport {
    date: String,
    /// Answers by status.
    statuses: BTreeMap<u16, u64>,
    /// Answers with `X-Cache`, by its value.
    x_cache: BTreeMap<String, u64>,
    /// Answers by kind of request and status.
    mix: BTreeMap<String, BTreeMap<u16, u64>>,
    /// Meter of the allowance that ends first, and when; `null` if the day ends before.
    first_to_end: &'static str,
    first_to_end_at_seconds: Option<f64>,
    /// Every daily allowance that was used up, and when.
    used_up_at_seconds: BTreeMap<&'static str, f64>,
    /// What was used, by meter.
    usage: BTreeMap<&'static str, f64>,
    /// What was used beside what is allowed, in the order of the price table.
    budget: Vec<BudgetRow>,
    /// A month of such days.
    #[serde(skip_serializing_if = "Option::is_none")]
    monthly_cost: Option<Cost>,
}

impl DayReport {
    fn new(day: &Day, kinds: &[String], plan: Plan) -> Self {
        let budget = budget(&day.usage, plan, DAY);
        let mut statuses = BTreeMap::new();
        for (&status, &number) in day.answers.statuses.values().flatten() {
            *statuses.entry(status).or_insert(0) += number;
        }
        let (first, at) = first_to_end(&budget, plan, &day.used_up);
        let seconds = |(meter, at): (&Meter, &Duration)| (meter.name(), at.as_secs_f64());
        let mix = day.answers.statuses.iter();
        Self {
            date: day.date.to_string(),
            statuses,
            x_cache: day.answers.x_cache.clone(),
            mix: mix
                .map(|(kind, statuses)| (kinds[*kind].clone(), statuses.clone()))
                .collect(),
            first_to_end: first.name(),
            first_to_end_at_seconds: at.map(|at| at.as_secs_f64()),
            used_up_at_seconds: day.used_up.iter().map(seconds).collect(),
            usage: Meter::all()
                .map(|meter| (meter.name(), meter.in_units(day.usage.total(meter))))
                .collect(),
            budget,
            monthly_cost: (plan == Plan::Paid)
                .then(|| cost_if_it_went_on(&day.usage, DAY, Rounding::default()))
                .flatten(),
        }
    }

    /// The shares of all allowances, the largest first.
    fn shares(&self) -> Vec<f64> {
        let mut shares: Vec<f64> = self.budget.iter().map(|row| row.share).collect();
        shares.sort_by(|a, b| b.total_cmp(a));
        shares
    }
}

/// Which allowance ends first as the day goes on, or, if none does, as traffic grows.
///
/// Of those that were used up within the day it is the one that was so at the earliest instant; without any, the one of which
/// the largest share was used. At a tie it is the one that stands first in the price table, where Workers requests stand before
/// all others: without a request nothing else is used. Stored bytes are not asked, because no midnight renews them.
fn first_to_end(
    budget: &[BudgetRow],
    plan: Plan,
    used_up: &BTreeMap<Meter, Duration>,
) -> (Meter, Option<Duration>) {
    let renewed = prices::of_plan(plan).zip(budget);
    let renewed = renewed.filter(|(price, _)| price.per != Per::Stored);
    let key = |meter: Meter, share: f64| (used_up.get(&meter).copied(), share);
    let mut best: Option<(Meter, (Option<Duration>, f64))> = None;
    for (price, row) in renewed {
        let candidate = key(price.meter, row.share);
        let is_better = match (&best, candidate) {
            (None, _) => true,
            (Some((_, (Some(at), _))), (Some(candidate), _)) => candidate < *at,
            (Some((_, (None, _))), (Some(_), _)) => true,
            (Some((_, (Some(_), _))), (None, _)) => false,
            (Some((_, (None, share))), (None, candidate)) => candidate > *share,
        };
        if is_better {
            best = Some((price.meter, candidate));
        }
    }
    let (meter, (at, _)) = best.expect("every plan has allowances");
    (meter, at)
}

const DAY: Duration = Duration::from_nanos(DAY_NANOS);

impl Report {
    pub(crate) fn new(
        outcome: &Outcome,
        traffic: &dyn Traffic,
        plan: Plan,
        seed: u64,
        requests: u64,
    ) -> Self {
        let days = outcome.days.iter();
        let days = days.map(|day| DayReport::new(day, traffic.kinds(), plan));
        let days: Vec<DayReport> = days.collect();
        // The last of equals: it begins with the most data.
        let worst = days
            .iter()
            .max_by(|a, b| {
                a.shares()
                    .partial_cmp(&b.shares())
                    .expect("shares are numbers")
            })
            .expect("there is a day")
            .clone();
        Self {
            traffic: traffic.name().to_owned(),
            users: traffic.users(),
            pops: traffic.pops().len(),
            assumed: traffic.assumed(),
            plan,
            seed,
            requests,
            fingerprint: outcome.fingerprint.clone(),
            worst_day: worst.date.clone(),
            worst,
            days,
            crons_not_run: outcome.crons_not_run.clone(),
        }
    }

    /// The report as JSON, indented, with a newline at its end.
    pub(crate) fn json(&self) -> String {
        let mut json =
            serde_json::to_string_pretty(self).expect("numbers, text and maps of them serialise");
        json.push('\n');
        json
    }

    /// The report for people.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text).expect("a String takes every write");
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let day = &self.worst;
        writeln!(
            out,
            "{} traffic on {}: {} requests of {} users at {} PoPs, {} plan",
            self.traffic,
            day.date,
            thousands(self.requests),
            self.users,
            self.pops,
            plan_name(self.plan),
        )?;
        if self.days.len() > 1 {
            writeln!(
                out,
                "(the worst of {} days; the others are below)",
                self.days.len()
            )?;
        }
        writeln!(out, "\n{}\n", budget_table(&day.budget))?;
        writeln!(out, "{}", self.sentence(day))?;
        for (meter, at) in &day.used_up_at_seconds {
            if *meter != day.first_to_end {
                writeln!(out, "{} is used up at {}.", label(meter), clock(*at))?;
            }
        }
        if let Some(cost) = &day.monthly_cost {
            writeln!(out, "\nA month of such days costs {}:", cost.total)?;
            writeln!(
                out,
                "  {:<32}{:>10}",
                "the plan itself",
                cost.minimum.to_string()
            )?;
            for line in &cost.lines {
                writeln!(out, "  {:<32}{:>10}", line.meter, line.dollars.to_string())?;
            }
        }
        let counts = |counts: &mut dyn Iterator<Item = (String, u64)>| {
            let counts: Vec<String> = counts
                .map(|(name, number)| format!("{} × {name}", thousands(number)))
                .collect();
            counts.join(", ")
        };
        let mut statuses = day.statuses.iter().map(|(s, n)| (s.to_string(), *n));
        writeln!(out, "\nanswers  {}", counts(&mut statuses))?;
        let mut x_cache = day.x_cache.iter().map(|(value, n)| (value.clone(), *n));
        // Only some Workers tell it.
        if !day.x_cache.is_empty() {
            writeln!(out, "cache    {}", counts(&mut x_cache))?;
        }
        if self.days.len() > 1 {
            writeln!(out, "\nday by day, the allowances with the largest shares:")?;
            for day in &self.days {
                let mut rows: Vec<&BudgetRow> = day.budget.iter().collect();
                rows.sort_by(|a, b| b.share.total_cmp(&a.share));
                let rows = rows.iter().take(4);
                let rows: Vec<String> = rows
                    .map(|row| format!("{} {:.1} %", row.allowance, row.share * 100.0))
                    .collect();
                writeln!(out, "  {}  {}", day.date, rows.join(", "))?;
            }
        }
        for cron in &self.crons_not_run {
            writeln!(
                out,
                "\nnot run: the trigger {cron:?}; only those of once a day are"
            )?;
        }
        writeln!(out, "\n{}", self.assumed)?;
        writeln!(out, "seed {}, fingerprint {}", self.seed, self.fingerprint)
    }

    /// Which allowance ends first, and when.
    fn sentence(&self, day: &DayReport) -> String {
        let first = day.first_to_end;
        let label = label(first);
        let row = day.budget.iter().find(|row| row.allowance == first);
        let percent = row.map_or(0.0, |row| row.share * 100.0);
        match (self.plan, day.first_to_end_at_seconds) {
            (_, Some(at)) => format!(
                "The first allowance to end is {first} ({label}), at {} UTC.",
                clock(at)
            ),
            (Plan::Free, None) => format!(
                "No allowance ends on this day. The first to end as traffic grows is {first} ({label}), used to {percent:.2} %."
            ),
            (Plan::Paid, None) => format!(
                "The included amount that is used most is {first} ({label}): {percent:.2} % of a thirtieth of the month's."
            ),
        }
    }
}

/// What people call a meter.
fn label(meter: &str) -> &'static str {
    match Meter::from_name(meter) {
        Some(Meter::WorkersRequests) => "Workers requests",
        Some(Meter::WorkersCpuNanos) => "Workers CPU time",
        Some(Meter::KvReads) => "KV reads",
        Some(Meter::KvWrites) => "KV writes",
        Some(Meter::KvDeletes) => "KV deletes",
        Some(Meter::KvLists) => "KV lists",
        Some(Meter::ObjectRequests) => "Durable Objects requests",
        Some(Meter::ObjectDurationNanos) => "Durable Objects duration",
        Some(Meter::ObjectRowsRead) => "rows read by Durable Objects",
        Some(Meter::ObjectRowsWritten) => "rows written by Durable Objects",
        Some(Meter::D1RowsRead) => "rows read by D1",
        Some(Meter::D1RowsWritten) => "rows written by D1",
        Some(Meter::Subrequests) => "subrequests",
        Some(Meter::IsolateStarts) => "starts of isolates",
        Some(Meter::KvStoredBytes) => "bytes stored in KV",
        Some(Meter::ObjectStoredBytes) => "bytes stored by Durable Objects",
        Some(Meter::D1StoredBytes) => "bytes stored in D1",
        None => "unknown",
    }
}

fn plan_name(plan: Plan) -> &'static str {
    match plan {
        Plan::Free => "free",
        Plan::Paid => "paid",
    }
}

/// A time of the day, cut off to tenths of a second.
fn clock(seconds: f64) -> String {
    let tenths = (seconds * 10.0) as u64;
    let whole = tenths / 10;
    format!(
        "{:02}:{:02}:{:02}.{}",
        whole / 3_600,
        whole / 60 % 60,
        whole % 60,
        tenths % 10
    )
}

#[cfg(test)]
mod tests {
    use super::super::day::Answers;
    use super::super::file::FileTraffic;
    use super::*;
    use edgeproof_sim::bill::usage::{Usage, UtcDay};

    const DATE: UtcDay = UtcDay(20_454);

    fn first(amounts: &[(Meter, u64)], used_up: &[(Meter, u64)]) -> (&'static str, Option<u64>) {
        let mut usage = Usage::default();
        for &(meter, amount) in amounts {
            usage.add(DATE, meter, amount);
        }
        let used_up = used_up
            .iter()
            .map(|&(meter, seconds)| (meter, Duration::from_secs(seconds)));
        let budget = budget(&usage, Plan::Free, DAY);
        let (meter, at) = first_to_end(&budget, Plan::Free, &used_up.collect());
        (meter.name(), at.map(|at| at.as_secs()))
    }

    #[test]
    fn the_first_to_end_is_the_one_that_ends_earliest() {
        // KV writes are used to a larger share, but rows come faster in the morning.
        let amounts = [
            (Meter::WorkersRequests, 100_000),
            (Meter::KvWrites, 2_000),
            (Meter::D1RowsWritten, 110_000),
        ];
        let used_up = [
            (Meter::WorkersRequests, 86_390),
            (Meter::KvWrites, 50_000),
            (Meter::D1RowsWritten, 40_000),
        ];
        assert_eq!(first(&amounts, &used_up), ("d1.rows_written", Some(40_000)));
    }

    #[test]
    fn without_an_end_it_is_the_largest_share() {
        let amounts = [
            (Meter::WorkersRequests, 50_000),
            (Meter::KvWrites, 501),
            (Meter::D1RowsRead, 2_000_000),
        ];
        assert_eq!(first(&amounts, &[]), ("kv.writes", None));
    }

    #[test]
    fn at_a_tie_workers_requests_end_first() {
        let both = [
            (Meter::WorkersRequests, 100_000),
            (Meter::ObjectRequests, 100_000),
        ];
        assert_eq!(first(&both, &[]), ("workers.requests", None));
        let used_up = [
            (Meter::WorkersRequests, 86_390),
            (Meter::ObjectRequests, 86_390),
        ];
        assert_eq!(first(&both, &used_up), ("workers.requests", Some(86_390)));
    }

    #[test]
    fn a_month_of_the_paid_plan_is_thirty_of_its_worst_day() {
        let mut usage = Usage::default();
        // 1.8 million a month: one million more than is included, as it is rounded up.
        usage.add(DATE, Meter::ObjectRequests, 60_000);
        let day = |date, usage| Day {
            date,
            usage,
            answers: Answers::default(),
            used_up: BTreeMap::new(),
        };
        let outcome = Outcome {
            days: vec![day(DATE, usage), day(UtcDay(DATE.0 + 1), Usage::default())],
            fingerprint: String::new(),
            crons_not_run: Vec::new(),
        };
        let text = "[[routes]]\npath = '/'";
        let traffic = FileTraffic::parse("traffic.toml".as_ref(), text, 0).expect("it is right");
        let paid = Report::new(&outcome, &traffic, Plan::Paid, 0, 60_000);
        assert_eq!(paid.worst_day, "2026-01-01");
        let cost = paid.worst.monthly_cost.as_ref().expect("paid costs");
        assert_eq!(cost.total.to_string(), "$5.15");
        assert!(paid.text().contains("A month of such days costs $5.15"));
        let free = Report::new(&outcome, &traffic, Plan::Free, 0, 60_000);
        assert_eq!(free.worst.monthly_cost, None);
    }

    #[test]
    fn times_are_readable() {
        assert_eq!(clock(86_399.96), "23:59:59.9");
        assert_eq!(clock(61.0), "00:01:01.0");
    }
}

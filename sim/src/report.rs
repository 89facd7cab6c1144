//! Plain-text reports: the tables that the command line and the load generator print.
//!
//! Text only, the same on any terminal and in any file: no colours, no width of a terminal.
//! [`bill::plan`](crate::bill::plan) says what the figures mean.

use std::fmt::Write as _;
use std::time::Duration;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, ContentArrangement, Table};

use crate::bill::{BudgetRow, FirstToEnd};

/// A table of the allowances of which something was used, the largest share first.
///
/// Rows of which nothing was used are left out; with none left, a sentence says so.
pub fn budget_table(rows: &[BudgetRow]) -> String {
    let mut used: Vec<&BudgetRow> = rows.iter().filter(|row| row.used > 0.0).collect();
    if used.is_empty() {
        return "Nothing billable was used.".to_owned();
    }
    used.sort_by(|a, b| b.share.total_cmp(&a.share));
    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["allowance", "used", "per day", "share"]);
    for row in used {
        table.add_row([
            row.allowance.clone(),
            amount(row.used),
            amount(row.per_day),
            percent(row.share),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.trim_fmt()
}

/// A sentence about the free allowance that would end first.
pub fn first_to_end(first: Option<&FirstToEnd>) -> String {
    match first {
        Some(first) => {
            format!(
                "At this rate, {} would end first on the free plan: after {}.",
                first.allowance,
                hours(first.at)
            )
        }
        None => "At this rate, no daily allowance of the free plan would end.".to_owned(),
    }
}

/// An amount with a separator between thousands: whole if it is whole or large, else with three significant decimals.
fn amount(value: f64) -> String {
    let decimals = match value.abs() {
        _ if value.fract() == 0.0 => 0,
        value if value >= 100.0 => 0,
        value if value >= 0.01 => 3,
        _ => 6,
    };
    let text = format!("{value:.decimals$}");
    let (whole, fraction) = text
        .split_once('.')
        .map_or((text.as_str(), None), |(w, f)| (w, Some(f)));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if let Some(fraction) = fraction {
        let _ = write!(grouped, ".{fraction}");
    }
    grouped
}

/// A share as a percentage; a share above zero never reads as 0.
fn percent(share: f64) -> String {
    match share * 100.0 {
        percent if percent > 0.0 && percent < 0.01 => "<0.01 %".to_owned(),
        percent => format!("{percent:.2} %"),
    }
}

/// `33 min 20 s`, `2 h 05 min`.
fn hours(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, 0, _) => format!("{:.1} s", time.as_secs_f64()),
        (0, minutes, seconds) => format!("{minutes} min {seconds:02} s"),
        (hours, minutes, _) => format!("{hours} h {minutes:02} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(allowance: &str, used: f64, per_day: f64) -> BudgetRow {
        BudgetRow {
            allowance: allowance.to_owned(),
            used,
            per_day,
            share: used / per_day,
        }
    }

    #[test]
    fn the_table_has_the_largest_share_first_and_only_what_was_used() {
        let rows = [
            row("workers.requests", 150.0, 100_000.0),
            row("kv.deletes", 0.0, 1_000.0),
            row("kv.writes", 12.0, 1_000.0),
            row("durable_objects.duration_gb_s", 0.384, 13_000.0),
        ];
        let expected = "\
┌───────────────────────────────┬───────┬─────────┬─────────┐
│ allowance                     ┆  used ┆ per day ┆   share │
╞═══════════════════════════════╪═══════╪═════════╪═════════╡
│ kv.writes                     ┆    12 ┆   1,000 ┆  1.20 % │
│ workers.requests              ┆   150 ┆ 100,000 ┆  0.15 % │
│ durable_objects.duration_gb_s ┆ 0.384 ┆  13,000 ┆ <0.01 % │
└───────────────────────────────┴───────┴─────────┴─────────┘";
        assert_eq!(budget_table(&rows), expected);
        assert_eq!(budget_table(&rows[1..2]), "Nothing billable was used.");
    }

    #[test]
    fn amounts_are_readable() {
        let texts = [0.0, 12.0, 1_234.0, 1_234_567.0, 0.384, 2_000.4, 0.001].map(amount);
        assert_eq!(
            texts,
            [
                "0",
                "12",
                "1,234",
                "1,234,567",
                "0.384",
                "2,000",
                "0.001000"
            ]
        );
    }

    #[test]
    fn the_end_of_an_allowance_is_told_in_hours_or_minutes() {
        let sentence = |seconds: u64| {
            first_to_end(Some(&FirstToEnd {
                allowance: "kv.writes",
                at: Duration::from_secs(seconds),
            }))
        };
        assert!(
            sentence(2_000)
                .ends_with("kv.writes would end first on the free plan: after 33 min 20 s.")
        );
        assert!(sentence(7_500).ends_with("after 2 h 05 min."));
        assert!(sentence(2).ends_with("after 2.0 s."));
        assert!(first_to_end(None).contains("no daily allowance"));
    }
}

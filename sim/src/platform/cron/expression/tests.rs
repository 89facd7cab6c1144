//! The examples of the documentation, and a naive model.

use super::*;
use chrono::Utc;

fn at(text: &str) -> Instant {
    let time = text.parse::<DateTime<Utc>>().expect("a time");
    Instant::from_unix_ms(u64::try_from(time.timestamp_millis()).expect("after 1970"))
}

/// The next times after the beginning of 2026, a Thursday, as far as minutes.
fn times(cron: &str, count: usize) -> Vec<String> {
    let expression: Expression = cron
        .parse()
        .unwrap_or_else(|error| panic!("{cron}: {error}"));
    let mut now = at("2026-01-01T00:00:00Z");
    let next = std::iter::from_fn(|| {
        now = expression.next_after(now)?;
        let ms = i64::try_from(now.unix_ms()).expect("before 2554");
        let time = DateTime::from_timestamp_millis(ms).expect("a time");
        Some(time.format("%Y-%m-%d %H:%M").to_string())
    });
    next.take(count).collect()
}

#[test]
fn the_documented_examples_fire_when_the_page_says() {
    for (cron, expected) in [
        ("* * * * *", ["2026-01-01 00:01", "2026-01-01 00:02"]),
        ("*/30 * * * *", ["2026-01-01 00:30", "2026-01-01 01:00"]),
        ("45 * * * *", ["2026-01-01 00:45", "2026-01-01 01:45"]),
        ("0 17 * * sun", ["2026-01-04 17:00", "2026-01-11 17:00"]),
        ("0 17 * * 1", ["2026-01-04 17:00", "2026-01-11 17:00"]),
        ("10 7 * * mon-fri", ["2026-01-01 07:10", "2026-01-02 07:10"]),
        ("10 7 * * 2-6", ["2026-01-01 07:10", "2026-01-02 07:10"]),
        ("0 15 1 * *", ["2026-01-01 15:00", "2026-02-01 15:00"]),
        ("0 18 * * 6L", ["2026-01-30 18:00", "2026-02-27 18:00"]),
        ("0 18 * * friL", ["2026-01-30 18:00", "2026-02-27 18:00"]),
        // 31 January 2026 and 28 February 2026 are Saturdays.
        ("59 23 LW * *", ["2026-01-30 23:59", "2026-02-27 23:59"]),
    ] {
        assert_eq!(times(cron, 2), expected, "{cron}");
    }
}

#[test]
fn steps_lists_names_and_ranges_around_the_end_are_read() {
    for (cron, expected) in [
        (
            "5/20 0 * * *",
            ["01-01 00:05", "01-01 00:25", "01-01 00:45"],
        ),
        (
            "1,2,50-59/5 0 1 1 *",
            ["01-01 00:01", "01-01 00:02", "01-01 00:50"],
        ),
        (
            "0 22-1 * * *",
            ["01-01 01:00", "01-01 22:00", "01-01 23:00"],
        ),
        (
            "0 0 * * FRI-mon",
            ["01-02 00:00", "01-03 00:00", "01-04 00:00"],
        ),
        (
            "0 0 1 jan,Mar-APR *",
            ["03-01 00:00", "04-01 00:00", "01-01 00:00"],
        ),
        (
            "0  0\t*/15 * *",
            ["01-16 00:00", "01-31 00:00", "02-01 00:00"],
        ),
    ] {
        let found: Vec<_> = times(cron, 3)
            .iter()
            .map(|time| time[5..].to_owned())
            .collect();
        assert_eq!(found, expected, "{cron}");
    }
}

#[test]
fn last_nth_and_nearest_days_are_found() {
    for (cron, expected) in [
        ("0 0 L * *", ["2026-01-31", "2026-02-28", "2026-03-31"]),
        ("0 0 L-2 * *", ["2026-01-29", "2026-02-26", "2026-03-29"]),
        // 29 March 2026 is a Sunday.
        ("0 0 L-2W * *", ["2026-01-29", "2026-02-26", "2026-03-30"]),
        // 1 February and 1 March are Sundays, 1 August is a Saturday.
        ("0 0 1W 2,3,8 *", ["2026-02-02", "2026-03-02", "2026-08-03"]),
        // 31 May is a Sunday, 31 October a Saturday.
        ("0 0 31W 5,10 *", ["2026-05-29", "2026-10-30", "2027-05-31"]),
        ("0 0 * * L", ["2026-01-03", "2026-01-10", "2026-01-17"]),
        ("0 0 * * 2#5", ["2026-03-30", "2026-06-29", "2026-08-31"]),
        ("0 0 29 2 *", ["2028-02-29", "2032-02-29", "2036-02-29"]),
        // Either day is enough if both are restricted.
        ("0 0 2 * mon", ["2026-01-02", "2026-01-05", "2026-01-12"]),
    ] {
        let found: Vec<_> = times(cron, 3)
            .iter()
            .map(|time| time[..10].to_owned())
            .collect();
        assert_eq!(found, expected, "{cron}");
    }
}

#[test]
fn what_is_no_expression_is_refused_with_the_reason() {
    for (cron, reason) in [
        ("nonsense", "it has 1 fields, not five"),
        ("* * * * * *", "it has 6 fields, not five"),
        (" * * * * *", "it begins or ends with white space"),
        (
            "60 * * * *",
            "the minute `60` has the value `60`; it takes 0-59 and * , - /",
        ),
        ("* 24 * * *", "the hour `24` has the value `24`"),
        ("* * 0 * *", "the day of the month `0` has the value `0`"),
        ("* * * 13 *", "the month `13` has the value `13`"),
        (
            "* * * * 0",
            "the weekday `0` has the value `0`; it takes 1-7 (1 is Sunday)",
        ),
        ("* * * * 8", "the weekday `8` has the value `8`"),
        ("* * * * day", "the weekday `day` has the value `day`"),
        ("*/0 * * * *", "has a step that is not from 1 to 59"),
        ("*/60 * * * *", "has a step that is not from 1 to 59"),
        ("1, * * * *", "lacks a value"),
        (
            "1,* * * * *",
            "has a `*` that neither stands alone nor has a step",
        ),
        ("-1 * * * *", "lacks a value"),
        ("+1 * * * *", "has the value `+1`"),
        ("@daily", "it has 1 fields"),
        ("* * ? * *", "has the value `?`"),
        ("* * L-31 * *", "is not from 1 to 30 days before the last"),
        ("* * LX * *", "has something after `L`"),
        ("* * * * 2#6", "is not from 1 to 5"),
        ("* * 1,15W * *", "has the value `1,15`"),
    ] {
        let refused = cron.parse::<Expression>().expect_err(cron).to_string();
        assert!(refused.contains(reason), "{cron}: {refused}");
    }
}

#[test]
fn the_next_time_is_the_first_of_all_minutes_that_match() {
    // The naive model: every minute of two weeks, one by one.
    for cron in [
        "*/7 */5 * * *",
        "13 4 3-9 * 3",
        "0 0 LW * *",
        "59 23 * 12-1 *",
    ] {
        let expression: Expression = cron.parse().expect(cron);
        let start = at("2026-01-25T00:00:00Z").unix_seconds() / 60;
        let matches = |minute: u64| {
            let day = date(minute / 1440).expect("a day");
            expression.has_day(day) && expression.has_minute(minute % 1440)
        };
        let all: Vec<u64> = (start..start + 14 * 1440)
            .filter(|one| matches(*one))
            .collect();
        let mut now = Instant((start * 60 - 1) * SECOND);
        for minute in all {
            now = expression.next_after(now).expect("there is one");
            assert_eq!(now.unix_seconds(), minute * 60, "{cron}");
        }
    }
}

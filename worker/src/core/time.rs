//! Calendar arithmetic on milliseconds since the Unix epoch: RFC 3339 time stamps and real dates.
//!
//! Proleptic Gregorian calendar, UTC, no leap seconds, like the platform's own clock. Time zones are not treated.

/// Milliseconds of one day.
pub const DAY_MS: u64 = 86_400_000;

/// `2026-11-23T21:24:05.123Z`: RFC 3339 in UTC with milliseconds, 24 characters up to the year 9999.
///
/// ```
/// use edgeproof_worker::core::time::rfc3339;
/// assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
/// assert_eq!(rfc3339(1_760_920_061_281), "2025-10-20T00:27:41.281Z");
/// ```
pub fn rfc3339(unix_ms: u64) -> String {
    let (year, month, day) = civil(unix_ms / DAY_MS);
    let of_day = unix_ms % DAY_MS;
    let mut text = String::with_capacity(24);
    push_padded(&mut text, year, 4);
    text.push('-');
    push_padded(&mut text, month, 2);
    text.push('-');
    push_padded(&mut text, day, 2);
    text.push('T');
    push_padded(&mut text, of_day / 3_600_000, 2);
    text.push(':');
    push_padded(&mut text, of_day / 60_000 % 60, 2);
    text.push(':');
    push_padded(&mut text, of_day / 1_000 % 60, 2);
    text.push('.');
    push_padded(&mut text, of_day % 1_000, 3);
    text.push('Z');
    text
}

/// Whether `text` is a date that exists, written `YYYY-MM-DD`, in the years 0001 to 9999.
pub fn is_real_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return false;
    }
    let number =
        |range: std::ops::Range<usize>| text.get(range).and_then(crate::core::decimal::parse);
    let (Some(year), Some(month), Some(day)) = (number(0..4), number(5..7), number(8..10)) else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    year >= 1 && (1..=days).contains(&day)
}

/// Year, month and day of a day counted from 1970-01-01.
///
/// Years are counted from 1 March, which puts the leap day at the end of a year, in eras of 400 years (146,097 days).
fn civil(days_since_epoch: u64) -> (u64, u64, u64) {
    // 719,468 days lie between 0000-03-01 and 1970-01-01.
    let days = days_since_epoch + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

fn push_padded(text: &mut String, value: u64, width: u32) {
    for place in (1..width).rev() {
        if value >= 10u64.pow(place) {
            break;
        }
        text.push('0');
    }
    crate::core::decimal::push(text, value);
}

#[cfg(test)]
mod tests {
    use super::{is_real_date, rfc3339};
    use proptest::prelude::*;

    #[test]
    fn known_instants_are_written_as_the_calendar_says() {
        assert_eq!(rfc3339(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(rfc3339(1_735_689_599_999), "2024-12-31T23:59:59.999Z");
        assert_eq!(rfc3339(4_107_542_400_000), "2100-03-01T00:00:00.000Z");
        assert_eq!(rfc3339(253_402_300_799_999), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn dates_that_do_not_exist_are_refused() {
        for real in [
            "2024-02-29",
            "2000-02-29",
            "2025-12-31",
            "0001-01-01",
            "9999-12-31",
        ] {
            assert!(is_real_date(real), "{real}");
        }
        for wrong in [
            "2023-02-29",
            "1900-02-29",
            "2025-04-31",
            "2025-00-10",
            "2025-13-01",
            "2025-01-00",
            "2025-01-32",
            "0000-01-01",
            "2025-1-01",
            "25-01-01",
            "2025/01/01",
            "2025-01-01T00:00:00Z",
            "",
            "2025-01-0a",
            "+025-01-01",
            "２025-01-1",
        ] {
            assert!(!is_real_date(wrong), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn every_day_has_a_real_date_and_days_sort_as_text(day in 0u64..2_932_896) {
            let today = rfc3339(day * super::DAY_MS);
            let tomorrow = rfc3339((day + 1) * super::DAY_MS);
            prop_assert!(is_real_date(&today[..10]));
            prop_assert!(today < tomorrow || tomorrow.starts_with("10000"));
        }
    }
}

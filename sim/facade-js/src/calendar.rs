//! The calendar of `Date`: milliseconds since the Unix epoch as years, months and days, and as text.
//!
//! The calendar is the proleptic Gregorian one and the time zone is UTC. It knows no JavaScript value, so that everything which prints or
//! reads a time can stand on it. Reading is in `calendar/parse.rs`. By hand, because no calendar crate has JavaScript's range (275,760
//! years on either side), its carrying of months and days, or V8's text forms.

pub(crate) mod parse;

const MS_PER_DAY: f64 = 86_400_000.0;

/// The farthest a `Date` reaches from the epoch: 10^8 days.
const MAX_TIME: f64 = 8.64e15;

const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// A time taken apart.
pub(crate) struct Fields {
    pub(crate) year: i64,
    /// 0 to 11.
    pub(crate) month: u32,
    /// 1 to 31.
    pub(crate) day: u32,
    pub(crate) weekday: u32,
    pub(crate) hours: u32,
    pub(crate) minutes: u32,
    pub(crate) seconds: u32,
    pub(crate) milliseconds: u32,
}

/// `TimeClip`: whole milliseconds within reach, else NaN.
pub(crate) fn time_clip(time: f64) -> f64 {
    if time.abs() <= MAX_TIME {
        // The addition turns -0 into 0.
        time.trunc() + 0.0
    } else {
        f64::NAN
    }
}

/// Days since the epoch of a civil date; months beyond the year are carried into it.
///
/// Years are counted from March, so that the leap day is the last of its year; 400 of them are an era of
/// 146,097 days.
fn days_from_civil(year: f64, month: f64, day: f64) -> f64 {
    let year = year + (month / 12.0).floor();
    let month = month.rem_euclid(12.0);
    let (year, month) = if month < 2.0 {
        (year - 1.0, month + 10.0)
    } else {
        (year, month - 2.0)
    };
    let era = (year / 400.0).floor();
    let year_of_era = year - era * 400.0;
    let day_of_year = ((153.0 * month + 2.0) / 5.0).floor();
    let day_of_era = year_of_era * 365.0 + (year_of_era / 4.0).floor()
        - (year_of_era / 100.0).floor()
        + day_of_year;
    era * 146_097.0 + day_of_era - 719_468.0 + day - 1.0
}

impl Fields {
    /// `None` for an invalid time.
    pub(crate) fn of(time: f64) -> Option<Self> {
        if time.is_nan() {
            return None;
        }
        let days = (time / MS_PER_DAY).floor();
        let in_day = (time - days * MS_PER_DAY) as u32;
        let days = days as i64 + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let month = (month_from_march + 2) % 12;
        Some(Self {
            year: year_of_era + era * 400 + i64::from(month < 2),
            month: month as u32,
            day: (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u32,
            // The epoch, 719,468 days after 0000-03-01, was a Thursday.
            weekday: (days - 719_468 + 4).rem_euclid(7) as u32,
            hours: in_day / 3_600_000,
            minutes: in_day / 60_000 % 60,
            seconds: in_day / 1_000 % 60,
            milliseconds: in_day % 1_000,
        })
    }

    pub(crate) fn weekday_name(&self) -> &'static str {
        WEEKDAYS[self.weekday as usize]
    }

    pub(crate) fn month_name(&self) -> &'static str {
        MONTHS[self.month as usize]
    }

    /// At least four digits, with the sign in front of them.
    pub(crate) fn year_text(&self) -> String {
        let sign = if self.year < 0 { "-" } else { "" };
        format!("{sign}{:04}", self.year.unsigned_abs())
    }

    pub(crate) fn clock_text(&self) -> String {
        format!("{:02}:{:02}:{:02}", self.hours, self.minutes, self.seconds)
    }
}

pub(crate) const INVALID: &str = "Invalid Date";

/// `date.toString()`, in V8's form.
pub(crate) fn to_text(time: f64) -> String {
    Fields::of(time).map_or_else(
        || INVALID.to_owned(),
        |f| {
            format!(
                "{} {} {:02} {} {} GMT+0000 (Coordinated Universal Time)",
                f.weekday_name(),
                f.month_name(),
                f.day,
                f.year_text(),
                f.clock_text()
            )
        },
    )
}

/// `date.toISOString()`; `None` for an invalid time.
pub(crate) fn to_iso_text(time: f64) -> Option<String> {
    let f = Fields::of(time)?;
    let year = match f.year {
        0..=9999 => format!("{:04}", f.year),
        year => format!(
            "{}{:06}",
            if year < 0 { '-' } else { '+' },
            year.unsigned_abs()
        ),
    };
    Some(format!(
        "{year}-{:02}-{:02}T{}.{:03}Z",
        f.month + 1,
        f.day,
        f.clock_text(),
        f.milliseconds
    ))
}

pub(crate) fn time_of(year: f64, month: f64, day: f64, clock_ms: f64) -> f64 {
    days_from_civil(year, month, day) * MS_PER_DAY + clock_ms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_400_years_has_a_date_and_every_date_its_day() {
        let mut leap_days = 0;
        for days in -10..146_107 {
            let time = f64::from(days) * MS_PER_DAY;
            let f = Fields::of(time).unwrap();
            assert!((1..=31).contains(&f.day) && f.month < 12, "day {days}");
            let again = days_from_civil(f.year as f64, f64::from(f.month), f64::from(f.day));
            assert_eq!(again, f64::from(days));
            leap_days += u32::from((f.month, f.day) == (1, 29));
        }
        assert_eq!(leap_days, 97);
    }
}

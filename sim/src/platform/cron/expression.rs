//! Cron expressions in the dialect of Cloudflare.
//!
//! Source of the grammar: the table in CRON 2026-09-04, and where that is silent the parser that Cloudflare published as
//! the one of Cron Triggers (crate `saffron` 0.1.0, 2020): five fields, numbers and names, `*`, lists, ranges that may wrap
//! around, steps, `L`, `L-n`, `L-nW`, `LW` and `nW` for days of the month, `L`, `nL` and `n#k` for weekdays, which count from
//! 1 = Sunday. If both the day of the month and the weekday are restricted, either is enough.
//!
//! Own parser, because that crate is not maintained, and because `croner` 4.0 has another dialect: no ranges that wrap
//! around, no `L-n`, and it takes nicknames, `?` and `+`.
//!
//! Stricter than `saffron` in one point: there a `*` inside a list or before a `-` means the field's lowest value, which
//! no page mentions; here it is refused. And a range that wraps around begins where it says, not one value before.

use crate::kernel::time::{Instant, SECOND};
use chrono::{DateTime, Datelike, NaiveDate, NaiveTime};
use std::fmt;
use std::str::FromStr;

/// How many days ahead a next time is looked for: a 29th of February comes at least every eight years.
const DAYS_AHEAD: u64 = 8 * 366 + 1;

/// A cron expression: the minutes at which it fires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expression {
    minutes: u64,
    hours: u64,
    months: u64,
    month_day: MonthDay,
    weekday: Weekday,
}

/// The days of a month. Sets have bit n for the value n.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MonthDay {
    Any,
    Set(u64),
    /// So many days before the last.
    Last(u32),
    /// The weekday nearest to the day that is so many days before the last; `LW` is 0.
    LastWorkday(u32),
    /// The weekday nearest to a day.
    Workday(u32),
}

/// The days of a week, from 1 = Sunday.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weekday {
    Any,
    Set(u64),
    /// The last such day of the month.
    Last(u32),
    /// The k-th such day of the month.
    Nth(u32, u32),
}

/// Why a text is no cron expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CronError(String);

impl fmt::Display for CronError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CronError {}

/// A field: its name, its values, and the names of the first of them.
struct Field {
    name: &'static str,
    min: u32,
    max: u32,
    names: &'static [&'static str],
    /// The characters and words it takes, as CRON 2026-09-04 lists them.
    takes: &'static str,
}

const MINUTE: Field = Field {
    name: "minute",
    min: 0,
    max: 59,
    names: &[],
    takes: "0-59 and * , - /",
};
const HOUR: Field = Field {
    name: "hour",
    min: 0,
    max: 23,
    names: &[],
    takes: "0-23 and * , - /",
};
const MONTH_DAY: Field = Field {
    name: "day of the month",
    min: 1,
    max: 31,
    names: &[],
    takes: "1-31 and * , - / L W",
};
const MONTH: Field = Field {
    name: "month",
    min: 1,
    max: 12,
    names: &[
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ],
    takes: "1-12, jan-dec and * , - /",
};
const WEEKDAY: Field = Field {
    name: "weekday",
    min: 1,
    max: 7,
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
    takes: "1-7 (1 is Sunday), sun-sat and * , - / L #",
};

impl FromStr for Expression {
    type Err = CronError;

    fn from_str(text: &str) -> Result<Self, CronError> {
        let fields: Vec<&str> = text
            .split([' ', '\t'])
            .filter(|part| !part.is_empty())
            .collect();
        let [minute, hour, month_day, month, weekday] = fields[..] else {
            return Err(CronError(format!(
                "it has {} fields, not five: minute, hour, day of the month, month, weekday",
                fields.len()
            )));
        };
        if text.starts_with([' ', '\t']) || text.ends_with([' ', '\t']) {
            return Err(CronError("it begins or ends with white space".to_owned()));
        }
        Ok(Self {
            minutes: MINUTE.set(minute)?.unwrap_or(u64::MAX),
            hours: HOUR.set(hour)?.unwrap_or(u64::MAX),
            month_day: MonthDay::parse(month_day)?,
            months: MONTH.set(month)?.unwrap_or(u64::MAX),
            weekday: Weekday::parse(weekday)?,
        })
    }
}

impl Field {
    fn refuse(&self, text: &str, reason: &str) -> CronError {
        CronError(format!(
            "the {} `{text}` {reason}; it takes {}",
            self.name, self.takes
        ))
    }

    /// A set of values; `None` is `*`, all of them.
    fn set(&self, text: &str) -> Result<Option<u64>, CronError> {
        if text == "*" {
            return Ok(None);
        }
        let mut set = 0;
        for part in text.split(',') {
            set |= self.part(part, text)?;
        }
        Ok(Some(set))
    }

    /// One part of a list: a value, a range, or either of them or `*` with a step.
    fn part(&self, part: &str, text: &str) -> Result<u64, CronError> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(self.step(step, text)?)),
            None => (part, None),
        };
        let (first, last) = match range.split_once('-') {
            Some((first, last)) => (self.value(first, text)?, self.value(last, text)?),
            None if range == "*" && step.is_some() => (self.min, self.max),
            None => {
                let value = self.value(range, text)?;
                (value, if step.is_some() { self.max } else { value })
            }
        };
        let values = if first <= last {
            (first..=last).chain(0..0)
        } else {
            // FRI-MON: to the end of the week, and on from its beginning.
            (first..=self.max).chain(self.min..last + 1)
        };
        let every = usize::try_from(step.unwrap_or(1)).expect("a step is small");
        Ok(values.step_by(every).fold(0, |set, value| set | 1 << value))
    }

    fn step(&self, step: &str, text: &str) -> Result<u32, CronError> {
        let most = self.max - self.min;
        number(step)
            .filter(|step| (1..=most).contains(step))
            .ok_or_else(|| self.refuse(text, &format!("has a step that is not from 1 to {most}")))
    }

    fn value(&self, value: &str, text: &str) -> Result<u32, CronError> {
        let named = self
            .names
            .iter()
            .position(|name| name.eq_ignore_ascii_case(value));
        let named = named.and_then(|place| u32::try_from(place).ok());
        named
            .map(|place| place + self.min)
            .or_else(|| number(value))
            .filter(|number| (self.min..=self.max).contains(number))
            .ok_or_else(|| match value {
                "" => self.refuse(text, "lacks a value"),
                "*" => self.refuse(text, "has a `*` that neither stands alone nor has a step"),
                _ => self.refuse(text, &format!("has the value `{value}`")),
            })
    }
}

/// A number in decimal digits alone: no sign.
fn number(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

impl MonthDay {
    fn parse(text: &str) -> Result<Self, CronError> {
        let field = &MONTH_DAY;
        let offset = |digits: &str| {
            number(digits)
                .filter(|days| (1..=30).contains(days))
                .ok_or_else(|| field.refuse(text, "is not from 1 to 30 days before the last"))
        };
        if let Some(rest) = text.strip_prefix('L') {
            return match (rest, rest.strip_prefix('-')) {
                ("", _) => Ok(Self::Last(0)),
                ("W", _) => Ok(Self::LastWorkday(0)),
                (_, Some(days)) => match days.strip_suffix('W') {
                    Some(days) => offset(days).map(Self::LastWorkday),
                    None => offset(days).map(Self::Last),
                },
                _ => Err(field.refuse(text, "has something after `L` that is neither `W` nor `-`")),
            };
        }
        if let Some(day) = text.strip_suffix('W') {
            return field.value(day, text).map(Self::Workday);
        }
        Ok(field.set(text)?.map_or(Self::Any, Self::Set))
    }

    /// Whether a day is one of these.
    fn has(self, date: NaiveDate) -> bool {
        let last = last_day(date);
        match self {
            Self::Any => true,
            Self::Set(set) => set & 1 << date.day() != 0,
            Self::Last(before) => date.day() + before == last,
            Self::LastWorkday(before) => {
                last > before && nearest_workday(date, last - before) == Some(date.day())
            }
            Self::Workday(day) => nearest_workday(date, day) == Some(date.day()),
        }
    }
}

/// The day from Monday to Friday that is nearest to a day of the same month, and still in it.
fn nearest_workday(date: NaiveDate, day: u32) -> Option<u32> {
    let first = date.with_day(1)?;
    let last = last_day(date);
    let weekday = (first.weekday().num_days_from_monday() + day - 1) % 7;
    let nearest = match weekday {
        5 if day == 1 => 3,
        5 => day - 1,
        6 if day == last => day - 2,
        6 => day + 1,
        _ => day,
    };
    (nearest <= last).then_some(nearest)
}

fn last_day(date: NaiveDate) -> u32 {
    let mut days = (28..=31).rev();
    let last = days.find(|day| date.with_day(*day).is_some());
    last.expect("every month has 28 days")
}

impl Weekday {
    fn parse(text: &str) -> Result<Self, CronError> {
        let field = &WEEKDAY;
        if text == "L" {
            return Ok(Self::Set(1 << field.max));
        }
        if let Some(day) = text.strip_suffix('L') {
            return field.value(day, text).map(Self::Last);
        }
        if let Some((day, nth)) = text.split_once('#') {
            let nth = number(nth)
                .filter(|nth| (1..=5).contains(nth))
                .ok_or_else(|| {
                    field.refuse(text, "has a number after `#` that is not from 1 to 5")
                })?;
            return Ok(Self::Nth(field.value(day, text)?, nth));
        }
        Ok(field.set(text)?.map_or(Self::Any, Self::Set))
    }

    /// Whether a day is one of these.
    fn has(self, date: NaiveDate) -> bool {
        let weekday = date.weekday().number_from_sunday();
        match self {
            Self::Any => true,
            Self::Set(set) => set & 1 << weekday != 0,
            Self::Last(day) => weekday == day && date.day() + 7 > last_day(date),
            Self::Nth(day, nth) => weekday == day && (date.day() - 1) / 7 + 1 == nth,
        }
    }
}

impl Expression {
    /// The first minute after `now` at which it fires; `None` if there is none: a 31st of November, say.
    pub fn next_after(&self, now: Instant) -> Option<Instant> {
        let minute = now.unix_seconds() / 60 + 1;
        let (today, from) = (minute / (24 * 60), minute % (24 * 60));
        (0..DAYS_AHEAD).find_map(|ahead| {
            let day = today + ahead;
            if !self.has_day(date(day)?) {
                return None;
            }
            let from = if ahead == 0 { from } else { 0 };
            let minute = (from..24 * 60).find(|minute| self.has_minute(*minute))?;
            Some(Instant((day * 24 * 60 + minute) * 60 * SECOND))
        })
    }

    fn has_day(&self, date: NaiveDate) -> bool {
        if self.months & 1 << date.month() == 0 {
            return false;
        }
        let (by_month, by_week) = (self.month_day.has(date), self.weekday.has(date));
        if self.month_day == MonthDay::Any || self.weekday == Weekday::Any {
            by_month && by_week
        } else {
            by_month || by_week
        }
    }

    fn has_minute(&self, of_day: u64) -> bool {
        self.hours & 1 << (of_day / 60) != 0 && self.minutes & 1 << (of_day % 60) != 0
    }
}

/// The date of a day since 1970-01-01.
fn date(day: u64) -> Option<NaiveDate> {
    let seconds = i64::try_from(day * 24 * 60 * 60).ok()?;
    let midnight = DateTime::from_timestamp(seconds, 0)?;
    debug_assert_eq!(midnight.time(), NaiveTime::MIN);
    Some(midnight.date_naive())
}

#[cfg(test)]
mod tests;

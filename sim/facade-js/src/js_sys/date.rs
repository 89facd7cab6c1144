//! `Date`. The time zone is UTC, as it is on Cloudflare, so local time and UTC are one.
//!
//! `Date.parse` reads ISO 8601 and what `toString` and `toUTCString` write; the many other forms that V8
//! guesses at are `Invalid Date` here.

use super::class::{class, plain_traits};
use super::{JsString, Object, RangeError};
use crate::calendar::parse::parse;
use crate::calendar::{Fields, INVALID, time_clip, time_of, to_iso_text, to_text};
use crate::heap::{Kind, Obj, Repr};
use crate::host;
use crate::wasm_bindgen::{JsValue, throw_val};
use std::cell::Cell;

class! {
    /// A point in time: whole milliseconds since the Unix epoch, or invalid.
    Date extends Object; is |value| {
        value.object().is_some_and(|o| matches!(o.kind, Kind::Date(_)))
    }
}
plain_traits!(Date);

impl Date {
    /// `new Date(init)`: a text is parsed, another `Date` copied, anything else is milliseconds.
    #[must_use]
    pub fn new(init: &JsValue) -> Self {
        Self::at(match init.repr() {
            Repr::String(text) => parse(&text),
            _ => time_clip(init.to_number()),
        })
    }

    /// `new Date()`: now, by the host's clock.
    ///
    /// # Panics
    /// Without a host on this thread.
    #[must_use]
    pub fn new_0() -> Self {
        Self::at(time_clip((host::current("new Date()").now_ms)()))
    }

    /// `new Date(year, month)`; months count from 0, and years from 0 to 99 mean 1900 to 1999.
    #[must_use]
    pub fn new_with_year_month(year: u32, month: i32) -> Self {
        Self::new_with_year_month_day(year, month, 1)
    }

    /// `new Date(year, month, day)`.
    #[must_use]
    pub fn new_with_year_month_day(year: u32, month: i32, day: i32) -> Self {
        Self::new_with_year_month_day_hr_min_sec(year, month, day, 0, 0, 0)
    }

    /// `new Date(year, month, day, hours, minutes, seconds)`.
    #[must_use]
    pub fn new_with_year_month_day_hr_min_sec(
        year: u32,
        month: i32,
        day: i32,
        hr: i32,
        min: i32,
        sec: i32,
    ) -> Self {
        let year = if year < 100 { year + 1900 } else { year };
        let clock_ms = ((f64::from(hr) * 60.0 + f64::from(min)) * 60.0 + f64::from(sec)) * 1_000.0;
        Self::at(time_clip(time_of(
            year.into(),
            month.into(),
            day.into(),
            clock_ms,
        )))
    }

    fn at(time: f64) -> Self {
        JsValue::from(Obj::new(Kind::Date(Cell::new(time)))).into()
    }

    /// `Date.now()`: milliseconds since the Unix epoch, by the host's clock.
    ///
    /// # Panics
    /// Without a host on this thread.
    #[must_use]
    pub fn now() -> f64 {
        (host::current("Date.now()").now_ms)()
    }

    /// `Date.parse(text)`: milliseconds since the Unix epoch, or NaN.
    #[must_use]
    pub fn parse(text: &str) -> f64 {
        parse(text)
    }

    /// `Date.UTC(year, month)`.
    #[must_use]
    pub fn utc(year: f64, month: f64) -> f64 {
        let year = if (0.0..100.0).contains(&year.trunc()) {
            year.trunc() + 1900.0
        } else {
            year.trunc()
        };
        time_clip(time_of(year, month.trunc(), 1.0, 0.0))
    }

    /// `date.getTime()`: milliseconds since the Unix epoch, or NaN.
    #[must_use]
    pub fn get_time(&self) -> f64 {
        match self.object().as_ref().map(|o| &o.kind) {
            Some(Kind::Date(time)) => time.get(),
            _ => f64::NAN,
        }
    }

    /// `date.valueOf()`.
    #[must_use]
    pub fn value_of(&self) -> f64 {
        self.get_time()
    }

    /// `date.toISOString()`.
    ///
    /// # Panics
    /// For an invalid date, where JavaScript throws a `RangeError`.
    #[must_use]
    pub fn to_iso_string(&self) -> JsString {
        match to_iso_text(self.get_time()) {
            Some(text) => text.into(),
            None => throw_val(RangeError::new("Invalid time value").into()),
        }
    }

    /// `date.toJSON()`: `null` for an invalid date.
    #[must_use]
    pub fn to_json(&self) -> JsString {
        to_iso_text(self.get_time())
            .map_or(JsValue::NULL, JsValue::from)
            .into()
    }

    /// `date.toString()`: `Thu Jan 01 1970 00:00:00 GMT+0000 (Coordinated Universal Time)`.
    #[must_use]
    pub fn to_string(&self) -> JsString {
        to_text(self.get_time()).into()
    }

    /// `date.toUTCString()`: `Thu, 01 Jan 1970 00:00:00 GMT`.
    #[must_use]
    pub fn to_utc_string(&self) -> JsString {
        self.written(|f| {
            let (weekday, month, year) = (f.weekday_name(), f.month_name(), f.year_text());
            format!(
                "{weekday}, {:02} {month} {year} {} GMT",
                f.day,
                f.clock_text()
            )
        })
    }

    /// `date.toDateString()`: `Thu Jan 01 1970`.
    #[must_use]
    pub fn to_date_string(&self) -> JsString {
        self.written(|f| {
            format!(
                "{} {} {:02} {}",
                f.weekday_name(),
                f.month_name(),
                f.day,
                f.year_text()
            )
        })
    }

    fn written(&self, write: impl FnOnce(&Fields) -> String) -> JsString {
        Fields::of(self.get_time()).map_or_else(|| INVALID.into(), |f| write(&f).into())
    }
}

macro_rules! getters {
    ($($local:ident $utc:ident $field:ident: $text:literal;)*) => {
        impl Date {$(
            #[doc = concat!($text, "; 0 for an invalid date, whose NaN has no place in a `u32`.")]
            #[must_use]
            pub fn $utc(&self) -> u32 {
                Fields::of(self.get_time()).map_or(0, |f| f.$field as u32)
            }

            #[doc = concat!($text, ", in local time, which is UTC.")]
            #[must_use]
            pub fn $local(&self) -> u32 {
                self.$utc()
            }
        )*}
    };
}
getters! {
    get_full_year get_utc_full_year year: "The year";
    get_month get_utc_month month: "The month, 0 to 11";
    get_date get_utc_date day: "The day of the month, 1 to 31";
    get_day get_utc_day weekday: "The day of the week, 0 (Sunday) to 6";
    get_hours get_utc_hours hours: "The hour, 0 to 23";
    get_minutes get_utc_minutes minutes: "The minute, 0 to 59";
    get_seconds get_utc_seconds seconds: "The second, 0 to 59";
    get_milliseconds get_utc_milliseconds milliseconds: "The millisecond, 0 to 999";
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn date(time: f64) -> Date {
        Date::new(&time.into())
    }

    #[test]
    fn dates_print_as_in_v8() {
        // Printed by Node 20 with TZ=UTC.
        for (time, text, iso, utc) in [
            (
                0.0,
                "Thu Jan 01 1970 00:00:00 GMT+0000 (Coordinated Universal Time)",
                "1970-01-01T00:00:00.000Z",
                "Thu, 01 Jan 1970 00:00:00 GMT",
            ),
            (
                -1.0,
                "Wed Dec 31 1969 23:59:59 GMT+0000 (Coordinated Universal Time)",
                "1969-12-31T23:59:59.999Z",
                "Wed, 31 Dec 1969 23:59:59 GMT",
            ),
            (
                8.64e15,
                "Sat Sep 13 275760 00:00:00 GMT+0000 (Coordinated Universal Time)",
                "+275760-09-13T00:00:00.000Z",
                "Sat, 13 Sep 275760 00:00:00 GMT",
            ),
            (
                -8.64e15,
                "Tue Apr 20 -271821 00:00:00 GMT+0000 (Coordinated Universal Time)",
                "-271821-04-20T00:00:00.000Z",
                "Tue, 20 Apr -271821 00:00:00 GMT",
            ),
            (
                -62_198_755_200_000.0,
                "Fri Jan 01 -0001 00:00:00 GMT+0000 (Coordinated Universal Time)",
                "-000001-01-01T00:00:00.000Z",
                "Fri, 01 Jan -0001 00:00:00 GMT",
            ),
            (
                1e12,
                "Sun Sep 09 2001 01:46:40 GMT+0000 (Coordinated Universal Time)",
                "2001-09-09T01:46:40.000Z",
                "Sun, 09 Sep 2001 01:46:40 GMT",
            ),
        ] {
            assert_eq!(date(time).to_string(), text);
            assert_eq!(date(time).to_iso_string(), iso);
            assert_eq!(date(time).to_utc_string(), utc);
        }
        assert_eq!(date(f64::NAN).to_string(), "Invalid Date");
        assert_eq!(date(0.0).to_date_string(), "Thu Jan 01 1970");
        assert!(JsValue::from(date(f64::NAN).to_json()).is_null());
    }

    #[test]
    fn texts_are_parsed_as_in_v8() {
        // Parsed by Node 20 with TZ=UTC.
        for (text, time) in [
            ("2024-02-29", 1_709_164_800_000.0),
            ("2024-02-30", 1_709_251_200_000.0),
            ("2024-13-01", f64::NAN),
            ("2024", 1_704_067_200_000.0),
            ("2024-05", 1_714_521_600_000.0),
            ("2024-01-01T00:00", 1_704_067_200_000.0),
            ("2024-01-01T24:00", 1_704_153_600_000.0),
            ("2024-01-01T24:00:01", f64::NAN),
            ("2024-01-01T12:34:56", 1_704_112_496_000.0),
            ("2024-01-01T12:34:56.7", 1_704_112_496_700.0),
            ("2024-01-01T12:34:56.789123Z", 1_704_112_496_789.0),
            ("2024-01-01T12:34:56+02:00", 1_704_105_296_000.0),
            ("2024-01-01T12:34:56-0530", 1_704_132_296_000.0),
            ("2024-01-01 12:34:56", 1_704_112_496_000.0),
            ("+012024-01-01", 317_273_587_200_000.0),
            ("-000001-01-01T00:00:00Z", -62_198_755_200_000.0),
            ("+275760-09-13T00:00:00.001Z", f64::NAN),
            ("2024-01-01T12", f64::NAN),
            ("2024-01-01T12:34:60Z", f64::NAN),
            ("2024-01-01T12:60Z", f64::NAN),
            ("2024-01-00", f64::NAN),
            ("2024-01-01T12:34:56.Z", f64::NAN),
            ("Thu, 02 Sep 2021 19:38:31 GMT", 1_630_611_511_000.0),
            (
                "Thu Sep 02 2021 19:38:31 GMT+0000 (Coordinated Universal Time)",
                1_630_611_511_000.0,
            ),
            ("yesterday", f64::NAN),
            ("", f64::NAN),
        ] {
            let parsed = Date::parse(text);
            assert!(
                parsed == time || (parsed.is_nan() && time.is_nan()),
                "{text}: {parsed}"
            );
        }
    }

    #[test]
    fn times_are_whole_milliseconds_within_reach() {
        assert_eq!(date(1.9).get_time(), 1.0);
        assert_eq!(date(-1.9).get_time(), -1.0);
        assert!(date(8.64e15 + 1.0).get_time().is_nan());
        assert_eq!(Date::new(&JsValue::NULL).get_time(), 0.0);
        assert!(Date::new(&JsValue::UNDEFINED).get_time().is_nan());
        assert_eq!(Date::new(&date(5.0)).get_time(), 5.0);
        assert_eq!(
            Date::new_with_year_month(2021, 0).get_time(),
            1_609_459_200_000.0
        );
        assert_eq!(
            Date::new_with_year_month_day(99, 0, 1).get_time(),
            915_148_800_000.0
        );
        assert_eq!(
            Date::new_with_year_month(2020, 12).get_time(),
            1_609_459_200_000.0
        );
    }

    #[test]
    fn the_fields_of_a_leap_day() {
        let day = Date::new(&"2024-02-29T13:14:15.016Z".into());
        assert_eq!(
            (day.get_full_year(), day.get_month(), day.get_date()),
            (2024, 1, 29)
        );
        assert_eq!(
            (day.get_utc_hours(), day.get_minutes(), day.get_seconds()),
            (13, 14, 15)
        );
        assert_eq!((day.get_day(), day.get_milliseconds()), (4, 16));
    }

    proptest! {
        #[test]
        fn every_time_survives_its_texts(time in -8_640_000_000_000_000_i64..=8_640_000_000_000_000) {
            let time = time as f64;
            prop_assert_eq!(Date::parse(&to_iso_text(time).unwrap()), time);
            let whole_seconds = (time / 1_000.0).floor() * 1_000.0;
            if whole_seconds >= -8.64e15 {
                prop_assert_eq!(Date::parse(&to_text(time)), whole_seconds);
                prop_assert_eq!(Date::parse(&String::from(date(time).to_utc_string())), whole_seconds);
            }
        }
    }
}

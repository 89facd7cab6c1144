//! [`Date`]: the virtual clock, which stands still while a Worker computes, as the platform's does.

use crate::js_sys::Date as JsDate;
use crate::wasm_bindgen::JsValue;
use chrono::Datelike;
use chrono::offset::TimeZone;
use std::fmt;

/// A date, as JavaScript's.
#[derive(Debug, Clone, Eq)]
pub struct Date {
    js_date: JsDate,
}

impl PartialEq for Date {
    fn eq(&self, other: &Self) -> bool {
        self.js_date.get_time() == other.js_date.get_time()
    }
}

/// What a [`Date`] can be made of.
#[derive(Debug)]
pub enum DateInit {
    /// Milliseconds since the Unix epoch.
    Millis(u64),
    /// A text that `Date.parse` reads.
    String(String),
}

impl From<DateInit> for Date {
    fn from(init: DateInit) -> Self {
        Self::new(init)
    }
}

impl Date {
    /// A date.
    pub fn new(init: DateInit) -> Self {
        let value = match init {
            #[expect(clippy::cast_precision_loss, reason = "JavaScript's dates are doubles")]
            DateInit::Millis(ms) => JsValue::from_f64(ms as f64),
            DateInit::String(text) => JsValue::from_str(&text),
        };
        Self {
            js_date: JsDate::new(&value),
        }
    }

    /// Virtual time.
    pub fn now() -> Self {
        Self {
            js_date: JsDate::new_0(),
        }
    }

    /// Milliseconds since the Unix epoch.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "as upstream: a date before 1970 is 0"
    )]
    pub fn as_millis(&self) -> u64 {
        self.js_date.get_time() as u64
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.js_date.to_string())
    }
}

#[allow(deprecated, reason = "upstream offers it")]
impl<T: TimeZone> From<chrono::Date<T>> for Date {
    fn from(date: chrono::Date<T>) -> Self {
        let year = u32::try_from(date.year()).unwrap_or(0);
        let month = i32::try_from(date.month()).expect("1 to 12") - 1;
        let day = i32::try_from(date.day()).expect("1 to 31");
        Self {
            js_date: JsDate::new_with_year_month_day(year, month, day),
        }
    }
}

impl<T: TimeZone> From<chrono::DateTime<T>> for Date {
    fn from(date: chrono::DateTime<T>) -> Self {
        #[expect(clippy::cast_sign_loss, reason = "as upstream")]
        let ms = date.timestamp_millis() as u64;
        DateInit::Millis(ms).into()
    }
}

impl From<Date> for JsDate {
    fn from(date: Date) -> Self {
        date.js_date
    }
}

impl From<JsDate> for Date {
    fn from(js_date: JsDate) -> Self {
        Self { js_date }
    }
}

//! When an alarm is to run, and the options of its calls.

use crate::js_sys;
use crate::wasm_bindgen::JsValue;
use crate::{Date, Error, Result};
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::time::Duration;

#[derive(Debug)]
enum Scheduled {
    Date(js_sys::Date),
    OffsetMs(f64),
}

/// When an alarm is to run: a date, or a time from now.
#[derive(Debug)]
pub struct ScheduledTime {
    scheduled: Scheduled,
}

impl ScheduledTime {
    /// At this date.
    pub fn new(date: js_sys::Date) -> Self {
        Self {
            scheduled: Scheduled::Date(date),
        }
    }

    pub(super) fn unix_ms(self) -> f64 {
        match self.scheduled {
            Scheduled::Date(date) => date.get_time(),
            #[expect(
                clippy::cast_precision_loss,
                reason = "milliseconds since 1970 stay below 2^53"
            )]
            Scheduled::OffsetMs(offset) => Date::now().as_millis() as f64 + offset,
        }
    }
}

impl From<i64> for ScheduledTime {
    /// Milliseconds from now.
    fn from(offset_ms: i64) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "as upstream")]
        let offset = offset_ms as f64;
        Self {
            scheduled: Scheduled::OffsetMs(offset),
        }
    }
}

impl From<DateTime<Utc>> for ScheduledTime {
    fn from(date: DateTime<Utc>) -> Self {
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds since 1970 stay below 2^53"
        )]
        let ms = date.timestamp_millis() as f64;
        Self::new(js_sys::Date::new(&JsValue::from_f64(ms)))
    }
}

impl From<Duration> for ScheduledTime {
    /// From now.
    fn from(offset: Duration) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "as upstream")]
        let offset = offset.as_millis() as f64;
        Self {
            scheduled: Scheduled::OffsetMs(offset),
        }
    }
}

/// Options of a read of the alarm.
#[derive(Debug, Clone, Default, Serialize)]
pub struct GetAlarmOptions {
    /// Let other events in while it is read.
    pub allow_concurrency: Option<bool>,
}

/// Options of a write of the alarm.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SetAlarmOptions {
    /// Let other events in while it is written.
    pub allow_concurrency: Option<bool>,
    /// Do not wait until it is durable. Not simulated.
    pub allow_unconfirmed: Option<bool>,
}

pub(super) fn confirmed(options: &SetAlarmOptions) -> Result<()> {
    if options.allow_unconfirmed == Some(true) {
        return Err(Error::from(
            "allow_unconfirmed is not simulated: every write is confirmed",
        ));
    }
    Ok(())
}

//! Counters of everything billable, per UTC day.
//!
//! The platform adds to a [`Usage`] with every operation; days begin at 00:00 UTC, when Cloudflare resets its daily
//! allowances. There are two kinds of [`Meter`]: counters, which grow with [`Usage::add`], and gauges (stored bytes),
//! whose level is set with [`Usage::level`] and of which each day keeps its peak. Adding to the day that was added to
//! last is one array access.
//!
//! Usage knows no prices; see [`prices`](super::prices).

use std::fmt;

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

/// Nanoseconds of a day.
pub const DAY_NANOS: u64 = 24 * 60 * 60 * 1_000_000_000;

/// Nanoseconds that one object must be active for one GB-s.
///
/// DOPRICE 2026-06-19: an object is always billed as 128 MB = 0.128 GB, so a GB-s is 1 / 0.128 = 7.8125 s.
pub const NANOS_PER_GB_SECOND: u64 = 7_812_500_000;

/// Something that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Meter {
    /// Requests that reached the Worker (HTTP requests; Worker-to-Worker and object calls are not among them).
    WorkersRequests,
    /// CPU time of the Worker in nanoseconds. Stays 0 unless the world was given a CPU time to assume.
    WorkersCpuNanos,
    /// Keys read, misses included; a bulk get counts every key.
    KvReads,
    /// Keys written.
    KvWrites,
    /// Keys deleted.
    KvDeletes,
    /// List requests.
    KvLists,
    /// Requests to Durable Objects, runs of alarms included.
    ObjectRequests,
    /// Wall time in nanoseconds during which objects were active (or idle and unable to hibernate).
    ObjectDurationNanos,
    /// Rows read by objects.
    ObjectRowsRead,
    /// Rows written by objects.
    ObjectRowsWritten,
    /// Rows that D1 scanned.
    D1RowsRead,
    /// Rows and index entries that D1 wrote.
    D1RowsWritten,
    /// Outbound fetches; not billed.
    Subrequests,
    /// Times an isolate started; not billed.
    IsolateStarts,
    /// Gauge: bytes stored in KV.
    KvStoredBytes,
    /// Gauge: bytes stored by Durable Objects.
    ObjectStoredBytes,
    /// Gauge: bytes stored in D1.
    D1StoredBytes,
}

/// Number of meters.
pub const METERS: usize = 17;
const FIRST_GAUGE: usize = Meter::KvStoredBytes as usize;
const GAUGES: usize = METERS - FIRST_GAUGE;

/// A meter's public name, and how many raw units (as counted) make one unit of that name.
struct Naming {
    meter: Meter,
    name: &'static str,
    raw_per_unit: u64,
}

/// The one table of names, in the order of the enum.
const NAMES: [Naming; METERS] = {
    const fn row(meter: Meter, name: &'static str, raw_per_unit: u64) -> Naming {
        Naming {
            meter,
            name,
            raw_per_unit,
        }
    }
    [
        row(Meter::WorkersRequests, "workers.requests", 1),
        row(Meter::WorkersCpuNanos, "workers.cpu_ms", 1_000_000),
        row(Meter::KvReads, "kv.reads", 1),
        row(Meter::KvWrites, "kv.writes", 1),
        row(Meter::KvDeletes, "kv.deletes", 1),
        row(Meter::KvLists, "kv.lists", 1),
        row(Meter::ObjectRequests, "durable_objects.requests", 1),
        row(
            Meter::ObjectDurationNanos,
            "durable_objects.duration_gb_s",
            NANOS_PER_GB_SECOND,
        ),
        row(Meter::ObjectRowsRead, "durable_objects.rows_read", 1),
        row(Meter::ObjectRowsWritten, "durable_objects.rows_written", 1),
        row(Meter::D1RowsRead, "d1.rows_read", 1),
        row(Meter::D1RowsWritten, "d1.rows_written", 1),
        row(Meter::Subrequests, "workers.subrequests", 1),
        row(Meter::IsolateStarts, "workers.isolate_starts", 1),
        row(Meter::KvStoredBytes, "kv.stored_bytes", 1),
        row(Meter::ObjectStoredBytes, "durable_objects.stored_bytes", 1),
        row(Meter::D1StoredBytes, "d1.stored_bytes", 1),
    ]
};

impl Meter {
    /// All meters, counters first.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|row| row.meter)
    }

    /// The name in reports, such as `kv.reads` or `durable_objects.duration_gb_s`.
    pub const fn name(self) -> &'static str {
        NAMES[self as usize].name
    }

    /// The meter of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        NAMES
            .iter()
            .find(|row| row.name == name)
            .map(|row| row.meter)
    }

    /// How many raw units make one unit of the meter's name: 7,812,500,000 ns for a GB-s, 1 for a read.
    pub const fn raw_per_unit(self) -> u64 {
        NAMES[self as usize].raw_per_unit
    }

    /// Whether this is a level (stored bytes) rather than a count.
    pub const fn is_gauge(self) -> bool {
        self as usize >= FIRST_GAUGE
    }

    /// A raw amount in the unit of the meter's name.
    pub fn in_units(self, raw: u64) -> f64 {
        raw as f64 / self.raw_per_unit() as f64
    }
}

/// A day of UTC, counted from 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UtcDay(pub u32);

impl UtcDay {
    /// The day that contains an instant, in nanoseconds since the Unix epoch.
    pub const fn at(unix_nanos: u64) -> Self {
        // A u64 of nanoseconds ends in the year 2554: the quotient fits.
        Self((unix_nanos / DAY_NANOS) as u32)
    }

    /// The instant at which the day begins, in nanoseconds since the Unix epoch.
    pub const fn start_nanos(self) -> u64 {
        self.0 as u64 * DAY_NANOS
    }
}

impl fmt::Display for UtcDay {
    /// `2026-11-23`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Civil date from a day number: years are counted from March, so that the leap day comes last, and in eras of
        // 400 years (146,097 days), in which the calendar repeats. 719,468 days lie between 0000-03-01 and 1970-01-01.
        let days = self.0 + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * march_month + 2) / 5 + 1;
        let month = if march_month < 10 {
            march_month + 3
        } else {
            march_month - 9
        };
        let year = era * 400 + year_of_era + u32::from(month <= 2);
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

/// What one day used, in raw units.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Day {
    day: UtcDay,
    /// Counts, and for gauges the day's peak.
    amounts: [u64; METERS],
    /// The gauges' levels when counting moved on to another day.
    levels: [u64; GAUGES],
}

/// Everything counted, by UTC day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// In order of the day.
    days: Vec<Day>,
    /// Index of the day added to last.
    current: usize,
}

impl Usage {
    /// Counts `amount` raw units (events, rows, bytes, nanoseconds) of a counter on `day`.
    ///
    /// # Panics
    /// In debug builds if `meter` is a gauge.
    #[inline]
    pub fn add(&mut self, day: UtcDay, meter: Meter, amount: u64) {
        debug_assert!(
            !meter.is_gauge(),
            "{} is a level, not a count",
            meter.name()
        );
        let row = self.day_mut(day);
        row.amounts[meter as usize] += amount;
    }

    /// Counts a stretch of time from `start` to `end` (nanoseconds since the Unix epoch) of a counter of nanoseconds,
    /// each part on its own day.
    pub fn add_span(&mut self, meter: Meter, start: u64, end: u64) {
        let mut from = start;
        while from < end {
            let day = UtcDay::at(from);
            let to = end.min(day.start_nanos() + DAY_NANOS);
            self.add(day, meter, to - from);
            from = to;
        }
    }

    /// Sets the level of a gauge from now, on `day`; the day keeps its peak.
    ///
    /// # Panics
    /// In debug builds if `meter` is a counter.
    #[inline]
    pub fn level(&mut self, day: UtcDay, meter: Meter, level: u64) {
        debug_assert!(meter.is_gauge(), "{} is a count, not a level", meter.name());
        let row = self.day_mut(day);
        row.levels[meter as usize - FIRST_GAUGE] = level;
        let peak = &mut row.amounts[meter as usize];
        *peak = level.max(*peak);
    }

    /// What `day` used of a meter, in raw units: the count, or the peak level.
    pub fn on(&self, day: UtcDay, meter: Meter) -> u64 {
        match self.days.binary_search_by_key(&day, |row| row.day) {
            Ok(index) => self.days[index].amounts[meter as usize],
            // Nothing was counted that day: a level stays what it was.
            Err(after) if meter.is_gauge() && after > 0 => {
                self.days[after - 1].levels[meter as usize - FIRST_GAUGE]
            }
            Err(_) => 0,
        }
    }

    /// The sum over all days in raw units; for a gauge the highest peak.
    pub fn total(&self, meter: Meter) -> u64 {
        let amounts = self.days.iter().map(|row| row.amounts[meter as usize]);
        if meter.is_gauge() {
            amounts.max().unwrap_or(0)
        } else {
            amounts.sum()
        }
    }

    /// The largest amount of one day, in raw units.
    pub fn worst_day(&self, meter: Meter) -> u64 {
        self.days
            .iter()
            .map(|row| row.amounts[meter as usize])
            .max()
            .unwrap_or(0)
    }

    /// The days on which something was counted, in order.
    pub fn days(&self) -> impl Iterator<Item = UtcDay> + '_ {
        self.days.iter().map(|row| row.day)
    }

    /// Totals by name, in the unit of the name, of the meters that are not 0.
    pub fn totals(&self) -> impl Iterator<Item = (&'static str, f64)> + '_ {
        Meter::all()
            .map(|meter| (meter, self.total(meter)))
            .filter(|&(_, raw)| raw != 0)
            .map(|(meter, raw)| (meter.name(), meter.in_units(raw)))
    }

    #[inline]
    fn day_mut(&mut self, day: UtcDay) -> &mut Day {
        if self.days.get(self.current).is_none_or(|row| row.day != day) {
            self.current = self.find_or_insert(day);
        }
        &mut self.days[self.current]
    }

    #[cold]
    fn find_or_insert(&mut self, day: UtcDay) -> usize {
        match self.days.binary_search_by_key(&day, |row| row.day) {
            Ok(index) => index,
            Err(index) => {
                // What was stored stays stored over midnight.
                let levels = index
                    .checked_sub(1)
                    .map_or([0; GAUGES], |before| self.days[before].levels);
                let mut amounts = [0; METERS];
                amounts[FIRST_GAUGE..].copy_from_slice(&levels);
                self.days.insert(
                    index,
                    Day {
                        day,
                        amounts,
                        levels,
                    },
                );
                index
            }
        }
    }
}

impl Serialize for Usage {
    /// A map from date to a map from meter name to amount: `{"2026-11-23": {"kv.reads": 3}}`. Meters at 0 are left out.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Amounts<'a>(&'a Day);
        impl Serialize for Amounts<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(None)?;
                for meter in Meter::all() {
                    match self.0.amounts[meter as usize] {
                        0 => {}
                        raw if meter.raw_per_unit() == 1 => {
                            map.serialize_entry(meter.name(), &raw)?
                        }
                        raw => map.serialize_entry(meter.name(), &meter.in_units(raw))?,
                    }
                }
                map.end()
            }
        }
        let mut map = serializer.serialize_map(Some(self.days.len()))?;
        for row in &self.days {
            map.serialize_entry(&row.day.to_string(), &Amounts(row))?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: UtcDay = UtcDay(20_780);

    #[test]
    fn the_table_of_names_is_in_the_order_of_the_enum() {
        for (index, row) in NAMES.iter().enumerate() {
            assert_eq!(row.meter as usize, index, "{}", row.name);
            assert_eq!(Meter::from_name(row.name), Some(row.meter));
        }
    }

    #[test]
    fn days_have_their_civil_dates() {
        for (day, date) in [
            (0, "1970-01-01"),
            (59, "1970-03-01"),
            (11_016, "2000-02-29"),
            (20_780, "2026-11-23"),
            (20_454, "2026-01-01"),
        ] {
            assert_eq!(UtcDay(day).to_string(), date);
        }
        assert_eq!(UtcDay::at(DAY.start_nanos()), DAY);
        assert_eq!(UtcDay::at(DAY.start_nanos() - 1), UtcDay(DAY.0 - 1));
    }

    #[test]
    fn each_day_has_its_own_counts() {
        let mut usage = Usage::default();
        usage.add(DAY, Meter::KvReads, 2);
        usage.add(UtcDay(DAY.0 + 1), Meter::KvReads, 5);
        usage.add(DAY, Meter::KvReads, 1);
        assert_eq!(
            (
                usage.on(DAY, Meter::KvReads),
                usage.on(UtcDay(DAY.0 + 1), Meter::KvReads)
            ),
            (3, 5)
        );
        assert_eq!(
            (usage.total(Meter::KvReads), usage.worst_day(Meter::KvReads)),
            (8, 5)
        );
        assert_eq!(usage.days().collect::<Vec<_>>(), [DAY, UtcDay(DAY.0 + 1)]);
    }

    #[test]
    fn a_level_keeps_its_peak_and_lasts_over_midnight() {
        let mut usage = Usage::default();
        usage.level(DAY, Meter::KvStoredBytes, 100);
        usage.level(DAY, Meter::KvStoredBytes, 40);
        usage.add(UtcDay(DAY.0 + 2), Meter::KvReads, 1);
        assert_eq!(usage.on(DAY, Meter::KvStoredBytes), 100);
        assert_eq!(
            usage.on(UtcDay(DAY.0 + 1), Meter::KvStoredBytes),
            40,
            "a day without any event"
        );
        assert_eq!(usage.on(UtcDay(DAY.0 + 2), Meter::KvStoredBytes), 40);
        assert_eq!(usage.total(Meter::KvStoredBytes), 100);
    }

    #[test]
    fn a_span_over_midnight_is_split() {
        let mut usage = Usage::default();
        let midnight = UtcDay(DAY.0 + 1).start_nanos();
        usage.add_span(Meter::ObjectDurationNanos, midnight - 7, midnight + 11);
        assert_eq!(usage.on(DAY, Meter::ObjectDurationNanos), 7);
        assert_eq!(usage.on(UtcDay(DAY.0 + 1), Meter::ObjectDurationNanos), 11);
    }

    #[test]
    fn it_serialises_by_date_and_name_without_zeros() {
        let mut usage = Usage::default();
        usage.add(DAY, Meter::KvReads, 2);
        usage.add(DAY, Meter::ObjectDurationNanos, 2 * NANOS_PER_GB_SECOND);
        let json = serde_json::to_value(&usage).expect("plain data");
        assert_eq!(
            json,
            serde_json::json!({ "2026-11-23": { "kv.reads": 2, "durable_objects.duration_gb_s": 2.0 } })
        );
        assert_eq!(
            usage.totals().collect::<Vec<_>>(),
            [("kv.reads", 2.0), ("durable_objects.duration_gb_s", 2.0)]
        );
    }
}

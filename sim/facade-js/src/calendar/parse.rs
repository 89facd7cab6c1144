//! `Date.parse`: ISO 8601, and what `toString` and `toUTCString` write. The many other forms that V8 guesses at are refused.

use super::{MONTHS, MS_PER_DAY, WEEKDAYS, time_clip, time_of};

/// `Date.parse(text)`.
pub(crate) fn parse(text: &str) -> f64 {
    let text = text.trim();
    parse_iso(text)
        .or_else(|| parse_written(text))
        .map_or(f64::NAN, time_clip)
}

/// `2024`, `2024-02`, `2024-02-29`, with `T12:34[:56[.789]]` and `Z` or `+01:00`. A text without a zone
/// is UTC here, with or without a time. Days up to 31 are carried over, as V8 does.
fn parse_iso(text: &str) -> Option<f64> {
    let mut s = Scanner { rest: text };
    let year = match s.eat_any(&['+', '-']) {
        Some('-') => match s.digits(6)? {
            0.0 => return None,
            year => -year,
        },
        Some(_) => s.digits(6)?,
        None => s.digits(4)?,
    };
    let (mut month, mut day) = (1.0, 1.0);
    if s.eat('-').is_some() {
        month = s.two(1.0, 12.0)?;
        if s.eat('-').is_some() {
            day = s.two(1.0, 31.0)?;
        }
    }
    let mut clock_ms = 0.0;
    if s.eat_any(&['T', 't', ' ']).is_some() {
        let hours = s.two(0.0, 24.0)?;
        s.eat(':')?;
        let minutes = s.two(0.0, 59.0)?;
        let (mut seconds, mut milliseconds) = (0.0, 0.0);
        if s.eat(':').is_some() {
            seconds = s.two(0.0, 59.0)?;
            if s.eat('.').is_some() {
                milliseconds = fraction_ms(&mut s)?;
            }
        }
        clock_ms = ((hours * 60.0 + minutes) * 60.0 + seconds) * 1_000.0 + milliseconds;
        if clock_ms > MS_PER_DAY {
            return None;
        }
    }
    if s.eat_any(&['Z', 'z']).is_none()
        && let Some(sign) = s.eat_any(&['+', '-'])
    {
        clock_ms -= offset_ms(&mut s, sign)?;
    }
    s.is_done()
        .then(|| time_of(year, month - 1.0, day, clock_ms))
}

/// Digits after the point; those beyond the third do not count.
fn fraction_ms(s: &mut Scanner<'_>) -> Option<f64> {
    let count = s.rest.bytes().take_while(u8::is_ascii_digit).count();
    let digits = s.rest.get(..count).filter(|digits| !digits.is_empty())?;
    s.rest = &s.rest[count..];
    let mut padded = String::from(&digits[..count.min(3)]);
    padded.extend(std::iter::repeat_n('0', 3 - padded.len()));
    padded.parse().ok()
}

/// `01:00` or `0100`, after its sign.
fn offset_ms(s: &mut Scanner<'_>, sign: char) -> Option<f64> {
    let hours = s.two(0.0, 23.0)?;
    let _ = s.eat(':');
    let minutes = s.two(0.0, 59.0)?;
    let offset = (hours * 60.0 + minutes) * 60_000.0;
    Some(if sign == '-' { -offset } else { offset })
}

/// `Thu, 02 Sep 2021 19:38:31 GMT` and `Thu Sep 02 2021 19:38:31 GMT+0000 (Coordinated Universal Time)`.
fn parse_written(text: &str) -> Option<f64> {
    let mut s = Scanner { rest: text };
    s.name(&WEEKDAYS)?;
    let is_utc_form = s.eat(',').is_some();
    s.eat(' ')?;
    let (month, day);
    if is_utc_form {
        day = s.two(1.0, 31.0)?;
        s.eat(' ')?;
        month = s.name(&MONTHS)?;
    } else {
        month = s.name(&MONTHS)?;
        s.eat(' ')?;
        day = s.two(1.0, 31.0)?;
    }
    s.eat(' ')?;
    let negative = s.eat('-').is_some();
    let digits = s.rest.bytes().take_while(u8::is_ascii_digit).count();
    let year = s.digits(digits.clamp(4, 6))?;
    s.eat(' ')?;
    let hours = s.two(0.0, 23.0)?;
    s.eat(':')?;
    let minutes = s.two(0.0, 59.0)?;
    s.eat(':')?;
    let seconds = s.two(0.0, 59.0)?;
    s.rest = s.rest.strip_prefix(" GMT")?;
    let mut clock_ms = ((hours * 60.0 + minutes) * 60.0 + seconds) * 1_000.0;
    if let Some(sign) = s.eat_any(&['+', '-']) {
        clock_ms -= offset_ms(&mut s, sign)?;
        if let Some(zone) = s.rest.strip_prefix(" (") {
            s.rest = zone
                .strip_suffix(')')
                .filter(|zone| !zone.contains(['(', ')']))
                .map(|_| "")?;
        }
    }
    let year = if negative { -year } else { year };
    s.is_done().then(|| time_of(year, month, day, clock_ms))
}

/// Reads a text from front to back.
struct Scanner<'a> {
    rest: &'a str,
}

impl Scanner<'_> {
    fn eat(&mut self, wanted: char) -> Option<()> {
        self.rest = self.rest.strip_prefix(wanted)?;
        Some(())
    }

    fn eat_any(&mut self, wanted: &[char]) -> Option<char> {
        let c = self.rest.chars().next().filter(|c| wanted.contains(c))?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    /// Exactly `count` digits.
    fn digits(&mut self, count: usize) -> Option<f64> {
        let digits = self.rest.get(..count)?;
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        self.rest = &self.rest[count..];
        digits.parse().ok()
    }

    /// Exactly two digits from `low` to `high`.
    fn two(&mut self, low: f64, high: f64) -> Option<f64> {
        self.digits(2).filter(|n| (low..=high).contains(n))
    }

    /// A name out of a list, as its place.
    fn name(&mut self, names: &[&str]) -> Option<f64> {
        let place = names.iter().position(|name| self.rest.starts_with(name))?;
        self.rest = &self.rest[names[place].len()..];
        Some(place as f64)
    }

    fn is_done(&self) -> bool {
        self.rest.is_empty()
    }
}

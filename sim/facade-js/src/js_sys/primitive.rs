//! The primitives as classes: `JsString`, `Number`, `Boolean`.
//!
//! Lengths and positions in strings count UTF-16 units, as in JavaScript.

use std::fmt;

use super::class::class;
use super::error::RangeError;
use super::{Array, Object};
use crate::heap::{MAX_SAFE_INTEGER, Raw, is_safe_integer, number_to_string, string_to_number};
use crate::wasm_bindgen::{JsValue, UnwrapThrowExt};

class! {
    /// A string.
    JsString extends Object; boxed |value| value.is_string()
}
class! {
    /// A number: a double.
    Number extends Object; boxed |value| value.as_f64().is_some()
}
class! {
    /// A boolean.
    Boolean extends Object; boxed |value| value.as_bool().is_some()
}

impl JsString {
    fn units(&self) -> Vec<u16> {
        self.to_text().encode_utf16().collect()
    }

    fn of_units(units: &[u16]) -> Self {
        Self::from(String::from_utf16_lossy(units))
    }

    /// `text.length`, in UTF-16 units.
    #[must_use]
    pub fn length(&self) -> u32 {
        self.to_text().chars().map(|c| c.len_utf16() as u32).sum()
    }

    /// The only character, where there is exactly one.
    #[must_use]
    pub fn as_char(&self) -> Option<char> {
        let text = self.text()?;
        let mut chars = text.chars();
        let first = chars.next()?;
        chars.next().is_none().then_some(first)
    }

    /// `text.charCodeAt(index)`: NaN past the end.
    #[must_use]
    pub fn char_code_at(&self, index: u32) -> f64 {
        self.units()
            .get(index as usize)
            .map_or(f64::NAN, |unit| f64::from(*unit))
    }

    /// `text.concat(value)`.
    #[must_use]
    pub fn concat(&self, value: &JsValue) -> Self {
        Self::from(format!("{}{}", &*self.to_text(), &*value.to_text()))
    }

    /// `text.includes(search, position)`.
    #[must_use]
    pub fn includes(&self, search: &str, position: i32) -> bool {
        self.index_of(search, position) >= 0
    }

    /// `text.indexOf(search, position)`; -1 where it is not found.
    #[must_use]
    pub fn index_of(&self, search: &str, position: i32) -> i32 {
        let (units, search) = (self.units(), search.encode_utf16().collect::<Vec<_>>());
        let start = (position.max(0) as usize).min(units.len());
        if search.is_empty() {
            return start as i32;
        }
        units[start..]
            .windows(search.len())
            .position(|window| window == search)
            .map_or(-1, |place| (start + place) as i32)
    }

    /// `text.startsWith(search, position)`.
    #[must_use]
    pub fn starts_with(&self, search: &str, position: u32) -> bool {
        let search: Vec<u16> = search.encode_utf16().collect();
        self.units()
            .get(position as usize..)
            .is_some_and(|rest| rest.starts_with(&search))
    }

    /// `text.slice(start, end)`.
    #[must_use]
    pub fn slice(&self, start: u32, end: u32) -> Self {
        let units = self.units();
        let end = (end as usize).min(units.len());
        Self::of_units(&units[(start as usize).min(end)..end])
    }

    /// `text.substring(start, end)`: the two are exchanged where they cross.
    #[must_use]
    pub fn substring(&self, start: u32, end: u32) -> Self {
        self.slice(start.min(end), start.max(end))
    }

    /// `text.split(separator)`.
    #[must_use]
    pub fn split(&self, separator: &str) -> Array {
        let text = self.to_text();
        if separator.is_empty() {
            return text
                .encode_utf16()
                .map(|unit| Self::of_units(&[unit]))
                .collect();
        }
        text.split(separator).map(JsValue::from).collect()
    }

    /// `text.trim()`.
    #[must_use]
    pub fn trim(&self) -> Self {
        Self::from(self.to_text().trim())
    }

    /// The string itself.
    #[must_use]
    pub fn to_string(&self) -> Self {
        self.clone()
    }
}

impl From<&str> for JsString {
    fn from(text: &str) -> Self {
        JsValue::from_str(text).into()
    }
}

impl From<String> for JsString {
    fn from(text: String) -> Self {
        JsValue::from(text).into()
    }
}

impl From<char> for JsString {
    fn from(c: char) -> Self {
        Self::from(c.encode_utf8(&mut [0; 4]) as &str)
    }
}

impl From<&JsString> for String {
    /// # Panics
    /// An unchecked cast made another value look like a string.
    fn from(text: &JsString) -> Self {
        text.as_string().unwrap_throw()
    }
}

impl From<JsString> for String {
    fn from(text: JsString) -> Self {
        Self::from(&text)
    }
}

impl fmt::Debug for JsString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&String::from(self), f)
    }
}

impl fmt::Display for JsString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&String::from(self), f)
    }
}

impl PartialEq for JsString {
    fn eq(&self, other: &Self) -> bool {
        self.obj == other.obj
    }
}

impl Eq for JsString {}

impl PartialEq<str> for JsString {
    fn eq(&self, other: &str) -> bool {
        <JsValue as PartialEq<str>>::eq(self, other)
    }
}

impl PartialEq<&str> for JsString {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

impl PartialEq<String> for JsString {
    fn eq(&self, other: &String) -> bool {
        *self == **other
    }
}

impl Default for JsString {
    fn default() -> Self {
        Self::from("")
    }
}

impl Number {
    /// 2^-52, the distance from 1 to the next double.
    pub const EPSILON: f64 = f64::EPSILON;
    /// 2^53 - 1.
    pub const MAX_SAFE_INTEGER: f64 = MAX_SAFE_INTEGER;
    /// -(2^53 - 1).
    pub const MIN_SAFE_INTEGER: f64 = -MAX_SAFE_INTEGER;
    /// The largest double.
    pub const MAX_VALUE: f64 = f64::MAX;
    /// The smallest double above zero.
    pub const MIN_VALUE: f64 = 5e-324;
    /// `NaN`.
    pub const NAN: f64 = f64::NAN;
    /// `-Infinity`.
    pub const NEGATIVE_INFINITY: f64 = f64::NEG_INFINITY;
    /// `Infinity`.
    pub const POSITIVE_INFINITY: f64 = f64::INFINITY;

    /// `Number.isFinite(value)`: false for what is no number.
    #[must_use]
    pub fn is_finite(value: &JsValue) -> bool {
        value.as_f64().is_some_and(f64::is_finite)
    }

    /// `Number.isInteger(value)`.
    #[must_use]
    pub fn is_integer(value: &JsValue) -> bool {
        value
            .as_f64()
            .is_some_and(|n| n.is_finite() && n.trunc() == n)
    }

    /// `Number.isNaN(value)`.
    #[must_use]
    pub fn is_nan(value: &JsValue) -> bool {
        value.as_f64().is_some_and(f64::is_nan)
    }

    /// `Number.isSafeInteger(value)`.
    #[must_use]
    pub fn is_safe_integer(value: &JsValue) -> bool {
        value.as_f64().is_some_and(is_safe_integer)
    }

    /// `Number.parseFloat(text)`: the longest number the text begins with, or NaN.
    #[must_use]
    pub fn parse_float(text: &str) -> f64 {
        let text = text.trim_start();
        // A number is ASCII, and every character of it may begin or end a shorter one.
        let candidates = text.bytes().take_while(u8::is_ascii_graphic).count();
        (1..=candidates)
            .rev()
            .map(|end| &text[..end])
            .filter(|prefix| !prefix.contains(['x', 'X', 'o', 'O', 'b', 'B']))
            .map(string_to_number)
            .find(|n| !n.is_nan())
            .unwrap_or(f64::NAN)
    }

    /// The double.
    #[must_use]
    pub fn value_of(&self) -> f64 {
        self.to_number()
    }

    /// `number.toString(radix)`, for radix 10.
    ///
    /// # Errors
    /// A `RangeError` for any other radix; JavaScript knows 2 to 36.
    pub fn to_string(&self, radix: u8) -> Result<JsString, JsValue> {
        if radix != 10 {
            let text = "toString() is simulated for radix 10 alone";
            return Err(RangeError::new(text).into());
        }
        Ok(JsString::from(number_to_string(self.value_of())))
    }
}

macro_rules! numbers {
    ($($n:ty)*) => {$(
        impl From<$n> for Number {
            fn from(n: $n) -> Self {
                JsValue::from(n).into()
            }
        }

        impl PartialEq<$n> for Number {
            fn eq(&self, other: &$n) -> bool {
                self.value_of() == f64::from(*other)
            }
        }
    )*};
}
numbers!(i8 u8 i16 u16 i32 u32 f32 f64);

impl From<Number> for f64 {
    fn from(n: Number) -> Self {
        n.value_of()
    }
}

impl From<&Number> for f64 {
    fn from(n: &Number) -> Self {
        n.value_of()
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.value_of(), f)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.value_of(), f)
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.obj == other.obj
    }
}

impl Boolean {
    /// The boolean.
    #[must_use]
    pub fn value_of(&self) -> bool {
        matches!(self.raw, Raw::Bool(true))
    }
}

impl From<bool> for Boolean {
    fn from(b: bool) -> Self {
        JsValue::from(b).into()
    }
}

impl From<Boolean> for bool {
    fn from(b: Boolean) -> Self {
        b.value_of()
    }
}

impl PartialEq<bool> for Boolean {
    fn eq(&self, other: &bool) -> bool {
        self.value_of() == *other
    }
}

impl PartialEq for Boolean {
    fn eq(&self, other: &Self) -> bool {
        self.obj == other.obj
    }
}

impl fmt::Debug for Boolean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.value_of(), f)
    }
}

impl fmt::Display for Boolean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.value_of(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wasm_bindgen::JsCast;

    #[test]
    fn a_string_counts_utf16_units() {
        let text = JsString::from("a😀é");
        assert_eq!(text.length(), 4);
        assert_eq!(text.index_of("é", 0), 3);
        assert_eq!(text.slice(3, 9), "é");
        assert_eq!(text.char_code_at(1), 55357.0);
        assert!(text.char_code_at(9).is_nan());
        assert!(text.starts_with("😀", 1));
        assert_eq!(text.substring(1, 0), "a");
        assert_eq!(JsString::from("a,b,").split(",").length(), 3);
        assert_eq!(JsString::from('x').as_char(), Some('x'));
        assert_eq!(text.as_char(), None);
        assert_eq!(format!("{text} {text:?}"), "a😀é \"a😀é\"");
    }

    #[test]
    fn primitives_are_of_their_type_but_instances_of_nothing() {
        let text = JsValue::from("x");
        assert!(text.dyn_ref::<JsString>().is_some());
        assert!(!text.is_instance_of::<JsString>());
        assert!(JsValue::from(1).dyn_into::<JsString>().is_err());
        assert!(JsValue::TRUE.dyn_into::<Boolean>().is_ok());
        assert!(text.dyn_into::<Number>().is_err());
    }

    #[test]
    fn numbers_know_the_safe_integers() {
        assert!(Number::is_safe_integer(&9_007_199_254_740_991.0.into()));
        assert!(!Number::is_safe_integer(&9_007_199_254_740_992.0.into()));
        assert!(!Number::is_safe_integer(&"1".into()));
        assert!(!Number::is_safe_integer(&1_u64.into()));
        assert!(Number::is_integer(&1e300.into()));
        assert_eq!(Number::parse_float(" 3.5kg"), 3.5);
        assert!(Number::parse_float("kg").is_nan());
        assert_eq!(Number::from(1e21).to_string(10).unwrap(), "1e+21");
        assert!(Number::from(1).to_string(2).is_err());
    }
}

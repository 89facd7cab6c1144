//! [`Headers`]: the header list of a request or response, with the rules of the platform.
//!
//! Names are lower-cased and iteration is sorted by name. Several values of one name are read as one,
//! joined by `", "`; only those of `set-cookie` stay apart. Methods that change the list take `&self`, as
//! in JavaScript, so the map sits behind a lock, not a `RefCell`: a [`crate::Request`] has to be
//! `Sync`. The lock is never held while other code runs. Builders that own their headers need no lock.
//!
//! Headers of an incoming request and of a response that came from elsewhere are *immutable*
//! (workerd api/headers.h, 2026-08-22): changing them throws `TypeError: Can't modify immutable
//! headers.`; a clone may be changed.
//!
//! Upstream's public field `.0`, a `web_sys` object, is absent. Control characters other than tab
//! are refused in values here; the platform refuses NUL, CR and LF and passes the others on.

use crate::error::Error;
use crate::{Result, js};
use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::sync::{Mutex, MutexGuard};

/// A list of headers.
pub struct Headers {
    map: Mutex<HeaderMap>,
    immutable: bool,
}

impl Headers {
    /// An empty list.
    pub fn new() -> Self {
        Self::from_map(HeaderMap::new())
    }

    /// The values of this name, joined by `", "`.
    ///
    /// # Errors
    /// The name is not allowed for a header.
    pub fn get(&self, name: &str) -> Result<Option<String>> {
        let map = self.lock();
        let mut values = map.get_all(name).iter();
        let Some(first) = values.next() else {
            return valid_name(name).map(|()| None);
        };
        Ok(Some(values.fold(text(first), |joined, value| {
            joined + ", " + &text(value)
        })))
    }

    /// Whether there are no headers.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Whether there is a header of this name.
    ///
    /// # Errors
    /// The name is not allowed for a header.
    pub fn has(&self, name: &str) -> Result<bool> {
        let has = self.lock().contains_key(name);
        if !has {
            valid_name(name)?;
        }
        Ok(has)
    }

    /// Adds a value and keeps those that the name has.
    ///
    /// # Errors
    /// The name or the value is not allowed in a header, or the list is immutable.
    pub fn append(&self, name: &str, value: &str) -> Result<()> {
        let (name, value) = self.checked(name, value)?;
        self.lock()
            .try_append(name, value)
            .map(drop)
            .map_err(too_many)
    }

    /// Sets the only value of a name.
    ///
    /// # Errors
    /// The name or the value is not allowed in a header, or the list is immutable.
    pub fn set(&self, name: &str, value: &str) -> Result<()> {
        let (name, value) = self.checked(name, value)?;
        self.lock()
            .try_insert(name, value)
            .map(drop)
            .map_err(too_many)
    }

    /// Removes every value of a name, if there is one.
    ///
    /// # Errors
    /// The name is not allowed for a header, or the list is immutable.
    pub fn delete(&self, name: &str) -> Result<()> {
        self.check_guard()?;
        let name = parse_name(name)?;
        self.lock().remove(name);
        Ok(())
    }

    /// Names and values, sorted by name. The iterator has its own copy: changes made meanwhile are not seen.
    pub fn entries(&self) -> HeaderIterator {
        HeaderIterator(self.sorted().into_iter())
    }

    /// The names, sorted.
    pub fn keys(&self) -> impl Iterator<Item = String> + use<> {
        self.sorted().into_iter().map(|(name, _)| name)
    }

    /// The values, sorted by their names.
    pub fn values(&self) -> impl Iterator<Item = String> + use<> {
        self.sorted().into_iter().map(|(_, value)| value)
    }

    /// Every value of `Set-Cookie`, the only name this call is for.
    ///
    /// # Panics
    /// For any other name. The platform throws there (`getAll()`, workerd api/headers.c++,
    /// 2026-08-22), upstream's binding does not catch it, and the request fails with an exception:
    /// a value to handle would promise more than production keeps.
    ///
    /// # Errors
    /// Never; the type is upstream's.
    pub fn get_all(&self, name: &str) -> Result<Vec<String>> {
        assert!(
            name.eq_ignore_ascii_case(SET_COOKIE.as_str()),
            "TypeError: getAll() can only be used with the header name \"Set-Cookie\"."
        );
        Ok(self.lock().get_all(SET_COOKIE).iter().map(text).collect())
    }

    /// Headers that may be changed, around a map that came over the wire.
    pub(crate) fn from_map(map: HeaderMap) -> Self {
        Self {
            map: Mutex::new(map),
            immutable: false,
        }
    }

    /// The headers of a message that the Worker received: they cannot be changed.
    pub(crate) fn immutable(map: HeaderMap) -> Self {
        Self {
            map: Mutex::new(map),
            immutable: true,
        }
    }

    /// The map as it is, values apart and untouched.
    pub(crate) fn into_map(self) -> HeaderMap {
        self.map
            .into_inner()
            .expect("no code that can panic runs under this lock")
    }

    /// A copy of the map as it is.
    pub(crate) fn to_map(&self) -> HeaderMap {
        self.lock().clone()
    }

    /// A copy that is as immutable as this list: `Request.clone()`.
    pub(crate) fn clone_guarded(&self) -> Self {
        Self {
            map: Mutex::new(self.to_map()),
            immutable: self.immutable,
        }
    }

    /// `set` for a name and value known to be good; costs no check and, with `&mut`, no lock.
    ///
    /// # Errors
    /// When the list is immutable.
    pub(crate) fn set_value(&mut self, name: HeaderName, value: HeaderValue) -> Result<()> {
        self.check_guard()?;
        let map = self
            .map
            .get_mut()
            .expect("no code that can panic runs under this lock");
        map.try_insert(name, value).map(drop).map_err(too_many)
    }

    fn lock(&self) -> MutexGuard<'_, HeaderMap> {
        self.map
            .lock()
            .expect("no code that can panic runs under this lock")
    }

    fn check_guard(&self) -> Result<()> {
        if self.immutable {
            return Err(js::type_error("Can't modify immutable headers."));
        }
        Ok(())
    }

    fn checked(&self, name: &str, value: &str) -> Result<(HeaderName, HeaderValue)> {
        // In this order the platform checks too, so the first fault is the one reported.
        self.check_guard()?;
        let value = value.trim_matches([' ', '\t', '\r', '\n']);
        let value = HeaderValue::from_bytes(value.as_bytes())
            .map_err(|_| js::type_error("Invalid header value."))?;
        Ok((parse_name(name)?, value))
    }

    fn sorted(&self) -> Vec<(String, String)> {
        let map = self.lock();
        let mut names: Vec<&HeaderName> = map.keys().collect();
        names.sort_unstable_by_key(|name| name.as_str());
        let mut entries = Vec::with_capacity(map.len());
        for name in names {
            let values = map.get_all(name).iter().map(text);
            if *name == SET_COOKIE {
                entries.extend(values.map(|value| (name.to_string(), value)));
            } else {
                entries.push((name.to_string(), values.collect::<Vec<_>>().join(", ")));
            }
        }
        entries
    }
}

fn parse_name(name: &str) -> Result<HeaderName> {
    HeaderName::from_bytes(name.as_bytes()).map_err(|_| js::type_error("Invalid header name."))
}

fn valid_name(name: &str) -> Result<()> {
    parse_name(name).map(drop)
}

/// The platform reads the bytes of a value as UTF-8, whatever the sender meant.
fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

fn too_many(error: http::header::MaxSizeReached) -> Error {
    Error::RustError(error.to_string())
}

impl Default for Headers {
    fn default() -> Self {
        Self::new()
    }
}

impl Clone for Headers {
    /// A copy that may be changed, even if the original may not.
    fn clone(&self) -> Self {
        Self::from_map(self.to_map())
    }
}

impl std::fmt::Debug for Headers {
    /// Every header with its value, as upstream prints them. Nothing is hidden: a test must see it when a Worker logs its headers.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Headers {\n")?;
        for (name, value) in self {
            writeln!(f, "{name} = {value}")?;
        }
        f.write_str("}\n")
    }
}

/// Names and values of [`Headers`], sorted by name.
#[derive(Debug)]
pub struct HeaderIterator(std::vec::IntoIter<(String, String)>);

impl Iterator for HeaderIterator {
    type Item = (String, String);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl IntoIterator for &Headers {
    type Item = (String, String);
    type IntoIter = HeaderIterator;

    fn into_iter(self) -> Self::IntoIter {
        self.entries()
    }
}

impl<T: AsRef<str>> FromIterator<(T, T)> for Headers {
    /// Entries that cannot stand in a header are left out, as upstream does.
    fn from_iter<U: IntoIterator<Item = (T, T)>>(entries: U) -> Self {
        let headers = Self::new();
        for (name, value) in entries {
            headers.append(name.as_ref(), value.as_ref()).ok();
        }
        headers
    }
}

impl<'a, T: AsRef<str>> FromIterator<&'a (T, T)> for Headers {
    /// Entries that cannot stand in a header are left out, as upstream does.
    fn from_iter<U: IntoIterator<Item = &'a (T, T)>>(entries: U) -> Self {
        entries
            .into_iter()
            .map(|(name, value)| (name.as_ref(), value.as_ref()))
            .collect()
    }
}

impl From<&HeaderMap> for Headers {
    /// # Panics
    /// When a value is not visible ASCII, as upstream does.
    fn from(map: &HeaderMap) -> Self {
        map.clone().into()
    }
}

impl From<HeaderMap> for Headers {
    /// # Panics
    /// When a value is not visible ASCII, as upstream does.
    fn from(map: HeaderMap) -> Self {
        assert!(
            map.values().all(|value| value.to_str().is_ok()),
            "a header value is not visible ASCII"
        );
        Self::from_map(map)
    }
}

impl From<&Headers> for HeaderMap {
    /// Values of one name arrive joined, and of several cookies the last one stays, as upstream does.
    ///
    /// # Panics
    /// When a value is not visible ASCII, as upstream does.
    fn from(headers: &Headers) -> Self {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name =
                HeaderName::from_bytes(name.as_bytes()).expect("a name that was in a header list");
            let value = HeaderValue::from_str(&value).expect("a header value is visible ASCII");
            map.insert(name, value);
        }
        map
    }
}

impl From<Headers> for HeaderMap {
    /// As from a reference.
    fn from(headers: Headers) -> Self {
        (&headers).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(headers: &Headers) -> Vec<String> {
        headers
            .entries()
            .map(|(name, value)| format!("{name}={value}"))
            .collect()
    }

    #[test]
    fn names_are_lower_cased_and_iteration_is_sorted() {
        let headers = Headers::new();
        headers.set("X-B", "2").unwrap();
        headers.set("Content-Type", "a/b").unwrap();
        headers.set("x-A", "1").unwrap();
        assert_eq!(entries(&headers), ["content-type=a/b", "x-a=1", "x-b=2"]);
        assert_eq!(
            headers.keys().collect::<Vec<_>>(),
            ["content-type", "x-a", "x-b"]
        );
        assert_eq!(headers.values().collect::<Vec<_>>(), ["a/b", "1", "2"]);
    }

    #[test]
    fn appended_values_are_joined_but_cookies_stay_apart() {
        let headers = Headers::new();
        for value in ["a=1", "b=2"] {
            headers.append("Set-Cookie", value).unwrap();
            headers.append("Vary", value).unwrap();
        }
        assert_eq!(
            entries(&headers),
            ["set-cookie=a=1", "set-cookie=b=2", "vary=a=1, b=2"]
        );
        assert_eq!(headers.get("vary").unwrap().as_deref(), Some("a=1, b=2"));
        assert_eq!(headers.get_all("set-cookie").unwrap(), ["a=1", "b=2"]);
    }

    #[test]
    fn set_replaces_every_value_and_delete_removes_them() {
        let headers: Headers = [("A", "1"), ("a", "2")].into_iter().collect();
        headers.set("a", "3").unwrap();
        assert_eq!(headers.get("A").unwrap().as_deref(), Some("3"));
        headers.delete("a").unwrap();
        assert!(!headers.has("a").unwrap());
        assert!(headers.is_empty());
    }

    #[test]
    fn white_space_around_a_value_is_trimmed() {
        let headers = Headers::new();
        headers.set("a", " \t b c\r\n").unwrap();
        assert_eq!(headers.get("a").unwrap().as_deref(), Some("b c"));
    }

    #[test]
    fn bad_names_and_values_throw_what_the_platform_throws() {
        let headers = Headers::new();
        for error in [
            headers.set("a b", "1").unwrap_err(),
            headers.get("a b").unwrap_err(),
            headers.has("a\u{e9}").unwrap_err(),
            headers.delete("").unwrap_err(),
        ] {
            assert_eq!(error.to_string(), "TypeError: Invalid header name.");
        }
        let error = headers.append("a", "1\r\nevil: 2").unwrap_err();
        assert_eq!(error.to_string(), "TypeError: Invalid header value.");
    }

    #[test]
    fn received_headers_are_immutable_and_a_clone_is_not() {
        let headers = Headers::immutable(
            [(SET_COOKIE, HeaderValue::from_static("a"))]
                .into_iter()
                .collect(),
        );
        for error in [
            headers.set("a", "1").unwrap_err(),
            headers.append("a", "1").unwrap_err(),
            headers.delete("set-cookie").unwrap_err(),
            headers.clone_guarded().set("a", "1").unwrap_err(),
        ] {
            assert_eq!(
                error.to_string(),
                "TypeError: Can't modify immutable headers."
            );
        }
        headers.clone().set("a", "1").unwrap();
        assert!(!headers.has("a").unwrap());
    }

    #[test]
    fn non_ascii_values_travel_as_utf_8() {
        let headers = Headers::new();
        headers.set("a", "\u{1f6a8}").unwrap();
        assert_eq!(headers.get("a").unwrap().as_deref(), Some("\u{1f6a8}"));
    }

    #[test]
    #[should_panic(expected = "getAll() can only be used with the header name \"Set-Cookie\".")]
    fn get_all_of_another_header_fails_the_request() {
        let _ = Headers::new().get_all("vary");
    }

    #[test]
    fn a_header_map_survives_the_way_there_and_back() {
        let map: HeaderMap =
            HeaderMap::from(&Headers::from_iter([("b", "1"), ("B", "2"), ("a", "3")]));
        assert_eq!(entries(&Headers::from(map)), ["a=3", "b=1, 2"]);
    }
}

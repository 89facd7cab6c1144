//! Headers between the crate `http` and the platform, which joins the values of one name.

use crate::{Error, Headers, Result};
use http::{HeaderMap, HeaderName, HeaderValue};

/// # Errors
/// A value that cannot stand in a header.
pub(super) fn to_map(headers: &Headers) -> Result<HeaderMap> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(
            HeaderName::from_bytes(name.as_bytes())?,
            HeaderValue::from_str(&value)?,
        );
    }
    Ok(map)
}

/// # Errors
/// [`Error::Utf8Error`] when a value is not UTF-8.
pub(super) fn from_map(map: HeaderMap) -> Result<Headers> {
    if map.values().all(|value| value.to_str().is_ok()) {
        return Ok(Headers::from(map));
    }
    let headers = Headers::new();
    for (name, value) in &map {
        let value = std::str::from_utf8(value.as_bytes()).map_err(Error::Utf8Error)?;
        headers.append(name.as_str(), value)?;
    }
    Ok(headers)
}

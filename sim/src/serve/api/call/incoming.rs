//! A request in its parts, and the reading that all routes share.

use crate::limits::api::ApiError;
use bytes::Bytes;
use http::{HeaderMap, Method};
use serde::de::DeserializeOwned;
use std::borrow::Cow;

/// A page of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paging {
    /// Number of the page, from 1.
    pub page: u64,
    /// Items on a page.
    pub per_page: u64,
}

/// A request in its parts.
pub(super) struct Incoming<'a> {
    pub(super) method: &'a Method,
    pub(super) query: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: Bytes,
}

impl Incoming<'_> {
    pub(super) fn parameter(&self, wanted: &str) -> Option<&str> {
        let mut query = self.query.iter();
        let (_, value) = query.find(|(name, _)| name == wanted)?;
        Some(value)
    }

    /// A parameter that is a number, if it is there.
    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, ApiError> {
        let wrong = |value: &str| {
            let text = format!("{name}={value}: a whole number was expected");
            ApiError::other(400, text)
        };
        self.parameter(name)
            .map(|value| value.parse().map_err(|_| wrong(value)))
            .transpose()
    }

    pub(super) fn paging(&self, per_page: u64, most: u64) -> Result<Paging, ApiError> {
        let page = self.number("page")?.unwrap_or(1);
        let per_page = self.number("per_page")?.unwrap_or(per_page);
        if page == 0 || per_page == 0 || per_page > most {
            let text = format!("page must be at least 1, and per_page from 1 to {most}");
            return Err(ApiError::other(400, text));
        }
        Ok(Paging { page, per_page })
    }

    pub(super) fn json<T: DeserializeOwned>(&self, code: u32) -> Result<T, ApiError> {
        serde_json::from_slice(&self.body)
            .map_err(|problem| ApiError::new(400, code, format!("the request's body: {problem}")))
    }
}

//! [`Cors`]: response headers for other origins, as workers-rs builds them.
//!
//! Lists become one header with the items joined by commas. Upstream does the same for several
//! origins, which no browser accepts: a Worker that serves more than one origin has to choose the
//! header itself.

use crate::{Headers, Method, Result};

/// Which other origins may use an answer, and how.
#[derive(Debug, Clone, Default)]
pub struct Cors {
    credentials: bool,
    max_age_seconds: Option<u32>,
    origins: Vec<String>,
    methods: Vec<Method>,
    allowed_headers: Vec<String>,
    exposed_headers: Vec<String>,
}

impl Cors {
    /// A configuration that sets no header.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether credentials may be sent along.
    pub fn with_credentials(mut self, credentials: bool) -> Self {
        self.credentials = credentials;
        self
    }

    /// How many seconds a preflight answer may be kept.
    pub fn with_max_age(mut self, max_age: u32) -> Self {
        self.max_age_seconds = Some(max_age);
        self
    }

    /// The origins allowed.
    pub fn with_origins<S: Into<String>, V: IntoIterator<Item = S>>(mut self, origins: V) -> Self {
        self.origins = strings(origins);
        self
    }

    /// The methods allowed.
    pub fn with_methods<V: IntoIterator<Item = Method>>(mut self, methods: V) -> Self {
        self.methods = methods.into_iter().collect();
        self
    }

    /// The request headers allowed.
    pub fn with_allowed_headers<S: Into<String>, V: IntoIterator<Item = S>>(
        mut self,
        headers: V,
    ) -> Self {
        self.allowed_headers = strings(headers);
        self
    }

    /// The response headers a script of that origin may read.
    pub fn with_exposed_headers<S: Into<String>, V: IntoIterator<Item = S>>(
        mut self,
        headers: V,
    ) -> Self {
        self.exposed_headers = strings(headers);
        self
    }

    /// Sets the headers that were configured; the others stay as they are.
    ///
    /// # Errors
    /// When an item cannot stand in a header, or the headers are immutable.
    pub fn apply_headers(&self, headers: &mut Headers) -> Result<()> {
        if self.credentials {
            headers.set("Access-Control-Allow-Credentials", "true")?;
        }
        if let Some(seconds) = self.max_age_seconds {
            headers.set("Access-Control-Max-Age", &seconds.to_string())?;
        }
        set_list(headers, "Access-Control-Allow-Origin", &self.origins)?;
        set_list(headers, "Access-Control-Allow-Methods", &self.methods)?;
        set_list(
            headers,
            "Access-Control-Allow-Headers",
            &self.allowed_headers,
        )?;
        set_list(
            headers,
            "Access-Control-Expose-Headers",
            &self.exposed_headers,
        )
    }
}

fn strings<S: Into<String>>(items: impl IntoIterator<Item = S>) -> Vec<String> {
    items.into_iter().map(Into::into).collect()
}

fn set_list<S: AsRef<str>>(headers: &Headers, name: &str, items: &[S]) -> Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    let items: Vec<&str> = items.iter().map(AsRef::as_ref).collect();
    headers.set(name, &items.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_configured_is_set() {
        let mut headers = Headers::new();
        Cors::new().apply_headers(&mut headers).unwrap();
        assert!(headers.is_empty());
    }

    #[test]
    fn lists_are_joined_by_commas() {
        let mut headers = Headers::new();
        Cors::new()
            .with_credentials(true)
            .with_max_age(600)
            .with_origins(["https://a.example"])
            .with_methods([Method::Get, Method::Post])
            .with_allowed_headers(["Authorization", "Content-Type"])
            .with_exposed_headers(["RateLimit"])
            .apply_headers(&mut headers)
            .unwrap();
        let set: Vec<_> = headers
            .entries()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        assert_eq!(
            set,
            [
                "access-control-allow-credentials: true",
                "access-control-allow-headers: Authorization,Content-Type",
                "access-control-allow-methods: GET,POST",
                "access-control-allow-origin: https://a.example",
                "access-control-expose-headers: RateLimit",
                "access-control-max-age: 600",
            ]
        );
    }
}

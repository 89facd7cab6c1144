//! [`RequestInit`]: the options of an outgoing request, with the types for Cloudflare's own options.
//!
//! Method, headers, body and redirect mode have an effect. The [`CfProperties`] (edge cache, image
//! resizing, Polish…) are plain data with upstream's way into JavaScript: the simulator has none of
//! those products.

#![expect(
    clippy::disallowed_types,
    reason = "the API of workers-rs has these maps"
)]

mod cf_properties;
mod image;

pub use cf_properties::{CfProperties, MinifyConfig, PolishConfig};
pub use image::{
    ResizeBorder, ResizeCompression, ResizeConfig, ResizeDraw, ResizeDrawRepeat, ResizeFit,
    ResizeFlip, ResizeFormat, ResizeGravity, ResizeGravitySide, ResizeMetadata, ResizeOnerror,
    ResizeOriginAuth, ResizeQuality, ResizeQualityLiteral, ResizeTrim,
};

use crate::wasm_bindgen::JsValue;
use crate::{Headers, Method};
use serde::Serialize;

/// The options of an outgoing request.
#[derive(Debug)]
pub struct RequestInit {
    /// The body: a string, a `Uint8Array` or an `ArrayBuffer`; anything else is turned into a
    /// string, as the platform does.
    pub body: Option<JsValue>,
    /// The headers.
    pub headers: Headers,
    /// Cloudflare's own options.
    pub cf: CfProperties,
    /// The method.
    pub method: Method,
    /// What to do with a redirect; `Follow` unless set.
    pub redirect: RequestRedirect,
    /// How to use the cache; `None` is the platform's default.
    pub cache: Option<CacheMode>,
}

impl RequestInit {
    /// A `GET` without headers and body.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the headers.
    pub fn with_headers(&mut self, headers: Headers) -> &mut Self {
        self.headers = headers;
        self
    }

    /// Sets the method.
    pub fn with_method(&mut self, method: Method) -> &mut Self {
        self.method = method;
        self
    }

    /// Sets the redirect mode.
    pub fn with_redirect(&mut self, redirect: RequestRedirect) -> &mut Self {
        self.redirect = redirect;
        self
    }

    /// Sets the cache mode.
    pub fn with_cache(&mut self, cache: CacheMode) -> &mut Self {
        self.cache = Some(cache);
        self
    }

    /// Sets the body.
    pub fn with_body(&mut self, body: Option<JsValue>) -> &mut Self {
        self.body = body;
        self
    }

    /// Sets Cloudflare's own options.
    pub fn with_cf_properties(&mut self, props: CfProperties) -> &mut Self {
        self.cf = props;
        self
    }
}

impl Default for RequestInit {
    fn default() -> Self {
        Self {
            body: None,
            headers: Headers::new(),
            cf: CfProperties::default(),
            method: Method::Get,
            redirect: RequestRedirect::default(),
            cache: None,
        }
    }
}

/// What to do with a redirect.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RequestRedirect {
    /// Fail. The platform refuses this mode when the request is made.
    Error,
    /// Follow it.
    #[default]
    Follow,
    /// Hand it to the Worker.
    Manual,
}

impl From<RequestRedirect> for &str {
    fn from(redirect: RequestRedirect) -> Self {
        match redirect {
            RequestRedirect::Error => "error",
            RequestRedirect::Follow => "follow",
            RequestRedirect::Manual => "manual",
        }
    }
}

/// How an outgoing request uses the cache.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CacheMode {
    /// Neither read nor write it.
    NoStore,
    /// Ask the origin before using it.
    NoCache,
    /// Write it without reading.
    Reload,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setter_changes_what_it_names() {
        let mut init = RequestInit::new();
        init.with_method(Method::Post)
            .with_redirect(RequestRedirect::Manual)
            .with_cache(CacheMode::NoStore)
            .with_body(Some("x".into()))
            .with_headers([("a", "b")].into_iter().collect())
            .with_cf_properties(CfProperties {
                cache_ttl: Some(60),
                ..CfProperties::new()
            });
        assert_eq!(init.method, Method::Post);
        assert_eq!(<&str>::from(init.redirect), "manual");
        assert_eq!(init.cache, Some(CacheMode::NoStore));
        assert_eq!(
            init.body.as_ref().and_then(JsValue::as_string).as_deref(),
            Some("x")
        );
        assert_eq!(init.headers.get("a").unwrap().as_deref(), Some("b"));
        assert!(!init.cf.is_default());
        assert!(RequestInit::new().cf.is_default());
    }
}

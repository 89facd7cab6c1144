//! How a request crosses the border of the Worker, in both directions.

use super::{Inner, Options, Request};
use crate::cf::Cf;
use crate::error::Error;
use crate::streams::ReadableStream;
use crate::{AbortSignal, Headers, Method, Result};
use bytes::Bytes;
use edgeproof_sim::http::Body;
use http::HeaderMap;
use url::Url;

/// A request as it crosses the border of the Worker.
pub type RawRequest = edgeproof_sim::http::Request<Body>;

impl Request {
    /// A request that reached the Worker.
    #[doc(hidden)]
    pub fn from_parts(
        method: http::Method,
        url: Url,
        headers: HeaderMap,
        body: Body,
        cf: Option<Cf>,
    ) -> Self {
        Self {
            method: Method::from_wire(&method),
            inner: Inner(method),
            url,
            path: None,
            headers: Headers::immutable(headers),
            cf,
            body: (!body.whole().is_some_and(Bytes::is_empty))
                .then(|| ReadableStream::from_body(body)),
            body_used: false,
            one_time_body: true,
            immutable: true,
            options: Options::default(),
            signal: None,
        }
    }

    /// The request as it leaves the Worker; it takes the body.
    ///
    /// # Errors
    /// `TypeError` when the body was read before.
    #[doc(hidden)]
    pub fn into_parts(self) -> Result<(http::Method, Url, HeaderMap, Body)> {
        let body = self.take_body()?;
        Ok((self.inner.0, self.url, self.headers.into_map(), body))
    }

    /// The request as it leaves the Worker; this handle keeps everything but the body.
    ///
    /// # Errors
    /// `TypeError` when the body was read before.
    #[doc(hidden)]
    pub fn to_raw(&self) -> Result<RawRequest> {
        Ok(RawRequest {
            method: self.inner.0.clone(),
            url: self.url.clone(),
            headers: self.headers.to_map(),
            body: self.take_body()?,
            cf: self.cf.as_ref().map(Cf::shared),
        })
    }

    /// How it is to be sent.
    #[doc(hidden)]
    pub fn options(&self) -> Options {
        self.options
    }

    /// What calls its sending off.
    pub(crate) fn signal(&self) -> Option<&AbortSignal> {
        self.signal.as_ref()
    }

    /// Whether its body can be sent a second time, as some redirects ask for.
    pub(crate) fn can_rewind_body(&self) -> bool {
        self.body.is_none() || !self.one_time_body
    }
}

/// What the conversions from and to the crate `http` need.
#[cfg(feature = "http")]
impl Request {
    /// A request of the Worker's own, as immutable as one that upstream wraps.
    ///
    /// # Errors
    /// `TypeError` when a `GET` or `HEAD` has a body.
    pub(crate) fn assemble(
        method: http::Method,
        url: Url,
        headers: Headers,
        body: Option<ReadableStream>,
    ) -> Result<Self> {
        if body.is_some() && matches!(method, http::Method::GET | http::Method::HEAD) {
            return Err(super::body_not_allowed());
        }
        Ok(Self {
            method: Method::from_wire(&method),
            inner: Inner(method),
            url,
            path: None,
            headers,
            cf: None,
            body,
            body_used: false,
            one_time_body: true,
            immutable: true,
            options: Options::default(),
            signal: None,
        })
    }

    pub(crate) fn set_signal(&mut self, signal: Option<AbortSignal>) {
        self.signal = signal;
    }

    pub(crate) fn set_redirect(&mut self, redirect: Option<crate::RequestRedirect>) {
        self.options.redirect = redirect.unwrap_or_default();
    }

    pub(crate) fn set_cf(&mut self, cf: Option<Cf>) {
        self.cf = cf;
    }

    /// The body, which this handle no longer has.
    ///
    /// # Errors
    /// `TypeError` when it was read before.
    pub(crate) fn take_stream(&self) -> Result<Option<ReadableStream>> {
        let Some(body) = &self.body else {
            return Ok(None);
        };
        body.moved().ok_or_else(super::used_body).map(Some)
    }
}

impl From<RawRequest> for Request {
    fn from(raw: RawRequest) -> Self {
        Self::from_parts(
            raw.method,
            raw.url,
            raw.headers,
            raw.body,
            raw.cf.map(Cf::from),
        )
    }
}

/// What a `fetch` handler may take.
pub trait FromRequest: Sized {
    /// Makes it from the request that reached the Worker.
    ///
    /// # Errors
    /// When it cannot.
    fn from_raw(
        request: RawRequest,
    ) -> std::result::Result<Self, impl Into<Box<dyn std::error::Error>>>;
}

impl FromRequest for Request {
    fn from_raw(
        request: RawRequest,
    ) -> std::result::Result<Self, impl Into<Box<dyn std::error::Error>>> {
        Ok::<_, Error>(request.into())
    }
}

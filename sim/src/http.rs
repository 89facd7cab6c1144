//! HTTP messages inside the simulator: whole, in memory, cheap to pass on.
//!
//! Bodies are complete when a message is delivered; there are no streams that are still being written.

use bytes::Bytes;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use std::rc::Rc;
use url::Url;

/// What the platform tells a Worker about a request, as `request.cf`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Cf {
    /// IATA code of the PoP that took the request.
    pub colo: String,
    /// City of that PoP: the simulator attaches clients to PoPs and knows no finer place.
    pub city: Option<String>,
    /// HTTP version as `HTTP/1.1`.
    pub http_protocol: String,
}

/// A request on its way to a Worker, an object or an origin.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: http::Method,
    /// The absolute URL.
    pub url: Url,
    /// The headers, in order of arrival.
    pub headers: HeaderMap,
    /// The whole body; empty stands for none.
    pub body: Bytes,
    /// What the PoP knows of the client; `None` for a request that a Worker made.
    pub cf: Option<Rc<Cf>>,
}

impl Request {
    /// A request without headers and body.
    pub fn new(method: http::Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            cf: None,
        }
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Response {
    /// Status code, 200 to 599 from a Worker.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl Response {
    /// An answer with a plain-text body.
    pub fn text(status: u16, body: impl Into<Bytes>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(
            http::header::CONTENT_TYPE,
            http::HeaderValue::from_static("text/plain;charset=UTF-8"),
        );
        Self {
            status,
            headers,
            body: body.into(),
        }
    }

    /// A header as text; `None` when it is absent or not ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When the body is not JSON of that shape.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }
}

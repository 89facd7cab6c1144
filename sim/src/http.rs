//! HTTP messages inside the simulator.
//!
//! A test sends and receives messages that are whole: `Request` and `Response` hold [`Bytes`]. Between a Worker and its
//! peers a body may still be being written while it is read: `Request<Body>` and `Response<Body>`.

mod body;
mod cf;

pub use body::{Body, End, tee};
pub use cf::{BotManagement, Cf, TlsClientAuth};

use bytes::Bytes;
use http::HeaderMap;
use std::rc::Rc;
use url::Url;

/// A request on its way to a Worker, an object or an origin.
#[derive(Debug, Clone)]
pub struct Request<B = Bytes> {
    /// The method.
    pub method: http::Method,
    /// The absolute URL.
    pub url: Url,
    /// The headers, in order of arrival.
    pub headers: HeaderMap,
    /// The body; empty stands for none.
    pub body: B,
    /// What the PoP knows of the client; `None` for a request that a Worker made.
    pub cf: Option<Rc<Cf>>,
}

impl<B: Default> Request<B> {
    /// A request without headers and body.
    pub fn new(method: http::Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: B::default(),
            cf: None,
        }
    }
}

impl<B> Request<B> {
    /// The same request with what `change` makes of its body.
    pub fn map_body<C>(self, change: impl FnOnce(B) -> C) -> Request<C> {
        Request {
            method: self.method,
            url: self.url,
            headers: self.headers,
            body: change(self.body),
            cf: self.cf,
        }
    }
}

impl Request<Body> {
    /// A second request with the same content, which its receiver reads at its own pace.
    #[must_use]
    pub fn tee(&mut self) -> Self {
        Self {
            method: self.method.clone(),
            url: self.url.clone(),
            headers: self.headers.clone(),
            body: self.body.tee(),
            cf: self.cf.clone(),
        }
    }
}

impl From<Request> for Request<Body> {
    fn from(whole: Request) -> Self {
        whole.map_body(Body::from)
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Response<B = Bytes> {
    /// Status code, 200 to 599 from a Worker.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: B,
    /// True if the connection ended before the body did: `body` is what had arrived. A [`Body`] that is still being
    /// read says so itself, with an error.
    pub broken: bool,
}

impl<B> Response<B> {
    /// An answer.
    pub fn new(status: u16, headers: HeaderMap, body: B) -> Self {
        Self {
            status,
            headers,
            body,
            broken: false,
        }
    }

    /// A header as text; `None` when it is absent or not ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The same answer with what `change` makes of its body.
    pub fn map_body<C>(self, change: impl FnOnce(B) -> C) -> Response<C> {
        Response {
            status: self.status,
            headers: self.headers,
            body: change(self.body),
            broken: self.broken,
        }
    }
}

impl From<Response> for Response<Body> {
    fn from(whole: Response) -> Self {
        whole.map_body(Body::from)
    }
}

impl Response {
    /// An answer with a plain-text body.
    pub fn plain(status: u16, body: impl Into<Bytes>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(
            http::header::CONTENT_TYPE,
            http::HeaderValue::from_static("text/plain;charset=UTF-8"),
        );
        Self::new(status, headers, body.into())
    }

    /// The body as text; what is not UTF-8 becomes U+FFFD.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The answer itself, for a test that goes on with it.
    ///
    /// # Panics
    /// If its status is another, or its body is not complete.
    #[track_caller]
    pub fn expect_status(self, status: u16) -> Self {
        let text = self.text();
        assert!(!self.broken, "the connection broke after {text:?}");
        assert_eq!(self.status, status, "an answer with the body {text:?}");
        self
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When the body is not JSON of that shape.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }
}

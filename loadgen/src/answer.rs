//! The outcome of one request: an answer, or the reason why there is none.

use bytes::Bytes;
use http::HeaderMap;
use thiserror::Error;

/// A complete answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its whole body.
    pub body: Bytes,
}

impl Answer {
    /// The media type of `Content-Type`, without its parameters; empty if there is none.
    pub fn media_type(&self) -> &[u8] {
        let value = self.headers.get(http::header::CONTENT_TYPE);
        let value = value.map_or(&b""[..], |value| value.as_bytes());
        let media = value.split(|byte| *byte == b';').next();
        media.unwrap_or_default().trim_ascii()
    }
}

/// Why there was no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SendError {
    /// No connection could be made.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The connection ended between the request and the end of its answer.
    #[error("the connection was reset")]
    Reset,
    /// No complete answer within the time-out.
    #[error("timed out")]
    TimedOut,
    /// An answer that is not HTTP, or larger than an answer of an API may be.
    #[error("{0}")]
    Protocol(String),
}

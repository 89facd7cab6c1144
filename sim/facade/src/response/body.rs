//! [`ResponseBody`]: the body of a response.

use crate::streams::ReadableStream;

/// The body of a response.
#[derive(Debug, Clone)]
pub enum ResponseBody {
    /// None.
    Empty,
    /// Bytes.
    Body(Vec<u8>),
    /// A stream, which can be read once.
    Stream(ReadableStream),
}

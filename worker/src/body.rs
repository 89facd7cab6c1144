//! Request bodies: read within the limit, and never left unread.
//!
//! An answer that leaves a body unread makes the runtime reset the connection, and the client loses the answer. So whatever a
//! request is refused for, its body is read and thrown away, as long as it is small.

use futures_util::StreamExt as _;
use worker::Request;

use crate::core::decimal;
use crate::core::validate::BODY_MAX_BYTES;
use crate::problem::{Failure, Problem};

/// How much of a body is thrown away before the answer is sent all the same.
const DRAIN_MAX_BYTES: usize = 1 << 20;

/// The body, if it is not longer than [`BODY_MAX_BYTES`]. What is too long is drained first.
pub(crate) async fn read(request: &mut Request) -> Result<Vec<u8>, Failure> {
    let broken = |_| Failure::from(Problem::new(400, "The body could not be read."));
    match announced_bytes(request) {
        Some(length) if length <= BODY_MAX_BYTES => {
            let body = request.bytes().await.map_err(broken)?;
            if body.len() > BODY_MAX_BYTES {
                Err(too_large())
            } else {
                Ok(body)
            }
        }
        Some(_) => {
            drain(request).await;
            Err(too_large())
        }
        // Chunked: counted while it comes.
        None => {
            let Ok(mut stream) = request.stream() else {
                return Ok(Vec::new());
            };
            let mut body = Vec::new();
            let mut seen = 0;
            while let Some(chunk) = stream.next().await {
                let chunk = chunk.map_err(broken)?;
                seen += chunk.len();
                if seen > DRAIN_MAX_BYTES {
                    break;
                }
                if seen <= BODY_MAX_BYTES {
                    body.extend_from_slice(&chunk);
                }
            }
            if seen > BODY_MAX_BYTES {
                Err(too_large())
            } else {
                Ok(body)
            }
        }
    }
}

/// Reads and throws away a body that nobody has read yet. Errors do not matter: the answer is known already.
pub(crate) async fn drain(request: &mut Request) {
    if announced_bytes(request).is_some_and(|length| length <= BODY_MAX_BYTES) {
        // In one go; a body that has been read already says so and is left alone.
        let _ = request.bytes().await;
    } else if let Ok(mut stream) = request.stream() {
        let mut seen = 0;
        while let Some(Ok(chunk)) = stream.next().await {
            seen += chunk.len();
            if seen > DRAIN_MAX_BYTES {
                break;
            }
        }
    }
}

fn announced_bytes(request: &Request) -> Option<usize> {
    let length = request.headers().get("content-length").ok().flatten()?;
    Some(
        decimal::parse(&length)
            .and_then(|length| usize::try_from(length).ok())
            .unwrap_or(usize::MAX),
    )
}

fn too_large() -> Failure {
    Problem::new(413, "The body is longer than 65536 bytes.").into()
}

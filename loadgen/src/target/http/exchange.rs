//! One request on a connection, until its whole answer is there.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use tokio::time::timeout;

use crate::answer::{Answer, SendError};

/// No answer of an API has a larger body; one that does is an error, so that it cannot fill the memory.
const LARGEST_BODY_BYTES: usize = 4 << 20;

/// A request that got no answer; with the request itself if no byte of it was written.
pub(super) struct Failed {
    pub(super) error: SendError,
    pub(super) unsent: Option<Box<Request<Full<Bytes>>>>,
}

type TrySendError = hyper::client::conn::TrySendError<Request<Full<Bytes>>>;

/// Waits for the whole answer to a request that was sent.
pub(super) async fn answer(
    limit: Duration,
    sent: impl Future<Output = Result<http::Response<Incoming>, TrySendError>>,
) -> Result<Answer, Failed> {
    let lost = |error: SendError| Failed {
        error,
        unsent: None,
    };
    let whole = async {
        let response = sent.await.map_err(|mut failed| Failed {
            unsent: failed.take_message().map(Box::new),
            error: classify(failed.error()),
        })?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, LARGEST_BODY_BYTES)
            .collect()
            .await
            .map_err(|error| {
                lost(match error.downcast_ref::<hyper::Error>() {
                    Some(error) => classify(error),
                    None => SendError::Protocol(format!(
                        "an answer of more than {LARGEST_BODY_BYTES} bytes"
                    )),
                })
            })?;
        Ok(Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: body.to_bytes(),
        })
    };
    timeout(limit, whole)
        .await
        .unwrap_or_else(|_| Err(lost(SendError::TimedOut)))
}

/// A broken connection is a reset; bytes that are not HTTP are a broken protocol.
fn classify(error: &hyper::Error) -> SendError {
    if error.is_parse() {
        return SendError::Protocol("the answer is not HTTP/1.1".into());
    }
    if error.is_timeout() {
        return SendError::TimedOut;
    }
    SendError::Reset
}

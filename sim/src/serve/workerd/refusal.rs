//! An answer that refuses.

use crate::serve::socket::{Body, Response};
use bytes::Bytes;
use http::StatusCode;

/// A refusal in words. workerd shows no bodies of refusals; a person who calls by hand reads them.
pub(super) fn refusal(status: StatusCode, text: impl Into<Bytes>) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
}

//! [`Fetch`]: requests to the outside.

use crate::js;
use crate::request::RawRequest;
use crate::request_init::RequestRedirect;
use crate::{AbortSignal, Error, Request, Response, Result};
use edgeproof_sim::Bindings;
use futures_util::future::{Either, select};
use http::{Method, StatusCode, header};

/// The most redirects that a fetch follows (Fetch standard, HTTP-redirect fetch).
const REDIRECTS_MAX: u32 = 20;

/// A request to be sent to an origin.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "upstream's variants")]
pub enum Fetch {
    /// GET this URL.
    Url(url::Url),
    /// Send this request.
    Request(Request),
}

impl Fetch {
    /// Sends it.
    ///
    /// # Errors
    /// The connection breaks, there were too many subrequests, or the body was read before.
    pub async fn send(&self) -> Result<Response> {
        let (request, redirect) = match self {
            Self::Url(url) => (
                RawRequest::new(Method::GET, url.clone()),
                RequestRedirect::default(),
            ),
            Self::Request(request) => (request.to_raw()?, request.options().redirect),
        };
        exchange(request, redirect).await
    }

    /// Sends it, until `signal` aborts it.
    ///
    /// # Errors
    /// As [`send`](Self::send); the signal's reason.
    pub async fn send_with_signal(&self, signal: &AbortSignal) -> Result<Response> {
        if let Some(reason) = signal.reason() {
            return Err(reason.into());
        }
        let answer = Box::pin(self.send());
        let aborted = Box::pin(signal.wait_for_abort());
        match select(answer, aborted).await {
            Either::Left((answer, _)) => answer,
            Either::Right((reason, _)) => Err(reason.into()),
        }
    }
}

/// Sends a request and follows redirects as it asks for.
async fn exchange(mut request: RawRequest, redirect: RequestRedirect) -> Result<Response> {
    for _ in 0..=REDIRECTS_MAX {
        let answer = Bindings::current()
            .fetch(request.clone())
            .await
            .map_err(js::thrown)?;
        let location = answer
            .headers
            .get(header::LOCATION)
            .and_then(|location| location.to_str().ok());
        let next = location
            .filter(|_| matches!(answer.status, 301 | 302 | 303 | 307 | 308))
            .map(|location| request.url.join(location));
        match (next, &redirect) {
            (None, _) | (Some(_), RequestRedirect::Manual) => {
                return Ok(Response::from_parts_native(
                    answer.status,
                    answer.headers,
                    answer.body,
                ));
            }
            (Some(_), RequestRedirect::Error) => {
                return Err(js::type_error(
                    "Unexpected redirect, the request asked for an error on redirects.",
                ));
            }
            (Some(next), RequestRedirect::Follow) => {
                let next = next.map_err(|problem| {
                    js::type_error(&format!("Invalid redirect URL: {problem}"))
                })?;
                if next.origin() != request.url.origin() {
                    request.headers.remove(header::AUTHORIZATION);
                }
                let status = StatusCode::from_u16(answer.status)
                    .map_err(|_| Error::from("invalid status"))?;
                let becomes_get = status == StatusCode::SEE_OTHER && request.method != Method::HEAD
                    || (answer.status <= 302 && request.method == Method::POST);
                if becomes_get {
                    request.method = Method::GET;
                    request.body = bytes::Bytes::new();
                    request.headers.remove(header::CONTENT_TYPE);
                    request.headers.remove(header::CONTENT_LENGTH);
                }
                request.url = next;
            }
        }
    }
    Err(js::type_error("Too many redirects."))
}

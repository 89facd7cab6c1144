//! [`Fetch`]: requests to the outside.

use crate::js;
use crate::request::RawRequest;
use crate::request_init::RequestRedirect;
use crate::{AbortSignal, Error, Request, Response, Result};
use edgeproof_sim::Bindings;
use edgeproof_sim::http::Body;
use futures_util::future::{Either, select};
use http::{Method, StatusCode, header};

/// The most redirects that a fetch follows (Fetch standard, HTTP-redirect fetch).
const REDIRECTS_MAX: u32 = 20;

/// Exception of a redirect that asks for a body which cannot be sent again (workerd api/http.c++, 2026-08-22).
const ONE_TIME_BODY: &str = "A request with a one-time-use body (it was initialized from a stream, not a buffer) encountered a redirect requiring the body to be retransmitted. To avoid this error in the future, construct this request from a buffer-like body initializer.";

/// A request to be sent to an origin.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "upstream's variants")]
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
        match self {
            Self::Url(url) => {
                let request = RawRequest::new(Method::GET, url.clone());
                exchange(request, RequestRedirect::default(), true).await
            }
            Self::Request(request) => {
                let sent = send(request);
                match request.signal() {
                    Some(signal) => until_aborted(sent, signal).await,
                    None => sent.await,
                }
            }
        }
    }

    /// Sends it, until `signal` aborts it.
    ///
    /// # Errors
    /// As [`send`](Self::send); the signal's reason.
    pub async fn send_with_signal(&self, signal: &AbortSignal) -> Result<Response> {
        until_aborted(self.send(), signal).await
    }
}

async fn send(request: &Request) -> Result<Response> {
    let redirect = request.options().redirect;
    exchange(request.to_raw()?, redirect, request.can_rewind_body()).await
}

/// What is answered, unless `signal` aborts it before.
async fn until_aborted(
    answer: impl Future<Output = Result<Response>>,
    signal: &AbortSignal,
) -> Result<Response> {
    if let Some(reason) = signal.reason() {
        return Err(reason.into());
    }
    let aborted = Box::pin(signal.wait_for_abort());
    match select(Box::pin(answer), aborted).await {
        // What is left of its body is called off as well.
        Either::Left((answer, _)) => Ok(answer?.until_aborted(signal)),
        Either::Right((reason, _)) => Err(reason.into()),
    }
}

/// Sends a request and follows redirects as it asks for.
async fn exchange(
    mut request: RawRequest,
    redirect: RequestRedirect,
    can_rewind_body: bool,
) -> Result<Response> {
    for _ in 0..=REDIRECTS_MAX {
        let sent = request.tee();
        if !can_rewind_body {
            // It is not sent again, so nothing of it is kept.
            request.body = Body::default();
        }
        let answer = Bindings::current().fetch(sent).await.map_err(js::thrown)?;
        let location = answer
            .headers
            .get(header::LOCATION)
            .and_then(|location| location.to_str().ok());
        let next = location
            .filter(|_| matches!(answer.status, 301 | 302 | 303 | 307 | 308))
            .map(|location| request.url.join(location));
        match (next, &redirect) {
            (None, _) | (Some(_), RequestRedirect::Manual) => {
                return Ok(Response::from_parts_native(answer));
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
                if status != StatusCode::SEE_OTHER && !can_rewind_body {
                    return Err(js::type_error(ONE_TIME_BODY));
                }
                let becomes_get = status == StatusCode::SEE_OTHER && request.method != Method::HEAD
                    || (answer.status <= 302 && request.method == Method::POST);
                if becomes_get {
                    request.method = Method::GET;
                    request.body = Body::default();
                    request.headers.remove(header::CONTENT_TYPE);
                    request.headers.remove(header::CONTENT_LENGTH);
                }
                request.url = next;
            }
        }
    }
    Err(js::type_error("Too many redirects."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Method, RequestInit};
    use edgeproof_sim::World;
    use edgeproof_sim::platform::outbound::Origin;
    use edgeproof_sim::script::{Event, Handled, ObjectClass, Script};
    use std::rc::Rc;

    /// A Worker that posts to an origin: the body that it received, or a buffer of its own.
    struct Forwarder;

    impl Script for Forwarder {
        fn handle(&self, event: Event) -> Handled {
            let Event::Fetch(request) = event else {
                unreachable!("it is only asked")
            };
            let received = Request::from(*request);
            Box::pin(async move {
                let answer = match received.path().as_str() {
                    "/own" => {
                        let mut init = RequestInit::new();
                        init.with_method(Method::Post).with_body(Some("own".into()));
                        let url = "https://origin.example/see-other";
                        let own = Request::new_with_init(url, &init);
                        let url = "https://origin.example/moved";
                        let moved = Request::new_with_init(url, &init).expect("it is right");
                        let answer = Fetch::Request(own.expect("it is right")).send().await;
                        answer.expect("it is followed");
                        Fetch::Request(moved).send().await
                    }
                    _ => Fetch::Request(received).send().await,
                };
                let text = match answer {
                    Ok(mut answer) => answer.text().await,
                    Err(error) => Ok(error.to_string()),
                };
                Ok(edgeproof_sim::http::Response::plain(200, text.expect("text")).into())
            })
        }

        fn class(&self, _: &str) -> Option<Rc<dyn ObjectClass>> {
            None
        }
    }

    /// What the Worker makes of a redirect, and the bodies that the origin received.
    fn redirected(url: &str) -> (String, Vec<String>) {
        let origin = Origin::new().respond(|request| {
            let (status, path) = match request.url.path() {
                "/moved" => (307, "/end"),
                "/see-other" => (303, "/end"),
                _ => (200, ""),
            };
            let mut answer = edgeproof_sim::http::Response::plain(status, "the end");
            if !path.is_empty() {
                let location = http::HeaderValue::from_static("/end");
                answer.headers.insert(header::LOCATION, location);
            }
            answer
        });
        let world = World::builder()
            .script(Rc::new(Forwarder))
            .origin("origin.example", origin)
            .build()
            .expect("builds");
        let text = world.run(async |world| {
            let url = url::Url::parse(url).expect("a URL");
            let request = edgeproof_sim::http::Request::new(http::Method::POST, url);
            let request = request.map_body(|()| "received".into());
            let answer = world.client("IAD").send(request).await;
            String::from_utf8(answer.body.to_vec()).expect("text")
        });
        let received = world.received("origin.example");
        let bodies = received
            .iter()
            .map(|received| String::from_utf8_lossy(&received.request.body).into_owned());
        (text, bodies.collect())
    }

    #[test]
    fn a_received_body_is_not_sent_a_second_time() {
        let (text, bodies) = redirected("https://origin.example/moved");
        assert_eq!(text, format!("TypeError: {ONE_TIME_BODY}"));
        assert_eq!(bodies, ["received"]);
        let (text, bodies) = redirected("https://origin.example/see-other");
        assert_eq!(text, "the end");
        assert_eq!(bodies, ["received", ""]);
    }

    #[test]
    fn a_body_of_the_workers_own_follows_a_redirect() {
        let (text, bodies) = redirected("https://a.example/own");
        assert_eq!(text, "the end");
        assert_eq!(bodies, ["own", "", "own", "own"]);
    }
}

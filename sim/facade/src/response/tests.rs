//! Responses as they are built, sent and received.

use super::*;
use ::http::header::CONTENT_TYPE;
use ::http::{HeaderMap, HeaderName};
use futures_util::{FutureExt, stream};
use serde_json::json;

fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().unwrap()
}

fn sent(response: Result<Response>) -> (u16, Option<String>, Bytes) {
    let raw = response.unwrap().into_parts_native().unwrap();
    (
        raw.status,
        raw.header(CONTENT_TYPE.as_str()).map(str::to_owned),
        now(raw.body.bytes()).unwrap(),
    )
}

fn received(body: &'static str) -> Response {
    Response::from_parts_native(http::Response::new(200, HeaderMap::new(), body.into()))
}

fn refusal(response: Response) -> String {
    response.into_parts_native().unwrap_err().to_string()
}

#[test]
fn each_constructor_has_its_content_type() {
    let typed = |content_type: &str, body: &'static str| {
        (
            200,
            Some(content_type.to_owned()),
            Bytes::from_static(body.as_bytes()),
        )
    };
    assert_eq!(
        sent(Response::ok("t")),
        typed("text/plain; charset=utf-8", "t")
    );
    assert_eq!(
        sent(Response::from_html("t")),
        typed("text/html; charset=utf-8", "t")
    );
    assert_eq!(
        sent(Response::from_json(&json!({"a": 1}))),
        typed("application/json", "{\"a\":1}")
    );
    assert_eq!(
        sent(Response::from_bytes(b"t".to_vec())),
        typed("application/octet-stream", "t")
    );
    assert_eq!(
        sent(Response::error("t", 404)),
        (404, None, Bytes::from_static(b"t"))
    );
    assert_eq!(sent(Response::empty()), (200, None, Bytes::new()));
    assert_eq!(
        sent(Response::from_stream(stream::iter([
            Ok::<_, Error>(b"a".to_vec()),
            Ok(b"b".to_vec())
        ])))
        .2,
        "ab"
    );
}

#[test]
fn a_response_can_be_changed_before_it_is_sent() {
    let response = Response::ok("t")
        .unwrap()
        .with_status(201)
        .with_headers([("a", "b")].into_iter().collect());
    let cors = Cors::new().with_origins(["https://a.example"]);
    let raw = response
        .with_cors(&cors)
        .unwrap()
        .into_parts_native()
        .unwrap();
    assert_eq!(raw.status, 201);
    let mut names: Vec<_> = raw.headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["a", "access-control-allow-origin"]);
}

#[test]
fn an_error_needs_a_status_of_an_error() {
    for status in [200, 399, 600] {
        let error = Response::error("t", status).unwrap_err().to_string();
        assert!(
            error.contains("error status codes must be in the 400-599 range!"),
            "{error}"
        );
    }
}

#[test]
fn a_status_the_platform_refuses_is_refused_when_the_response_leaves() {
    for status in [0, 101, 199, 600] {
        assert_eq!(
            refusal(Response::empty().unwrap().with_status(status)),
            "RangeError: Responses may only be constructed with status codes in the range 200 to 599, inclusive."
        );
    }
    assert_eq!(
        refusal(Response::ok("t").unwrap().with_status(204)),
        "TypeError: Response with null body status (101, 204, 205, or 304) cannot have a body."
    );
    assert_eq!(
        sent(Response::ok("").map(|response| response.with_status(204))).0,
        204
    );
}

#[test]
fn a_redirect_names_its_target_and_cannot_be_changed() {
    let url = url::Url::parse("https://a.example/x").unwrap();
    let response = Response::redirect(url.clone()).unwrap();
    assert_eq!(response.status_code(), 302);
    assert_eq!(
        response.headers().get("location").unwrap().as_deref(),
        Some("https://a.example/x")
    );
    assert!(response.headers().set("a", "b").is_err());
    assert!(Response::redirect_with_status(url.clone(), 200).is_err());
    assert_eq!(
        Response::redirect_with_status(url, 304)
            .unwrap_err()
            .to_string(),
        "RangeError: 304 is not a redirect status code. It must be one of: 301, 302, 303, 307, or 308."
    );
}

#[test]
fn a_received_body_is_read_once_and_its_headers_cannot_be_changed() {
    let mut response = received("{\"a\":1}");
    assert_eq!(
        now(response.json::<serde_json::Value>()).unwrap(),
        json!({"a": 1})
    );
    assert_eq!(now(response.text()).unwrap(), "");
    assert!(response.headers_mut().set("a", "b").is_err());
    assert!(refusal(response).starts_with("TypeError: This ReadableStream is disturbed"));
}

#[test]
fn a_body_of_the_workers_own_can_be_read_again_but_not_as_a_stream() {
    let mut response = Response::ok("t").unwrap();
    for _ in 0..2 {
        assert_eq!(now(response.text()).unwrap(), "t");
    }
    assert_eq!(
        response.stream().unwrap_err().to_string(),
        "body is not streamable"
    );
    assert!(now(Response::from_bytes(vec![0xff]).unwrap().text()).is_err());
}

#[test]
fn a_clone_has_a_body_of_its_own() {
    let mut response = received("t");
    let mut clone = response.cloned().unwrap();
    assert_eq!(now(clone.text()).unwrap(), "t");
    assert_eq!(now(response.text()).unwrap(), "t");
    clone.headers_mut().set("a", "b").unwrap();
    assert!(response.cloned().is_err());
}

#[test]
fn a_response_that_is_still_being_made_can_be_cloned() {
    let pieces = || stream::iter([Ok::<_, Error>(b"a".to_vec()), Ok(b"b".to_vec())]);
    let mut response = Response::from_stream(pieces()).unwrap();
    let mut clone = response.cloned().unwrap();
    assert_eq!(now(clone.text()).unwrap(), "ab");
    assert_eq!(now(response.text()).unwrap(), "ab");
}

#[test]
fn cf_goes_there_and_back() {
    let response = Response::empty()
        .unwrap()
        .with_cf(Some(json!({"a": 1})))
        .unwrap();
    assert_eq!(
        response.cf::<serde_json::Value>().unwrap(),
        Some(json!({"a": 1}))
    );
    assert_eq!(
        response.with_cf(None::<()>).unwrap().cf::<()>().unwrap(),
        None
    );
    assert_eq!(
        Response::builder().with_cf(1).unwrap_err().to_string(),
        "cf must be an object"
    );
}

use super::body::Body;
use crate::request::RawRequest;
use crate::streams::ReadableStream;
use crate::wasm_bindgen::JsValue;
use crate::{
    AbortSignal, Cf, CfResponseProperties, EncodeBody, Fetch, FromRequest, HttpRequest,
    HttpResponse, IntoResponse, Request, RequestRedirect, Response, ResponseBody, Result, js_sys,
};
use bytes::Bytes;
use edgeproof_sim::http as sim;
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use http::{Method, StatusCode, Version};
use http_body::Body as _;
use http_body_util::{BodyExt, Full};
use std::rc::Rc;
use url::Url;

fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("nothing here waits")
}

fn raw(method: Method, body: sim::Body) -> RawRequest {
    let mut raw = RawRequest::new(method, Url::parse("https://a.example/p?q=1").unwrap());
    raw.body = body;
    raw
}

fn received(raw: RawRequest) -> HttpRequest {
    match HttpRequest::from_raw(raw) {
        Ok(request) => request,
        Err(error) => panic!("{}", error.into()),
    }
}

fn leaves(response: impl IntoResponse) -> std::result::Result<sim::Response<sim::Body>, String> {
    let response = response
        .into_raw()
        .map_err(|error| error.into().to_string())?;
    response
        .into_parts_native()
        .map_err(|error| error.to_string())
}

#[test]
fn a_request_arrives_with_all_that_it_has() {
    let mut sent = raw(Method::from_bytes(b"PURGE").unwrap(), "one two".into());
    for (name, value) in [("x-b", "1"), ("x-b", "2"), ("x-a", "3")] {
        let name = http::HeaderName::from_static(name);
        sent.headers.append(name, value.parse().unwrap());
    }
    sent.cf = Some(Rc::new(sim::Cf {
        colo: "MEX".to_owned(),
        http_protocol: "HTTP/3".to_owned(),
        ..sim::Cf::default()
    }));
    let request = received(sent);
    assert_eq!(request.method().as_str(), "PURGE");
    assert_eq!(request.uri(), "https://a.example/p?q=1");
    assert_eq!(request.version(), Version::HTTP_3);
    // The platform joins the values of one name, and sorts.
    let headers: Vec<_> = request.headers().iter().collect();
    assert_eq!(headers.len(), 2);
    assert_eq!(request.headers()["x-b"], "1, 2");
    let extensions = request.extensions();
    assert_eq!(extensions.get::<Cf>().unwrap().colo(), "MEX");
    assert!(!extensions.get::<AbortSignal>().unwrap().aborted());
    assert!(extensions.get::<RequestRedirect>().is_some());
    let body = now(BodyExt::collect(request.into_body()))
        .unwrap()
        .to_bytes();
    assert_eq!(body, "one two");
}

#[test]
fn a_body_that_was_read_does_not_become_another() {
    let mut request = Request::from(raw(Method::POST, "x".into()));
    assert_eq!(now(request.text()).unwrap(), "x");
    let error = HttpRequest::try_from(request).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("TypeError: Cannot reconstruct"),
        "{error}"
    );
}

#[test]
fn a_request_of_the_workers_own_can_be_sent() {
    let cf = received(RawRequest {
        cf: Some(Rc::default()),
        ..raw(Method::GET, sim::Body::default())
    });
    let cf = cf.extensions().get::<Cf>().unwrap().clone();
    let request = http::Request::post("https://b.example/x")
        .header("x-a", "1")
        .extension(RequestRedirect::Manual)
        .extension(cf)
        .body(Full::from("whole"))
        .unwrap();
    let request = Request::try_from(request).unwrap();
    assert!(matches!(
        request.options().redirect,
        RequestRedirect::Manual
    ));
    assert!(request.cf().is_some());
    let sent = request.to_raw().unwrap();
    assert_eq!(
        (sent.method.as_str(), sent.url.as_str()),
        ("POST", "https://b.example/x")
    );
    assert_eq!(sent.headers["x-a"], "1");
    assert_eq!(sent.body.whole().unwrap(), "whole");
}

#[test]
fn a_request_that_the_platform_refuses_is_an_error() {
    let refused =
        |request: http::Request<Full<Bytes>>| Request::try_from(request).unwrap_err().to_string();
    let get = http::Request::get("https://b.example/")
        .body("x".into())
        .unwrap();
    assert_eq!(
        refused(get),
        "TypeError: Request with a GET or HEAD method cannot have a body."
    );
    let relative = http::Request::get("/x").body(Full::default()).unwrap();
    assert_eq!(refused(relative), "TypeError: Invalid URL: /x");
}

#[test]
fn the_signal_of_a_request_calls_its_fetch_off() {
    let request = http::Request::get("https://b.example/")
        .extension(AbortSignal::abort_with_reason("not now"))
        .body(Body::empty())
        .unwrap();
    let fetch = Fetch::Request(Request::try_from(request).unwrap());
    assert_eq!(now(fetch.send()).unwrap_err().to_string(), "not now");
}

#[test]
fn a_whole_body_stays_whole_and_a_stream_a_stream() {
    let whole = leaves(http::Response::new(Full::<Bytes>::from("text"))).unwrap();
    assert_eq!(whole.body.whole().unwrap(), "text");
    let empty = leaves(http::Response::new(Full::<Bytes>::default())).unwrap();
    assert!(empty.body.whole().unwrap().is_empty());
    // What a Worker passes on is what it received.
    let passed = received(raw(Method::POST, "text".into())).into_body();
    let passed = leaves(http::Response::new(passed)).unwrap();
    assert_eq!(passed.body.whole().unwrap(), "text");

    let pieces = stream::iter([Ok(vec![1]), Err("broken")]);
    let streamed = http::Response::new(Body::from_stream(pieces).unwrap());
    let streamed = leaves(streamed).unwrap();
    assert!(streamed.body.whole().is_none());
    let pieces: Vec<_> = now(streamed.body.collect());
    let [Ok(first), Err(exception)] = &pieces[..] else {
        panic!("{pieces:?}")
    };
    assert_eq!(first, &[1].as_slice());
    assert_eq!(exception.message, "\"broken\"");
}

#[test]
fn a_foreign_body_gives_its_frames_and_hides_its_error() {
    let frames = [Ok(Bytes::from("one")), Err(std::io::Error::other("secret"))];
    let frames = stream::iter(frames).map_ok(http_body::Frame::data);
    let body = http_body_util::StreamBody::new(frames);
    let left = leaves(http::Response::new(body)).unwrap();
    let pieces: Vec<_> = now(left.body.collect());
    let [Ok(first), Err(exception)] = &pieces[..] else {
        panic!("{pieces:?}")
    };
    assert_eq!(first, "one");
    assert_eq!(exception.message, "Error polling body");
}

#[test]
fn a_response_keeps_its_status_headers_and_extensions() {
    let cf = js_sys::Object::new();
    let response = http::Response::builder()
        .status(StatusCode::CREATED)
        .header("set-cookie", "a=1")
        .header("set-cookie", "b=2")
        .header("x-a", "1")
        .extension(EncodeBody::Manual)
        .extension(CfResponseProperties::from(cf))
        .body(Body::empty())
        .unwrap();
    let response = Response::try_from(response).unwrap();
    assert!(matches!(response.encode_body(), EncodeBody::Manual));
    let response = HttpResponse::try_from(response).unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
    assert!(
        response
            .extensions()
            .get::<CfResponseProperties>()
            .is_some()
    );
    assert!(response.body().is_end_stream());
}

#[test]
fn a_response_that_the_platform_refuses_is_an_error() {
    let refused = |status: u16| {
        let response = http::Response::builder().status(status);
        leaves(response.body(Full::<Bytes>::from("x")).unwrap()).unwrap_err()
    };
    assert!(refused(204).starts_with("TypeError: Response with null body status"));
    assert!(refused(199).starts_with("RangeError: Responses may only be constructed"));
}

#[test]
fn a_body_can_be_read_in_part_and_handed_on() {
    let pieces = [Ok::<_, JsValue>(vec![1_u8]), Ok(vec![2]), Ok(vec![3])];
    let mut body = Body::new(ReadableStream::from_stream(stream::iter(pieces)));
    assert!(!body.is_end_stream());
    assert_eq!(now(body.next()).unwrap().unwrap(), [1].as_slice());
    let rest = body.into_inner().unwrap();
    let mut rest = Response::from_body(ResponseBody::Stream(rest)).unwrap();
    assert_eq!(now(rest.bytes()).unwrap(), [2, 3]);
    assert!(Body::empty().into_inner().is_none());
}

#[test]
fn dropping_a_body_cancels_the_rest() {
    let source = ReadableStream::from_bytes(Bytes::from_static(b"text"));
    drop(Body::new(source.clone()));
    assert!(now(source.read()).unwrap().is_empty());
}

#[test]
fn the_end_of_a_body_is_known_once_it_was_read() {
    let mut body = Body::from_stream(stream::iter([Ok::<_, JsValue>(vec![1])])).unwrap();
    assert_eq!(body.size_hint().upper(), None);
    let read: Result<Vec<_>> = now((&mut body).try_collect());
    assert_eq!(read.unwrap().len(), 1);
    assert!(body.is_end_stream());
}

//! Requests as they are received, built and read.

use super::*;
use bytes::Bytes;
use edgeproof_sim::http::Body;
use futures_util::{FutureExt, TryStreamExt};
use http::HeaderMap;
use serde::Deserialize;

fn received(body: &str) -> Request {
    let url = Url::parse("https://a.example/p/q?b=1&c=x%20y#f").unwrap();
    let headers = [(
        CONTENT_TYPE,
        http::HeaderValue::from_static("application/json"),
    )]
    .into_iter()
    .collect();
    Request::from_parts(
        http::Method::POST,
        url,
        headers,
        body.to_owned().into(),
        None,
    )
}

fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().unwrap()
}

#[test]
fn a_request_is_for_every_thread() {
    fn check<T: Send + Sync>() {}
    check::<Request>();
}

#[test]
fn the_parts_of_the_url_can_be_asked_for() {
    #[derive(Deserialize)]
    struct Query {
        b: u8,
        c: String,
    }
    let request = received("");
    assert_eq!(request.path(), "/p/q");
    assert_eq!(
        request.url().unwrap().as_str(),
        "https://a.example/p/q?b=1&c=x%20y#f"
    );
    let query: Query = request.query().unwrap();
    assert_eq!((query.b, query.c.as_str()), (1, "x y"));
    assert_eq!(
        request.query::<Vec<(u8, u8)>>().unwrap_err().to_string(),
        "invalid digit found in string"
    );
    assert!(request.cf().is_none());
}

#[test]
fn a_body_is_read_once() {
    let mut request = received("text");
    assert_eq!(now(request.text()).unwrap(), "text");
    assert!(matches!(now(request.text()), Err(Error::BodyUsed)));
    assert!(matches!(now(request.bytes()), Err(Error::BodyUsed)));
    assert!(matches!(request.stream(), Err(Error::BodyUsed)));
    assert_eq!(
        request.clone().unwrap_err().to_string(),
        "TypeError: This ReadableStream is currently locked to a reader,"
    );
    assert_eq!(
        request.to_raw().unwrap_err().to_string(),
        "TypeError: Cannot reconstruct a Request with a used body."
    );
}

#[test]
fn a_clone_has_its_own_body_and_clone_mut_takes_it() {
    let mut request = received("text");
    let mut clone = request.clone().unwrap();
    assert_eq!(now(clone.text()).unwrap(), "text");
    assert!(clone.headers_mut().is_err());
    let mut changed = request.clone_mut().unwrap();
    changed.headers_mut().unwrap().set("a", "b").unwrap();
    changed.path_mut().unwrap().push_str("/r");
    assert_eq!(changed.path(), "/p/q/r");
    assert_eq!(now(changed.text()).unwrap(), "text");
    assert_eq!(
        now(request.text()).unwrap_err().to_string(),
        "failed to get text for body value"
    );
    assert!(!request.headers().has("a").unwrap());
}

#[test]
fn a_received_request_cannot_be_changed() {
    let mut request = received("");
    assert_eq!(
        request.headers_mut().unwrap_err().to_string(),
        "Cannot get a mutable reference to an immutable headers object."
    );
    assert_eq!(
        request.path_mut().unwrap_err().to_string(),
        "Cannot get a mutable reference to an immutable path."
    );
    assert_eq!(
        request.headers().set("a", "b").unwrap_err().to_string(),
        "TypeError: Can't modify immutable headers."
    );
}

#[test]
fn json_follows_javascript_and_not_serde_json() {
    #[derive(Deserialize, Debug, PartialEq)]
    struct Row {
        n: u64,
    }
    assert_eq!(
        now(received(r#"{"n":1.0}"#).json::<Row>()).unwrap(),
        Row { n: 1 }
    );
    assert_eq!(
        now(received(r#"{"n":1,"n":2}"#).json::<Row>()).unwrap(),
        Row { n: 2 }
    );
    assert_eq!(
        now(received("\u{feff}{\"n\":3}").json::<Row>()).unwrap(),
        Row { n: 3 }
    );
    assert_eq!(
        now(received("9007199254740993").json::<f64>()).unwrap(),
        9007199254740992.0
    );
    for wrong in [
        r#"{"n":9007199254740993}"#,
        r#"{"n":-1}"#,
        r#"{"n":"1"}"#,
        "[1]",
        "{}",
    ] {
        let error = now(received(wrong).json::<Row>()).unwrap_err();
        assert!(
            matches!(error, Error::UnknownJsError { .. }),
            "{wrong}: {error:?}"
        );
    }
    for broken in ["", "{", "{\"n\":1}x", "NaN"] {
        let error = now(received(broken).json::<Row>()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "failed to get JSON for body value",
            "{broken}"
        );
    }
}

#[test]
fn bytes_that_are_not_utf_8_are_replaced() {
    let url = Url::parse("https://a.example/").unwrap();
    let body = Bytes::from_static(b"a\xffb").into();
    let mut request = Request::from_parts(http::Method::POST, url, HeaderMap::new(), body, None);
    assert_eq!(now(request.text()).unwrap(), "a\u{fffd}b");
}

#[test]
fn a_stream_gives_the_whole_body_and_an_empty_one_is_none() {
    let stream = received("text").stream().unwrap();
    assert_eq!(now(stream.try_concat()).unwrap(), b"text");
    assert_eq!(
        received("").stream().unwrap_err().to_string(),
        "no body for request"
    );
}

#[test]
fn options_that_the_platform_refuses_are_refused() {
    let init = |method, redirect, body: Option<&str>| {
        let mut init = RequestInit::new();
        init.with_method(method)
            .with_redirect(redirect)
            .with_body(body.map(Into::into));
        Request::new_with_init("https://a.example/", &init)
            .map(drop)
            .map_err(|error| error.to_string())
    };
    let refused = Err("invalid URL or options for Request".to_owned());
    let (follow, refusing) = (RequestRedirect::Follow, RequestRedirect::Error);
    assert_eq!(init(Method::Get, follow, Some("x")), refused);
    assert_eq!(init(Method::Head, follow, Some("x")), refused);
    assert_eq!(init(Method::Post, refusing, None), refused);
    assert_eq!(init(Method::Connect, follow, None), refused);
    assert_eq!(init(Method::Post, follow, Some("x")), Ok(()));
    assert_eq!(
        Request::new("/relative", Method::Get)
            .unwrap_err()
            .to_string(),
        "invalid URL or method for Request"
    );
}

#[test]
fn a_body_given_as_text_says_so_unless_the_headers_do() {
    let sent = |body: crate::wasm_bindgen::JsValue, headers: Headers| {
        let mut init = RequestInit::new();
        init.with_method(Method::Post)
            .with_body(Some(body))
            .with_headers(headers);
        let request = Request::new_with_init("https://a.example/", &init).unwrap();
        let content_type = request.headers().get("content-type").unwrap();
        let (.., body) = request.into_parts().unwrap();
        (content_type, now(body.bytes()).unwrap())
    };
    let own: Headers = [("content-type", "application/json")].into_iter().collect();
    let bytes = crate::js_sys::Uint8Array::from([1_u8, 2].as_slice());
    assert_eq!(
        sent("{}".into(), Headers::new()),
        (Some("text/plain;charset=UTF-8".into()), "{}".into())
    );
    assert_eq!(
        sent("{}".into(), own),
        (Some("application/json".into()), "{}".into())
    );
    assert_eq!(
        sent(bytes.into(), Headers::new()),
        (None, Bytes::from_static(&[1, 2]))
    );
    assert_eq!(sent(7.into(), Headers::new()).1, "7");
}

#[test]
fn an_unknown_method_is_a_get_that_is_passed_on_as_it_came() {
    let method = http::Method::from_bytes(b"PROPFIND").unwrap();
    let url = Url::parse("https://a.example/").unwrap();
    let request = Request::from_parts(method.clone(), url, HeaderMap::new(), Body::default(), None);
    assert_eq!(request.method(), Method::Get);
    assert_eq!(request.to_raw().unwrap().method, method);
}

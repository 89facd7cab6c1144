//! Requests of the crate `http`.

use super::body::{Body, stream_of};
use super::headers;
use crate::{
    AbortController, AbortSignal, Cf, Error, FromRequest, HttpRequest, Request, RequestRedirect,
    Result, js,
};
use bytes::Bytes;
use http::Version;
use url::Url;

/// The same request as the crate `http` has it.
///
/// # Errors
/// `TypeError` when the body was read before.
pub fn from_wasm(request: Request) -> Result<HttpRequest> {
    let signal = request.signal().cloned();
    let mut builder = http::Request::builder()
        .uri(request.url()?.as_str())
        .method(request.inner().method().as_str())
        .extension(signal.unwrap_or_else(|| AbortController::default().signal()))
        .extension(request.options().redirect);
    if let Some(map) = builder.headers_mut() {
        *map = headers::to_map(request.headers())?;
    }
    if let Some(cf) = request.cf() {
        builder = builder
            .version(version(&cf.http_protocol()))
            .extension(cf.clone());
    }
    let body = request.take_stream()?;
    Ok(builder.body(body.map_or_else(Body::empty, Body::new))?)
}

/// A request that a Worker makes, from one of the crate `http`.
///
/// # Errors
/// `TypeError` when the URI is not absolute, or a `GET` or `HEAD` has a body.
pub fn to_wasm<B: http_body::Body<Data = Bytes> + 'static>(
    request: http::Request<B>,
) -> Result<Request> {
    let (mut parts, body) = request.into_parts();
    let headers = headers::from_map(parts.headers)?;
    let uri = parts.uri.to_string();
    let url = Url::parse(&uri).map_err(|_| js::type_error(&format!("Invalid URL: {uri}")))?;
    let mut request = Request::assemble(parts.method, url, headers, stream_of(body))?;
    request.set_signal(parts.extensions.remove::<AbortSignal>());
    request.set_redirect(parts.extensions.remove::<RequestRedirect>());
    request.set_cf(parts.extensions.remove::<Cf>());
    Ok(request)
}

fn version(protocol: &str) -> Version {
    match protocol {
        "HTTP/0.9" => Version::HTTP_09,
        "HTTP/1.0" => Version::HTTP_10,
        "HTTP/2" => Version::HTTP_2,
        "HTTP/3" => Version::HTTP_3,
        _ => Version::HTTP_11,
    }
}

impl<B: http_body::Body<Data = Bytes> + 'static> TryFrom<http::Request<B>> for Request {
    type Error = Error;

    fn try_from(request: http::Request<B>) -> Result<Self> {
        to_wasm(request)
    }
}

impl TryFrom<Request> for HttpRequest {
    type Error = Error;

    fn try_from(request: Request) -> Result<Self> {
        from_wasm(request)
    }
}

impl FromRequest for HttpRequest {
    fn from_raw(
        request: crate::request::RawRequest,
    ) -> std::result::Result<Self, impl Into<Box<dyn std::error::Error>>> {
        from_wasm(request.into())
    }
}

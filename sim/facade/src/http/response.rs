//! Answers of the crate `http`.

use super::body::{Body, stream_of};
use super::headers;
use crate::response::RawResponse;
use crate::{
    CfResponseProperties, EncodeBody, Error, HttpResponse, IntoResponse, Response, ResponseBody,
    Result, streams,
};
use bytes::Bytes;
use http::StatusCode;

/// A response that leaves the Worker, from one of the crate `http`.
///
/// # Errors
/// `RangeError` when the status is not one of 200 to 599, `TypeError` when it allows no body and there is one.
pub fn to_wasm<B>(response: http::Response<B>) -> Result<Response>
where
    B: http_body::Body<Data = Bytes> + 'static,
{
    let (mut parts, body) = response.into_parts();
    let mut builder = Response::builder()
        .with_status(parts.status.as_u16())
        .with_headers(headers::from_map(parts.headers)?);
    if let Some(encode_body) = parts.extensions.remove::<EncodeBody>() {
        builder = builder.with_encode_body(encode_body);
    }
    if let Some(cf) = parts.extensions.remove::<CfResponseProperties>() {
        builder = builder.with_cf_raw(cf.into_raw());
    }
    let response = match stream_of(body) {
        Some(stream) => builder.stream(stream),
        None => builder.empty(),
    };
    response.check()?;
    Ok(response)
}

/// The same response as the crate `http` has it.
///
/// # Errors
/// As [`to_wasm`]; `TypeError` when the body is a stream that was read.
pub fn from_wasm(response: Response) -> Result<HttpResponse> {
    response.check()?;
    let mut builder =
        http::Response::builder().status(StatusCode::from_u16(response.status_code())?);
    if let Some(map) = builder.headers_mut() {
        *map = headers::to_map(response.headers())?;
    }
    if let Some(cf) = response.cf_raw() {
        builder = builder.extension(CfResponseProperties::from(cf));
    }
    let (_, body) = response.into_parts();
    let body = match body {
        ResponseBody::Empty => Body::empty(),
        ResponseBody::Body(bytes) => Body::new(streams::ReadableStream::from_bytes(bytes.into())),
        ResponseBody::Stream(stream) => Body::new(stream.moved().ok_or_else(streams::disturbed)?),
    };
    Ok(builder.body(body)?)
}

impl<B: http_body::Body<Data = Bytes> + 'static> TryFrom<http::Response<B>> for Response {
    type Error = Error;

    fn try_from(response: http::Response<B>) -> Result<Self> {
        to_wasm(response)
    }
}

impl TryFrom<Response> for HttpResponse {
    type Error = Error;

    fn try_from(response: Response) -> Result<Self> {
        from_wasm(response)
    }
}

impl<B: http_body::Body<Data = Bytes> + 'static> IntoResponse for http::Response<B> {
    fn into_raw(self) -> std::result::Result<RawResponse, impl Into<Box<dyn std::error::Error>>> {
        to_wasm(self)
    }
}

#[cfg(feature = "axum")]
impl From<Response> for http::Response<axum::body::Body> {
    /// # Panics
    /// When the response could not leave the Worker, as upstream does.
    fn from(response: Response) -> Self {
        from_wasm(response)
            .expect("the response can leave the Worker")
            .map(axum::body::Body::new)
    }
}

//! The feature `http`, and axum's. The four functions `…_wasm` and `Body::{new, into_inner}` differ by design: upstream's take and
//! give types of `web_sys`.

both! {
    use bytes::Bytes;
    use futures_util::{Stream, TryStream};
    use worker::{
        Body, CfResponseProperties, Error, FromRequest, HttpRequest, HttpResponse, IntoResponse, Request, Response, Result,
        js_sys,
    };

    const _: fn() -> Body = Body::empty;
    const _: fn(HttpRequest) -> http::Request<Body> = |request| request;
    const _: fn(HttpResponse) -> http::Response<Body> = |response| response;
    const _: fn(CfResponseProperties) -> js_sys::Object = CfResponseProperties::into_raw;
    const _: fn(CfResponseProperties) -> Result<u8> = CfResponseProperties::try_into::<u8>;
    const _: fn(http::Error) -> Error = Error::Http;
    const _: fn(http::status::InvalidStatusCode) -> Error = Error::StatusCode;
    const _: Error = Error::TimezoneError;

    fn from_stream<S>(stream: S) -> Result<Body>
    where
        S: TryStream + 'static,
        S::Ok: Into<Vec<u8>>,
        S::Error: std::fmt::Debug,
    {
        Body::from_stream(stream)
    }

    fn conversions<B: http_body::Body<Data = Bytes> + 'static>(
        request: http::Request<B>,
        response: http::Response<B>,
    ) -> Result<()> {
        let request: Request = request.try_into()?;
        let _: HttpRequest = request.try_into()?;
        let response: Response = response.try_into()?;
        let _: HttpResponse = response.try_into()?;
        Ok(())
    }

    fn asks_body<T: http_body::Body<Data = Bytes, Error = Error>>() {}
    fn asks_stream<T: Stream<Item = Result<Bytes>>>() {}
    fn asks_from_request<T: FromRequest>() {}
    fn asks_into_response<T: IntoResponse>() {}

    fn traits<B: http_body::Body<Data = Bytes> + 'static>() {
        debug::<Body>();
        send_sync::<Body>();
        asks_body::<Body>();
        asks_stream::<Body>();
        asks_from_request::<HttpRequest>();
        asks_into_response::<HttpResponse>();
        asks_into_response::<http::Response<B>>();
        asks_into_response::<http::Response<axum::body::Body>>();
        from::<Response, http::Response<axum::body::Body>>();
        from::<http::Error, Error>();
        from::<http::status::InvalidStatusCode, Error>();
        from::<http::header::InvalidHeaderName, Error>();
        from::<http::header::InvalidHeaderValue, Error>();
        clone::<CfResponseProperties>();
        debug::<CfResponseProperties>();
        send_sync::<CfResponseProperties>();
    }
}

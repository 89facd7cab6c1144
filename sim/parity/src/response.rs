//! `Response`, `ResponseBuilder`, `ResponseBody`, `EncodeBody`, `IntoResponse`.

both! {
    use futures_util::TryStream;
    use serde::{Serialize, de::DeserializeOwned};
    use worker::{
        ByteStream, Cors, EncodeBody, Error, Headers, IntoResponse, Response, ResponseBody, ResponseBuilder, Result, Url,
    };

    const _: fn() -> ResponseBuilder = Response::builder;
    const _: fn(&u8) -> Result<Response> = Response::from_json::<u8>;
    const _: fn(Vec<u8>) -> Result<Response> = Response::from_bytes;
    const _: fn(ResponseBody) -> Result<Response> = Response::from_body;
    const _: fn() -> Result<Response> = Response::empty;
    const _: fn(Url) -> Result<Response> = Response::redirect;
    const _: fn(Url, u16) -> Result<Response> = Response::redirect_with_status;
    const _: fn(&Response) -> u16 = Response::status_code;
    const _: fn(&Response) -> &ResponseBody = Response::body;
    const _: fn(&mut Response) -> Result<ByteStream> = Response::stream;
    const _: fn(Response, Headers) -> Response = Response::with_headers;
    const _: fn(Response, u16) -> Response = Response::with_status;
    const _: fn(Response, &Cors) -> Result<Response> = Response::with_cors;
    const _: fn(&Response) -> &EncodeBody = Response::encode_body;
    const _: fn(Response, EncodeBody) -> Response = Response::with_encode_body;
    const _: fn(&Response) -> Result<Option<u8>> = Response::cf::<u8>;
    const _: fn(Response, Option<u8>) -> Result<Response> = Response::with_cf::<u8>;
    const _: fn(&Response) -> &Headers = Response::headers;
    const _: fn(&mut Response) -> &mut Headers = Response::headers_mut;
    const _: fn(Response) -> (ResponseBuilder, ResponseBody) = Response::into_parts;
    const _: fn(&mut Response) -> Result<Response> = Response::cloned;

    const _: fn() -> ResponseBuilder = ResponseBuilder::new;
    const _: fn(ResponseBuilder, u16) -> ResponseBuilder = ResponseBuilder::with_status;
    const _: fn(ResponseBuilder, Headers) -> ResponseBuilder = ResponseBuilder::with_headers;
    const _: fn(ResponseBuilder, &str, &str) -> Result<ResponseBuilder> = ResponseBuilder::with_header;
    const _: fn(ResponseBuilder, &Cors) -> Result<ResponseBuilder> = ResponseBuilder::with_cors;
    const _: fn(ResponseBuilder, EncodeBody) -> ResponseBuilder = ResponseBuilder::with_encode_body;
    const _: fn(ResponseBuilder, u8) -> Result<ResponseBuilder> = ResponseBuilder::with_cf::<u8>;
    const _: fn(ResponseBuilder, Vec<u8>) -> Response = ResponseBuilder::fixed;
    const _: fn(ResponseBuilder, ResponseBody) -> Response = ResponseBuilder::body;
    const _: fn(ResponseBuilder) -> Response = ResponseBuilder::empty;
    const _: fn(ResponseBuilder, &u8) -> Result<Response> = ResponseBuilder::from_json::<u8>;
    const _: fn(ResponseBuilder, Vec<u8>) -> Result<Response> = ResponseBuilder::from_bytes;

    fn generic<T: Serialize, S: Into<String>, H: AsRef<str>>(
        json: &T,
        texts: [S; 4],
        htmls: [H; 2],
        builders: [ResponseBuilder; 3],
    ) -> Result<()> {
        let [a, b, c, d] = texts;
        let [e, f] = htmls;
        let [g, h, i] = builders;
        let _: Is<Result<Response>> = of(Response::from_json(json));
        let _: Is<Result<Response>> = of(Response::ok(a));
        let _: Is<Result<Response>> = of(Response::error(b, 500_u16));
        let _: Is<Result<Response>> = of(Response::from_html(e));
        let _: Is<Result<Response>> = of(g.ok(c));
        let _: Is<Result<Response>> = of(h.error(d, 500_u16));
        let _: Is<Result<Response>> = of(i.from_html(f));
        Ok(())
    }

    fn streams<S>(stream: S, again: S, builder: ResponseBuilder)
    where
        S: TryStream + 'static,
        S::Ok: Into<Vec<u8>>,
        S::Error: Into<Error>,
    {
        let _: Is<Result<Response>> = of(Response::from_stream(stream));
        let _: Is<Result<Response>> = of(builder.from_stream(again));
    }

    fn body<T: DeserializeOwned>(response: &mut Response) {
        let _: Is<Result<T>> = output(response.json::<T>());
        let _: Is<Result<String>> = output(response.text());
        let _: Is<Result<Vec<u8>>> = output(response.bytes());
    }

    fn variants(body: ResponseBody, builder: ResponseBuilder) -> Response {
        match body {
            ResponseBody::Empty => builder.empty(),
            ResponseBody::Body(bytes) => builder.fixed(bytes),
            ResponseBody::Stream(stream) => {
                let _: ByteStream = stream.clone().into();
                builder.stream(stream)
            }
        }
    }

    fn encoding(encoding: EncodeBody) {
        match encoding {
            EncodeBody::Automatic | EncodeBody::Manual => {}
            _ => {}
        }
    }

    fn asks_into_response<T: IntoResponse>() {}

    fn traits() {
        debug::<Response>();
        debug::<ResponseBuilder>();
        clone::<ResponseBuilder>();
        debug::<ResponseBody>();
        clone::<ResponseBody>();
        default::<EncodeBody>();
        copy::<EncodeBody>();
        debug::<EncodeBody>();
        asks_into_response::<Response>();
    }
}

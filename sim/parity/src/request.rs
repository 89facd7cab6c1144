//! `Request`, `FromRequest`. The argument of `FromRequest::from_raw` differs by design: only the macros name it.

both! {
    use serde::de::DeserializeOwned;
    use worker::{ByteStream, Cf, FormData, FromRequest, Headers, Method, Request, RequestInit, Result, Url};

    const _: fn(&str, Method) -> Result<Request> = Request::new;
    const _: fn(&str, &RequestInit) -> Result<Request> = Request::new_with_init;
    const _: fn(&mut Request) -> Result<ByteStream> = Request::stream;
    const _: fn(&Request) -> &Headers = Request::headers;
    const _: fn(&mut Request) -> Result<&mut Headers> = Request::headers_mut;
    const _: fn(&Request) -> Option<&Cf> = Request::cf;
    const _: fn(&Request) -> Method = Request::method;
    const _: fn(&Request) -> String = Request::path;
    const _: fn(&mut Request) -> Result<&mut String> = Request::path_mut;
    const _: fn(&Request) -> Result<Url> = Request::url;
    const _: fn(&Request) -> Result<(u8,)> = Request::query::<(u8,)>;
    const _: fn(&Request) -> Result<Request> = Request::clone;
    const _: fn(&Request) -> Result<Request> = Request::clone_mut;

    // Of the runtime's own request the façade has the method; its type differs, and a Worker never has to name it.
    const _: fn(&Request) -> String = |request| request.inner().method();

    fn body<T: DeserializeOwned>(request: &mut Request) {
        let _: Is<Result<T>> = output(request.json::<T>());
        let _: Is<Result<String>> = output(request.text());
        let _: Is<Result<Vec<u8>>> = output(request.bytes());
        let _: Is<Result<FormData>> = output(request.form_data());
        let _: Is<Result<T>> = of(request.query::<T>());
    }

    fn asks_from_request<T: FromRequest>() {}

    fn traits() {
        debug::<Request>();
        send_sync::<Request>();
        asks_from_request::<Request>();
    }
}

//! `Error`. It is `non_exhaustive`, so its variants are checked one by one.

both! {
    use worker::d1::{D1Error, serde_wasm_bindgen};
    use worker::js_sys;
    use worker::kv::KvError;
    use worker::wasm_bindgen::JsValue;
    use worker::Error;

    const _: [Error; 4] = [Error::BadEncoding, Error::BodyUsed, Error::Infallible, Error::RouteNoDataError];
    const _: fn((String, u16)) -> Error = Error::Json;
    const _: [fn(String) -> Error; 8] = [
        Error::JsError,
        Error::BindingError,
        Error::RustError,
        Error::EmailRecipientSuppressed,
        Error::EmailRecipientNotAllowed,
        Error::RateLimitExceeded,
        Error::DailyLimitExceeded,
        Error::InternalError,
    ];
    const _: fn(JsValue) -> Error = Error::Internal;
    const _: fn(std::io::Error) -> Error = Error::Io;
    const _: fn(matchit::InsertError) -> Error = Error::RouteInsertError;
    const _: fn(serde_json::Error) -> Error = Error::SerdeJsonError;
    const _: fn(serde_wasm_bindgen::Error) -> Error = Error::SerdeWasmBindgenError;
    const _: fn(D1Error) -> Error = Error::D1;
    const _: fn(std::str::Utf8Error) -> Error = Error::Utf8Error;
    const _: fn(KvError) -> Error = Error::KvError;

    fn unknown(
        original: JsValue,
        name: Option<String>,
        message: String,
        code: Option<String>,
        cause: Option<Box<Error>>,
    ) -> Error {
        Error::UnknownJsError { original, name, message, code, cause }
    }

    const _: fn(&Error) -> JsValue = Error::to_js_value;

    fn traits<'a>() {
        debug::<Error>();
        display::<Error>();
        error::<Error>();
        from::<JsValue, Error>();
        from::<js_sys::Error, Error>();
        from::<serde_wasm_bindgen::Error, Error>();
        from::<std::io::Error, Error>();
        from::<std::str::Utf8Error, Error>();
        from::<std::convert::Infallible, Error>();
        from::<KvError, Error>();
        from::<D1Error, Error>();
        from::<worker::url::ParseError, Error>();
        from::<serde_urlencoded::de::Error, Error>();
        from::<serde_json::Error, Error>();
        from::<matchit::InsertError, Error>();
        from::<&'a str, Error>();
        from::<String, Error>();
        from::<Error, JsValue>();
        from::<&'a Error, &'static str>();
        from::<Error, &'static str>();
    }
}

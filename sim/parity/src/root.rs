//! The root of the crate: re-exports and `Result`.

both! {
    const _: fn(u8) -> worker::Result<u8> = worker::ok::Ok::<u8>;
    const _: fn(&str) -> Result<worker::Url, worker::url::ParseError> = worker::Url::parse;

    fn result(value: worker::Result<u8>) -> worker::Result<u8, String> {
        let value: Result<u8, worker::Error> = value;
        value.map_err(|error| error.to_string())
    }

    fn exported(_: worker::wasm_bindgen::JsValue, _: worker::js_sys::Object) {}

    const _: fn(std::future::Ready<()>) = worker::wasm_bindgen_futures::spawn_local;
    const _: fn(&worker::wasm_bindgen::JsValue) = worker::web_sys::console::log_1;
    const _: fn(&worker::wasm_bindgen::JsValue) = worker::worker_sys::web_sys::console::error_1;
    use worker::async_trait::async_trait as _;
}

//! `d1`.

both! {
    use worker::d1::D1Error;
    use worker::js_sys;
    use worker::wasm_bindgen::JsValue;

    const _: fn(&D1Error) -> String = D1Error::cause;

    fn traits() {
        clone::<D1Error>();
        debug::<D1Error>();
        display::<D1Error>();
        as_ref::<D1Error, js_sys::Error>();
        as_ref::<D1Error, JsValue>();
    }
}

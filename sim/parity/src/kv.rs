//! `kv`.

both! {
    use worker::kv::KvError;
    use worker::wasm_bindgen::JsValue;

    fn variants(value: KvError) {
        match value {
            KvError::JavaScript(value) => is::<JsValue>(value),
            KvError::Serialization(error) => is::<serde_json::Error>(error),
            KvError::InvalidKvStore(binding) => is::<String>(binding),
        }
    }

    fn traits() {
        debug::<KvError>();
        error::<KvError>();
        from::<JsValue, KvError>();
        from::<serde_json::Error, KvError>();
        from::<KvError, JsValue>();
        of::<fn(worker::KvError) -> KvError>(|error| error);
    }
}

//! `kv`.

#![expect(
    clippy::disallowed_types,
    reason = "the API of workers-rs has these maps"
)]

both! {
    use serde::{Serialize, de::DeserializeOwned};
    use std::collections::HashMap;
    use worker::kv::{
        GetBulkOptionsBuilder, GetOptionsBuilder, Key, KvError, KvStore, ListOptionsBuilder, ListResponse, PutOptionsBuilder,
        ToRawKvValue,
    };
    use worker::wasm_bindgen::JsValue;

    const _: fn(&str) -> Result<KvStore, KvError> = KvStore::create;
    const _: fn(&KvStore, &str) -> GetOptionsBuilder = KvStore::get;
    const _: fn(&KvStore, &str, u8) -> Result<PutOptionsBuilder, KvError> = KvStore::put::<u8>;
    const _: fn(&KvStore, &str, &[u8]) -> Result<PutOptionsBuilder, KvError> = KvStore::put_bytes;
    const _: fn(&KvStore) -> ListOptionsBuilder = KvStore::list;

    const _: fn(GetOptionsBuilder, u64) -> GetOptionsBuilder = GetOptionsBuilder::cache_ttl;
    const _: fn(GetBulkOptionsBuilder, u64) -> GetBulkOptionsBuilder = GetBulkOptionsBuilder::cache_ttl;
    const _: fn(PutOptionsBuilder, u64) -> PutOptionsBuilder = PutOptionsBuilder::expiration;
    const _: fn(PutOptionsBuilder, u64) -> PutOptionsBuilder = PutOptionsBuilder::expiration_ttl;
    const _: fn(PutOptionsBuilder, u8) -> Result<PutOptionsBuilder, KvError> = PutOptionsBuilder::metadata::<u8>;
    const _: fn(ListOptionsBuilder, u64) -> ListOptionsBuilder = ListOptionsBuilder::limit;
    const _: fn(ListOptionsBuilder, String) -> ListOptionsBuilder = ListOptionsBuilder::cursor;
    const _: fn(ListOptionsBuilder, String) -> ListOptionsBuilder = ListOptionsBuilder::prefix;

    fn store<T: ToRawKvValue, K: AsRef<str>>(store: &KvStore, value: T, keys: &[K]) {
        let _: Is<Result<PutOptionsBuilder, KvError>> = of(store.put("", value));
        let _: Is<GetBulkOptionsBuilder> = of(store.get_bulk(keys));
        let _: Is<Result<(), KvError>> = output(store.delete(""));
    }

    fn reads<T: DeserializeOwned, M: DeserializeOwned>(get: fn() -> GetOptionsBuilder) {
        let _: Is<Result<Option<String>, KvError>> = output(get().text());
        let _: Is<Result<Option<T>, KvError>> = output(get().json::<T>());
        let _: Is<Result<Option<Vec<u8>>, KvError>> = output(get().bytes());
        let _: Is<Result<(Option<String>, Option<M>), KvError>> = output(get().text_with_metadata::<M>());
        let _: Is<Result<(Option<T>, Option<M>), KvError>> = output(get().json_with_metadata::<T, M>());
        let _: Is<Result<(Option<Vec<u8>>, Option<M>), KvError>> = output(get().bytes_with_metadata::<M>());
    }

    type Many<T> = Result<HashMap<String, T>, KvError>;

    fn bulk_reads<T: DeserializeOwned, M: DeserializeOwned>(get: fn() -> GetBulkOptionsBuilder) {
        let _: Is<Many<Option<String>>> = output(get().text());
        let _: Is<Many<Option<T>>> = output(get().json::<T>());
        let _: Is<Many<(Option<String>, Option<M>)>> = output(get().text_with_metadata::<M>());
        let _: Is<Many<(Option<T>, Option<M>)>> = output(get().json_with_metadata::<T, M>());
    }

    fn writes<M: Serialize>(put: PutOptionsBuilder, list: ListOptionsBuilder, metadata: M) -> Result<(), KvError> {
        let _: Is<Result<(), KvError>> = output(put.metadata(metadata)?.execute());
        let _: Is<Result<ListResponse, KvError>> = output(list.execute());
        Ok(())
    }

    fn list_response(keys: Vec<Key>, list_complete: bool, cursor: Option<String>) -> ListResponse {
        ListResponse { keys, list_complete, cursor }
    }

    fn key(name: String, expiration: Option<u64>, metadata: Option<serde_json::Value>) -> Key {
        Key { name, expiration, metadata }
    }

    struct Raw;

    /// A Worker may implement it for unserializable types of its own.
    impl ToRawKvValue for Raw {
        fn raw_kv_value(&self) -> Result<JsValue, KvError> {
            ToRawKvValue::raw_kv_value("text").and_then(|_| 7.raw_kv_value())
        }
    }

    fn variants(value: KvError) {
        match value {
            KvError::JavaScript(value) => is::<JsValue>(value),
            KvError::Serialization(error) => is::<serde_json::Error>(error),
            KvError::InvalidKvStore(binding) => is::<String>(binding),
        }
    }

    fn asks_serde<T: Serialize + DeserializeOwned>() {}

    fn traits() {
        clone::<KvStore>();
        debug::<KvStore>();
        send_sync::<KvStore>();
        clone::<GetOptionsBuilder>();
        debug::<GetOptionsBuilder>();
        debug::<GetBulkOptionsBuilder>();
        clone::<PutOptionsBuilder>();
        debug::<PutOptionsBuilder>();
        clone::<ListOptionsBuilder>();
        debug::<ListOptionsBuilder>();
        clone::<ListResponse>();
        debug::<ListResponse>();
        asks_serde::<ListResponse>();
        clone::<Key>();
        debug::<Key>();
        asks_serde::<Key>();
        debug::<KvError>();
        error::<KvError>();
        from::<JsValue, KvError>();
        from::<serde_json::Error, KvError>();
        from::<KvError, JsValue>();
        of::<fn(worker::KvError) -> KvError>(|error| error);
        of::<fn(worker::KvStore) -> KvStore>(|store| store);
    }
}

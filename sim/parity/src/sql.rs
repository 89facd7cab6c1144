//! `SqlStorage` and its cursors.

both! {
    use serde::de::DeserializeOwned;
    use worker::wasm_bindgen::JsValue;
    use worker::{Error, Result, SqlCursor, SqlCursorIterator, SqlCursorRawIterator, SqlStorage, SqlStorageValue};

    const _: fn(&SqlStorage) -> usize = SqlStorage::database_size;
    const _: fn(&SqlCursor) -> Result<Vec<u8>> = SqlCursor::to_array::<u8>;
    const _: fn(&SqlCursor) -> Result<u8> = SqlCursor::one::<u8>;
    const _: fn(&SqlCursor) -> Vec<String> = SqlCursor::column_names;
    const _: fn(&SqlCursor) -> usize = SqlCursor::rows_read;
    const _: fn(&SqlCursor) -> usize = SqlCursor::rows_written;
    const _: fn(&SqlCursor) -> SqlCursorIterator<u8> = SqlCursor::next::<u8>;
    const _: fn(&SqlCursor) -> SqlCursorRawIterator = SqlCursor::raw;
    const _: fn(i64) -> Result<SqlStorageValue> = SqlStorageValue::try_from_i64;

    fn exec<B: Into<Option<Vec<SqlStorageValue>>>, R: Into<Option<Vec<JsValue>>>>(storage: &SqlStorage, bindings: B, raw: R) {
        let _: Is<Result<SqlCursor>> = of(storage.exec("", bindings));
        let _: Is<Result<SqlCursor>> = of(storage.exec_raw("", raw));
    }

    fn variants(value: SqlStorageValue) {
        match value {
            SqlStorageValue::Null => (),
            SqlStorageValue::Boolean(value) => is::<bool>(value),
            SqlStorageValue::Integer(number) => is::<i64>(number),
            SqlStorageValue::Float(number) => is::<f64>(number),
            SqlStorageValue::String(text) => is::<String>(text),
            SqlStorageValue::Blob(bytes) => is::<Vec<u8>>(bytes),
        }
    }

    fn asks_iterator<T, I: Iterator<Item = T>>() {}
    fn asks_try_from<A, B: TryFrom<A, Error = Error>>() {}
    fn asks_partial_eq<T: PartialEq>() {}

    fn traits<'a>() {
        clone::<SqlStorage>();
        debug::<SqlStorage>();
        send_sync::<SqlStorage>();
        clone::<SqlCursor>();
        debug::<SqlCursor>();
        send_sync::<SqlCursor>();
        asks_iterator::<Result<JsValue>, SqlCursor>();
        asks_iterator::<Result<u8>, SqlCursorIterator<u8>>();
        asks_iterator::<Result<Vec<SqlStorageValue>>, SqlCursorRawIterator>();
        debug::<SqlCursorIterator<u8>>();
        debug::<SqlCursorRawIterator>();
        clone::<SqlStorageValue>();
        debug::<SqlStorageValue>();
        asks_partial_eq::<SqlStorageValue>();
        from::<bool, SqlStorageValue>();
        from::<i32, SqlStorageValue>();
        from::<i64, SqlStorageValue>();
        from::<f64, SqlStorageValue>();
        from::<String, SqlStorageValue>();
        from::<&'a str, SqlStorageValue>();
        from::<Vec<u8>, SqlStorageValue>();
        from::<Option<bool>, SqlStorageValue>();
        from::<SqlStorageValue, JsValue>();
        asks_try_from::<JsValue, SqlStorageValue>();
    }
}

//! `d1`.

both! {
    use serde::de::DeserializeOwned;
    use std::future::IntoFuture;
    use worker::d1::{
        D1Argument, D1Database, D1Error, D1PreparedArgument, D1PreparedStatement, D1Result, D1ResultMeta, D1Type,
    };
    use worker::Result;
    use worker::js_sys;
    use worker::wasm_bindgen::JsValue;

    const _: fn(&D1Database, String) -> D1PreparedStatement = D1Database::prepare::<String>;
    const _: fn(D1PreparedStatement, &[JsValue]) -> Result<D1PreparedStatement> = D1PreparedStatement::bind;
    const _: fn(&D1Result) -> bool = D1Result::success;
    const _: fn(&D1Result) -> Option<String> = D1Result::error;
    const _: fn(&D1Result) -> Result<Vec<u8>> = D1Result::results::<u8>;
    const _: fn(&D1Result) -> Result<Option<D1ResultMeta>> = D1Result::meta;
    const _: fn(&D1Error) -> String = D1Error::cause;

    fn database<T: Into<String>>(database: &D1Database, query: T, statements: Vec<D1PreparedStatement>) {
        let _: Is<D1PreparedStatement> = of(database.prepare(query));
        let _: Is<Result<Vec<D1Result>>> = output(database.batch(statements));
        let _: Is<Result<Vec<u8>>> = output(database.dump());
    }

    /// What `exec` answers has no name outside the real crate.
    async fn exec(database: &D1Database) -> Result<()> {
        let done = database.exec("").await?;
        let _: Is<std::result::Result<Option<u32>, JsValue>> = of(done.count());
        let _: Is<std::result::Result<Option<f64>, JsValue>> = of(done.duration());
        Ok(())
    }

    fn statement<T: DeserializeOwned>(statement: &D1PreparedStatement) {
        let _: Is<Result<Option<T>>> = output(statement.first::<T>(None));
        let _: Is<Result<D1Result>> = output(statement.run());
        let _: Is<Result<D1Result>> = output(statement.all());
        let _: Is<Result<Vec<Vec<T>>>> = output(statement.raw::<T>());
        let _: Is<Result<Vec<JsValue>>> = output(statement.raw_js_value());
    }

    fn binds<A: D1Argument>(statement: &D1PreparedStatement, arguments: Vec<A>, rows: Vec<Vec<A>>) {
        let _: Is<Result<D1PreparedStatement>> = of(statement.bind_refs(&arguments));
        let _: Is<Result<Vec<D1PreparedStatement>>> = of(statement.batch_bind(&rows));
    }

    fn arguments<'a>(value: &'a D1Type<'a>) -> D1PreparedArgument<'a> {
        is::<JsValue>(value.into());
        let _: Is<Vec<&'a D1Type<'a>>> = of(value.into_iter().collect::<Vec<_>>());
        let argument = D1PreparedArgument::new(value);
        let _: &D1Type<'_> = &argument;
        argument
    }

    fn variants(value: D1Type<'_>) {
        match value {
            D1Type::Null => (),
            D1Type::Real(number) => is::<f64>(number),
            D1Type::Integer(number) => is::<i32>(number),
            D1Type::Text(text) => is::<&str>(text),
            D1Type::Boolean(value) => is::<bool>(value),
            D1Type::Blob(bytes) => is::<&[u8]>(bytes),
        }
    }

    fn meta(
        changed_db: Option<bool>,
        changes: Option<usize>,
        duration: Option<f64>,
        last_row_id: Option<i64>,
        rows_read: Option<usize>,
        rows_written: Option<usize>,
        size_after: Option<usize>,
    ) -> D1ResultMeta {
        D1ResultMeta { changed_db, changes, duration, last_row_id, rows_read, rows_written, size_after }
    }

    fn serializer() -> worker::d1::serde_wasm_bindgen::Serializer {
        worker::d1::serde_wasm_bindgen::Serializer::new().serialize_missing_as_null(true)
    }

    fn query_macro(database: &D1Database) -> Result<D1PreparedStatement> {
        let _: Is<D1PreparedStatement> = of(worker::query!(database, "SELECT 1"));
        worker::query!(database, "SELECT ?1, ?2", &1_u32, "two".to_owned(),)
    }

    fn asks_argument<T: D1Argument>() {}
    fn asks_await<T: IntoFuture<Output = Result<D1Result>>>() {}
    fn asks_deserialize<T: DeserializeOwned>() {}

    fn traits() {
        debug::<D1Database>();
        send_sync::<D1Database>();
        clone::<D1PreparedStatement>();
        debug::<D1PreparedStatement>();
        asks_await::<D1PreparedStatement>();
        asks_argument::<D1Type<'static>>();
        asks_argument::<D1PreparedArgument<'static>>();
        debug::<D1Type<'static>>();
        debug::<D1PreparedArgument<'static>>();
        debug::<D1Result>();
        clone::<D1ResultMeta>();
        debug::<D1ResultMeta>();
        asks_deserialize::<D1ResultMeta>();
        clone::<D1Error>();
        debug::<D1Error>();
        display::<D1Error>();
        as_ref::<D1Error, js_sys::Error>();
        as_ref::<D1Error, JsValue>();
    }
}

//! `durable`: namespaces, stubs, the state of an object, the trait of a class.

both! {
    use serde::{Serialize, de::DeserializeOwned};
    use std::ops::Deref;
    use std::time::Duration;
    use worker::durable::has_durable_object_attribute;
    use worker::js_sys::{self, Map, Object};
    use worker::wasm_bindgen::JsValue;
    use worker::{
        DurableObject, Env, GetAlarmOptions, ListOptions, ObjectId, ObjectNamespace, Request, Response, Result, ScheduledTime,
        SetAlarmOptions, SqlStorage, State, Storage, Stub, Transaction,
    };

    const _: for<'a> fn(&'a ObjectNamespace, &str) -> Result<ObjectId<'a>> = ObjectNamespace::id_from_name;
    const _: for<'a> fn(&'a ObjectNamespace, &str) -> Result<ObjectId<'a>> = ObjectNamespace::id_from_string;
    const _: for<'a> fn(&'a ObjectNamespace) -> Result<ObjectId<'a>> = ObjectNamespace::unique_id;
    const _: for<'a> fn(&'a ObjectNamespace, &str) -> Result<ObjectId<'a>> = ObjectNamespace::unique_id_with_jurisdiction;
    const _: fn(&ObjectNamespace, &str) -> Result<Stub> = ObjectNamespace::get_by_name;
    const _: fn(&ObjectNamespace, &str, &str) -> Result<Stub> = ObjectNamespace::get_by_name_with_location_hint;
    const _: fn(&ObjectId<'static>) -> Result<Stub> = ObjectId::get_stub;
    const _: fn(&ObjectId<'static>, &str) -> Result<Stub> = ObjectId::get_stub_with_location_hint;
    const _: fn(&ObjectId<'static>) -> Option<String> = ObjectId::name;
    const _: fn(&State) -> ObjectId<'_> = State::id;
    const _: fn(&State) -> Storage = State::storage;
    const _: fn(&Storage) -> SqlStorage = Storage::sql;
    const _: fn(&Transaction) -> Result<()> = Transaction::rollback;

    fn stub(stub: &Stub, request: Request) {
        let _: Is<Result<Response>> = output(stub.fetch_with_request(request));
        let _: Is<Result<Response>> = output(stub.fetch_with_str(""));
    }

    fn state<F, G, T>(state: &State, background: F, blocking: G)
    where
        F: Future<Output = ()> + 'static,
        G: Future<Output = Result<T>> + 'static,
        T: 'static,
    {
        let _: Is<()> = of(state.wait_until(background));
        let _: Is<Result<T>> = output(state.block_concurrency_while(blocking));
    }

    fn run_transaction<F, Fut>(storage: &Storage, closure: F)
    where
        F: FnOnce(Transaction) -> Fut + 'static,
        Fut: Future<Output = Result<()>> + 'static,
    {
        let _: Is<Result<()>> = output(storage.transaction(closure));
    }

    fn storage<T: Serialize + DeserializeOwned, K: Deref<Target = str>, V: Into<JsValue>>(
        storage: &Storage,
        values: [T; 2],
        raw: V,
        object: Object,
        keys: [Vec<K>; 2],
        options: ListOptions<'_>,
    ) {
        let [value, many] = values;
        let [read, deleted] = keys;
        let _: Is<Result<Option<T>>> = output(storage.get::<T>(""));
        let _: Is<Result<Map>> = output(storage.get_multiple(read));
        let _: Is<Result<()>> = output(storage.put("", value));
        let _: Is<Result<()>> = output(storage.put_raw("", raw));
        let _: Is<Result<()>> = output(storage.put_multiple(many));
        let _: Is<Result<()>> = output(storage.put_multiple_raw(object));
        let _: Is<Result<bool>> = output(storage.delete(""));
        let _: Is<Result<usize>> = output(storage.delete_multiple(deleted));
        let _: Is<Result<()>> = output(storage.delete_all());
        let _: Is<Result<Map>> = output(storage.list());
        let _: Is<Result<Map>> = output(storage.list_with_options(options));
        let _: Is<Result<()>> = output(storage.sync());
    }

    fn alarms<T: Into<ScheduledTime>>(storage: &Storage, at: [T; 2], get: GetAlarmOptions, set: [SetAlarmOptions; 2]) {
        let [first, second] = at;
        let [with, without] = set;
        let _: Is<Result<Option<i64>>> = output(storage.get_alarm());
        let _: Is<Result<Option<i64>>> = output(storage.get_alarm_with_options(get));
        let _: Is<Result<()>> = output(storage.set_alarm(first));
        let _: Is<Result<()>> = output(storage.set_alarm_with_options(second, with));
        let _: Is<Result<()>> = output(storage.delete_alarm());
        let _: Is<Result<()>> = output(storage.delete_alarm_with_options(without));
    }

    fn transaction<T: Serialize + DeserializeOwned, K: Deref<Target = str>>(
        transaction: &Transaction,
        values: [T; 2],
        keys: [Vec<K>; 2],
        options: ListOptions<'_>,
    ) {
        let [value, many] = values;
        let [read, deleted] = keys;
        let _: Is<Result<T>> = output(transaction.get::<T>(""));
        let _: Is<Result<Map>> = output(transaction.get_multiple(read));
        let _: Is<Result<()>> = output(transaction.put("", value));
        let _: Is<Result<()>> = output(transaction.put_multiple(many));
        let _: Is<Result<bool>> = output(transaction.delete(""));
        let _: Is<Result<usize>> = output(transaction.delete_multiple(deleted));
        let _: Is<Result<()>> = output(transaction.delete_all());
        let _: Is<Result<Map>> = output(transaction.list());
        let _: Is<Result<Map>> = output(transaction.list_with_options(options));
    }

    fn list_options<'a>(text: &'a str) -> ListOptions<'a> {
        ListOptions::new().start(text).end(text).prefix(text).reverse(true).limit(1_usize)
    }

    fn alarm_options(get: Option<bool>, set: Option<bool>, unconfirmed: Option<bool>) -> (GetAlarmOptions, SetAlarmOptions) {
        (GetAlarmOptions { allow_concurrency: get }, SetAlarmOptions { allow_concurrency: set, allow_unconfirmed: unconfirmed })
    }

    struct Class {
        state: State,
    }

    impl has_durable_object_attribute for Class {}

    impl DurableObject for Class {
        fn new(state: State, _: Env) -> Self {
            Self { state }
        }

        async fn fetch(&self, _: Request) -> Result<Response> {
            Response::empty()
        }
    }

    struct WithAlarm;

    impl has_durable_object_attribute for WithAlarm {}

    impl DurableObject for WithAlarm {
        fn new(_: State, _: Env) -> Self {
            Self
        }

        async fn fetch(&self, _: Request) -> Result<Response> {
            Response::empty()
        }

        async fn alarm(&self) -> Result<Response> {
            Response::empty()
        }
    }

    fn asks_partial_eq<T: PartialEq>() {}

    fn traits() {
        clone::<ObjectNamespace>();
        debug::<ObjectNamespace>();
        send_sync::<ObjectNamespace>();
        debug::<ObjectId<'static>>();
        display::<ObjectId<'static>>();
        asks_partial_eq::<ObjectId<'static>>();
        debug::<Stub>();
        send_sync::<Stub>();
        debug::<State>();
        debug::<Storage>();
        debug::<Transaction>();
        default::<ListOptions<'static>>();
        debug::<ListOptions<'static>>();
        default::<GetAlarmOptions>();
        clone::<GetAlarmOptions>();
        default::<SetAlarmOptions>();
        clone::<SetAlarmOptions>();
        of::<fn(js_sys::Date) -> ScheduledTime>(ScheduledTime::new);
        from::<i64, ScheduledTime>();
        from::<chrono::DateTime<chrono::Utc>, ScheduledTime>();
        from::<Duration, ScheduledTime>();
    }
}

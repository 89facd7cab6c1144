//! `Env`, `Secret`, `Var`.

both! {
    use worker::wasm_bindgen::JsValue;
    use serde::de::DeserializeOwned;
    use worker::{D1Database, Env, KvStore, ObjectNamespace, Result, Secret, Var};

    const _: fn(&Env, &str) -> Result<Secret> = Env::secret;
    const _: fn(&Env, &str) -> Result<Var> = Env::var;
    const _: fn(&Env, &str) -> Result<KvStore> = Env::kv;
    const _: fn(&Env, &str) -> Result<ObjectNamespace> = Env::durable_object;
    const _: fn(&Env, &str) -> Result<D1Database> = Env::d1;

    fn object_var<T: DeserializeOwned>(env: &Env) -> Result<T> {
        env.object_var::<T>("")
    }

    fn traits() {
        clone::<Env>();
        debug::<Env>();
        send_sync::<Env>();
        display::<Secret>();
        debug::<Secret>();
        from::<JsValue, Secret>();
        from::<Secret, JsValue>();
        as_ref::<Secret, JsValue>();
        of::<fn(Var) -> Secret>(|var| var);
    }
}

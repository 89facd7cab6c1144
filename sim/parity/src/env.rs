//! `Env`, `Secret`, `Var`.

both! {
    use worker::wasm_bindgen::JsValue;
    use worker::{Env, Result, Secret, Var};

    const _: fn(&Env, &str) -> Result<Secret> = Env::secret;
    const _: fn(&Env, &str) -> Result<Var> = Env::var;

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

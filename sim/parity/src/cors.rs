//! `Cors`.

both! {
    use worker::{Cors, Headers, Method, Result};

    const _: fn() -> Cors = Cors::new;
    const _: fn(Cors, bool) -> Cors = Cors::with_credentials;
    const _: fn(Cors, u32) -> Cors = Cors::with_max_age;
    const _: fn(Cors, Vec<&'static str>) -> Cors = Cors::with_origins::<&'static str, Vec<&'static str>>;
    const _: fn(Cors, Vec<Method>) -> Cors = Cors::with_methods::<Vec<Method>>;
    const _: fn(Cors, Vec<String>) -> Cors = Cors::with_allowed_headers::<String, Vec<String>>;
    const _: fn(Cors, Vec<String>) -> Cors = Cors::with_exposed_headers::<String, Vec<String>>;
    const _: fn(&Cors, &mut Headers) -> Result<()> = Cors::apply_headers;

    fn bounds<S: Into<String>, V: IntoIterator<Item = S>>(cors: Cors, a: V, b: V, c: V) -> Cors {
        cors.with_origins(a).with_allowed_headers(b).with_exposed_headers(c)
    }

    fn traits() {
        default::<Cors>();
        debug::<Cors>();
        clone::<Cors>();
        send_sync::<Cors>();
    }
}

//! `Date`, `DateInit`.

both! {
    use worker::js_sys;
    use worker::{Date, DateInit};

    const _: fn(DateInit) -> Date = Date::new;
    const _: fn() -> Date = Date::now;
    const _: fn(&Date) -> u64 = Date::as_millis;

    fn variants(init: DateInit) {
        match init {
            DateInit::Millis(ms) => is::<u64>(ms),
            DateInit::String(text) => is::<String>(text),
        }
    }

    fn asks_eq<T: Eq>() {}

    fn traits() {
        clone::<Date>();
        debug::<Date>();
        display::<Date>();
        asks_eq::<Date>();
        debug::<DateInit>();
        from::<DateInit, Date>();
        from::<chrono::DateTime<chrono::Utc>, Date>();
        from::<Date, js_sys::Date>();
        from::<js_sys::Date, Date>();
    }
}

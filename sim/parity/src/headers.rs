//! `Headers`.

both! {
    use http::HeaderMap;
    use worker::{Headers, Result};

    const _: fn() -> Headers = Headers::new;
    const _: fn(&Headers, &str) -> Result<Option<String>> = Headers::get;
    const _: fn(&Headers, &str) -> Result<Vec<String>> = Headers::get_all;
    const _: fn(&Headers, &str) -> Result<bool> = Headers::has;
    const _: fn(&Headers) -> bool = Headers::is_empty;
    const _: fn(&Headers, &str, &str) -> Result<()> = Headers::append;
    const _: fn(&Headers, &str, &str) -> Result<()> = Headers::set;
    const _: fn(&Headers, &str) -> Result<()> = Headers::delete;

    /// The iterators do not borrow the headers.
    fn iterators(headers: Headers) {
        let entries = headers.entries();
        let keys = headers.keys();
        let values = headers.values();
        let by_reference = (&headers).into_iter();
        drop(headers);
        let _: Is<Vec<(String, String)>> = of(entries.collect::<Vec<_>>());
        let _: Is<Vec<(String, String)>> = of(by_reference.collect::<Vec<_>>());
        let _: Is<Vec<String>> = of(keys.chain(values).collect::<Vec<_>>());
    }

    fn collects<T: AsRef<str>>(owned: Vec<(T, T)>) -> (Headers, Headers) {
        (owned.iter().collect(), owned.into_iter().collect())
    }

    fn traits<'a>() {
        default::<Headers>();
        debug::<Headers>();
        clone::<Headers>();
        send_sync::<Headers>();
        from::<HeaderMap, Headers>();
        from::<&'a HeaderMap, Headers>();
        from::<Headers, HeaderMap>();
        from::<&'a Headers, HeaderMap>();
    }
}

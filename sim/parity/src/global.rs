//! `Fetch`.

both! {
    use worker::{AbortSignal, Fetch, Request, Response, Result, Url};

    fn variants(fetch: Fetch) {
        match fetch {
            Fetch::Url(url) => is::<Url>(url),
            Fetch::Request(request) => is::<Request>(request),
        }
    }

    fn send(fetch: &Fetch, signal: &AbortSignal) {
        let _: Is<Result<Response>> = output(fetch.send());
        let _: Is<Result<Response>> = output(fetch.send_with_signal(signal));
    }

    fn traits() {
        debug::<Fetch>();
    }
}

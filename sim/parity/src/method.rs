//! `Method`.

both! {
    use worker::Method;

    const _: fn() -> Vec<Method> = Method::all;

    /// The order of the enum is part of it.
    const ORDER: [isize; 10] = [
        Method::Head as isize,
        Method::Get as isize,
        Method::Post as isize,
        Method::Put as isize,
        Method::Patch as isize,
        Method::Delete as isize,
        Method::Options as isize,
        Method::Connect as isize,
        Method::Trace as isize,
        Method::Report as isize,
    ];
    const _: () = {
        let mut at = 0;
        while at < ORDER.len() {
            assert!(ORDER[at] == at as isize);
            at += 1;
        }
    };

    fn variants(method: Method) {
        match method {
            Method::Head | Method::Get | Method::Post | Method::Put | Method::Patch => {}
            Method::Delete | Method::Options | Method::Connect | Method::Trace | Method::Report => {}
        }
    }

    fn traits() {
        default::<Method>();
        debug::<Method>();
        display::<Method>();
        clone::<Method>();
        eq::<Method>();
        send_sync::<Method>();
        from::<String, Method>();
        from::<Method, String>();
        as_ref::<Method, str>();
    }
}

use super::api::{Api, DATABASES, Envelope as _, NAMESPACES, TOKEN};

#[test]
fn nothing_is_answered_without_the_token() {
    let api = Api::start();
    let cache = api.cache_path();
    let db = api.db_path();
    let wrong = |token: &str| format!("Bearer {token}");
    for (authorization, status) in [
        (None, 401),
        (Some(TOKEN.to_owned()), 401),
        (Some(format!("Basic {TOKEN}")), 401),
        (Some("Bearer".to_owned()), 401),
        (Some(wrong("")), 401),
        (Some(wrong(&TOKEN[1..])), 403),
        (Some(wrong(&TOKEN[..TOKEN.len() - 1])), 403),
        (Some(wrong(&format!("{TOKEN}x"))), 403),
        (Some(wrong(&TOKEN.to_uppercase())), 403),
    ] {
        for (method, path) in [
            ("GET", NAMESPACES),
            ("POST", NAMESPACES),
            ("PUT", &*format!("{cache}/values/key")),
            ("DELETE", &*cache),
            ("GET", DATABASES),
            ("POST", &*format!("{db}/query")),
            ("DELETE", &*db),
            ("GET", "/client/v4/user"),
            ("GET", "/"),
        ] {
            let headers = authorization
                .as_deref()
                .map(|value| ("Authorization", value));
            let headers: Vec<_> = headers.into_iter().collect();
            let body = br#"{"title":"t","sql":"DROP TABLE x"}"#;
            let answer = api.send_bare(method, path, &headers, body);
            let expected = (status, 10_000, "Authentication error".to_owned());
            assert_eq!(
                answer.error(),
                expected,
                "{method} {path} {authorization:?}"
            );
            assert!(!answer.text().contains(TOKEN));
        }
    }
    // And nothing was done.
    assert_eq!(api.cache_path(), cache);
    assert_eq!(api.db_path(), db);
    assert_eq!(api.get(&format!("{cache}/values/key")).status, 404);
}

#[test]
fn the_scheme_is_read_in_any_case() {
    let api = Api::start();
    let bearer = format!("bEaReR {TOKEN}");
    let answer = api.send_bare("GET", NAMESPACES, &[("authorization", &bearer)], b"");
    assert!(answer.result().is_array());
}

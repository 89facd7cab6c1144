//! What the fuzzer and the plain tests do with an input: hand it to a parser of a wire format, and look at what comes out.
//!
//! An input is a kind, a method, and then three parts that end with a zero byte each: target, header, body.

use edgeproof_sim::platform::d1::Call as D1Call;
use edgeproof_sim::serve::{api, workerd};
use http::{HeaderMap, HeaderValue, Method};

const METHODS: [Method; 6] = [
    Method::GET,
    Method::PUT,
    Method::POST,
    Method::DELETE,
    Method::PATCH,
    Method::OPTIONS,
];

/// Hands an input to the parser that it is for.
///
/// # Panics
/// If a parser panics, or answers what cannot be sent.
pub(crate) fn exercise(input: &[u8]) {
    let [kind, method, rest @ ..] = input else {
        return;
    };
    let method = &METHODS[usize::from(*method) % METHODS.len()];
    let mut parts = rest.splitn(3, |byte| *byte == 0);
    let mut part = || parts.next().unwrap_or_default();
    let (target, header, body) = (part(), part(), part());
    // Targets reach the parsers through hyper, which takes no others.
    let target = String::from_utf8_lossy(target);
    let Ok(uri) = target.parse::<http::Uri>() else {
        return;
    };
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    match kind % 5 {
        0 => {
            let metadata = (!header.is_empty()).then_some(header);
            match workerd::kv::parse(method, path, metadata, body) {
                Ok(workerd::kv::Call::GetMany { keys, .. }) => {
                    assert!((1..=100).contains(&keys.len()), "{} keys", keys.len());
                }
                Ok(workerd::kv::Call::Get { key, .. } | workerd::kv::Call::Delete { key }) => {
                    assert!(!matches!(&*key, "" | "." | ".."), "{key:?}");
                }
                Ok(_) => {}
                Err(failure) => {
                    assert!((400..600).contains(&failure.status), "{failure:?}");
                    let sendable = |byte: u8| (b' '..=b'~').contains(&byte);
                    assert!(failure.reason.bytes().all(sendable), "{failure:?}");
                }
            }
        }
        1 => match workerd::d1::parse(method, path, body) {
            Ok(request) => {
                assert_eq!(request.list, matches!(request.call, D1Call::Batch(_)));
            }
            Err((status, _)) => assert!((400..500).contains(&status), "{status}"),
        },
        2 => {
            if let Ok(call) = workerd::rate_limit::parse(body) {
                assert!(matches!(call.period, 10 | 60), "{call:?}");
            }
        }
        3 => {
            let host = (!header.is_empty()).then_some(header);
            if let Ok(url) = workerd::outbound::parse(&uri, host) {
                assert!(
                    matches!(url.scheme(), "http" | "https") && url.host().is_some(),
                    "{url}"
                );
            }
        }
        _ => {
            let mut headers = HeaderMap::new();
            if let Ok(value) = HeaderValue::from_bytes(header) {
                headers.insert(http::header::CONTENT_TYPE, value);
            }
            // Whatever it answers can be sent: it has no status or text of the input's making.
            drop(api::call::parse(
                method,
                path,
                &headers,
                body.to_vec().into(),
            ));
        }
    }
}

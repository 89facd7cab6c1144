//! What holds for every answer, whatever was asked (sections 1 and 2 of the contract).

use crate::openapi;
use support::client::Answer;

/// Headers with one right value.
const FIXED: [(&str, &str); 3] = [
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// Headers that hold at least this.
const HOLDING: [(&str, &str); 6] = [
    ("content-security-policy", "default-src 'none'"),
    ("content-security-policy", "frame-ancestors 'none'"),
    ("permissions-policy", "geolocation=()"),
    ("permissions-policy", "camera=()"),
    ("permissions-policy", "microphone=()"),
    ("cache-control", "no-store"),
];

/// What no body says: names of files and programs, SQL, the texts of engines.
const INSIDE: [&str; 14] = [
    ".rs:",
    ".js:",
    ".sql",
    "panicked",
    "stack",
    "SQLITE",
    "sqlite",
    "D1_",
    "SELECT ",
    "INSERT ",
    "RuntimeError",
    "TypeError",
    "wasm",
    "unreachable",
];

/// # Panics
/// If the answer breaks a rule, with all that it breaks.
pub(crate) fn answer(method: &str, target: &str, answer: &Answer) {
    let mut faults = Vec::new();
    headers(answer, &mut faults);
    body(method, answer, &mut faults);
    if answer.status >= 500 {
        faults.push("H3: no request gets a 5xx".to_owned());
    }
    faults.extend(openapi::description().faults(method, target, answer));
    let target: String = target.chars().take(200).collect();
    assert!(
        faults.is_empty(),
        "{method} {target}: {} {:?} {}\n- {}",
        answer.status,
        answer.headers,
        answer.text().chars().take(600).collect::<String>(),
        faults.join("\n- ")
    );
}

/// Section 2. Also what an answer must have that is no success.
pub(crate) fn headers(answer: &Answer, faults: &mut Vec<String>) {
    let mut rule = |holds: bool, text: String| {
        if !holds {
            faults.push(text);
        }
    };
    for (name, value) in FIXED {
        rule(
            answer.header(name) == value,
            format!("{name} is not {value}"),
        );
    }
    for (name, part) in HOLDING {
        rule(
            answer.header(name).contains(part),
            format!("{name} does not hold {part}"),
        );
    }
    let transport = answer.header("strict-transport-security");
    let age = transport
        .split(';')
        .find_map(|part| part.trim().strip_prefix("max-age="))
        .and_then(|age| age.parse::<u64>().ok());
    rule(
        age >= Some(31_536_000) && transport.contains("includeSubDomains"),
        format!("strict-transport-security: {transport:?}"),
    );
    rule(
        ["no-referrer", "strict-origin-when-cross-origin"]
            .contains(&answer.header("referrer-policy")),
        "referrer-policy".to_owned(),
    );
    rule(
        !answer.header("x-request-id").is_empty(),
        "no x-request-id".to_owned(),
    );
    rule(
        !answer.headers.contains_key("x-powered-by"),
        "x-powered-by".to_owned(),
    );
    rule(
        !answer
            .header("server")
            .contains(|c: char| c.is_ascii_digit()),
        format!("server: {:?}", answer.header("server")),
    );
    rule(
        ["", "0"].contains(&answer.header("x-xss-protection")),
        "x-xss-protection".to_owned(),
    );
    rule(
        answer
            .header("vary")
            .to_ascii_lowercase()
            .contains("origin"),
        "S2: vary does not hold origin".to_owned(),
    );
    rule(
        !["*", "null"].contains(&answer.header("access-control-allow-origin")),
        "S2: any origin is let in".to_owned(),
    );
    // RFC 6585 and 9110: an answer that asks to retry later says when.
    rule(
        ![429, 503].contains(&answer.status) || !answer.header("retry-after").is_empty(),
        "no retry-after".to_owned(),
    );
    rule(
        answer.status != 401 || answer.header("www-authenticate").starts_with("Bearer"),
        "A2: no www-authenticate".to_owned(),
    );
    rule(
        answer.status != 405 || !answer.header("allow").is_empty(),
        "H1: no allow".to_owned(),
    );
}

/// H2.
fn body(method: &str, answer: &Answer, faults: &mut Vec<String>) {
    let mut rule = |holds: bool, text: &str| {
        if !holds {
            faults.push(text.to_owned());
        }
    };
    let media_type = answer.header("content-type");
    if answer.status < 400 {
        // Prometheus text is the one success that is no JSON; 204 has no body.
        let json = media_type.starts_with("application/json");
        let prometheus = media_type.starts_with("text/plain; version=0.0.4");
        let empty = answer.status == 204 && media_type.is_empty() && answer.body.is_empty();
        rule(
            json || prometheus || empty,
            "H2: a success is application/json",
        );
        return;
    }
    rule(
        media_type == "application/problem+json",
        "H2: a failure is application/problem+json",
    );
    if method == "HEAD" {
        return;
    }
    let Ok(problem) = serde_json::from_slice::<serde_json::Value>(&answer.body) else {
        return rule(false, "H2: a failure's body is JSON");
    };
    rule(problem["title"].is_string(), "H2: title");
    rule(problem["detail"].is_string(), "H2: detail");
    rule(problem["status"] == answer.status, "H2: status in the body");
    rule(
        problem["requestId"] == answer.header("x-request-id"),
        "H2: requestId is not that of the header",
    );
    let text = answer.text();
    for inside in INSIDE {
        rule(
            !text.contains(inside),
            &format!("H2: the body says {inside:?}"),
        );
    }
}

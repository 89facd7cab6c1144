//! Each route has its charge, and a denial its mark.

use edgeproof_loadgen::plan::Identities;

use super::*;

fn plan(method: Method, path: &str, auth: Auth) -> Plan {
    Plan {
        template: Template {
            method,
            path_and_query: path.into(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        },
        auth,
        identities: Identities::PerUser,
        requests: 1,
        clients: 1,
        users: 1,
        pops: Vec::new(),
        seed: 0,
    }
}

fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Answer {
    Answer {
        status,
        headers: headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().expect("valid")))
            .collect(),
        body: body.to_owned().into(),
    }
}

#[test]
fn each_route_has_its_charge() {
    let charge = |method, path: &str, auth| Api.charge(&plan(method, path, auth));
    for path in [
        "/api/transactions",
        "/api/dashboard",
        "/api/reports",
        "/api/admin/audit-logs",
        "/api/admin/error-logs",
        "/api/admin/metrics",
    ] {
        assert_eq!(charge(Method::GET, path, Auth::PerUser), GENERAL, "{path}");
    }
    let test_alert = charge(Method::POST, "/api/admin/alerts/test", Auth::Given);
    assert_eq!(test_alert, WRITE);
    for (method, path, auth, expected) in [
        (
            Method::GET,
            "/api/transactions?limit=3",
            Auth::PerUser,
            GENERAL,
        ),
        (Method::POST, "/api/transactions", Auth::PerUser, WRITE),
        (Method::POST, "/api/transactions", Auth::None, GENERAL),
        (Method::POST, "/api/auth/login", Auth::None, AUTH),
        (Method::POST, "/api/auth/login", Auth::Given, AUTH),
        (Method::GET, "/api/health", Auth::None, Charge::Free),
        (
            Method::DELETE,
            "/api/transactions",
            Auth::PerUser,
            Charge::Unknown,
        ),
        (Method::GET, "/elsewhere", Auth::Given, Charge::Unknown),
    ] {
        assert_eq!(charge(method, path, auth), expected, "{path} {auth:?}");
    }
}

#[test]
fn a_denial_carries_the_problem_type_and_a_request_id() {
    let problem = format!("{{\"type\":\"{QUOTA_EXCEEDED}\",\"status\":429}}");
    let json = ("content-type", "application/problem+json; charset=utf-8");
    let id = ("x-request-id", "r1");
    assert!(Api.denial(&answer(429, &[json, id], &problem)).is_some());
    for foreign in [
        answer(429, &[json], &problem),
        answer(429, &[id], &problem),
        answer(429, &[("content-type", "application/json"), id], &problem),
        answer(429, &[json, id], "{\"type\":\"about:blank\"}"),
        answer(429, &[json, id], "not json"),
    ] {
        assert!(Api.denial(&foreign).is_none(), "{foreign:?}");
    }
}

#[test]
fn a_free_route_has_one_right_answer() {
    let json = [("content-type", "application/json")];
    let wrong = |path: &str, answer: &Answer| {
        let plan = plan(Method::GET, path, Auth::None);
        Api.wrong_status(&plan, Api.charge(&plan), answer).is_some()
    };
    assert!(!wrong(HEALTH, &answer(200, &json, "{}")));
    assert!(wrong(HEALTH, &answer(200, &[], "{}")));
    assert!(wrong(HEALTH, &answer(204, &json, "")));
    assert!(wrong(HEALTH, &answer(404, &json, "{}")));
    assert!(!wrong(TRANSACTIONS, &answer(404, &json, "{}")));
    for status in [302, 418, 500, 503] {
        assert!(
            wrong(TRANSACTIONS, &answer(status, &json, "{}")),
            "{status}"
        );
    }
}

#[test]
fn a_login_gives_the_token_of_its_answer() {
    let template = Api.login("demo", &Secret::new("a\"b")).expect("a login");
    let body: serde_json::Value = serde_json::from_slice(&template.body).expect("JSON");
    assert_eq!(body["password"], "a\"b");
    let token = |status, body| Api.token(&answer(status, &[], body));
    assert_eq!(token(200, "{\"token\":\"t\"}"), Some(Secret::new("t")));
    assert_eq!(token(200, "{}"), None);
    assert_eq!(token(401, "{\"token\":\"t\"}"), None);
}

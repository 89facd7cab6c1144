//! Section 11: the measures, as an administrator reads them.

use crate::burst::Burst;
use crate::clock::within;
use crate::person::Person;
use crate::server::Server;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use support::client::TEA;

const METRICS: &str = "/api/admin/metrics";

fn json(server: &Server, admin: &Person) -> Value {
    let answer = server.get(METRICS).by(admin).send();
    assert_eq!(answer.status, 200);
    answer.json()["data"].clone()
}

/// Does something of everything that is measured, with at least this many denials, hits and failed logins.
fn make_events(server: &Server, denials: usize) {
    let (user, from) = (Person::user("measured"), Person::stranger());
    assert_eq!(
        server
            .post("/api/transactions")
            .by(&user)
            .text(TEA)
            .send()
            .status,
        201
    );
    for _ in 0..3 {
        server.get("/api/dashboard").by(&user).send();
    }
    assert_eq!(server.login(&from, "nobody", "wrong").send().status, 401);
    server
        .get("/api/dashboard")
        .by(&from.with_token("wrong"))
        .send();
    let quota =
        crate::limits::policy(&server.post("/api/transactions").by(&user).text("{}").send()).quota;
    let burst = Burst::send(server, quota - 2 + denials, 16, |_| {
        server.post("/api/transactions").by(&user).text("{}")
    });
    assert_eq!(burst.with(429).len(), denials);
}

fn s11_the_five_measures_come_from_what_was_done(server: &Server) {
    let admin = Person::admin("measures");
    // They are those of one isolate, and there may be several or a new one: some isolate has counted all of this.
    let data = within(Duration::from_secs(40), "measures of what was done", || {
        make_events(server, 5);
        let data = json(server, &admin);
        let counted = |name: &str| data[name].as_u64() > Some(0);
        [
            "rateLimitHits",
            "cacheHits",
            "cacheMisses",
            "loginsFailed",
            "tokensRejected",
        ]
        .into_iter()
        .all(counted)
        .then_some(data)
    });
    let number = |name: &str| {
        data[name]
            .as_f64()
            .unwrap_or_else(|| panic!("{name}: {data}"))
    };
    let ratio = number("cacheHits") / (number("cacheHits") + number("cacheMisses"));
    assert!((number("cacheHitRatio") - ratio).abs() < 1e-9, "{data}");
    assert!(
        (number("errorRate") - number("serverErrors") / number("requests")).abs() < 1e-9,
        "{data}"
    );
    assert_eq!(
        number("securityEvents"),
        number("rateLimitHits") + number("loginsFailed") + number("tokensRejected")
    );
    assert!(number("clientErrors") >= number("rateLimitHits"), "{data}");
    assert!(
        number("requests") >= number("clientErrors") + number("serverErrors"),
        "{data}"
    );
    let times = &data["responseTimeMs"];
    let buckets = times["buckets"].as_array().expect("buckets");
    let counted: u64 = buckets.iter().filter_map(|bucket| bucket[1].as_u64()).sum();
    assert_eq!(Some(counted), times["count"].as_u64());
    assert_eq!(times["count"].as_f64(), Some(number("requests")));
    assert!(buckets.last().is_some_and(|bucket| bucket[0].is_null()));
}

fn s11_prometheus_reads_the_same_by_accept(server: &Server) {
    let admin = Person::admin("prometheus");
    make_events(server, 1);
    let answer = server
        .get(METRICS)
        .by(&admin)
        .header("Accept", "text/plain")
        .send();
    assert_eq!(answer.status, 200);
    assert!(
        answer.header("content-type").starts_with("text/plain"),
        "{answer:?}"
    );
    let text = answer.text();
    assert!(text.ends_with('\n'));
    let mut types = BTreeMap::new();
    let mut samples = BTreeMap::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap_or_else(|| panic!("{line}"));
            assert!(types.insert(name, kind).is_none(), "{line}");
        } else if !line.starts_with("# HELP ") {
            let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
            let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
            assert!(
                value >= 0.0 && samples.insert(name, value).is_none(),
                "{line}"
            );
            let family = name.split('{').next().unwrap_or_default();
            let family = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|end| {
                    family
                        .strip_suffix(end)
                        .filter(|name| types.contains_key(name))
                })
                .unwrap_or(family);
            assert!(types.contains_key(family), "no type: {line}");
        }
    }
    for (name, kind) in [
        ("edgeproof_rate_limit_hits_total", "counter"),
        ("edgeproof_cache_hits_total", "counter"),
        ("edgeproof_cache_misses_total", "counter"),
        ("edgeproof_requests_total", "counter"),
        ("edgeproof_security_events_total", "counter"),
        ("edgeproof_response_time_seconds", "histogram"),
    ] {
        assert_eq!(types.get(name), Some(&kind), "{name}");
    }
    let time = "edgeproof_response_time_seconds";
    assert_eq!(
        samples[format!("{time}_bucket{{le=\"+Inf\"}}").as_str()],
        samples[format!("{time}_count").as_str()]
    );
}

fn s11_json_is_what_anybody_gets_who_does_not_ask_for_text(server: &Server) {
    let admin = Person::admin("accept");
    let media_type = |accept: &str| {
        let answer = server
            .get(METRICS)
            .by(&admin)
            .header("Accept", accept)
            .send();
        assert_eq!(answer.status, 200, "{accept}");
        answer
            .header("content-type")
            .split(';')
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    for accept in [
        "",
        "*/*",
        "application/json",
        "application/*",
        "text/html",
        "text/plainer",
        "application/json, */*;q=0.1",
        "text/plain;q=0, application/json",
        "text/plain;q=0",
        "text/plain;q=0.000, */*",
        "application/json, text/plain;q=0.5",
        // What the HTTP clients of browsers send by default.
        "application/json, text/plain, */*",
        "text/plain;q=0.1, application/json;q=0.9",
    ] {
        assert_eq!(media_type(accept), "application/json", "{accept}");
    }
    for accept in [
        "text/plain",
        "text/plain;version=0.0.4",
        "TEXT/PLAIN; version=0.0.4; charset=utf-8",
        "text/plain, */*;q=0.1",
        "application/json;q=0.4, text/plain;q=0.5",
        "application/json;q=0, text/plain;q=0.1",
        // What a Prometheus sends.
        "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    ] {
        assert_eq!(media_type(accept), "text/plain", "{accept}");
    }
    let none = server.get(METRICS).by(&admin).send();
    assert!(none.header("content-type").starts_with("application/json"));
}

on_every_arm!(
    s11_json_is_what_anybody_gets_who_does_not_ask_for_text,
    s11_prometheus_reads_the_same_by_accept,
    s11_the_five_measures_come_from_what_was_done,
);

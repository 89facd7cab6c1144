//! `GET /api/health`, and what every answer has in common: the headers, the form of problems, no 5xx.

use edgeproof_sim::http::Response;
use edgeproof_sim::limits::Plan;
use serde_json::json;
use support::production::*;

#[test]
fn a_healthy_worker_says_ok_of_every_part() {
    world().run(async |world| {
        let client = world.client("MEX");
        let answer = client.get(HEALTH).send().await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, Some("application/json"))
        );
        let body = json_of(&answer);
        assert_eq!(body["status"], "ok");
        for part in ["database", "cache", "rateLimiter", "authentication"] {
            assert_eq!(body["components"][part], "ok", "{part}");
        }
        assert!(body.get("warnings").is_none(), "{body}");
    });
}

#[test]
fn a_wrong_setting_is_replaced_by_its_default_and_health_says_so() {
    for wrong in [
        "",
        "fifty",
        "0",
        "-5",
        "1e3",
        "1_000",
        "NaN",
        "50.0",
        " 50",
        "99999999999999999999",
    ] {
        let world = production(&["MEX"])
            .var("RATE_LIMIT_WRITE_REQUESTS", wrong)
            .build()
            .expect("builds");
        world.run(async |world| {
            let client = world.client("MEX");
            let answers = in_parallel(64, times(60, &client, || post(&client, "user-1"))).await;
            assert_eq!(statuses(&answers), [(201, 50), (429, 10)], "{wrong:?}");
            let body = json_of(&client.get(HEALTH).send().await);
            assert_eq!(
                body["warnings"][0]["name"], "RATE_LIMIT_WRITE_REQUESTS",
                "{wrong:?}: {body}"
            );
        });
    }
}

#[test]
fn limiting_is_off_only_by_an_exact_false() {
    for (value, limited) in [
        ("false", false),
        ("False", true),
        ("0", true),
        ("", true),
        ("no", true),
        ("true", true),
    ] {
        let world = production(&["MEX"])
            .var("ENABLE_RATE_LIMITING", value)
            .build()
            .expect("builds");
        world.run(async |world| {
            let client = world.client("MEX");
            let answers = in_parallel(64, times(60, &client, || post(&client, "user-1"))).await;
            assert_eq!(count(&answers, 429) > 0, limited, "{value:?}");
        });
    }
}

#[test]
fn quotas_are_as_configured() {
    let world = production(&["MEX"])
        .var("RATE_LIMIT_WRITE_REQUESTS", "7")
        .var("RATE_LIMIT_REQUESTS_PER_MINUTE", "11")
        .var("RATE_LIMIT_AUTH_REQUESTS", "2")
        .var("RATE_LIMIT_WINDOW_SECONDS", "10")
        .build()
        .expect("builds");
    world.run(async |world| {
        let client = world.client("MEX");
        for _ in 0..3 {
            let writes = in_parallel(64, times(20, &client, || post(&client, "user-1"))).await;
            let reads = in_parallel(
                64,
                times(20, &client, || get(&client, "user-1", TRANSACTIONS)),
            )
            .await;
            let logins =
                in_parallel(64, times(5, &client, || login(&client, "demo", "wrong"))).await;
            assert_eq!(
                [count(&writes, 201), count(&reads, 200), count(&logins, 401)],
                [7, 11, 2]
            );
            assert_eq!(
                writes[0].header("ratelimit-policy"),
                Some("\"write\";q=7;w=10")
            );
            sleep(world, 10.0).await;
        }
    });
}

/// One answer of every status that the API has.
fn one_of_each() -> Vec<Response> {
    let world = production(&["MEX"])
        .var("ALLOWED_ORIGINS", "https://app.example")
        .build()
        .expect("builds");
    world.run(async |world| {
        let client = world.client("MEX");
        let (user, admin) = (token("user-1"), token_of("user-2", "admin"));
        let json_body = |body: &str| {
            client
                .post(TRANSACTIONS)
                .bearer(&user)
                .header("content-type", "application/json")
                .body(body.to_owned())
        };
        let mut answers = Vec::new();
        for (request, status) in [
            (client.get(HEALTH), 200),
            (client.get(TRANSACTIONS).bearer(&user), 200),
            (client.get(DASHBOARD).bearer(&user), 200),
            (
                client
                    .get("/api/admin/metrics")
                    .bearer(&admin)
                    .header("accept", "text/plain"),
                200,
            ),
            (
                client.post(TRANSACTIONS).bearer(&user).json(&transaction()),
                201,
            ),
            (
                client
                    .post("/api/admin/alerts/test")
                    .bearer(&admin)
                    .json(&json!({})),
                202,
            ),
            (client.request(http::Method::OPTIONS, TRANSACTIONS), 204),
            (json_body("{"), 400),
            (client.get(TRANSACTIONS), 401),
            (client.get("/api/admin/audit-logs").bearer(&user), 403),
            (client.get("/"), 404),
            (
                client
                    .request(http::Method::PUT, TRANSACTIONS)
                    .bearer(&user),
                405,
            ),
            (json_body(&"x".repeat(65_537)), 413),
            (client.post(TRANSACTIONS).bearer(&user).body("a=b"), 415),
            (json_body("{}"), 422),
        ] {
            let line = format!("{request:?}");
            let answer = request.send().await;
            assert_eq!(answer.status, status, "{line}");
            answers.push(answer);
        }
        let burst = in_parallel(64, times(60, &client, || post(&client, "user-3"))).await;
        answers.extend(burst.into_iter().find(|answer| answer.status == 429));
        world.inject(edgeproof_sim::fault::FaultKind::D1Failing {
            binding: "DB".into(),
            for_ms: 1_000,
        });
        answers.push(client.send(get(&client, "user-1", TRANSACTIONS)).await);
        let last: Vec<u16> = answers[15..].iter().map(|answer| answer.status).collect();
        assert_eq!(last, [429, 503]);
        answers
    })
}

#[test]
fn every_answer_has_every_security_header() {
    let mut ids = Vec::new();
    for answer in one_of_each() {
        let holds = |name: &str, part: &str| {
            let value = answer
                .header(name)
                .unwrap_or_else(|| panic!("{} without {name}", answer.status));
            assert!(value.contains(part), "{}: {name}: {value}", answer.status);
        };
        holds(
            "strict-transport-security",
            "max-age=31536000; includeSubDomains",
        );
        holds("x-content-type-options", "nosniff");
        holds("x-frame-options", "DENY");
        holds("content-security-policy", "default-src 'none'");
        holds("content-security-policy", "frame-ancestors 'none'");
        holds("referrer-policy", "no-referrer");
        holds(
            "permissions-policy",
            "geolocation=(), camera=(), microphone=()",
        );
        holds("cross-origin-resource-policy", "same-origin");
        holds("cache-control", "no-store");
        for forbidden in ["x-powered-by", "server", "x-xss-protection"] {
            assert_eq!(answer.header(forbidden), None, "{}", answer.status);
        }
        assert_eq!(
            answer.header("access-control-allow-origin"),
            None,
            "{}: nobody asked from elsewhere",
            answer.status
        );
        ids.push(
            answer
                .header("x-request-id")
                .expect("X-Request-Id")
                .to_owned(),
        );
    }
    let all = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), all, "request ids are unique");
}

#[test]
fn every_refusal_is_problem_details_and_tells_nothing_inner() {
    for answer in one_of_each().iter().filter(|answer| answer.status >= 400) {
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json"),
            "{}",
            answer.status
        );
        let problem = json_of(answer);
        assert_eq!(problem["status"], answer.status);
        assert!(
            problem["title"].is_string() && problem["detail"].is_string(),
            "{problem}"
        );
        assert_eq!(
            problem["requestId"],
            answer.header("x-request-id").unwrap_or_default()
        );
        let text = problem.to_string();
        for inner in [
            "SELECT",
            "INSERT",
            "sqlite",
            "D1_ERROR",
            ".rs",
            "panicked",
            "Network connection",
        ] {
            assert!(!text.contains(inner), "{text}");
        }
        if answer.status == 405 {
            assert_eq!(answer.header("allow"), Some("GET, POST, OPTIONS"));
        }
    }
}

#[test]
fn only_an_exactly_allowed_origin_is_allowed() {
    let world = production(&["MEX"])
        .var(
            "ALLOWED_ORIGINS",
            "https://app.example, https://two.example:8443",
        )
        .build()
        .expect("builds");
    world.run(async |world| {
        let client = world.client("MEX");
        for (origin, allowed) in [
            ("https://app.example", true),
            ("https://two.example:8443", true),
            ("http://app.example", false),
            ("https://app.example.evil.example", false),
            ("https://evil-app.example", false),
            ("https://app.example:444", false),
            ("https://APP.example", false),
            ("null", false),
            ("*", false),
            ("https://two.example", false),
            ("", false),
        ] {
            for request in [
                client.get(TRANSACTIONS),
                client.get(TRANSACTIONS).bearer(&token("user-1")),
                client.request(http::Method::OPTIONS, TRANSACTIONS),
            ] {
                let answer = request.header("origin", origin).send().await;
                let expected = allowed.then_some(origin);
                assert_eq!(
                    answer.header("access-control-allow-origin"),
                    expected,
                    "{origin}: {}",
                    answer.status
                );
                assert!(
                    answer
                        .header("vary")
                        .is_some_and(|vary| vary.to_ascii_lowercase().contains("origin")),
                    "{origin}"
                );
            }
        }
    });
}

#[test]
fn everything_fits_in_the_free_plan_of_the_platform() {
    // The plan's limits per invocation are in force: 50 D1 queries, 50 fetches. The widest routes stay within them.
    let world = production(&["MEX"])
        .plan(Plan::Free)
        .build()
        .expect("builds");
    world.run(async |world| {
        let client = world.client("MEX");
        for path in [HEALTH, TRANSACTIONS, DASHBOARD, REPORTS] {
            assert_eq!(
                client.send(get(&client, "user-1", path)).await.status,
                200,
                "{path}"
            );
        }
        world
            .scheduled("17 3 * * *")
            .await
            .expect("retention stays within the queries of one invocation");
    });
}

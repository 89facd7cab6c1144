//! Bursts over HTTP at a stub server, through the program itself: verdicts, exit codes, counts and what is on the wire.

use std::process::{Command, Output, Stdio};

use crate::stub::{Behaviour, Stub, TOKEN};
use serde_json::Value;

const LOGIN: [&str; 2] = ["--login", "demo:demo-pass-9137"];

fn loadgen(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sim"))
        .arg("loadgen")
        .arg("burst")
        .args(arguments)
        .env("STUB_TOKEN", TOKEN)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .output()
        .expect("the program starts")
}

/// Runs a burst with `--json -`; gives the exit code and the report.
fn burst(stub: &Stub, arguments: &[&str]) -> (i32, Value) {
    let url = stub.url();
    let mut all = vec!["--json", "-"];
    let split = arguments
        .iter()
        .position(|argument| *argument == "--")
        .unwrap_or(arguments.len());
    all.extend(&arguments[..split]);
    all.push(&url);
    all.extend(&arguments[split..]);
    let output = loadgen(&all);
    let report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().expect("not killed"), report)
}

fn check<'a>(report: &'a Value, name: &str) -> &'a str {
    let checks = report["checks"].as_array().expect("a list");
    checks
        .iter()
        .find(|check| check["name"] == name)
        .expect("listed")["verdict"]
        .as_str()
        .expect("text")
}

#[test]
fn a_correct_limiter_passes_and_every_request_is_sent_once() {
    let stub = Stub::start(Behaviour::Correct);
    let (code, report) = burst(&stub, &LOGIN);
    assert_eq!(code, 0, "{report:#}");
    assert_eq!(report["verdict"], "pass");
    assert_eq!(report["requests"]["admitted"], 50);
    assert_eq!(report["requests"]["denied"], 100);
    assert_eq!(
        report["requests"]["by_status"],
        serde_json::json!({ "201": 50, "429": 100 })
    );
    assert_eq!(
        (&report["fingerprint"], &report["virtual_seconds"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(stub.arrived(), 150);
    for name in [
        "counts",
        "status",
        "uniform",
        "own-429",
        "retry-after",
        "ratelimit-policy",
        "ratelimit",
        "remaining",
        "problem-details",
        "connections",
    ] {
        assert_eq!(check(&report, name), "pass", "{name}");
    }
    let schema: Value = serde_json::from_str(edgeproof_loadgen::report::SCHEMA).expect("JSON");
    assert!(
        jsonschema::validator_for(&schema)
            .expect("a schema")
            .is_valid(&report)
    );
}

#[test]
fn parallel_clients_see_the_same_totals_on_one_connection_each() {
    let stub = Stub::start(Behaviour::Correct);
    let (code, report) = burst(&stub, &["--clients", "64", "--token-env", "STUB_TOKEN"]);
    assert_eq!(code, 0, "{report:#}");
    assert_eq!(
        (
            &report["requests"]["admitted"],
            &report["requests"]["denied"]
        ),
        (&50.into(), &100.into())
    );
    assert_eq!(check(&report, "remaining"), "pass");
    assert_eq!((stub.arrived(), stub.seen().connections), (150, 64));
}

#[test]
fn a_curl_command_says_what_is_sent() {
    let stub = Stub::start(Behaviour::Correct);
    let curl = "curl https://preview.example/api/transactions?limit=3 -H 'Authorization: Bearer YOUR_TOKEN' -H 'X-A: b'";
    let (code, report) = burst(
        &stub,
        &[
            "--login",
            "demo:demo-pass-9137",
            "--pop",
            "MEX,lhr",
            "--",
            curl,
        ],
    );
    assert_eq!(code, 0, "{report:#}");
    assert_eq!(
        (
            &report["requests"]["admitted"],
            &report["requests"]["denied"]
        ),
        (&100.into(), &50.into())
    );
    let seen = stub.seen();
    let of_burst: Vec<_> = seen
        .requests
        .iter()
        .filter(|request| request.1 != "/api/auth/login")
        .collect();
    for ((method, path, headers, body), pop) in
        of_burst.iter().zip(["MEX", "LHR"].into_iter().cycle())
    {
        assert_eq!(
            (method.as_str(), path.as_str(), body.as_str()),
            ("GET", "/api/transactions?limit=3", "")
        );
        // Exactly these: the load generator adds no header of its own.
        let names: Vec<&str> = headers.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "accept",
                "authorization",
                "host",
                "user-agent",
                "x-a",
                "x-sim-pop"
            ]
        );
        assert_eq!(
            (
                headers["x-sim-pop"].as_str(),
                headers["authorization"].as_str()
            ),
            (pop, format!("Bearer {TOKEN}").as_str())
        );
        assert_eq!(headers["host"], stub.address.to_string());
    }
    assert!(
        report["notes"].to_string().contains("preview.example"),
        "{report:#}"
    );
}

#[test]
fn without_a_credential_the_address_is_charged() {
    let stub = Stub::start(Behaviour::Correct);
    let (code, report) = burst(
        &stub,
        &["--", "curl", "-XPOST", "http://h/api/transactions"],
    );
    assert_eq!(code, 0, "{report:#}");
    assert_eq!(
        report["requests"]["by_status"],
        serde_json::json!({ "401": 100, "429": 50 })
    );
}

#[test]
fn a_limiter_that_admits_one_too_many_breaks_the_contract() {
    let stub = Stub::start(Behaviour::OverAdmitting);
    let (code, report) = burst(&stub, &LOGIN);
    assert_eq!((code, check(&report, "counts")), (1, "fail"), "{report:#}");
    assert_eq!(report["requests"]["admitted"], 51);
}

#[test]
fn a_stated_expectation_overrides_the_computed_one() {
    let stub = Stub::start(Behaviour::Correct);
    let url = stub.url();
    let output = loadgen(
        &[
            LOGIN.as_slice(),
            &["--expect", "admitted=100,denied=50", &url],
        ]
        .concat(),
    );
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text.contains("50 admitted and 100 denied, expected 100 and 50"),
        "{text}"
    );
}

#[test]
fn foreign_denials_make_the_run_unmeasured() {
    let stub = Stub::start(Behaviour::Foreign("slow down"));
    let (code, report) = burst(&stub, &LOGIN);
    assert_eq!(
        (code, &report["verdict"]),
        (3, &"unmeasured".into()),
        "{report:#}"
    );
    assert_eq!(report["requests"]["errors_by_kind"]["foreign_429s"], 100);
}

#[test]
fn the_platforms_own_refusal_ends_the_burst_at_once_and_is_named() {
    for (body, code) in [("error code: 1027", "1027"), ("error code: 1015", "1015")] {
        let stub = Stub::start(Behaviour::Foreign(body));
        let (exit, report) = burst(&stub, &LOGIN);
        assert_eq!(exit, 3, "{report:#}");
        assert!(report["reasons"].to_string().contains(code), "{report:#}");
        assert_eq!(
            stub.arrived(),
            51,
            "nothing is sent after the first refusal"
        );
    }
}

#[test]
fn a_reset_instead_of_a_denial_breaks_the_contract_and_is_not_retried() {
    let stub = Stub::start(Behaviour::ResetsDenials);
    let (code, report) = burst(&stub, &LOGIN);
    assert_eq!(code, 1, "{report:#}");
    assert_eq!(
        (&report["connection_resets"], check(&report, "connections")),
        (&100.into(), "fail")
    );
    assert_eq!(stub.arrived(), 150, "each request reached the server once");
}

#[test]
fn a_server_that_closes_after_each_answer_only_costs_reconnects() {
    for behaviour in [Behaviour::Closing, Behaviour::ClosingSilently] {
        let stub = Stub::start(behaviour);
        // The server closes while the connection is idle. A request that it crosses is a true reset.
        let (code, report) = burst(&stub, &[LOGIN.as_slice(), &["-n", "20"]].concat());
        if behaviour == Behaviour::Closing {
            assert_eq!(code, 0, "{report:#}");
            assert_eq!(
                (&report["reconnects"], &report["connection_resets"]),
                (&19.into(), &0.into())
            );
        }
        let (resets, answered) = (
            &report["connection_resets"],
            &report["requests"]["admitted"],
        );
        assert_eq!(
            resets.as_u64().expect("a count") + answered.as_u64().expect("a count"),
            20
        );
        assert!(stub.arrived() <= 20, "nothing is sent twice");
    }
}

#[test]
fn a_time_out_is_counted_and_leaves_the_run_unmeasured() {
    let stub = Stub::start(Behaviour::Hanging);
    let (code, report) = burst(
        &stub,
        &[
            LOGIN.as_slice(),
            &["-n", "3", "--clients", "3", "--timeout", "0.2"],
        ]
        .concat(),
    );
    assert_eq!(code, 3, "{report:#}");
    assert_eq!(
        report["requests"]["errors_by_kind"],
        serde_json::json!({ "timeouts": 3 })
    );
}

#[test]
fn a_burst_longer_than_the_window_is_judged_only_if_time_cannot_matter() {
    let stub = Stub::start(Behaviour::Slow);
    // 60 requests of 30 ms: 1.8 s, where the window is one second and the quota 50.
    let (code, report) = burst(&stub, &[LOGIN.as_slice(), &["-n", "60"]].concat());
    assert_eq!(code, 3, "{report:#}");
    assert!(
        report["reasons"].to_string().contains("window"),
        "{report:#}"
    );
    let stub = Stub::start(Behaviour::Slow);
    let (code, report) = burst(&stub, &[LOGIN.as_slice(), &["-n", "45"]].concat());
    assert_eq!(
        (code, check(&report, "remaining")),
        (0, "skipped"),
        "{report:#}"
    );
}

#[test]
fn quota_used_before_the_burst_is_not_mistaken_for_a_broken_limiter() {
    for used in [3, 50] {
        let stub = Stub::start(Behaviour::UsedBefore(used));
        let (code, report) = burst(&stub, &LOGIN);
        assert_eq!(code, 3, "{report:#}");
        assert!(
            report["reasons"]
                .to_string()
                .contains(&format!("{used} of 50")),
            "{report:#}"
        );
    }
}

#[test]
fn a_server_that_tells_no_quota_needs_an_expectation() {
    let stub = Stub::start(Behaviour::Unlimited);
    let (code, report) = burst(&stub, &LOGIN);
    assert_eq!((code, &report["expected"]), (3, &Value::Null), "{report:#}");
    let (code, report) = burst(
        &stub,
        &[LOGIN.as_slice(), &["--expect", "admitted=150"]].concat(),
    );
    assert_eq!(
        (code, check(&report, "counts"), check(&report, "ratelimit")),
        (1, "pass", "fail"),
        "{report:#}"
    );
    let (code, report) = burst(&stub, &["--", "curl", "http://h/api/health"]);
    assert_eq!(code, 0, "a route that is free of charge: {report:#}");
}

#[test]
fn server_errors_and_answers_that_are_not_http_break_the_contract() {
    let stub = Stub::start(Behaviour::Failing);
    let (code, report) = burst(
        &stub,
        &[LOGIN.as_slice(), &["--expect", "denied=0"]].concat(),
    );
    assert_eq!((code, check(&report, "status")), (1, "fail"), "{report:#}");
    assert_eq!(report["requests"]["errors_by_kind"]["server_errors"], 150);
    let stub = Stub::start(Behaviour::Garbage);
    let (code, report) = burst(
        &stub,
        &[
            "--token-env",
            "STUB_TOKEN",
            "-n",
            "2",
            "--expect",
            "denied=0",
        ],
    );
    assert_eq!(
        (code, check(&report, "connections")),
        (1, "fail"),
        "{report:#}"
    );
}

#[test]
fn a_refused_credential_or_connection_cannot_be_measured() {
    let stub = Stub::start(Behaviour::Correct);
    let (code, report) = burst(&stub, &["--login", "demo:wrong-password"]);
    assert_eq!((code, stub.arrived()), (3, 0), "{report:#}");
    assert!(
        report["reasons"]
            .to_string()
            .contains("login: the server answered 401"),
        "{report:#}"
    );
    let curl = [
        "--",
        "curl",
        "-XPOST",
        "http://h/api/transactions",
        "-H",
        "Authorization: Bearer not-valid-here",
    ];
    let (code, report) = burst(&stub, &curl);
    assert_eq!(code, 3, "{report:#}");
    assert!(report["reasons"].to_string().contains("401"), "{report:#}");

    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", free.local_addr().expect("bound"));
    drop(free);
    let output = loadgen(&[&url, "--token-env", "STUB_TOKEN"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("cannot connect"), "{text}");
}

#[test]
fn no_credential_reaches_any_output_even_if_the_server_echoes_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("report.json");
    let file = file.to_str().expect("text");
    let curl = format!(
        "curl -X POST http://u:planted-user-pass@h/api/transactions?token=planted-query -H 'Authorization: Bearer {TOKEN}' \
         -H 'Cookie: sid=planted-cookie' -H 'X-Api-Key: planted-api-key' -d '{{\"password\":\"planted-body\"}}'"
    );
    let runs: [Vec<&str>; 4] = [
        vec!["--login", "demo:demo-pass-9137"],
        vec!["--login", "demo:planted-wrong-pass"],
        vec!["--token-env", "STUB_TOKEN"],
        vec!["--", &curl],
    ];
    for behaviour in [Behaviour::Echoing, Behaviour::Correct] {
        for run in &runs {
            let stub = Stub::start(behaviour);
            let url = stub.url();
            for json in ["-", file] {
                let mut arguments = vec!["--json", json, url.as_str()];
                let at = run
                    .iter()
                    .position(|argument| *argument == "--")
                    .unwrap_or(run.len());
                arguments.splice(0..0, run[..at].iter().copied());
                arguments.extend(&run[at..]);
                let output = loadgen(&arguments);
                let mut seen = String::from_utf8_lossy(&output.stdout).into_owned();
                seen += &String::from_utf8_lossy(&output.stderr);
                seen += &std::fs::read_to_string(file).unwrap_or_default();
                assert!(seen.contains("admitted"), "{seen}");
                for secret in [TOKEN, "planted", "demo-pass-9137"] {
                    assert!(!seen.contains(secret), "{secret} in {seen}");
                }
            }
        }
    }
}

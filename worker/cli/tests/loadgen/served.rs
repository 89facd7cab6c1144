//! The load generator at the Worker that it is made for: really served, over loopback.

use std::process::{Command, Stdio};

use edgeproof_sim::World;
use serde_json::Value;
use support::server::Served;

// Nothing here names the Worker; without this its handlers would not be linked.
extern crate edgeproof_worker as _;

const WRANGLER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../wrangler.toml");
const SEEDS: &str = include_str!("../../../seeds/development.sql");

fn serve() -> Served {
    Served::start(|| {
        World::builder()
            .script(worker::native::script("edgeproof-worker"))
            .wrangler(WRANGLER, None)
            .expect("the Worker's own configuration is supported")
            .pops(["IAD"])
            .secret("AUTH_JWT_SECRET", "a secret for tests, 32 bytes or more")
            .seed_sql("DB", "seeds/development.sql", SEEDS)
    })
}

/// `loadgen burst URL --login demo:…` with further arguments; exit code and report.
fn burst(served: &Served, arguments: &[&str]) -> (Option<i32>, Value) {
    let output = Command::new(env!("CARGO_BIN_EXE_sim"))
        .arg("loadgen")
        .args(["burst", "--json", "-", "--login", "demo:demo-pass-9137"])
        .args(arguments)
        .arg(served.url())
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    let report = serde_json::from_slice(&output.stdout);
    let report = report
        .unwrap_or_else(|problem| panic!("{problem}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), report)
}

#[test]
fn a_burst_at_the_served_worker_passes_with_any_number_of_clients() {
    for clients in ["1", "64"] {
        let served = serve();
        let (code, report) = burst(&served, &["--clients", clients]);
        assert_eq!(
            (code, &report["verdict"]),
            (Some(0), &"pass".into()),
            "{clients}: {report:#}"
        );
        let requests = &report["requests"];
        assert_eq!(
            (&requests["admitted"], &requests["denied"]),
            (&50.into(), &100.into()),
            "{requests:#}"
        );
        assert_eq!(
            requests["by_status"],
            serde_json::json!({ "201": 50, "429": 100 })
        );
        assert_eq!(report["connection_resets"], 0);
    }
}

#[test]
fn a_wrong_expectation_of_the_served_worker_is_noticed() {
    let served = serve();
    let (code, report) = burst(&served, &["--expect", "admitted=100,denied=50"]);
    assert_eq!(
        (code, &report["verdict"]),
        (Some(1), &"fail".into()),
        "{report:#}"
    );
}

#[test]
fn one_limiter_serves_all_pops_over_http() {
    let served = serve();
    let (code, report) = burst(&served, &["--clients", "8", "--pop", "MEX,FRA,SYD"]);
    assert_eq!(
        (code, &report["requests"]["admitted"]),
        (Some(0), &50.into()),
        "{report:#}"
    );
}

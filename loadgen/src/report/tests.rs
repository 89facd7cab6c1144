//! The schema, the text, redaction, and the file.

use super::*;
use crate::answer::{Answer, SendError};
use crate::contract::Charge;
use crate::contract::generic::Generic;
use crate::observe::{Checks, Tally};
use crate::plan::tests::plan;
use crate::target::Platform;
use std::rc::Rc;
use std::time::Duration;

fn report(platform: Option<Platform>) -> Report {
    let plan = plan(2, 1);
    let mut tally = Tally::new(Checks::new(Rc::new(Generic), &plan, Charge::Free, None));
    let answer = Answer {
        status: 201,
        headers: http::HeaderMap::new(),
        body: bytes::Bytes::new(),
    };
    for (index, outcome) in [(0, Ok(answer)), (1, Err(SendError::Reset))] {
        tally.record(
            &plan,
            &plan.request(index, 0),
            &outcome,
            Duration::ZERO,
            Duration::from_millis(3),
        );
    }
    tally.sent = 2;
    let expected = Some(Expectation {
        admitted: Some(2),
        denied: None,
        basis: "--expect".into(),
    });
    let checks = crate::verdict::run_checks(&tally, expected.as_ref());
    let subject = Subject {
        target: "embedded".into(),
        seed: 7,
        command: "cargo loadgen burst".into(),
        expected,
        notes: vec!["planted-token".into()],
    };
    let measured = Measured {
        tally,
        charge: Charge::Free,
        configured: None,
        fresh: true,
        trouble: Vec::new(),
        notes: Vec::new(),
        reconnects: 0,
        wall_seconds: 0.5,
        platform,
        secrets: Vec::new(),
    };
    Report::new(
        subject,
        measured,
        checks,
        Vec::new(),
        crate::verdict::verdict,
    )
}

fn platform() -> Platform {
    Platform {
        usage: BTreeMap::from([("workers_requests".into(), 150.0)]),
        budget: vec![BudgetRow {
            allowance: "Workers requests".into(),
            used: 150.0,
            per_day: 100_000.0,
            share: 0.0015,
        }],
        first_to_end: Some("KV writes".into()),
        staleness: Some(Staleness {
            reads: 3,
            stale: 1,
            p50_ms: 5.0,
            p99_ms: 5.0,
            max_ms: 5.0,
        }),
        fingerprint: "abc".into(),
        virtual_seconds: 3.0,
    }
}

#[test]
fn every_report_follows_the_published_schema() {
    let schema: serde_json::Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("the schema is a schema");
    for report in [report(None), report(Some(platform()))] {
        let value: serde_json::Value = serde_json::from_str(&report.json()).expect("JSON");
        let errors: Vec<String> = validator
            .iter_errors(&value)
            .map(|error| error.to_string())
            .collect();
        assert!(errors.is_empty(), "{errors:?}");
        // The schema allows no other key and requires every one.
        let mut more = value.clone();
        more["extra"] = true.into();
        assert!(!validator.is_valid(&more));
        for key in value.as_object().expect("an object").keys() {
            let mut less = value.clone();
            less.as_object_mut().expect("an object").remove(key);
            assert!(!validator.is_valid(&less), "{key} is not required");
        }
    }
}

#[test]
fn the_text_begins_with_the_verdict_and_ends_with_the_command() {
    let text = report(Some(platform())).text();
    assert!(text.starts_with("fail: 2 requests to embedded"), "{text}");
    assert!(text.ends_with("again: cargo loadgen burst\n"), "{text}");
    for part in [
        "expected 2",
        "1 connection resets",
        "Workers requests",
        "0.150%",
        "fingerprint abc",
        "1 stale",
        "p99.9",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn a_credential_in_a_free_text_is_blanked_in_both_forms() {
    let mut report = report(None);
    report.checks[0].detail = "saw planted-token".into();
    let mut redactor = Redactor::default();
    redactor.add("planted-token");
    report.redact(&redactor);
    assert!(!report.text().contains("planted-token") && !report.json().contains("planted-token"));
}

#[test]
fn a_file_is_replaced_as_a_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("report.json");
    std::fs::write(&path, "old").expect("written");
    report(None).write(&path).expect("written");
    let value: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).expect("read")).expect("JSON");
    assert_eq!(value["seed"], 7);
    assert_eq!(
        std::fs::read_dir(folder.path()).expect("listed").count(),
        1,
        "no temporary file is left"
    );
}

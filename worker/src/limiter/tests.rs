//! What travels between object and isolate, and for how long an isolate may answer by itself.

use super::charge::Charge;
use super::denials::{DENIALS_MAX, Denial, Denials};
use super::held::Held;
use super::object::{ALARM_AFTER_MS, LONG_AGO_MS, needs_alarm};
use crate::core::limiter::{Algorithm, Decision};
use crate::core::policy::{PolicyName, Quota};

const START: u64 = 1_765_000_000_000;
const QUOTA: Quota = Quota {
    limit: 2,
    window_ms: 60_000,
};
const DEDUPE_MS: u64 = 300_000;

#[test]
fn a_charge_reads_back_as_it_was_written() {
    for (allowed, first_denial, alert) in [
        (true, false, false),
        (false, true, true),
        (false, true, false),
        (false, false, false),
    ] {
        let decision = if allowed {
            Decision::admitted(49, 59_001)
        } else {
            Decision::denied(59_001)
        };
        let charge = Charge {
            decision,
            first_denial,
            alert,
            quiet_ms: 7,
            alone: false,
        };
        assert_eq!(Charge::decode(&charge.encode()), Some(charge));
    }
    for wrong in ["", "1", "1 2 3 4 5", "yes no", "1 -1 2 0 0 0"] {
        assert_eq!(Charge::decode(wrong), None, "{wrong}");
    }
}

#[test]
fn one_denial_is_logged_per_window_and_one_alerted_per_dedupe() {
    let mut held = Held::new(Algorithm::SlidingLog);
    let (mut logged, mut alerted) = (Vec::new(), Vec::new());
    for second in 0..400 {
        for _ in 0..3 {
            let charge = held.charge(QUOTA, DEDUPE_MS, START + second * 1_000);
            if charge.first_denial {
                logged.push(second);
            }
            if charge.alert {
                alerted.push(second);
            }
        }
    }
    assert_eq!(logged, [0, 60, 120, 180, 240, 300, 360]);
    assert_eq!(alerted, [0, 300]);
}

#[test]
fn an_admitted_request_is_neither_logged_nor_alerted() {
    let mut held = Held::new(Algorithm::SlidingLog);
    let charge = held.charge(QUOTA, DEDUPE_MS, START);
    assert!(charge.decision.allowed && !charge.first_denial && !charge.alert);
}

#[test]
fn the_mark_of_an_alert_outlives_the_memory() {
    let mut held = Held::new(Algorithm::SlidingLog);
    for _ in 0..2 {
        held.charge(QUOTA, DEDUPE_MS, START);
    }
    assert!(held.charge(QUOTA, DEDUPE_MS, START).alert);
    let mut restored = Held::decode(Algorithm::SlidingLog, &held.encode()).unwrap();
    assert_eq!(restored, held);
    let again = restored.charge(QUOTA, DEDUPE_MS, START + 20_000);
    assert!(!again.decision.allowed && !again.alert && !again.first_denial);
}

#[test]
fn a_change_of_algorithm_starts_afresh() {
    let held = Held::new(Algorithm::SlidingLog);
    assert_eq!(Held::decode(Algorithm::TokenBucket, &held.encode()), None);
}

/// An object that decides at `decided_ms`, asked and heard by an isolate around that.
fn heard(held: &mut Held, decided_ms: u64, dedupe_ms: u64) -> Denial {
    let charge = held.charge(QUOTA, dedupe_ms, decided_ms);
    assert!(!charge.decision.allowed);
    Denial::new(decided_ms - 40, decided_ms + 60, charge)
}

/// An object with its quota used up at once.
fn full() -> Held {
    let mut held = Held::new(Algorithm::SlidingLog);
    for _ in 0..QUOTA.limit {
        held.charge(QUOTA, DEDUPE_MS, START);
    }
    held
}

#[test]
fn an_isolate_repeats_a_denial_only_while_the_object_would_deny() {
    let mut held = Held::new(Algorithm::SlidingLog);
    held.charge(QUOTA, DEDUPE_MS, START);
    held.charge(QUOTA, DEDUPE_MS, START + 700);
    let mut repeated = 0;
    for decided_ms in (START + 701..START + 60_000).step_by(977) {
        let denial = heard(&mut held.clone(), decided_ms, DEDUPE_MS);
        for now_ms in (decided_ms + 60..decided_ms + 61_000).step_by(101) {
            let asked = held.clone().charge(QUOTA, DEDUPE_MS, now_ms).decision;
            let Some(decision) = denial.at(now_ms) else {
                continue;
            };
            repeated += 1;
            assert!(
                !asked.allowed,
                "denied at {decided_ms}, repeated at {now_ms}"
            );
            assert!((1..=60).contains(&decision.reset_seconds));
            let retried_ms = now_ms + decision.reset_seconds * 1_000;
            assert!(
                held.clone()
                    .charge(QUOTA, DEDUPE_MS, retried_ms)
                    .decision
                    .allowed
            );
        }
    }
    assert!(repeated > 10_000, "{repeated}");
}

#[test]
fn a_repeated_denial_never_swallows_an_alert_or_a_row_that_is_due() {
    let mut held = full();
    let denial = heard(&mut held, START + 1_000, 10_000);
    assert!(denial.at(START + 10_900).is_some());
    assert_eq!(denial.at(START + 11_000), None);
    // Counted from the last alert, not from this denial.
    let denial = heard(&mut held, START + 9_000, 10_000);
    assert!(denial.at(START + 10_900).is_some());
    assert_eq!(denial.at(START + 11_000), None);
    // The first denial of the next window.
    let mut held = full();
    heard(&mut held, START + 1_000, DEDUPE_MS);
    for _ in 0..QUOTA.limit {
        assert!(
            held.charge(QUOTA, DEDUPE_MS, START + 60_000)
                .decision
                .allowed
        );
    }
    let denial = heard(&mut held, START + 60_500, DEDUPE_MS);
    assert!(denial.at(START + 60_900).is_some());
    assert_eq!(denial.at(START + 61_000), None);
}

#[test]
fn a_clock_that_went_back_makes_the_isolate_ask() {
    let denial = heard(&mut full(), START + 1_000, DEDUPE_MS);
    assert_eq!(denial.at(START), None);
    // Between question and answer: it holds no longer than the answer says.
    let charge = full().charge(QUOTA, DEDUPE_MS, START + 1_000);
    let denial = Denial::new(START + 1_000, START - 2_000, charge);
    for now_ms in (START - 2_000..START + 120_000).step_by(500) {
        if let Some(decision) = denial.at(now_ms) {
            assert!((1..=60).contains(&decision.reset_seconds), "{decision:?}");
        }
    }
}

#[test]
fn an_alarm_of_the_future_is_replaced_only_if_its_admission_is_stored() {
    let held_since = |lone_ms: u64| Some(lone_ms + ALARM_AFTER_MS);
    for usual in [true, false] {
        assert!(needs_alarm(None, usual, START));
        assert!(!needs_alarm(held_since(START), usual, START));
        assert!(!needs_alarm(held_since(START - LONG_AGO_MS), usual, START));
    }
    assert!(needs_alarm(held_since(START + 1), true, START));
    assert!(!needs_alarm(held_since(START + 1), false, START));
}

#[test]
fn denials_are_kept_apart_by_policy_and_name_and_their_number_is_bounded() {
    let mut held = full();
    let mut denials = Denials::default();
    for number in 0..DENIALS_MAX + 5 {
        let denial = heard(&mut held, START + 1_000, DEDUPE_MS);
        denials.put(PolicyName::Write, format!("u{number:06}"), denial);
    }
    assert_eq!(denials.0[PolicyName::Write.index()].len(), DENIALS_MAX);
    let now_ms = START + 2_000;
    assert!(denials.get(PolicyName::Write, "u010004", now_ms).is_some());
    assert!(
        denials
            .get(PolicyName::General, "u010004", now_ms)
            .is_none()
    );
    assert!(denials.get(PolicyName::Write, "u010005", now_ms).is_none());
}

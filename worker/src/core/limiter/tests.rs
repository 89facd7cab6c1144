//! All algorithms against the oracle, and what each of them is exact about.

use super::oracle::Oracle;
use super::{Algorithm, Ledger};
use crate::core::policy::Quota;
use proptest::prelude::*;

const START: u64 = 1_765_000_000_000;

fn quota() -> impl Strategy<Value = Quota> {
    (1u32..12, 1u64..6).prop_map(|(limit, seconds)| Quota {
        limit,
        window_ms: seconds * 1_000,
    })
}

fn algorithm() -> impl Strategy<Value = Algorithm> {
    prop::sample::select(Algorithm::ALL.to_vec())
}

/// Milliseconds from one request to the next: mostly few, sometimes none, sometimes about a window.
fn step() -> impl Strategy<Value = u64> {
    prop_oneof![3 => 0u64..5, 3 => 0u64..400, 1 => 900u64..1_100, 1 => 0u64..7_000]
}

fn steps() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(step(), 1..150)
}

/// Steps, and how far the clock jumps before each: mostly not at all, sometimes by little, sometimes by some windows, once in
/// a while by an hour.
fn jumps() -> impl Strategy<Value = Vec<(u64, i64)>> {
    let jump = prop_oneof![
        20 => Just(0i64),
        2 => -10i64..10,
        2 => -12_000i64..12_000,
        1 => Just(-3_600_000i64),
        1 => Just(3_600_000i64),
    ];
    prop::collection::vec((step(), jump), 1..150)
}

fn stored(ledger: &Ledger) -> String {
    let mut text = String::new();
    ledger.encode(&mut text);
    text
}

/// Fails if some interval of one window holds more than the bound, plus what each jump forward in it may give back.
/// `admitted`: the real time of each admission, and how many jumps forward there were before it.
fn keeps_its_bound(
    algorithm: Algorithm,
    quota: Quota,
    admitted: &[(u64, u64)],
) -> Result<(), TestCaseError> {
    let gives_back = match algorithm {
        Algorithm::SlidingCounter => algorithm.bound(quota),
        _ => u64::from(quota.limit),
    };
    for (first, (from, jumps_before)) in admitted.iter().enumerate() {
        let within = admitted[first..]
            .iter()
            .take_while(|(at, _)| at - from < quota.window_ms);
        for (count, (at, jumps)) in (1u64..).zip(within) {
            let bound = algorithm.bound(quota) + (jumps - jumps_before) * gives_back;
            prop_assert!(
                count <= bound,
                "{algorithm:?} admitted {count} from {from} to {at}; the bound is {bound}"
            );
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn each_algorithm_decides_as_its_definition_does(algorithm in algorithm(), quota in quota(), steps in steps()) {
        let (mut ledger, mut oracle, mut now) = (Ledger::new(algorithm), Oracle::new(algorithm, quota), START);
        for step in steps {
            now += step;
            prop_assert_eq!(ledger.charge(quota, now).allowed, oracle.admits(now), "{:?} at {}", algorithm, now - START);
        }
    }

    #[test]
    fn each_algorithm_decides_as_its_definition_does_when_the_clock_jumps(algorithm in algorithm(), quota in quota(), jumps in jumps()) {
        let (mut ledger, mut oracle, mut now) = (Ledger::new(algorithm), Oracle::new(algorithm, quota), START);
        for (step, jump) in jumps {
            now = (now + step).strict_add_signed(jump);
            prop_assert_eq!(ledger.charge(quota, now).allowed, oracle.admits(now), "{:?} at {}", algorithm, now);
        }
    }

    #[test]
    fn no_algorithm_admits_more_than_its_bound(algorithm in algorithm(), quota in quota(), steps in steps()) {
        let (mut ledger, mut now, mut admitted) = (Ledger::new(algorithm), START, Vec::new());
        for step in steps {
            now += step;
            if ledger.charge(quota, now).allowed {
                admitted.push((now, 0));
            }
        }
        keeps_its_bound(algorithm, quota, &admitted)?;
    }

    #[test]
    fn the_bound_holds_in_real_time_however_the_clock_jumps(algorithm in algorithm(), quota in quota(), jumps in jumps()) {
        let (mut ledger, mut admitted) = (Ledger::new(algorithm), Vec::new());
        let (mut now, mut real, mut forward) = (START, 0, 0);
        for (step, jump) in jumps {
            real += step;
            now = (now + step).strict_add_signed(jump);
            forward += u64::from(jump > 0);
            // Greedy: whoever wants to get through tries more than once.
            while ledger.charge(quota, now).allowed {
                admitted.push((real, forward));
            }
        }
        keeps_its_bound(algorithm, quota, &admitted)?;
    }

    #[test]
    fn a_bucket_admits_what_it_holds_and_what_flows_in(quota in quota(), steps in steps()) {
        let (mut ledger, mut now, mut admitted) = (Ledger::new(Algorithm::TokenBucket), START, Vec::new());
        for step in steps {
            now += step;
            while ledger.charge(quota, now).allowed {
                admitted.push(now);
            }
        }
        let limit = u64::from(quota.limit);
        for (first, from) in admitted.iter().enumerate() {
            for (count, to) in (1u64..).zip(&admitted[first..]) {
                prop_assert!(count <= limit + limit * (to - from) / quota.window_ms);
            }
        }
    }

    #[test]
    fn remaining_is_how_many_more_would_be_admitted_now(algorithm in algorithm(), quota in quota(), steps in steps()) {
        let (mut ledger, mut now) = (Ledger::new(algorithm), START);
        for step in steps {
            now += step;
            let decision = ledger.charge(quota, now);
            let mut tried = ledger.clone();
            let more = (0..).take_while(|_| tried.charge(quota, now).allowed).count();
            prop_assert_eq!(decision.remaining as usize, more);
        }
    }

    #[test]
    fn a_fresh_identifier_can_use_the_quota_fully_and_no_more_at_once(algorithm in algorithm(), quota in quota(), at in 0u64..100_000) {
        let mut ledger = Ledger::new(algorithm);
        for left in (0..quota.limit).rev() {
            let decision = ledger.charge(quota, START + at);
            prop_assert!(decision.allowed);
            prop_assert_eq!(decision.remaining, left);
        }
        prop_assert!(!ledger.charge(quota, START + at).allowed);
    }

    #[test]
    fn retry_after_is_the_least_number_of_seconds_that_helps(algorithm in algorithm(), quota in quota(), steps in steps()) {
        let (mut ledger, mut now) = (Ledger::new(algorithm), START);
        for step in steps {
            now += step;
            let decision = ledger.charge(quota, now);
            if !decision.allowed {
                let helps = |seconds: &u64| ledger.clone().charge(quota, now + seconds * 1_000).allowed;
                let least = (1..=quota.window_ms / 1_000).find(helps);
                prop_assert_eq!(Some(decision.reset_seconds), least, "{:?}", ledger);
            }
        }
    }

    #[test]
    fn a_denial_changes_nothing_at_all(algorithm in algorithm(), quota in quota(), steps in steps()) {
        let (mut ledger, mut now) = (Ledger::new(algorithm), START);
        for step in steps {
            now += step;
            let before = ledger.clone();
            if !ledger.charge(quota, now).allowed {
                prop_assert_eq!(&ledger, &before);
            }
        }
    }

    #[test]
    fn memory_may_be_lost_at_any_time_also_when_the_clock_jumps(algorithm in algorithm(), quota in quota(), jumps in jumps()) {
        let (mut kept, mut text, mut now) = (Ledger::new(algorithm), String::new(), START);
        for (step, jump) in jumps {
            now = (now + step).strict_add_signed(jump);
            let mut restored = Ledger::decode(algorithm, &text).unwrap_or_else(|| Ledger::new(algorithm));
            let settled = restored.settle(quota, now);
            let decision = restored.charge(quota, now);
            prop_assert_eq!(kept.charge(quota, now), decision);
            // What the caller promises: an admission is stored, and what was settled is.
            if decision.allowed || settled {
                text = stored(&restored);
            }
        }
    }

    #[test]
    fn nobody_waits_longer_than_a_window_after_the_clock_went_back(algorithm in algorithm(), quota in quota(), steps in steps(), back in 0u64..10_000_000, naps in prop::collection::vec(0u64..2_000, 0..20)) {
        let (mut ledger, mut now) = (Ledger::new(algorithm), START);
        for step in steps {
            now += step;
            ledger.charge(quota, now);
        }
        now -= back;
        let mut text = stored(&ledger);
        let deadline = now + quota.window_ms;
        // Tried now and then, from storage each time, as an object that falls asleep in between.
        for nap in naps.into_iter().chain([quota.window_ms]) {
            let mut woken = Ledger::decode(algorithm, &text).expect("it was written");
            let settled = woken.settle(quota, now);
            let decision = woken.clone().charge(quota, now);
            if decision.allowed {
                return Ok(());
            }
            prop_assert!(now + decision.reset_seconds * 1_000 < deadline + 1_000);
            if settled {
                text = stored(&woken);
            }
            now = (now + nap).min(deadline);
        }
        prop_assert!(Ledger::decode(algorithm, &text).expect("it was written").charge(quota, deadline).allowed);
    }

    #[test]
    fn what_has_expired_may_be_forgotten(algorithm in algorithm(), quota in quota(), steps in steps(), later in 0u64..5_000) {
        let (mut ledger, mut now) = (Ledger::new(algorithm), START);
        for step in steps {
            now += step;
            ledger.charge(quota, now);
        }
        let then = ledger.expires_at_ms(quota).max(now) + later;
        prop_assert!(ledger.expires_at_ms(quota) <= now + 2 * quota.window_ms);
        let mut fresh = Ledger::new(algorithm);
        for _ in 0..=quota.limit {
            prop_assert_eq!(ledger.charge(quota, then).allowed, fresh.charge(quota, then).allowed);
        }
    }

    #[test]
    fn no_stored_text_makes_a_panic(algorithm in algorithm(), quota in quota(), text in "[0-9, ]{0,60}", now in 0u64..1 << 45) {
        if let Some(mut ledger) = Ledger::decode(algorithm, &format!("{} {text}", algorithm.as_str())) {
            let decision = ledger.charge(quota, now);
            prop_assert!(decision.allowed || (1..=quota.window_ms / 1_000).contains(&decision.reset_seconds));
            let _ = ledger.expires_at_ms(quota);
        }
    }

    #[test]
    fn a_changed_quota_or_window_causes_no_wait_beyond_the_new_window(algorithm in algorithm(), quotas in prop::collection::vec((quota(), 1u64..40), 1..6), jumps in jumps()) {
        let (mut ledger, mut now) = (Ledger::new(algorithm), START);
        let quotas: Vec<Quota> = quotas.into_iter().flat_map(|(quota, times)| (0..times).map(move |_| quota)).collect();
        for ((step, jump), quota) in jumps.into_iter().zip(quotas) {
            now = (now + step).strict_add_signed(jump);
            let decision = ledger.charge(quota, now);
            if !decision.allowed {
                prop_assert!((1..=quota.window_ms / 1_000).contains(&decision.reset_seconds), "{:?} {:?}", decision, quota);
                prop_assert!(ledger.clone().charge(quota, now + decision.reset_seconds * 1_000).allowed);
            }
        }
    }
}

#[test]
fn a_line_of_another_algorithm_is_dropped() {
    for written in Algorithm::ALL {
        let mut ledger = Ledger::new(written);
        ledger.charge(
            Quota {
                limit: 3,
                window_ms: 1_000,
            },
            START,
        );
        let text = stored(&ledger);
        for read in Algorithm::ALL {
            assert_eq!(
                Ledger::decode(read, &text),
                (read == written).then(|| ledger.clone()),
                "{text}"
            );
        }
    }
}

#[test]
fn the_bounds_are_reached_exactly() {
    // Everything that gets through in one window that begins in the last millisecond of another: the worst traffic for each of
    // the four. From 1,000 requests a second on the bounds say something else.
    for (limit, window_ms) in [
        (1, 1_000),
        (10, 1_000),
        (50, 60_000),
        (999, 1_000),
        (1_000, 1_000),
        (1_001, 1_000),
        (2_500, 1_000),
    ] {
        let quota = Quota { limit, window_ms };
        for algorithm in Algorithm::ALL {
            let mut ledger = Ledger::new(algorithm);
            let begin = START - START % window_ms;
            // The original design counts from the first request on, so its window has to be opened.
            if algorithm == Algorithm::FixedWindow {
                assert!(ledger.charge(quota, begin).allowed);
            }
            let last = begin + window_ms - 1;
            let admitted: u64 = (last..last + window_ms)
                .map(|now| {
                    (0..)
                        .take_while(|_| ledger.charge(quota, now).allowed)
                        .count() as u64
                })
                .sum();
            assert_eq!(admitted, algorithm.bound(quota), "{algorithm:?} {quota:?}");
        }
    }
}

#[test]
fn the_wait_is_exact_at_every_millisecond() {
    let quota = Quota {
        // Seven do not divide the window: what flows into the bucket is no whole number of milliseconds per token.
        limit: 7,
        window_ms: 3_000,
    };
    for algorithm in Algorithm::ALL {
        let mut ledger = Ledger::new(algorithm);
        let mut denied = 0;
        for now in START..START + 10_000 {
            // One is let through every 300 ms if it can be; the others only ask.
            let decision = if now % 300 == 0 {
                ledger.charge(quota, now)
            } else {
                ledger.clone().charge(quota, now)
            };
            if !decision.allowed {
                denied += 1;
                let helps =
                    |seconds: &u64| ledger.clone().charge(quota, now + seconds * 1_000).allowed;
                assert_eq!(
                    Some(decision.reset_seconds),
                    (1..=3).find(helps),
                    "{algorithm:?} at {}",
                    now - START
                );
                let then = now + decision.reset_ms;
                assert!(ledger.clone().charge(quota, then).allowed);
                assert!(!ledger.clone().charge(quota, then - 1).allowed);
            }
        }
        assert!(denied > 1_000, "{algorithm:?}: {denied}");
    }
}

#[test]
fn a_jump_to_the_end_of_a_window_gives_the_sliding_counter_two_quotas() {
    let quota = Quota {
        limit: 1,
        window_ms: 2_000,
    };
    let mut ledger = Ledger::new(Algorithm::SlidingCounter);
    // Real time goes on by one millisecond from each to the next; between the second and the third the clock jumps.
    for now in [START + 1_999, START + 2_000, START + 9_999, START + 10_000] {
        assert!(ledger.charge(quota, now).allowed, "{}", now - START);
    }
}

#[test]
fn a_clock_that_trembles_about_the_end_of_a_window_gives_nothing_back() {
    // The counts used to move on each time the clock passed the end, so that ten passages let ten quotas through.
    let quota = Quota {
        limit: 5,
        window_ms: 10_000,
    };
    for algorithm in Algorithm::ALL {
        let mut ledger = Ledger::new(algorithm);
        let mut admitted = 0;
        for _ in 0..10 {
            for now in [START - 3, START - 1, START, START + 1] {
                while ledger.charge(quota, now).allowed {
                    admitted += 1;
                }
            }
        }
        assert!(
            admitted <= algorithm.bound(quota),
            "{algorithm:?}: {admitted}"
        );
    }
}

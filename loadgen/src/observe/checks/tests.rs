//! Correct runs pass every check, and each broken answer fails its own check.

use super::*;
use crate::contract::problem::QUOTA_EXCEEDED;
use crate::contract::{Denial, Sample, Words};
use crate::observe::Outcome;
use crate::plan::tests::plan;
use crate::plan::{Plan, Template};
use crate::secret::Secret;

const WRITE: Charge = Charge::Policy("write");

/// A contract that promises everything that can be judged; its mark is the header x-mark.
#[derive(Debug)]
struct Strict;

impl Contract for Strict {
    fn sample(&self) -> Sample {
        unreachable!("the tests bring their requests")
    }

    fn charge(&self, _: &Plan) -> Charge {
        WRITE
    }

    fn wrong_status(&self, _: &Plan, _: Charge, answer: &Answer) -> Option<&'static str> {
        (!(200..300).contains(&answer.status)).then_some("")
    }

    fn denial<'a>(&self, answer: &'a Answer) -> Option<Denial<'a>> {
        let problem = Problem::of(answer)?;
        (problem.kind.as_deref() == Some(QUOTA_EXCEEDED) && answer.headers.contains_key("x-mark"))
            .then_some(Denial {
                problem: Some(problem),
                retry_after_required: true,
            })
    }

    fn judges_fields(&self) -> bool {
        true
    }

    fn login(&self, _: &str, _: &Secret) -> Option<Template> {
        None
    }

    fn token(&self, _: &Answer) -> Option<Secret> {
        None
    }

    fn words(&self) -> Words {
        Words {
            examples: "",
            sample: "",
            mark: "the header x-mark",
            own_denials: "every 429 has the header x-mark",
        }
    }
}

const QUOTA: Quota = Quota {
    requests: 3,
    window_seconds: 60,
};

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

fn admitted(remaining: u64) -> Answer {
    answer(
        201,
        &[
            ("ratelimit-policy", "\"write\";q=3;w=60"),
            ("ratelimit", &format!("\"write\";r={remaining};t=60")),
        ],
        "{}",
    )
}

fn problem() -> String {
    format!("{{\"type\":\"{QUOTA_EXCEEDED}\",\"status\":429,\"violated-policies\":[\"write\"]}}")
}

/// A correct denial, with one header or the body replaced (`None` removes the header).
fn denied(change: Option<(&'static str, Option<&str>)>, body: Option<&str>) -> Answer {
    let mut headers = vec![
        ("content-type", Some("application/problem+json")),
        ("x-mark", Some("r1")),
        ("retry-after", Some("12")),
        ("ratelimit-policy", Some("\"write\";q=3;w=60")),
        ("ratelimit", Some("\"write\";r=0;t=12")),
    ];
    if let Some((name, value)) = change {
        headers.retain(|(known, _)| *known != name);
        headers.push((name, value));
    }
    let headers: Vec<(&'static str, &str)> = headers
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| (name, value)))
        .collect();
    answer(429, &headers, body.unwrap_or(&problem()))
}

fn run(answers: &[Answer], clients: u32, seconds: u64) -> (Vec<Class>, Vec<Check>) {
    let mut plan = plan(answers.len() as u64, 1);
    plan.clients = clients;
    let mut checks = Checks::new(Rc::new(Strict), &plan, WRITE, Some(QUOTA));
    let classes = (0..)
        .zip(answers)
        .map(|(index, answer)| checks.observe(&plan, &plan.request(index, 0), answer))
        .collect();
    (classes, checks.finish(Duration::from_secs(seconds), true))
}

fn failed(checks: &[Check]) -> Vec<&'static str> {
    checks
        .iter()
        .filter(|check| check.verdict == Outcome::Fail)
        .map(|check| check.name)
        .collect()
}

#[test]
fn a_correct_run_passes_every_check() {
    let answers = [
        admitted(2),
        admitted(1),
        admitted(0),
        denied(None, None),
        denied(None, None),
    ];
    let (classes, checks) = run(&answers, 1, 1);
    assert_eq!(classes[2..4], [Class::Admitted, Class::Denied]);
    assert!(
        checks.iter().all(|check| check.verdict == Outcome::Pass),
        "{checks:#?}"
    );
}

#[test]
fn each_broken_denial_is_rejected_by_its_check() {
    let other_type = problem().replace("quota-exceeded", "other");
    let no_policy = problem().replace("[\"write\"]", "[\"general\"]");
    let wrong_status = problem().replace("429", "428");
    for (broken, checks_that_fail) in [
        (
            denied(Some(("retry-after", None)), None),
            vec!["retry-after", "ratelimit"],
        ),
        (
            denied(Some(("retry-after", Some("0"))), None),
            vec!["retry-after", "ratelimit"],
        ),
        (
            denied(Some(("retry-after", Some("61"))), None),
            vec!["retry-after", "ratelimit"],
        ),
        (
            denied(Some(("retry-after", Some("1.5"))), None),
            vec!["retry-after", "ratelimit"],
        ),
        (
            denied(
                Some(("retry-after", Some("Fri, 31 Dec 1999 23:59:59 GMT"))),
                None,
            ),
            vec!["retry-after", "ratelimit"],
        ),
        (denied(Some(("ratelimit", None)), None), vec!["ratelimit"]),
        (
            denied(Some(("ratelimit", Some("\"write\";r=1;t=12"))), None),
            vec!["ratelimit"],
        ),
        (
            denied(Some(("ratelimit", Some("\"write\";r=0;t=11"))), None),
            vec!["ratelimit"],
        ),
        (
            denied(Some(("ratelimit", Some("\"write\";r=0"))), None),
            vec!["ratelimit"],
        ),
        (
            denied(Some(("ratelimit", Some("write;r=0;t=12"))), None),
            vec!["ratelimit"],
        ),
        (
            denied(Some(("ratelimit", Some("\"other\";r=0;t=12"))), None),
            vec!["ratelimit"],
        ),
        (
            denied(Some(("ratelimit-policy", None)), None),
            vec!["ratelimit-policy"],
        ),
        (
            denied(Some(("ratelimit-policy", Some("\"write\";q=4;w=60"))), None),
            vec!["ratelimit-policy"],
        ),
        (
            denied(Some(("ratelimit-policy", Some("\"write\";q=3;w=30"))), None),
            vec!["ratelimit-policy"],
        ),
        (
            denied(Some(("ratelimit-policy", Some("\"write\";q=3"))), None),
            vec!["ratelimit-policy"],
        ),
        (denied(None, Some(&no_policy)), vec!["problem-details"]),
        (denied(None, Some(&wrong_status)), vec!["problem-details"]),
        (denied(None, Some(&other_type)), vec!["own-429"]),
        (denied(Some(("x-mark", None)), None), vec!["own-429"]),
        (
            denied(Some(("content-type", Some("application/json"))), None),
            vec!["own-429"],
        ),
        (denied(None, Some("not json")), vec!["own-429"]),
    ] {
        let (classes, checks) = run(&[admitted(2), broken.clone()], 1, 1);
        assert_eq!(failed(&checks), checks_that_fail, "{broken:?}");
        let foreign = checks_that_fail == ["own-429"];
        assert_eq!(classes[1] == Class::Foreign(None), foreign, "{broken:?}");
    }
}

#[test]
fn each_broken_admission_is_rejected_by_its_check() {
    let with = |policy, limit| {
        answer(
            201,
            &[("ratelimit-policy", policy), ("ratelimit", limit)],
            "{}",
        )
    };
    for (broken, checks_that_fail) in [
        (
            answer(201, &[], "{}"),
            vec!["ratelimit-policy", "ratelimit"],
        ),
        (
            with("\"write\";q=3;w=60", "\"write\";r=3"),
            vec!["ratelimit", "remaining"],
        ),
        (
            with("\"write\";q=3;w=60", "\"write\";r=2"),
            vec!["remaining"],
        ),
        (
            with("\"write\";q=3;w=60", "\"write\";r=0"),
            vec!["remaining"],
        ),
        (
            with("write;q=3;w=60", "\"write\";r=1"),
            vec!["ratelimit-policy"],
        ),
        (
            answer(
                200,
                &[
                    ("ratelimit-policy", "\"write\";q=3;w=60"),
                    ("ratelimit", "\"write\";r=1"),
                ],
                "{}",
            ),
            vec!["uniform"],
        ),
    ] {
        let (_, checks) = run(&[admitted(2), broken.clone()], 1, 1);
        assert_eq!(failed(&checks), checks_that_fail, "{broken:?}");
    }
}

#[test]
fn an_unexpected_status_is_rejected_and_counted_apart() {
    for (status, class) in [
        (500, Class::ServerError),
        (503, Class::ServerError),
        (302, Class::Redirect),
        (418, Class::Admitted),
    ] {
        let mut odd = admitted(2);
        odd.status = status;
        let (classes, checks) = run(&[odd], 1, 1);
        assert_eq!(
            (classes[0], failed(&checks)),
            (class, vec!["status"]),
            "{status}"
        );
    }
}

#[test]
fn a_429_of_the_platform_is_named() {
    assert_eq!(
        run(&[answer(429, &[], "error code: 1027")], 1, 1).0,
        [Class::Foreign(Some(Platform429::DailyLimit))]
    );
}

#[test]
fn a_contract_without_fields_and_marks_has_nothing_of_them_judged() {
    use crate::contract::generic::Generic;
    let plan = plan(3, 1);
    let mut checks = Checks::new(Rc::new(Generic), &plan, Charge::Unknown, None).require_fields();
    let broken = [("ratelimit", "garbage"), ("retry-after", "soon")];
    for (index, status) in [(0, 200), (1, 429), (2, 429)] {
        let class = checks.observe(&plan, &plan.request(index, 0), &answer(status, &broken, ""));
        let expected = if status == 429 {
            Class::Denied
        } else {
            Class::Admitted
        };
        assert_eq!(class, expected);
    }
    assert_eq!(checks.quota(), None);
    let checks = checks.finish(Duration::from_secs(1), true);
    assert!(failed(&checks).is_empty(), "{checks:#?}");
}

#[test]
fn parallel_remainders_may_arrive_in_any_order_but_only_once() {
    let (_, checks) = run(&[admitted(1), admitted(2), admitted(0)], 4, 1);
    assert!(failed(&checks).is_empty(), "{checks:#?}");
    let (_, checks) = run(&[admitted(2), admitted(1), admitted(1)], 4, 1);
    assert_eq!(failed(&checks), ["remaining"]);
    let (_, checks) = run(&[admitted(1), admitted(2), admitted(0)], 1, 1);
    assert_eq!(failed(&checks), ["remaining"]);
}

#[test]
fn remainders_are_not_judged_beyond_the_window() {
    let (_, checks) = run(&[admitted(2), admitted(2)], 1, 60);
    let check = checks
        .iter()
        .find(|check| check.name == "remaining")
        .expect("listed");
    assert_eq!(check.verdict, Outcome::Skipped);
}

#[test]
fn a_quota_is_learned_from_the_tightest_policy() {
    let plan = plan(2, 1);
    let mut checks = Checks::new(Rc::new(Strict), &plan, WRITE, None).require_fields();
    let two = answer(
        201,
        &[
            (
                "ratelimit-policy",
                "\"general\";q=100;w=60, \"write\";q=50;w=30",
            ),
            ("ratelimit", "\"general\";r=99, \"write\";r=40"),
        ],
        "{}",
    );
    checks.observe(&plan, &plan.request(0, 0), &two);
    let quota = Quota {
        requests: 50,
        window_seconds: 30,
    };
    assert_eq!(checks.quota(), Some(quota));
    assert_eq!(checks.used_before(quota), Some(9));
}

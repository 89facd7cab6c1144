//! One script, several platforms: the simulator must answer what the real runtime answers.
//!
//! A *case* ([`case`]) is a list of calls of KV, of a Durable Object's storage or of D1, written by hand in `cases/*.json` or
//! generated from a recorded seed ([`generated`]). The Worker in `worker/` makes the calls and answers with their
//! results. Three *arms* run it:
//!
//! - the simulator, natively, in virtual time ([`simulator`]);
//! - the oracle: Miniflare with its own KV, D1 and objects, which shares no code with the simulator ([`miniflare`]);
//! - workerd with the simulator's KV and D1 behind it ([`workerd`]).
//!
//! The last two serve the Worker at a base URL, and [`served`] sends the calls there.
//!
//! What the oracle answered is kept in `golden/*.json` ([`golden`]), with date and versions. `cargo test --test conformance` holds the
//! simulator against it and needs neither npm nor wasm. With `--features real` the oracle runs as well and must answer as it
//! did then. This records its answers anew:
//!
//! ```text
//! EDGEPROOF_REFRESH=1 cargo test --features real --test conformance oracle
//! ```
//!
//! Where the two differ on purpose, `CONFORMANCE.md` says so, case by case; the list must be exact ([`differences`]).

mod answer;
mod case;
mod differences;
mod generated;
mod golden;
mod simulator;

#[cfg(feature = "real")]
mod bundle;
#[cfg(feature = "real")]
mod miniflare;
#[cfg(feature = "real")]
mod served;
#[cfg(feature = "real")]
mod workerd;

use case::{Case, Topic};
use differences::{Difference, Differing, Listed};
use golden::Golden;
use serde_json::Value;

/// Somewhere the script can run.
pub(crate) trait Arm {
    /// The answers to a case's steps, in order.
    fn run(&mut self, case: &Case) -> Vec<Value>;
}

/// The cases that two arms answer differently.
fn compare(
    topics: &[Topic],
    expected: impl Fn(&Topic, &Case) -> Vec<Value>,
    arm: &mut impl Arm,
) -> Vec<Difference> {
    let mut found = Vec::new();
    for topic in topics {
        for case in &topic.cases {
            let expected = expected(topic, case);
            let actual: Vec<Value> = arm.run(case).into_iter().map(answer::normalised).collect();
            found.extend(Difference::between(case, &expected, &actual));
        }
    }
    found
}

/// The oracle's answers as recorded.
///
/// # Panics
/// If there are none, or they are those of another script.
fn recorded(topics: &[Topic]) -> impl Fn(&Topic, &Case) -> Vec<Value> {
    let goldens: Vec<Golden> = topics.iter().map(Golden::read).collect();
    move |topic, case| {
        let golden = goldens
            .iter()
            .find(|golden| golden.topic() == topic.name)
            .expect("one was read for every topic");
        golden.answers(case).to_vec()
    }
}

#[test]
fn the_simulator_differs_from_the_real_runtime_only_as_listed() {
    let topics = case::all();
    let found = compare(&topics, recorded(&topics), &mut simulator::Simulator);
    differences::must_be(&found, &Listed::read());
}

#[test]
fn there_are_as_many_cases_as_the_page_says() {
    let topics = case::all();
    let count = |wanted: &str| {
        let of_product = topics.iter().filter(|topic| topic.name.starts_with(wanted));
        of_product.map(|topic| topic.cases.len()).sum::<usize>()
    };
    let counts = [count("kv"), count("d1"), count("object")];
    let sum: usize = topics.iter().map(|topic| topic.cases.len()).sum();
    assert_eq!(counts.iter().sum::<usize>(), sum, "a topic of no product");
    assert!(sum >= 300, "{sum} cases: KV, D1, objects {counts:?}");
    let generated = topics
        .iter()
        .filter(|topic| topic.name.ends_with("-generated"));
    let generated: usize = generated.map(|topic| topic.cases.len()).sum();
    let said = format!(
        "{sum} cases over KV ({}), D1 ({}) and the storage of Durable Objects ({}), {} of them written by hand and {generated} generated",
        counts[0],
        counts[1],
        counts[2],
        sum - generated,
    );
    let page = include_str!("../../CONFORMANCE.md").replace('\n', " ");
    assert!(page.contains(&said), "CONFORMANCE.md should say: {said}");
    for topic in &topics {
        for case in &topic.cases {
            let same_name = topics.iter().flat_map(|topic| &topic.cases);
            let same_name = same_name.filter(|other| other.name == case.name).count();
            assert_eq!(same_name, 1, "two cases are called `{}`", case.name);
        }
    }
}

/// An arm that answers as recorded, with one exception.
struct Broken<'a, F> {
    recorded: &'a dyn Fn(&Topic, &Case) -> Vec<Value>,
    topics: &'a [Topic],
    breakage: F,
}

impl<F: Fn(&mut Value) -> bool> Arm for Broken<'_, F> {
    fn run(&mut self, case: &Case) -> Vec<Value> {
        let of_case = |topic: &&Topic| topic.cases.iter().any(|known| known.name == case.name);
        let topic = self
            .topics
            .iter()
            .find(of_case)
            .expect("it is a known case");
        let mut answers = (self.recorded)(topic, case);
        // One answer of the case is broken, the rest are right.
        let _ = answers.iter_mut().any(|answer| (self.breakage)(answer));
        answers
    }
}

/// Changes the first thing in a JSON value that `change` changes.
fn anywhere(value: &mut Value, change: &dyn Fn(&mut Value) -> bool) -> bool {
    if change(value) {
        return true;
    }
    match value {
        Value::Array(items) => items.iter_mut().any(|item| anywhere(item, change)),
        Value::Object(fields) => fields.values_mut().any(|field| anywhere(field, change)),
        _ => false,
    }
}

/// How many cases a breakage touches, and in how many the comparison notices.
fn noticed(change: &dyn Fn(&mut Value) -> bool) -> (usize, usize) {
    let topics = case::all();
    let recorded = recorded(&topics);
    let touched = topics
        .iter()
        .flat_map(|topic| topic.cases.iter().map(move |case| (topic, case)))
        .filter(|(topic, case)| {
            let mut answers = recorded(topic, case);
            answers.iter_mut().any(|answer| anywhere(answer, change))
        })
        .count();
    let mut broken = Broken {
        recorded: &recorded,
        topics: &topics,
        breakage: |answer: &mut Value| anywhere(answer, change),
    };
    (touched, compare(&topics, &recorded, &mut broken).len())
}

#[test]
fn one_row_too_many_is_noticed_in_every_case_that_counts_rows() {
    for counter in ["rows_written", "rows_read", "changes"] {
        let one_more = |value: &mut Value| match value.get_mut(counter) {
            Some(Value::Number(count)) => {
                *count = (count.as_u64().expect("a count") + 1).into();
                true
            }
            _ => false,
        };
        let (touched, noticed) = noticed(&one_more);
        assert!(touched > 50, "{counter}: only {touched} cases");
        assert_eq!(noticed, touched, "{counter}");
    }
}

#[test]
fn an_arm_that_swaps_the_order_of_a_list_is_noticed() {
    let swap = |value: &mut Value| match value {
        Value::Array(items) if items.len() > 1 && items[0] != items[1] => {
            items.swap(0, 1);
            true
        }
        _ => false,
    };
    let (touched, noticed) = noticed(&swap);
    assert!(touched > 50, "only {touched} cases have a list");
    assert_eq!(noticed, touched);
}

#[test]
fn an_arm_with_other_words_in_its_errors_is_noticed() {
    let reword = |value: &mut Value| match value.get_mut("message") {
        Some(Value::String(text)) => {
            text.push('.');
            true
        }
        _ => false,
    };
    let (touched, noticed) = noticed(&reword);
    assert!(touched > 50, "only {touched} cases have an error");
    assert_eq!(noticed, touched);
}

#[test]
fn the_list_of_differences_must_be_exact() {
    let difference = |case: &str, number| Difference {
        case: case.to_owned(),
        steps: vec![Differing {
            number,
            script: "…".to_owned(),
            expected: Value::Null,
            actual: Value::Bool(true),
        }],
    };
    let head = "| case | steps | real runtime | simulator | reason |\n|---|---|---|---|---|\n";
    let listed = Listed::parse(&format!("{head}| `a` | 2 | null | true | b |\n"));
    let verdict = |found: &[Difference]| differences::verdict(found, &listed);
    assert_eq!(verdict(&[difference("a", 2)]), Ok(()));
    let unlisted = verdict(&[difference("a", 2), difference("c", 1)]);
    let unlisted = unlisted.expect_err("`c` is not listed");
    assert!(
        unlisted.contains("`c`") && !unlisted.contains("`a`"),
        "{unlisted}"
    );
    let elsewhere = verdict(&[difference("a", 1)]).expect_err("step 1 is not listed");
    assert!(elsewhere.contains("other steps"), "{elsewhere}");
    let settled = verdict(&[]).expect_err("`a` agrees");
    assert!(settled.contains("`a`"), "{settled}");
}

/// The oracle answers as it did when it was recorded, or is recorded now if `EDGEPROOF_REFRESH` is set.
#[cfg(feature = "real")]
#[test]
fn the_oracle_answers_as_recorded() {
    let topics = case::all();
    let oracle = miniflare::Miniflare::start(topics.iter().map(|topic| topic.cases.len()).sum());
    let mut arm = oracle.arm(&topics);
    if std::env::var_os("EDGEPROOF_REFRESH").is_some() {
        for topic in &topics {
            let answers = topic.cases.iter().map(|case| {
                let answers = arm.run(case).into_iter().map(answer::normalised);
                (case, answers.collect())
            });
            Golden::write(topic, oracle.versions(), answers.collect());
        }
    } else {
        let found = compare(&topics, recorded(&topics), &mut arm);
        differences::must_be(&found, &Listed::none());
    }
}

/// Behind the wire the simulator's KV and D1 answer as they do natively, so they differ from the oracle in the same steps of the
/// same cases; the objects are workerd's, which is what Miniflare runs too.
#[cfg(feature = "real")]
#[test]
fn workerd_on_the_simulator_differs_only_as_the_simulator_does() {
    let topics = case::all();
    let mut workerd = workerd::Workerd::start(&topics);
    let found = compare(&topics, recorded(&topics), workerd.arm());
    let listed = Listed::read().of(|case| !case.starts_with("object:"));
    differences::must_be(&found, &listed);
}

//! What the oracle answered, and when: one file per topic, one line per answer.

use crate::case::{Case, Topic, folder};
use serde_json::{Map, Value};
use std::fmt::Write as _;
use std::path::PathBuf;

/// The recorded answers to a topic's cases.
#[derive(Debug)]
pub(crate) struct Golden {
    topic: String,
    cases: Map<String, Value>,
}

impl Golden {
    /// Reads what was recorded.
    pub(crate) fn read(topic: &Topic) -> Self {
        let file = file(&topic.name);
        let shown = file.display();
        let text = std::fs::read_to_string(&file)
            .unwrap_or_else(|error| panic!("{shown}: {error}; {REFRESH}"));
        let mut golden: Map<String, Value> =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{shown}: {error}"));
        let Some(Value::Object(cases)) = golden.remove("cases") else {
            panic!("{shown} has no `cases`")
        };
        let unknown = cases
            .keys()
            .find(|name| !topic.cases.iter().any(|case| case.name == **name));
        assert_eq!(
            unknown, None,
            "{shown} answers a case that is gone; {REFRESH}"
        );
        Self {
            topic: topic.name.clone(),
            cases,
        }
    }

    /// Which topic's.
    pub(crate) fn topic(&self) -> &str {
        &self.topic
    }

    /// The answers to a case's steps.
    ///
    /// # Panics
    /// If it was not recorded, or has other steps now.
    pub(crate) fn answers(&self, case: &Case) -> &[Value] {
        let name = &case.name;
        let recorded = self.cases.get(name);
        let recorded = recorded.unwrap_or_else(|| panic!("`{name}` was never recorded; {REFRESH}"));
        let script = recorded.get("script").and_then(Value::as_str);
        assert_eq!(
            script,
            Some(&*case.fingerprint()),
            "the steps of `{name}` are not those that were recorded; {REFRESH}"
        );
        let answers = recorded.get("answers").and_then(Value::as_array);
        answers.expect("a recorded case has answers")
    }

    /// Records answers.
    #[cfg_attr(
        not(feature = "real"),
        expect(dead_code, reason = "only the real runtime is recorded")
    )]
    pub(crate) fn write(
        topic: &Topic,
        versions: &Map<String, Value>,
        answers: Vec<(&Case, Vec<Value>)>,
    ) {
        let mut text = String::from("{\n");
        for (name, version) in versions {
            writeln!(text, "  \"{name}\": {version},").expect("a String takes anything");
        }
        text.push_str("  \"cases\": {");
        for (place, (case, answers)) in answers.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            let name = Value::from(case.name.as_str());
            let script = case.fingerprint();
            write!(
                text,
                "{comma}\n    {name}: {{\"script\": \"{script}\", \"answers\": ["
            )
            .expect("a String takes anything");
            for (place, answer) in answers.iter().enumerate() {
                let comma = if place == 0 { "" } else { "," };
                write!(text, "{comma}\n      {answer}").expect("a String takes anything");
            }
            text.push_str("\n    ]}");
        }
        text.push_str("\n  }\n}\n");
        let file = file(&topic.name);
        let new = file.with_extension("new");
        std::fs::write(&new, text).expect("the folder can be written to");
        std::fs::rename(&new, &file).expect("the folder can be written to");
    }
}

/// What to do about an outdated record.
const REFRESH: &str = "record the oracle anew: EDGEPROOF_REFRESH=1 cargo test --features real --test conformance oracle";

fn file(topic: &str) -> PathBuf {
    folder().join("golden").join(format!("{topic}.json"))
}

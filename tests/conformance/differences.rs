//! Where arms differ, and the list of differences that are meant: the table in `CONFORMANCE.md`.

use crate::case::{Case, Step};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A case that two arms answered differently.
#[derive(Debug)]
pub(crate) struct Difference {
    pub(crate) case: String,
    pub(crate) steps: Vec<Differing>,
}

/// A step that two arms answered differently.
#[derive(Debug)]
pub(crate) struct Differing {
    /// Counted from 1, waits left out.
    pub(crate) number: usize,
    pub(crate) script: String,
    pub(crate) expected: Value,
    pub(crate) actual: Value,
}

impl Difference {
    /// Where answers to a case differ, if they do.
    pub(crate) fn between(case: &Case, expected: &[Value], actual: &[Value]) -> Option<Self> {
        let calls: Vec<&Value> = case
            .steps
            .iter()
            .filter_map(|step| match step {
                Step::Call { body, .. } => Some(body),
                Step::Wait { .. } => None,
            })
            .collect();
        assert_eq!(calls.len(), actual.len(), "every call has an answer");
        assert_eq!(calls.len(), expected.len(), "every call has an answer");
        let steps = (0..calls.len()).filter(|place| expected[*place] != actual[*place]);
        let steps = steps.map(|place| Differing {
            number: place + 1,
            script: calls[place].to_string(),
            expected: expected[place].clone(),
            actual: actual[place].clone(),
        });
        let steps: Vec<_> = steps.collect();
        (!steps.is_empty()).then(|| Self {
            case: case.name.clone(),
            steps,
        })
    }

    fn numbers(&self) -> Vec<usize> {
        self.steps.iter().map(|step| step.number).collect()
    }
}

/// The cases that are allowed to differ, and in which steps.
#[derive(Debug)]
pub(crate) struct Listed(BTreeMap<String, Vec<usize>>);

impl Listed {
    /// What `CONFORMANCE.md` lists.
    pub(crate) fn read() -> Self {
        Self::parse(include_str!("../../CONFORMANCE.md"))
    }

    /// Those of some cases only.
    #[cfg_attr(
        not(feature = "real"),
        expect(dead_code, reason = "the simulator may differ in all of them")
    )]
    pub(crate) fn of(mut self, wanted: impl Fn(&str) -> bool) -> Self {
        self.0.retain(|case, _| wanted(case));
        self
    }

    /// No case at all.
    #[cfg_attr(
        not(feature = "real"),
        expect(dead_code, reason = "only the real runtime must repeat itself")
    )]
    pub(crate) fn none() -> Self {
        Self(BTreeMap::new())
    }

    /// Reads the one table whose first column is called `case`: case, steps, what each side says, reason.
    pub(crate) fn parse(page: &str) -> Self {
        let cells = |line: &str| -> Vec<String> {
            let line = line.trim().trim_matches('|').replace("\\|", "\u{1}");
            let cells = line.split('|');
            cells
                .map(|cell| cell.trim().replace('\u{1}', "|"))
                .collect()
        };
        let mut listed = BTreeMap::new();
        let rows = page
            .lines()
            .skip_while(|line| !(line.starts_with('|') && cells(line)[0] == "case"))
            .take_while(|line| line.starts_with('|'));
        for row in rows.skip(2) {
            let cells = cells(row);
            let [case, steps, real, simulator, reason] = &cells[..] else {
                panic!("five columns, not these: {row}")
            };
            let case = case.trim_matches('`');
            for (column, text) in [
                ("real runtime", real),
                ("simulator", simulator),
                ("reason", reason),
            ] {
                assert!(!text.is_empty(), "`{case}` has no {column}");
            }
            let number = |text: &str| text.trim().parse().expect("steps are numbers");
            let steps = steps.split(',').map(number).collect();
            let before = listed.insert(case.to_owned(), steps);
            assert_eq!(before, None, "`{case}` is listed twice");
        }
        Self(listed)
    }
}

/// Whether the differences are those that are listed; else which are not.
pub(crate) fn verdict(found: &[Difference], listed: &Listed) -> Result<(), String> {
    let mut report = String::new();
    let mut say = |text: std::fmt::Arguments<'_>| {
        report.write_fmt(text).expect("a String takes anything");
    };
    for difference in found {
        let Difference { case, steps } = difference;
        let expected = listed.0.get(case);
        if expected == Some(&difference.numbers()) {
            continue;
        }
        match expected {
            None => say(format_args!("\n`{case}` differs and is not listed:\n")),
            Some(listed) => say(format_args!(
                "\n`{case}` differs in other steps than {listed:?}:\n"
            )),
        }
        for step in steps {
            say(format_args!(
                "  {}: {}\n    expected {}\n    but got  {}\n",
                step.number, step.script, step.expected, step.actual
            ));
        }
    }
    for case in listed.0.keys() {
        if !found.iter().any(|difference| difference.case == *case) {
            say(format_args!(
                "\n`{case}` is listed as a difference and is none\n"
            ));
        }
    }
    if report.is_empty() {
        Ok(())
    } else {
        Err(report)
    }
}

/// # Panics
/// If the differences are not those that are listed.
pub(crate) fn must_be(found: &[Difference], listed: &Listed) {
    if let Err(report) = verdict(found, listed) {
        panic!("{report}");
    }
}

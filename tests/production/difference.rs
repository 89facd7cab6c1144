//! Where an arm differs from the simulator: found, told so that it can be repeated, and held against the list of those that are
//! meant, in `CONFORMANCE.md`.

use crate::normal::Normal;
use crate::step::{Request, Step};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// How many differences are told in full.
const TOLD: usize = 5;

/// One request that was answered differently.
#[derive(Debug)]
pub(crate) struct Difference {
    pub(crate) arm: &'static str,
    pub(crate) seed: u64,
    /// From 0.
    pub(crate) place: usize,
    pub(crate) label: String,
    peculiarity: Option<&'static str>,
    story: String,
}

impl Difference {
    /// Its name in the list: what is peculiar about the request, or else what it was meant to be. Not its place, which changes
    /// with the generator.
    pub(crate) fn name(&self) -> String {
        let what = self.peculiarity.unwrap_or(&self.label);
        format!("{}: {what}", self.arm)
    }
}

/// A sequence as it was asked for, sent, and answered.
pub(crate) struct Played<'a> {
    pub(crate) seed: u64,
    pub(crate) steps: &'a [Step],
    pub(crate) requests: &'a [Request],
    pub(crate) answers: &'a [Normal],
}

/// Where `answers` of another arm differ from those of the simulator.
pub(crate) fn compare(
    arm: &'static str,
    simulated: &Played<'_>,
    answers: &[Normal],
) -> Vec<Difference> {
    assert_eq!(
        simulated.answers.len(),
        answers.len(),
        "every request has an answer"
    );
    let pairs = simulated.answers.iter().zip(answers).enumerate();
    pairs
        .filter(|(_, (ours, theirs))| {
            !ours.agrees(theirs) || !ours.faults.is_empty() || !theirs.faults.is_empty()
        })
        .map(|(place, (ours, theirs))| Difference {
            arm,
            seed: simulated.seed,
            place,
            label: simulated.steps[place].label.clone(),
            peculiarity: simulated.steps[place].peculiarity,
            story: story(simulated, place, arm, ours, theirs),
        })
        .collect()
}

/// Everything that somebody needs who wants to see it again.
fn story(played: &Played<'_>, place: usize, arm: &str, ours: &Normal, theirs: &Normal) -> String {
    let mut story = String::new();
    let mut line = |text: String| {
        story += &text;
        story.push('\n');
    };
    line(format!(
        "seed {}, request {} ({}), on {arm}:",
        played.seed,
        place + 1,
        played.steps[place].label
    ));
    for request in &played.requests[..=place] {
        line(format!("  {}", request.curl()));
    }
    let (ours, theirs) = (lines(ours), lines(theirs));
    for same in ours.iter().filter(|line| theirs.contains(line)) {
        line(format!("    {same}"));
    }
    for only in ours.iter().filter(|line| !theirs.contains(line)) {
        line(format!("  simulator: {only}"));
    }
    for only in theirs.iter().filter(|line| !ours.contains(line)) {
        line(format!("  {arm}: {only}"));
    }
    line(format!(
        "  again: EDGEPROOF_SEED={} cargo test --features real --test production",
        played.seed
    ));
    story
}

/// An answer, one thing per line.
fn lines(answer: &Normal) -> Vec<String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).escape_debug().to_string();
    let mut lines = vec![format!("status {}", answer.status)];
    lines.extend(
        answer
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", text(value))),
    );
    lines.push(format!(
        "body of {} bytes: {}",
        answer.body.len(),
        text(&answer.body)
    ));
    for alert in &answer.alerts {
        lines.push(format!("alert to {}: {}", alert.path, text(&alert.body)));
        lines.extend(
            alert
                .headers
                .iter()
                .map(|(name, value)| format!("alert's {name}: {}", text(value))),
        );
    }
    lines.extend(answer.faults.iter().map(|fault| format!("fault: {fault}")));
    lines.push(format!(
        "waits {:?} after {} ms",
        answer.waits, answer.elapsed_ms
    ));
    lines
}

/// The differences that are meant: the table of `CONFORMANCE.md` whose first column is called `request`.
///
/// # Panics
/// If a row has not four columns, or says nothing in one.
pub(crate) fn listed(page: &str) -> BTreeSet<String> {
    let cells = |line: &str| -> Vec<String> {
        let cells = line.trim().trim_matches('|').split('|');
        cells.map(|cell| cell.trim().to_owned()).collect()
    };
    let rows = page
        .lines()
        .skip_while(|line| !(line.starts_with('|') && cells(line)[0] == "request"));
    let rows = rows.take_while(|line| line.starts_with('|')).skip(2);
    rows.map(|row| {
        let cells = cells(row);
        assert!(
            cells.len() == 4 && cells.iter().all(|cell| !cell.is_empty()),
            "four columns, all filled in: {row}"
        );
        cells[0].trim_matches('`').to_owned()
    })
    .collect()
}

/// Whether the differences are those that are listed; else which are not. `complete`: whether all sequences were played, so that
/// one that is listed must have been met.
pub(crate) fn verdict(
    found: &[Difference],
    listed: &BTreeSet<String>,
    complete: bool,
) -> Result<(), String> {
    let unlisted: Vec<&Difference> = found
        .iter()
        .filter(|difference| !listed.contains(&difference.name()))
        .collect();
    let mut report = String::new();
    let mut told = BTreeSet::new();
    for difference in &unlisted {
        // One of each kind first: the others mostly have the same reason.
        if told.len() < TOLD && told.insert(difference.name()) {
            writeln!(report, "{}", difference.story).expect("a String takes anything");
        }
    }
    if !unlisted.is_empty() {
        writeln!(
            report,
            "{} differences that are not listed:",
            unlisted.len()
        )
        .expect("a String takes anything");
        let mut places: Vec<String> = unlisted
            .iter()
            .map(|difference| {
                format!(
                    "  {}, seed {}, request {}",
                    difference.name(),
                    difference.seed,
                    difference.place + 1
                )
            })
            .collect();
        places.truncate(60);
        report += &places.join("\n");
    }
    for name in listed {
        if complete && !found.iter().any(|difference| difference.name() == *name) {
            writeln!(report, "`{name}` is listed as a difference and is none")
                .expect("a String takes anything");
        }
    }
    if report.is_empty() {
        Ok(())
    } else {
        Err(report)
    }
}

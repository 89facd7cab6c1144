//! The part of `docs/LIMITER.md` that is computed.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::cell::{Cell, QUOTA};

const BEGIN: &str = "<!-- computed by tests/worker/comparison: begin -->\n";
const END: &str = "<!-- computed by tests/worker/comparison: end -->\n";
const REFRESH: &str = "EDGEPROOF_REFRESH=1 cargo test --test worker comparison";

/// The table of these cells.
pub(crate) fn table(cells: &[Cell]) -> String {
    let mut text = String::from(
        "| traffic | algorithm | requests | admitted | most in a window | bound | wrongly admitted | wrongly denied | rows written per request | object requests per request | bytes stored |\n\
         |---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    for cell in cells {
        let share = |number: u64| number as f64 / cell.requests as f64;
        writeln!(
            text,
            "| {} | `{}` | {} | {:.1} % | {} | {} | {:.2} % | {:.2} % | {:.3} | {:.3} | {} |",
            cell.traffic.name(),
            cell.algorithm.as_str(),
            cell.requests,
            100.0 * share(cell.admitted),
            cell.most,
            cell.algorithm.bound(QUOTA),
            100.0 * share(cell.wrongly_admitted),
            100.0 * share(cell.wrongly_denied),
            share(cell.rows_written),
            share(cell.object_requests),
            cell.stored_bytes,
        )
        .expect("a String takes anything");
    }
    text
}

/// A page with this text between the marks.
pub(crate) fn with(text: &str) -> String {
    format!("before\n\n{BEGIN}{text}{END}\nafter\n")
}

/// What stands between the marks; nothing unless each of them stands there once.
pub(crate) fn between_marks(page: &str) -> Option<&str> {
    let (_, rest) = page.split_once(BEGIN)?;
    let (text, after) = rest.split_once(END)?;
    (!text.contains(BEGIN) && !after.contains(BEGIN) && !after.contains(END)).then_some(text)
}

/// Panics unless the page says this; writes it there if `EDGEPROOF_REFRESH` is set.
pub(crate) fn must_say(computed: &str) {
    let file = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/LIMITER.md"));
    let page = std::fs::read_to_string(&file).expect("docs/LIMITER.md can be read");
    let written = between_marks(&page).expect("docs/LIMITER.md has both marks, once each");
    if std::env::var_os("EDGEPROOF_REFRESH").is_some() {
        let (before, _) = page.split_once(BEGIN).expect("it was found");
        let (_, after) = page.split_once(END).expect("it was found");
        let new = file.with_extension("md.new");
        std::fs::write(&new, [before, BEGIN, computed, END, after].concat())
            .expect("the folder can be written to");
        std::fs::rename(&new, &file).expect("the folder can be written to");
        return;
    }
    assert_eq!(
        written, computed,
        "docs/LIMITER.md is not what is computed; if the change is meant: {REFRESH}"
    );
}

//! The four algorithms of the limiter side by side: the production Worker under the same traffic with each, in numbers.
//!
//! The numbers stand in `docs/LIMITER.md`, between two marks, and must be what is computed here. After a change that is meant:
//!
//! ```sh
//! EDGEPROOF_REFRESH=1 cargo test --test worker comparison
//! ```

mod cell;
mod page;
mod traffic;

use cell::Cell;
use edgeproof_worker::core::limiter::Algorithm;
use std::sync::OnceLock;
use traffic::Traffic;

/// Every algorithm under every traffic, computed once for all tests.
fn cells() -> &'static [Cell] {
    static CELLS: OnceLock<Vec<Cell>> = OnceLock::new();
    CELLS.get_or_init(|| {
        let pairs = Traffic::ALL.into_iter().flat_map(|traffic| {
            Algorithm::ALL
                .into_iter()
                .map(move |algorithm| (traffic, algorithm))
        });
        pairs
            .map(|(traffic, algorithm)| Cell::compute(traffic, algorithm))
            .collect()
    })
}

fn cell(traffic: Traffic, algorithm: Algorithm) -> &'static Cell {
    let wanted = |cell: &&Cell| cell.traffic == traffic && cell.algorithm == algorithm;
    cells().iter().find(wanted).expect("all are computed")
}

#[test]
fn the_page_says_what_is_computed() {
    page::must_say(&page::table(cells()));
}

#[test]
fn a_page_that_says_something_else_is_noticed() {
    let table = page::table(cells());
    let other = table.replacen('0', "1", 1);
    assert_ne!(table, other);
    for (page, computed) in [
        (page::with(&table), &other),
        (page::with(&other), &table),
        (table.clone(), &table),
        (page::with("") + &page::with(""), &String::new()),
    ] {
        assert!(page::between_marks(&page).is_none_or(|written| written != computed));
    }
    assert_eq!(page::between_marks(&page::with(&table)), Some(&*table));
}

#[test]
fn the_log_decides_as_the_definition_under_every_traffic() {
    for traffic in Traffic::ALL {
        let log = cell(traffic, Algorithm::SlidingLog);
        assert_eq!(
            (log.wrongly_admitted, log.wrongly_denied),
            (0, 0),
            "{traffic:?}"
        );
        assert_eq!(
            log.most,
            u64::from(cell::QUOTA.limit),
            "{traffic:?} fills a window"
        );
    }
}

#[test]
fn no_cell_exceeds_its_bound_and_aligned_bursts_come_near_to_it() {
    for cell in cells() {
        let bound = cell.algorithm.bound(cell::QUOTA);
        assert!(cell.most <= bound, "{cell:?}");
        if cell.traffic == Traffic::Aligned {
            assert!(cell.most * 100 >= bound * 97, "{cell:?}");
        }
    }
}

#[test]
fn the_cost_of_an_admission_is_one_row_whatever_the_algorithm() {
    for cell in cells() {
        let admitted = cell.admitted as f64 / cell.requests as f64;
        // And the mark of an alert now and then, and one alarm for each identifier.
        let written = cell.rows_written as f64 / cell.requests as f64;
        assert!(
            (admitted..admitted + 0.02).contains(&written),
            "{cell:?}: {admitted}"
        );
        assert!(cell.object_requests <= cell.requests, "{cell:?}");
    }
}

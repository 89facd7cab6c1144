//! What one isolate knows of the parts.

use std::cell::{Cell, RefCell};

/// How long a failure met by a request counts, if nothing worked since, in milliseconds.
const FAILURE_COUNTS_MS: u64 = 60_000;

/// What is known of the parts.
#[derive(Debug, Default)]
pub(crate) struct Health {
    pub(crate) database: Part,
    pub(crate) cache: Part,
    pub(crate) limiter: Part,
    pub(super) probed: RefCell<Option<(u64, [bool; 3])>>,
}

/// When a part last failed a request; 0 is never, or worked since.
#[derive(Debug, Default)]
pub(crate) struct Part(Cell<u64>);

impl Part {
    pub(crate) fn failed(&self, now_ms: u64) {
        self.0.set(now_ms);
    }

    pub(crate) fn works(&self) {
        self.0.set(0);
    }

    pub(super) fn fails(&self, now_ms: u64) -> bool {
        let failed_ms = self.0.get();
        failed_ms != 0 && now_ms.saturating_sub(failed_ms) < FAILURE_COUNTS_MS
    }
}

//! Who answers on a thread.

use crate::leak::{self, Question};
use crate::listening::{as_host, is_listening, listen};
use crate::map_keys;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

/// What a clock shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Nanoseconds since the Unix epoch, for `SystemTime`.
    pub unix_nanos: u64,
    /// Nanoseconds since some fixed moment, for `Instant`.
    pub monotonic_nanos: u64,
}

/// Answers for the host.
///
/// Its methods are called in the middle of anything: they must not wait, and must not borrow what the asking code may have
/// borrowed. What they ask in turn goes to the host. A panic is a [`Leak`](crate::Leak), and the host answers.
pub trait Source {
    /// The time. `None`: the host's.
    fn now(&self) -> Option<Reading>;

    /// Fills `bytes` with random ones; false if the host shall.
    fn fill(&self, bytes: &mut [u8]) -> bool;

    /// True if the running code must not see the host: its questions that no source can answer are noted as
    /// [leaks](crate::Leak), and it gets no second thread.
    fn watches(&self) -> bool {
        false
    }

    /// The seeds for the next `HashMap` of the world. They are read when the source is entered and written when it is left;
    /// each new map adds one. `None`: maps take the seeds of the thread.
    fn map_keys(&self) -> Option<&Cell<[u64; 2]>> {
        None
    }
}

thread_local! {
    /// True if somebody drew more entropy on this thread than a map's seeds.
    static DREW: Cell<bool> = const { Cell::new(false) };
    static SOURCE: RefCell<Option<Rc<dyn Source>>> = const { RefCell::new(None) };
}

/// While it lives, its source answers on this thread. Guards end in the opposite order of their beginnings.
#[must_use = "the source answers for as long as the guard lives"]
pub struct Guard {
    source: Rc<dyn Source>,
    outer: Option<Rc<dyn Source>>,
    outer_listening: bool,
    outer_keys: Option<[u64; 2]>,
    found_draws: bool,
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}

impl Guard {
    /// Whether entropy had been drawn on this thread before the source was entered: a generator that the thread keeps may go on
    /// with an older seed. See [`on_fresh_thread`](crate::on_fresh_thread).
    pub fn found_draws(&self) -> bool {
        self.found_draws
    }
}

/// Lets `source` answer on this thread.
pub(crate) fn enter(source: Rc<dyn Source>) -> Guard {
    let outer_keys = source
        .map_keys()
        .and_then(|keys| as_host(|| map_keys::replace(keys.get())));
    let outer = SOURCE.replace(Some(Rc::clone(&source)));
    Guard {
        source,
        outer,
        outer_listening: listen(true),
        outer_keys,
        found_draws: DREW.get(),
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        listen(self.outer_listening);
        // Absent when the thread ends with the guard.
        let ended = SOURCE.try_with(|source| source.replace(self.outer.take()));
        drop(ended);
        if let (Some(keys), Some(outer)) = (self.source.map_keys(), self.outer_keys)
            && let Some(next) = as_host(|| map_keys::replace(outer))
        {
            keys.set(next);
        }
    }
}

/// Asks the source of this thread, if it has one that listens.
#[inline]
pub(crate) fn ask<T>(question: impl FnOnce(&dyn Source) -> Option<T>) -> Option<T> {
    if is_listening() {
        ask_source(question)
    } else {
        None
    }
}

#[cold]
#[inline(never)]
fn ask_source<T>(question: impl FnOnce(&dyn Source) -> Option<T>) -> Option<T> {
    // The questions come through functions with the C calling convention: nothing may unwind out of here.
    let asked = catch_unwind(AssertUnwindSafe(|| {
        as_host(|| {
            let source = SOURCE.try_with(|source| source.borrow().clone());
            question(&*source.ok().flatten()?)
        })
    }));
    asked.unwrap_or_else(|panic| {
        // Its destructor could panic again.
        std::mem::forget(panic);
        leak::note(Question::SourcePanicked);
        None
    })
}

/// Notes a question that no source answers, if the source watches. True if it does.
pub(crate) fn caught(question: impl FnOnce() -> Question) -> bool {
    let watches = ask(|source| source.watches().then_some(())).is_some();
    if watches {
        leak::note(question());
    }
    watches
}

/// Remembers that `count` bytes were drawn on this thread.
pub(crate) fn drew(count: usize) {
    // 16 bytes are the seeds of maps, which are replaced, or a UUID, which nothing keeps.
    if count > 16 {
        DREW.set(true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Absent;

    impl Source for Absent {
        fn now(&self) -> Option<Reading> {
            None
        }
        fn fill(&self, _: &mut [u8]) -> bool {
            false
        }
    }

    #[test]
    fn a_thread_without_a_world_takes_the_short_way() {
        assert!(!is_listening());
        let entered = enter(Rc::new(Absent));
        assert!(is_listening() && as_host(|| !is_listening()));
        drop(entered);
        assert!(!is_listening());
    }
}

//! Time and entropy of code that asks the operating system for them: `SystemTime::now`, chrono, uuid, rand, `HashMap`.
//!
//! On Workers, crates that were built for them get the frozen clock of `Date.now()` and the dice of `crypto.getRandomValues()`.
//! Natively they ask the system, and get the world's: [`edgeproof_interpose`] asks an [`Ambient`] wherever the C library would have been asked.
//!
//! While time jumps, the whole thread is in the world. A Worker's code sees whole milliseconds, as it does from `Date.now()`; a
//! test's code sees the world's time to the nanosecond, since what it does with it must be the same in each run too. They draw
//! from streams of their own, so that a test's draw changes no Worker's. Only the order of a `HashMap` is one for both: each new
//! map of the test's moves that of the Worker's next.
//!
//! What is asked without such a crate traps on wasm: `std::time`'s `now` functions and `thread::sleep` end a Worker in production
//! and work here, because chrono asks the system with the same call.
//!
//! Under the wall clock only a Worker's clock is the world's, because it stands still while the Worker computes. Entropy is the
//! host's: a served world may outlive its process, and the same UUIDs again would meet the old ones in its databases.

use super::Engine;
use crate::kernel::time::MILLISECOND;
use edgeproof_interpose::{Reading, Source, take_leaks};
use std::cell::Cell;

/// Answers for the operating system while a world moves.
pub(super) struct Ambient {
    engine: Engine,
    jumping: bool,
}

impl Ambient {
    /// In a world whose time jumps to the next event.
    pub(super) fn jumping(engine: &Engine) -> Self {
        Self {
            engine: engine.clone(),
            jumping: true,
        }
    }

    /// In a world whose time is the wall clock's.
    pub(super) fn by_the_wall(engine: &Engine) -> Self {
        Self {
            engine: engine.clone(),
            jumping: false,
        }
    }
}

impl Source for Ambient {
    fn now(&self) -> Option<Reading> {
        let now = self.engine.now();
        let nanos = if worker_runs() {
            now.unix_ms() * MILLISECOND
        } else if self.jumping {
            now.0
        } else {
            return None;
        };
        Some(Reading {
            unix_nanos: nanos,
            monotonic_nanos: nanos,
        })
    }

    fn fill(&self, bytes: &mut [u8]) -> bool {
        let chance = &self.engine.0.chance;
        if self.jumping && worker_runs() {
            chance.entropy.borrow_mut().fill(bytes);
        } else if self.jumping {
            chance.test.borrow_mut().fill(bytes);
        }
        self.jumping
    }

    fn watches(&self) -> bool {
        self.jumping && worker_runs()
    }

    fn map_keys(&self) -> Option<&Cell<[u64; 2]>> {
        self.jumping.then_some(&self.engine.0.chance.map_keys)
    }
}

/// True while a Worker's code runs, be it in an invocation or at the start of its isolate.
fn worker_runs() -> bool {
    edgeproof_isolate::current() != 0
}

/// Forgets what was asked before: a run that panicked left it.
pub(super) fn forget_leaks() {
    drop(take_leaks());
}

/// Ends the run if a Worker asked the host for what no world has.
///
/// # Panics
/// With the backtrace of who asked.
pub(super) fn refuse_leaks() {
    if let Some(leak) = take_leaks().first() {
        panic!("a Worker's code left its world: it wanted {leak}");
    }
}

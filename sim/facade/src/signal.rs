//! Signals of the runtime to a Worker.
//!
//! The platform can warn a wasm Worker shortly before its CPU time ends. Here a Worker sees what it sees on a runtime without
//! signals: CPU time is not simulated, because a native build says nothing about that of wasm, so there is no moment at which a
//! warning would be true.
//!
//! A loop that ends with the warning alone would therefore never end. On the platform it ends in any case: with the warning, or
//! when the CPU time is used up. Here [`is_near_cpu_limit`] panics once it has been asked very often in one turn, which
//! fails the invocation as running out of CPU time does, and names the cause.

use edgeproof_sim::Bindings;
use std::cell::Cell;

/// How often the warning may be asked for in one turn, without I/O in between. A loop with an end of its own stays below: a
/// Worker of the Free plan has 10 ms of CPU time (LIM 2026-07-28), which is 1 ns for each.
const POLLS_MAX: u32 = 10_000_000;

/// How often the turn is looked at: a cheap question stays cheap.
const LOOK_EVERY: u32 = 4_096;

thread_local! {
    /// The turn that was seen last, and the questions asked in it.
    static ASKED: Cell<(u64, u32)> = const { Cell::new((0, 0)) };
}

/// Whether the runtime can send signals: never, here.
pub fn is_registered() -> bool {
    false
}

/// Whether the runtime has warned that the CPU limit is near: never, here.
///
/// # Panics
/// After ten million calls in one turn: a loop that waits for the warning would not end.
pub fn is_near_cpu_limit() -> bool {
    let (turn, polls) = ASKED.get();
    let polls = polls + 1;
    if polls % LOOK_EVERY != 0 {
        ASKED.set((turn, polls));
        return false;
    }
    let now = Bindings::try_current().map_or(0, |bindings| bindings.events());
    let polls = if now == turn { polls } else { LOOK_EVERY };
    ASKED.set((now, polls));
    if polls > POLLS_MAX {
        ASKED.set((now, 0));
        panic!(
            "worker::signal::is_near_cpu_limit() was asked {POLLS_MAX} times without I/O in between: CPU time is not simulated, so it never becomes true here. End the loop otherwise where worker::signal::is_registered() is false"
        );
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "worker::signal::is_near_cpu_limit() was asked 10000000 times")]
    fn a_loop_that_waits_for_the_warning_ends() {
        while !is_near_cpu_limit() {}
    }
}

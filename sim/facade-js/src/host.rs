//! What JavaScript asks of its surroundings: the time, randomness and an executor for futures.
//!
//! There is one host per thread. This crate has no clock and no entropy of its own, so that a program
//! that runs inside a simulation cannot reach past it: without a host those calls panic.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;

use crate::heap;

/// A future handed to the host's executor.
pub type LocalTask = Pin<Box<dyn Future<Output = ()>>>;

/// The surroundings of one thread.
#[derive(Clone, Copy, Debug)]
pub struct Host {
    /// `Date.now()`: milliseconds since the Unix epoch. On Cloudflare it stands still between I/O.
    pub now_ms: fn() -> f64,
    /// `Math.random()`: at least 0, below 1.
    pub random: fn() -> f64,
    /// Runs a future in the background.
    pub spawn_local: fn(LocalTask),
    /// `console`: a level, such as `warn`, and a line.
    pub console: fn(&str, &str),
}

thread_local! {
    static HOST: Cell<Option<Host>> = const { Cell::new(None) };
}

/// Makes `host` the surroundings of this thread; answers the one it replaces.
pub fn install(host: Host) -> Option<Host> {
    HOST.replace(Some(host))
}

/// Leaves this thread without surroundings; answers the host that was there.
pub fn remove() -> Option<Host> {
    HOST.take()
}

/// Prints a line of the console at a level, such as `warn`. Without a host it goes to the standard error output: libraries log
/// wherever they run.
pub fn console(level: &str, text: &str) {
    match HOST.get() {
        Some(host) => (host.console)(level, text),
        None => eprintln!("{level}: {text}"),
    }
}

/// The host of this thread.
///
/// # Panics
/// When none is installed: the caller runs outside a world.
pub(crate) fn current(wanted: &str) -> Host {
    match HOST.get() {
        Some(host) => host,
        None => panic!(
            "{wanted} needs a host: no simulator is installed on this thread (worker_native_js::host::install)"
        ),
    }
}

/// Frees the objects of this thread that only each other still hold. Without it a cycle stays until the thread ends.
///
/// To be called when a world has ended. Values that are held outside of objects stay as they are, with all they refer to.
pub fn collect_garbage() {
    heap::collect();
}

/// How many objects this thread has: what is held, and the cycles that [`collect_garbage`] would free.
pub fn live_objects() -> usize {
    heap::objects()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::js_sys::{Date, Math, futures};

    thread_local! {
        static STARTED: Cell<u32> = const { Cell::new(0) };
    }

    #[test]
    fn time_randomness_and_tasks_come_from_the_host_of_the_thread() {
        install(Host {
            now_ms: || 1_700_000_000_123.0,
            random: || 0.25,
            spawn_local: |_| STARTED.set(STARTED.get() + 1),
            console: |_, _| (),
        });
        assert_eq!(Date::now(), 1_700_000_000_123.0);
        assert_eq!(Date::new_0().to_iso_string(), "2023-11-14T22:13:20.123Z");
        assert_eq!(Math::random(), 0.25);
        futures::spawn_local(async {});
        assert_eq!(STARTED.get(), 1);
        assert!(remove().is_some());
    }

    #[test]
    #[should_panic(expected = "Date.now() needs a host")]
    fn without_a_host_there_is_no_clock() {
        let _ = Date::now();
    }

    #[test]
    #[should_panic(expected = "Math.random() needs a host")]
    fn without_a_host_there_is_no_randomness() {
        let _ = Math::random();
    }
}

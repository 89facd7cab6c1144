//! Threads that have no generators yet.

#![expect(clippy::disallowed_methods, reason = "the caller waits for the thread")]

use std::thread;

/// Runs `act` on a thread of its own and returns its result: no generator on it was seeded before.
///
/// The thread has the name of the calling one, so that a panic's message names the same test. A panic goes on in the caller.
///
/// # Panics
/// If `act` does, or if the system has no thread to give.
pub fn on_fresh_thread<T: Send>(act: impl FnOnce() -> T + Send) -> T {
    let mut builder = thread::Builder::new();
    if let Some(name) = thread::current().name() {
        builder = builder.name(name.to_owned());
    }
    thread::scope(|scope| {
        let thread = builder
            .spawn_scoped(scope, act)
            .expect("the system can start a thread");
        thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thread_is_another_with_the_same_name() {
        let here = thread::current();
        let (there, name) = on_fresh_thread(|| {
            let thread = thread::current();
            (thread.id(), thread.name().map(str::to_owned))
        });
        assert_ne!(here.id(), there);
        assert_eq!(here.name().map(str::to_owned), name);
    }

    #[test]
    #[should_panic(expected = "from there")]
    fn a_panic_goes_on_in_the_caller() {
        on_fresh_thread(|| panic!("from there"));
    }
}

//! Whether a source of this thread is asked at all.

use std::cell::Cell;

thread_local! {
    /// It has no destructor, so it can be read at any time of a thread's life.
    static LISTENING: Cell<bool> = const { Cell::new(false) };
}

/// True if a source is there to be asked.
#[inline]
pub(crate) fn is_listening() -> bool {
    LISTENING.get()
}

/// Sets it; what it was before.
pub(crate) fn listen(listening: bool) -> bool {
    LISTENING.replace(listening)
}

/// Runs `act` with the clock and the entropy of the host, even inside a world.
pub fn as_host<T>(act: impl FnOnce() -> T) -> T {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            listen(self.0);
        }
    }
    let _restore = Restore(listen(false));
    act()
}

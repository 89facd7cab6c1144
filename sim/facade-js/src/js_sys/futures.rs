//! Futures that run in the background. There are no promises here: bindings answer Rust futures at once.

use std::future::Future;

use crate::host;

/// Starts a future on the host's executor.
///
/// # Panics
/// Without a host on this thread.
pub fn spawn_local<F: Future<Output = ()> + 'static>(future: F) {
    (host::current("spawn_local()").spawn_local)(Box::pin(future));
}

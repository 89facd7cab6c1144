//! Signals of the runtime to a Worker.
//!
//! The platform can warn a wasm Worker shortly before its CPU time ends. The simulator charges CPU
//! time between polls and sends no such warning, so a Worker sees here what it sees on a runtime
//! without signals.

/// Whether the runtime can send signals: never, here.
pub fn is_registered() -> bool {
    false
}

/// Whether the runtime has warned that the CPU limit is near: never, here.
pub fn is_near_cpu_limit() -> bool {
    false
}

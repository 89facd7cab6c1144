//! What macOS has of its own.

use super::{Clock, world_fill, world_nanos};
use crate::host;
use libc::{c_void, clockid_t};

/// See [`link`](super::link).
pub(super) const FUNCTIONS: [fn() -> *const (); 2] = [
    || CCRandomGenerateBytes as *const (),
    || mach_absolute_time as *const (),
];

pub(super) fn clock(number: clockid_t) -> Clock {
    /// `CLOCK_MONOTONIC_RAW_APPROX`, `CLOCK_UPTIME_RAW_APPROX` (time.h); the libc crate does not have them.
    const APPROXIMATE: [clockid_t; 2] = [5, 9];
    match number {
        libc::CLOCK_REALTIME => Clock::Unix,
        libc::CLOCK_MONOTONIC | libc::CLOCK_MONOTONIC_RAW | libc::CLOCK_UPTIME_RAW => {
            Clock::Monotonic
        }
        number if APPROXIMATE.contains(&number) => Clock::Monotonic,
        _ => Clock::Other,
    }
}

/// Stands in for `CCRandomGenerateBytes`, from which the standard library draws.
///
/// # Safety
/// `count` bytes at `bytes` can be written.
#[unsafe(no_mangle)]
unsafe extern "C" fn CCRandomGenerateBytes(bytes: *mut c_void, count: usize) -> i32 {
    // SAFETY: passed on.
    unsafe {
        if world_fill(bytes, count) {
            0
        } else {
            host::generate_bytes(bytes, count)
        }
    }
}

/// Stands in for `mach_absolute_time`, in C code: Rust's `Instant` reads `CLOCK_UPTIME_RAW`. A tick counts as a nanosecond, as on
/// x86-64.
#[unsafe(no_mangle)]
extern "C" fn mach_absolute_time() -> u64 {
    world_nanos(libc::CLOCK_UPTIME_RAW).unwrap_or_else(host::mach_absolute_time)
}

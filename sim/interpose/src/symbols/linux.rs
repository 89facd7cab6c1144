//! What Linux has of its own.

use super::{Clock, world_fill, world_nanos};
use crate::host;
use crate::leak::Question;
use crate::source::caught;
use libc::{c_char, c_int, c_long, c_uint, c_void, clockid_t, mode_t, timespec};
use std::ffi::CStr;

/// See [`link`](super::link).
pub(super) const FUNCTIONS: [fn() -> *const (); 4] = [
    || getrandom as *const (),
    || syscall as *const (),
    || open as *const (),
    || open64 as *const (),
];

pub(super) fn clock(number: clockid_t) -> Clock {
    match number {
        libc::CLOCK_REALTIME
        | libc::CLOCK_REALTIME_COARSE
        | libc::CLOCK_REALTIME_ALARM
        | libc::CLOCK_TAI => Clock::Unix,
        libc::CLOCK_MONOTONIC
        | libc::CLOCK_MONOTONIC_RAW
        | libc::CLOCK_MONOTONIC_COARSE
        | libc::CLOCK_BOOTTIME
        | libc::CLOCK_BOOTTIME_ALARM => Clock::Monotonic,
        _ => Clock::Other,
    }
}

/// Stands in for `getrandom`.
///
/// # Safety
/// `count` bytes at `bytes` can be written.
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(bytes: *mut c_void, count: usize, flags: c_uint) -> isize {
    // SAFETY: passed on.
    unsafe {
        if world_fill(bytes, count) {
            count.cast_signed()
        } else {
            host::getrandom(bytes, count, flags)
        }
    }
}

/// Stands in for `syscall`, which getrandom 0.2 calls in place of `getrandom`. The standard library waits for its locks
/// with it, so everything but the time and entropy goes straight on.
///
/// The C library's is variadic. On x86-64 and arm64 a variadic function finds its arguments where this one does; those that the
/// caller did not pass are what happens to be there, and the kernel does not look at them.
///
/// # Safety
/// As the call itself.
#[unsafe(no_mangle)]
unsafe extern "C" fn syscall(
    number: c_long,
    a: c_long,
    b: c_long,
    c: c_long,
    d: c_long,
    e: c_long,
    f: c_long,
) -> c_long {
    // SAFETY: passed on. The kernel's calls take pointers as numbers.
    unsafe {
        match number {
            libc::SYS_getrandom => {
                let bytes = std::ptr::with_exposed_provenance_mut(a.cast_unsigned() as usize);
                if world_fill(bytes, b.cast_unsigned() as usize) {
                    return b;
                }
            }
            libc::SYS_clock_gettime => {
                let time =
                    std::ptr::with_exposed_provenance_mut::<timespec>(b.cast_unsigned() as usize);
                let number = clockid_t::try_from(a).unwrap_or(-1);
                if !time.is_null() && world_nanos(number).is_some() {
                    return super::clock_gettime(number, time).into();
                }
            }
            _ => {}
        }
        host::syscall(number, [a, b, c, d, e, f])
    }
}

/// Notes that a path is a device with the host's entropy.
///
/// # Safety
/// `path` ends with a zero, or is null.
unsafe fn look_at(path: *const c_char) {
    if path.is_null() {
        return;
    }
    // SAFETY: the caller says that it ends.
    let path = unsafe { CStr::from_ptr(path) }.to_bytes();
    if matches!(path, b"/dev/urandom" | b"/dev/random" | b"/dev/hwrng") {
        caught(|| Question::Device(String::from_utf8_lossy(path).into_owned()));
    }
}

/// Stands in for `open`; variadic as [`syscall`] is.
///
/// # Safety
/// `path` ends with a zero.
#[unsafe(no_mangle)]
unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: passed on.
    unsafe {
        look_at(path);
        host::open(path, flags, mode)
    }
}

/// Stands in for `open64`, which is the same on 64 bits.
///
/// # Safety
/// `path` ends with a zero.
#[unsafe(no_mangle)]
unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: passed on.
    unsafe { open(path, flags, mode) }
}

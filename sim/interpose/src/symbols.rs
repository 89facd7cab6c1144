//! Functions with the names of the C library's. The linker takes these for the whole program, the standard library included,
//! because an executable's own definitions come first.
//!
//! Each keeps the conventions of the one that it stands in for: results, `errno`, null pointers, sizes.

#![expect(
    unsafe_code,
    reason = "the names are the C library's, and so are the pointers"
)]

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;

use crate::host::{self, Start};
use crate::leak::{self, Question};
use crate::map_keys;
use crate::source::{ask, caught, drew};
use libc::{c_int, c_void, clockid_t, time_t, timespec, timeval};

#[cfg(target_os = "linux")]
use linux as system;
#[cfg(target_os = "macos")]
use macos as system;

const NANOS: u64 = 1_000_000_000;

/// Makes the linker take this module from the library: an object file in a library is left out if nothing refers to it.
pub(crate) fn link() {
    std::hint::black_box([
        clock_gettime as *const (),
        gettimeofday as *const (),
        time as *const (),
        getentropy as *const (),
        pthread_create as *const (),
    ]);
    std::hint::black_box(system::FUNCTIONS);
}

/// Which of a world's clocks answers for one of the system's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clock {
    Unix,
    Monotonic,
    /// None does.
    Other,
}

/// The world's time on a clock of the system, in nanoseconds.
#[inline]
fn world_nanos(number: clockid_t) -> Option<u64> {
    ask(|source| match system::clock(number) {
        Clock::Unix => Some(source.now()?.unix_nanos),
        Clock::Monotonic => Some(source.now()?.monotonic_nanos),
        Clock::Other => {
            source
                .watches()
                .then(|| leak::note(Question::Clock(number.into())));
            None
        }
    })
}

/// Fills with the seeds that are offered to maps, or with the world's entropy. False: the host shall.
///
/// # Safety
/// `count` bytes at `bytes` can be written.
unsafe fn world_fill(bytes: *mut c_void, count: usize) -> bool {
    if count == 0 {
        return false;
    }
    if count == size_of::<[u64; 2]>()
        && let Some(keys) = map_keys::take_offered()
    {
        // SAFETY: so many bytes can be written, at any alignment.
        unsafe { bytes.cast::<[u64; 2]>().write_unaligned(keys) };
        return true;
    }
    drew(count);
    ask(|source| {
        // SAFETY: the caller says that they can be written. They are made zeros first, because a slice of bytes that were never
        // written must not exist.
        let bytes = unsafe {
            bytes.write_bytes(0, count);
            std::slice::from_raw_parts_mut(bytes.cast::<u8>(), count)
        };
        source.fill(bytes).then_some(())
    })
    .is_some()
}

/// Stands in for `clock_gettime`.
///
/// # Safety
/// `time` is valid for a write, or null.
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(clock: clockid_t, time: *mut timespec) -> c_int {
    match world_nanos(clock) {
        // SAFETY: the caller says that it is valid, and it is not null.
        Some(nanos) if !time.is_null() => unsafe {
            time.write(timespec {
                tv_sec: (nanos / NANOS).cast_signed(),
                tv_nsec: (nanos % NANOS).cast_signed(),
            });
            0
        },
        // SAFETY: passed on.
        _ => unsafe { host::clock_gettime(clock, time) },
    }
}

/// Stands in for `gettimeofday`.
///
/// # Safety
/// Both are valid for a write, or null.
#[unsafe(no_mangle)]
unsafe extern "C" fn gettimeofday(time: *mut timeval, zone: *mut c_void) -> c_int {
    match world_nanos(libc::CLOCK_REALTIME) {
        // A time zone is asked for by nobody who wants the time; it has no answer in a world.
        // SAFETY: the caller says that it is valid, and it is not null.
        Some(nanos) if !time.is_null() => unsafe {
            time.write(timeval {
                tv_sec: (nanos / NANOS).cast_signed(),
                tv_usec: libc::suseconds_t::try_from(nanos % NANOS / 1_000).expect("below 10^6"),
            });
            0
        },
        // SAFETY: passed on.
        _ => unsafe { host::gettimeofday(time, zone) },
    }
}

/// Stands in for `time`.
///
/// # Safety
/// `time` is valid for a write, or null.
#[unsafe(no_mangle)]
unsafe extern "C" fn time(time: *mut time_t) -> time_t {
    let Some(nanos) = world_nanos(libc::CLOCK_REALTIME) else {
        // SAFETY: passed on.
        return unsafe { host::time(time) };
    };
    let seconds = (nanos / NANOS).cast_signed();
    if !time.is_null() {
        // SAFETY: the caller says that it is valid, and it is not null.
        unsafe { time.write(seconds) };
    }
    seconds
}

/// Stands in for `getentropy`.
///
/// # Safety
/// `count` bytes at `bytes` can be written.
#[unsafe(no_mangle)]
unsafe extern "C" fn getentropy(bytes: *mut c_void, count: usize) -> c_int {
    /// Larger requests are errors.
    const MOST: usize = 256;
    // SAFETY: passed on.
    if count <= MOST && unsafe { world_fill(bytes, count) } {
        return 0;
    }
    // SAFETY: passed on.
    unsafe { host::getentropy(bytes, count) }
}

/// Stands in for `pthread_create`: code that is watched gets no thread, as on Workers.
///
/// # Safety
/// As the C library's own.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_create(
    thread: *mut libc::pthread_t,
    attributes: *const libc::pthread_attr_t,
    start: Start,
    argument: *mut c_void,
) -> c_int {
    if caught(|| Question::Thread) {
        return libc::EAGAIN;
    }
    // SAFETY: passed on.
    unsafe { host::pthread_create(thread, attributes, start, argument) }
}

//! The C library's own functions, for all who are not in a world.
//!
//! Each is looked up once, behind the name that [`symbols`](crate::symbols) took from it. Allocators and the dynamic linker may
//! ask for the time before anything is set up, even from inside the look-up; so nothing here locks or allocates.

#![expect(
    unsafe_code,
    reason = "calls functions of the C library by their addresses"
)]

#[cfg(target_os = "linux")]
#[path = "host/linux.rs"]
mod kernel;

#[cfg(target_os = "linux")]
pub(crate) use kernel::{open, syscall};

use libc::{c_int, c_void, clockid_t, time_t, timespec, timeval};
use std::ffi::CStr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// A function of the C library.
struct Function {
    name: &'static CStr,
    address: AtomicPtr<c_void>,
}

impl Function {
    const fn new(name: &'static CStr) -> Self {
        Self {
            name,
            address: AtomicPtr::new(std::ptr::null_mut()),
        }
    }

    /// Its address; null if there is none, or while it is being looked up.
    #[inline]
    fn address(&self) -> *mut c_void {
        let address = self.address.load(Ordering::Relaxed);
        if address.is_null() {
            self.look_up()
        } else if address == self.being_looked_up() {
            std::ptr::null_mut()
        } else {
            address
        }
    }

    /// An address that no function has.
    fn being_looked_up(&self) -> *mut c_void {
        std::ptr::from_ref(self).cast_mut().cast()
    }

    #[cold]
    fn look_up(&self) -> *mut c_void {
        self.address
            .store(self.being_looked_up(), Ordering::Relaxed);
        // SAFETY: the name ends with a zero.
        let found = unsafe { libc::dlsym(libc::RTLD_NEXT, self.name.as_ptr()) };
        self.address.store(found, Ordering::Relaxed);
        found
    }
}

/// Calls `$function` as a `$type` if it is there, otherwise gives `$absent`.
macro_rules! call {
    ($function:literal as $type:ty, ($($argument:expr),*), $absent:expr) => {{
        static FUNCTION: Function = Function::new($function);
        let address = FUNCTION.address();
        if address.is_null() {
            $absent
        } else {
            // SAFETY: the C library has a function of this type under this name. What it asks of its arguments is passed
            // on to the caller.
            unsafe { std::mem::transmute::<*mut c_void, $type>(address)($($argument),*) }
        }
    }};
}

/// # Safety
/// `time` is valid for a write, or null.
#[inline]
pub(crate) unsafe fn clock_gettime(clock: clockid_t, time: *mut timespec) -> c_int {
    call!(
        c"clock_gettime" as unsafe extern "C" fn(clockid_t, *mut timespec) -> c_int,
        (clock, time),
        {
            #[cfg(target_os = "linux")]
            // SAFETY: the kernel checks its arguments.
            unsafe {
                let number = libc::SYS_clock_gettime;
                kernel::syscall(number, [clock.into(), time.addr() as _, 0, 0, 0, 0]) as c_int
            }
            #[cfg(not(target_os = "linux"))]
            -1
        }
    )
}

/// # Safety
/// Both are valid for a write, or null.
pub(crate) unsafe fn gettimeofday(time: *mut timeval, zone: *mut c_void) -> c_int {
    call!(
        c"gettimeofday" as unsafe extern "C" fn(*mut timeval, *mut c_void) -> c_int,
        (time, zone),
        -1
    )
}

/// # Safety
/// `time` is valid for a write, or null.
pub(crate) unsafe fn time(time: *mut time_t) -> time_t {
    call!(
        c"time" as unsafe extern "C" fn(*mut time_t) -> time_t,
        (time),
        -1
    )
}

/// # Safety
/// `count` bytes at `bytes` can be written.
#[cfg(target_os = "linux")]
pub(crate) unsafe fn getrandom(bytes: *mut c_void, count: usize, flags: libc::c_uint) -> isize {
    call!(
        c"getrandom" as unsafe extern "C" fn(*mut c_void, usize, libc::c_uint) -> isize,
        (bytes, count, flags),
        // SAFETY: the kernel checks its arguments.
        unsafe {
            let arguments = [bytes.addr() as _, count as _, flags.into(), 0, 0, 0];
            kernel::syscall(libc::SYS_getrandom, arguments) as isize
        }
    )
}

/// # Safety
/// `count` bytes at `bytes` can be written.
pub(crate) unsafe fn getentropy(bytes: *mut c_void, count: usize) -> c_int {
    call!(
        c"getentropy" as unsafe extern "C" fn(*mut c_void, usize) -> c_int,
        (bytes, count),
        -1
    )
}

/// # Safety
/// `count` bytes at `bytes` can be written.
#[cfg(target_os = "macos")]
pub(crate) unsafe fn generate_bytes(bytes: *mut c_void, count: usize) -> i32 {
    call!(
        c"CCRandomGenerateBytes" as unsafe extern "C" fn(*mut c_void, usize) -> i32,
        (bytes, count),
        -1
    )
}

#[cfg(target_os = "macos")]
pub(crate) fn mach_absolute_time() -> u64 {
    call!(
        c"mach_absolute_time" as unsafe extern "C" fn() -> u64,
        (),
        0
    )
}

/// The type of what a new thread runs.
pub(crate) type Start = extern "C" fn(*mut c_void) -> *mut c_void;

/// # Safety
/// As the C library's own.
pub(crate) unsafe fn pthread_create(
    thread: *mut libc::pthread_t,
    attributes: *const libc::pthread_attr_t,
    start: Start,
    argument: *mut c_void,
) -> c_int {
    call!(
        c"pthread_create"
            as unsafe extern "C" fn(
                *mut libc::pthread_t,
                *const libc::pthread_attr_t,
                Start,
                *mut c_void,
            ) -> c_int,
        (thread, attributes, start, argument),
        libc::EAGAIN
    )
}

/// Fills `bytes` with the host's entropy. False if it gives none.
pub(crate) fn fill(bytes: &mut [u8]) -> bool {
    bytes.chunks_mut(256).all(|chunk| {
        // SAFETY: the chunk can be written.
        unsafe { getentropy(chunk.as_mut_ptr().cast(), chunk.len()) == 0 }
    })
}

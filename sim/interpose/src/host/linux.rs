//! System calls, made as the C library's `syscall` makes them.
//!
//! There is no look-up here: an allocator may open files, and a lock may wait, before or during one.

#![expect(unsafe_code, reason = "one instruction of inline assembly")]

use libc::{c_char, c_int, c_long};

/// Makes a system call; an error is −1, with its number in `errno`.
///
/// # Safety
/// As the call itself.
pub(crate) unsafe fn syscall(number: c_long, arguments: [c_long; 6]) -> c_long {
    let [a, b, c, d, e, f] = arguments;
    let mut result = number;
    // SAFETY: these are the kernel's registers for a call, and all that it changes is named. The caller answers for the rest.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        let mut first = a;
        std::arch::asm!(
            "svc 0",
            in("x8") result,
            inlateout("x0") first,
            in("x1") b, in("x2") c, in("x3") d, in("x4") e, in("x5") f,
            options(nostack),
        );
        result = first;
    }
    // The kernel gives errors as -4095..=-1.
    if (-4095..0).contains(&result) {
        set_errno(i32::try_from(-result).expect("an error's number is small"));
        return -1;
    }
    result
}

/// Sets the thread's error number.
pub(crate) fn set_errno(number: c_int) {
    // SAFETY: the C library gives a valid address for as long as the thread lives.
    unsafe { *libc::__errno_location() = number };
}

/// Opens a file, as `open` does.
///
/// # Safety
/// `path` ends with a zero.
pub(crate) unsafe fn open(path: *const c_char, flags: c_int, mode: libc::mode_t) -> c_int {
    let path = path.addr().cast_signed() as c_long;
    let arguments = [libc::AT_FDCWD.into(), path, flags.into(), mode.into(), 0, 0];
    // SAFETY: the kernel checks its arguments.
    let opened = unsafe { syscall(libc::SYS_openat, arguments) };
    c_int::try_from(opened).expect("a descriptor is an int")
}

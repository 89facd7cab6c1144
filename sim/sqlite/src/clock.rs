//! The clock SQLite sees: a copy of the default VFS whose time is the simulation's.
//!
//! `CURRENT_TIMESTAMP`, `datetime('now')`, `unixepoch('now', 'subsec')` and their kin all ask the connection's VFS. The copy answers
//! from a thread-local, one simulation per thread; before [`set_clock_unix_ms`] it is the Unix
//! epoch. The local time zone is UTC, as on the platform, whatever the host's is. Files go through the default VFS unchanged.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::Once;

use libsql_ffi as ffi;

thread_local! {
    static NOW_UNIX_MS: Cell<i64> = const { Cell::new(0) };
}

/// The name under which the VFS is registered.
pub(crate) const VFS_NAME: &CStr = c"edgeproof";

/// Milliseconds from SQLite's epoch (noon in Greenwich, 24 November 4714 BC) to Unix's.
const UNIX_EPOCH_JULIAN_MS: i64 = 210_866_760_000_000;

/// Sets the time that every database used on this thread sees, in milliseconds since the Unix epoch.
///
/// Takes effect with the next statement: SQLite reads the clock once per statement and keeps it until the statement ends.
pub fn set_clock_unix_ms(unix_ms: i64) {
    NOW_UNIX_MS.set(unix_ms);
}

fn julian_ms() -> i64 {
    // A connection closed while its thread winds down may find the thread-local gone.
    NOW_UNIX_MS
        .try_with(Cell::get)
        .unwrap_or(0)
        .saturating_add(UNIX_EPOCH_JULIAN_MS)
}

/// Configures the library and registers the VFS, once per process.
pub(crate) fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // SAFETY: runs before this crate calls `sqlite3_initialize`; if other code of the process initialised the library before,
        // it answers SQLITE_MISUSE and changes nothing, which costs only a lock per allocation.
        unsafe { ffi::sqlite3_config(ffi::SQLITE_CONFIG_MEMSTATUS, 0 as c_int) };

        // SAFETY: no arguments; initialises the library, idempotent and thread-safe.
        let rc = unsafe { ffi::sqlite3_initialize() };
        assert_eq!(
            rc,
            ffi::SQLITE_OK,
            "SQLite initialises with its built-in allocator and VFS"
        );

        // SAFETY: a null name asks for the default VFS, which the library keeps for the life of the process.
        let default = unsafe { ffi::sqlite3_vfs_find(std::ptr::null()) };
        assert!(
            !default.is_null(),
            "SQLite has a default VFS on every host it was built for"
        );
        // SAFETY: `default` points to a live `sqlite3_vfs`, a struct of integers and pointers that may be copied bitwise; the
        // functions copied along take the VFS they are called with only for `pAppData`, `mxPathname` and `zName`.
        let mut vfs = unsafe { default.read() };
        vfs.zName = VFS_NAME.as_ptr();
        vfs.pNext = std::ptr::null_mut();
        vfs.xCurrentTime = Some(current_time);
        vfs.xCurrentTimeInt64 = Some(current_time_int64);
        vfs.xRandomness = Some(randomness);
        vfs.xSleep = Some(sleep);

        // SAFETY: the leaked VFS and its name live as long as the process. It becomes the default so that SQLite's process-wide
        // generator, which seeds itself from the default VFS, never reads the host's entropy.
        let rc = unsafe { ffi::sqlite3_vfs_register(Box::leak(Box::new(vfs)), 1) };
        assert_eq!(
            rc,
            ffi::SQLITE_OK,
            "registering a VFS only links it into a list"
        );

        #[cfg(unix)]
        // SAFETY: this control takes an int and, when that is 2, a function `int (*)(const void *time_t, void *tm)`.
        unsafe {
            ffi::sqlite3_test_control(
                ffi::SQLITE_TESTCTRL_LOCALTIME_FAULT,
                2 as c_int,
                local_time_is_utc as unsafe extern "C" fn(*const c_void, *mut c_void) -> c_int,
            )
        };
    });
}

unsafe extern "C" fn current_time_int64(
    _: *mut ffi::sqlite3_vfs,
    out: *mut ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite passes a pointer to an integer of its own.
    unsafe { out.write(julian_ms()) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn current_time(_: *mut ffi::sqlite3_vfs, out: *mut f64) -> c_int {
    // SAFETY: SQLite passes a pointer to a double of its own.
    unsafe { out.write(julian_ms() as f64 / 86_400_000.0) };
    ffi::SQLITE_OK
}

/// Seeds SQLite's process-wide generator with a constant. Nothing a query can see comes from it (see `random.rs`) but the
/// rowids chosen once a table has used up the largest one.
unsafe extern "C" fn randomness(_: *mut ffi::sqlite3_vfs, len: c_int, out: *mut c_char) -> c_int {
    let len = usize::try_from(len).unwrap_or(0);
    // SAFETY: SQLite passes a buffer of `len` bytes.
    unsafe { out.write_bytes(0x5a, len) };
    len as c_int
}

/// Waiting would take real time. These databases are not shared, so there is no lock to wait for.
unsafe extern "C" fn sleep(_: *mut ffi::sqlite3_vfs, microseconds: c_int) -> c_int {
    microseconds
}

#[cfg(unix)]
unsafe extern "C" fn local_time_is_utc(time: *const c_void, tm: *mut c_void) -> c_int {
    unsafe extern "C" {
        // The C library's own, with its types left opaque: both pointers come from SQLite's C code and go straight on.
        fn gmtime_r(time: *const c_void, tm: *mut c_void) -> *mut c_void;
    }
    // SAFETY: SQLite passes a `const time_t *` and a `struct tm *`, just what `gmtime_r` wants.
    c_int::from(unsafe { gmtime_r(time, tm) }.is_null())
}

//! The chance SQLite sees: one SplitMix64 stream per connection.
//!
//! SQLite's own generator is shared by the whole process, so two simulations on two threads would disturb each other. `random()` and
//! `randomblob(N)` are therefore replaced on every connection by functions that draw from a generator the connection owns,
//! with the built-ins' ranges and edge cases. A column's `DEFAULT (random())` and `ORDER BY random()` use them too.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::ffi::{c_int, c_void};

use libsql_ffi as ffi;

/// SplitMix64 (Steele, Lea, Flood, 2014): a counter and a mixing function; any seed is good.
#[derive(Debug, Default)]
pub(crate) struct Random(Cell<u64>);

impl Random {
    pub(crate) fn seed(&self, seed: u64) {
        self.0.set(seed);
    }

    fn next(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn fill(&self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }
}

/// Replaces `random()` and `randomblob(N)` on a connection.
///
/// # Safety
/// `db` must be open and `random` must outlive it.
pub(crate) unsafe fn install(db: *mut ffi::sqlite3, random: *const Random) -> c_int {
    for (name, args, function) in [
        (
            c"random",
            0,
            random_integer as unsafe extern "C" fn(_, _, _),
        ),
        (
            c"randomblob",
            1,
            random_blob as unsafe extern "C" fn(_, _, _),
        ),
    ] {
        // SAFETY: the connection is open; the name is a C string; the caller vouches for `random`, which the functions only read.
        let rc = unsafe {
            ffi::sqlite3_create_function_v2(
                db,
                name.as_ptr(),
                args,
                ffi::SQLITE_UTF8 | ffi::SQLITE_INNOCUOUS,
                random.cast_mut().cast::<c_void>(),
                Some(function),
                None,
                None,
                None,
            )
        };
        if rc != ffi::SQLITE_OK {
            return rc;
        }
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn random_integer(
    context: *mut ffi::sqlite3_context,
    _: c_int,
    _: *mut *mut ffi::sqlite3_value,
) {
    // SAFETY: the user data is the `Random` given to `install`, alive as long as the connection.
    let random = unsafe { &*ffi::sqlite3_user_data(context).cast::<Random>() };
    let mut value = random.next() as i64;
    if value < 0 {
        // As the built-in: never i64::MIN, so that abs(random()) is safe.
        value = -(value & i64::MAX);
    }
    // SAFETY: `context` is the call's own.
    unsafe { ffi::sqlite3_result_int64(context, value) };
}

unsafe extern "C" fn random_blob(
    context: *mut ffi::sqlite3_context,
    _: c_int,
    args: *mut *mut ffi::sqlite3_value,
) {
    // SAFETY: as above; the function is registered with exactly one argument.
    let (random, wanted, longest) = unsafe {
        (
            &*ffi::sqlite3_user_data(context).cast::<Random>(),
            ffi::sqlite3_value_int64(*args).max(1),
            i64::from(ffi::sqlite3_limit(
                ffi::sqlite3_context_db_handle(context),
                ffi::SQLITE_LIMIT_LENGTH,
                -1,
            )),
        )
    };
    if wanted > longest {
        // SAFETY: `context` is the call's own.
        unsafe { ffi::sqlite3_result_error_toobig(context) };
        return;
    }
    let mut bytes = vec![0; usize::try_from(wanted).expect("at least 1 and at most an i32")];
    random.fill(&mut bytes);
    // SAFETY: SQLite copies the bytes (SQLITE_TRANSIENT) before the call returns.
    unsafe {
        ffi::sqlite3_result_blob64(
            context,
            bytes.as_ptr().cast(),
            bytes.len() as u64,
            ffi::SQLITE_TRANSIENT(),
        );
    }
}

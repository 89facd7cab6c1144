//! SQLite's mathematical functions. Production compiles them in; the bundled libSQL does not, so they are registered here with the
//! same arguments, the same treatment of integers and `NULL` outside a function's domain.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_int, c_void};

use libsql_ffi as ffi;

/// A function's shape and what computes it.
enum Math {
    /// One number in, one double out.
    One(fn(f64) -> f64),
    /// Two numbers in, one double out.
    Two(fn(f64, f64) -> f64),
    /// Rounds doubles and leaves integers alone.
    Round(fn(f64) -> f64),
    /// A logarithm of a positive number; `log(B, X)` has two arguments.
    Log(fn(f64) -> f64),
    Pi,
}

static FUNCTIONS: [(&CStr, c_int, Math); 30] = [
    (c"acos", 1, Math::One(f64::acos)),
    (c"acosh", 1, Math::One(f64::acosh)),
    (c"asin", 1, Math::One(f64::asin)),
    (c"asinh", 1, Math::One(f64::asinh)),
    (c"atan", 1, Math::One(f64::atan)),
    (c"atan2", 2, Math::Two(f64::atan2)),
    (c"atanh", 1, Math::One(f64::atanh)),
    (c"ceil", 1, Math::Round(f64::ceil)),
    (c"ceiling", 1, Math::Round(f64::ceil)),
    (c"cos", 1, Math::One(f64::cos)),
    (c"cosh", 1, Math::One(f64::cosh)),
    (c"degrees", 1, Math::One(f64::to_degrees)),
    (c"exp", 1, Math::One(f64::exp)),
    (c"floor", 1, Math::Round(f64::floor)),
    (c"ln", 1, Math::Log(f64::ln)),
    (c"log", 1, Math::Log(f64::log10)),
    (c"log", 2, Math::Log(f64::ln)),
    (c"log10", 1, Math::Log(f64::log10)),
    (c"log2", 1, Math::Log(f64::log2)),
    (c"mod", 2, Math::Two(|x, y| x % y)),
    (c"pi", 0, Math::Pi),
    (c"pow", 2, Math::Two(f64::powf)),
    (c"power", 2, Math::Two(f64::powf)),
    (c"radians", 1, Math::One(f64::to_radians)),
    (c"sin", 1, Math::One(f64::sin)),
    (c"sinh", 1, Math::One(f64::sinh)),
    (c"sqrt", 1, Math::One(f64::sqrt)),
    (c"tan", 1, Math::One(f64::tan)),
    (c"tanh", 1, Math::One(f64::tanh)),
    (c"trunc", 1, Math::Round(f64::trunc)),
];

/// Registers the functions unless the library was built with them.
///
/// # Safety
/// `db` must be open.
pub(crate) unsafe fn install(db: *mut ffi::sqlite3) -> c_int {
    // SAFETY: takes a C string and looks it up in a constant list.
    if unsafe { ffi::sqlite3_compileoption_used(c"ENABLE_MATH_FUNCTIONS".as_ptr()) } != 0 {
        return ffi::SQLITE_OK;
    }
    for entry in &FUNCTIONS {
        // SAFETY: the caller vouches for the connection; name and user data are static.
        let rc = unsafe {
            ffi::sqlite3_create_function_v2(
                db,
                entry.0.as_ptr(),
                entry.1,
                ffi::SQLITE_UTF8 | ffi::SQLITE_INNOCUOUS | ffi::SQLITE_DETERMINISTIC,
                std::ptr::from_ref(&entry.2).cast_mut().cast::<c_void>(),
                Some(call),
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

unsafe extern "C" fn call(
    context: *mut ffi::sqlite3_context,
    count: c_int,
    args: *mut *mut ffi::sqlite3_value,
) {
    // SAFETY: the user data is an entry of the static table.
    let math = unsafe { &*ffi::sqlite3_user_data(context).cast::<Math>() };
    // SAFETY: SQLite calls with as many arguments as were registered, and says how many.
    let argument = |index: c_int| unsafe { *args.offset(index as isize) };
    let number = |index: c_int| {
        let value = argument(index);
        // SAFETY: an argument is a protected value, valid during the call.
        unsafe {
            match ffi::sqlite3_value_numeric_type(value) {
                ffi::SQLITE_INTEGER | ffi::SQLITE_FLOAT => Some(ffi::sqlite3_value_double(value)),
                _ => None,
            }
        }
    };
    let result = match math {
        Math::Pi => Some(std::f64::consts::PI),
        Math::One(f) => number(0).map(f),
        Math::Two(f) => number(0).zip(number(1)).map(|(x, y)| f(x, y)),
        Math::Round(f) => {
            let value = argument(0);
            // SAFETY: as in `number`; the context is the call's own.
            unsafe {
                if ffi::sqlite3_value_numeric_type(value) == ffi::SQLITE_INTEGER {
                    return ffi::sqlite3_result_int64(context, ffi::sqlite3_value_int64(value));
                }
            }
            number(0).map(f)
        }
        Math::Log(f) if count == 1 => number(0).filter(|x| *x > 0.0).map(f),
        Math::Log(f) => {
            // log(B, X): the base first. SQLite has no answer for a base of 1 or below.
            let base = number(0).filter(|b| *b > 0.0).map(f).filter(|b| *b > 0.0);
            let x = number(1).filter(|x| *x > 0.0).map(f);
            x.zip(base).map(|(x, base)| x / base)
        }
    };
    // SAFETY: the context is the call's own. A NaN becomes NULL inside `sqlite3_result_double`.
    unsafe {
        match result {
            Some(number) => ffi::sqlite3_result_double(context, number),
            None => ffi::sqlite3_result_null(context),
        }
    }
}

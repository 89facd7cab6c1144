//! `console_log!` and its kin: lines of the Worker's console, which go to the simulator's history.

/// Prints a line at the level `log`; arguments as [`format!`].
#[macro_export]
macro_rules! console_log {
    ($($t:tt)*) => { $crate::__native::console("log", &::std::format!($($t)*)) };
}

/// Prints a line at the level `debug`; arguments as [`format!`].
#[macro_export]
macro_rules! console_debug {
    ($($t:tt)*) => { $crate::__native::console("debug", &::std::format!($($t)*)) };
}

/// Prints a line at the level `warn`; arguments as [`format!`].
#[macro_export]
macro_rules! console_warn {
    ($($t:tt)*) => { $crate::__native::console("warn", &::std::format!($($t)*)) };
}

/// Prints a line at the level `error`; arguments as [`format!`].
#[macro_export]
macro_rules! console_error {
    ($($t:tt)*) => { $crate::__native::console("error", &::std::format!($($t)*)) };
}

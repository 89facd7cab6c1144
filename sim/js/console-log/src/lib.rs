//! `console_log` for native code: what a Worker writes with the crate `log` goes to its console.
//!
//! The library has the name of the real crate, which it stands in for on every target but wasm. `log` has one logger for the whole
//! process, which here is that of all isolates: installing it again, as each isolate does, succeeds.

use log::{Level, Log, Metadata, Record, SetLoggerError};
use std::sync::Once;
use web_sys::console;

static LOGGER: Logger = Logger;
static INSTALLED: Once = Once::new();

struct Logger;

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            log(record);
        }
    }

    fn flush(&self) {}
}

/// Writes a record to the console.
pub fn log(record: &Record<'_>) {
    // The levels of the real crate.
    let print = match record.level() {
        Level::Error => console::error_1,
        Level::Warn => console::warn_1,
        Level::Info => console::info_1,
        Level::Debug => console::log_1,
        Level::Trace => console::debug_1,
    };
    print(&record.args().to_string().into());
}

/// Has `log` write to the console, at this level and above.
///
/// # Errors
/// If another logger is installed.
pub fn init_with_level(level: Level) -> Result<(), SetLoggerError> {
    let mut installed = Ok(());
    INSTALLED.call_once(|| installed = log::set_logger(&LOGGER));
    log::set_max_level(level.to_level_filter());
    installed
}

/// Has `log` write to the console, at the level `info` and above.
///
/// # Errors
/// If another logger is installed.
pub fn init() -> Result<(), SetLoggerError> {
    init_with_level(Level::Info)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_isolate_may_install_the_logger() {
        init_with_level(Level::Warn).expect("the first isolate");
        assert_eq!(log::max_level(), log::LevelFilter::Warn);
        init().expect("the second isolate");
        assert_eq!(log::max_level(), log::LevelFilter::Info);
    }
}

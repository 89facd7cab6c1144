//! The console: lines that go to the history of the world, or to the standard error output where there is no world.
//!
//! `log_1` prints one value, `log_2` two, and so on, as in `web_sys`. A value is printed as `String(value)`; the values of a line
//! are separated by spaces.

use js_sys::{Array, JsString};
use wasm_bindgen::JsValue;
use worker_native_js::host;

fn print(level: &str, values: &[&JsValue]) {
    // `concat` converts as `String(value)` does.
    let shown = |value: &&JsValue| String::from(JsString::from("").concat(value));
    let texts: Vec<_> = values.iter().map(shown).collect();
    host::console(level, &texts.join(" "));
}

macro_rules! level {
    ($level:literal, $all:ident, $($name:ident($($value:ident),*)),+) => {
        #[doc = concat!("Prints a line of these values at the level `", $level, "`.")]
        pub fn $all(values: &Array) {
            let values: Vec<JsValue> = values.iter().collect();
            print($level, &values.iter().collect::<Vec<_>>());
        }

        $(
            #[doc = concat!("Prints a line at the level `", $level, "`.")]
            pub fn $name($($value: &JsValue),*) {
                print($level, &[$($value),*]);
            }
        )+
    };
}

level!(
    "log",
    log,
    log_0(),
    log_1(a),
    log_2(a, b),
    log_3(a, b, c),
    log_4(a, b, c, d)
);
level!(
    "info",
    info,
    info_0(),
    info_1(a),
    info_2(a, b),
    info_3(a, b, c),
    info_4(a, b, c, d)
);
level!(
    "debug",
    debug,
    debug_0(),
    debug_1(a),
    debug_2(a, b),
    debug_3(a, b, c),
    debug_4(a, b, c, d)
);
level!(
    "warn",
    warn,
    warn_0(),
    warn_1(a),
    warn_2(a, b),
    warn_3(a, b, c),
    warn_4(a, b, c, d)
);
level!(
    "error",
    error,
    error_0(),
    error_1(a),
    error_2(a, b),
    error_3(a, b, c),
    error_4(a, b, c, d)
);

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    thread_local! {
        static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    }

    #[test]
    fn a_line_goes_to_the_host_with_its_level() {
        host::install(host::Host {
            now_ms: || 0.0,
            random: || 0.0,
            spawn_local: |_| (),
            console: |level, text| {
                LINES.with_borrow_mut(|lines| lines.push(format!("{level}: {text}")))
            },
        });
        log_1(&"one".into());
        warn_3(&"two".into(), &JsValue::from(2), &JsValue::NULL);
        error(&[JsValue::TRUE].into_iter().collect());
        host::remove();
        let lines = LINES.take();
        assert_eq!(lines, ["log: one", "warn: two 2 null", "error: true"]);
    }
}

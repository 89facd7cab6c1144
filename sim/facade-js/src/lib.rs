//! JavaScript values for native code.
//!
//! A Worker written in Rust meets JavaScript in a few places: the body of an outgoing request, the
//! arguments of a D1 statement, the values a Durable Object stores, the errors the platform throws.
//! There `wasm-bindgen`, `js-sys` and `serde-wasm-bindgen` hold handles onto objects of the engine.
//! This crate has the same names and keeps the objects itself, so that the same source runs without an
//! engine and still follows its rules: numbers are doubles, `null` and `undefined` are two things,
//! objects have identity and keep the order of their properties.
//!
//! The map:
//! - [`wasm_bindgen`]: `JsValue`, conversions from and to Rust, `JsCast`.
//! - [`js_sys`]: `Object`, `Array`, `Map`, `Date`, `Error`, `JSON`, `Reflect` and the like.
//! - [`serde_wasm_bindgen`]: Serde types from and to `JsValue`.
//! - [`clone`]: structured clone to bytes and back, for what is stored.
//! - [`host`]: the clock, the randomness and the executor of the thread; there are none here.
//! - `heap` (private): what a value is made of; `calendar` (private): times as dates and text. Neither imports the modules above.
//!
//! # Scope
//!
//! The scope is frozen. A function is here if `sim/parity` compares a signature that needs it, if the façade or the simulator calls
//! it, or if Workers in Rust use it: they make values, read them, and pass them on. The rest of `js-sys` is for programs that
//! live in JavaScript, and stays out. To add a function, show the Worker that does not compile without it, and test the function
//! against what an engine answers.
//!
//! Deliberately absent, so that using them does not compile: functions, prototypes and getters of the
//! user's own, symbols, promises, lone surrogates in strings (they become U+FFFD, as they do when a
//! string crosses into wasm), sparse arrays (holes hold `undefined`) and anything of the DOM.

mod calendar;
pub mod clone;
mod heap;
pub mod host;
pub mod js_sys;
pub mod serde_wasm_bindgen;
pub mod wasm_bindgen;

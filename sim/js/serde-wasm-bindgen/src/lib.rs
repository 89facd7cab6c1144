//! `serde_wasm_bindgen` for native code: Serde types from and to `JsValue`.
//!
//! The library has the name of the real crate, which it stands in for on every target but wasm.

pub use worker_native_js::serde_wasm_bindgen::*;

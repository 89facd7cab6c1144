//! `wasm_bindgen` for native code: `JsValue`, conversions from and to Rust, `JsCast`.
//!
//! The library has the name of the real crate, which it stands in for on every target but wasm. A Worker that names `wasm_bindgen`
//! directly sees the types that the façade has. The values are those of `worker-native-js`.

pub use worker_native_js::wasm_bindgen::*;

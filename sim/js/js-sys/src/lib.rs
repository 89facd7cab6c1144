//! `js_sys` for native code: `Object`, `Array`, `Map`, `Date`, `JSON`, `Reflect` and the like.
//!
//! The library has the name of the real crate, which it stands in for on every target but wasm. A Worker that names `js_sys`
//! directly sees the types that the façade has. The objects are those of `worker-native-js`.

pub use wasm_bindgen;
pub use worker_native_js::js_sys::*;

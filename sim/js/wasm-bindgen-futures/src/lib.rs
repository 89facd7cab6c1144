//! `wasm_bindgen_futures` for native code: `spawn_local`, on the executor of the simulator.
//!
//! The library has the name of the real crate, which it stands in for on every target but wasm. There are no promises natively.

pub use js_sys;
pub use js_sys::futures::*;
pub use wasm_bindgen;

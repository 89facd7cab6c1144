//! `web_sys` for native code: the [`console`].
//!
//! The library has the name of the real crate, which it stands in for on every target but wasm. Everything else of the web is
//! absent, so that its use does not compile natively.

pub mod console;

pub use js_sys;
pub use wasm_bindgen;

//! The built-in objects, under the names and signatures of `js-sys` 0.3.
//!
//! Every type is a [`JsValue`](crate::wasm_bindgen::JsValue) seen as a class: it dereferences to its
//! parent (`Map` to `Object` to `JsValue`), and cloning it makes another reference to the same object.
//! The type parameters of newer versions (`Map<K, V>`) and the methods that Workers do not use are left
//! out. Iterators give what a collection held when they were made.

mod array;
mod bytes;
mod class;
pub(crate) mod date;
pub(crate) mod error;
pub mod futures;
mod map;
mod object;
mod primitive;

// Modules with the names of JavaScript's namespace objects, as in js-sys.
#[path = "js_sys/json.rs"]
#[allow(non_snake_case, reason = "the name is JavaScript's")]
pub mod JSON;
#[path = "js_sys/math.rs"]
#[allow(non_snake_case, reason = "the name is JavaScript's")]
pub mod Math;
#[path = "js_sys/reflect.rs"]
#[allow(non_snake_case, reason = "the name is JavaScript's")]
pub mod Reflect;

pub use array::{Array, ArrayIntoIter};
pub use bytes::{ArrayBuffer, Uint8Array};
pub use date::Date;
pub use error::{
    Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, UriError, dom_exception,
};
pub use map::{IntoIter, Iterator, Map, try_iter};
pub use object::Object;
pub use primitive::{Boolean, JsString, Number};

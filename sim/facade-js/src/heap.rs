//! What a JavaScript value is made of: primitives by value, objects behind one reference count.
//!
//! An object is a kind (its internal slots) and its own properties. Reference counts are enough: a
//! Worker's values are trees in practice, and a cycle leaks until the process ends.

mod bigint;
mod number;
mod object;
mod ordered;
mod text;

pub(crate) use bigint::BigInt;
pub(crate) use number::{
    MAX_SAFE_INTEGER, is_safe_integer, number_to_string, push_number, string_to_number,
};
pub(crate) use object::{ErrorClass, Kind, MapKey, Obj, Props, View, set_item, to_uint8};
pub(crate) use ordered::Ordered;
pub(crate) use text::Text;

use std::rc::Rc;

/// How deep the recursive algorithms (stringify, clone, deserialize) follow a value. V8's own bound is
/// its stack, several thousand levels, and differs between builds; this one fits a small native stack.
pub(crate) const MAX_DEPTH: u32 = 500;

/// What a [`JsValue`] holds.
#[derive(Clone)]
pub(crate) enum Repr {
    Undefined,
    Null,
    Bool(bool),
    Number(f64),
    String(Text),
    BigInt(Rc<BigInt>),
    Object(Rc<Obj>),
}

/// Any value of JavaScript: a primitive, or a reference to an object.
///
/// It belongs to its thread (neither `Send` nor `Sync`), as a handle onto an engine does.
#[derive(Clone)]
pub struct JsValue {
    pub(crate) repr: Repr,
}

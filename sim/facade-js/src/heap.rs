//! What a JavaScript value is made of: primitives by value, everything else as a handle onto a table of the thread.
//!
//! An object is a kind (its internal slots) and its own properties. Handles are counted, and what is no longer referred to is
//! freed at once; cycles are freed when a world ends. The order of files: `table` keeps the values, `object` says what they are,
//! `collect` finds the cycles.

mod bigint;
mod collect;
mod number;
mod object;
mod ordered;
mod table;
mod text;

pub(crate) use bigint::BigInt;
pub(crate) use collect::{collect, objects};
pub(crate) use number::{
    MAX_SAFE_INTEGER, is_safe_integer, number_to_string, push_number, string_to_number,
};
pub(crate) use object::{ErrorClass, Kind, MapKey, Obj, Props, View, set_item, to_uint8};
pub(crate) use ordered::Ordered;
pub(crate) use table::Handle;
pub(crate) use text::Text;

use std::rc::Rc;

/// How deep the recursive algorithms (stringify, clone, deserialize) follow a value. V8's own bound is
/// its stack, several thousand levels, and differs between builds; this one fits a small native stack.
pub(crate) const MAX_DEPTH: u32 = 500;

/// A value that was looked up: what a [`JsValue`] stands for.
pub(crate) enum Repr {
    Undefined,
    Null,
    Bool(bool),
    Number(f64),
    String(Text),
    BigInt(BigInt),
    Object(Rc<Obj>),
}

/// Any value of JavaScript: a primitive, or a reference to an object.
///
/// It is `Send` and `Sync`, as a handle onto an engine is, and the value stays on the thread that made it. On another thread a
/// string, a `BigInt` or an object panics when it is read, compared or cloned, and leaks when it is dropped.
#[derive(Clone)]
pub struct JsValue {
    pub(crate) raw: Raw,
}

/// What a [`JsValue`] holds.
#[derive(Clone)]
pub(crate) enum Raw {
    Undefined,
    Null,
    Bool(bool),
    Number(f64),
    String(Handle<Text>),
    BigInt(Handle<BigInt>),
    Object(Handle<Rc<Obj>>),
}

impl JsValue {
    /// What it stands for.
    #[inline]
    pub(crate) fn repr(&self) -> Repr {
        match &self.raw {
            Raw::Undefined => Repr::Undefined,
            Raw::Null => Repr::Null,
            Raw::Bool(b) => Repr::Bool(*b),
            Raw::Number(n) => Repr::Number(*n),
            Raw::String(text) => Repr::String(text.get()),
            Raw::BigInt(n) => Repr::BigInt(n.get()),
            Raw::Object(object) => Repr::Object(object.get()),
        }
    }
}

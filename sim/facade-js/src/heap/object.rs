//! Objects: internal slots by kind, own properties in JavaScript's order, and reading through both.

use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::rc::Rc;

use super::{Handle, JsValue, Ordered, Raw, Text, number_to_string};

/// Own enumerable properties, in the order they were made.
pub(crate) type Props = Ordered<Text, JsValue>;

/// An object: its kind and its own properties.
pub(crate) struct Obj {
    pub(crate) kind: Kind,
    pub(crate) props: RefCell<Props>,
}

/// What an object is, with its internal slots.
pub(crate) enum Kind {
    Plain,
    Array(RefCell<Vec<JsValue>>),
    Map(RefCell<Ordered<MapKey, JsValue>>),
    Bytes(View),
    Buffer(RefCell<Box<[u8]>>),
    /// Milliseconds since the Unix epoch; NaN is "Invalid Date".
    Date(Cell<f64>),
    /// The class, and the own properties that are not enumerable (`message`, `stack`, `cause`).
    Error(ErrorClass, RefCell<Props>),
}

/// A `Uint8Array`: a window onto an `ArrayBuffer`.
pub(crate) struct View {
    pub(crate) buffer: JsValue,
    pub(crate) offset: usize,
    pub(crate) length: usize,
}

impl View {
    fn buffer(&self) -> Rc<Obj> {
        self.buffer
            .object()
            .expect("a view is only made over a buffer")
    }

    /// Reads the bytes in view.
    pub(crate) fn with<R>(&self, read: impl FnOnce(&[u8]) -> R) -> R {
        let buffer = self.buffer();
        let Kind::Buffer(bytes) = &buffer.kind else {
            unreachable!("a view is only made over a buffer")
        };
        read(&bytes.borrow()[self.offset..self.offset + self.length])
    }

    /// Writes the bytes in view.
    pub(crate) fn with_mut<R>(&self, write: impl FnOnce(&mut [u8]) -> R) -> R {
        let buffer = self.buffer();
        let Kind::Buffer(bytes) = &buffer.kind else {
            unreachable!("a view is only made over a buffer")
        };
        write(&mut bytes.borrow_mut()[self.offset..self.offset + self.length])
    }
}

/// The prototype of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorClass {
    Error,
    EvalError,
    RangeError,
    ReferenceError,
    SyntaxError,
    TypeError,
    UriError,
    /// Errors of the web platform, whose `name` says which: `AbortError`, `DataCloneError`.
    DomException,
}

impl ErrorClass {
    /// The `name` of its prototype.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Error => "Error",
            Self::EvalError => "EvalError",
            Self::RangeError => "RangeError",
            Self::ReferenceError => "ReferenceError",
            Self::SyntaxError => "SyntaxError",
            Self::TypeError => "TypeError",
            Self::UriError => "URIError",
            Self::DomException => "Error",
        }
    }
}

/// A value as the key of a `Map`: equal by SameValueZero (NaN is itself, both zeros are one).
///
/// The order serves only the index of large tables and never shows: objects compare by their place in the heap.
#[derive(Clone)]
pub(crate) struct MapKey(pub(crate) JsValue);

impl MapKey {
    pub(crate) fn new(value: JsValue) -> Self {
        match value.raw {
            // As `Map.prototype.set` does: a key of -0 is stored as +0.
            Raw::Number(0.0) => Self(JsValue::from_f64(0.0)),
            _ => Self(value),
        }
    }

    /// Whether `value` finds this key.
    pub(crate) fn is(&self, value: &JsValue) -> bool {
        match (&self.0.raw, &value.raw) {
            (Raw::Number(a), Raw::Number(b)) => a == b || (a.is_nan() && b.is_nan()),
            _ => self.0 == *value,
        }
    }

    fn rank(&self) -> u8 {
        match self.0.raw {
            Raw::Undefined => 0,
            Raw::Null => 1,
            Raw::Bool(_) => 2,
            Raw::Number(_) => 3,
            Raw::String(_) => 4,
            Raw::BigInt(_) => 5,
            Raw::Object(_) => 6,
        }
    }
}

impl PartialEq for MapKey {
    fn eq(&self, other: &Self) -> bool {
        self.is(&other.0)
    }
}

impl Eq for MapKey {}

impl PartialOrd for MapKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for MapKey {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0.raw, &other.0.raw) {
            (Raw::Bool(a), Raw::Bool(b)) => a.cmp(b),
            (Raw::Number(a), Raw::Number(b)) => {
                // All NaNs are one key; zeros were made one by `new`, and lookups go through it too.
                let canonical = |n: f64| if n.is_nan() { f64::NAN } else { n + 0.0 };
                canonical(*a).total_cmp(&canonical(*b))
            }
            (Raw::String(a), Raw::String(b)) => a.get().cmp(&b.get()),
            (Raw::BigInt(a), Raw::BigInt(b)) => a.get().cmp(&b.get()),
            (Raw::Object(a), Raw::Object(b)) => a.index().cmp(&b.index()),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

/// A property name that is an array index: decimal, canonical, below 2^32 - 1.
pub(crate) fn array_index(key: &str) -> Option<u32> {
    let first = *key.as_bytes().first()?;
    if !first.is_ascii_digit() || key.len() > 10 || (first == b'0' && key.len() > 1) {
        return None;
    }
    if !key.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    key.parse().ok().filter(|index| *index < u32::MAX)
}

impl Obj {
    pub(crate) fn new(kind: Kind) -> Self {
        Self::with_props(kind, Props::new())
    }

    pub(crate) fn with_props(kind: Kind, props: Props) -> Self {
        Self {
            kind,
            props: RefCell::new(props),
        }
    }

    pub(crate) fn plain(props: Props) -> Self {
        Self::with_props(Kind::Plain, props)
    }

    pub(crate) fn array(items: Vec<JsValue>) -> Self {
        Self::new(Kind::Array(RefCell::new(items)))
    }

    pub(crate) fn buffer(bytes: Box<[u8]>) -> Self {
        Self::new(Kind::Buffer(RefCell::new(bytes)))
    }

    /// A `Uint8Array` over a buffer of its own.
    pub(crate) fn bytes(bytes: Box<[u8]>) -> Self {
        let length = bytes.len();
        Self::new(Kind::Bytes(View {
            buffer: Self::buffer(bytes).into(),
            offset: 0,
            length,
        }))
    }

    /// A new error. V8 takes `stack` when the error is made; there are no frames to name here, so it is
    /// the first line alone.
    pub(crate) fn error(class: ErrorClass, message: &str) -> Self {
        let mut hidden = Props::with_capacity(2);
        let name = class.name();
        let stack = if message.is_empty() {
            Text::Literal(name)
        } else {
            Text::from(format!("{name}: {message}"))
        };
        hidden.push_new(Text::Literal("stack"), JsValue::from(stack));
        if !message.is_empty() {
            hidden.push_new(Text::Literal("message"), JsValue::from_str(message));
        }
        Self::new(Kind::Error(class, RefCell::new(hidden)))
    }

    /// An error of the web platform with its own name.
    pub(crate) fn dom_exception(name: &str, message: &str) -> Self {
        let mut hidden = Props::with_capacity(3);
        let stack = format!("{name}: {message}");
        hidden.push_new(Text::Literal("stack"), JsValue::from(Text::from(stack)));
        hidden.push_new(Text::Literal("message"), JsValue::from_str(message));
        hidden.push_new(Text::Literal("name"), JsValue::from_str(name));
        Self::new(Kind::Error(ErrorClass::DomException, RefCell::new(hidden)))
    }

    /// `obj[key]` where the property exists, own or (for what is known of them) of the prototype.
    pub(crate) fn get(&self, key: &str) -> Option<JsValue> {
        let slot = match &self.kind {
            Kind::Plain | Kind::Date(_) => None,
            Kind::Array(items) => {
                let items = items.borrow();
                match array_index(key) {
                    Some(index) => items.get(index as usize).cloned(),
                    None if key == "length" => Some(JsValue::from_f64(items.len() as f64)),
                    None => None,
                }
            }
            Kind::Map(entries) => {
                (key == "size").then(|| JsValue::from_f64(entries.borrow().len() as f64))
            }
            Kind::Bytes(view) => match key {
                "length" | "byteLength" => Some(JsValue::from_f64(view.length as f64)),
                "byteOffset" => Some(JsValue::from_f64(view.offset as f64)),
                "buffer" => Some(view.buffer.clone()),
                _ => array_index(key).and_then(|index| {
                    view.with(|bytes| bytes.get(index as usize).map(|b| JsValue::from(*b)))
                }),
            },
            Kind::Buffer(bytes) => {
                (key == "byteLength").then(|| JsValue::from_f64(bytes.borrow().len() as f64))
            }
            Kind::Error(_, hidden) => own(&hidden.borrow(), key),
        };
        slot.or_else(|| own(&self.props.borrow(), key))
            .or_else(|| match (&self.kind, key) {
                (Kind::Error(class, _), "name") => Some(JsValue::from(Text::Literal(class.name()))),
                (Kind::Error(..), "message") => Some(JsValue::from(Text::Literal(""))),
                _ => None,
            })
    }

    /// `obj[key] = value`; false where a strict assignment throws (the read-only slots).
    pub(crate) fn set(&self, key: Text, value: JsValue) -> bool {
        match &self.kind {
            Kind::Plain | Kind::Date(_) => {}
            Kind::Array(items) => {
                if let Some(index) = array_index(&key) {
                    set_item(&mut items.borrow_mut(), index, value);
                    return true;
                }
                if &*key == "length" {
                    return match value.raw {
                        Raw::Number(n)
                            if n >= 0.0 && n <= f64::from(u32::MAX) && n.trunc() == n =>
                        {
                            items.borrow_mut().resize(n as usize, JsValue::UNDEFINED);
                            true
                        }
                        _ => false,
                    };
                }
            }
            Kind::Map(_) if &*key == "size" => return false,
            Kind::Map(_) => {}
            Kind::Bytes(view) => match &*key {
                "length" | "byteLength" | "byteOffset" | "buffer" => return false,
                _ => {
                    if let Some(index) = array_index(&key) {
                        let byte = to_uint8(&value);
                        // A write past the end is ignored, as in JavaScript.
                        view.with_mut(|bytes| {
                            if let Some(place) = bytes.get_mut(index as usize) {
                                *place = byte;
                            }
                        });
                        return true;
                    }
                }
            },
            Kind::Buffer(_) if &*key == "byteLength" => return false,
            Kind::Buffer(_) => {}
            Kind::Error(_, hidden) => {
                let mut hidden = hidden.borrow_mut();
                if own(&hidden, &key).is_some() {
                    hidden.insert(key, value);
                    return true;
                }
            }
        }
        self.props.borrow_mut().insert(key, value);
        true
    }

    /// `delete obj[key]`; false for what cannot be deleted.
    pub(crate) fn delete(&self, key: &str) -> bool {
        match &self.kind {
            Kind::Array(items) => {
                if key == "length" {
                    return false;
                }
                if let Some(index) = array_index(key) {
                    if let Some(item) = items.borrow_mut().get_mut(index as usize) {
                        *item = JsValue::UNDEFINED;
                    }
                    return true;
                }
            }
            Kind::Bytes(view) => {
                if let Some(index) = array_index(key) {
                    return index as usize >= view.length;
                }
            }
            Kind::Error(_, hidden) if remove(&mut hidden.borrow_mut(), key) => return true,
            _ => {}
        }
        remove(&mut self.props.borrow_mut(), key);
        true
    }

    /// Whether the object itself has the property, enumerable or not.
    pub(crate) fn has_own(&self, key: &str) -> bool {
        let in_slots = match &self.kind {
            Kind::Array(items) => {
                key == "length"
                    || array_index(key).is_some_and(|i| (i as usize) < items.borrow().len())
            }
            Kind::Bytes(view) => array_index(key).is_some_and(|i| (i as usize) < view.length),
            Kind::Error(_, hidden) => own(&hidden.borrow(), key).is_some(),
            _ => false,
        };
        in_slots || own(&self.props.borrow(), key).is_some()
    }

    /// `Object.entries(obj)`: own enumerable properties, array indices first and ascending.
    pub(crate) fn entries(&self) -> Vec<(Text, JsValue)> {
        let props = self.props.borrow();
        let mut entries = Vec::with_capacity(props.len());
        let index_text = |i: usize| Text::from(number_to_string(i as f64));
        match &self.kind {
            Kind::Array(items) => {
                let items = items.borrow();
                entries.extend(
                    items
                        .iter()
                        .enumerate()
                        .map(|(i, v)| (index_text(i), v.clone())),
                );
            }
            Kind::Bytes(view) => view.with(|bytes| {
                entries.extend(
                    bytes
                        .iter()
                        .enumerate()
                        .map(|(i, b)| (index_text(i), JsValue::from(*b))),
                );
            }),
            _ => {}
        }
        let first = entries.len();
        entries.extend(
            props
                .iter()
                .map(|(key, value)| (key.clone(), value.clone())),
        );
        if props.iter().any(|(key, _)| array_index(key).is_some()) {
            // Stable: names that are no index keep their order.
            entries[first..].sort_by_key(|(key, _)| array_index(key).unwrap_or(u32::MAX));
        }
        entries
    }

    /// Moves the values inside out of the object, so that a deep tree is not dropped recursively.
    fn take_objects(&mut self, into: &mut Vec<Handle<Rc<Self>>>) {
        let mut take = |value: &mut JsValue| {
            if let Raw::Object(_) = value.raw
                && let Raw::Object(object) = std::mem::replace(&mut value.raw, Raw::Undefined)
            {
                into.push(object);
            }
        };
        self.props.get_mut().values_mut().for_each(&mut take);
        match &mut self.kind {
            Kind::Array(items) => items.get_mut().iter_mut().for_each(&mut take),
            Kind::Map(entries) => entries.get_mut().values_mut().for_each(&mut take),
            Kind::Error(_, hidden) => hidden.get_mut().values_mut().for_each(&mut take),
            Kind::Plain | Kind::Bytes(_) | Kind::Buffer(_) | Kind::Date(_) => {}
        }
    }
}

impl Drop for Obj {
    fn drop(&mut self) {
        let mut pending = Vec::new();
        self.take_objects(&mut pending);
        while let Some(object) = pending.pop() {
            if let Some(mut object) = object.into_last().and_then(Rc::into_inner) {
                object.take_objects(&mut pending);
            }
        }
    }
}

/// Writes an item of an array, which grows as far as needed. Holes are `undefined`.
pub(crate) fn set_item(items: &mut Vec<JsValue>, index: u32, value: JsValue) {
    let index = index as usize;
    if index >= items.len() {
        items.resize(index + 1, JsValue::UNDEFINED);
    }
    items[index] = value;
}

/// `ToUint8`: modulo 256; NaN is 0.
pub(crate) fn to_uint8(value: &JsValue) -> u8 {
    let n = value.to_number();
    if n.is_finite() {
        n.trunc().rem_euclid(256.0) as u8
    } else {
        0
    }
}

fn own(props: &Props, key: &str) -> Option<JsValue> {
    props.get_by(|k| &**k == key, || Text::from(key)).cloned()
}

fn remove(props: &mut Props, key: &str) -> bool {
    props
        .remove_by(|k| &**k == key, || Text::from(key))
        .is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn array_indices_are_canonical_decimals_below_two_to_the_32() {
        assert_eq!(array_index("0"), Some(0));
        assert_eq!(array_index("4294967294"), Some(4_294_967_294));
        for key in [
            "",
            "00",
            "01",
            "-1",
            "1.0",
            "4294967295",
            "99999999999",
            "1a",
            "length",
        ] {
            assert_eq!(array_index(key), None, "{key}");
        }
    }

    #[test]
    fn a_tree_a_million_levels_deep_is_dropped_without_recursion() {
        let mut value = JsValue::NULL;
        for _ in 0..1_000_000 {
            value = JsValue::from(Obj::array(vec![value]));
        }
        drop(value);
    }
}

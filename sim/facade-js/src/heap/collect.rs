//! Cycles: objects that hold one another, whose handles count each other and never reach zero.
//!
//! When a world ends, nothing of its code runs any more. Then every object whose handles all lie inside other objects, and
//! that no object held from outside leads to, is garbage; it is emptied, and counting does the rest. What a test still
//! holds stays, with all it leads to.

use std::rc::Rc;

use super::table::{Handle, Kept};
use super::{JsValue, Kind, Obj, Ordered, Props, Raw};

/// How many objects this thread has.
pub(crate) fn objects() -> usize {
    <Rc<Obj>>::table().with_borrow(|table| table.taken())
}

/// Frees the objects of this thread that only garbage leads to.
pub(crate) fn collect() {
    if objects() == 0 {
        return;
    }
    let objects: Vec<(u32, u32, Rc<Obj>)> = <Rc<Obj>>::table().with_borrow(|table| {
        let values = table.values();
        values
            .map(|(index, count, object)| (index, count, Rc::clone(object)))
            .collect()
    });
    let Some((last, ..)) = objects.last() else {
        return;
    };
    let mut places: Vec<Option<&Rc<Obj>>> = vec![None; *last as usize + 1];
    let mut outside = vec![0; places.len()];
    for (index, count, object) in &objects {
        places[*index as usize] = Some(object);
        outside[*index as usize] = *count;
    }
    for (.., object) in &objects {
        object.for_each_object(&mut |inner| outside[inner as usize] -= 1);
    }
    let mut reached: Vec<bool> = outside.iter().map(|count| *count > 0).collect();
    let mut pending: Vec<u32> = (0..)
        .zip(&reached)
        .filter_map(|(index, reached)| reached.then_some(index))
        .collect();
    while let Some(index) = pending.pop() {
        let Some(object) = places[index as usize] else {
            unreachable!("a place with handles has an object")
        };
        object.for_each_object(&mut |inner| {
            if !std::mem::replace(&mut reached[inner as usize], true) {
                pending.push(inner);
            }
        });
    }
    for (index, _, object) in &objects {
        if !reached[*index as usize] {
            object.empty();
        }
    }
}

impl Obj {
    /// Calls `visit` with the place of each object that this one holds, once for each handle.
    fn for_each_object(&self, visit: &mut impl FnMut(u32)) {
        let mut value = |value: &JsValue| {
            if let Raw::Object(handle) = &value.raw
                && let Some(index) = Handle::index_here(handle)
            {
                visit(index);
            }
        };
        let named = |props: &Props, value: &mut dyn FnMut(&JsValue)| {
            props.iter().for_each(|(_, inner)| value(inner));
        };
        named(&self.props.borrow(), &mut value);
        match &self.kind {
            Kind::Array(items) => items.borrow().iter().for_each(value),
            Kind::Map(entries) => entries.borrow().iter().for_each(|(key, inner)| {
                value(&key.0);
                value(inner);
            }),
            Kind::Error(_, hidden) => named(&hidden.borrow(), &mut value),
            Kind::Bytes(view) => value(&view.buffer),
            Kind::Plain | Kind::Buffer(_) | Kind::Date(_) => {}
        }
    }

    /// Drops what the object holds. A view keeps its buffer, which holds bytes and names alone: they are dropped there.
    fn empty(&self) {
        drop(self.props.replace(Props::new()));
        match &self.kind {
            Kind::Array(items) => drop(items.take()),
            Kind::Map(entries) => drop(entries.replace(Ordered::new())),
            Kind::Error(_, hidden) => drop(hidden.replace(Props::new())),
            Kind::Plain | Kind::Bytes(_) | Kind::Buffer(_) | Kind::Date(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::js_sys::{Array, Map, Object, Reflect, Uint8Array};

    /// An object that holds itself through an array, a map's key, a map's value, a view's buffer and an error's cause.
    fn knot() -> Object {
        let knot = Object::new();
        let map = Map::new();
        map.set(&knot, &Array::of1(&knot));
        let bytes = Uint8Array::new_with_length(1);
        Reflect::set(&bytes.buffer(), &"owner".into(), &bytes).unwrap();
        let error = crate::js_sys::Error::new("");
        error.set_cause(&knot);
        for (name, value) in [("map", map.as_ref()), ("bytes", bytes.as_ref())] {
            Reflect::set(&knot, &name.into(), value).unwrap();
        }
        Reflect::set(&knot, &"error".into(), &error).unwrap();
        knot
    }

    #[test]
    fn cycles_are_freed_and_what_is_held_stays() {
        let before = objects();
        let held = knot();
        let one_knot = objects() - before;
        assert_eq!(one_knot, 6);
        drop(knot());
        assert_eq!(objects() - before, 2 * one_knot);

        collect();
        assert_eq!(objects() - before, one_knot, "the knot that is not held");
        let map: Map = Reflect::get(&held, &"map".into()).unwrap().into();
        let array: Array = map.get(&held).into();
        assert_eq!(array.get(0), JsValue::from(held.clone()));

        drop((held, map, array));
        collect();
        assert_eq!(objects(), before);
    }

    #[test]
    fn what_an_object_held_from_outside_leads_to_is_kept() {
        let inner = Array::of1(&"kept".into());
        let outer = Array::of1(&inner);
        drop(inner);
        collect();
        assert_eq!(Array::from(&outer.get(0)).get(0), "kept");
    }

    #[test]
    fn a_long_circle_is_freed_without_recursion() {
        let before = objects();
        let first = Array::new();
        let mut last = first.clone();
        for _ in 0..300_000 {
            let next = Array::of1(&last);
            last = next;
        }
        first.push(&last);
        drop((first, last));
        assert_eq!(objects() - before, 300_001);
        collect();
        assert_eq!(objects(), before);
    }
}

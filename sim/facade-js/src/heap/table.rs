//! The tables of the thread: where texts, large integers and objects live, and the counted handles onto them.
//!
//! A [`Handle`] is two numbers, so whatever holds it is `Send` and `Sync`, as the handles of wasm-bindgen are. The value
//! behind it stays on its thread: a handle that is used on another thread panics, and one that is dropped there leaves its
//! value in the table until the thread ends. A place is free again when its last handle is dropped; the last place freed is
//! the first one used, and no number of a place is ever visible to a Worker.
//!
//! The tables belong to the thread and not to a world: what a test keeps of a world that has ended remains readable.
//! [`collect`](super::collect) frees the cycles that counting leaves behind.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::LocalKey;

use super::{BigInt, Obj, Text};

/// What has a table.
pub(crate) trait Kept: Clone + 'static {
    /// Whether dropping a value drops handles, so that the table must be left first.
    const HOLDS_HANDLES: bool;

    /// The table of this thread.
    fn table() -> &'static LocalKey<RefCell<Table<Self>>>;
}

thread_local! {
    static TEXTS: RefCell<Table<Text>> = const { RefCell::new(Table::new()) };
    static BIGINTS: RefCell<Table<BigInt>> = const { RefCell::new(Table::new()) };
    static OBJECTS: RefCell<Table<Rc<Obj>>> = const { RefCell::new(Table::new()) };
}

impl Kept for Text {
    const HOLDS_HANDLES: bool = false;

    fn table() -> &'static LocalKey<RefCell<Table<Self>>> {
        &TEXTS
    }
}

impl Kept for BigInt {
    const HOLDS_HANDLES: bool = false;

    fn table() -> &'static LocalKey<RefCell<Table<Self>>> {
        &BIGINTS
    }
}

impl Kept for Rc<Obj> {
    const HOLDS_HANDLES: bool = true;

    fn table() -> &'static LocalKey<RefCell<Table<Self>>> {
        &OBJECTS
    }
}

/// The number of the next table of the process. 0 is that of a table that has held nothing yet.
static NEXT_NUMBER: AtomicU32 = AtomicU32::new(1);

/// No place is free.
const NONE: u32 = u32::MAX;

/// Values by place.
pub(crate) struct Table<T> {
    /// Tells the tables of the process apart.
    number: u32,
    slots: Vec<Slot<T>>,
    /// The place that was freed last.
    free: u32,
    taken: usize,
}

struct Slot<T> {
    /// How many handles there are; in a free place, the one that was freed before it.
    count: u32,
    value: Option<T>,
}

impl<T> Table<T> {
    const fn new() -> Self {
        Self {
            number: 0,
            slots: Vec::new(),
            free: NONE,
            taken: 0,
        }
    }

    /// How many values there are.
    pub(crate) fn taken(&self) -> usize {
        self.taken
    }

    /// The values with their places and the number of their handles.
    pub(crate) fn values(&self) -> impl Iterator<Item = (u32, u32, &T)> {
        let slots = (0..).zip(&self.slots);
        slots.filter_map(|(index, slot)| Some((index, slot.count, slot.value.as_ref()?)))
    }

    fn insert(&mut self, value: T) -> u32 {
        if self.number == 0 {
            self.number = NEXT_NUMBER.fetch_add(1, Ordering::Relaxed);
        }
        self.taken += 1;
        if self.free == NONE {
            let index = u32::try_from(self.slots.len()).expect("fewer than 2^32 values");
            self.slots.push(Slot {
                count: 1,
                value: Some(value),
            });
            return index;
        }
        let index = self.free;
        let slot = &mut self.slots[index as usize];
        self.free = std::mem::replace(&mut slot.count, 1);
        slot.value = Some(value);
        index
    }

    /// One handle less; answers the value if it was the last.
    #[inline]
    fn release(&mut self, index: u32) -> Option<T> {
        let slot = &mut self.slots[index as usize];
        slot.count -= 1;
        if slot.count > 0 {
            return None;
        }
        slot.count = std::mem::replace(&mut self.free, index);
        self.taken -= 1;
        slot.value.take()
    }

    fn value(&self, index: u32) -> &T {
        let value = &self.slots[index as usize].value;
        value
            .as_ref()
            .expect("a value stays as long as its handles")
    }
}

/// A counted reference to a value in the table of its thread.
pub(crate) struct Handle<T: Kept> {
    table: u32,
    index: u32,
    kept: PhantomData<fn() -> T>,
}

impl<T: Kept> Handle<T> {
    /// Puts a value into the table of this thread.
    pub(crate) fn new(value: T) -> Self {
        T::table().with_borrow_mut(|table| {
            let index = table.insert(value);
            Self {
                table: table.number,
                index,
                kept: PhantomData,
            }
        })
    }

    /// The value.
    ///
    /// # Panics
    /// On another thread.
    #[inline]
    pub(crate) fn get(&self) -> T {
        self.peek(T::clone)
    }

    /// Reads the value in its place. `read` must not make, clone or drop values of this kind.
    ///
    /// # Panics
    /// On another thread.
    #[inline]
    pub(crate) fn peek<R>(&self, read: impl FnOnce(&T) -> R) -> R {
        T::table().with_borrow(|table| {
            self.check(table);
            read(table.value(self.index))
        })
    }

    /// Whether the values are equal, which may stand in two places.
    ///
    /// # Panics
    /// On another thread.
    pub(crate) fn equals(&self, other: &Self) -> bool
    where
        T: PartialEq,
    {
        T::table().with_borrow(|table| {
            self.check(table);
            other.check(table);
            self.index == other.index || table.value(self.index) == table.value(other.index)
        })
    }

    /// Whether both are handles onto one place.
    ///
    /// # Panics
    /// On another thread.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.index() == other.index()
    }

    /// The place, as an order of the values that does not change while they are there.
    ///
    /// # Panics
    /// On another thread.
    pub(crate) fn index(&self) -> u32 {
        T::table().with_borrow(|table| self.check(table));
        self.index
    }

    /// The place, if it is one of this thread.
    pub(crate) fn index_here(&self) -> Option<u32> {
        T::table().with_borrow(|table| (self.table == table.number).then_some(self.index))
    }

    /// Drops the handle; answers the value if it was the last one.
    pub(crate) fn into_last(self) -> Option<T> {
        let last = self.release();
        std::mem::forget(self);
        last
    }

    #[inline]
    fn release(&self) -> Option<T> {
        // The table may be gone when the thread ends, and its values with it.
        let released = T::table().try_with(|table| {
            let table = &mut *table.borrow_mut();
            (self.table == table.number)
                .then(|| table.release(self.index))
                .flatten()
        });
        released.ok().flatten()
    }

    #[inline]
    fn check(&self, table: &Table<T>) {
        if self.table != table.number {
            foreign();
        }
    }
}

#[cold]
#[inline(never)]
fn foreign() -> ! {
    panic!(
        "a JsValue is used on another thread than the one that made it: JavaScript values stay on the thread of their world"
    )
}

impl<T: Kept> Clone for Handle<T> {
    /// # Panics
    /// On another thread.
    #[inline]
    fn clone(&self) -> Self {
        T::table().with_borrow_mut(|table| {
            self.check(table);
            let count = &mut table.slots[self.index as usize].count;
            *count = count.checked_add(1).expect("fewer than 2^32 handles");
        });
        Self { ..*self }
    }
}

impl<T: Kept> Drop for Handle<T> {
    #[inline]
    fn drop(&mut self) {
        if T::HOLDS_HANDLES {
            drop(self.release());
            return;
        }
        // The value is dropped in its place. The table may be gone when the thread ends, and its values with it.
        let _ = T::table().try_with(|table| {
            let table = &mut *table.borrow_mut();
            if self.table == table.number {
                table.release(self.index);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heap::objects;
    use crate::js_sys::{Array, Object};
    use crate::wasm_bindgen::JsValue;
    use std::thread::JoinHandle;

    #[expect(
        clippy::disallowed_methods,
        reason = "what other threads may do is tested"
    )]
    fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        std::thread::spawn(work)
    }

    /// The text of the panic of a thread.
    fn panic_of(work: impl FnOnce() + Send + 'static) -> String {
        let panic = spawn(work).join().expect_err("it panics");
        let text = panic.downcast_ref::<&str>().copied();
        text.expect("a literal").to_owned()
    }

    #[test]
    fn a_value_used_on_another_thread_panics_and_says_why() {
        let values: [JsValue; 3] = ["text".into(), 1_u64.into(), Object::new().into()];
        for value in values {
            let why = "a JsValue is used on another thread than the one that made it";
            let cloned = value.clone();
            assert!(panic_of(move || drop(cloned.clone())).starts_with(why));
            let compared = value.clone();
            assert!(panic_of(move || assert_eq!(compared, compared)).starts_with(why));
            let shown = value.clone();
            assert!(panic_of(move || drop(format!("{shown:?}"))).starts_with(why));
            // Also where that thread has values of its own at the same places.
            let met = value.clone();
            let mixed = move || {
                let _own: [JsValue; 3] = ["own".into(), 2_u64.into(), Array::new().into()];
                let _ = met.loose_eq(&met);
            };
            assert!(panic_of(mixed).starts_with(why));
        }
    }

    #[test]
    fn a_value_dropped_on_another_thread_stays_in_its_table() {
        let before = objects();
        let value = JsValue::from(Object::new());
        let moved = value.clone();
        spawn(move || {
            let _own = Object::new();
            drop(moved);
            assert_eq!(objects(), 1, "what this thread has of its own");
        })
        .join()
        .unwrap();
        assert_eq!(value, value.clone());
        drop(value);
        assert_eq!(objects(), before + 1);
    }

    #[test]
    fn primitives_go_from_thread_to_thread() {
        let value = JsValue::from(1.5);
        spawn(move || assert_eq!(value, value.clone()))
            .join()
            .unwrap();
    }

    #[test]
    fn a_place_is_used_again_when_its_last_handle_is_gone() {
        let before = objects();
        for _ in 0..100 {
            let value = JsValue::from(Object::new());
            let other = value.clone();
            drop(value);
            assert!(other.is_object());
            assert_eq!(objects(), before + 1);
        }
        let places = <Rc<Obj>>::table().with_borrow(|table| table.slots.len());
        assert!(places <= before + 1);
    }
}

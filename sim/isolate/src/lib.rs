//! State that belongs to one isolate.
//!
//! On Cloudflare a Worker's `static` or `thread_local!` is one per *isolate*: every isolate has a wasm memory of its own.
//! In a simulator many isolates share a process, and a plain `thread_local!` would leak state from one to the next.
//! [`IsolateLocal`] is right in both: it keeps one value per isolate, and the isolate is whatever [`enter`] last named.
//! On wasm `enter` is never called: there is one isolate per memory, so the value is a plain thread-local there and
//! a Worker needs no `cfg`.
//!
//! It does not share anything between isolates, and it does not survive [`evict`]: that is the point.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Number of an isolate; 0 is the one of code that runs in no simulator.
pub type IsolateId = u64;

thread_local! {
    static CURRENT: Cell<IsolateId> = const { Cell::new(0) };
    static VALUES: RefCell<BTreeMap<(IsolateId, usize), Kept>> = const { RefCell::new(BTreeMap::new()) };
    /// How many values this thread has made.
    static MADE: Cell<u64> = const { Cell::new(0) };
}

struct Kept {
    /// Its place in the order in which the thread made values: they are dropped in that order.
    made: u64,
    value: Rc<dyn Any>,
}

/// Numbers the statics in order of first use; the number is only ever a key, so it may differ between runs.
static NEXT_SLOT: AtomicUsize = AtomicUsize::new(0);

/// One value of type `T` per isolate, made by `init` when an isolate first asks.
///
/// ```
/// use edgeproof_isolate::IsolateLocal;
/// use std::cell::Cell;
///
/// static HITS: IsolateLocal<Cell<u32>> = IsolateLocal::new(|| Cell::new(0));
///
/// let one = edgeproof_isolate::enter(1);
/// HITS.with(|hits| hits.set(hits.get() + 1));
/// edgeproof_isolate::enter(2);
/// assert_eq!(HITS.with(Cell::get), 0); // another isolate, another memory
/// edgeproof_isolate::enter(1);
/// assert_eq!(HITS.with(Cell::get), 1);
/// edgeproof_isolate::evict(1);
/// assert_eq!(HITS.with(Cell::get), 0); // memory is lost with the isolate
/// edgeproof_isolate::enter(one);
/// ```
#[derive(Debug)]
pub struct IsolateLocal<T: 'static> {
    slot: OnceLock<usize>,
    init: fn() -> T,
}

impl<T: 'static> IsolateLocal<T> {
    /// A slot whose value is made by `init`, once per isolate.
    pub const fn new(init: fn() -> T) -> Self {
        Self {
            slot: OnceLock::new(),
            init,
        }
    }

    /// Runs `f` with this isolate's value.
    pub fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        let slot = *self
            .slot
            .get_or_init(|| NEXT_SLOT.fetch_add(1, Ordering::Relaxed));
        let key = (CURRENT.get(), slot);
        let found =
            VALUES.with_borrow(|values| values.get(&key).map(|kept| Rc::clone(&kept.value)));
        let value = found.unwrap_or_else(|| {
            // Made outside the borrow: `init` may itself use another IsolateLocal.
            let value: Rc<dyn Any> = Rc::new((self.init)());
            let made = MADE.replace(MADE.get() + 1);
            let kept = Kept {
                made,
                value: Rc::clone(&value),
            };
            VALUES.with_borrow_mut(|values| values.insert(key, kept));
            value
        });
        f(value
            .downcast_ref()
            .expect("a slot number belongs to one static, and so to one type"))
    }
}

/// Makes `isolate` the current one on this thread and returns the one before it.
pub fn enter(isolate: IsolateId) -> IsolateId {
    CURRENT.replace(isolate)
}

/// The isolate whose values [`IsolateLocal::with`] sees now.
pub fn current() -> IsolateId {
    CURRENT.get()
}

/// Drops every value of `isolate`: its memory is gone.
pub fn evict(isolate: IsolateId) {
    evict_range(isolate..isolate + 1);
}

/// Drops every value of many isolates.
pub fn evict_range(isolates: std::ops::Range<IsolateId>) {
    let gone = VALUES.with_borrow_mut(|values| {
        let mut rest = values.split_off(&(isolates.start, 0));
        let mut later = rest.split_off(&(isolates.end, 0));
        values.append(&mut later);
        rest
    });
    // The numbers of the statics depend on what other threads did, so their order must not count.
    let mut gone: Vec<_> = gone.into_values().collect();
    gone.sort_unstable_by_key(|kept| kept.made);
    // Dropped outside the borrow: a value's destructor may use another IsolateLocal.
    drop(gone);
}

#[cfg(test)]
mod tests {
    use super::*;

    thread_local! {
        static GONE: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
    }

    struct Named(&'static str);

    impl Drop for Named {
        fn drop(&mut self) {
            // What a failed test leaves is dropped when its thread ends, maybe after this list.
            let _ = GONE.try_with(|gone| gone.borrow_mut().push(self.0));
        }
    }

    #[test]
    fn values_are_dropped_in_the_order_in_which_they_were_made() {
        static ONE: IsolateLocal<Named> = IsolateLocal::new(|| Named("one"));
        static TWO: IsolateLocal<Named> = IsolateLocal::new(|| Named("two"));
        let use_in = |isolate, statics: [&'static IsolateLocal<Named>; 2]| {
            enter(isolate);
            for used in statics {
                used.with(|_| ());
            }
        };
        // The first isolate decides how the statics are numbered.
        use_in(1, [&ONE, &TWO]);
        use_in(2, [&TWO, &ONE]);
        enter(0);
        evict(2);
        assert_eq!(GONE.take(), ["two", "one"]);
        evict(1);
        assert_eq!(GONE.take(), ["one", "two"]);
    }
}

//! The instances of live objects: the user's code, and the tasks that must learn what becomes of it.

use super::waiters::Waiters;
use crate::platform::durable::ObjectRef;
use crate::platform::durable::object::Reset;
use crate::script::ObjectInstance;
use std::cell::OnceCell;
use std::rc::Rc;
use std::task::Waker;

/// What the engine keeps for a live object: the user's code, and the tasks that wait.
#[derive(Default)]
pub(crate) struct Hosted {
    /// Number of the instance.
    generation: u32,
    /// The user's code; `None` until the constructor has run.
    pub(super) instance: Option<Rc<dyn ObjectInstance>>,
    /// Tasks before the input gate.
    pub(super) waiters: Waiters,
    /// Critical sections that wait for their turn.
    pub(super) sections: Waiters,
    /// Handlers that run and bodies that are sent, each by a number of its own: they must learn of a reset.
    pub(super) handlers: Vec<(u64, Waker)>,
    /// The number of the next of them.
    pub(super) next_waiter: u64,
    /// Set when the instance is reset. Its answers that wait for their writes hold a clone, to learn of it.
    pub(super) reset: Rc<OnceCell<Reset>>,
}

/// The instances of all live objects, by class and place. They are here exactly as long as the objects are live.
#[derive(Default)]
pub(crate) struct Instances(Vec<Vec<Option<Box<Hosted>>>>);

impl Instances {
    /// Adds an entry for an instance that starts.
    pub(super) fn insert(&mut self, object: ObjectRef) {
        let (class, index) = (usize::from(object.class), object.index as usize);
        if self.0.len() <= class {
            self.0.resize_with(class + 1, Vec::new);
        }
        let class = &mut self.0[class];
        if class.len() <= index {
            class.resize_with(index + 1, || None);
        }
        class[index] = Some(Box::new(Hosted {
            generation: object.generation,
            ..Hosted::default()
        }));
    }

    /// The entry of an instance, if it is still live.
    pub(super) fn get(&mut self, object: ObjectRef) -> Option<&mut Hosted> {
        let class = self.0.get_mut(usize::from(object.class))?;
        let hosted = class.get_mut(object.index as usize)?.as_deref_mut()?;
        (hosted.generation == object.generation).then_some(hosted)
    }

    /// The entry of an object's live instance.
    pub(super) fn newest(&self, class: u16, index: u32) -> Option<&Hosted> {
        let class = self.0.get(usize::from(class))?;
        class.get(index as usize)?.as_deref()
    }

    /// Removes the entry of an object's instance.
    pub(super) fn take(&mut self, class: u16, index: u32) -> Option<Box<Hosted>> {
        let class = self.0.get_mut(usize::from(class))?;
        class.get_mut(index as usize)?.take()
    }
}

//! Durable Objects as a Worker awaits them: the engine carries out the actions that the state machines of
//! [`platform::durable`](crate::platform::durable) return.
//!
//! - `call`: the way of a request to an object and back; `lifecycle`: instances start, are evicted and are reset.
//! - `instances`: their table; `host`: the isolate they run in; `waiters`: tasks that wait.
//! - `gates`: what waits before an object and before its messages; `storage`: its calls and commits; `alarm`: timers and
//!   runs.
//!
//! This file gives access to the tables of objects and instances. While a table is borrowed nothing awaits and no user
//! code runs.

mod alarm;
mod call;
mod gates;
mod host;
mod instances;
mod lifecycle;
mod storage;
mod waiters;

pub use call::StubState;
pub use gates::CriticalSection;
pub(super) use instances::Instances;

use super::Engine;
use super::scope::Cause;
use super::scope::Place;
use crate::exception::Exception;
use crate::limits;
use crate::platform::durable::object::{Live, Object};
use crate::platform::durable::{ObjectId, ObjectRef};
use crate::topology::Pop;
use instances::Hosted;
use std::rc::Rc;

impl Engine {
    /// The id of a live object, for its own `State`.
    pub(crate) fn object_identity(&self, object: ObjectRef) -> (ObjectId, Option<Rc<str>>) {
        self.with_object(object, |object| (object.id, object.name.clone()))
    }

    fn with<T>(&self, class: u16, index: u32, act: impl FnOnce(&mut Object) -> T) -> T {
        act(self.0.classes.borrow_mut()[usize::from(class)].object(index))
    }

    fn with_object<T>(&self, object: ObjectRef, act: impl FnOnce(&mut Object) -> T) -> T {
        self.with(object.class, object.index, act)
    }

    /// Acts on the state of this instance; `None` if the instance has ended.
    fn with_live<T>(&self, object: ObjectRef, act: impl FnOnce(&mut Live) -> T) -> Option<T> {
        self.with_object(object, |entry| entry.live(object.generation).map(act))
    }

    /// Acts on what the engine keeps for this instance; `None` if the instance has ended.
    fn with_hosted<T>(&self, object: ObjectRef, act: impl FnOnce(&mut Hosted) -> T) -> Option<T> {
        self.0.instances.borrow_mut().get(object).map(act)
    }

    fn is_live(&self, object: ObjectRef) -> bool {
        self.with_object(object, |entry| entry.is_live(object.generation))
    }

    /// Name of a class.
    fn class_name(&self, class: u16) -> String {
        self.0.classes.borrow()[usize::from(class)].name.to_string()
    }

    /// Class and hexadecimal id of an object.
    pub(super) fn object_name(&self, class: u16, index: u32) -> (String, String) {
        let id = self.with(class, index, |object| object.id.to_hex());
        (self.class_name(class), id)
    }

    /// Where the code of an object runs.
    fn object_place(&self, object: ObjectRef, home: Pop, cause: Cause) -> Place {
        let deployment = self.0.deployments.class(object.class).deployment;
        let host = self.host(deployment, home);
        Place {
            deployment,
            pop: home,
            isolate: host.isolate,
            host: Some(host),
            object: Some(object),
            cause,
        }
    }

    /// What a call in flight gets when its object is reset.
    fn reset_exception(&self, object: ObjectRef) -> Exception {
        let reason = self.with_object(object, |object| {
            object.last_reset().map(|reset| Rc::clone(&reset.reason))
        });
        let reason = reason.unwrap_or_else(|| limits::durable::STORAGE_GONE.into());
        Exception::error(&*reason).reset()
    }
}

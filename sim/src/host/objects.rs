//! Durable Objects from outside: ids, stubs, calls; and critical sections from inside.

use super::{Bindings, CriticalSection, Operation, StubState};
use crate::exception::Exception;
use crate::http::{Body, Request, Response};
use crate::platform::durable::{ObjectId, ObjectRef};
use crate::script::LocalBoxFuture;
use crate::topology::LocationHint;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;

impl Bindings {
    /// The id that goes with a name.
    pub fn object_id_from_name(&self, class: u16, name: &str) -> ObjectId {
        self.0.object_id_from_name(class, name)
    }

    /// A new random id.
    pub fn object_unique_id(&self, class: u16) -> ObjectId {
        self.0.object_unique_id(class)
    }

    /// Reads an id that was printed.
    ///
    /// # Errors
    /// Not 64 hexadecimal digits, or another namespace's id.
    pub fn object_id_from_string(&self, class: u16, text: &str) -> Result<ObjectId, Exception> {
        self.0.object_id_from_string(class, text)
    }

    /// A stub for an object. Nothing is sent until it is called.
    pub fn object_stub(
        &self,
        class: u16,
        id: ObjectId,
        name: Option<Arc<str>>,
        hint: Option<LocationHint>,
    ) -> Arc<StubState> {
        self.0.object_stub(class, id, name, hint)
    }

    /// The id of a live object, for its own `State`.
    pub fn object_identity(&self, object: ObjectRef) -> (ObjectId, Option<Rc<str>>) {
        self.0.object_identity(object)
    }

    /// Calls an object's `fetch`.
    ///
    /// # Errors
    /// A broken stub, an object that cannot be reached, is overloaded, was reset, or threw; too many calls.
    pub fn object_call(
        &self,
        stub: Arc<StubState>,
        request: Request<Body>,
    ) -> Operation<Result<Response<Body>, Exception>> {
        self.0.object_call(stub, request)
    }

    /// Runs `section` with the object's input gate closed: no other event is delivered until it has ended. The gate is
    /// closed when this returns, whether or not its future is ever awaited.
    ///
    /// # Errors
    /// What the section failed with; that resets the object or undoes the section's writes, by its kind.
    pub fn critical_section<T: 'static>(
        &self,
        object: ObjectRef,
        kind: CriticalSection,
        section: LocalBoxFuture<Result<T, Exception>>,
    ) -> impl Future<Output = Result<T, Exception>> + use<T> {
        self.0.critical_section(object, kind, section)
    }
}

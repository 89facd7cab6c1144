//! What callers use: namespaces, ids and stubs.

use crate::js::thrown;
use crate::wasm_bindgen::JsValue;
use crate::{Error, Request, Response, Result};
use edgeproof_sim::Bindings;
use edgeproof_sim::host::StubState;
use edgeproof_sim::platform::durable::ObjectId as RawId;
use edgeproof_sim::topology::LocationHint;
use std::fmt;
use std::sync::Arc;
use url::Url;

/// A handle through which one object is called.
#[derive(Debug)]
pub struct Stub {
    state: Arc<StubState>,
}

impl Stub {
    /// Calls the object's `fetch`.
    ///
    /// # Errors
    /// The object cannot be reached, is overloaded, was reset, or threw.
    pub async fn fetch_with_request(&self, req: Request) -> Result<Response> {
        let answer = Bindings::current()
            .object_call(Arc::clone(&self.state), req.to_raw()?)
            .await
            .map_err(thrown)?;
        Ok(Response::from_parts_native(answer))
    }

    /// Calls the object's `fetch` with GET.
    ///
    /// # Errors
    /// As [`fetch_with_request`](Self::fetch_with_request); a text that is no URL.
    pub async fn fetch_with_str(&self, url: &str) -> Result<Response> {
        let url =
            Url::parse(url).map_err(|_| crate::js::type_error(&format!("Invalid URL: {url}")))?;
        let request = edgeproof_sim::http::Request::new(http::Method::GET, url);
        let answer = Bindings::current()
            .object_call(Arc::clone(&self.state), request)
            .await
            .map_err(thrown)?;
        Ok(Response::from_parts_native(answer))
    }
}

/// The objects of one class.
#[derive(Debug, Clone)]
pub struct ObjectNamespace {
    class: u16,
}

impl ObjectNamespace {
    pub(crate) fn new(class: u16) -> Self {
        Self { class }
    }

    /// The id that always goes with this name.
    ///
    /// # Errors
    /// Never; upstream's signature.
    pub fn id_from_name(&self, name: &str) -> Result<ObjectId<'_>> {
        let id = Bindings::current().object_id_from_name(self.class, name);
        Ok(ObjectId {
            id,
            name: Some(name.into()),
            namespace: Some(self),
        })
    }

    /// Reads an id that was printed.
    ///
    /// # Errors
    /// The text is not 64 hexadecimal digits, or the id of another namespace.
    pub fn id_from_string(&self, hex_id: &str) -> Result<ObjectId<'_>> {
        let id = Bindings::current()
            .object_id_from_string(self.class, hex_id)
            .map_err(thrown)?;
        Ok(ObjectId {
            id,
            name: None,
            namespace: Some(self),
        })
    }

    /// A new random id.
    ///
    /// # Errors
    /// Never; upstream's signature.
    pub fn unique_id(&self) -> Result<ObjectId<'_>> {
        let id = Bindings::current().object_unique_id(self.class);
        Ok(ObjectId {
            id,
            name: None,
            namespace: Some(self),
        })
    }

    /// A new random id of an object that shall stay in a jurisdiction, such as `eu`. The simulator gives the object the place of
    /// any other; the id differs from Cloudflare's, which carries the jurisdiction.
    ///
    /// # Errors
    /// Never; upstream's signature.
    pub fn unique_id_with_jurisdiction(&self, _jurisdiction: &str) -> Result<ObjectId<'_>> {
        self.unique_id()
    }

    /// A stub for the object of this name.
    ///
    /// # Errors
    /// Never; upstream's signature.
    pub fn get_by_name(&self, name: &str) -> Result<Stub> {
        self.id_from_name(name)?.get_stub()
    }

    /// A stub for the object of this name, to be placed where `location_hint` says if it is new.
    ///
    /// # Errors
    /// A text that is no location hint.
    pub fn get_by_name_with_location_hint(&self, name: &str, location_hint: &str) -> Result<Stub> {
        self.id_from_name(name)?
            .get_stub_with_location_hint(location_hint)
    }
}

/// The id of an object.
#[derive(Debug)]
pub struct ObjectId<'a> {
    id: RawId,
    name: Option<Arc<str>>,
    namespace: Option<&'a ObjectNamespace>,
}

impl ObjectId<'_> {
    /// The id that an object has of itself, which names no namespace.
    pub(super) fn of_itself(id: RawId, name: Option<Arc<str>>) -> Self {
        Self {
            id,
            name,
            namespace: None,
        }
    }

    /// A stub for this object.
    ///
    /// # Errors
    /// The object's own id, from [`State::id`](super::State::id), names no namespace.
    pub fn get_stub(&self) -> Result<Stub> {
        self.stub(None)
    }

    /// A stub for this object, to be placed where `location_hint` says if it is new.
    ///
    /// # Errors
    /// As [`get_stub`](Self::get_stub); a text that is no location hint.
    pub fn get_stub_with_location_hint(&self, location_hint: &str) -> Result<Stub> {
        let hint = LocationHint::from_name(location_hint);
        let hint =
            hint.ok_or_else(|| Error::from(format!("`{location_hint}` is no location hint")))?;
        self.stub(Some(hint))
    }

    fn stub(&self, hint: Option<LocationHint>) -> Result<Stub> {
        let none = || {
            Error::from(JsValue::from_str(
                "Cannot get stub from within a Durable Object",
            ))
        };
        let namespace = self.namespace.ok_or_else(none)?;
        Ok(Stub {
            state: Bindings::current().object_stub(
                namespace.class,
                self.id,
                self.name.clone(),
                hint,
            ),
        })
    }

    /// The name it was made from, if it was made from one.
    pub fn name(&self) -> Option<String> {
        self.name.as_deref().map(str::to_owned)
    }
}

impl PartialEq for ObjectId<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl fmt::Display for ObjectId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id.to_hex())
    }
}

//! [`Env`]: the bindings of a Worker, by name.

use crate::absent::{AnalyticsEngineDataset, Bucket, Fetcher, SecretStore, refused};
#[cfg(feature = "d1")]
use crate::d1::D1Database;
use crate::durable::ObjectNamespace;
use crate::kv::{KvError, KvStore};
use crate::rate_limit::RateLimiter;
use crate::wasm_bindgen::JsValue;
use crate::{Error, Result, js_sys};
use edgeproof_sim::Bindings;
use edgeproof_sim::host::Binding;
use serde::de::DeserializeOwned;
use std::fmt;

/// The bindings that the Worker's configuration names, in the world that runs.
#[derive(Debug, Clone)]
pub struct Env {
    _private: (),
}

impl Env {
    pub(crate) fn new() -> Self {
        Self { _private: () }
    }

    /// A secret.
    ///
    /// # Errors
    /// There is no such binding, or it is not a string.
    pub fn secret(&self, binding: &str) -> Result<Secret> {
        text(binding)
    }

    /// A plain-text variable.
    ///
    /// # Errors
    /// There is no such binding, or it is not a string.
    pub fn var(&self, binding: &str) -> Result<Var> {
        text(binding)
    }

    /// A JSON variable.
    ///
    /// # Errors
    /// There is no such binding, it is not JSON, or its shape differs from `T`.
    pub fn object_var<T: DeserializeOwned>(&self, binding: &str) -> Result<T> {
        lookup(binding, |found| match found {
            Binding::Json(json) if json.is_object() => {
                let value = js_sys::JSON::parse(&json.to_string())?;
                Ok(serde_wasm_bindgen::from_value(value)?)
            }
            other => Err(miscast("Object", other)),
        })
    }

    /// A KV namespace.
    ///
    /// # Errors
    /// There is no such binding.
    pub fn kv(&self, binding: &str) -> Result<KvStore> {
        match Bindings::current().binding(binding) {
            Some(Binding::Kv(namespace)) => Ok(KvStore::new(*namespace)),
            _ => Err(KvError::InvalidKvStore(binding.to_owned()).into()),
        }
    }

    /// A Durable Object namespace.
    ///
    /// # Errors
    /// There is no such binding, or it is not a namespace.
    pub fn durable_object(&self, binding: &str) -> Result<ObjectNamespace> {
        lookup(binding, |found| match found {
            Binding::Objects(class) => Ok(ObjectNamespace::new(*class)),
            other => Err(miscast("DurableObjectNamespace", other)),
        })
    }

    /// A rate limiter.
    ///
    /// # Errors
    /// There is no such binding, or it is not a rate limiter.
    pub fn rate_limiter(&self, binding: &str) -> Result<RateLimiter> {
        lookup(binding, |found| match found {
            Binding::RateLimiter(limiter) => Ok(RateLimiter::new(*limiter)),
            other => Err(miscast("Ratelimit", other)),
        })
    }

    /// R2 is not simulated.
    ///
    /// # Errors
    /// Always: one that says so.
    pub fn bucket(&self, binding: &str) -> Result<Bucket> {
        refused("R2", "Env::bucket", binding)
    }

    /// Analytics Engine is not simulated.
    ///
    /// # Errors
    /// Always: one that says so.
    pub fn analytics_engine(&self, binding: &str) -> Result<AnalyticsEngineDataset> {
        refused("Analytics Engine", "Env::analytics_engine", binding)
    }

    /// The Secrets Store is not simulated.
    ///
    /// # Errors
    /// Always: one that says so.
    pub fn secret_store(&self, binding: &str) -> Result<SecretStore> {
        refused("the Secrets Store", "Env::secret_store", binding)
    }

    /// Service bindings are not simulated.
    ///
    /// # Errors
    /// Always: one that says so.
    pub fn service(&self, binding: &str) -> Result<Fetcher> {
        refused("calling another Worker", "Env::service", binding)
    }

    /// Static assets are not simulated.
    ///
    /// # Errors
    /// Always: one that says so.
    pub fn assets(&self, binding: &str) -> Result<Fetcher> {
        refused("serving static assets", "Env::assets", binding)
    }

    /// A D1 database.
    ///
    /// # Errors
    /// There is no such binding, or it is not a database.
    #[cfg(feature = "d1")]
    pub fn d1(&self, binding: &str) -> Result<D1Database> {
        lookup(binding, |found| match found {
            Binding::D1(database) => Ok(D1Database::new(*database)),
            other => Err(miscast("D1Database", other)),
        })
    }
}

fn lookup<T>(name: &str, convert: impl FnOnce(&Binding) -> Result<T>) -> Result<T> {
    match Bindings::current().binding(name) {
        Some(binding) => convert(binding),
        None => Err(Error::from(format!("Binding `{name}` is undefined."))),
    }
}

fn text(name: &str) -> Result<StringBinding> {
    lookup(name, |found| match found {
        Binding::Var(text) => Ok(StringBinding(JsValue::from_str(text))),
        Binding::Secret(secret) => Ok(StringBinding(JsValue::from_str(&secret.0))),
        other => Err(miscast("String", other)),
    })
}

fn miscast(wanted: &str, found: &Binding) -> Error {
    let found = match found {
        Binding::Var(_) | Binding::Secret(_) => "String",
        Binding::Json(json) if json.is_number() => "Number",
        Binding::Json(json) if json.is_boolean() => "Boolean",
        Binding::Json(json) if json.is_array() => "Array",
        Binding::Json(_) => "Object",
        Binding::Kv(_) => "KvNamespace",
        Binding::Objects(_) => "DurableObjectNamespace",
        Binding::D1(_) => "D1Database",
        Binding::RateLimiter(_) => "Ratelimit",
    };
    Error::from(format!(
        "Binding cannot be cast to the type {wanted} from {found}"
    ))
}

/// A binding that is a string.
pub struct StringBinding(JsValue);

impl fmt::Debug for StringBinding {
    /// Does not print the value, which may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StringBinding(..)")
    }
}

impl fmt::Display for StringBinding {
    /// The value: how a Worker reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.as_string().unwrap_or_default())
    }
}

impl From<JsValue> for StringBinding {
    fn from(value: JsValue) -> Self {
        Self(value)
    }
}

impl From<StringBinding> for JsValue {
    fn from(binding: StringBinding) -> Self {
        binding.0
    }
}

impl AsRef<JsValue> for StringBinding {
    fn as_ref(&self) -> &JsValue {
        &self.0
    }
}

/// The value of a secret.
pub use StringBinding as Secret;
/// The value of a variable.
pub type Var = StringBinding;

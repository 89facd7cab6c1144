//! [`Env`]: the bindings of a Worker.

use crate::wasm_bindgen::JsValue;
use crate::{Error, Result};
use std::fmt;

/// The bindings of a Worker.
#[derive(Debug, Clone)]
pub struct Env {
    _private: (),
}

impl Env {
    /// A secret.
    ///
    /// # Errors
    /// When there is no such binding.
    pub fn secret(&self, binding: &str) -> Result<Secret> {
        Err(Error::BindingError(binding.to_owned()))
    }

    /// A variable.
    ///
    /// # Errors
    /// When there is no such binding.
    pub fn var(&self, binding: &str) -> Result<Var> {
        Err(Error::BindingError(binding.to_owned()))
    }
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

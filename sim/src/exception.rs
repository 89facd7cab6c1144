//! Exceptions: what a platform call throws at a Worker.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A JavaScript error as the platform throws it: a name, an exact message, and the platform's own properties.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Exception {
    /// `Error`, `TypeError`, `RangeError`…
    pub name: String,
    /// The exact text.
    pub message: String,
    /// The text of `error.cause`, where the platform sets one (D1 does).
    pub cause: Option<String>,
    /// The properties that tell what a caller may do next.
    pub flags: Flags,
}

/// Properties of errors from Durable Objects (DOERR; workerd jsg/util.c++).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Flags {
    /// Thrown by user code in the object.
    pub remote: bool,
    /// Safe to try again if the operation is idempotent.
    pub retryable: bool,
    /// The object is overloaded: trying again makes it worse.
    pub overloaded: bool,
    /// The object was reset; this stub is broken.
    pub durable_object_reset: bool,
}

impl Exception {
    /// An `Error` with this message.
    pub fn error(message: impl Into<String>) -> Self {
        Self {
            name: "Error".into(),
            message: message.into(),
            ..Self::default()
        }
    }

    /// A `TypeError` with this message.
    pub fn type_error(message: impl Into<String>) -> Self {
        Self {
            name: "TypeError".into(),
            message: message.into(),
            ..Self::default()
        }
    }

    /// The same with `retryable` set.
    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.flags.retryable = true;
        self
    }

    /// The same with `overloaded` set.
    #[must_use]
    pub fn overloaded(mut self) -> Self {
        self.flags.overloaded = true;
        self
    }

    /// The same with `remote` set.
    #[must_use]
    pub fn remote(mut self) -> Self {
        self.flags.remote = true;
        self
    }

    /// The same with `durableObjectReset` set.
    #[must_use]
    pub fn reset(mut self) -> Self {
        self.flags.durable_object_reset = true;
        self
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.message)
    }
}

impl std::error::Error for Exception {}

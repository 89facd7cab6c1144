//! Strings and property names: shared, immutable, and free of charge when they are literals.

use std::cmp::Ordering;
use std::ops::Deref;
use std::rc::Rc;

/// An immutable string. Names of struct fields are literals and need no allocation.
#[derive(Clone)]
pub(crate) enum Text {
    Literal(&'static str),
    Shared(Rc<str>),
}

impl Text {
    /// `Rc<str>` for those who keep it longer than the value.
    pub(crate) fn as_str(&self) -> &str {
        self
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Literal(text) => text,
            Self::Shared(text) => text,
        }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        if text.is_empty() {
            Self::Literal("")
        } else {
            Self::Shared(Rc::from(text))
        }
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text {}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

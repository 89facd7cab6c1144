//! Strings and property names: shared, immutable, and free of charge when they are literals.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::ops::Deref;
use std::rc::Rc;

/// An immutable string. Names of struct fields are literals and need no allocation.
#[derive(Clone)]
pub(crate) enum Text {
    Literal(&'static str),
    Shared(Rc<str>),
}

/// Names longer than this are rarely met twice.
const CACHED_NAME_BYTES: usize = 32;

/// A power of two, well above the number of names that one Worker's records have.
const CACHED_NAMES: usize = 256;

thread_local! {
    /// Names met lately, each in the slot that its bytes hash to. It saves an allocation for each property of
    /// each object that is parsed or read back, and changes nothing that a Worker can see.
    static NAMES: RefCell<Vec<Option<Rc<str>>>> = const { RefCell::new(Vec::new()) };
}

impl Text {
    /// The name of a property: one that was met before is shared.
    pub(crate) fn name(name: &str) -> Self {
        if name.is_empty() || name.len() > CACHED_NAME_BYTES {
            return Self::from(name);
        }
        // FNV-1a; a collision only costs an allocation.
        let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        NAMES.with_borrow_mut(|names| {
            if names.is_empty() {
                names.resize(CACHED_NAMES, None);
            }
            let place = &mut names[hash as usize % CACHED_NAMES];
            match place {
                Some(known) if **known == *name => Self::Shared(Rc::clone(known)),
                _ => {
                    let shared: Rc<str> = Rc::from(name);
                    *place = Some(Rc::clone(&shared));
                    Self::Shared(shared)
                }
            }
        })
    }

    /// The text itself.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_it_was_whatever_came_before_it() {
        let names: Vec<String> = (0..5_000).map(|i| format!("name{i}")).collect();
        for name in names.iter().chain(&names) {
            assert_eq!(&*Text::name(name), name);
        }
        assert_eq!(&*Text::name(""), "");
        assert_eq!(&*Text::name(&"x".repeat(100)), &*"x".repeat(100));
    }

    #[test]
    fn a_name_met_twice_is_kept_once() {
        let (Text::Shared(a), Text::Shared(b)) = (Text::name("hits"), Text::name("hits")) else {
            panic!("names of records are shared");
        };
        assert!(Rc::ptr_eq(&a, &b));
    }
}

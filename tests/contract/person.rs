//! Who asks: each test has users and addresses that no other test has, so that all can run at once at one server, and again.

use crate::clock::unix_ms;
use crate::token;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// A user with a token and an address.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    /// `sub` of the token.
    pub(crate) id: String,
    /// Where requests come from.
    pub(crate) address: String,
    /// `None` for somebody without one.
    pub(crate) token: Option<String>,
}

impl Person {
    /// A user whose id begins with `name`.
    pub(crate) fn user(name: &str) -> Self {
        Self::named(&unique(name), "user")
    }

    /// An administrator whose id begins with `name`.
    pub(crate) fn admin(name: &str) -> Self {
        Self::named(&unique(name), "admin")
    }

    /// Somebody with exactly this id.
    pub(crate) fn named(id: &str, role: &str) -> Self {
        Self {
            id: id.to_owned(),
            address: address(),
            token: Some(token::valid(id, role)),
        }
    }

    /// Somebody without a token.
    pub(crate) fn stranger() -> Self {
        Self::at(&address())
    }

    /// Somebody without a token, at this address.
    pub(crate) fn at(address: &str) -> Self {
        Self {
            id: String::new(),
            address: address.to_owned(),
            token: None,
        }
    }

    /// The same person with another token.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self {
            token: Some(token.to_owned()),
            ..self.clone()
        }
    }

    /// The same person from somewhere else.
    pub(crate) fn elsewhere(&self) -> Self {
        Self {
            address: address(),
            ..self.clone()
        }
    }
}

/// A word that no test of any run used before.
pub(crate) fn unique(name: &str) -> String {
    format!("{name}-{:x}-{}", run(), next())
}

/// An IPv4 address that no test of this run used before, and none of a run some seconds ago.
pub(crate) fn address() -> String {
    let [_, a, b, c] = place().to_be_bytes();
    format!("10.{a}.{b}.{c}")
}

/// The first half of an IPv6 address: a network of its own.
pub(crate) fn network() -> String {
    let place = place();
    format!("2001:db8:{:x}:{:x}", place >> 16 & 0xff, place & 0xffff)
}

fn place() -> u32 {
    // A run uses some thousand; one that begins a second later begins a thousand further on.
    (run() as u32).wrapping_add(next())
}

fn next() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn run() -> u64 {
    static RUN: OnceLock<u64> = OnceLock::new();
    *RUN.get_or_init(unix_ms)
}

//! The façade's signatures against those of the real workers-rs: `cargo check -p edgeproof-parity`
//! is the test.
//!
//! Every module holds the same list against both crates: [`both!`] pastes it twice, once with
//! `worker` being the real crate and once with `worker` being the façade. A function is checked by
//! coercing it to a function pointer of the type written down, a future by the type of its output,
//! an enum by a `match` without a wildcard, a struct by a literal with every field, a trait by
//! asking for it. Whatever differs does not compile.
//!
//! What this cannot see: a generic bound that is *looser* in the façade (a Worker that leans on it
//! fails in the build for wasm), and behaviour. The real crate is a type oracle only: natively most
//! of it panics, and nothing here is ever run.

#![allow(
    dead_code,
    unused_imports,
    clippy::type_complexity,
    clippy::too_many_arguments,
    clippy::unit_arg,
    clippy::extra_unused_lifetimes,
    reason = "nothing here runs"
)]

/// Pastes a list of checks twice: once for the real crate, once for the façade.
macro_rules! both {
    ($($checks:tt)*) => {
        mod with_real {
            use crate::ask::*;
            use ::real as worker;
            $($checks)*
        }
        mod with_native {
            use crate::ask::*;
            use ::native as worker;
            $($checks)*
        }
    };
}

/// Questions that compile only if the answer is yes.
mod ask {
    pub(crate) use std::fmt::{Debug, Display};
    pub(crate) use std::future::Future;

    pub(crate) fn clone<T: Clone>() {}
    pub(crate) fn copy<T: Copy>() {}
    pub(crate) fn debug<T: Debug>() {}
    pub(crate) fn default<T: Default>() {}
    pub(crate) fn display<T: Display>() {}
    pub(crate) fn eq<T: Eq + std::hash::Hash>() {}
    pub(crate) fn error<T: std::error::Error>() {}
    pub(crate) fn from<A, B: From<A>>() {}
    pub(crate) fn as_ref<T: AsRef<U>, U: ?Sized>() {}
    pub(crate) fn send_sync<T: Send + Sync>() {}
    /// `T` is the output of the future, exactly.
    pub(crate) fn output<T>(_: impl Future<Output = T>) -> std::marker::PhantomData<T> {
        std::marker::PhantomData
    }
    /// The type of a value, exactly: a `let` with a type would coerce.
    pub(crate) fn of<T>(_: T) -> std::marker::PhantomData<T> {
        std::marker::PhantomData
    }
    pub(crate) use std::marker::PhantomData as Is;
    /// The value is a `T`.
    pub(crate) fn is<T>(_: T) {}
}

// One module per file of the façade.
mod abort;
mod cf;
mod console;
mod context;
mod cors;
mod d1;
mod date;
mod delay;
mod durable;
mod env;
mod error;
mod formdata;
mod global;
mod headers;
mod http;
mod kv;
mod method;
mod rate_limit;
mod request;
mod request_init;
mod response;
mod root;
mod router;
mod schedule;
mod send;
mod signal;
mod sql;
mod streams;

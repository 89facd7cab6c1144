//! The HTTP contract of the API as a black box sees it: over real sockets, by status, header and body alone.
//!
//! One file per section of the contract; a test's name begins with the rule it holds. Every test runs on every *arm*
//! ([`server`]):
//!
//! - `served`: the Worker natively, in the simulator; in this process, or with the feature `real` as `sim serve`;
//! - `workerd`: the Worker's wasm on workerd, as `sim workerd`; only with the feature `real`.
//!
//! Every answer that any test gets is also held against the rules that all answers share ([`every`]) and against the
//! description of the API, `worker/openapi.json` ([`openapi`]).
//!
//! ```text
//! cargo test --test contract                                                   # natively
//! cargo test --features real --test contract                                   # sim serve and sim workerd
//! EDGEPROOF_CONTRACT_URL=http://127.0.0.1:8787 cargo test --test contract      # a server that runs already
//! ```
//!
//! How such a server has to be started stands in `docs/CONTRACT-SUITE.md`.

#![expect(
    clippy::disallowed_methods,
    reason = "servers and their clients run under the wall clock, on threads of their own"
)]

/// Runs the named tests of a file on every arm. What is not named is dead code, which the lints refuse.
macro_rules! on_every_arm {
    ($($name:ident),+ $(,)?) => {
        mod served {
            $(#[test] fn $name() { super::$name(crate::server::served()); })+
        }
        #[cfg(feature = "real")]
        mod workerd {
            $(#[test] fn $name() { super::$name(crate::server::workerd()); })+
        }
    };
}

mod ask;
mod burst;
mod clock;
mod every;
mod inbox;
mod openapi;
mod person;
mod server;
mod settings;
mod token;

mod alerts;
mod authentication;
mod bodies;
mod cache;
mod description;
mod headers;
mod limits;
mod logs;
mod measures;
mod routes;
mod statuses;

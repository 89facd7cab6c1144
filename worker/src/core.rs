//! Decisions: pure functions of (state, now, input).
//!
//! Nothing here reads a clock, a binding or a random source, and nothing here is asynchronous; the handlers fetch what a
//! decision needs, ask for it here, and store what it says. So every rule of the API can be tested natively in microseconds,
//! and other programs (a load generator that has to know the quotas, a test that needs a token) can use the same rules.

pub mod accept;
pub mod address;
pub mod alert;
pub mod cache;
pub mod config;
pub mod decimal;
pub mod dedupe;
pub mod identity;
pub mod jwt;
pub mod limiter;
pub mod pace;
pub mod password;
pub mod policy;
pub mod request_id;
pub mod route;
pub mod time;
pub mod validate;

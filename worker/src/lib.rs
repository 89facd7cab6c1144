//! The production Worker: an API whose answers are cached in KV, limited by a Durable Object, alerted by webhook and logged in D1.
//!
//! The same source is compiled to wasm against workers-rs and natively against the simulator, and cannot tell them apart.
//!
//! # A request's way through the files
//!
//! ```text
//! lib.rs          #[event(fetch)]
//!  └ routes.rs    preflight → health → authenticate → charge quota → route → method → 401/403 → handler → headers
//!     ├ call.rs       the request as its handlers see it
//!     ├ isolate.rs    what this isolate keeps: configuration, key, prepared headers, memory fallbacks, counters
//!     ├ auth.rs       bearer tokens, login                                   core/jwt.rs, core/password.rs
//!     ├ limiter.rs    charge by Durable Object, else by memory; the object   core/limiter.rs, core/policy.rs, core/identity.rs
//!     ├ body.rs       read within the limit, drain what was not read         core/validate.rs
//!     ├ transactions.rs, cache.rs, logs.rs, health.rs, metrics.rs            core/cache.rs; SQL is in sql.rs
//!     ├ alerts.rs     webhooks, after the answer                             core/alert.rs, core/dedupe.rs
//!     └ problem.rs, envelope.rs, headers.rs    what every answer looks like
//! ```
//!
//! [`core`] decides and is pure; the other files fetch, ask `core`, and store. Time is the platform's clock alone, which stands
//! still between I/O operations. Randomness is `Math.random()`, and only for ids that need no secrecy.
//!
//! # What it relies on
//!
//! `RATE_LIMITER`, a Durable Object per user or address, makes the limits exact, wherever requests arrive. `DB` (D1) is the truth
//! about users, transactions and logs. `CACHE_KV` only saves work: its keys hold a version read from D1, so however stale a
//! location's copy is, it is never wrong. Each may be absent or failing; `limiter.rs`, `cache.rs` and `health.rs` say what then
//! happens.

// Public for tools and tests, which need the quotas and tokens; the rest is reached through the platform's events.
pub mod core;

mod alerts;
mod auth;
mod body;
mod cache;
mod call;
mod envelope;
mod headers;
mod health;
mod isolate;
mod limiter;
mod logs;
mod metrics;
mod problem;
mod routes;
mod sql;
mod transactions;

pub use limiter::RateLimiter;

use worker::{Context, Env, Request, Response, Result, ScheduleContext, ScheduledEvent, event};

/// Every HTTP request.
#[event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> Result<Response> {
    routes::serve(request, &env, &context).await
}

/// Once a day: deletes log rows that have outlived their retention.
#[event(scheduled)]
async fn scheduled(_event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    logs::retain(&isolate::app(&env)).await;
}

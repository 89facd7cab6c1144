//! A deterministic Cloudflare in one process.

pub mod bill;
pub mod check;
pub mod exception;
pub mod fault;
pub mod history;
pub mod http;
pub mod kernel;
pub mod limits;
pub mod platform;
pub mod report;
pub mod script;
pub mod serve;
pub mod topology;
pub mod world;
pub mod wrangler;

/// SQLite's values and outcomes, as D1 and Durable Objects hand them out.
pub mod sql {
    pub use edgeproof_sqlite::{Outcome, Value, set_clock_unix_ms};
}

pub use kernel::time::Instant;
pub use world::World;

//! A deterministic Cloudflare in one process, for testing Workers.
//!
//! Many PoPs, eventually consistent KV, Durable Objects with their gates and alarms, D1 on real SQLite, isolates, limits
//! and the bill, on virtual time and a seed. A Worker written against workers-rs runs here unchanged: natively its crate
//! `worker` is the façade of this simulator. The same seed gives the same run on every thread and machine;
//! [`World::fingerprint`] shows it.
//!
//! A test of a Worker:
//!
//! ```
//! use edgeproof_sim::{World, check::staleness, wrangler::WorkerConfig};
//! use worker::{Context, Env, Request, Response, Result, event};
//!
//! #[event(fetch)]
//! async fn fetch(mut request: Request, env: Env, _context: Context) -> Result<Response> {
//!     let kv = env.kv("CACHE")?;
//!     if request.path() == "/put" {
//!         kv.put("greeting", request.text().await?)?.execute().await?;
//!     }
//!     Response::ok(kv.get("greeting").text().await?.unwrap_or_default())
//! }
//!
//! # fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
//! let config = "name = 'greeter'\ncompatibility_date = '2026-08-20'\nkv_namespaces = [{ binding = 'CACHE' }]";
//! let world = World::builder()
//!     .script(worker::native::script(env!("CARGO_PKG_NAME")))
//!     .config(WorkerConfig::parse(config, "wrangler.toml", None)?)
//!     .pops(["MEX", "FRA"])
//!     .seed(7)
//!     .history(true)
//!     .build()?;
//! let (before, stale) = world.run(async |world| {
//!     let (mexico, frankfurt) = (world.client("MEX"), world.client("FRA"));
//!     let before = frankfurt.get("/").send().await; // now Frankfurt knows that there is no greeting
//!     mexico.post("/put").body("hola").send().await;
//!     (before, frankfurt.get("/").send().await)
//! });
//! assert_eq!((before.body.as_ref(), stale.body.as_ref()), (&b""[..], &b""[..])); // and believes it for 60 s
//! assert_eq!(staleness::measure(world.history().records()).stale_reads, 1);
//! assert_eq!(world.usage().totals().find(|(meter, _)| *meter == "kv.writes"), Some(("kv.writes", 1.0)));
//! # Ok(())
//! # }
//! ```
//!
//! The map, in the order in which things depend on each other:
//!
//! - [`kernel`]: time, randomness, order, the fingerprint. Knows nothing of Cloudflare.
//! - [`limits`], [`topology`]: facts and places, each with its source.
//! - [`platform`]: one product, one file or folder: state machines of (state, now, operation).
//! - [`script`]: a Worker as the simulator sees it. [`wrangler`]: its configuration. [`fault`]: the failures to inject.
//!   [`history`]: the records of a run.
//! - `engine`: drives the platform. Three handles use it: [`world`], which a test calls, [`host`], which a Worker's
//!   code and guests call, and [`account`], which an administrator calls.
//! - [`bill`], [`check`], [`report`]: pure readers of usage and history.
//! - [`serve`]: the same world under the wall clock, over HTTP.

pub mod account;
pub mod bill;
pub mod check;
mod engine;
pub mod exception;
pub mod fault;
pub mod history;
pub mod host;
pub mod http;
pub mod kernel;
pub mod limits;
mod nearest;
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

pub use account::Account;
pub use fault::{Fault, FaultKind};
pub use history::History;
pub use host::Bindings;
pub use kernel::time::Instant;
pub use world::World;
pub use world::builder::{Builder, Deployment};
pub use world::client::Client;
pub use world::setup::Setup;

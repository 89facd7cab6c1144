//! Proves a Cloudflare Worker before it is deployed: this is the crate that a Worker's tests depend on.
//!
//! The Worker is written against workers-rs and linked natively; its KV, Durable Objects and D1 are those of a simulated
//! Cloudflare with many PoPs, virtual time and a seed. The same seed gives the same run.
//!
//! A Worker that counts visits in KV, and a test that shows the mistake in it:
//!
//! ```
//! use edgeproof::prelude::*;
//! use std::time::Duration;
//! use worker::{Context, Env, Request, Response, Result, event};
//!
//! #[event(fetch)]
//! async fn fetch(_request: Request, env: Env, _context: Context) -> Result<Response> {
//!     let kv = env.kv("VISITS")?;
//!     let before = kv.get("count").text().await?;
//!     let count = before.map_or(0, |text| text.parse().unwrap_or(0)) + 1;
//!     kv.put("count", count.to_string())?.execute().await?;
//!     Response::ok(count.to_string())
//! }
//!
//! # fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
//! let config = "name = 'visits'\ncompatibility_date = '2026-08-20'\nkv_namespaces = [{ binding = 'VISITS' }]";
//! let world = World::builder()
//!     .script(script(env!("CARGO_PKG_NAME")))
//!     .config(WorkerConfig::parse(config, "wrangler.toml", None)?)
//!     .pops(["MEX", "FRA"])
//!     .build()?;
//! let counts = world.run(async |world| {
//!     let mut counts = Vec::new();
//!     for pop in ["MEX", "FRA", "MEX"] {
//!         counts.push(world.client(pop).get("/").send().await.body);
//!         world.sleep(Duration::from_secs(2)).await;
//!     }
//!     counts
//! });
//! // The third visit is lost: for a minute, Mexico City reads the value that it has in its own cache.
//! assert_eq!(counts, ["1", "2", "2"]);
//! # Ok(())
//! # }
//! ```
//!
//! # Where to go on
//!
//! - [`prelude`]: what a test needs, by name.
//! - [`sim`]: the simulator, all of it. Its first page has the map.
//! - The repository's `worker/` is a production Worker, `tests/worker/` are its tests.

pub use edgeproof_sim as sim;

/// What a test calls: `use edgeproof::prelude::*`.
pub mod prelude {
    pub use edgeproof_sim::bill::{Meter, Usage};
    pub use edgeproof_sim::check;
    pub use edgeproof_sim::fault::{Fault, FaultKind, KvOperation};
    pub use edgeproof_sim::history::{self, History};
    pub use edgeproof_sim::limits::Plan;
    pub use edgeproof_sim::platform::outbound::Origin;
    pub use edgeproof_sim::world::options::Options;
    pub use edgeproof_sim::wrangler::WorkerConfig;
    pub use edgeproof_sim::{Builder, Client, Deployment, Instant, Setup, World};
    pub use worker::native::script;
}

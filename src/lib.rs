//! Proves a Cloudflare Worker before it is deployed: this is the crate that a Worker's tests depend on.
//!
//! The Worker is written against workers-rs and linked natively; its KV, Durable Objects and D1 are those of a simulated
//! Cloudflare with many PoPs, virtual time and a seed. The same seed gives the same run.
//!
//! A Worker that counts visits in KV, and a test that shows the mistake in it:
//!
//! ```
//! use edgeproof::prelude::*;
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
//! #[edgeproof::test(pops = ["MEX", "FRA"], seeds = 0..20)]
//! async fn every_visit_counts(world: &World) {
//!     let (mex, fra) = (world.client("MEX"), world.client("FRA"));
//!     assert_eq!(mex.get("/").await.text(), "1");
//!     world.sleep(secs(2)).await;
//!     assert_eq!(fra.get("/").await.text(), "2");
//!     world.sleep(secs(2)).await;
//!     // This visit is lost: for a minute, Mexico City reads the value that it has in its own cache.
//!     assert_eq!(mex.get("/").await.text(), "2");
//! }
//! ```
//!
//! # Where to go on
//!
//! - [`prelude`]: what a test needs, by name.
//! - [`sim`]: the simulator, all of it. Its first page has the map.
//! - The repository's `worker/` is a production Worker, `tests/worker/` are its tests.

#[cfg(feature = "cli")]
pub mod cli;
pub mod testing;

pub use edgeproof_sim as sim;

/// Makes a test of an `async fn(world: &World)`: it runs in a world with this package's Worker, once for each seed.
///
/// ```no_run
/// # use edgeproof::prelude::*;
/// #[edgeproof::test(pops = ["MEX", "FRA"], seeds = 0..20)]
/// async fn the_front_page_answers(world: &World) {
///     world.client("MEX").get("/").await.expect_status(200);
/// }
/// ```
///
/// A failure prints the seed and the command that runs it again. [`EDGEPROOF_SEED`](testing::SEED_VARIABLE) runs a test with
/// one seed instead of its own. The body returns nothing, or a `Result` whose error fails the test.
///
/// | argument | what it says | without it |
/// |---|---|---|
/// | `pops` | the PoPs with clients, by IATA code | those of [`World::builder`](sim::World::builder) |
/// | `seeds` | the seeds: a range, a list | 0 |
/// | `setup` | a function from [`Builder`](sim::Builder) to `Builder`: secrets, origins, faults, options | |
/// | `config` | the configuration, relative to the package | its `wrangler.json`, `wrangler.jsonc` or `wrangler.toml` |
/// | `env` | the environment of the configuration | its top level |
/// | `package` | the Cargo package of the Worker | this one |
/// | `library` | the library of that package, which is linked | the package's name, with `_` for `-` |
pub use edgeproof_macros::test;

/// The builder of a world with this package's Worker and configuration, for a plain `#[test]` or proptest.
///
/// ```no_run
/// # use edgeproof::prelude::*;
/// let world = edgeproof::world!().pops(["MEX"]).seed(7).build().unwrap();
/// let answer = world.run(async |world| world.client("MEX").get("/").await);
/// assert_eq!(answer.status, 200);
/// ```
///
/// A test in `tests/` links the Worker's library with `extern crate my_worker as _;`.
#[macro_export]
macro_rules! world {
    () => {
        $crate::testing::builder(
            ::core::env!("CARGO_PKG_NAME"),
            ::core::env!("CARGO_MANIFEST_DIR"),
            ::core::option::Option::None,
            ::core::option::Option::None,
        )
    };
}

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
    pub use std::time::Duration;
    pub use worker::native::script;

    /// So many seconds.
    pub const fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// So many milliseconds.
    pub const fn millis(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }
}

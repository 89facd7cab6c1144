//! Many worlds from one builder: each is a function of a seed and of decisions, and cheap to make.
//!
//! A [`Setup`] is made once: the configuration is read, migrations and seeds are applied. Then each [`run`](Setup::run) makes
//! a world, runs it, judges it and drops it. So a search tries thousands of seeds and lists of faults:
//!
//! ```no_run
//! # use edgeproof_sim::{World, check::Violation, fault::Fault, world::setup::Setup};
//! # async fn traffic(_: &World) {}
//! # fn judge(_: &World) -> Vec<Violation> { Vec::new() }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let builder = World::builder();
//! let setup = Setup::new(builder.history(true));
//! let faults: Vec<Fault> = Vec::new();
//! for seed in 0..1_000 {
//!     let run = setup.run(seed, &faults, async |world| traffic(world).await, |world, ()| judge(world))?;
//!     assert!(run.judgement.is_empty(), "seed {seed}, fingerprint {}", run.fingerprint);
//! }
//! # Ok(())
//! # }
//! ```

use super::World;
use super::builder::{BuildError, Builder};
use crate::fault::Fault;
use crate::kernel::fingerprint::Fingerprint;

/// What the worlds of one builder share. It stays on its thread, as worlds do: a search on several cores makes one per
/// core.
#[derive(Debug, Clone)]
pub struct Setup(Builder);

/// The result of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Run<J> {
    /// The seed.
    pub seed: u64,
    /// The run's fingerprint.
    pub fingerprint: Fingerprint,
    /// Number of events.
    pub events: u64,
    /// The judge's result.
    pub judgement: J,
}

impl Setup {
    /// A setup from a builder. Every run replaces the builder's seed and faults.
    pub fn new(builder: Builder) -> Self {
        Self(builder.sharing_databases())
    }

    /// A world with a seed and with faults: the same as the builder would build with them.
    ///
    /// # Errors
    /// As [`Builder::build`].
    pub fn world(&self, seed: u64, faults: &[Fault]) -> Result<World, BuildError> {
        let builder = self.0.clone().seed(seed);
        builder.replace_faults(faults.to_vec()).build()
    }

    /// Makes a world, lets `driver` run it, judges it, and drops it.
    ///
    /// # Errors
    /// As [`Builder::build`].
    pub fn run<T, J>(
        &self,
        seed: u64,
        faults: &[Fault],
        driver: impl AsyncFnOnce(&World) -> T,
        judge: impl FnOnce(&World, T) -> J,
    ) -> Result<Run<J>, BuildError> {
        let world = self.world(seed, faults)?;
        let driven = world.run(driver);
        let judgement = judge(&world, driven);
        Ok(Run {
            seed,
            fingerprint: world.fingerprint(),
            events: world.events(),
            judgement,
        })
    }
}

//! The embedded simulator as a target.

use std::time::Duration;

use thiserror::Error;

use super::Measured;
use crate::plan::Plan;

/// What the simulated world is made of, beside the plan.
#[derive(Debug, Clone)]
pub struct Options {
    /// The environment of `wrangler.toml`; `None`: its top level.
    pub env: Option<String>,
    /// Variables that replace those of `wrangler.toml`.
    pub vars: Vec<(String, String)>,
    /// How long a client waits for an answer, in virtual time.
    pub timeout: Duration,
}

/// Why the simulator could not run the plan.
#[derive(Debug, Error)]
pub enum EmbeddedError {
    /// A PoP, environment or variable that does not exist, or a configuration that is refused: the caller's mistake.
    #[error("{0}")]
    Usage(String),
    /// This build has no simulator inside.
    #[error(
        "this build has no embedded simulator: give a TARGET, for example http://127.0.0.1:8787"
    )]
    Absent,
}

/// Runs `plan` in a world of its own. `progress` is told now and then how many requests were sent.
pub fn run(
    plan: &Plan,
    options: &Options,
    progress: &dyn Fn(u64),
) -> Result<Measured, EmbeddedError> {
    let _ = (plan, options, progress);
    Err(EmbeddedError::Absent)
}

//! The commands for a Worker on the simulated platform: `serve`, `burst`, `forecast`, `workerd`, `build`, `api`, `tools`.
//!
//! This crate knows no Worker. A program links one, describes it as [`Linked`], and hands the words of its command line to
//! [`run`]. Which part of the crate runs:
//!
//! | command | module | what it needs |
//! |---|---|---|
//! | `serve` | `serve` | the linked code |
//! | `burst`, `schema` | [`edgeproof_loadgen::cli`] | the linked code, or a server |
//! | `forecast` | [`forecast`] | the linked code and traffic |
//! | `build` | `build`, `tools` | the crate's source |
//! | `workerd` | `workerd`, `tools` | what `build` made, or any JavaScript Worker |
//! | `api` | `api` | the configuration |
//! | `tools` | `tools` | the crate's lock file |
//!
//! Exit codes: 0 done, 1 the Worker or its configuration cannot be simulated, 2 usage. `burst` has codes of its own, which its
//! help tells.

mod api;
mod build;
mod commands;
pub mod forecast;
mod linked;
mod number;
mod project;
mod serve;
mod server;
mod state;
mod tools;
pub mod traffic;
mod workerd;

pub use commands::run;
pub use edgeproof_loadgen as loadgen;
pub use linked::{CrateFolder, Development, Linked, Named};
pub use miette;
pub use project::SEEDS;

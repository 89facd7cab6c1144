//! `sim workerd`: a real workerd whose KV and D1 are the simulator's.

use clap::Args;
use miette::Result;

/// Options of `sim workerd`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {}

pub(crate) fn run(_arguments: Arguments) -> Result<()> {
    miette::bail!("not there yet")
}

//! `sim build`: the Worker's bundle, ready to deploy.

use clap::Args;
use miette::Result;

/// Options of `sim build`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {}

pub(crate) fn run(_arguments: Arguments) -> Result<()> {
    miette::bail!("not there yet")
}

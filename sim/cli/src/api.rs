//! `sim api`: Cloudflare's REST API, as far as wrangler's KV and D1 commands use it.

use clap::Args;
use miette::Result;

/// Options of `sim api`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {}

pub(crate) fn run(_arguments: Arguments) -> Result<()> {
    miette::bail!("not there yet")
}

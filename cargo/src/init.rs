//! `cargo edgeproof init`: makes the package of a Worker one that can be tested.
//!
//! It changes Cargo.toml so that native builds link edgeproof's façade in place of the crate `worker`, and writes a first test.
//! Every change is shown and asked for; a second run finds nothing to do.

mod changes;
mod manifest;

use crate::failure::Failure;
use crate::project::Project;
use crate::source::Source;
use changes::Changes;
use clap::Args;
use std::path::PathBuf;

/// Options of `cargo edgeproof init`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Change the files without asking.
    #[arg(long)]
    yes: bool,
    /// The Worker's Cargo.toml [default: of this folder or the nearest above].
    #[arg(long, value_name = "FILE")]
    manifest_path: Option<PathBuf>,
    /// A checkout of edgeproof to depend on, instead of its published crates.
    #[arg(long, value_name = "FOLDER")]
    edgeproof: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let here = std::env::current_dir().map_err(|error| Failure::new(error.to_string()))?;
    let project = match &arguments.manifest_path {
        Some(manifest) => Project::at(manifest)?,
        None => Project::find(&here)?,
    };
    project.configuration()?;
    let source = Source::find(arguments.edgeproof.as_deref())?;

    let mut changes = Changes::default();
    let manifest = changes.read(&project.manifest)?;
    let changed = manifest::prepared(&project, &manifest, &source)?;
    changes.change(&project.manifest, manifest, changed);
    let test = project.folder().join("tests/edgeproof.rs");
    if !test.exists() {
        changes.add(&test, first_test(&project));
    }
    if changes.is_empty() {
        println!("nothing to do: {} is prepared", project.manifest.display());
        return Ok(());
    }
    print!("{changes}");
    if !arguments.yes && !confirmed()? {
        println!("nothing was changed");
        return Ok(());
    }
    changes.write()?;
    println!("done: `cargo test` runs {}", test.display());
    Ok(())
}

fn first_test(project: &Project) -> String {
    let default = project.name.replace('-', "_");
    let library = match &project.library {
        Some(library) if *library != default => format!("library = {library}, "),
        _ => String::new(),
    };
    format!(
        r#"//! The Worker on a simulated Cloudflare: `cargo test` runs this.

use edgeproof::prelude::*;

#[edgeproof::test({library}pops = ["MEX", "FRA"], seeds = 0..5)]
async fn the_front_page_answers(world: &World) {{
    let answer = world.client("MEX").get("/").await;
    // What the Worker promises belongs here.
    assert!(answer.status < 500, "{{}}: {{}}", answer.status, answer.text());
}}
"#
    )
}

fn confirmed() -> Result<bool, Failure> {
    use std::io::{BufRead as _, IsTerminal as _, Write as _};
    let input = std::io::stdin();
    if !input.is_terminal() {
        return Err(
            Failure::new("there is nobody to ask").help("--yes changes the files without asking")
        );
    }
    print!("change these files? [y/N] ");
    let mut answer = String::new();
    std::io::stdout()
        .flush()
        .and_then(|()| input.lock().read_line(&mut answer))
        .map_err(|error| Failure::new(error.to_string()))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

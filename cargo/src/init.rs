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
    libraries(&project, &manifest, &source, &mut changes)?;
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
    // Cargo has to find every crate that was written down.
    Project::at(&project.manifest)?;
    println!("done: `cargo test` runs {}", test.display());
    Ok(())
}

/// Prepares the packages that the Worker's depends on by their paths: they link the same crates.
fn libraries(
    project: &Project,
    manifest: &str,
    source: &Source,
    changes: &mut Changes,
) -> Result<(), Failure> {
    let mut known = vec![project.manifest.clone()];
    let mut next = manifest::path_dependencies(project, &project.manifest, manifest)?;
    while let Some(path) = next.pop() {
        // A path that leads nowhere was refused by Cargo already.
        let Ok(path) = path.canonicalize() else {
            continue;
        };
        if known.contains(&path) {
            continue;
        }
        let text = changes.read(&path)?;
        next.extend(manifest::path_dependencies(project, &path, &text)?);
        let changed = manifest::prepared_library(project, &path, &text, source)?;
        changes.change(&path, text, changed);
        known.push(path);
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn packages_at_a_path_get_stand_ins_as_well() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("it exists");
        let (auth, shared) = (root.join("auth/Cargo.toml"), root.join("shared/Cargo.toml"));
        for path in [&auth, &shared] {
            fs::create_dir(path.parent().expect("a folder")).expect("a folder");
        }
        // The two depend on each other's folders, as a dev-dependency may.
        fs::write(
            &auth,
            "[dependencies]\njs-sys = \"0.3\"\nshared = { path = \"../shared\" }\n",
        )
        .expect("written");
        fs::write(
            &shared,
            "[dependencies]\nauth = { path = \"../auth\" }\nweb-sys = \"0.3\"\n",
        )
        .expect("written");
        let project = Project {
            name: "mine".to_owned(),
            manifest: root.join("Cargo.toml"),
            library: Some("mine".to_owned()),
            workspace: root.clone(),
            target: root.join("target"),
            is_linkable: false,
            has_facade: false,
            edgeproof: None,
        };
        let manifest = "[dependencies]\nworker = \"0.8.7\"\nauth = { path = \"auth\" }\n";
        let mut changes = Changes::default();
        libraries(&project, manifest, &Source::Registry, &mut changes).expect("they are right");
        changes.write().expect("written");
        let text = fs::read_to_string(&auth).expect("it is there");
        assert!(
            text.contains("edgeproof-js-sys = { version = \"0.1.0\" }"),
            "{text}"
        );
        assert!(
            !text.contains("rlib") && !text.contains("dev-dependencies"),
            "{text}"
        );
        let text = fs::read_to_string(&shared).expect("it is there");
        assert!(text.contains("edgeproof-web-sys = { version"), "{text}");
    }
}

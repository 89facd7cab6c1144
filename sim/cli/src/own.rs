//! The project's own Worker, as the command knows it without being told.
//!
//! What runs in the simulator is in the program: configuration, migrations and seeds. So a program that was moved still
//! serves and forecasts. What is built is the crate itself, which is looked for in the working directory and above.

use edgeproof_sim::world::builder::Builder;
use edgeproof_sim::wrangler::{Migration, WorkerConfig, file};
use miette::{Context, IntoDiagnostic, Result, miette};
use std::path::{Path, PathBuf};

/// What errors call the configuration in the program.
const CONFIG_NAME: &str = "worker/wrangler.toml";

const CONFIG: &str = include_str!("../../../worker/wrangler.toml");

/// Every migration, in the order in which wrangler applies them.
const MIGRATIONS: [(&str, &str); 3] = [
    (
        "0001_initial.sql",
        include_str!("../../../worker/migrations/0001_initial.sql"),
    ),
    (
        "0002_months.sql",
        include_str!("../../../worker/migrations/0002_months.sql"),
    ),
    (
        "0003_cost.sql",
        include_str!("../../../worker/migrations/0003_cost.sql"),
    ),
];

/// Rows of a development environment, beside the configuration.
const SEEDS: &str = "seeds/development.sql";

const OWN_SEEDS: &str = include_str!("../../../worker/seeds/development.sql");

/// Longest manifest of a crate in bytes; the Worker's has a hundredth of that.
const MANIFEST_BYTES_MAX: u64 = 1 << 20;

/// A Worker's configuration, and whether it is the one in the program.
#[derive(Debug, Clone)]
pub(crate) struct Project {
    pub(crate) config: WorkerConfig,
    is_own: bool,
}

impl Project {
    /// Reads a configuration; without a file, the one in the program.
    pub(crate) fn load(file: Option<&Path>, environment: Option<&str>) -> Result<Self> {
        let Some(file) = file else {
            return Self::own(environment);
        };
        // A shorter name of the same file, for messages; a file that is not there keeps the name it was given.
        let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
        Ok(Self {
            config: WorkerConfig::load(&file, environment)?,
            is_own: false,
        })
    }

    fn own(environment: Option<&str>) -> Result<Self> {
        let mut config = WorkerConfig::parse(CONFIG, CONFIG_NAME, environment)?;
        let migrations = MIGRATIONS.map(|(name, text)| Migration {
            name: name.to_owned(),
            text: text.to_owned(),
        });
        for database in &mut config.d1_databases {
            database.given_migrations = Some(migrations.to_vec());
        }
        Ok(Self {
            config,
            is_own: true,
        })
    }

    /// Adds the rows with which every database of a development environment begins, if the Worker has such a file.
    pub(crate) fn with_seeds(&self, mut builder: Builder) -> Result<Builder> {
        let folder = self.config.file.parent().unwrap_or(Path::new("."));
        let seeds = folder.join(SEEDS);
        let sql = if self.is_own {
            OWN_SEEDS.to_owned()
        } else if seeds.exists() {
            file::text(&seeds, file::SQL_BYTES_MAX)
                .into_diagnostic()
                .wrap_err_with(|| format!("{} cannot be read", seeds.display()))?
        } else {
            return Ok(builder);
        };
        for database in &self.config.d1_databases {
            builder = builder.seed_sql(&database.binding, &seeds.to_string_lossy(), &sql);
        }
        Ok(builder)
    }
}

/// The folder of the Worker's crate: `worker` in the working directory, or in one above it.
///
/// # Errors
/// There is none: the command was started outside of a checkout.
pub(crate) fn folder() -> Result<PathBuf> {
    let here = std::env::current_dir().into_diagnostic()?;
    found_from(&here).ok_or_else(|| {
        miette!(
            help = "run it inside a checkout of edgeproof, or name the Worker: `sim build --crate DIR`, `sim workerd --script FILE`",
            "the crate of edgeproof's Worker is neither in {} nor above it",
            here.display()
        )
    })
}

fn found_from(here: &Path) -> Option<PathBuf> {
    let mut folders = here.ancestors().map(|folder| folder.join("worker"));
    folders.find(|folder| {
        file::text(&folder.join("Cargo.toml"), MANIFEST_BYTES_MAX)
            .is_ok_and(|manifest| manifest.contains("name = \"edgeproof-worker\""))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A migration that is added to the folder must be added here.
    #[test]
    fn the_migrations_are_those_of_the_folder() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../worker/migrations");
        let names = std::fs::read_dir(folder).expect("the Worker's migrations");
        let names = names.map(|entry| entry.expect("listed").file_name());
        let mut names: Vec<String> = names
            .map(|name| name.into_string().expect("text"))
            .filter(|name| name.ends_with(".sql"))
            .collect();
        names.sort();
        assert_eq!(MIGRATIONS.map(|(name, _)| name.to_owned()).to_vec(), names);
    }

    #[test]
    fn the_crate_is_found_from_below_and_no_other_is_taken_for_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let below = folder.path().join("a/worker/b");
        std::fs::create_dir_all(&below).expect("made");
        let foreign = folder.path().join("a/worker/Cargo.toml");
        std::fs::write(foreign, "[package]\nname = \"mine\"\n").expect("written");
        assert_eq!(found_from(&below), None);
        let own = folder.path().join("worker");
        std::fs::create_dir(&own).expect("made");
        let manifest = "[package]\nname = \"edgeproof-worker\"\n";
        std::fs::write(own.join("Cargo.toml"), manifest).expect("written");
        assert_eq!(found_from(&below), Some(own.clone()));
        assert_eq!(found_from(&own), Some(own));
    }
}

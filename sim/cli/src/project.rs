//! The configuration that a command works with: the Worker's own, or that of a file.

use crate::linked::Linked;
use edgeproof_loadgen::configuration::Configuration;
use edgeproof_sim::world::builder::Builder;
use edgeproof_sim::wrangler::{WorkerConfig, file};
use miette::{Context, IntoDiagnostic, Result, miette};
use std::path::Path;

/// Rows of a development environment: a file of SQL beside the configuration.
pub const SEEDS: &str = "seeds/development.sql";

/// A Worker's configuration, and where its development rows are.
#[derive(Debug, Clone)]
pub(crate) struct Project {
    pub(crate) config: WorkerConfig,
    /// The rows that are in the program; otherwise they are in a file.
    seeds: Option<&'static str>,
}

impl Project {
    /// Reads a configuration; without a file, the linked Worker's own.
    pub(crate) fn load(
        linked: &Linked,
        file: Option<&Path>,
        environment: Option<&str>,
    ) -> Result<Self> {
        let Some(file) = file else {
            let is_compiled = matches!(linked.configuration, Configuration::Compiled { .. });
            return Ok(Self {
                config: linked.configuration.load(environment)?,
                seeds: linked.development.seeds.filter(|_| is_compiled),
            });
        };
        // A shorter name of the same file, for messages; a file that is not there keeps the name it was given.
        let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
        Ok(Self {
            config: WorkerConfig::load(&file, environment)?,
            seeds: None,
        })
    }

    /// The same for a command that runs the linked Worker: a file must be a configuration of that Worker.
    ///
    /// # Errors
    /// It names another Worker, whose bindings this one does not have.
    pub(crate) fn of_worker(
        linked: &Linked,
        file: Option<&Path>,
        environment: Option<&str>,
    ) -> Result<Self> {
        let project = Self::load(linked, file, environment)?;
        if file.is_none() {
            return Ok(project);
        }
        let own = linked.configuration.load(None)?.name;
        let name = &project.config.name;
        // An environment may have a name of its own, which the two files need not share.
        let of_environment = environment.map(|environment| {
            let configured = linked.configuration.load(Some(environment));
            configured.map_or_else(|_| format!("{own}-{environment}"), |config| config.name)
        });
        if *name == own || Some(name) == of_environment.as_ref() {
            return Ok(project);
        }
        Err(miette!(
            help = format!(
                "run the command in that Worker's folder, or leave out --config to have {}",
                linked.configuration.file().display()
            ),
            "{} configures the Worker {name:?}, but the Worker of this command is {own:?}",
            project.config.file.display()
        ))
    }

    /// Adds the rows with which every database of a development environment begins, if the Worker has such a file.
    pub(crate) fn with_seeds(&self, mut builder: Builder) -> Result<Builder> {
        let folder = self.config.file.parent().unwrap_or(Path::new("."));
        let seeds = folder.join(SEEDS);
        let sql = if let Some(sql) = self.seeds {
            sql.to_owned()
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

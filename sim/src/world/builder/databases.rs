//! D1 databases before a run: opened, migrated, seeded; and copied, where worlds of one setup share them.

use super::{BuildError, Builder, Deployment};
use crate::engine::inventory::database_file;
use crate::kernel::seed::Stream;
use crate::platform::d1::D1;
use crate::topology::Pop;
use crate::wrangler::{D1Database, Migration};
use edgeproof_sqlite::SqlError;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Databases with their migrations and seeds applied, by name: the first world of a setup keeps them, and
/// the others copy them. A builder without a setup keeps none.
#[derive(Clone, Default)]
pub(super) struct Images(Option<Rc<RefCell<Kept>>>);

/// A database that bindings of this world mean.
pub(super) struct Planned<'a> {
    /// What records and faults call it.
    pub(super) name: String,
    pub(super) id: Rc<str>,
    pub(super) bindings: Vec<Bound<'a>>,
}

/// A binding of a database.
pub(super) struct Bound<'a> {
    pub(super) worker: &'a Deployment,
    pub(super) config: &'a D1Database,
    /// What seeds call the database, as this Worker binds it.
    pub(super) name: String,
}

impl Planned<'_> {
    /// What seeds call it.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let bound = self.bindings.iter().map(|bound| bound.name.as_str());
        std::iter::once(self.name.as_str()).chain(bound)
    }

    fn is_called(&self, name: &str) -> bool {
        self.names().any(|own| own == name)
    }
}

impl Bound<'_> {
    fn place(&self) -> String {
        let Self { worker, config, .. } = self;
        let folder = config.migrations_dir.display();
        format!("{} for {} ({folder})", worker.file(), config.binding)
    }
}

/// Gives each binding the name that seeds use: its own, after the Worker's if another database has that name.
pub(super) fn name_bindings(planned: &mut [Planned<'_>]) {
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    for (number, database) in planned.iter().enumerate() {
        taken.insert(database.name.clone(), number);
    }
    for (number, database) in planned.iter_mut().enumerate() {
        for bound in &mut database.bindings {
            let own = bound.config.binding.clone();
            let name = match taken.get(&own) {
                Some(other) if *other != number => format!("{}/{own}", bound.worker.name()),
                _ => own,
            };
            taken.insert(name.clone(), number);
            bound.name = name;
        }
    }
}

type Kept = BTreeMap<String, D1>;

impl Images {
    pub(super) fn kept() -> Self {
        Self(Some(Rc::default()))
    }
}

impl Builder {
    /// Opens a database with its migrations and seeds applied.
    pub(super) fn database(&self, planned: &Planned<'_>, home: Pop) -> Result<D1, BuildError> {
        let name = planned.name.as_str();
        let seed = self.database_seed(name);
        if let Some(images) = &self.images.0
            && let Some(image) = images.borrow().get(name)
        {
            return image.copy(seed).map_err(|failure| sql(name, failure));
        }
        let mut database = self
            .open(&planned.id, name, home)
            .map_err(|failure| sql(name, failure))?;
        let migrations = self.migrations(planned)?;
        for migration in &migrations {
            let applied = database.migrate(self.start, &migration.name, &migration.text);
            applied.map_err(|failure| sql(&migration.name, failure))?;
        }
        let seeds = self.seeds_of(planned);
        for (source, text) in &seeds {
            let applied = database.prepare_with(self.start, text);
            applied.map_err(|failure| sql(source, failure))?;
        }
        let texts = seeds.iter().map(|(_, text)| *text);
        if let Some(images) = &self.images.0
            && is_same_for_every_seed(&migrations, texts)
        {
            let image = database.copy(seed).map_err(|failure| sql(name, failure))?;
            images.borrow_mut().insert(name.to_owned(), image);
        }
        Ok(database)
    }

    /// The migrations of a database. They belong to the database and not to a binding, as for wrangler: a Worker that binds
    /// it may have none of its own, or the same.
    ///
    /// # Errors
    /// Two bindings have different ones, or they cannot be read.
    fn migrations(&self, planned: &Planned<'_>) -> Result<Vec<Migration>, BuildError> {
        let mut chosen: Option<(Vec<Migration>, &Bound<'_>)> = None;
        if !self.migrate {
            return Ok(Vec::new());
        }
        for bound in &planned.bindings {
            let own = bound.config.migrations()?;
            if own.is_empty() {
                continue;
            }
            match &chosen {
                None => chosen = Some((own, bound)),
                Some((known, _)) if *known == own => {}
                Some((_, first)) => {
                    return Err(BuildError::TwoSetsOfMigrations {
                        database: planned.name.clone(),
                        first: first.place(),
                        second: bound.place(),
                    });
                }
            }
        }
        Ok(chosen.map(|(migrations, _)| migrations).unwrap_or_default())
    }

    /// The seeds of a database, under any of its names: source and text of each. What is given for two names of one database
    /// is applied once.
    fn seeds_of(&self, planned: &Planned<'_>) -> Vec<(&str, &str)> {
        let mut seeds = Vec::new();
        for (binding, source, text) in &self.seeds {
            let seed = (source.as_str(), text.as_str());
            if planned.is_called(binding) && !seeds.contains(&seed) {
                seeds.push(seed);
            }
        }
        seeds
    }

    /// Opens a database; `name` is what records call it.
    pub(super) fn open(&self, id: &str, name: &str, home: Pop) -> Result<D1, SqlError> {
        let seed = self.database_seed(name);
        let service = self.options.d1_service;
        match &self.persist {
            None => D1::new(name.into(), home, service, seed),
            Some(folder) => {
                let file = database_file(folder, id);
                D1::open(&file, name.into(), home, service, seed)
            }
        }
    }

    fn database_seed(&self, name: &str) -> u64 {
        Stream::new(self.seed, &format!("d1/{name}")).next_u64()
    }
}

/// Whether a database that this SQL made is independent of the seed. `random()` may stand anywhere in the text, so any
/// occurrence of the word counts.
fn is_same_for_every_seed<'a>(
    migrations: &'a [Migration],
    seeds: impl Iterator<Item = &'a str>,
) -> bool {
    let texts = migrations.iter().map(|migration| migration.text.as_str());
    texts
        .chain(seeds)
        .all(|text| !text.to_ascii_lowercase().contains("random"))
}

fn sql(file: &str, failure: SqlError) -> BuildError {
    BuildError::Sql {
        file: file.to_owned(),
        message: failure.message,
    }
}

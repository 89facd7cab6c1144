//! D1 databases before a run: opened, migrated, seeded; and copied, where worlds of one setup share them.

use super::{BuildError, Builder};
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

type Kept = BTreeMap<String, D1>;

impl Images {
    pub(super) fn kept() -> Self {
        Self(Some(Rc::default()))
    }
}

impl Builder {
    /// Opens the database of a binding, with its migrations and seeds applied; `name` is what records call it.
    pub(super) fn database(
        &self,
        name: &str,
        config: &D1Database,
        id: &str,
        home: Pop,
    ) -> Result<D1, BuildError> {
        let seed = self.database_seed(name);
        if let Some(images) = &self.images.0
            && let Some(image) = images.borrow().get(name)
        {
            return image.copy(seed).map_err(|failure| sql(name, failure));
        }
        let mut database = self
            .open(id, name, home)
            .map_err(|failure| sql(name, failure))?;
        let migrations = if self.migrate {
            config.migrations()?
        } else {
            Vec::new()
        };
        for migration in &migrations {
            let applied = database.migrate(self.start, &migration.name, &migration.text);
            applied.map_err(|failure| sql(&migration.name, failure))?;
        }
        let seeds = self.seeds.iter().filter(|(binding, ..)| binding == name);
        for (_, source, text) in seeds.clone() {
            let applied = database.prepare_with(self.start, text);
            applied.map_err(|failure| sql(source, failure))?;
        }
        let texts = seeds.map(|(_, _, text)| text.as_str());
        if let Some(images) = &self.images.0
            && is_same_for_every_seed(&migrations, texts)
        {
            let image = database.copy(seed).map_err(|failure| sql(name, failure))?;
            images.borrow_mut().insert(name.to_owned(), image);
        }
        Ok(database)
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

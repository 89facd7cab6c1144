//! Where the configuration of a program's Worker is: in the program itself, or in a file.

use std::path::{Path, PathBuf};

use edgeproof_sim::wrangler::{ConfigError, Migration, WorkerConfig};

/// A Worker's configuration, for any of its environments.
#[derive(Debug, Clone)]
pub enum Configuration {
    /// All of it is in the program, so nothing is read from disk.
    Compiled {
        /// What errors call it.
        name: &'static str,
        /// The text of its `wrangler.toml`.
        text: &'static str,
        /// The migrations of its databases; one that is not listed has none.
        migrations: &'static [Migrations],
    },
    /// A file, with the migrations in the folders that it names.
    File(PathBuf),
}

/// The migrations of a database.
#[derive(Debug, Clone, Copy)]
pub struct Migrations {
    /// The database's binding.
    pub binding: &'static str,
    /// File name and SQL of each, in the order in which they are applied.
    pub files: &'static [(&'static str, &'static str)],
}

impl Configuration {
    /// What the configuration says for an environment; `None`: its top level.
    ///
    /// # Errors
    /// The file cannot be read, or holds what the simulator does not support.
    pub fn load(&self, environment: Option<&str>) -> Result<WorkerConfig, ConfigError> {
        let (name, text, migrations) = match self {
            Self::File(path) => return WorkerConfig::load(path, environment),
            Self::Compiled {
                name,
                text,
                migrations,
            } => (name, text, migrations),
        };
        let mut config = WorkerConfig::parse(text, name, environment)?;
        for database in &mut config.d1_databases {
            let given = migrations
                .iter()
                .find(|given| given.binding == database.binding);
            let files = given.map_or(&[][..], |given| given.files);
            let files = files.iter().map(|(name, text)| Migration {
                name: (*name).to_owned(),
                text: (*text).to_owned(),
            });
            database.given_migrations = Some(files.collect());
        }
        Ok(config)
    }

    /// The file, or the name that errors give the text in the program.
    pub fn file(&self) -> &Path {
        match self {
            Self::Compiled { name, .. } => Path::new(name),
            Self::File(path) => path,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "name = 'w'\ncompatibility_date = '2026-08-20'\n\
                        d1_databases = [{ binding = 'A' }, { binding = 'B' }]\n\
                        [env.other]\nname = 'elsewhere'\n";

    /// A configuration's folder, with a migration.
    fn with_migrations() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("wrangler.toml"), TEXT).expect("written");
        std::fs::create_dir(folder.path().join("migrations")).expect("made");
        std::fs::write(folder.path().join("migrations/1.sql"), "SELECT 2").expect("written");
        folder
    }

    fn migrations(config: &WorkerConfig) -> Vec<Vec<String>> {
        let databases = config.d1_databases.iter();
        let migrations = databases.map(|database| database.migrations().expect("readable"));
        migrations
            .map(|files| files.into_iter().map(|file| file.text).collect())
            .collect()
    }

    /// The folder beside its name, if there is one, is not read.
    #[test]
    fn a_configuration_in_the_program_has_the_migrations_that_it_lists() {
        let folder = with_migrations();
        let name = folder.path().join("wrangler.toml");
        let name: &str = name.to_str().expect("text").to_owned().leak();
        let configuration = Configuration::Compiled {
            name,
            text: TEXT,
            migrations: &[Migrations {
                binding: "B",
                files: &[("1.sql", "SELECT 1")],
            }],
        };
        let config = configuration.load(None).expect("it is right");
        assert_eq!(migrations(&config), [vec![], vec!["SELECT 1".to_owned()]]);
        let other = configuration.load(Some("other")).expect("it is right");
        assert_eq!((&*config.name, &*other.name), ("w", "elsewhere"));
        assert_eq!(configuration.file(), Path::new(name));
    }

    #[test]
    fn a_file_has_the_migrations_of_its_folder() {
        let folder = with_migrations();
        let configuration = Configuration::File(folder.path().join("wrangler.toml"));
        let config = configuration.load(None).expect("it is right");
        let both = vec!["SELECT 2".to_owned()];
        assert_eq!(migrations(&config), [both.clone(), both]);
    }
}

//! Why a world could not be built.

use crate::fault::UnknownName;
use crate::topology::Pop;
use crate::wrangler::ConfigError;

/// Why a world could not be built.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[non_exhaustive]
pub enum BuildError {
    /// The Worker's configuration cannot be honoured.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Config(#[from] ConfigError),
    /// No Worker to run was given.
    #[error("no Worker: give the builder a script")]
    NoScript,
    /// A PoP that is not in the table.
    #[error("no PoP has the code {0:?}; the known ones are {known}", known = all_pops())]
    UnknownPop(String),
    /// A fault that names something the world does not have.
    #[error(transparent)]
    FaultName(#[from] UnknownName),
    /// A fault with figures that make no sense.
    #[error(
        "no such fault can happen: {0}. A status is from 400 to 599, a ratio from 0 to 1, a factor no less than 0"
    )]
    Fault(String),
    /// Two Workers of one name.
    #[error("two Workers of this world are called {0:?}")]
    TwoOfAName(String),
    /// Two Workers answer one host.
    #[error("two Workers of this world answer the host {0:?}")]
    TwoOfAHost(String),
    /// SQL for a database that no binding means.
    #[error(
        "{source_name} is for the database {binding:?}, which this world does not have; it has {known}"
    )]
    NoDatabase {
        /// Where the SQL is from.
        source_name: String,
        /// The binding it is for.
        binding: String,
        /// The databases that there are.
        known: String,
    },
    /// Two bindings of one database have different migrations.
    #[error(
        "the database {database} has two sets of migrations: that of {first}, and that of {second}. Migrations belong to the database: let both files name one folder as migrations_dir, or keep the migrations beside one of them alone"
    )]
    TwoSetsOfMigrations {
        /// What records call the database.
        database: String,
        /// The file and the binding of the one, and its folder.
        first: String,
        /// Those of the other.
        second: String,
    },
    /// A class of a Worker that this world does not have.
    #[error(
        "{file} binds a class of the Worker {worker:?}; add that Worker to the world, which has {known}"
    )]
    NoWorker {
        /// The configuration file.
        file: String,
        /// The Worker.
        worker: String,
        /// The Workers that there are.
        known: String,
    },
    /// A state folder for more than one Worker.
    #[error("a state folder keeps the state of one Worker, and this world has several")]
    StateOfSeveral,
    /// A class that is bound and not exported.
    #[error("{file} binds the class {class}, which the Worker does not export")]
    NoClass {
        /// The configuration file.
        file: String,
        /// The class.
        class: String,
    },
    /// A binding to be left out that is not there.
    #[error("no binding is called {0:?}, so it cannot be left out")]
    NoBinding(String),
    /// SQL of a migration or a seed that failed.
    #[error("{file}: {message}")]
    Sql {
        /// The file.
        file: String,
        /// SQLite's text.
        message: String,
    },
    /// A file that cannot be read.
    #[error("{0}")]
    File(#[from] std::io::Error),
}

fn all_pops() -> String {
    Pop::all().map(Pop::code).collect::<Vec<_>>().join(" ")
}

//! A Worker that is linked into the program, and what the commands know of it.

use edgeproof_loadgen::configuration::Configuration;
use edgeproof_loadgen::contract::{Contract, Simulated};
use edgeproof_loadgen::program::Program;
use edgeproof_loadgen::target::embedded::Worker;
use edgeproof_sim::script::{Elsewhere, Script};
use miette::Result;
use std::path::PathBuf;
use std::rc::Rc;

use crate::traffic::Traffic;

/// A Worker and everything that is known of it beside its configuration.
#[derive(Debug, Clone)]
pub struct Linked {
    /// Its Cargo package, from which its handlers are linked.
    pub package: &'static str,
    /// What help calls the program, such as `sim`.
    pub name: &'static str,
    /// The command that starts the program, where a message repeats it, such as `cargo sim`.
    pub command: &'static str,
    /// One sentence for the help.
    pub about: &'static str,
    /// Its configuration.
    pub configuration: Configuration,
    /// Its crate, for the commands that build it or run its bundle.
    pub folder: CrateFolder,
    /// What its API promises, for `burst`.
    pub contract: Rc<dyn Contract>,
    /// What its variables mean, for `burst` without a target.
    pub rules: Rc<dyn Simulated>,
    /// What an environment for development has beside the configuration.
    pub development: Development,
    /// Traffic that `forecast` knows by name.
    pub traffic: Option<Named>,
}

/// Where the Worker's crate is.
#[derive(Debug, Clone)]
pub enum CrateFolder {
    /// In this folder.
    At(PathBuf),
    /// Looked for when it is needed, because the program may have been moved. The error says where it was looked for.
    Found(fn() -> Result<PathBuf>),
}

impl CrateFolder {
    /// The folder with the crate's `Cargo.toml`.
    ///
    /// # Errors
    /// It is not found.
    pub(crate) fn find(&self) -> Result<PathBuf> {
        match self {
            Self::At(folder) => Ok(folder.clone()),
            Self::Found(find) => find(),
        }
    }
}

/// What the variable `ENVIRONMENT = "development"` adds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Development {
    /// SQL for every database of a new world, where the configuration is in the program. Beside a configuration that is a
    /// file it is [`SEEDS`](crate::SEEDS).
    pub seeds: Option<&'static str>,
    /// Secrets that get a random value, unless one is given.
    pub secrets: &'static [&'static str],
    /// A line to print when the Worker is served, such as the name of a user to log in with.
    pub line: Option<&'static str>,
}

/// Traffic with a name.
#[derive(Debug, Clone, Copy)]
pub struct Named {
    /// The name, as `--traffic` takes it.
    pub name: &'static str,
    /// What it is, for the help.
    pub help: &'static str,
    /// The traffic of a seed.
    pub of_seed: fn(u64) -> Rc<dyn Traffic>,
}

impl Linked {
    /// The Worker's code.
    ///
    /// # Panics
    /// If no handler of requests is linked from its package.
    pub(crate) fn script(&self) -> Rc<dyn Script> {
        worker::native::script(self.package)
    }

    /// The load generator for it.
    ///
    /// # Panics
    /// If no handler of requests is linked from its package.
    pub fn program(&self) -> Program {
        self.program_of(self.script())
    }

    /// The load generator as its help tells of it, which takes no handler.
    pub(crate) fn described(&self) -> Program {
        self.program_of(Rc::new(Elsewhere))
    }

    fn program_of(&self, script: Rc<dyn Script>) -> Program {
        Program {
            name: self.name,
            command: self.command,
            contract: Rc::clone(&self.contract),
            worker: Some(Worker {
                script,
                configuration: self.configuration.clone(),
                rules: Rc::clone(&self.rules),
            }),
        }
    }
}

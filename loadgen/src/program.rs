//! The parts of a program of the load generator, and the reasons why it may have no report.

use std::rc::Rc;

use miette::miette;

use crate::contract::Contract;
use crate::target::embedded::Worker;

/// A load generator for one API: its contract and, if it has one to run, its Worker.
#[derive(Debug, Clone)]
pub struct Program {
    /// What help and messages call the program, such as `loadgen`.
    pub name: &'static str,
    /// The command that starts the program, where a report repeats the command.
    pub command: &'static str,
    /// What the API promises.
    pub contract: Rc<dyn Contract>,
    /// The Worker for runs without a TARGET.
    pub worker: Option<Worker>,
}

impl Program {
    /// Whether the value of a variable of the Worker may be shown.
    pub(crate) fn is_plain(&self, name: &str) -> bool {
        self.worker
            .as_ref()
            .is_some_and(|worker| worker.rules.is_plain(name))
    }
}

/// Why there is no report.
#[derive(Debug)]
pub enum Trouble {
    /// The command line asks for something impossible: exit code 2.
    Usage(miette::Report),
    /// The program itself could not run (no runtime, no file): exit code 3.
    Unable(miette::Report),
}

/// A command line that asks for something impossible.
pub(crate) fn usage(message: impl std::fmt::Display) -> Trouble {
    Trouble::Usage(miette!("{message}"))
}

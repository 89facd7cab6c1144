//! A question before something is changed outside the user's own folders.

use miette::{IntoDiagnostic, Result, miette};
use std::io::{BufRead, IsTerminal, Read, Write};

/// How far the user has agreed already.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Consent {
    /// `--yes`: to everything.
    pub(crate) yes: bool,
}

impl Consent {
    /// Says what will be done and goes on only after a yes. Where nobody can answer, that is an error.
    pub(crate) fn ask(self, plan: &str) -> Result<()> {
        eprintln!("{plan}");
        if self.yes {
            return Ok(());
        }
        let stdin = std::io::stdin();
        if !stdin.is_terminal() {
            return Err(miette!(
                help = "pass --yes to agree, or do it yourself",
                "nobody is there to agree to this:\n{plan}"
            ));
        }
        eprint!("Go on? [y/N] ");
        std::io::stderr().flush().into_diagnostic()?;
        let mut answer = String::new();
        // Longer than any yes.
        let mut typed = stdin.lock().take(64);
        typed.read_line(&mut answer).into_diagnostic()?;
        match answer.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => Err(miette!("not agreed: nothing was changed")),
        }
    }
}

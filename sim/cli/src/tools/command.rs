//! A program that is run on the user's behalf.
//!
//! `cargo sim` puts variables into the environment that are about *its* run: the path of its own cargo, its package, the folder
//! of its compiler's libraries. A compiler of another origin that inherits them breaks in strange ways, so they are taken out.
//! `RUSTUP_TOOLCHAIN` stays: who runs `cargo +1.95 sim build` means that toolchain.

use miette::{IntoDiagnostic, Result, miette};
use std::ffi::{OsStr, OsString};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Longest output of a program in bytes. The longest one wanted, `cargo metadata` of this workspace, has less than ten million.
const OUTPUT_BYTES_MAX: u64 = 64 << 20;

/// A program with arguments, in a clean environment.
#[derive(Debug)]
pub(crate) struct Tool {
    command: Command,
    /// Searched for programs before the rest of `PATH`, the first one first.
    first_in_path: Vec<PathBuf>,
    /// What to do where the program is missing or fails.
    help: Option<String>,
}

impl Tool {
    /// The program of that name or path.
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Tool {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(is_about_the_outer_run) {
                command.env_remove(name);
            }
        }
        for name in ["LD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"] {
            if let Some(folders) = std::env::var_os(name) {
                let kept =
                    std::env::split_paths(&folders).filter(|folder| !is_of_a_toolchain(folder));
                match std::env::join_paths(kept) {
                    Ok(kept) if !kept.is_empty() => command.env(name, kept),
                    _ => command.env_remove(name),
                };
            }
        }
        Tool {
            command,
            first_in_path: Vec::new(),
            help: None,
        }
    }

    /// Adds arguments.
    pub(crate) fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Tool {
        self.command.args(arguments);
        self
    }

    /// Runs in that folder.
    pub(crate) fn folder(mut self, folder: &Path) -> Tool {
        self.command.current_dir(folder);
        self
    }

    /// Sets a variable.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Tool {
        self.command.env(name, value);
        self
    }

    /// Puts a folder in front of `PATH`, after those that were put there before.
    pub(crate) fn path(mut self, folder: Option<&Path>) -> Tool {
        self.first_in_path.extend(folder.map(Path::to_owned));
        self
    }

    /// What the error says that the user can do.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Tool {
        self.help = Some(help.into());
        self
    }

    /// Runs it to its end; its output goes to standard error, for standard output belongs to the results.
    pub(crate) fn run(mut self) -> Result<()> {
        self.prepare()?;
        let status = self
            .command
            .stdin(Stdio::null())
            .stdout(std::io::stderr())
            .status()
            .map_err(|problem| self.not_started(&problem))?;
        if status.success() {
            return Ok(());
        }
        Err(self.failed(format!("`{}` ended with {status}", self.spelled())))
    }

    /// Runs it to its end and gives its standard output.
    #[expect(
        clippy::disallowed_methods,
        reason = "two pipes are read at once, outside of any world"
    )]
    pub(crate) fn output(mut self) -> Result<String> {
        self.prepare()?;
        let mut child = self
            .command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|problem| self.not_started(&problem))?;
        let stdout = child.stdout.take().expect("it is piped");
        let stderr = child.stderr.take().expect("it is piped");
        // Both at once: a program that fills one pipe while the other is read would wait for ever.
        let read = std::thread::scope(|scope| {
            let said = scope.spawn(|| up_to(stderr, OUTPUT_BYTES_MAX));
            let output = up_to(stdout, OUTPUT_BYTES_MAX);
            (output, said.join().expect("reading does not panic"))
        });
        let (Some(output), Some(said)) = (read.0.into_diagnostic()?, read.1.into_diagnostic()?)
        else {
            // It may have ended by itself; what matters is that it is gone.
            let _ = child.kill();
            let _ = child.wait();
            return Err(self.failed(format!(
                "`{}` printed more than {OUTPUT_BYTES_MAX} bytes",
                self.spelled()
            )));
        };
        let status = child.wait().into_diagnostic()?;
        if status.success() {
            return String::from_utf8(output).into_diagnostic();
        }
        let said = String::from_utf8_lossy(&said);
        Err(self.failed(format!(
            "`{}` ended with {status}:\n{}",
            self.spelled(),
            said.trim_end()
        )))
    }

    fn prepare(&mut self) -> Result<()> {
        if self.first_in_path.is_empty() {
            return Ok(());
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = self
            .first_in_path
            .iter()
            .cloned()
            .chain(std::env::split_paths(&path));
        let path: OsString = std::env::join_paths(folders).into_diagnostic()?;
        // `Command` looks programs up in the PATH that it is given here.
        self.command.env("PATH", path);
        Ok(())
    }

    fn not_started(&self, problem: &std::io::Error) -> miette::Report {
        let program = self.command.get_program().display();
        self.failed(match problem.kind() {
            ErrorKind::NotFound => format!("there is no program `{program}`"),
            _ => format!("`{program}` cannot be started: {problem}"),
        })
    }

    fn failed(&self, message: String) -> miette::Report {
        match &self.help {
            Some(help) => miette!(help = help, "{message}"),
            None => miette!("{message}"),
        }
    }

    /// The command as one would type it, without its variables.
    fn spelled(&self) -> String {
        std::iter::once(self.command.get_program())
            .chain(self.command.get_args())
            .map(|word| word.to_string_lossy())
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// What comes out of a pipe; `None` if that is more than `most` bytes. The pipe is closed then, so that the program ends.
fn up_to(pipe: impl Read, most: u64) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let read = pipe.take(most + 1).read_to_end(&mut bytes)?;
    Ok((read as u64 <= most).then_some(bytes))
}

/// Whether cargo set this variable for the program that it runs, for a build script, or to have itself called again.
fn is_about_the_outer_run(name: &str) -> bool {
    const NAMES: [&str; 9] = [
        "CARGO",
        "CARGO_CRATE_NAME",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_PRIMARY_PACKAGE",
        "CARGO_TARGET_TMPDIR",
        "OUT_DIR",
        "RUSTC",
        "RUSTDOC",
        "RUST_RECURSION_COUNT",
    ];
    const PREFIXES: [&str; 3] = ["CARGO_BIN_", "CARGO_MANIFEST_", "CARGO_PKG_"];
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Whether a folder of libraries is one that cargo or rustup added: of a toolchain, or of a target directory.
fn is_of_a_toolchain(folder: &Path) -> bool {
    let beside_us = || {
        let program = std::env::current_exe().ok()?;
        Some(folder.starts_with(program.parent()?))
    };
    folder
        .iter()
        .any(|part| part == "rustlib" || part == "toolchains" || part == "deps")
        || beside_us().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_the_outer_run_are_known() {
        for name in [
            "CARGO",
            "RUSTC",
            "CARGO_PKG_NAME",
            "CARGO_MANIFEST_DIR",
            "CARGO_BIN_EXE_sim",
        ] {
            assert!(is_about_the_outer_run(name), "{name}");
        }
        for name in [
            "CARGO_HOME",
            "RUSTUP_HOME",
            "RUSTUP_TOOLCHAIN",
            "CARGO_NET_OFFLINE",
            "PATH",
            "CARGO_TARGET_DIR",
        ] {
            assert!(!is_about_the_outer_run(name), "{name}");
        }
    }

    #[test]
    fn libraries_of_a_toolchain_are_known() {
        for folder in [
            "/h/.rustup/toolchains/x/lib",
            "/x/lib/rustlib/h/lib",
            "/p/target/debug/deps",
        ] {
            assert!(is_of_a_toolchain(folder.as_ref()), "{folder}");
        }
        assert!(!is_of_a_toolchain("/opt/cuda/lib".as_ref()));
    }

    #[test]
    fn a_program_that_prints_without_an_end_is_ended() {
        let failure = Tool::new("yes").output().unwrap_err();
        assert_eq!(
            failure.to_string(),
            format!("`yes` printed more than {OUTPUT_BYTES_MAX} bytes")
        );
    }

    #[test]
    fn a_failure_tells_the_command_its_status_and_what_to_do() {
        let failure = Tool::new("false")
            .args(["--now"])
            .help("do it later")
            .run()
            .unwrap_err();
        let text = format!("{failure:?}");
        assert!(
            text.contains("`false --now` ended with exit status: 1"),
            "{text}"
        );
        assert!(text.contains("do it later"), "{text}");
        let missing = Tool::new("no-such-program-9137").output().unwrap_err();
        assert!(
            missing
                .to_string()
                .contains("there is no program `no-such-program-9137`"),
            "{missing}"
        );
    }
}

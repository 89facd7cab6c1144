//! Commands that run the Worker: a program is built that links it, and takes the words of the command line.
//!
//! It is a package of its own under the Worker's target folder, so that the Worker's Cargo.toml needs no binary. It resolves
//! dependencies as the Worker's workspace does: it begins with a copy of that lock file and of its `[patch]` sections.

use crate::failure::Failure;
use crate::project::Project;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use toml_edit::{DocumentMut, Item, Table, value};

pub(crate) fn run(words: &[OsString]) -> Result<ExitCode, Failure> {
    let here = std::env::current_dir().map_err(|error| Failure::new(error.to_string()))?;
    let project = Project::find(&here)?;
    let runner = Runner::of(&project)?;
    let manifest = runner.write()?;
    let target = project.target.join("edgeproof");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["run", "--release", "--manifest-path"]);
    command.arg(&manifest).arg("--target-dir").arg(&target);
    if target.join("release").join(runner.program()).exists() {
        command.arg("--quiet");
    } else {
        // Minutes without a word would look like a hang.
        eprintln!(
            "the first command builds a program that links the Worker, which takes some minutes"
        );
    }
    command.arg("--").args(words);
    become_program(command)
}

/// Runs the command in place of this program, so that Ctrl-C and its exit code are the command's own.
#[cfg(unix)]
fn become_program(mut command: Command) -> Result<ExitCode, Failure> {
    use std::os::unix::process::CommandExt as _;
    let error = command.exec();
    Err(Failure::new(format!("cannot start cargo: {error}")))
}

#[cfg(not(unix))]
fn become_program(mut command: Command) -> Result<ExitCode, Failure> {
    let status = command
        .status()
        .map_err(|error| Failure::new(format!("cannot start cargo: {error}")))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// The program's package.
struct Runner<'a> {
    project: &'a Project,
    folder: PathBuf,
    library: &'a str,
    edgeproof: &'a Path,
}

impl<'a> Runner<'a> {
    fn of(project: &'a Project) -> Result<Self, Failure> {
        let prepare = "run `cargo edgeproof init` first";
        let library = project.library.as_deref().ok_or_else(|| {
            Failure::new("this package has no library")
                .at(&project.manifest, None)
                .help(prepare)
        })?;
        if !project.is_linkable {
            let line = line_of(&project.manifest, "crate-type");
            return Err(Failure::new(
                "the library is a cdylib only, which no other crate can link",
            )
            .at(&project.manifest, line)
            .help(format!(
                "{prepare}, or write crate-type = [\"cdylib\", \"rlib\"]"
            )));
        }
        let edgeproof = project.edgeproof.as_deref().ok_or_else(|| {
            Failure::new("this package does not depend on edgeproof")
                .at(&project.manifest, None)
                .help(prepare)
        })?;
        if !project.has_facade {
            let line = line_of(&project.manifest, "worker");
            return Err(Failure::new(
                "natively this package links the crate worker itself, which runs on wasm only, and not worker-native",
            )
            .at(&project.manifest, line)
            .help(prepare));
        }
        project.configuration()?;
        Ok(Self {
            project,
            folder: project.target.join("edgeproof/runner").join(&project.name),
            library,
            edgeproof,
        })
    }

    /// The name of the program, which is that of its package.
    fn name(&self) -> String {
        format!("edgeproof-of-{}", self.project.name)
    }

    /// The file of the program.
    fn program(&self) -> String {
        format!("{}{}", self.name(), std::env::consts::EXE_SUFFIX)
    }

    /// Writes what has changed; the path of its Cargo.toml.
    fn write(&self) -> Result<PathBuf, Failure> {
        let manifest = self.folder.join("Cargo.toml");
        put(&manifest, &self.manifest()?)?;
        put(&self.folder.join("src/main.rs"), &self.main()?)?;
        let lock = self.folder.join("Cargo.lock");
        let known = self.project.workspace.join("Cargo.lock");
        // The program's own lock file grows from it, so it is taken once and again when it is newer.
        if is_newer(&known, &lock) {
            fs::copy(&known, &lock).map_err(|error| Failure::io("write", &lock, &error))?;
        }
        Ok(manifest)
    }

    fn manifest(&self) -> Result<String, Failure> {
        let mut manifest = DocumentMut::new();
        let package = &mut manifest["package"];
        *package = Item::Table(Table::new());
        package["name"] = value(self.name());
        package["version"] = value("0.0.0");
        package["edition"] = value("2024");
        package["publish"] = value(false);
        // Its own workspace, whatever is above it.
        manifest["workspace"] = Item::Table(Table::new());
        let mut dependencies = Table::new();
        let path = |path: &Path| value(path.to_string_lossy().into_owned());
        let mut worker = Table::new();
        worker["path"] = path(self.project.folder());
        dependencies[&self.project.name] = Item::Table(worker);
        let mut edgeproof = Table::new();
        edgeproof["path"] = path(self.edgeproof);
        edgeproof["features"] = value(toml_edit::Array::from_iter(["cli"]));
        dependencies["edgeproof"] = Item::Table(edgeproof);
        manifest["dependencies"] = Item::Table(dependencies);
        if let Some(patches) = self.patches()? {
            manifest["patch"] = patches;
        }
        Ok(manifest.to_string())
    }

    /// The `[patch]` sections of the Worker's workspace, with paths that hold from anywhere.
    fn patches(&self) -> Result<Option<Item>, Failure> {
        let root = self.project.workspace.join("Cargo.toml");
        let text = fs::read_to_string(&root).map_err(|error| Failure::io("read", &root, &error))?;
        let manifest: DocumentMut = text
            .parse()
            .map_err(|error| Failure::new(format!("this is not TOML: {error}")).at(&root, None))?;
        let Some(mut patches) = manifest.get("patch").cloned() else {
            return Ok(None);
        };
        let registries = patches
            .as_table_like_mut()
            .into_iter()
            .flat_map(|all| all.iter_mut());
        for (_, registry) in registries {
            let crates = registry
                .as_table_like_mut()
                .into_iter()
                .flat_map(|all| all.iter_mut());
            for (_, patched) in crates {
                let path = patched.get("path").and_then(Item::as_str);
                if let Some(path) = path.map(|path| self.project.workspace.join(path)) {
                    patched["path"] = value(path.to_string_lossy().into_owned());
                }
            }
        }
        Ok(Some(patches))
    }

    fn main(&self) -> Result<String, Failure> {
        let configuration = self.project.configuration()?;
        Ok(format!(
            "edgeproof::main!({}, package = {:?}, config = {:?});\n",
            self.library,
            self.project.name,
            configuration.to_string_lossy()
        ))
    }
}

/// The first line of a manifest that sets a key, from 1.
fn line_of(manifest: &Path, key: &str) -> Option<usize> {
    let text = fs::read_to_string(manifest).ok()?;
    let sets = |line: &str| {
        let rest = line.trim_start().strip_prefix(key);
        rest.is_some_and(|rest| rest.trim_start().starts_with(['=', '.']))
    };
    text.lines().position(sets).map(|line| line + 1)
}

/// Writes a file if its text is another: Cargo builds again what is newer.
fn put(path: &Path, text: &str) -> Result<(), Failure> {
    if fs::read_to_string(path).is_ok_and(|known| known == text) {
        return Ok(());
    }
    let folder = path.parent().expect("a file is in a folder");
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, text))
        .map_err(|error| Failure::io("write", path, &error))
}

fn is_newer(one: &Path, than: &Path) -> bool {
    let changed = |path: &Path| {
        fs::metadata(path)
            .and_then(|metadata| metadata.modified())
            .ok()
    };
    match (changed(one), changed(than)) {
        (Some(one), Some(than)) => one > than,
        (Some(_), None) => true,
        (None, _) => false,
    }
}

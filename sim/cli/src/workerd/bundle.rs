//! A Worker's modules, as they lie in a folder.

use super::configuration::{Module, ModuleKind, RATE_LIMIT_MODULE};
use edgeproof_sim::limits::workers::SCRIPT_BYTES;
use edgeproof_sim::wrangler::file;
use miette::{Context, IntoDiagnostic, Result, miette};
use std::path::{Path, PathBuf};

/// The module that makes the rate limiting binding.
const RATE_LIMIT: &str = include_str!("rate-limit.js");

/// Names that the main module of a folder may have, in order of preference.
const MAIN: [&str; 4] = ["index.js", "worker.js", "index.mjs", "worker.mjs"];

/// The modules of a Worker, the main one first.
#[derive(Debug)]
pub(super) struct Bundle {
    modules: Vec<Module>,
    contents: Vec<Vec<u8>>,
}

impl Bundle {
    /// Reads one module, or all modules of a folder.
    ///
    /// # Errors
    /// No module is there, or it cannot be read.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let metadata = std::fs::metadata(path)
            .into_diagnostic()
            .wrap_err_with(|| format!("there is no Worker at {}", path.display()))?;
        let files = if metadata.is_dir() {
            files_of(path)?
        } else {
            let name = file_name(path);
            if ModuleKind::of(&name) != Some(ModuleKind::EsModule) {
                return Err(miette!(
                    help = "TypeScript and other sources are bundled first, by wrangler or esbuild",
                    "{} is no JavaScript module",
                    path.display()
                ));
            }
            vec![(name, path.to_owned())]
        };
        let mut bundle = Self {
            modules: Vec::new(),
            contents: Vec::new(),
        };
        // What a plan deploys at most is also what is read.
        let mut room = SCRIPT_BYTES;
        for (name, path) in files {
            let Some(kind) = ModuleKind::of(&name) else {
                continue;
            };
            let content = file::bytes(&path, room)
                .into_diagnostic()
                .wrap_err_with(|| {
                    format!(
                        "{} cannot be read, or the Worker's modules are longer than {SCRIPT_BYTES} bytes together",
                        path.display()
                    )
                })?;
            room -= content.len() as u64;
            bundle.modules.push(Module { name, kind });
            bundle.contents.push(content);
        }
        Ok(bundle)
    }

    /// The modules, the main one first.
    pub(super) fn modules(&self) -> &[Module] {
        &self.modules
    }

    /// Writes them into a folder, beside which the configuration will be: workerd embeds files by relative names only.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        for (module, content) in self.modules.iter().zip(&self.contents) {
            let path = folder.join(&module.name);
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent).into_diagnostic()?;
            }
            std::fs::write(path, content).into_diagnostic()?;
        }
        std::fs::write(folder.join(RATE_LIMIT_MODULE), RATE_LIMIT).into_diagnostic()
    }
}

/// The configuration that belongs to a script: beside it, or in the folder above.
pub(super) fn wrangler_of(script: &Path) -> Option<PathBuf> {
    let script = script.canonicalize().ok()?;
    let beside = if script.is_dir() {
        script.as_path()
    } else {
        script.parent()?
    };
    [Some(beside), beside.parent()]
        .into_iter()
        .flatten()
        .map(|folder| folder.join("wrangler.toml"))
        .find(|file| file.is_file())
}

/// The modules below a folder, by their names relative to it.
fn files_of(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut files = Vec::new();
    let mut folders = vec![(String::new(), folder.to_owned())];
    while let Some((prefix, folder)) = folders.pop() {
        let entries = std::fs::read_dir(&folder)
            .into_diagnostic()
            .wrap_err_with(|| format!("{} cannot be read", folder.display()))?;
        for entry in entries {
            let path = entry.into_diagnostic()?.path();
            let name = format!("{prefix}{}", file_name(&path));
            if path.is_dir() {
                folders.push((format!("{name}/"), path));
            } else {
                files.push((name, path));
            }
        }
    }
    files.sort();
    let main = MAIN
        .iter()
        .find_map(|main| files.iter().position(|(name, _)| name == main));
    let Some(main) = main else {
        return Err(miette!(
            help = format!("its main module is called {}", MAIN.join(" or ")),
            "{} holds no Worker",
            folder.display()
        ));
    };
    let main = files.remove(main);
    files.insert(0, main);
    Ok(files)
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_main_module_comes_first_and_other_files_are_left_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            std::fs::write(path, name).expect("written");
        };
        for name in ["index.js", "a.wasm", "snippets/x/inline0.js", "notes.md"] {
            write(name);
        }
        let bundle = Bundle::read(folder.path()).expect("a bundle");
        let names: Vec<&str> = bundle
            .modules()
            .iter()
            .map(|module| module.name.as_str())
            .collect();
        assert_eq!(names, ["index.js", "a.wasm", "snippets/x/inline0.js"]);
        let copy = tempfile::tempdir().expect("a folder");
        bundle.write(copy.path()).expect("written");
        assert!(copy.path().join("snippets/x/inline0.js").is_file());
    }

    #[test]
    fn modules_longer_than_a_deployment_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, bytes: u64| {
            let file = std::fs::File::create(folder.path().join(name)).expect("made");
            file.set_len(bytes).expect("a sparse file");
        };
        write("index.js", SCRIPT_BYTES / 2);
        write("a.wasm", SCRIPT_BYTES / 2);
        Bundle::read(folder.path()).expect("as much as a deployment takes");
        write("b.wasm", 1);
        assert!(Bundle::read(folder.path()).is_err(), "one byte more");
    }

    #[test]
    fn what_is_no_worker_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(Bundle::read(folder.path()).is_err(), "an empty folder");
        assert!(Bundle::read(&folder.path().join("nothing.js")).is_err());
        let source = folder.path().join("worker.ts");
        std::fs::write(&source, "").expect("written");
        assert!(Bundle::read(&source).is_err(), "TypeScript");
    }
}

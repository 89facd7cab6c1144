//! Debian's Rust with a standard library for wasm, for machines that rustup cannot serve.
//!
//! Debian ships the compiler (`rustc-web`, kept current for browsers) and the sources of its standard library, but no library
//! for wasm. It is built once from those sources, into a folder of the cache that poses as the compiler's installation; only
//! the packages are installed for the whole system.

use super::cache::Cache;
use super::cache::digest;
use super::command::Tool;
use super::consent::Consent;
use super::metadata::TARGET;
use miette::{IntoDiagnostic, Result, miette};
use std::fs;
use std::path::{Path, PathBuf};

/// Compiler, cargo and sources, all of one version, and what the crates of our tools link against.
const PACKAGES: [&str; 5] = [
    "rustc-web",
    "cargo-web",
    "rust-web-src",
    "libssl-dev",
    "pkg-config",
];

const RUSTC: &str = "/usr/bin/rustc";
const CARGO: &str = "/usr/bin/cargo";

/// Runs Debian's compiler on the folder beside it as its installation.
const WRAPPER: &str = r#"#!/bin/sh
exec /usr/bin/rustc --sysroot "$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)/sysroot" "$@"
"#;

/// What [`provide`] gave before, if the compiler is the same still.
pub(super) fn provided(cache: &Cache) -> Option<PathBuf> {
    if !Path::new(RUSTC).exists() {
        return None;
    }
    let about = Tool::new(RUSTC).args(["-vV"]).output().ok()?;
    Some(cache.find(&name(&about))?.join("bin"))
}

/// The name in the cache of the library for the compiler that says this about itself.
fn name(about: &str) -> String {
    // Debian's own version tells two builds of one release apart.
    let package = version("rustc-web").unwrap_or_default();
    format!("rust-{}", digest(format!("{about}{package}")))
}

/// The folder with a `cargo` and a `rustc` that compile for wasm.
pub(super) fn provide(cache: &Cache, consent: Consent) -> Result<PathBuf> {
    if Tool::new("apt-get").args(["--version"]).output().is_err() {
        return Err(miette!(
            help = format!(
                "any of these: `rustup target add {TARGET}`; your distribution's package with Rust's standard library for \
                 {TARGET}; a machine with Debian, where this command sets up what it needs"
            ),
            "this is no Debian"
        ));
    }
    let missing: Vec<&str> = PACKAGES
        .into_iter()
        .filter(|package| version(package).is_none())
        .collect();
    let mut consent = consent;
    if !missing.is_empty() {
        consent = install(&missing, consent)?;
    }
    let about = Tool::new(RUSTC).args(["-vV"]).output()?;
    let llvm = field(&about, "LLVM version: ").and_then(|version| version.split('.').next());
    let llvm = llvm.ok_or_else(|| miette!("{RUSTC} -vV names no LLVM version"))?;
    // The linker is a package of its own, of the compiler's LLVM: which one that is says only the compiler.
    let linker = PathBuf::from(format!("/usr/bin/lld-{llvm}"));
    if !linker.exists() {
        install(&[&format!("lld-{llvm}")], consent)?;
    }
    let host = field(&about, "host: ").ok_or_else(|| miette!("{RUSTC} -vV names no host"))?;
    let folder = cache.provide(
        &name(&about),
        &format!("Rust's standard library for {TARGET}, from Debian's sources,"),
        |fresh| build(fresh, host, &linker),
    )?;
    Ok(folder.join("bin"))
}

/// The version of an installed package.
fn version(package: &str) -> Option<String> {
    let answer = Tool::new("dpkg-query")
        .args(["-W", "-f", "${db:Status-Status} ${Version}", package])
        .output()
        .ok()?;
    answer.strip_prefix("installed ").map(str::to_owned)
}

/// Installs packages after a yes, which then holds for what follows too.
fn install(packages: &[&str], consent: Consent) -> Result<Consent> {
    let root = Tool::new("id").args(["-u"]).output()?.trim() == "0";
    let prefix: &[&str] = if root { &[] } else { &["sudo"] };
    // Nothing that is installed is taken away: Debian's other Rust packages and these exclude each other.
    let install = [
        "apt-get",
        "install",
        "--yes",
        "--no-remove",
        "--no-install-recommends",
    ];
    let update: Vec<&str> = [prefix, &["apt-get", "update"]].concat();
    let install: Vec<&str> = [prefix, &install, packages].concat();
    consent.ask(&format!(
        "To compile for {TARGET}, these packages of Debian's will be installed for the whole system:\n  {}\n  {}\n\
         and the linker of the same LLVM (lld-…). Then the standard library is built from Debian's sources into your cache.",
        update.join(" "),
        install.join(" ")
    ))?;
    for words in [update, install] {
        Tool::new(words[0])
            .args(&words[1..])
            .env("DEBIAN_FRONTEND", "noninteractive")
            .help("these packages are in Debian 12 with its updates; without them, a Rust that compiles for wasm is needed")
            .run()?;
    }
    Ok(Consent { yes: true })
}

/// The rest of the line that begins so.
fn field<'a>(about: &'a str, name: &str) -> Option<&'a str> {
    about.lines().find_map(|line| line.strip_prefix(name))
}

/// Builds the library and lays out the installation in `fresh`.
fn build(fresh: &Path, host: &str, linker: &Path) -> Result<()> {
    let seed = fresh.join("seed");
    let target = fresh.join("target");
    fs::create_dir_all(seed.join("src")).into_diagnostic()?;
    // An empty crate, for cargo builds std only on behalf of one.
    fs::write(seed.join("src/lib.rs"), "").into_diagnostic()?;
    let manifest = "[package]\nname = \"seed\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
                    [profile.release]\nopt-level = \"s\"\n[workspace]\n";
    fs::write(seed.join("Cargo.toml"), manifest).into_diagnostic()?;
    Tool::new(CARGO)
        .args([
            "build",
            "--quiet",
            "--release",
            "-Zbuild-std=std,panic_abort,proc_macro",
            "--target",
            TARGET,
        ])
        .args(["--target-dir".as_ref(), target.as_os_str()])
        .folder(&seed)
        .env("RUSTC", RUSTC)
        // Building std is an unstable feature of cargo; the compiler's own build does the same.
        .env("RUSTC_BOOTSTRAP", "1")
        // cargo leaves bitcode out; without it no crate can be optimised together with std.
        .env(
            "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS",
            "-Cembed-bitcode=yes",
        )
        .run()?;

    let rustlib = fresh.join("sysroot/lib/rustlib");
    let library = rustlib.join(TARGET).join("lib");
    fs::create_dir_all(&library).into_diagnostic()?;
    for entry in fs::read_dir(target.join(TARGET).join("release/deps")).into_diagnostic()? {
        let entry = entry.into_diagnostic()?;
        let name = entry.file_name();
        let text = name.to_string_lossy();
        if text.ends_with(".rlib") && !text.starts_with("libseed-") {
            fs::rename(entry.path(), library.join(&name)).into_diagnostic()?;
        }
    }
    let host_programs = rustlib.join(host).join("bin");
    fs::create_dir_all(&host_programs).into_diagnostic()?;
    link(
        &Path::new("/usr/lib/rustlib").join(host).join("lib"),
        &rustlib.join(host).join("lib"),
    )?;
    link(linker, &host_programs.join("rust-lld"))?;

    let bin = fresh.join("bin");
    fs::create_dir_all(&bin).into_diagnostic()?;
    link(Path::new(CARGO), &bin.join("cargo"))?;
    let rustc = bin.join("rustc");
    fs::write(&rustc, WRAPPER).into_diagnostic()?;
    make_executable(&rustc)?;
    fs::remove_dir_all(&target).into_diagnostic()?;
    fs::remove_dir_all(&seed).into_diagnostic()
}

#[cfg(unix)]
fn link(original: &Path, link: &Path) -> Result<()> {
    std::os::unix::fs::symlink(original, link).into_diagnostic()
}

#[cfg(unix)]
fn make_executable(file: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).into_diagnostic()
}

#[cfg(not(unix))]
fn link(_original: &Path, _link: &Path) -> Result<()> {
    unreachable!("Debian is a Unix")
}

#[cfg(not(unix))]
fn make_executable(_file: &Path) -> Result<()> {
    unreachable!("Debian is a Unix")
}

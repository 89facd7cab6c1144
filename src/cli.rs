//! The command line for a Worker: [`main!`](crate::main) makes a program of it.

use crate::testing;
use edgeproof_cli::{CrateFolder, Development, Linked};
use edgeproof_loadgen::configuration::Configuration;
use edgeproof_loadgen::contract::generic::Generic;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;

/// The allocator of the program: a simulated request makes about a hundred small allocations, and takes a third less time in
/// all with this one.
pub type Allocator = mimalloc::MiMalloc;

/// Makes a program of this package's Worker: `serve`, `burst`, `forecast`, `workerd`, `build`, `api` and `tools`.
///
/// `cargo edgeproof` needs no such program in a Worker's package: it builds one itself. This is for a package that wants to have
/// it, as a `src/main.rs` beside the Worker's library, with the feature `cli` of this crate:
///
/// ```text
/// edgeproof::main!(my_worker);
/// ```
///
/// `my_worker` is the Worker's library. Its configuration is the `wrangler.json`, `wrangler.jsonc` or `wrangler.toml` beside this
/// package's `Cargo.toml`. A program in another package names both:
///
/// ```text
/// edgeproof::main!(my_worker, package = "my-worker", config = "../my-worker/wrangler.toml");
/// ```
///
/// A relative path is relative to the folder of the package that has the program.
///
/// Exit codes: 0 done, 1 the Worker or its configuration cannot be used, 2 usage. `burst` has those of its own, which its help
/// tells.
#[macro_export]
macro_rules! main {
    ($library:ident $(,)?) => {
        $crate::main! {
            @program $library,
            ::core::env!("CARGO_PKG_NAME"),
            ::core::option::Option::None,
            "cargo run --release --"
        }
    };
    ($library:ident, package = $package:expr, config = $config:expr $(,)?) => {
        $crate::main! {
            @program $library,
            $package,
            ::core::option::Option::Some($config),
            "cargo edgeproof"
        }
    };
    (@program $library:ident, $package:expr, $config:expr, $command:expr) => {
        // Its handlers are found by the package's name; without this they would not be linked.
        extern crate $library as _;

        #[global_allocator]
        static ALLOCATOR: $crate::cli::Allocator = $crate::cli::Allocator {};

        fn main() -> ::std::process::ExitCode {
            $crate::cli::main(
                $package,
                ::core::env!("CARGO_MANIFEST_DIR"),
                $config,
                $command,
            )
        }
    };
}

/// Runs the command that the process's arguments name, with the Worker of a Cargo package; the exit code.
///
/// `folder` is that of the package with the program; `config` is relative to it. `command` starts the program.
pub fn main(
    package: &'static str,
    folder: &'static str,
    config: Option<&str>,
    command: &'static str,
) -> ExitCode {
    let folder = Path::new(folder);
    let file = match config {
        Some(config) => folder.join(config),
        // Where there is none, reading this one says so.
        None => testing::configuration(folder).unwrap_or_else(|| folder.join("wrangler.toml")),
    };
    let words = std::env::args_os().skip(1);
    edgeproof_cli::run(&linked(package, file, command), words)
}

/// A Worker of which nothing is known but its configuration, which is beside its `Cargo.toml`.
fn linked(package: &'static str, file: PathBuf, command: &'static str) -> Linked {
    // A shorter name of the same file, for messages.
    let file = file.canonicalize().unwrap_or(file);
    let folder = file.parent().unwrap_or(Path::new(".")).to_owned();
    Linked {
        package,
        name: command,
        command,
        about: "This Worker on a simulated Cloudflare",
        configuration: Configuration::File(file),
        folder: CrateFolder::At(folder),
        contract: Rc::new(Generic),
        rules: Rc::new(Generic),
        development: Development::default(),
        traffic: None,
    }
}

//! What `#[edgeproof::test]` runs, and the same for a plain `#[test]` or proptest.

use edgeproof_sim::world::on_fresh_thread;
use edgeproof_sim::wrangler::WorkerConfig;
use edgeproof_sim::{Builder, World};
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};

/// Environment variable with the one seed that tests use instead of their own.
pub const SEED_VARIABLE: &str = "EDGEPROOF_SEED";

/// The files in which a Worker's package may keep its configuration, in the order in which wrangler looks for them.
const CONFIGURATIONS: [&str; 3] = ["wrangler.json", "wrangler.jsonc", "wrangler.toml"];

/// Where a test stands: enough to name it on a command line.
#[derive(Debug, Clone, Copy)]
pub struct Test {
    /// The Cargo package that the test belongs to.
    pub package: &'static str,
    /// The crate: the package's library, or a file of `tests/`.
    pub target: &'static str,
    /// Whether it is a file of `tests/`.
    pub is_outside: bool,
    /// The module, as `module_path!()`.
    pub module: &'static str,
    /// The function.
    pub name: &'static str,
}

impl Test {
    /// The command that runs this test with one seed.
    pub fn replay(&self, seed: u64) -> String {
        let Self {
            package,
            target,
            is_outside,
            module,
            name,
        } = self;
        let target = if *is_outside {
            format!("--test {target}")
        } else {
            "--lib".to_owned()
        };
        let path = module
            .split_once("::")
            .map_or_else(|| (*name).to_owned(), |(_, rest)| format!("{rest}::{name}"));
        format!("{SEED_VARIABLE}={seed} cargo test -p {package} {target} {path} -- --exact")
    }
}

/// The result of a test's body: `()`, or a `Result` whose error fails the test.
pub trait Outcome {
    /// Panics if it is an error.
    fn check(self);
}

impl Outcome for () {
    fn check(self) {}
}

impl<T: Outcome, E: Debug> Outcome for Result<T, E> {
    #[track_caller]
    fn check(self) {
        match self {
            Ok(value) => value.check(),
            Err(error) => panic!("the test returned an error: {error:?}"),
        }
    }
}

/// The builder of a world with the Worker of a Cargo package and its configuration: `config`, or the package's own
/// `wrangler.json`, `wrangler.jsonc` or `wrangler.toml`. It prints the Worker's console.
///
/// # Panics
/// If there is no configuration, or one that cannot be honoured; if the package has no handler of requests, or is not
/// linked.
#[track_caller]
pub fn builder(
    package: &str,
    folder: &str,
    config: Option<&str>,
    environment: Option<&str>,
) -> Builder {
    let folder = Path::new(folder);
    let path = match config {
        Some(config) => folder.join(config),
        None => configuration(folder).unwrap_or_else(|| {
            panic!(
                "{} has no wrangler.toml, wrangler.json or wrangler.jsonc; if the Worker is configured elsewhere, name \
                 the file: config = \"…\"",
                folder.display()
            )
        }),
    };
    let config = WorkerConfig::load(&path, environment);
    let config = config.unwrap_or_else(|error| panic!("{error}"));
    World::builder()
        .script(worker::native::script(package))
        .config(config)
        // Tests show it when they fail: it says why the Worker answered as it did.
        .console(true)
}

/// The configuration in a package's folder.
pub(crate) fn configuration(folder: &Path) -> Option<PathBuf> {
    let mut paths = CONFIGURATIONS.map(|name| folder.join(name)).into_iter();
    paths.find(|path| path.is_file())
}

/// Runs `body` in a world for each seed, or in one with the seed of [`SEED_VARIABLE`].
///
/// Each world has a thread of its own: generators of random numbers that a thread keeps (`rand::rng()`) begin anew there, so
/// that a seed that failed fails alone as well.
///
/// # Panics
/// With the body's own panic, after the seed and the command that replays it were printed.
pub fn run<T: Outcome>(
    test: &Test,
    builder: impl Fn() -> Builder + Sync,
    seeds: impl IntoIterator<Item = u64>,
    body: impl AsyncFn(&World) -> T + Sync,
) {
    let only = only_seed();
    let seeds: Vec<u64> = only.map_or_else(|| seeds.into_iter().collect(), |seed| vec![seed]);
    assert!(!seeds.is_empty(), "{}: seeds is empty", test.name);
    for seed in seeds {
        let ran = on_fresh_thread(|| one(test, builder().seed(seed), &body));
        if let Err(panic) = ran {
            resume_unwind(panic);
        }
    }
}

/// Runs `body` in one world; the panic, if it panicked.
fn one<T: Outcome>(
    test: &Test,
    builder: Builder,
    body: &impl AsyncFn(&World) -> T,
) -> std::thread::Result<()> {
    let world = builder.build().unwrap_or_else(|error| panic!("{error}"));
    let ran = catch_unwind(AssertUnwindSafe(|| {
        world.run(async |world| body(world).await.check());
    }));
    if ran.is_err() {
        let (seed, fingerprint) = (world.seed(), world.fingerprint());
        eprintln!("\nseed {seed}, fingerprint {fingerprint}; to run it again:");
        eprintln!("  {}\n", test.replay(seed));
    }
    ran
}

fn only_seed() -> Option<u64> {
    let text = std::env::var(SEED_VARIABLE).ok()?;
    let seed = text.parse();
    Some(
        seed.unwrap_or_else(|_| {
            panic!("{SEED_VARIABLE}={text} is no seed: a number from 0 to 2^64-1")
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use edgeproof_sim::script::Elsewhere;
    use std::rc::Rc;
    use std::sync::Mutex;

    const HERE: Test = Test {
        package: "my-worker",
        target: "my_worker",
        is_outside: false,
        module: "my_worker::tests::deep",
        name: "it_counts",
    };

    fn world() -> Builder {
        World::builder().script(Rc::new(Elsewhere))
    }

    #[test]
    fn a_failure_can_be_run_again_by_its_line() {
        assert_eq!(
            HERE.replay(7),
            "EDGEPROOF_SEED=7 cargo test -p my-worker --lib tests::deep::it_counts -- --exact"
        );
        let in_tests = Test {
            target: "counts",
            is_outside: true,
            module: "counts",
            ..HERE
        };
        assert_eq!(
            in_tests.replay(0),
            "EDGEPROOF_SEED=0 cargo test -p my-worker --test counts it_counts -- --exact"
        );
    }

    #[test]
    fn the_body_runs_once_for_each_seed_until_it_fails() {
        let seen = Mutex::new(Vec::new());
        let ran = catch_unwind(AssertUnwindSafe(|| {
            run(&HERE, world, 3..10, async |world| {
                seen.lock().expect("no panic").push(world.seed());
                if world.seed() == 5 {
                    return Err("five");
                }
                Ok(())
            });
        }));
        let panic = ran.expect_err("seed 5 fails");
        let text = panic.downcast_ref::<String>().expect("a text");
        assert_eq!(text, "the test returned an error: \"five\"");
        assert_eq!(seen.into_inner().expect("no panic"), [3, 4, 5]);
    }

    #[test]
    #[should_panic(expected = "seeds is empty")]
    fn no_seed_is_no_test() {
        run(&HERE, world, [], async |_| ());
    }

    #[test]
    #[should_panic(expected = "has no wrangler.toml, wrangler.json or wrangler.jsonc")]
    fn a_package_without_a_configuration_is_told() {
        let _ = builder("edgeproof", env!("CARGO_MANIFEST_DIR"), None, None);
    }
}

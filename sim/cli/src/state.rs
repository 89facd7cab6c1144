//! The folder in which a command keeps the simulated account: KV, D1 and Durable Objects.
//!
//! One process at a time: the folder is locked while a command holds it. What the SQLite files hold is on disk as soon as it is
//! committed; KV and the objects' keys and values are written by [`StateFolder::keep`] about a second after they changed,
//! and by [`StateFolder::save`] at the end.

use edgeproof_sim::World;
use miette::{Context, IntoDiagnostic, Result, miette};
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The file whose lock is the folder's.
const LOCK: &str = "lock";

/// How long a change may be lost if the process is killed, as long as saving is quick.
const INTERVAL: Duration = Duration::from_secs(1);

/// Saving takes at most one part in this many of a server's time.
const SHARE: u32 = 20;

/// A folder of state that this process has for itself, until the value is dropped.
#[derive(Debug)]
pub(crate) struct StateFolder {
    path: PathBuf,
    #[expect(dead_code, reason = "it is there to hold the lock")]
    lock: File,
}

impl StateFolder {
    /// Opens a folder, made if absent, and locks it.
    ///
    /// # Errors
    /// Another process has it, or it cannot be made or written.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let shown = path.display();
        std::fs::create_dir_all(path)
            .into_diagnostic()
            .wrap_err_with(|| format!("the state folder {shown} cannot be made"))?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join(LOCK))
            .into_diagnostic()
            .wrap_err_with(|| format!("the state folder {shown} cannot be written"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
                lock,
            }),
            Err(TryLockError::WouldBlock) => Err(miette!(
                help = "stop that process, or give this one another folder with --state",
                "the state folder {shown} is in use by another process"
            )),
            Err(TryLockError::Error(problem)) => Err(problem)
                .into_diagnostic()
                .wrap_err_with(|| format!("the state folder {shown} cannot be locked")),
        }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Serves to the end, keeps the folder meanwhile, and saves it then; only serves, without a folder.
    ///
    /// # Errors
    /// The folder cannot be written at the end.
    pub(crate) async fn kept_while(
        folder: Option<&Self>,
        world: &World,
        served: impl Future<Output = ()>,
    ) -> Result<()> {
        let Some(folder) = folder else {
            served.await;
            return Ok(());
        };
        tokio::select! {
            () = served => {}
            () = folder.keep(world) => {}
        }
        folder.save(world)
    }

    /// Saves the world whenever it has changed, at most once a second, for as long as the future is polled.
    ///
    /// A folder that cannot be written is told once, until it can be written again.
    #[expect(
        clippy::disallowed_methods,
        reason = "a real folder is kept on the wall clock"
    )]
    pub(crate) async fn keep(&self, world: &World) {
        let mut saved = world.account().revision();
        let mut pause = INTERVAL;
        let mut told = false;
        loop {
            tokio::time::sleep(pause).await;
            let revision = world.account().revision();
            if revision == saved {
                continue;
            }
            let begin = std::time::Instant::now();
            match self.save(world) {
                Ok(()) => (saved, told) = (revision, false),
                Err(problem) if !told => {
                    eprintln!("warning: {problem:?}");
                    told = true;
                }
                Err(_) => {}
            }
            pause = INTERVAL.max(begin.elapsed() * SHARE);
        }
    }

    /// Saves the world, all or nothing.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub(crate) fn save(&self, world: &World) -> Result<()> {
        world
            .account()
            .save(&self.path)
            .into_diagnostic()
            .wrap_err_with(|| format!("the state could not be saved in {}", self.path.display()))
    }
}

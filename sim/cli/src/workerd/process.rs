//! The workerd process: started, listened to, and ended.

use miette::{Context, IntoDiagnostic, Result, miette};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// How long workerd may take until its sockets are open. A Worker may use a second of CPU time to start (LIM), and machines are slow.
const START: Duration = Duration::from_secs(30);

/// How long it may take to end after it was told to.
const END: Duration = Duration::from_secs(5);

/// A running workerd. Dropped, it is killed.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

/// What workerd says of its sockets on the control descriptor.
#[derive(Debug, Deserialize)]
struct Event {
    event: String,
    socket: Option<String>,
    port: Option<u16>,
}

impl Process {
    /// Starts workerd and waits until it has opened all `sockets`; gives the port of each.
    ///
    /// # Errors
    /// It cannot be started, or ends at once; its own words are on the standard error output by then.
    pub(super) async fn start(
        workerd: &Path,
        configuration: &Path,
        environment: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>,
        sockets: &[String],
    ) -> Result<(Self, BTreeMap<String, u16>)> {
        let mut child = dying_with_this(workerd)
            .arg("serve")
            .arg(configuration)
            // Its standard output: the only descriptor that every system passes on.
            .arg("--control-fd=1")
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .into_diagnostic()
            .wrap_err_with(|| format!("{} cannot be started", workerd.display()))?;
        let stdout = child.stdout.take().expect("it is piped");
        let mut process = Self {
            child,
            lines: BufReader::new(stdout).lines(),
        };
        let ports = tokio::time::timeout(START, process.ports(sockets)).await;
        match ports {
            Ok(Ok(ports)) => Ok((process, ports)),
            Ok(Err(problem)) => Err(problem),
            Err(_) => Err(miette!(
                "workerd opened no socket within {} s",
                START.as_secs()
            )),
        }
    }

    async fn ports(&mut self, sockets: &[String]) -> Result<BTreeMap<String, u16>> {
        let mut ports = BTreeMap::new();
        while ports.len() < sockets.len() {
            let line = self.lines.next_line().await.into_diagnostic()?;
            let Some(line) = line else {
                let status = self.child.wait().await.into_diagnostic()?;
                return Err(miette!(
                    help = "what it said stands above; most often a module of the Worker cannot be loaded",
                    "workerd ended before it served anything ({status})"
                ));
            };
            match serde_json::from_str::<Event>(&line) {
                Ok(Event {
                    event,
                    socket: Some(socket),
                    port: Some(port),
                }) if event == "listen" && sockets.contains(&socket) => {
                    ports.insert(socket, port);
                }
                _ => eprintln!("{line}"),
            }
        }
        Ok(ports)
    }

    /// Passes on what the Worker prints, until workerd ends by itself.
    pub(super) async fn ended(&mut self) -> Result<ExitStatus> {
        while let Some(line) = self.lines.next_line().await.into_diagnostic()? {
            eprintln!("{line}");
        }
        self.child.wait().await.into_diagnostic()
    }

    /// Ends it: asks first, then kills.
    pub(super) async fn end(mut self) {
        #[cfg(unix)]
        if let Some(id) = self.child.id().and_then(|id| i32::try_from(id).ok())
            && let Some(pid) = rustix::process::Pid::from_raw(id)
        {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
            if tokio::time::timeout(END, self.child.wait()).await.is_ok() {
                return;
            }
        }
        let _ = self.child.kill().await;
    }
}

/// The command for a program that the kernel kills when this process is gone, however it went, where util-linux is there to
/// arrange that; elsewhere it outlives a command that is killed by force.
fn dying_with_this(program: &Path) -> Command {
    let arranger = Path::new("/usr/bin/setpriv");
    if cfg!(target_os = "linux") && arranger.is_file() {
        let mut command = Command::new(arranger);
        command.args(["--pdeathsig", "KILL", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    }
}

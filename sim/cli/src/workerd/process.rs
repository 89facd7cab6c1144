//! The workerd process: started, listened to, and ended.

use miette::{Context, IntoDiagnostic, Result, miette};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};

/// How long workerd may take until its sockets are open. A Worker may use a second of CPU time to start (LIM), and machines are slow.
const START: Duration = Duration::from_secs(30);

/// How long it may take to end after it was told to.
const END: Duration = Duration::from_secs(5);

/// Longest line that is kept, in bytes; a longer one comes in pieces. Its own lines are short, but a Worker prints there, too.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// A running workerd. Dropped, it is killed.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

/// The lines of a program's output.
#[derive(Debug)]
struct Lines<R>(R);

impl<R: AsyncBufRead + Unpin> Lines<R> {
    /// The next line without its end, or the next piece of one that is too long; `None` at the end. What is not UTF-8 is replaced.
    async fn next(&mut self) -> std::io::Result<Option<String>> {
        let mut line = Vec::new();
        let mut piece = (&mut self.0).take(LINE_BYTES_MAX);
        if piece.read_until(b'\n', &mut line).await? == 0 {
            return Ok(None);
        }
        if line.ends_with(b"\n") {
            line.pop();
        }
        Ok(Some(String::from_utf8_lossy(&line).into_owned()))
    }
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
    #[expect(
        clippy::disallowed_methods,
        reason = "a real process is waited for under the wall clock"
    )]
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
            lines: Lines(BufReader::new(stdout)),
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
            let line = self.lines.next().await.into_diagnostic()?;
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
        while let Some(line) = self.lines.next().await.into_diagnostic()? {
            eprintln!("{line}");
        }
        self.child.wait().await.into_diagnostic()
    }

    /// Ends it: asks first, then kills.
    #[expect(
        clippy::disallowed_methods,
        reason = "a real process is waited for under the wall clock"
    )]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_line_without_an_end_comes_in_pieces() {
        let endless = tokio::io::repeat(b'a');
        let mut lines = Lines(BufReader::new(endless));
        for _ in 0..3 {
            let piece = lines.next().await.expect("it is read").expect("more");
            assert_eq!(piece.len() as u64, LINE_BYTES_MAX);
        }
    }

    #[tokio::test]
    async fn lines_come_one_by_one_whatever_their_bytes() {
        let mut lines = Lines(b"one\n\nt\xffo".as_slice());
        let mut seen = Vec::new();
        while let Some(line) = lines.next().await.expect("it is read") {
            seen.push(line);
        }
        assert_eq!(seen, ["one", "", "t\u{fffd}o"]);
    }
}
